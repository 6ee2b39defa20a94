"""The file of a data directory: locking it, opening it, and refusing what would lose commits.

SQLite takes an empty or cut-off file for a new database, applies any log that lies beside a file,
and skips acknowledged commits behind a damaged frame of the log. This module looks first.

Law: nothing here reads or writes a table, except that a new file gets the tables of `migrations`.
A file that fails a check is left as it is; the error says what to do with it.
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import ExitStack, closing, suppress
from typing import TYPE_CHECKING, Literal, TypeAlias
from urllib.parse import quote

from statefun.errors import StoreDamagedError, StoreError, StoreLockedError
from statefun.runtime.stores.migrations import check_version, migrate
from statefun.runtime.stores.wal import end_of_commits, has_lost_commits

if TYPE_CHECKING:
    from pathlib import Path

    from filelock import BaseFileLock

__all__ = [
    "FILE_NAME",
    "DiskDurability",
    "check_file",
    "check_in_place",
    "check_no_log",
    "check_used",
    "connect_to_read",
    "identity",
    "lock_directory",
    "open_to_write",
    "status",
    "store_error",
]

DiskDurability: TypeAlias = Literal["full", "normal"]
"""`full`: a commit is on the disk when it returns. `normal`: a power failure may take the last
commits, whole ones, and nothing else does."""

FILE_NAME = "statefun.db"
LOG_NAME = f"{FILE_NAME}-wal"
INDEX_NAME = f"{FILE_NAME}-shm"
LOCK_NAME = "lock"
_SHORTEST_FILE = 512
_CHECKPOINT_PAGES = 4000
"""After so many pages (16 MB) the log is copied into the file, each page once; four times as many
as SQLite's default, since few keys change often."""
_INDEX_HEADER = 48

_MOVED = f"with {LOG_NAME} and {INDEX_NAME} moved away"  # or SQLite applies them to what comes
_HOW = "docs/embedded-runtime.md, 'A damaged file', says how"
_RESCUE = f"Put a backup in its place, {_MOVED}, or save what can be saved: {_HOW}"
_DAMAGES = {
    "SQLITE_NOTADB": f"it is not a SQLite database, or its beginning is damaged. {_RESCUE}",
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
    """The error for a failure that SQLite reports: a sentence with the file and a way out."""
    name = getattr(error, "sqlite_errorname", "") or ""
    hint = next((text for start, text in _HINTS.items() if name.startswith(start)), "")
    kind = StoreDamagedError if name.startswith(tuple(_DAMAGES)) else StoreError
    return kind(f"{path} cannot be used: {hint} ({error})" if hint else f"{path}: {error}")


def lock_directory(directory: Path) -> BaseFileLock:
    """Reserve a data directory for this process, and make it if it does not exist.

    Raises:
        StoreLockedError: If another process has it.
        StoreError: If it cannot be used for another reason.
        ModuleNotFoundError: If filelock is not installed.
    """
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
            "this one a directory of its own",
            path=str(directory),
        ) from error
    except FileExistsError:
        raise _is_a_file(directory) from None
    except (OSError, NotImplementedError) as error:
        raise StoreError(
            f"the data directory {directory} cannot be used: {error}. Check its permissions, or "
            "choose another one",
            path=str(directory),
        ) from error
    return lock


def identity(path: Path) -> tuple[int, int] | None:
    """Device and inode of a file, which a file that replaces it does not share; None if gone."""
    found = status(path)
    return found and (found.st_dev, found.st_ino)


def status(path: Path) -> os.stat_result | None:
    """The status of a file from the operating system; None if there is none.

    Raises:
        StoreError: If a parent is a file, or the file cannot be looked at.
    """
    try:
        return path.stat()
    except FileNotFoundError:
        return None
    except NotADirectoryError:
        raise _is_a_file(path.parent) from None
    except OSError as error:
        raise StoreError(
            f"{path} cannot be looked at: {error.strerror}. Check its name and the permissions of "
            "its directory",
            path=str(path),
        ) from error


def check_file(path: Path) -> None:
    """Refuse a file that was cut off: SQLite takes it for a new one.

    A new file gets its name when it is complete, so a short one is the rest of another.
    """
    if not path.is_file():
        kind = "a directory" if path.is_dir() else "not a regular file"
        raise StoreError(
            f"{path} is {kind}, and the runtime keeps its data in a file of this name: move it "
            "away, or choose another data directory",
            path=str(path),
        )
    size = path.stat().st_size
    if size < _SHORTEST_FILE:
        raise StoreError(
            f"{path} was cut off, it has {size} bytes: what it held is lost. Move it away, with "
            f"{LOG_NAME} and {INDEX_NAME}; then put a backup in its place, or begin with nothing",
            path=str(path),
        )


