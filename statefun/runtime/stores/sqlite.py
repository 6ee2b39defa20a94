"""A store on disk: one SQLite file in a directory that one process at a time has.

Law: one connection writes, and the same one checkpoints, on whatever thread calls `commit`; every
other connection only reads and can do neither. What `commit` has returned from survives the
process, and with the durability `full` the machine too.
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import ExitStack, closing, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias
from urllib.parse import quote

from statefun.errors import StoreDamagedError, StoreError, StoreLockedError
from statefun.runtime.engine.records import (
    DeadLetter,
    OutboxRecord,
    PausedAddress,
    PendingMessage,
    Receipt,
    Recovered,
    StoredEntry,
    Timer,
)
from statefun.runtime.stores.migrations import check_version, migrate
from statefun.runtime.stores.wal import end_of_commits, has_lost_commits
from statefun.sdk.address import Address

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

    from filelock import BaseFileLock

    from statefun.runtime.engine.records import Delta

__all__ = ["FILE_NAME", "DiskDurability", "SqliteReader", "SqliteStore"]

DiskDurability: TypeAlias = Literal["full", "normal"]
"""`full`: a commit is on the disk when it returns. `normal`: a power failure may take the last
commits, whole ones, and nothing else does."""

FILE_NAME = "statefun.db"
LOG_NAME = f"{FILE_NAME}-wal"
INDEX_NAME = f"{FILE_NAME}-shm"
LOCK_NAME = "lock"
_SHORTEST_FILE = 512
_INDEX_HEADER = 48
_LARGEST_INTEGER = (1 << 63) - 1  # of SQLite
_TOPICS_SINCE = 3  # the schema version

_MOVED = f"with {LOG_NAME} and {INDEX_NAME} moved away"  # or SQLite applies them to what comes
_HOW = "docs/embedded-runtime.md, 'A damaged file', says how"
_RESCUE = f"Put a backup in its place, {_MOVED}, or save what can be saved: {_HOW}"
_DAMAGES = {
    "SQLITE_NOTADB": f"it is no SQLite database, or its beginning is damaged. {_RESCUE}",
    "SQLITE_CORRUPT": f"it is damaged. {_RESCUE}",
}
_HINTS = {
    **_DAMAGES,
    "SQLITE_READONLY": (
        "it or its directory may not be written to, which looking into it takes too. Check the "
        "permissions of both"
    ),
    "SQLITE_CANTOPEN": "it cannot be opened. Check its permissions and those of its directory",
    "SQLITE_PERM": "it may not be accessed. Check its permissions and those of its directory",
    "SQLITE_FULL": "the disk is full. Make room on it",
    "SQLITE_IOERR": "the disk could not be read or written. Check the disk",
    "SQLITE_BUSY": "another program holds a lock on it. Close that program",
}


def store_error(path: Path, error: sqlite3.Error) -> StoreError:
    """What SQLite says about a file, as a sentence with a way out."""
    name = getattr(error, "sqlite_errorname", "") or ""
    hint = next((text for start, text in _HINTS.items() if name.startswith(start)), "")
    kind = StoreDamagedError if name.startswith(tuple(_DAMAGES)) else StoreError
    return kind(f"{path} cannot be used: {hint} ({error})" if hint else f"{path}: {error}")


class SqliteReader:
    """Looks into a data directory, whether a runtime is using it or not.

    Args:
        directory: The data directory.

    Raises:
        StoreError: If there is nothing to read in it, or it cannot be read.
        SchemaTooNewError: If a newer version wrote it.
    """

    def __init__(self, directory: str | Path) -> None:
        self._path = Path(directory) / FILE_NAME
        if _status(self._path) is None:
            _check_no_log(self._path)
            raise StoreError(
                f"there is no {self._path}: no runtime has used this directory yet. "
                "Check the name of the data directory"
            )
        _check_file(self._path)
        try:
            self._connection = _connect_to_read(self._path)
            try:
                self._version = _check_used(self._connection, self._path)
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

    def addresses(self, typename: str) -> Iterator[Address]:
        """The addresses of a function that have a value, ordered by id."""
        rows = self._rows(
            "SELECT DISTINCT id FROM state WHERE typename = ? ORDER BY id", (typename,)
        )
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
        for seq, due_ms, sender, sender_id, target, target_id, argument, token in self._rows(
            "SELECT seq, due_ms, sender_typename, sender_id, target_typename, target_id, argument,"
            " token FROM timer ORDER BY due_ms, seq"
        ):
            addresses = Address(sender, sender_id), Address(target, target_id)
            yield Timer(seq, due_ms, *addresses, argument, token)

    def dead_letters(self) -> Iterator[DeadLetter]:
        """The messages that were given up, in the order of their ids."""
        return self._dead_letters("ORDER BY id")

    def dead_letter(self, letter_id: int) -> DeadLetter | None:
        """One of them, None if there is none of that id."""
        if not 0 < letter_id <= _LARGEST_INTEGER:
            return None
        return next(self._dead_letters("WHERE id = ?", (letter_id,)), None)

    def paused(self) -> Iterator[PausedAddress]:
        """The addresses that are held, ordered."""
        for typename, address_id, *rest in self._rows_since(
            2,
            "SELECT typename, id, error, attempts, first_failed_ms, last_failed_ms FROM parked"
            " ORDER BY typename, id",
        ):
            yield PausedAddress(Address(typename, address_id), *rest)

    def messages(self, address: Address) -> Iterator[PendingMessage]:
        """The messages waiting for an address, in the order of their numbers."""
        return self._messages("WHERE target_typename = ? AND target_id = ?", address)

    def recover(self) -> Recovered:
        """Everything besides values."""
        (next_seq,) = next(self._rows("SELECT value FROM meta WHERE key = 'next_seq'"))
        return Recovered(
            next_seq,
            tuple(self._messages()),
            tuple(self.timers()),
            tuple(
                OutboxRecord(*row)
                for row in self._rows("SELECT id, typename, argument FROM outbox ORDER BY id")
            ),
            dict(
                self._rows_since(
                    2, "SELECT id, last_failed_ms FROM dead_letter ORDER BY last_failed_ms, id"
                )
            ),
            tuple(self.paused()),
            {
                (Address(typename, address_id), key): Receipt(*rest)
                for typename, address_id, key, *rest in self._rows_since(
                    2, "SELECT typename, id, key, seq, digest, taken_ms FROM receipt ORDER BY seq"
                )
            },
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


class SqliteStore:
    """Keeps what a runtime commits in `<directory>/statefun.db`.

    Args:
        directory: The data directory; made if it does not exist.
        durability: What a commit has to survive.

    Raises:
        StoreLockedError: If another process is using the directory.
        SchemaTooNewError: If a newer version wrote it.
        StoreError: If it cannot be used for another reason.
        ModuleNotFoundError: If filelock is not installed.
    """

    is_blocking = True

    def __init__(self, directory: str | Path, durability: DiskDurability = "full") -> None:
        self._path = Path(directory) / FILE_NAME
        self._place = self._path.absolute()
        with ExitStack() as opened:
            opened.callback(_lock(Path(directory)).release)
            self._connection = _open(self._path, durability)
            opened.callback(self._connection.close)
            self._file = _identity(self._place)
            reader = SqliteReader(directory)
            opened.callback(reader.close)
            self._opened = opened.pop_all()
        self.load = reader.load
        self.addresses = reader.addresses
        self.typenames = reader.typenames
        self.timers = reader.timers
        self.dead_letters = reader.dead_letters
        self.dead_letter = reader.dead_letter
        self.paused = reader.paused
        self.messages = reader.messages
        self.recover = reader.recover

    def commit(self, delta: Delta) -> None:
        """Store a delta in one transaction; durable as promised when it returns."""
        connection = self._connection
        if _identity(self._place) != self._file:
            raise StoreDamagedError(
                f"{self._path} was removed or replaced while it was in use, and takes no more "
                f"commits. Put it back; or put a backup in its place, {_MOVED}"
            )
        try:
            connection.execute("BEGIN IMMEDIATE")
            try:
                _write(connection, delta)
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise
        except sqlite3.Error as error:
            raise store_error(self._path, error) from error

    def close(self) -> None:
        """Close the file, and let another process have the directory."""
        self._opened.close()


def _check_file(path: Path) -> None:
    """What SQLite takes for new is the rest of a file: a new one gets its name when complete."""
    if not path.is_file():
        kind = "a directory" if path.is_dir() else "no file"
        raise StoreError(
            f"{path} is {kind}, and the runtime keeps its data in a file of this name: move it "
            "away, or choose another data directory"
        )
    size = path.stat().st_size
    if size < _SHORTEST_FILE:
        raise StoreError(
            f"{path} was cut off, it has {size} bytes: what it held is lost. Move it away, with "
            f"{LOG_NAME} and {INDEX_NAME}; then put a backup in its place, or begin with nothing"
        )


def _check_no_log(path: Path) -> None:
    """SQLite would apply it to whatever file comes next."""
    if _has_log(path):
        raise StoreDamagedError(
            f"there is no {path}, but there is {LOG_NAME}, which holds commits of it. Put it back; "
            f"or move {LOG_NAME} and {INDEX_NAME} away, and put a backup in its place or begin "
            "with nothing"
        )


def _has_log(path: Path) -> bool:
    status = _status(path.with_name(LOG_NAME))
    return status is not None and status.st_size > 0


def _check_log(path: Path) -> None:
    """SQLite would go on without commits that were on the disk, and write over them."""
    if not _has_log(path):
        return
    log = path.with_name(LOG_NAME)
    # The index is closed after the connection: a file that is closed takes its locks along.
    with ExitStack() as afterwards, closing(_connect_to_read(path)) as connection:
        connection.execute("SELECT COUNT(*) FROM sqlite_schema").fetchone()  # reads the log
        (page_bytes,) = connection.execute("PRAGMA page_size").fetchone()
        index = afterwards.enter_context(path.with_name(INDEX_NAME).open("rb"))
        end = end_of_commits(index.read(_INDEX_HEADER), page_bytes)
        if has_lost_commits(log, end, page_bytes):
            raise StoreDamagedError(
                f"{log} is damaged near byte {end}, and commits that were acknowledged stand "
                f"behind the damage. Put a backup of {FILE_NAME} in its place, {_MOVED}, or start "
                "once with the durability 'normal' to go on without those commits: " + _HOW
            )


def _connect_to_read(path: Path) -> sqlite3.Connection:
    """A connection that can neither write nor checkpoint, nor remove the log."""
    is_at_rest = not (_has_log(path) or _status(path.with_name(INDEX_NAME)))
    # SQLite reads by means of files that it cannot make there, and nobody else can either.
    how = "immutable=1" if is_at_rest and not os.access(path.parent, os.W_OK) else "mode=ro"
    return sqlite3.connect(
        f"file:{quote(str(path.absolute()))}?{how}",
        uri=True,
        isolation_level=None,
        check_same_thread=False,
    )


def _make(path: Path) -> None:
    """Make a file with empty tables; it appears whole or not at all."""
    unfinished = path.with_name(f"{path.name}.new")
    unfinished.unlink(missing_ok=True)
    with closing(sqlite3.connect(unfinished, isolation_level=None)) as connection:
        migrate(connection, unfinished)
    unfinished.replace(path)


def _open(path: Path, durability: DiskDurability) -> sqlite3.Connection:
    try:
        if not path.exists():
            _check_no_log(path)
            _make(path)
        _check_file(path)
        if durability == "full":
            _check_log(path)
        connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        try:
            _use_wal(connection, path)
            connection.execute(f"PRAGMA synchronous = {durability}")
            connection.execute("PRAGMA fullfsync = 1")  # macOS: the flush that reaches the disk
            connection.execute("PRAGMA checkpoint_fullfsync = 1")
            migrate(connection, path)
            if durability == "normal":  # what is behind a damage is not to be met once more
                with suppress(sqlite3.OperationalError):  # of a full disk, say
                    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        except BaseException:
            connection.close()
            raise
    except sqlite3.Error as error:
        raise store_error(path, error) from error
    except OSError as error:
        raise StoreError(f"{path} cannot be used: {error}. Check its permissions") from error
    return connection


def _check_used(connection: sqlite3.Connection, path: Path) -> int:
    version = check_version(connection, path)
    if not version:
        raise StoreError(
            f"{path} is empty: no runtime has used this directory yet. "
            "Check the name of the data directory"
        )
    return version


def _identity(path: Path) -> tuple[int, int] | None:
    status = _status(path)
    return status and (status.st_dev, status.st_ino)


def _status(path: Path) -> os.stat_result | None:
    try:
        return path.stat()
    except FileNotFoundError:
        return None
    except NotADirectoryError:
        raise _is_a_file(path.parent) from None
    except OSError as error:
        raise StoreError(
            f"{path} cannot be looked at: {error.strerror}. Check its name and the permissions of "
            "its directory"
        ) from error


def _is_a_file(directory: Path) -> StoreError:
    return StoreError(
        f"the data directory {directory} is a file: name a directory, or one that can be made"
    )


def _use_wal(connection: sqlite3.Connection, path: Path) -> None:
    (mode,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
    if mode != "wal":
        raise StoreError(
            f"{path} is on a file system without shared memory (journal mode {mode!r} where "
            "'wal' was asked for): choose a data directory on a local disk"
        )


def _write(connection: sqlite3.Connection, delta: Delta) -> None:
    write = connection.executemany
    values = sorted(delta.values.items())  # neighbours in the tree, one after another
    write(
        "INSERT OR REPLACE INTO state VALUES (?, ?, ?, ?, ?, ?, ?)",
        (
            (*address, name, entry.typename, entry.data, entry.touched_ms, entry.ttl_ms)
            for (address, name), entry in values
            if entry is not None
        ),
    )
    write(
        "DELETE FROM state WHERE typename = ? AND id = ? AND name = ?",
        ((*address, name) for (address, name), entry in values if entry is None),
    )
    write(
        "INSERT OR REPLACE INTO message VALUES (?, ?, ?, ?, ?, ?, ?)",
        (
            (each.seq, *each.target, *(each.caller or (None, None)), each.argument, each.topic)
            for each in delta.messages
        ),
    )
    write(
        "INSERT OR REPLACE INTO timer VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (
            (each.seq, each.due_ms, *each.sender, *each.target, each.argument, each.token)
            for each in delta.timers
        ),
    )
    write(
        "INSERT OR REPLACE INTO outbox VALUES (?, ?, ?)",
        ((record.id, record.typename, record.argument) for record in delta.egress),
    )
    _write_failures(connection, delta)
    write("DELETE FROM message WHERE seq = ?", ((seq,) for seq in delta.consumed))
    write("DELETE FROM timer WHERE seq = ?", ((seq,) for seq in delta.timers_gone))
    write("DELETE FROM outbox WHERE id = ?", ((seq,) for seq in delta.egress_gone))
    connection.execute("UPDATE meta SET value = ? WHERE key = 'next_seq'", (delta.next_seq,))


def _write_failures(connection: sqlite3.Connection, delta: Delta) -> None:
    """Dead letters, paused addresses and receipts."""
    write = connection.executemany
    write(
        "INSERT OR REPLACE INTO dead_letter VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            (
                *(each.id, *each.target, *(each.caller or (None, None)), each.argument),
                *(each.error, each.attempts, each.first_failed_ms, each.last_failed_ms),
                each.topic,
            )
            for each in delta.dead_letters.values()
            if each is not None
        ),
    )
    gone = (letter_id for letter_id, each in delta.dead_letters.items() if each is None)
    write("DELETE FROM dead_letter WHERE id = ?", ((letter_id,) for letter_id in gone))
    write(
        "INSERT OR REPLACE INTO parked VALUES (?, ?, ?, ?, ?, ?)",
        (
            (*address, each.error, each.attempts, each.first_failed_ms, each.last_failed_ms)
            for address, each in delta.paused.items()
            if each is not None
        ),
    )
    write(
        "DELETE FROM parked WHERE typename = ? AND id = ?",
        (address for address, each in delta.paused.items() if each is None),
    )
    receipts = sorted(delta.receipts.items(), key=lambda item: item[0])
    write(
        "INSERT OR REPLACE INTO receipt VALUES (?, ?, ?, ?, ?, ?)",
        (
            (*address, key, each.seq, each.digest, each.taken_ms)
            for (address, key), each in receipts
            if each is not None
        ),
    )
    write(
        "DELETE FROM receipt WHERE typename = ? AND id = ? AND key = ?",
        ((*address, key) for (address, key), each in receipts if each is None),
    )


def _caller(typename: str | None, caller_id: str | None) -> Address | None:
    return None if typename is None else Address(typename, caller_id or "")


def _lock(directory: Path) -> BaseFileLock:
    try:
        import filelock  # noqa: PLC0415 - an optional dependency
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "a data directory needs filelock: pip install 'statefun[runtime]'"
        ) from error
    lock = filelock.FileLock(directory / LOCK_NAME, timeout=0, thread_local=False)
    try:
        directory.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except filelock.Timeout as error:
        raise StoreLockedError(
            f"the data directory {directory} is in use by another process: stop that one, or give "
            "this one a directory of its own"
        ) from error
    except FileExistsError:
        raise _is_a_file(directory) from None
    except (OSError, NotImplementedError) as error:
        raise StoreError(
            f"the data directory {directory} cannot be used: {error}. Check its permissions, or "
            "choose another one"
        ) from error
    return lock
