"""A worker whose workflows run for ever; started with the address of the service.

It is told `["start", count]` on stdin, one line of JSON each: it begins so many workflows. Told
`["serve", number]`, it begins to work, signals one of them and asks it. It answers with the seconds
from the beginning on, and with the memory of the process in MB.
"""

from __future__ import annotations

import asyncio
import json
import resource
import sys
import time

from statefun.workflows import workflow
from statefun.workflows.client import Client
from statefun.workflows.worker import Worker

QUEUE = "running"
AT_ONCE = 64


@workflow.defn
class Desk:
    """Counts signals."""

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


async def start(client: Client, count: int) -> int:
    """Begin workflows, and see that each has begun."""
    numbers = iter(range(count))

    async def some() -> None:
        for number in numbers:
            handle = await client.start_workflow(Desk.run, id=f"desk-{number}", task_queue=QUEUE)
            await handle.query(Desk.read)

    async with Worker(client, task_queue=QUEUE, workflows=[Desk]):
        await asyncio.gather(*(some() for _ in range(AT_ONCE)))
    return count


async def serve(client: Client, number: int) -> tuple[float, float]:
    """Seconds until one of them has a signal, and megabytes."""
    handle = client.get_workflow_handle_for(Desk.run, f"desk-{number}")
    began = time.perf_counter()
    async with Worker(client, task_queue=QUEUE, workflows=[Desk]):
        await handle.signal(Desk.add)
        await handle.query(Desk.read)
        took = time.perf_counter() - began
    return took, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


async def main() -> None:
    """Do as told until stdin ends."""
    client = await Client.connect(sys.argv[1])
    while line := await asyncio.to_thread(sys.stdin.readline):
        what, number = json.loads(line)
        found = await (start if what == "start" else serve)(client, number)
        sys.stdout.write(json.dumps(found) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(main())
