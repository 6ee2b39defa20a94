"""A runtime under load, in a process that is going to be killed.

Usage: crash_program.py DATA FIRST_NUMBER, or "finish" as the number to work everything off.

Every number N that is sent goes to the hot function `c/front`, which sends it on to `c/back N`, at
once, and to `c/late N`, delayed, and tells it to an egress. What was acknowledged is written to
stdout as `ack N`, what came out of the egress as `out ID N`.
"""

from __future__ import annotations

import asyncio
import os
import sys
from datetime import timedelta
from itertools import count
from typing import TYPE_CHECKING

from statefun.runtime import Runtime
from statefun.sdk.builders import egress_message_builder, message_builder
from statefun.sdk.functions import StatefulFunctions
from statefun.sdk.primitives import IntType
from statefun.sdk.specs import ValueSpec

if TYPE_CHECKING:
    from collections.abc import Iterator

    from statefun.sdk.context import Context
    from statefun.sdk.messages import Message

CLIENTS = 32
FRONTS = 4
COUNT = [ValueSpec("count", IntType)]

functions = StatefulFunctions()


@functions.bind("c/front", specs=COUNT)
async def front(context: Context, message: Message) -> None:
    number = message.as_int() or 0
    context.storage.count = (context.storage.count or 0) + 1
    context.send(message_builder("c/back", str(number), int_value=number))
    delay = timedelta(milliseconds=number % 50)
    context.send_after(delay, message_builder("c/late", str(number), int_value=number))
    context.send_egress(egress_message_builder("c/out", value=number, value_type=IntType))
    if number % 7 == 0:
        await asyncio.sleep(0.002)  # so that requests are in flight when the process is killed


@functions.bind("c/back", specs=COUNT)
@functions.bind("c/late", specs=COUNT)
async def back(context: Context, message: Message) -> None:
    context.storage.count = (context.storage.count or 0) + 1


def write(line: str) -> None:
    os.write(sys.stdout.fileno(), f"{line}\n".encode())


async def client(runtime: Runtime, numbers: Iterator[int]) -> None:
    for number in numbers:
        await runtime.send(message_builder("c/front", str(number % FRONTS), int_value=number))
        write(f"ack {number}")


async def read(runtime: Runtime) -> None:
    async for record in runtime.egress("c/out"):
        write(f"out {record.id} {record.value}")


async def finish(runtime: Runtime) -> None:
    """Work everything off, timers too."""
    await runtime.idle()
    while runtime.metrics().waiting_timers:  # noqa: ASYNC110 - a figure has no event
        await asyncio.sleep(0.01)
    await runtime.idle()


async def main(data: str, first: str) -> None:
    async with Runtime(functions, data=data, egresses=["c/out"]) as runtime:
        reading = asyncio.create_task(read(runtime))
        if first == "finish":
            await finish(runtime)
        else:
            numbers = count(int(first))
            await asyncio.gather(*(client(runtime, numbers) for _ in range(CLIENTS)))
    await reading


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
