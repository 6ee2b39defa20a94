"""Workflows under load: worker and clients in one process, the same program for both sides.

It is started with the address of a server and with the package to import: `statefun.workflows` or
`temporalio`. It is told `["one", at_once, seconds]`, `["ten", …]`, `["messages", …]` or
`["latency", count, 0]` on stdin, one line of JSON each, and answers with the seconds that one of
them took.
"""

from __future__ import annotations

import asyncio
import importlib
import json
import sys
import time
import uuid
from datetime import timedelta
from statistics import median
from typing import Any

PACKAGE = sys.argv[2]
activity: Any = importlib.import_module(f"{PACKAGE}.activity")
workflow: Any = importlib.import_module(f"{PACKAGE}.workflow")
Client: Any = importlib.import_module(f"{PACKAGE}.client").Client
Worker: Any = importlib.import_module(f"{PACKAGE}.worker").Worker
MINUTE = timedelta(minutes=1)
RUNNING = 100


@activity.defn
async def step(number: int) -> int:
    """The work of an activity, which is next to nothing."""
    return number + 1


@workflow.defn
class Steps:
    """Activities, one after another."""

    @workflow.run
    async def run(self, count: int) -> int:
        """Run them."""
        total = 0
        for _ in range(count):
            total = await workflow.execute_activity(step, total, start_to_close_timeout=MINUTE)
        return total


@workflow.defn
class Desk:
    """Counts signals until it is told to stop."""

    def __init__(self) -> None:
        self.count = 0

    @workflow.run
    async def run(self) -> None:
        """Wait for ever."""
        await workflow.wait_condition(lambda: False)

    @workflow.signal
    def add(self) -> None:
        """Count."""
        self.count += 1

    @workflow.query
    def read(self) -> int:
        """How many came."""
        return self.count


async def steps(client: Any, count: int) -> None:
    """Start a workflow and wait for its result."""
    await client.execute_workflow(Steps.run, count, id=str(uuid.uuid4()), task_queue="bench")


async def repeated(one: Any, at_once: int, seconds: float) -> float:
    """Seconds for one, with several at once."""
    began = time.perf_counter()

    async def again(number: int) -> int:
        count = 0
        while time.perf_counter() < began + seconds:
            await one(number)
            count += 1
        return count

    counts = await asyncio.gather(*(again(number) for number in range(at_once)))
    return (time.perf_counter() - began) / sum(counts)


async def messages(client: Any, at_once: int, seconds: float) -> float:
    """Seconds for one signal, and the query that sees it, on running workflows."""
    handles = [
        await client.start_workflow(Desk.run, id=str(uuid.uuid4()), task_queue="bench")
        for _ in range(RUNNING)
    ]

    async def one(number: int) -> None:
        handle = handles[number % RUNNING]
        await handle.signal(Desk.add)
        await handle.query(Desk.read)

    took = await repeated(one, at_once, seconds)
    for handle in handles:
        await handle.terminate()
    return took / 2


async def latency(client: Any, count: int) -> float:
    """Seconds from a start to its result, in the middle of several."""
    took = []
    for _ in range(count):
        began = time.perf_counter()
        await steps(client, 1)
        took.append(time.perf_counter() - began)
    return median(took)


async def do(client: Any, what: str, number: int, seconds: float) -> float:
    """What was told."""
    if what == "messages":
        return await messages(client, number, seconds)
    if what == "latency":
        return await latency(client, number)
    count = 10 if what == "ten" else 1
    return await repeated(lambda _: steps(client, count), number, seconds)


async def main() -> None:
    """Do as told until stdin ends."""
    client = await Client.connect(sys.argv[1])
    async with Worker(client, task_queue="bench", workflows=[Steps, Desk], activities=[step]):
        while line := await asyncio.to_thread(sys.stdin.readline):
            what, number, seconds = json.loads(line)
            sys.stdout.write(json.dumps(await do(client, what, number, seconds)) + "\n")
            sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(main())