def check_no_log(path: Path) -> None:
    """Refuse a log without its file: SQLite would apply it to the file that comes next."""
    if _has_log(path):
        raise StoreDamagedError(
            f"there is no {path}, but there is {LOG_NAME}, which holds commits of it. Put it back; "
            f"or move {LOG_NAME} and {INDEX_NAME} away, and put a backup in its place or begin "
            "with nothing",
            path=str(path),
        )


def connect_to_read(path: Path) -> sqlite3.Connection:
    """Open a connection that can neither write nor checkpoint nor remove the log."""
    is_at_rest = not (_has_log(path) or status(path.with_name(INDEX_NAME)))
    # SQLite reads by means of files that it cannot make there, and nobody else can either.
    how = "immutable=1" if is_at_rest and not os.access(path.parent, os.W_OK) else "mode=ro"
    return sqlite3.connect(
        f"file:{quote(str(path.absolute()))}?{how}",
        uri=True,
        isolation_level=None,
        check_same_thread=False,
    )


def check_in_place(path: Path, place: Path, known: tuple[int, int] | None) -> None:
    """Refuse to write once another file, or none, is at the place of the one that was opened.

    Args:
        path: The file, as it was named.
        place: Where the file was when it was opened, absolute.
        known: Its `identity` then.

    Raises:
        StoreDamagedError: If it was removed or replaced.
    """
    if identity(place) != known:
        raise StoreDamagedError(
            f"{path} was removed or replaced while it was in use, and takes no more "
            f"commits. Put it back; or put a backup in its place, {_MOVED}",
            path=str(path),
        )


def check_used(connection: sqlite3.Connection, path: Path) -> int:
    """The schema version of a file that a runtime has used; refuse an empty one."""
    version = check_version(connection, path)
    if not version:
        raise StoreError(
            f"{path} is empty: no runtime has used this directory yet. "
            "Check the name of the data directory",
            path=str(path),
        )
    return version


def open_to_write(path: Path, durability: DiskDurability) -> sqlite3.Connection:
    """Check a file, bring its tables up to date, and open the one connection that writes.

    Raises:
        SchemaTooNewError: If a newer version wrote it.
        StoreDamagedError: If commits that were acknowledged would be lost.
        StoreError: If it cannot be used for another reason.
    """
    try:
        if not path.exists():
            check_no_log(path)
            _make(path)
        check_file(path)
        if durability == "full":
            _check_log(path)
        connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        try:
            _use_wal(connection, path)
            connection.execute(f"PRAGMA synchronous = {durability}")
            connection.execute("PRAGMA temp_store = memory")  # what statements need to undo rows
            connection.execute(f"PRAGMA wal_autocheckpoint = {_CHECKPOINT_PAGES}")
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
        raise StoreError(
            f"{path} cannot be used: {error}. Check its permissions", path=str(path)
        ) from error
    return connection


def _make(path: Path) -> None:
    """Make a file with empty tables; it appears whole or not at all."""
    unfinished = path.with_name(f"{path.name}.new")
    unfinished.unlink(missing_ok=True)
    with closing(sqlite3.connect(unfinished, isolation_level=None)) as connection:
        migrate(connection, unfinished)
    unfinished.replace(path)


def _use_wal(connection: sqlite3.Connection, path: Path) -> None:
    (mode,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
    if mode != "wal":
        raise StoreError(
            f"{path} is on a file system without shared memory (journal mode {mode!r} where "
            "'wal' was asked for): choose a data directory on a local disk",
            path=str(path),
        )


def _check_log(path: Path) -> None:
    """Refuse a log in which SQLite would skip acknowledged commits and write over them."""
    if not _has_log(path):
        return
    log = path.with_name(LOG_NAME)
    # The index is closed after the connection: a file that is closed takes its locks along.
    with ExitStack() as afterwards, closing(connect_to_read(path)) as connection:
        connection.execute("SELECT COUNT(*) FROM sqlite_schema").fetchone()  # reads the log
        (page_bytes,) = connection.execute("PRAGMA page_size").fetchone()
        index = afterwards.enter_context(path.with_name(INDEX_NAME).open("rb"))
        end = end_of_commits(index.read(_INDEX_HEADER), page_bytes)
        if has_lost_commits(log, end, page_bytes):
            raise StoreDamagedError(
                f"{log} is damaged near byte {end}, and commits that were acknowledged stand "
                f"behind the damage. Put a backup of {FILE_NAME} in its place, {_MOVED}, or start "
                "once with the durability 'normal' to go on without those commits: " + _HOW,
                path=str(log),
            )


def _has_log(path: Path) -> bool:
    log = status(path.with_name(LOG_NAME))
    return log is not None and log.st_size > 0


def _is_a_file(directory: Path) -> StoreError:
    return StoreError(
        f"the data directory {directory} is a file: name a directory, or one that can be made",
        path=str(directory),
    )
