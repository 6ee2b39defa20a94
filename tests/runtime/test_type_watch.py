"""Functions behind endpoints: stored values that a deploy there changes are told with counts."""

from __future__ import annotations

import asyncio
from contextlib import closing
from typing import TYPE_CHECKING, Any

from statefun.runtime import Observer, Runtime
from statefun.runtime.engine.records import Delta, StoredEntry
from statefun.runtime.stores.sqlite import SqliteStore
from statefun.sdk.address import Address
from statefun.sdk.builders import message_builder
from statefun.sdk.functions import StatefulFunctions
from statefun.sdk.primitives import IntType, LongType, StringType
from statefun.sdk.specs import ValueSpec
from statefun.testing.ports import FakeEndpoint

if TYPE_CHECKING:
    from pathlib import Path

    from statefun.runtime.admin.types import TypeChange
    from statefun.sdk.context import Context
    from statefun.sdk.messages import Message
    from statefun.sdk.primitives import PrimitiveType


class Listener(Observer):
    """Notes what is told."""

    def __init__(self) -> None:
        self.told: asyncio.Queue[str] = asyncio.Queue()

    def type_changed(self, change: TypeChange) -> None:
        self.told.put_nowait(str(change))


def stock(of: PrimitiveType[Any]) -> StatefulFunctions:
    functions = StatefulFunctions()

    @functions.bind("t/stock", specs=[ValueSpec("available", of), ValueSpec("new", IntType)])
    async def count(context: Context, message: Message) -> None:
        """Nothing."""

    return functions


async def test_what_an_endpoint_declares_otherwise_is_told_with_its_first_reply(
    tmp_path: Path,
) -> None:
    """How many addresses have such values; also of those that are not called."""
    stored: dict[str, tuple[PrimitiveType[Any], Any]] = {
        "text": (StringType, "3"),
        "one": (IntType, 1),
        "two": (IntType, 2),
    }
    values = {
        (Address("t/stock", name), "available"): StoredEntry(of.typename, of.dump(value), 0)
        for name, (of, value) in stored.items()
    }
    with closing(SqliteStore(tmp_path)) as store:
        store.commit(Delta(1, values))
    listener, endpoint = Listener(), FakeEndpoint("t/*", stock(LongType))

    async with Runtime(data=tmp_path, endpoints=[endpoint], observers=[listener]) as runtime:
        await runtime.send(message_builder("t/stock", "new", str_value=""))
        async with asyncio.timeout(20):
            told = sorted([await listener.told.get(), await listener.told.get()])
        await runtime.send(message_builder("t/stock", "one", str_value=""))
        await runtime.idle()

    assert listener.told.empty()
    assert told[0].startswith(
        f"1 address holds 'available' of t/stock as {StringType.typename}, now declared as "
        f"{LongType.typename}: it cannot be read, so their messages wait"
    )
    assert told[1].startswith(
        f"2 addresses hold 'available' of t/stock as {IntType.typename}, now declared as "
        f"{LongType.typename}: every value is read as that"
    )
