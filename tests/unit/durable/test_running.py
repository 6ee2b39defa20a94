"""Durable handlers on the embedded runtime, with a data directory and restarts."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from statefun.durable import Context, ObjectContext, RunOptions, Service, VirtualObject, _proto
from statefun.durable.application import Application
from statefun.runtime import Runtime

if TYPE_CHECKING:
    from pathlib import Path

OUT = "com.example/out"


class Program:
    """An application, made anew as by a new process."""

    def __init__(self, performed: list[int], reached: asyncio.Event) -> None:
        work, counter = Service("Work"), VirtualObject("Counter")

        def perform(number: int) -> int:
            performed.append(number)
            return number

        @counter.handler()
        async def add(ctx: ObjectContext, by: int) -> int:
            total = (await ctx.get("total", int) or 0) + by
            ctx.set("total", total)
            return total

        @work.handler()
        async def run(ctx: Context, count: int) -> list[int]:
            numbers = [
                await ctx.run_typed(f"number {each}", perform, RunOptions(), each)
                for each in range(count)
            ]
            await ctx.object_call(add, "k", sum(numbers))
            reached.set()
            await ctx.sleep(timedelta(milliseconds=300))
            return [*numbers, await ctx.object_call(add, "k", 1)]

        self.run: Any = run
        self.application = Application([work, counter])


async def test_a_restart_repeats_no_step_and_loses_none(tmp_path: Path) -> None:
    """The journal is in the data directory; the next process replays it and goes on."""
    performed: list[int] = []
    reached = asyncio.Event()
    route = _proto.Route(typename=OUT, id="r", is_egress=True)

    program = Program(performed, reached)
    async with Runtime(program.application, data=tmp_path, egresses=[OUT]) as runtime:
        await runtime.send(program.application.invoke(program.run, 3, reply=route))
        await reached.wait()

    program = Program(performed, reached)
    async with Runtime(program.application, data=tmp_path, egresses=[OUT]) as runtime:
        async for record in runtime.egress(OUT):
            done = _proto.Envelope.FromString(record.data).done
            break

    assert (done.execution, done.outcome.value) == ("r", b"[0, 1, 2, 4]")
    assert performed == [0, 1, 2]
