"""The embedded runtime: durable (`full`) against its own in-memory mode, wall time."""

from __future__ import annotations

import asyncio
import time
from functools import partial
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from bench.figure import compared, in_turns
from bench.programs.greeter import functions as greeter
from statefun.runtime import Runtime
from statefun.sdk.builders import message_builder
from statefun.sdk.functions import StatefulFunctions

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from bench.figure import Row
    from statefun.sdk.context import Context
    from statefun.sdk.messages import Message

__all__ = ["FIGURE"]

# Keys → messages. Each makes a greeter greet and tell the one inbox that all of them share.
CASES = {20_000: 20_000, 1: 40_000}

# So many senders wait for their message to be durable; each sends its next one then.
_SENDERS = 2_000


def _inbox() -> StatefulFunctions:
    functions = StatefulFunctions()

    @functions.bind("bench/inbox")
    async def inbox(_: Context, message: Message) -> None:
        message.as_string()

    return functions


class RuntimeFigure:
    """Messages that were answered for, a second: on disk against in memory.

    What is compared is time on the clock: a runtime that waits for its disk uses no CPU.
    """

    name = "runtime"

    def measure(self, rounds: int) -> Iterator[Row]:
        """Many keys, where every batch is of one message; and one, where batches are long."""
        for keys, count in CASES.items():
            work = partial(_seconds_each, keys, count)
            with TemporaryDirectory() as folder:
                yield compared(
                    self.name,
                    f"durable, {keys:,} key{'s' if keys > 1 else ''}",
                    in_turns(min(rounds, 5), partial(work, folder), partial(work, None)),
                    unit=lambda each: f"{1 / each / 1000:.1f}k/s",
                    peer="in memory",
                    goal=None,
                )


def _seconds_each(keys: int, count: int, folder: str | None) -> float:
    if folder is None:
        return asyncio.run(_run(keys, count, None))
    with TemporaryDirectory(dir=folder) as data:
        return asyncio.run(_run(keys, count, data))


async def _run(keys: int, count: int, data: str | Path | None) -> float:
    """Send so many messages to so many keys, and wait until all of it is done and durable."""
    numbers = iter(range(count))
    async with Runtime([greeter, _inbox()], data=data) as runtime:

        async def sender() -> None:
            for number in numbers:
                name = f"guest-{number % keys}"
                await runtime.send(message_builder(_GREETER, name, str_value=name))

        begin = time.perf_counter()
        async with asyncio.TaskGroup() as senders:
            for _ in range(_SENDERS):
                senders.create_task(sender())
        await runtime.idle()
        return (time.perf_counter() - begin) / count


_GREETER = greeter.typenames[0]

FIGURE = RuntimeFigure()
