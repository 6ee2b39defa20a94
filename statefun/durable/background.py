"""What an app does by itself: it starts scheduled handlers, and spaces those with a rate limit.

Both are virtual objects of the app, which clients do not see. So a schedule and a limit survive
what handlers survive, and need nothing that handlers do not need.
"""

from __future__ import annotations

from copy import copy
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from statefun.durable.context import RunOptions
from statefun.durable.object import VirtualObject
from statefun.durable.options import Schedule
from statefun.durable.schedule import next_start

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from statefun.durable.context import ObjectContext
    from statefun.durable.declaration import Declaration
    from statefun.durable.handler import Handler

__all__ = ["Schedules", "with_rate_limits"]

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


# --- rate limits ----------------------------------------------------------------------------------


def with_rate_limits(declarations: Iterable[Declaration]) -> list[Declaration]:
    """The same services, with handlers that wait for their turn, and what gives out the turns."""
    given = list(declarations)
    if not any(each.options.rate_limit for one in given for each in one.handlers.values()):
        return given
    limits = VirtualObject("_limits", ingress_private=True)

    @limits.handler()
    async def take_turn(ctx: ObjectContext, limit: list[int]) -> int:
        """How many milliseconds to wait, for at most `count` starts within any `per_ms`."""
        count, per_ms = limit
        now_ms = int(await ctx.time() * 1000)
        starts: list[int] = await ctx.get("starts") or []
        earliest = starts[-count] + per_ms if len(starts) >= count else now_ms
        start = max(now_ms, earliest)
        ctx.set("starts", [*starts[1 - count :], start] if count > 1 else [start])
        return start - now_ms

    return [*(_limited(each, take_turn) for each in given), limits]


def _limited(declaration: Declaration, take_turn: Any) -> Declaration:
    same = copy(declaration)
    same.handlers = {
        name: _spaced(handler, take_turn) if handler.options.rate_limit else handler
        for name, handler in declaration.handlers.items()
    }
    return same


def _spaced(handler: Handler[Any, Any], take_turn: Any) -> Handler[Any, Any]:
    limit = handler.options.rate_limit
    if limit is None:
        return handler
    wanted = [limit.count, limit.per // timedelta(milliseconds=1)]
    name, function = f"{handler.service_tag.name} {handler.name}", handler.fn

    async def invoke(ctx: Any, *arguments: Any) -> Any:
        wait_ms = await ctx.object_call(take_turn, name, wanted)
        if wait_ms:
            await ctx.sleep(timedelta(milliseconds=wait_ms))
        return await function(ctx, *arguments)

    return replace(handler, fn=invoke)
