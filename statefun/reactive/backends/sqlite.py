"""State in one SQLite file that many processes may share.

A node with a value is a row; its path is the key, so a subtree is a range of keys. Each change gets
a number, in a log that says who made it: that is how a process learns what others have changed, and
how a transaction learns that what it has read is not current any more.
"""

from __future__ import annotations

import sqlite3
import threading
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from statefun.errors import InvalidPathError, TransactionConflictError
from statefun.reactive.backends.base import (
    MISSING,
    Backend,
    Delete,
    Expect,
    ForeignChange,
    Node,
    TreeBackend,
    Write,
    failing,
    view_of,
)
from statefun.reactive.backends.fs import Serializer, json_serializer
from statefun.reactive.paths import is_related, relative

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator, Sequence

    from statefun.reactive.backends.base import Operation

__all__ = ["SqliteBackend"]

_PAUSE = timedelta(milliseconds=10)

_SCHEMA = """
CREATE TABLE IF NOT EXISTS nodes (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    path TEXT NOT NULL UNIQUE,
    value BLOB NOT NULL
);
CREATE TABLE IF NOT EXISTS changes (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    writer BLOB NOT NULL,
    path TEXT NOT NULL,
    previous BLOB,
    value BLOB
);
"""

# How many changes the log keeps, and how often it is looked at.
_KEPT_CHANGES = 10_000
_TRIM_EVERY = 1_000


