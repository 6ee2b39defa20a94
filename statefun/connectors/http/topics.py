"""Topics: the records that wait for readers, and those that readers have.

Law: a record is waiting or with one reader. It is gone once that reader has it for good: when the
whole answer was written, or, if it is leased, when the reader says so. Otherwise it waits again, in
its place.
"""

from __future__ import annotations

import asyncio
from bisect import insort
from collections import deque
from dataclasses import dataclass
from operator import attrgetter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from statefun.connectors.http.records import Record

__all__ = ["Entry", "Topic"]


@dataclass(frozen=True, slots=True)
class Entry:
    """A record with its id."""

    id: int
    record: Record


class Topic:
    """The records of one topic, the oldest first.

    Called on one event loop.
    """

    def __init__(self) -> None:
        self._waiting: deque[Entry] = deque()
        self._leased: dict[int, tuple[Entry, asyncio.TimerHandle]] = {}
        self._readers: deque[asyncio.Future[None]] = deque()

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, entry: Entry) -> None:
        """Let a new record wait."""
        self._waiting.append(entry)
        self.wake()

    def take(self, most: int, most_bytes: int) -> list[Entry]:
        """Take the oldest records: one at least if any waits, and no more than fit."""
        taken: list[Entry] = []
        size = 0
        while self._waiting and len(taken) < most:
            size += len(self._waiting[0].record.body)
            if taken and size > most_bytes:
                break
            taken.append(self._waiting.popleft())
        return taken

    def put_back(self, entries: Sequence[Entry]) -> None:
        """Let records wait again where they were: others may have been taken meanwhile."""
        for entry in entries:
            insort(self._waiting, entry, key=attrgetter("id"))
            self.wake()

    def lease(self, entries: Sequence[Entry], seconds: float) -> None:
        """Leave records to a reader for so long; they wait again unless it acknowledges them."""
        loop = asyncio.get_running_loop()
        for entry in entries:
            ends = loop.call_later(seconds, self._end_lease, entry.id)
            self._leased[entry.id] = entry, ends

    def return_leased(self, entries: Sequence[Entry]) -> None:
        """Let leased records wait again now: their answer was not written."""
        for entry in entries:
            if entry.id in self._leased:
                self._leased[entry.id][1].cancel()
                self._end_lease(entry.id)

    def acknowledge(self, record_id: int) -> bool:
        """A reader has a record for good; returns whether it was there.

        That is so, too, if its lease ended meanwhile, unless another reader got it for good.
        """
        leased = self._leased.pop(record_id, None)
        if leased is not None:
            leased[1].cancel()
            return True
        for entry in self._waiting:
            if entry.id == record_id:
                self._waiting.remove(entry)
                return True
        return False

    async def wait(self, seconds: float) -> None:
        """Wait until a record may be there, or so long."""
        reader: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._readers.append(reader)
        try:
            async with asyncio.timeout(seconds):
                await reader
        except TimeoutError:
            pass
        finally:
            if not reader.done() or reader.cancelled():
                self._readers.remove(reader)

    def wake(self) -> None:
        """Let the reader look again that has waited longest."""
        while self._readers:
            reader = self._readers.popleft()
            if not reader.done():
                reader.set_result(None)
                return

    def wake_all(self) -> None:
        """Let all readers look again."""
        for _ in range(len(self._readers)):
            self.wake()

    def close(self) -> None:
        """End all leases, and let all readers go."""
        for _, ends in self._leased.values():
            ends.cancel()
        self.wake_all()

    def _end_lease(self, record_id: int) -> None:
        entry, _ = self._leased.pop(record_id)
        self.put_back([entry])
