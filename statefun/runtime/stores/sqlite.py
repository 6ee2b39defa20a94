"""A store on disk: one SQLite file in a directory that one process at a time has.

Law: one connection writes, and the same one checkpoints, on whatever thread calls `commit`; every
other connection only reads and can do neither. What `commit` has returned from survives the
process, and with the durability `full` the machine too.
"""

from __future__ import annotations

import json
import sqlite3
from contextlib import ExitStack
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING

from statefun.errors import StoreError
from statefun.runtime.engine.records import (
    DeadLetter,
    Delta,
    FailureRecord,
    FoundTimers,
    OutboxRecord,
    PausedAddress,
    PendingMessage,
    Receipt,
    Recovered,
    StoredEntry,
    Timer,
    Trial,
    ValueCount,
    WantedTimers,
)
from statefun.runtime.stores.datafile import (
    FILE_NAME,
    DiskDurability,
    check_file,
    check_in_place,
    check_no_log,
    check_used,
    connect_to_read,
    identity,
    lock_directory,
    open_to_write,
    status,
    store_error,
)
from statefun.runtime.stores.summary import BusyAddress, StoreSummary
from statefun.runtime.stores.writes import write_delta
from statefun.sdk.address import Address

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from typing import Any

__all__ = ["FILE_NAME", "DiskDurability", "SqliteReader", "SqliteStore"]

_LARGEST_INTEGER = (1 << 63) - 1  # of SQLite
_TOPICS_SINCE = 3  # the schema version
_COUNTS_SINCE = 6
_TIMER_COUNT_SINCE = 7
_VALUES_OF_MANY = (
    "SELECT id, name, value_typename, data, touched_ms, ttl_ms FROM state"
    " WHERE typename = ? AND id IN"
)
_MOST_IDS = 500  # in one statement; SQLite takes 999 parameters everywhere


