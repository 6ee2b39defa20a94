"""The journal: what a handler was told in earlier turns, in order, and what it did about it.

Law: a journal only grows. Its records are events; commands are not stored with what they carry, for
a replay gives them again, but by their names, so that another program is noticed.

It is kept in three segments, each rewritten only when the one before it is full: what a turn writes
does not grow with the journal.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from statefun.durable import _proto

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["SEGMENTS", "Journal"]

SEGMENTS = ("journal0", "journal1", "journal2")
_LIMITS = (2 << 10, 32 << 10)


class Journal:
    """The records of one execution.

    Args:
        segments: The segments as they are kept, the newest records in the first.
    """

    __slots__ = ("_last", "_segments", "count")

    def __init__(self, segments: Mapping[str, bytes] | None = None) -> None:
        given = segments or {}
        self._segments = [given.get(name, b"") for name in SEGMENTS]
        self._last: _proto.Record | None = None
        self.count = 0

    @classmethod
    def of(cls, data: bytes) -> Journal:
        """A journal from one piece; see `encoded`."""
        return cls({SEGMENTS[0]: data})

    @property
    def is_empty(self) -> bool:
        """Whether it has no record."""
        return self._last is None and not any(self._segments)

    def records(self) -> list[_proto.Record]:
        """All records, oldest first."""
        self._segments[0] += self._tail()
        self._last = None
        records = list(_proto.Journal.FromString(b"".join(reversed(self._segments))).records)
        self.count = len(records)
        return records

    def open_last(self, records: list[_proto.Record]) -> None:
        """Let the last of all records be extended again after a replay."""
        segment = next(index for index, data in enumerate(self._segments) if data)
        inside = _proto.Journal.FromString(self._segments[segment])
        self._last = records[-1]
        del inside.records[-1]
        self._segments[segment] = inside.SerializeToString()

    def append(self, record: _proto.Record) -> None:
        """Add a record; its commands may be added to it until the next one is appended."""
        self._seal()
        self._last = record
        self.count += 1

    def encoded(self) -> bytes:
        """The whole in one piece."""
        return b"".join((*reversed(self._segments), self._tail()))

    def segments(self) -> dict[str, bytes]:
        """The segments as they are to be kept."""
        newest = self._segments[0] + self._tail()
        return dict(zip(SEGMENTS, (newest, *self._segments[1:]), strict=True))

    @property
    def size(self) -> int:
        """How many bytes it has, the last record left out."""
        return sum(map(len, self._segments))

    def _tail(self) -> bytes:
        if self._last is None:
            return b""
        return _proto.Journal(records=[self._last]).SerializeToString()

    def _seal(self) -> None:
        self._segments[0] += self._tail()
        self._last = None
        for index, limit in enumerate(_LIMITS):
            if len(self._segments[index]) > limit:
                self._segments[index + 1] += self._segments[index]
                self._segments[index] = b""
