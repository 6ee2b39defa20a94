"""A runtime under faults, in a process that is going to be killed while somebody edits its data.

Usage: crash_edits_program.py DATA FIRST_NUMBER AGAIN, or "finish" as the number for nothing new.

Messages have names. `ok` ones are worked on, `bad` ones once their address has a permit, `junk`
ones never. `c/keeps` makes dead letters of those that fail, `c/holds` pauses. Every message that is
worked on goes to `c/back NAME` at once, to `c/late NAME` after a moment, to `c/never NAME` after a
day, and to an egress. Messages come with their names as idempotency keys; those that the file AGAIN
names, a target, an id and a name on each line, are sent first. What is going to be sent is written
to stdout as `sent TARGET ID NAME`, what is acknowledged as `ack NAME`, what came out of the egress
as `out ID NAME`.
"""

from __future__ import annotations

import asyncio
import os
import sys
from datetime import timedelta
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

from statefun.errors import AddressBusyError
from statefun.ports import IngressMessage
from statefun.runtime import Backoff, FailurePolicy, Runtime
from statefun.sdk.address import Address
from statefun.sdk.builders import egress_message_builder, message_builder
from statefun.sdk.functions import StatefulFunctions
from statefun.sdk.primitives import IntType, StringType, serialize
from statefun.sdk.specs import ValueSpec
from statefun.sdk.wire import encode_typed_value

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from statefun.ports import Intake
    from statefun.sdk.context import Context
    from statefun.sdk.messages import Message

CLIENTS = 8
LATE_S = 0.1
"""What is sent to `c/late` comes within it."""

BUSY_S = 0.05
"""An address that takes no more is asked again after it."""

WORKERS = 3
BAD_EVERY, JUNK_EVERY = 13, 41
COUNT = [ValueSpec("count", IntType)]
PERMITS = [ValueSpec("permits", IntType)]
SOON = Backoff(first=timedelta(milliseconds=1), longest=timedelta(milliseconds=2), attempts=2)
POLICIES = {
    "c/keeps": FailurePolicy("dead-letter", SOON, isolate_after=1),
    "c/holds": FailurePolicy("pause", SOON, isolate_after=1),
}

functions = StatefulFunctions()


@functions.bind("c/keeps", specs=PERMITS)
@functions.bind("c/holds", specs=PERMITS)
async def work(context: Context, message: Message) -> None:
    name = message.as_string() or ""
    kind = name.partition("-")[0]
    if kind != "ok":
        permits = context.storage.permits or 0
        if kind == "junk" or not permits:
            raise ValueError(f"no permit for {name}")
        context.storage.permits = permits - 1
    context.send(message_builder("c/back", name, str_value=name))
    for after_ms, target in ((len(name), "c/late"), (24 * 3_600_000, "c/never")):
        delay = timedelta(milliseconds=after_ms)
        context.send_after(delay, message_builder(target, name, str_value=name))
    context.send_egress(egress_message_builder("c/out", value=name, value_type=StringType))


@functions.bind("c/back", specs=COUNT)
@functions.bind("c/late", specs=COUNT)
@functions.bind("c/never", specs=COUNT)
def back(context: Context, message: Message) -> None:
    context.storage.count = (context.storage.count or 0) + 1


@functions.bind("c/flag")
def flag(context: Context, message: Message) -> None:
    """Has a value that is set by hand only."""


class Feed:
    """An ingress: clients, each with one message at a time."""

    def __init__(self, first: str, again: Iterable[str]) -> None:
        self._again = [line.split() for line in again]
        self._first = first
        self._clients: list[asyncio.Task[None]] = []

    async def start(self, intake: Intake) -> None:
        numbers = iter(()) if self._first == "finish" else count(int(self._first))
        again = iter(self._again)
        self._clients = [
            asyncio.create_task(self._client(intake, again, numbers)) for _ in range(CLIENTS)
        ]

    async def _client(
        self, intake: Intake, again: Iterator[list[str]], numbers: Iterator[int]
    ) -> None:
        for typename, target_id, name in again:
            await self._send(intake, Address(typename, target_id), name)
        for number in numbers:
            kind = "ok"
            if number % BAD_EVERY == 0:
                kind = "bad"
            typename = "c/holds" if number % 3 == 0 else "c/keeps"
            if number % JUNK_EVERY == 0:
                kind, typename = "junk", "c/keeps"
            target = Address(typename, str(number % WORKERS))
            name = f"{kind}-{number}"
            write(f"sent {target.typename} {target.id} {name}")
            await self._send(intake, target, name)

    async def _send(self, intake: Intake, target: Address, name: str) -> None:
        argument = encode_typed_value(StringType.typename, serialize(StringType, name))
        while True:
            try:
                await intake.deliver([IngressMessage(target, argument, name)])
            except AddressBusyError:
                await asyncio.sleep(BUSY_S)
            else:
                break
        write(f"ack {name}")

    async def ended(self) -> None:
        await asyncio.gather(*self._clients)

    def pause(self) -> None:
        """Clients go on."""

    def resume(self) -> None:
        """Clients go on."""

    async def stop(self) -> None:
        for each in self._clients:
            each.cancel()


def write(line: str) -> None:
    os.write(sys.stdout.fileno(), f"{line}\n".encode())


async def read(runtime: Runtime) -> None:
    async for record in runtime.egress("c/out"):
        write(f"out {record.id} {record.value}")


async def main(data: str, feed: Feed) -> None:
    runtime = Runtime(functions, data=data, ingresses=[feed], egresses=["c/out"], failure=POLICIES)
    async with runtime:
        reading = asyncio.create_task(read(runtime))
        write("ready")
        await feed.ended()
        await runtime.idle()
        await asyncio.sleep(LATE_S)
        await runtime.idle()
    await reading


if __name__ == "__main__":
    _, data, first, again = sys.argv
    asyncio.run(main(data, Feed(first, Path(again).read_text().splitlines())))
