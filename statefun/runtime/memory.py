"""A store in memory: nothing survives the process, everything else is as on disk."""

from __future__ import annotations

from typing import TYPE_CHECKING

from statefun.runtime.records import Recovered
from statefun.sdk.address import Address

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from statefun.runtime.records import (
        Delta,
        OutboxRecord,
        PendingMessage,
        StoredEntry,
        Timer,
    )

__all__ = ["MemoryStore"]


class MemoryStore:
    """Keeps what a runtime commits, until the process ends."""

    is_blocking = False

    def __init__(self) -> None:
        self._next_seq = 1
        self._values: dict[Address, dict[str, StoredEntry]] = {}
        self._messages: dict[int, PendingMessage] = {}
        self._timers: dict[int, Timer] = {}
        self._egress: dict[int, OutboxRecord] = {}

    def commit(self, delta: Delta) -> None:
        """Take a delta in."""
        self._next_seq = delta.next_seq
        for (address, name), entry in delta.values.items():
            if entry is None:
                self._remove(address, name)
            else:
                self._values.setdefault(address, {})[name] = entry
        self._messages.update((message.seq, message) for message in delta.messages)
        self._timers.update((timer.seq, timer) for timer in delta.timers)
        self._egress.update((record.id, record) for record in delta.egress)
        for gone, kept in (
            (delta.consumed, self._messages),
            (delta.timers_gone, self._timers),
            (delta.egress_gone, self._egress),
        ):
            for seq in gone:
                kept.pop(seq, None)

    def _remove(self, address: Address, name: str) -> None:
        values = self._values.get(address, {})
        values.pop(name, None)
        if not values:
            self._values.pop(address, None)

    def load(self, address: Address) -> Mapping[str, StoredEntry]:
        """The values of one address."""
        return self._values.get(address, {})

    def addresses(self, typename: str) -> Iterator[Address]:
        """The addresses of a function that have a value, ordered by id."""
        ids = sorted(address.id for address in self._values if address.typename == typename)
        return (Address(typename, each) for each in ids)

    def timers(self) -> Iterator[Timer]:
        """The delayed messages waiting, in the order in which they fire."""
        return iter(sorted(self._timers.values(), key=lambda timer: (timer.due_ms, timer.seq)))

    def recover(self) -> Recovered:
        """Everything besides values."""
        return Recovered(
            self._next_seq,
            tuple(self._messages[seq] for seq in sorted(self._messages)),
            tuple(self.timers()),
            tuple(self._egress[seq] for seq in sorted(self._egress)),
        )

    def close(self) -> None:
        """Nothing to release; the content stays, so a store can be handed to a next runtime."""
