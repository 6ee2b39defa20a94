"""Throttles: how often invocations of a handler begin, and how many run at a time.

A virtual object of the app gives out the turns, with a key for each handler; clients do not see it.
So a limit holds across processes and restarts, and needs nothing that handlers do not need.
"""

from __future__ import annotations

from contextlib import suppress
from copy import copy
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from statefun.durable.exceptions import TerminalError
from statefun.durable.object import VirtualObject
from statefun.durable.service import Service

if TYPE_CHECKING:
    from collections.abc import Iterable

    from statefun.durable.context import Context, ObjectContext
    from statefun.durable.declaration import Declaration
    from statefun.durable.handler import Handler

__all__ = ["with_limits"]


def with_limits(declarations: Iterable[Declaration]) -> list[Declaration]:
    """The same services, with handlers that wait for their turn, and what gives out the turns."""
    given = list(declarations)
    if not any(_is_limited(each) for one in given for each in one.handlers.values()):
        return given
    throttles = _Throttles()
    return [*(throttles.applied_to(each) for each in given), *throttles.declarations]


def _is_limited(handler: Handler[Any, Any]) -> bool:
    return handler.options.rate_limit is not None or handler.options.max_concurrency is not None


class _Throttles:
    """What gives out the turns.

    A handler that may run only so many times at once asks for a permit with an awakeable, which is
    resolved when there is one. A watcher attaches to whoever has a permit and gives it back when
    the invocation is over, whether it ended by itself, failed, or was killed.

    Attributes:
        declarations: The object and the service.
    """

    def __init__(self) -> None:
        limits = VirtualObject("_limits", ingress_private=True)
        watchers = Service("_watchers", ingress_private=True)

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

        @limits.handler()
        async def ask(ctx: ObjectContext, asked: list[Any]) -> None:
            """Give a permit to an invocation, now or later."""
            invocation, awakeable, limit = asked
            waiting: list[list[str]] = await ctx.get("waiting") or []
            ctx.set("limit", limit)
            await self._grant(ctx, [*waiting, [invocation, awakeable]])

        @limits.handler()
        async def give_back(ctx: ObjectContext, invocation: str) -> None:
            """Take the permit of an invocation that is over."""
            running: list[str] = await ctx.get("running") or []
            ctx.set("running", [each for each in running if each != invocation])
            await self._grant(ctx, await ctx.get("waiting") or [])

        @watchers.handler()
        async def watch(ctx: Context, watched: list[str]) -> None:
            """Wait until an invocation is over, and give its permit back."""
            name, invocation = watched
            with suppress(TerminalError):  # it has failed, was killed, or is over and forgotten
                await ctx.attach_invocation(invocation, bytes)
            ctx.object_send(give_back, name, invocation)

        self.declarations: list[Declaration] = [limits, watchers]
        self._take_turn: Any = take_turn
        self._ask: Any = ask
        self._watch: Any = watch

    async def _grant(self, ctx: ObjectContext, waiting: list[list[str]]) -> None:
        """Give permits to those who have waited longest, as many as there are."""
        limit = await ctx.get("limit", int) or 1
        running: list[str] = await ctx.get("running") or []
        free = max(limit - len(running), 0)
        for invocation, awakeable in waiting[:free]:
            running.append(invocation)
            ctx.resolve_awakeable(awakeable, None)
            ctx.service_send(self._watch, [ctx.key(), invocation])
        ctx.set("running", running)
        ctx.set("waiting", waiting[free:])

    def applied_to(self, declaration: Declaration) -> Declaration:
        """The same service, with handlers that wait for their turn."""
        same = copy(declaration)
        same.handlers = {
            name: self._waiting(handler) if _is_limited(handler) else handler
            for name, handler in declaration.handlers.items()
        }
        return same

    def _waiting(self, handler: Handler[Any, Any]) -> Handler[Any, Any]:
        rate, most = handler.options.rate_limit, handler.options.max_concurrency
        name, function = f"{handler.service_tag.name} {handler.name}", handler.fn

        async def invoke(ctx: Any, *arguments: Any) -> Any:
            if most is not None:
                awakeable, permit = ctx.awakeable()
                ctx.object_send(self._ask, name, [ctx.request().id, awakeable, most])
                await permit
            if rate is not None:
                limit = [rate.count, rate.per // timedelta(milliseconds=1)]
                wait_ms = await ctx.object_call(self._take_turn, name, limit)
                if wait_ms:
                    await ctx.sleep(timedelta(milliseconds=wait_ms))
            return await function(ctx, *arguments)

        return replace(handler, fn=invoke)
