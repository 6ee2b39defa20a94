"""Outlets: hands durable egress records to their egresses.

Law: records of one egress are handed over by commits, in the order in which they became durable,
each once in the life of a process; those whose egress is not there, or has no room, wait for it.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from statefun.ports import OutgoingRecord

if TYPE_CHECKING:
    from collections.abc import Iterable

    from statefun.ports import Egress
    from statefun.runtime.engine.records import OutboxRecord
    from statefun.runtime.observe import Observer

__all__ = ["Outlets"]


class Outlets:
    """The egresses that have started.

    Args:
        observer: Learns of records whose egress is not there.
    """

    def __init__(self, observer: Observer) -> None:
        self._observer = observer
        self._egresses: dict[str, Egress] = {}
        self._waiting: dict[str, deque[tuple[int, list[OutgoingRecord]]]] = {}  # typename → epochs

    @property
    def without_room(self) -> str:
        """The typename of an egress that pushes back, empty if none does."""
        return next((name for name in self._waiting if name in self._egresses), "")

    def add(self, egress: Egress) -> None:
        """Hand records to a started egress from now on, first those that waited for it."""
        self._egresses[egress.typename] = egress
        self.push()

    def hand_over(self, epoch: int, records: Iterable[OutboxRecord]) -> None:
        """Give the durable records of a commit to their egresses."""
        by_typename: dict[str, list[OutgoingRecord]] = {}
        for record in records:
            outgoing = OutgoingRecord(record.id, record.argument)
            by_typename.setdefault(record.typename, []).append(outgoing)
        for typename, outgoing_records in by_typename.items():
            egress = self._egresses.get(typename)
            if egress is not None and typename not in self._waiting and egress.has_room:
                egress.put(epoch, outgoing_records)
                continue
            if egress is None and typename not in self._waiting:
                self._observer.records_wait(typename)
            self._waiting.setdefault(typename, deque()).append((epoch, outgoing_records))

    def push(self) -> None:
        """Hand over records that wait, to egresses that have room."""
        for typename, epochs in list(self._waiting.items()):
            egress = self._egresses.get(typename)
            while egress is not None and epochs and egress.has_room:
                egress.put(*epochs.popleft())
            if not epochs:
                del self._waiting[typename]
