"""A counter whose keys are on disk only: `cold_keys.py DIR KEYS` prints seconds.

It runs with an earlier build too, so it keeps to names that both have.
"""

from __future__ import annotations

import asyncio
import sys
import time
from typing import Any

from statefun import IntType, StatefulFunctions, ValueSpec, message_builder
from statefun.runtime import Runtime

_COUNTER = "bench/counter"
_SENDERS = 2_000
_STRIDE = 7_919
"""A prime: messages come in another order than keys lie on disk."""

functions = StatefulFunctions()


@functions.bind(_COUNTER, specs=[ValueSpec("count", IntType)])
async def count(context: Any, _: Any) -> None:
    """Count a message."""
    context.storage.count = (context.storage.count or 0) + 1


async def run(data: str, keys: int) -> float:
    """Send a message to each key; returns how long it took until all was durable."""
    numbers = iter(range(keys))
    async with Runtime([functions], data=data) as runtime:

        async def sender() -> None:
            for number in numbers:
                key = f"key-{number * _STRIDE % keys}"
                await runtime.send(message_builder(_COUNTER, key, str_value="x"))

        begin = time.perf_counter()
        async with asyncio.TaskGroup() as senders:
            for _ in range(_SENDERS):
                senders.create_task(sender())
        await runtime.idle()
        return time.perf_counter() - begin


if __name__ == "__main__":
    folder, number_of_keys = sys.argv[1:]
    sys.stdout.write(f"{asyncio.run(run(folder, int(number_of_keys)))}\n")
