"""Durable handlers on the embedded runtime, with a data directory and restarts."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from statefun.durable import Context, ObjectContext, RunOptions, Service, VirtualObject, _proto
from statefun.durable.application import Application
from statefun.errors import TransportError
from statefun.runtime import FailurePolicy, Runtime
from statefun.testing import Harness
from statefun.testing.ports import FakeEndpoint

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


def test_an_endpoint_that_breaks_off_for_hours_holds_up_and_loses_nothing() -> None:
    """The batch is tried until it gets through, long after plain messages would be dead letters."""
    program = Program([], asyncio.Event())
    route = _proto.Route(typename=OUT, id="r", is_egress=True)
    endpoint = FakeEndpoint("durable/*", program.application)
    harness = Harness([], endpoints=[endpoint], raise_failures=False)
    endpoint.error = TransportError("the connection broke off")
    harness.send(program.application.invoke(program.run, 2, reply=route))
    harness.run()

    harness.advance(timedelta(hours=3))
    tried = len(endpoint.requests)
    assert tried > 1_000
    assert harness.dead_letters == []

    endpoint.error = None
    harness.advance(timedelta(seconds=11))

    [record] = harness.egress(OUT)
    assert _proto.Envelope.FromString(record.data).done.outcome.value == b"[0, 1, 2]"


def test_a_policy_for_an_app_makes_a_dead_letter_as_it_says() -> None:
    """What the user says goes before the endless policy."""
    program = Program([], asyncio.Event())
    endpoint = FakeEndpoint("durable/*", program.application, failure=FailurePolicy())
    harness = Harness([], endpoints=[endpoint], raise_failures=False)
    endpoint.error = TransportError("the connection broke off")
    harness.send(program.application.invoke(program.run, 2))
    harness.run()

    harness.advance(timedelta(minutes=1))

    [letter] = harness.dead_letters
    assert letter.attempts == 8
