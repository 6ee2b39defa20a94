"""A data directory that the runtime of schema 3 left goes on, also with other types declared."""

from __future__ import annotations

import shutil
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from statefun.runtime import Runtime
from statefun.runtime.engine.records import ValueCount
from statefun.runtime.stores.sqlite import FILE_NAME, SqliteReader
from statefun.sdk.builders import message_builder
from statefun.sdk.functions import StatefulFunctions
from statefun.sdk.primitives import IntType, LongType, StringType
from statefun.sdk.specs import ValueSpec
from tests.unit.runtime.stores.test_migrations import FIXTURES

if TYPE_CHECKING:
    from pathlib import Path

    from statefun.sdk.context import Context
    from statefun.sdk.messages import Message

STOCK, OUT = "com.example/stock", "com.example/out"
COUNTS = [
    ValueCount(STOCK, "available", IntType.typename, 3),
    ValueCount(STOCK, "note", StringType.typename, 3),
]


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """Three items, a delayed message, a dead letter, a paused address, and undelivered records."""
    shutil.copy(FIXTURES / "shop_schema_3.db", tmp_path / FILE_NAME)
    return tmp_path


def functions() -> StatefulFunctions:
    registry = StatefulFunctions()

    @registry.bind(STOCK, [ValueSpec("available", LongType), ValueSpec("note", StringType)])
    async def stock(context: Context, _: Message) -> None:
        context.storage.available = (context.storage.available or 0) + 1

    return registry


async def test_what_was_there_goes_on_with_a_wider_type(directory: Path) -> None:
    """Nothing is lost, and the counts are right from the first commit on."""
    with closing(SqliteReader(directory)) as reader:
        before = reader.value_counts()

    async with Runtime(functions(), data=directory, egresses=[OUT]) as runtime:
        await runtime.send(message_builder(STOCK, "item 1", str_value="x"))
        await runtime.idle()
        items = [(await runtime.state(STOCK, f"item {each}"))["available"] for each in range(3)]
        letters = [each.target.id for each in await runtime.dead_letters()]
        figures = runtime.metrics()

    with closing(SqliteReader(directory)) as reader:
        after = reader.value_counts()
        timers, paused, recovered = list(reader.timers()), list(reader.paused()), reader.recover()
    assert before == COUNTS
    assert [(each.typename, each.value) for each in items] == [
        (IntType.typename, 2),
        (LongType.typename, 3),
        (IntType.typename, 3),
    ]
    assert (letters, figures.kept_dead_letters, figures.paused_addresses) == (["item 1"], 1, 1)
    assert after == [
        ValueCount(STOCK, "available", IntType.typename, 2),
        ValueCount(STOCK, "available", LongType.typename, 1),
        COUNTS[1],
    ]
    assert [(each.target.id, each.token) for each in timers] == [("item 0", "token")]
    assert [(each.address.id, each.cause) for each in paused] == [("item 2", "failure")]
    assert (len(recovered.messages), len(recovered.egress)) == (1, 7)
