"""A workflow of Temporal with ten activities; worker and clients in one process of their own.

It is started with the address of a server, is told `["load", clients, seconds]` on stdin, one line
of JSON each, and answers with the seconds that one workflow took.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
import uuid
from datetime import timedelta

from temporalio import activity, workflow
from temporalio.client import Client
from temporalio.worker import Worker

STEPS = 10


@activity.defn
async def step(number: int) -> int:
    """The work of a step, which is next to nothing."""
    return number + 1


@workflow.defn
class Steps:
    """Ten activities, one after another."""

    @workflow.run
    async def run(self) -> int:
        """Run them."""
        total = 0
        for _ in range(STEPS):
            total = await workflow.execute_activity(
                step, total, start_to_close_timeout=timedelta(seconds=60)
            )
        return total


async def load(client: Client, clients: int, seconds: float) -> float:
    """Seconds for one workflow."""
    began = time.perf_counter()

    async def one() -> int:
        count = 0
        while time.perf_counter() < began + seconds:
            await client.execute_workflow(Steps.run, id=str(uuid.uuid4()), task_queue="bench")
            count += 1
        return count

    counts = await asyncio.gather(*(one() for _ in range(clients)))
    return (time.perf_counter() - began) / sum(counts)


async def main() -> None:
    """Do as told until stdin ends."""
    client = await Client.connect(sys.argv[1])
    async with Worker(client, task_queue="bench", workflows=[Steps], activities=[step]):
        while line := await asyncio.to_thread(sys.stdin.readline):
            _, clients, seconds = json.loads(line)
            sys.stdout.write(json.dumps(await load(client, clients, seconds)) + "\n")
            sys.stdout.flush()


if __name__ == "__main__":  # the sandbox of workflows imports this file again
    asyncio.run(main())
