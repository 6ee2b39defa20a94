"""A copy of a data file, taken at one moment while a runtime goes on using it.

Law: the copy is what some commit left, whole; it is there under its name only when it is durable.
To restore it, put it into an empty directory as `statefun.db`.
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

from statefun.errors import StoreError
from statefun.runtime.stores.datafile import store_error
from statefun.runtime.stores.sqlite import FILE_NAME, SqliteReader

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["back_up"]


def back_up(directory: Path, file: Path) -> int:
    """Copy the data file of a directory.

    Args:
        directory: The data directory.
        file: The copy. A file of that name is not replaced.

    Returns:
        The size of the copy in bytes.

    Raises:
        StoreError: If there is nothing to copy, the copy exists already, or it cannot be written.
    """
    SqliteReader(directory).close()  # an error that says what is wrong with the directory
    if file.exists():
        raise StoreError(
            f"{file} is there already and is not replaced: choose another name", path=str(file)
        )
    unfinished = file.with_name(f"{file.name}.unfinished")
    try:
        unfinished.unlink(missing_ok=True)  # of a process that was killed
        _copy(directory / FILE_NAME, unfinished)
        os.link(unfinished, file)  # unlike a rename, it replaces nothing
        unfinished.unlink()
        _sync(file.absolute().parent)
    except FileExistsError as error:
        raise StoreError(
            f"{file} is there already and is not replaced: choose another name", path=str(file)
        ) from error
    except OSError as error:
        unfinished.unlink(missing_ok=True)
        raise StoreError(
            f"{file} cannot be written: {error.strerror or error}. Check the directory, its "
            "permissions and the free space",
            path=str(file),
        ) from error
    return file.stat().st_size


def _copy(source: Path, copy: Path) -> None:
    try:
        with (
            closing(sqlite3.connect(f"{source.absolute().as_uri()}?mode=ro", uri=True)) as reader,
            closing(sqlite3.connect(copy)) as writer,
        ):
            writer.execute("PRAGMA synchronous = FULL")
            reader.backup(writer)  # in one step: what some commit left
            writer.execute("PRAGMA journal_mode = DELETE")  # one file, without a log beside it
    except sqlite3.Error as error:
        copy.unlink(missing_ok=True)
        raise store_error(copy, error) from error


def _sync(directory: Path) -> None:
    """Make the name of a file durable."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
