"""What is simulated: services, an object and a workflow that use every kind of durable step."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from statefun.durable import (
    Context,
    InvocationRetryPolicy,
    ObjectContext,
    ObjectSharedContext,
    RunOptions,
    Service,
    TerminalError,
    VirtualObject,
    Workflow,
    WorkflowContext,
    WorkflowSharedContext,
    select,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from statefun.durable.declaration import Declaration

__all__ = ["Programs"]


class Programs:
    """The services of one simulation.

    Args:
        perform: An effect: its name and its input → its output, a number that is new each time.
        stumble: Raises now and then, as code that is not to blame does.
    """

    def __init__(self, perform: Callable[[str, int], int], stumble: Callable[[], None]) -> None:
        self._perform = perform
        self._stumble = stumble
        self.counter = VirtualObject("Counter")
        self.orders = Service("Orders")
        self.approval = Workflow("Approval")
        self.waits = Service("Waits")
        self.draws = Service("Draws")
        self._declare_counter()
        self._declare_orders()
        self._declare_approval()
        self._declare_waits()

    @property
    def declarations(self) -> list[Declaration]:
        """All of them."""
        return [self.counter, self.orders, self.approval, self.waits, self.draws]

    def _declare_counter(self) -> None:
        counter = self.counter

        @counter.handler()
        async def add(ctx: ObjectContext, by: int) -> int:
            total = (await ctx.get("total", int) or 0) + by
            ctx.set("total", total)
            self._stumble()
            return total

        @counter.handler()
        async def slow(ctx: ObjectContext, by: int) -> list[int]:
            before = await ctx.get("total", int) or 0
            ctx.set("total", before + by)
            began = await ctx.time()
            await ctx.sleep(timedelta(milliseconds=700))
            if await ctx.time() < began + 0.6999:
                raise TerminalError("the sleep was too short")
            self._stumble()
            after = await ctx.get("total", int) or 0
            first = await ctx.run_typed("first", self._perform, RunOptions(), "first", 0)
            self._stumble()
            second = await ctx.run_typed("second", self._perform, RunOptions(), "second", first)
            ctx.set("last", [second, str(ctx.uuid())])
            return [after - before, first, second]

        @counter.handler(kind="shared")
        async def look(ctx: ObjectSharedContext) -> bool:
            before = await ctx.get("total", int)
            await ctx.sleep(timedelta(milliseconds=300))
            self._stumble()
            return before == await ctx.get("total", int)

        self.add, self.slow, self.look = add, slow, look

    def _declare_orders(self) -> None:
        orders = self.orders

        @orders.handler()
        async def order(ctx: Context, by: int) -> list[Any]:
            self._stumble()
            first = await ctx.run_typed("first", self._perform, RunOptions(), "first", 0)
            second = await ctx.run_typed("second", self._perform, RunOptions(), "second", first)
            side = await asyncio.gather(
                *(
                    ctx.run_typed(f"side {each}", self._perform, RunOptions(), "side", second)
                    for each in range(2)
                )
            )
            ctx.object_send(self.add, "sent", by)
            ctx.object_send(self.add, "sent", by, send_delay=timedelta(seconds=2))
            ctx.object_send(self.add, "once", by, idempotency_key=f"once {by}")
            self._stumble()
            async with asyncio.TaskGroup() as group:
                called = group.create_task(self._call(ctx, by))
                waited = group.create_task(asyncio.sleep(0.5, "waited"))
            try:
                async with asyncio.timeout(1):
                    await ctx.awakeable()[1]
            except TimeoutError:
                late = "late"
            name, answer = ctx.awakeable(type_hint=int)
            ctx.service_send(wake, [name, by])
            self._stumble()
            return [first, second, *side, await called, waited.result(), late, await answer]

        @orders.handler()
        async def wake(ctx: Context, told: list[Any]) -> None:
            name, by = told
            ctx.resolve_awakeable(name, by)

        self.order, self.wake = order, wake

    async def _call(self, ctx: Context, by: int) -> int:
        await ctx.object_call(self.slow, "called", by)
        await ctx.sleep(timedelta(milliseconds=250))
        await ctx.object_call(self.add, "called", by)
        return by

    def _declare_approval(self) -> None:
        approval = self.approval

        @approval.main()
        async def run(ctx: WorkflowContext, by: int) -> int:
            ctx.set("status", "waiting")
            self._stumble()
            given = await ctx.promise("given", type_hint=int)
            await ctx.sleep(timedelta(milliseconds=100))
            ctx.set("status", "done")
            return given + by

        @approval.handler()
        async def give(ctx: WorkflowSharedContext, value: int) -> bool:
            self._stumble()
            try:
                await ctx.promise("given", type_hint=int).resolve(value)
            except TerminalError:
                return False
            return True

        self.run, self.give = run, give

    def _declare_waits(self) -> None:
        waits = self.waits
        thrice = InvocationRetryPolicy(max_attempts=3, on_max_attempts="kill")

        @waits.handler()
        async def listen(ctx: Context) -> list[int]:
            """Three signals: two are awaited side by side, and the third comes early."""
            ctx.service_send(tell, ctx.request().id)
            first, second = (ctx.signal("go", type_hint=int) for _ in range(2))
            self._stumble()
            told = [await first, await second]
            await ctx.sleep(timedelta(milliseconds=200))
            return [*told, await ctx.signal("go", type_hint=int)]

        @waits.handler()
        async def tell(ctx: Context, listener: str) -> None:
            for number in range(3):
                ctx.resolve_signal(listener, "go", number)

        @waits.handler()
        async def race(ctx: Context) -> list[str]:
            """Two sleeps side by side, in the order in which they end."""
            late, early = (ctx.sleep(timedelta(milliseconds=each)) for each in (600, 200))
            won = (await select(late=late, early=early))[0]
            self._stumble()
            await late
            return [won, "late"]

        @waits.handler()
        async def ask_twice(ctx: Context, by: int) -> list[int]:
            """Two calls with one idempotency key: the second gets the stored answer."""
            first = await ctx.service_call(self.draw, by, idempotency_key=f"draw {by}")
            self._stumble()
            return [first, await ctx.service_call(self.draw, by, idempotency_key=f"draw {by}")]

        @self.draws.handler()
        async def draw(ctx: Context, by: int) -> int:
            del by
            return await ctx.run_typed("drawn", self._perform, RunOptions(), "drawn", 0)

        @waits.handler(invocation_retry_policy=thrice)
        async def doomed(ctx: Context) -> None:
            """It fails for good, after an effect that is performed once."""
            await ctx.run_typed("side", self._perform, RunOptions(), "side", 0)
            raise ValueError("doomed")

        self.listen, self.race, self.ask_twice = listen, race, ask_twice
        self.draw, self.doomed = draw, doomed
