"""Detect committed frames of a write-ahead log that SQLite skips after a corrupt frame.

For SQLite a log ends at the first frame that does not fit its checksum: what stands behind it may
be of a commit that a power failure cut short. Where each commit is on the disk before the next is
written, a commit that another one continues was on the disk; behind that end it is lost.

Law: nothing here writes. Frames that a failed commit left behind are not a loss, for no later
commit continues them.

Source:
    https://sqlite.org/walformat.html
"""

from __future__ import annotations

import struct
import sys
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterator
    from io import FileIO
    from pathlib import Path

__all__ = ["end_of_commits", "has_lost_commits"]

_Sums: TypeAlias = tuple[int, int]

_HEADER_BYTES = 32
_FRAME = struct.Struct(">4xI8sII")
_INDEX = struct.Struct("=16xI")


class _Frame(NamedTuple):
    """The header of a page in the log."""

    offset: int
    pages: int  # of the file, after the commit that ends here; 0 if none does
    salts: bytes  # of the log since it was last begun anew
    sums: _Sums  # of everything in it up to here


def end_of_commits(index: bytes, page_bytes: int) -> int:
    """Where the commits end that SQLite reads in a log, in bytes.

    Args:
        index: The file `-shm`, while a connection that has read something is open.
        page_bytes: The size of a page.
    """
    (frames,) = _INDEX.unpack_from(index)
    return _HEADER_BYTES + int(frames) * (_FRAME.size + page_bytes)


def has_lost_commits(log: Path, end: int, page_bytes: int) -> bool:
    """Whether there are commits that were on the disk, and that SQLite does not read.

    Args:
        log: The file `-wal`.
        end: Where the commits end that it reads.
        page_bytes: The size of a page.
    """
    with log.open("rb", buffering=0) as file:
        order, salts = _order_and_salts(file.read(_HEADER_BYTES).ljust(_HEADER_BYTES, b"\0"))
        for last, frame in pairwise(_frames(file, end, page_bytes)):
            if last.pages and last.salts == frame.salts and salts in (frame.salts, None):
                file.seek(frame.offset - page_bytes)
                last_page, head, page = map(file.read, (page_bytes, _FRAME.size, page_bytes))
                # Some builds of SQLite fill a block of the disk up with a commit's last page.
                if page != last_page and _sums(head[:8] + page, last.sums, order) == frame.sums:
                    return True
    return False


def _frames(file: FileIO, offset: int, page_bytes: int) -> Iterator[_Frame]:
    """Those that are whole, from an offset on."""
    frame_bytes = _FRAME.size + page_bytes
    size = file.seek(0, 2)
    for each in range(offset, size - frame_bytes + 1, frame_bytes):
        file.seek(each)
        pages, salts, *sums = _FRAME.unpack(file.read(_FRAME.size))
        yield _Frame(each, pages, salts, (sums[0], sums[1]))


def _order_and_salts(header: bytes) -> tuple[str, bytes | None]:
    """The order of bytes in which sums are made, and the salts; None if the header is damaged."""
    for order in "<>":
        if _sums(header[:24], (0, 0), order) == struct.unpack(">II", header[24:]):
            return order, header[16:24]
    return "<" if sys.byteorder == "little" else ">", None


def _sums(content: bytes, before: _Sums, order: str) -> _Sums:
    one, other = before
    for first, second in struct.iter_unpack(f"{order}II", content):
        one = (one + first + other) & 0xFFFFFFFF
        other = (other + second + one) & 0xFFFFFFFF
    return one, other