class SqliteReader:
    """Reads a data directory, whether a runtime is using it or not.

    Args:
        directory: The data directory.

    Raises:
        StoreError: If there is nothing to read in it, or it cannot be read.
        SchemaTooNewError: If a newer version wrote it.
    """

    def __init__(self, directory: str | Path) -> None:
        self._path = Path(directory) / FILE_NAME
        if status(self._path) is None:
            check_no_log(self._path)
            raise StoreError(
                f"there is no {self._path}: no runtime has used this directory yet. "
                "Check the name of the data directory",
                path=str(self._path),
            )
        check_file(self._path)
        try:
            self._connection = connect_to_read(self._path)
            try:
                self._version = check_used(self._connection, self._path)
            except BaseException:
                self._connection.close()
                raise
        except sqlite3.Error as error:
            raise store_error(self._path, error) from error

    def load(self, address: Address) -> Mapping[str, StoredEntry]:
        """The values of one address: name → value."""
        rows = self._rows(
            "SELECT name, value_typename, data, touched_ms, ttl_ms FROM state"
            " WHERE typename = ? AND id = ?",
            address,
        )
        return {name: StoredEntry(*rest) for name, *rest in rows}

    def load_many(self, addresses: Sequence[Address]) -> dict[Address, Mapping[str, StoredEntry]]:
        """The values of several addresses, a few statements for all of them."""
        found: dict[Address, dict[str, StoredEntry]] = {address: {} for address in addresses}
        ids_of: dict[str, list[str]] = {}
        for typename, address_id in found:
            ids_of.setdefault(typename, []).append(address_id)
        for typename, ids in ids_of.items():
            remaining = iter(sorted(ids))  # neighbours in the tree, one after another
            while some := list(islice(remaining, _MOST_IDS)):
                marks = ", ".join("?" * len(some))
                statement = f"{_VALUES_OF_MANY} ({marks})"
                for address_id, name, *rest in self._rows(statement, (typename, *some)):
                    found[Address(typename, address_id)][name] = StoredEntry(*rest)
        return dict(found)

    def value_counts(self) -> list[ValueCount]:
        """How many addresses have which values of which type, ordered."""
        if self._version >= _COUNTS_SINCE:
            rows = self._rows("SELECT * FROM value_count WHERE count > 0 ORDER BY 1, 2, 3")
        else:
            rows = self._rows(
                "SELECT typename, name, value_typename, count(*) FROM state GROUP BY 1, 2, 3"
                " ORDER BY 1, 2, 3"
            )
        return [ValueCount(*row) for row in rows]

    def addresses(self, typename: str, after: str | None = None) -> Iterator[Address]:
        """The addresses of a function that have a value, ordered by id; those behind an id."""
        condition, parameters = ("", ()) if after is None else (" AND id > ?", (after,))
        statement = f"SELECT DISTINCT id FROM state WHERE typename = ?{condition} ORDER BY id"  # noqa: S608 - ours
        rows = self._rows(statement, (typename, *parameters))
        return (Address(typename, row[0]) for row in rows)

    def typenames(self) -> Iterator[str]:
        """The functions that have a value at some address, ordered."""
        following = "SELECT typename FROM state WHERE typename > ? ORDER BY typename LIMIT 1"
        latest = ""
        while row := next(self._rows(following, (latest,)), None):
            latest = row[0]
            yield latest

    def timers(self) -> Iterator[Timer]:
        """The delayed messages waiting, in the order in which they fire."""
        return self._timers("ORDER BY due_ms, seq")

    def find_timers(self, wanted: WantedTimers) -> FoundTimers:
        """Some of the delayed messages, by means of indexes."""
        page: list[Timer] = []
        if wanted.after is not None:
            condition = "WHERE (due_ms, seq) > (?, ?) ORDER BY due_ms, seq LIMIT ?"
            page = list(self._timers(condition, (*wanted.after, wanted.most)))
        named: list[Timer] = []
        remaining = iter(wanted.tokens)
        while some := list(islice(remaining, _MOST_IDS // 2)):
            pairs = ", ".join(["(?, ?)"] * len(some))
            wanted_rows = f"JOIN (VALUES {pairs}) ON sender_id = column1 AND token = column2"
            condition = f"{wanted_rows} WHERE token <> ''"
            named += self._timers(condition, tuple(chain.from_iterable(some)))
        return FoundTimers(page, named)

    def dead_letters(self) -> Iterator[DeadLetter]:
        """The messages that were given up, in the order of their ids."""
        return self._dead_letters("ORDER BY id")

    def dead_letter(self, letter_id: int) -> DeadLetter | None:
        """One of them, None if there is none of that id."""
        if not 0 < letter_id <= _LARGEST_INTEGER:
            return None
        return next(self._dead_letters("WHERE id = ?", (letter_id,)), None)

    def positions(self) -> dict[str, bytes]:
        """The positions of ingresses, ordered by name."""
        return dict(self._rows_since(4, "SELECT name, value FROM position ORDER BY name"))

    def paused(self) -> Iterator[PausedAddress]:
        """The addresses that are held, ordered."""
        cause = "cause" if self._version >= _COUNTS_SINCE else "'failure'"
        columns = f"typename, id, error, attempts, first_failed_ms, last_failed_ms, {cause}"
        statement = f"SELECT {columns} FROM parked ORDER BY typename, id"  # noqa: S608 - ours
        for typename, address_id, *rest in self._rows_since(2, statement):
            yield PausedAddress(Address(typename, address_id), *rest)

    def messages(self, address: Address) -> Iterator[PendingMessage]:
        """The messages waiting for an address, in the order of their numbers."""
        return self._messages("WHERE target_typename = ? AND target_id = ?", address)

    def records(self) -> Iterator[OutboxRecord]:
        """The records that wait for their egresses, oldest first."""
        rows = self._rows("SELECT id, typename, argument FROM outbox ORDER BY id")
        return (OutboxRecord(*row) for row in rows)

    def recover(self, *, with_letter_times: bool = True) -> Recovered:
        """Everything besides values and timers."""
        times = "SELECT id, last_failed_ms FROM dead_letter ORDER BY last_failed_ms, id"
        return Recovered(
            self._next_seq(),
            tuple(self._messages()),
            self._count_timers(),
            tuple(self.records()),
            self._count_letters(),
            dict(self._rows_since(2, times) if with_letter_times else ()),
            tuple(self.paused()),
            {
                (Address(typename, address_id), key): Receipt(*rest)
                for typename, address_id, key, *rest in self._rows_since(
                    2, "SELECT typename, id, key, seq, digest, taken_ms FROM receipt ORDER BY seq"
                )
            },
            self.positions(),
            tuple(self._failures()),
            tuple(
                Trial(Address(typename, address_id), seq)
                for seq, typename, address_id in self._rows_since(
                    5, "SELECT seq, typename, id FROM trial ORDER BY seq"
                )
            ),
            any(
                row[0]
                for row in self._rows_since(5, "SELECT value FROM meta WHERE key = 'running'")
            ),
        )

    def summary(self, most: int = 5) -> StoreSummary:
        """How much waits, and how much was given up; with the `most` busiest addresses."""
        busiest = self._rows(
            "SELECT target_typename, target_id, count(*) FROM message GROUP BY 1, 2"
            " ORDER BY 3 DESC, 1, 2 LIMIT ?",
            (most,),
        )
        addresses: dict[str, int] = {}
        for each in self.value_counts():
            addresses[each.typename] = max(each.count, addresses.get(each.typename, 0))
        return StoreSummary(
            messages=self._number("SELECT count(*) FROM message"),
            busiest=tuple(BusyAddress(*row) for row in busiest),
            timers=self._count_timers(),
            next_due_ms=next(self._rows("SELECT min(due_ms) FROM timer"))[0],
            dead_letters=self._count_letters(),
            paused=sum(1 for _ in self.paused()),
            records=dict(self._rows("SELECT typename, count(*) FROM outbox GROUP BY 1 ORDER BY 1")),
            addresses=addresses,
        )

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def _messages(
        self, condition: str = "", parameters: tuple[Any, ...] = ()
    ) -> Iterator[PendingMessage]:
        columns = (
            "seq, target_typename, target_id, caller_typename, caller_id, argument, "
            f"{self._topic_column}"
        )
        statement = f"SELECT {columns} FROM message {condition} ORDER BY seq"  # noqa: S608 - ours
        for seq, typename, target_id, caller_typename, caller_id, argument, topic in self._rows(
            statement, parameters
        ):
            caller = _caller(caller_typename, caller_id)
            yield PendingMessage(caller, argument, Address(typename, target_id), seq, topic)

    def _dead_letters(
        self, condition: str, parameters: tuple[Any, ...] = ()
    ) -> Iterator[DeadLetter]:
        columns = (
            "id, target_typename, target_id, caller_typename, caller_id, argument, error, attempts,"
            f" first_failed_ms, last_failed_ms, {self._topic_column}"
        )
        statement = f"SELECT {columns} FROM dead_letter {condition}"  # noqa: S608 - ours
        for letter_id, typename, target_id, caller_typename, caller_id, *rest in self._rows_since(
            2, statement, parameters
        ):
            caller = _caller(caller_typename, caller_id)
            yield DeadLetter(letter_id, Address(typename, target_id), caller, *rest)

    def _timers(self, condition: str, parameters: tuple[Any, ...] = ()) -> Iterator[Timer]:
        columns = (
            "seq, due_ms, sender_typename, sender_id, target_typename, target_id, argument, token"
        )
        statement = f"SELECT {columns} FROM timer {condition}"  # noqa: S608 - ours
        for seq, due_ms, sender, sender_id, target, target_id, argument, token in self._rows(
            statement, parameters
        ):
            addresses = Address(sender, sender_id), Address(target, target_id)
            yield Timer(seq, due_ms, *addresses, argument, token)

    def _count_timers(self) -> int:
        if self._version >= _TIMER_COUNT_SINCE:
            count = sum(row[0] for row in self._rows("SELECT value FROM meta WHERE key = 'timers'"))
            if count > 0:
                return int(count)
        return self._number("SELECT count(*) FROM timer")  # also if a saved file lacks the figure

    def _count_letters(self) -> int:
        if self._version >= _COUNTS_SINCE:
            rows = self._rows("SELECT value FROM meta WHERE key = 'dead_letters'")
        else:
            rows = self._rows_since(2, "SELECT count(*) FROM dead_letter")
        return sum(row[0] for row in rows)

    def _number(self, statement: str) -> int:
        return int(next(self._rows(statement))[0])

    def _next_seq(self) -> int:
        (next_seq,) = next(self._rows("SELECT value FROM meta WHERE key = 'next_seq'"))
        return int(next_seq)

    def _failures(self) -> Iterator[FailureRecord]:
        for typename, address_id, parts, *rest in self._rows_since(
            5,
            "SELECT typename, id, parts, first_failed_ms, deaths FROM failure"
            " ORDER BY typename, id",
        ):
            pairs = tuple((size, attempts) for size, attempts in json.loads(parts))
            yield FailureRecord(Address(typename, address_id), pairs, *rest)

    @property
    def _topic_column(self) -> str:
        return "topic" if self._version >= _TOPICS_SINCE else "''"

    def _rows_since(
        self, version: int, statement: str, parameters: tuple[Any, ...] = ()
    ) -> Iterator[tuple[Any, ...]]:
        """Rows of a table that a schema version brought; none in a file that is older."""
        return self._rows(statement, parameters) if self._version >= version else iter(())

    def _rows(self, statement: str, parameters: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
        try:
            yield from self._connection.execute(statement, parameters)
        except sqlite3.Error as error:
            raise store_error(self._path, error) from error


class SqliteStore(SqliteReader):
    """Keeps what a runtime commits in `<directory>/statefun.db`; a reader that can also write.

    Args:
        directory: The data directory; made if it does not exist.
        durability: The failures that a commit has to survive.

    Raises:
        StoreLockedError: If another process is using the directory.
        SchemaTooNewError: If a newer version wrote it.
        StoreError: If it cannot be used for another reason.
        ModuleNotFoundError: If filelock is not installed.
    """

    is_blocking = True

    def __init__(self, directory: str | Path, durability: DiskDurability = "full") -> None:
        path = Path(directory) / FILE_NAME
        self._place = path.absolute()
        with ExitStack() as opened:
            opened.callback(lock_directory(Path(directory)).release)
            self._writer = open_to_write(path, durability)
            opened.callback(self._writer.close)
            self._file = identity(self._place)
            super().__init__(directory)
            opened.callback(super().close)
            self._opened = opened.pop_all()

    def mark_running(self) -> None:
        """Remember that a process runs, until a delta says that it ended."""
        self.commit(Delta(self._next_seq(), is_running=True))

    def commit(self, delta: Delta) -> None:
        """Store a delta in one transaction; durable as promised when it returns."""
        check_in_place(self._path, self._place, self._file)
        writer = self._writer
        try:
            writer.execute("BEGIN IMMEDIATE")
            try:
                write_delta(writer, delta)
                writer.execute("COMMIT")
            except BaseException:
                if writer.in_transaction:
                    writer.execute("ROLLBACK")
                raise
        except sqlite3.Error as error:
            raise store_error(self._path, error) from error

    def close(self) -> None:
        """Close the file, and let another process have the directory."""
        self._opened.close()


def _caller(typename: str | None, caller_id: str | None) -> Address | None:
    return None if typename is None else Address(typename, caller_id or "")
