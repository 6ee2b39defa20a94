"""A worker of the transfers: `python worker.py HOST:PORT`."""

from __future__ import annotations

import asyncio
import sys

from transfer import TASK_QUEUE, MoneyTransfer, deposit, give_back, withdraw

from statefun.workflows.client import Client
from statefun.workflows.worker import Worker


async def main(address: str) -> None:
    """Run until the process is ended."""
    client = await Client.connect(address)
    worker = Worker(
        client,
        task_queue=TASK_QUEUE,
        workflows=[MoneyTransfer],
        activities=[withdraw, deposit, give_back],
    )
    async with worker:
        print("ready", flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
