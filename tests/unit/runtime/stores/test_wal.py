"""What is told from the bytes of a log."""

from __future__ import annotations

import sqlite3
import struct
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from statefun.runtime.stores.wal import end_of_commits, has_lost_commits

if TYPE_CHECKING:
    from pathlib import Path

PAGE = 512
HEADER, FRAME = 32, 24 + PAGE


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """A log of five commits of one page each, behind the first one, of two."""
    path = tmp_path / "a.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute(f"PRAGMA page_size = {PAGE}")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("CREATE TABLE number (n)")
        for number in range(5):
            connection.execute("INSERT INTO number VALUES (?)", (number,))
        content = (tmp_path / "a.db-wal").read_bytes()
    log = tmp_path / "log"
    log.write_bytes(content)
    assert len(content) == HEADER + 7 * FRAME
    return log


def big_endian(content: bytes) -> bytes:
    """The same log as a machine of the other byte order would have written it."""

    def summed(part: bytes, one: int, other: int) -> tuple[int, int]:
        for first, second in struct.iter_unpack(">II", part):
            one = (one + first + other) % 2**32
            other = (other + second + one) % 2**32
        return one, other

    header = struct.pack(">I", 0x377F0683) + content[4:24]
    sums = summed(header, 0, 0)
    made = header + struct.pack(">II", *sums)
    for at in range(HEADER, len(content), FRAME):
        head, page = content[at : at + 16], content[at + 24 : at + FRAME]
        sums = summed(head[:8] + page, *sums)
        made += head + struct.pack(">II", *sums) + page
    return made


def test_the_end_of_the_commits_is_where_the_index_says(tmp_path: Path) -> None:
    """It is the end of the log, if nothing was wrong with it."""
    path = tmp_path / "a.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("CREATE TABLE number (n)")
        index, log = (tmp_path / "a.db-shm").read_bytes(), (tmp_path / "a.db-wal").read_bytes()

    assert end_of_commits(index, 4096) == len(log)


@pytest.mark.parametrize("order", ["little", "big"])
@pytest.mark.parametrize(("frames", "lost"), [(0, True), (2, True), (5, True), (6, False)])
def test_commits_that_are_continued_are_lost_if_they_are_not_read(
    log: Path, order: str, frames: int, *, lost: bool
) -> None:
    """The last one may be a torn end; the order of bytes is that of the log."""
    if order == "big":
        log.write_bytes(big_endian(log.read_bytes()))

    assert has_lost_commits(log, HEADER + frames * FRAME, PAGE) == lost
    assert not has_lost_commits(log, HEADER + 7 * FRAME, PAGE)


def test_a_commit_that_does_not_continue_the_one_before_it_is_not_lost(log: Path) -> None:
    """Each end of a failed commit has come to stand behind another one."""
    content = log.read_bytes()
    ends = [content[HEADER + n * FRAME :][:FRAME] for n in (2, 4, 6)]
    log.write_bytes(content[: HEADER + 2 * FRAME] + b"".join(ends))

    assert not has_lost_commits(log, HEADER + 2 * FRAME, PAGE)


def test_what_was_there_before_the_log_was_begun_again_is_not_lost(log: Path) -> None:
    """Its salts are others than those of the header; if that one is damaged, nobody knows."""
    content = log.read_bytes()
    other = bytes([content[16] ^ 1])
    begun_again = big_endian(content[:16] + other + content[17:HEADER])[:HEADER]
    damaged = content[:16] + other + content[17:HEADER]

    log.write_bytes(begun_again + content[HEADER:])
    assert not has_lost_commits(log, HEADER, PAGE)
    log.write_bytes(damaged + content[HEADER:])
    assert has_lost_commits(log, HEADER, PAGE)


def test_a_page_that_was_written_again_to_fill_a_block_is_no_other_commit(log: Path) -> None:
    """Some builds of SQLite do that: such a commit may be torn behind its first page."""
    repeated = big_endian(log.read_bytes()[: HEADER + 2 * FRAME])
    filled = big_endian(repeated + repeated[-FRAME:] * 3)
    log.write_bytes(filled)

    assert not has_lost_commits(log, HEADER, PAGE)


@pytest.mark.parametrize("length", [0, 10, HEADER, HEADER + 10, HEADER + FRAME - 1])
def test_in_a_log_without_a_whole_page_nothing_is_lost(log: Path, length: int) -> None:
    """However short it is."""
    log.write_bytes(log.read_bytes()[:length])

    assert not has_lost_commits(log, HEADER, PAGE)