class SqliteBackend(TreeBackend, Backend):
    """State in a SQLite file; a context manager that closes it.

    A write is on disk when it returns. Processes and threads may share the file, and each sees at
    once what others have written. Events for the changes of other processes are made by
    `controller.refresh()`, on demand, and by `controller.watch(every)`, again and again. A
    transaction of a controller is one of the file: a process that is killed leaves all of it or
    nothing.

    Args:
        path: The file; it is made if it does not exist, its folder too.
        serializer: How values are stored; JSON by default. It must take dicts as well, since the
            log of changes keeps what a deleted node with children has read as.
        busy_timeout: How long to wait for another process that is writing.

    Raises:
        StateBackendError: If the file cannot be opened, or is not a database.
    """

    has_revisions = True

    def __init__(
        self,
        path: str | os.PathLike[str],
        serializer: Serializer = json_serializer,
        *,
        busy_timeout: timedelta = timedelta(seconds=10),
    ) -> None:
        self.path = Path(path).absolute()
        self.serializer = serializer
        self._lock = threading.RLock()
        with _failing("/", "opened"):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._db = sqlite3.connect(
                self.path,
                timeout=busy_timeout.total_seconds(),
                isolation_level=None,
                check_same_thread=False,
            )
            try:
                self._enter_wal(busy_timeout)
                self._db.execute("PRAGMA synchronous = FULL")
                self._db.executescript(_SCHEMA)
                [(self._writer,)] = self._db.execute("SELECT randomblob(16)")
            except BaseException:
                self._db.close()
                raise
        self._seen = self.revision()

    def _enter_wal(self, busy_timeout: timedelta) -> None:
        """Turn the write-ahead log on; SQLite itself does not wait for others to do so."""
        pause = threading.Event()
        for _ in range(busy_timeout // _PAUSE):
            try:
                self._db.execute("PRAGMA journal_mode = WAL")
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY:
                    raise
                pause.wait(_PAUSE.total_seconds())
            else:
                return
        self._db.execute("PRAGMA journal_mode = WAL")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; nothing is pending, so nothing is lost."""
        with self._lock:
            self._db.close()

    # --- the tree ---------------------------------------------------------------------------------

    def get(self, path: str, default: Any) -> Any:
        """Return what a path reads as, or `default` itself."""
        value = self._view(path)
        return default if value is MISSING else value

    def check(self, path: str, value: Any) -> None:
        """Raise what writing a value at a path would raise."""
        self.serializer.encode(path, value)

    def put(self, path: str, value: Any) -> None:
        """Write the value of a node; its children stay."""
        content = self.serializer.encode(path, value)
        with self._changing(path, "written"):
            self._put(path, content)

    def remove(self, path: str) -> None:
        """Delete a node and everything below it."""
        with self._changing(path, "deleted"):
            self._remove(path)

    def node(self, path: str) -> Node:
        """Return the node at a path."""
        rows = self._rows(path)
        value = MISSING
        names: dict[str, None] = {}
        for below, content in rows:
            inner = relative(below, path) or "/"
            if inner == "/":
                value = self.serializer.decode(path, content)
            else:
                names[inner.split("/")[1]] = None
        return Node(value, tuple(names), exists=bool(rows))

    def apply(self, operations: Sequence[Operation]) -> None:
        """Do all operations in one transaction of the file.

        Raises:
            TransactionConflictError: If a path of an `Expect` has changed since its revision.
        """
        contents = {
            index: self.serializer.encode(each.path, each.value)
            for index, each in enumerate(operations)
            if isinstance(each, Write)
        }
        with self._changing(operations[0].path if operations else "/", "written"):
            self._check([each for each in operations if isinstance(each, Expect)])
            for index, operation in enumerate(operations):
                match operation:
                    case Write(path):
                        self._put(path, contents[index])
                    case Delete(path):
                        self._remove(path)

    # --- changes ----------------------------------------------------------------------------------

    def revision(self) -> int:
        """Return the number of the last change."""
        with self._lock, _failing("/", "read"):
            found = self._db.execute("SELECT seq FROM sqlite_sequence WHERE name = 'changes'")
            row = found.fetchone()
        return row[0] if row else 0

    def changes(self) -> list[ForeignChange]:
        """Return what others have changed since the last call, oldest first.

        If so much has changed that the log does not go back far enough, a change of the root comes
        first.
        """
        with self._lock, _failing("/", "read"):
            rows = self._db.execute(
                "SELECT number, writer, path, previous, value FROM changes WHERE number > ?"
                " ORDER BY number",
                (self._seen,),
            ).fetchall()
            is_cut = bool(rows) and rows[0][0] > self._seen + 1
            self._seen = rows[-1][0] if rows else self._seen
        found = [self._change(*row[2:]) for row in rows if row[1] != self._writer]
        if is_cut:
            found.insert(0, ForeignChange("/", None, self.get("/", None), False, True))  # noqa: FBT003
        return found

    def _change(self, path: str, previous: bytes | None, value: bytes | None) -> ForeignChange:
        before, after = (
            None if content is None else self.serializer.decode(path, content)
            for content in (previous, value)
        )
        return ForeignChange(path, before, after, is_delete=value is None)

    def _check(self, expected: Sequence[Expect]) -> None:
        if not expected:
            return
        since = expected[0].revision
        changed = self._db.execute(
            "SELECT number, path FROM changes WHERE number > ? ORDER BY number", (since,)
        ).fetchall()
        is_cut = bool(changed) and changed[0][0] > since + 1
        for each in expected:
            if is_cut or any(is_related(each.path, path) for _, path in changed):
                raise TransactionConflictError(each.path)

    # --- rows -------------------------------------------------------------------------------------

    def _view(self, path: str) -> Any:
        return view_of(
            (relative(below, path) or "/", self.serializer.decode(below, content))
            for below, content in self._rows(path)
        )

    def _rows(self, path: str) -> list[tuple[str, bytes]]:
        where, bounds = _subtree(path)
        with self._lock, _failing(path, "read"):
            query = f"SELECT path, value FROM nodes WHERE {where} ORDER BY number"  # noqa: S608 - ours
            return self._db.execute(query, bounds).fetchall()

    def _put(self, path: str, content: bytes) -> None:
        found = self._db.execute("SELECT value FROM nodes WHERE path = ?", (path,)).fetchone()
        if found == (content,):
            return  # no change, so nothing that others have to hear of
        self._db.execute(
            "INSERT INTO nodes (path, value) VALUES (?, ?)"
            " ON CONFLICT (path) DO UPDATE SET value = excluded.value",
            (path, content),
        )
        self._log(path, found[0] if found else None, content)

    def _remove(self, path: str) -> None:
        previous = self._view(path)
        if previous is MISSING:
            return
        where, bounds = _subtree(path)
        self._db.execute(f"DELETE FROM nodes WHERE {where}", bounds)  # noqa: S608 - ours
        self._log(path, self.serializer.encode(path, previous), None)

    def _log(self, path: str, previous: bytes | None, content: bytes | None) -> None:
        number = self._db.execute(
            "INSERT INTO changes (writer, path, previous, value) VALUES (?, ?, ?, ?)",
            (self._writer, path, previous, content),
        ).lastrowid
        if number and number % _TRIM_EVERY == 0:
            self._db.execute("DELETE FROM changes WHERE number <= ?", (number - _KEPT_CHANGES,))

    @contextmanager
    def _changing(self, path: str, verb: str) -> Iterator[None]:
        """One transaction of the file, alone among threads and processes."""
        with self._lock, _failing(path, verb):
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise


def _subtree(path: str) -> tuple[str, tuple[str, ...]]:
    """Give the condition for a node and everything below it: `0` is what follows on `/`."""
    if path == "/":
        return "TRUE", ()
    return "(path = ? OR (path > ? AND path < ?))", (path, path + "/", path + "0")


@contextmanager
def _failing(path: str, verb: str) -> Iterator[None]:
    """Turn an error of SQLite or of the file system into ours."""
    try:
        with failing(path, verb, (sqlite3.Error, OSError)):
            yield
    except UnicodeEncodeError as error:
        raise InvalidPathError(path, "SQLite keeps no lone surrogates") from error
