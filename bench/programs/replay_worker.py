"""Replay of a journal, and the least that one could do with its records; it is told what on stdin.

`["replay", steps]` answers with the seconds in which a handler that took so many steps is brought
back to memory and answers. `["parse", steps]`: so many records are parsed, and as many futures
that are done are awaited on a loop of asyncio.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time

from statefun.durable import Context, RunOptions, Service, _proto
from statefun.durable.application import Application
from statefun.durable.outcomes import as_message
from statefun.testing import Harness

service = Service("Steps")
INVOKED: dict[int, str] = {}


@service.handler()
async def run(ctx: Context, steps: int) -> None:
    """Take so many steps, and count signals after that for ever."""
    for number in range(steps):
        await ctx.run_typed(f"step {number}", str, RunOptions(), "result")
    INVOKED[steps] = ctx.request().id
    while True:
        await ctx.signal("go", type_hint=int)


app = Application([service])
harness = Harness(app)


def replay(steps: int) -> float:
    """Seconds to bring a handler back and tell it one more event."""
    if steps not in INVOKED:
        harness.send(app.invoke(run, steps))
        harness.run()
    invocation = INVOKED[steps]
    app.forget()
    signal = _proto.Signal(execution=invocation, name="go", outcome=_proto.Outcome(value=b"1"))
    envelope = _proto.Envelope(version=1, signal=signal)
    harness.send(as_message("durable/Steps", invocation, envelope))
    began = time.perf_counter()
    harness.run()
    return time.perf_counter() - began


def parse(steps: int) -> float:
    """Seconds to parse records and to await futures that are done."""
    outcome = _proto.Outcome(value=b'"result"')
    records = [
        _proto.Record(kind=_proto.EFFECT, seq=each, outcome=outcome, commands=[f"run step {each}"])
        for each in range(steps)
    ]
    data = _proto.Journal(records=records).SerializeToString()

    async def awaited() -> float:
        loop = asyncio.get_running_loop()
        began = time.perf_counter()
        for record in _proto.Journal.FromString(data).records:
            future = loop.create_future()
            loop.call_soon(future.set_result, record.outcome.value)
            await future
        return time.perf_counter() - began

    return asyncio.run(awaited())


for line in sys.stdin:
    verb, how_many = json.loads(line)
    sys.stdout.write(json.dumps({"replay": replay, "parse": parse}[verb](how_many)) + "\n")
    sys.stdout.flush()
