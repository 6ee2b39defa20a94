"""Outlets: hands durable egress records to their egresses.

Law: records of one egress are handed over in the order in which they became durable, each once in
the life of a process; those whose egress is not there yet wait for it.
"""

from __future__ import annotations

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
        self._waiting: dict[str, list[OutgoingRecord]] = {}  # by the typename of their egress

    def add(self, egress: Egress) -> None:
        """Hand records to a started egress from now on, first those that waited for it."""
        self._egresses[egress.typename] = egress
        waiting = self._waiting.pop(egress.typename, None)
        if waiting:
            egress.put(waiting)

    def hand_over(self, records: Iterable[OutboxRecord]) -> None:
        """Give durable records to their egresses."""
        by_typename: dict[str, list[OutgoingRecord]] = {}
        for record in records:
            outgoing = OutgoingRecord(record.id, record.argument)
            by_typename.setdefault(record.typename, []).append(outgoing)
        for typename, outgoing_records in by_typename.items():
            egress = self._egresses.get(typename)
            if egress is not None:
                egress.put(outgoing_records)
                continue
            if typename not in self._waiting:
                self._observer.records_wait(typename)
            self._waiting.setdefault(typename, []).extend(outgoing_records)
