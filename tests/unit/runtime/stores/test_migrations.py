"""A data directory of an earlier version opens, with everything that is in it.

`fixtures/schema_N.db` was written by the version whose schema had that number.
"""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from statefun.runtime.engine.records import (
    DeadLetter,
    OutboxRecord,
    PausedAddress,
    PendingMessage,
    Receipt,
    Recovered,
    StoredEntry,
    Timer,
    ValueCount,
    WantedTimers,
)
from statefun.runtime.stores.migrations import MIGRATIONS
from statefun.runtime.stores.sqlite import FILE_NAME, SqliteReader, SqliteStore
from statefun.sdk.address import Address

if TYPE_CHECKING:
    from statefun.runtime.stores.base import Reader

FIXTURES = Path(__file__).parent / "fixtures"
A, B = Address("t/a", "1"), Address("t/b", "Grüße\n\0🌍")
TIMERS = [Timer(7, 10, A, B, b"t7", "token"), Timer(5, 20, B, A, b"t5", "")]
LETTER = DeadLetter(4, B, None, b"l4", "no", 8, 3, 9, "clicks")
CONTENT = Recovered(
    99,
    (
        PendingMessage(A, b"m1", B, 1),
        PendingMessage(B, b"m2", A, 2, "orders"),
        PendingMessage(None, b"m3", A, 3),
    ),
    2,
    (OutboxRecord(8, "e/out", b"r8"),),
    1,
    {4: 9},
    (PausedAddress(B, "no", 8, 1, 2),),
    {(A, "K"): Receipt(3, b"\x00\xff", 5)},
)


@pytest.fixture(params=[3])
def directory(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    shutil.copy(FIXTURES / f"schema_{request.param}.db", tmp_path / FILE_NAME)
    return tmp_path


def content(reader: Reader) -> tuple[object, ...]:
    values = {each: dict(reader.load(each)) for each in (A, B)}
    timers = list(reader.timers())
    found = reader.find_timers(WantedTimers((-1, -1), 9, (("1", "token"), ("1", ""))))
    assert (found.page, found.named) == (timers, timers[:1])
    return reader.recover(), values, timers, list(reader.dead_letters()), reader.value_counts()


EVERYTHING = (
    CONTENT,
    {
        A: {"n": StoredEntry("t/text", b"\x00\xff", 17)},
        B: {"ä\0": StoredEntry("", b"", -1, 10**15)},
    },
    TIMERS,
    [LETTER],
    [ValueCount("t/a", "n", "t/text", 1), ValueCount("t/b", "ä\0", "", 1)],
)


def test_an_earlier_file_is_brought_up_to_date_and_has_lost_nothing(directory: Path) -> None:
    """Everything it had is there, and what came with later schemas is empty."""
    with closing(SqliteStore(directory)) as store:
        found = content(store)
    with closing(sqlite3.connect(directory / FILE_NAME)) as connection:
        (version,) = connection.execute("PRAGMA user_version").fetchone()

    assert found == EVERYTHING
    assert version == len(MIGRATIONS)


def test_an_earlier_file_is_read_as_it_is(directory: Path) -> None:
    """Looking into it changes nothing."""
    before = (directory / FILE_NAME).read_bytes()

    with closing(SqliteReader(directory)) as reader:
        found = content(reader)

    assert found == EVERYTHING
    assert (directory / FILE_NAME).read_bytes() == before
