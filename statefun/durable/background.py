"""What an app does by itself: it starts scheduled handlers.

A virtual object of the app does it, which clients do not see. So a schedule survives what handlers
survive, and needs nothing that handlers do not need.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from statefun.durable.context_types import RunOptions
from statefun.durable.object import VirtualObject
from statefun.durable.options import Schedule
from statefun.durable.schedule import next_start

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from statefun.durable.context import ObjectContext
    from statefun.durable.declaration import Declaration

__all__ = ["Schedules"]

_FLOAT: RunOptions[float] = RunOptions()


class Schedules:
    """Starts the scheduled handlers of an app.

    Each schedule is a key of a virtual object. A delayed message to it is always on its way; when
    it comes, the handler is started and the next one is sent. A schedule that is gone from the
    code, or was changed, stops with the next message.

    Args:
        declarations: The services of the app.

    Attributes:
        declaration: The virtual object; None if nothing is scheduled.
    """

    def __init__(self, declarations: Iterable[Declaration]) -> None:
        self._plans = dict(_plans(declarations))
        self._begin: Any = None
        self.declaration = self._declare() if self._plans else None

    def _declare(self) -> VirtualObject:
        schedules = VirtualObject("_schedules", ingress_private=True)

        @schedules.handler()
        async def begin(ctx: ObjectContext, plan: list[Any]) -> None:
            if await ctx.get("plan") == plan:
                return
            ctx.set("plan", plan)
            await self._send_next(ctx, plan, await ctx.time(), tick)

        @schedules.handler()
        async def tick(ctx: ObjectContext, due: list[Any]) -> None:
            plan, at = due
            known = self._plans.get(ctx.key())
            if plan != await ctx.get("plan"):
                return  # it was changed, and goes on as it is now
            if known is None or list(known) != plan:
                ctx.clear_all()
                return
            service, handler, key, *_ = plan
            ctx.generic_send(service, handler, b"", key, idempotency_key=f"scheduled for {at}")
            await self._send_next(ctx, plan, max(at, await ctx.time()), tick)

        self._begin = begin
        return schedules

    async def _send_next(
        self, ctx: ObjectContext, plan: list[Any], after: float, tick: Any
    ) -> None:
        schedule = Schedule(*plan[3:])
        at = await ctx.run_typed("next start", next_start, _FLOAT, schedule, after)
        delay = timedelta(seconds=max(at - await ctx.time(), 0))
        ctx.object_send(tick, ctx.key(), [plan, at], send_delay=delay)

    def first_calls(self) -> Iterator[tuple[Any, str, list[Any]]]:
        """The calls that begin all schedules: handler, key and argument. A repeat does nothing."""
        for name, plan in self._plans.items():
            yield self._begin, name, list(plan)


def _plans(declarations: Iterable[Declaration]) -> Iterator[tuple[str, tuple[Any, ...]]]:
    """Each schedule under a name of its own: whom it starts, and when."""
    for declaration in declarations:
        for handler in declaration.handlers.values():
            for each in handler.schedules:
                whom = (declaration.name, handler.name, each.key)
                name = " ".join((*map(str, whom), each.cron, each.timezone))
                yield name, (*whom, each.cron, each.timezone)
