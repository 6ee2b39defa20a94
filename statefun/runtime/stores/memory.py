"""A store in memory: nothing survives the process, everything else is as on disk."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, TypeVar

from statefun.runtime.engine.records import FoundTimers, Recovered, ValueCount
from statefun.sdk.address import Address

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from statefun.runtime.engine.records import (
        DeadLetter,
        Delta,
        FailureRecord,
        OutboxRecord,
        PausedAddress,
        PendingMessage,
        Receipt,
        ReceiptKey,
        StoredEntry,
        Timer,
        Trial,
        WantedTimers,
    )

__all__ = ["MemoryStore"]

K = TypeVar("K")
V = TypeVar("V")


class MemoryStore:
    """Keeps what a runtime commits, until the process ends."""

    is_blocking = False

    def __init__(self) -> None:
        self._next_seq = 1
        self._values: dict[Address, dict[str, StoredEntry]] = {}
        self._messages: dict[int, PendingMessage] = {}
        self._timers: dict[int, Timer] = {}
        self._egress: dict[int, OutboxRecord] = {}
        self._dead_letters: dict[int, DeadLetter] = {}
        self._paused: dict[Address, PausedAddress] = {}
        self._positions: dict[str, bytes] = {}
        self._receipts: dict[ReceiptKey, Receipt] = {}
        self._failures: dict[Address, FailureRecord] = {}
        self._trials: tuple[Trial, ...] = ()
        self._is_running = False

    def mark_running(self) -> None:
        """Remember that a process runs."""
        self._is_running = True

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
        _update(self._dead_letters, delta.dead_letters)
        _update(self._paused, delta.paused)
        _update(self._positions, delta.positions)
        _update(self._receipts, delta.receipts)
        _update(self._failures, delta.failures)
        if delta.trials is not None:
            self._trials = delta.trials
        if delta.is_running is not None:
            self._is_running = delta.is_running

    def _remove(self, address: Address, name: str) -> None:
        values = self._values.get(address, {})
        values.pop(name, None)
        if not values:
            self._values.pop(address, None)

    def load(self, address: Address) -> Mapping[str, StoredEntry]:
        """The values of one address."""
        return self._values.get(address, {})

    def load_many(self, addresses: Sequence[Address]) -> dict[Address, Mapping[str, StoredEntry]]:
        """The values of several addresses."""
        return {address: self.load(address) for address in addresses}

    def value_counts(self) -> list[ValueCount]:
        """How many addresses have which values of which type, ordered."""
        counts = Counter(
            (address.typename, name, entry.typename)
            for address, values in self._values.items()
            for name, entry in values.items()
        )
        return sorted(ValueCount(*key, count) for key, count in counts.items())

    def addresses(self, typename: str, after: str | None = None) -> Iterator[Address]:
        """The addresses of a function that have a value, ordered by id; those behind an id."""
        ids = sorted(address.id for address in self._values if address.typename == typename)
        return (Address(typename, each) for each in ids if after is None or each > after)

    def typenames(self) -> Iterator[str]:
        """The functions that have a value at some address, ordered."""
        return iter(sorted({address.typename for address in self._values}))

    def timers(self) -> Iterator[Timer]:
        """The delayed messages waiting, in the order in which they fire."""
        return iter(sorted(self._timers.values(), key=lambda timer: (timer.due_ms, timer.seq)))

    def find_timers(self, wanted: WantedTimers) -> FoundTimers:
        """Some of the delayed messages."""
        after = wanted.after
        page = (
            []
            if after is None
            else [each for each in self.timers() if (each.due_ms, each.seq) > after]
        )
        tokens = set(wanted.tokens)
        named = [each for each in self._timers.values() if (each.sender.id, each.token) in tokens]
        return FoundTimers(page[: wanted.most], named)

    def dead_letters(self) -> Iterator[DeadLetter]:
        """The messages that were given up, in the order of their ids."""
        return iter([self._dead_letters[each] for each in sorted(self._dead_letters)])

    def dead_letter(self, letter_id: int) -> DeadLetter | None:
        """One of them, None if there is none of that id."""
        return self._dead_letters.get(letter_id)

    def paused(self) -> Iterator[PausedAddress]:
        """The addresses that are held, ordered."""
        return iter([self._paused[each] for each in sorted(self._paused)])

    def messages(self, address: Address) -> Iterator[PendingMessage]:
        """The messages waiting for an address, in the order of their numbers."""
        of_address = [each for each in self._messages.values() if each.target == address]
        return iter(sorted(of_address, key=lambda message: message.seq))

    def records(self) -> Iterator[OutboxRecord]:
        """The records that wait for their egresses, oldest first."""
        return iter([self._egress[seq] for seq in sorted(self._egress)])

    def recover(self, *, with_letter_times: bool = True) -> Recovered:
        """Everything besides values and timers."""
        letters = self._dead_letters.values() if with_letter_times else ()
        return Recovered(
            self._next_seq,
            tuple(self._messages[seq] for seq in sorted(self._messages)),
            len(self._timers),
            tuple(self.records()),
            len(self._dead_letters),
            {
                each.id: each.last_failed_ms
                for each in sorted(letters, key=lambda each: (each.last_failed_ms, each.id))
            },
            tuple(self.paused()),
            dict(sorted(self._receipts.items(), key=lambda item: item[1].seq)),
            dict(sorted(self._positions.items())),
            tuple(self._failures[each] for each in sorted(self._failures)),
            tuple(sorted(self._trials, key=lambda trial: trial.seq)),
            self._is_running,
        )

    def close(self) -> None:
        """Nothing to release; the content stays, so a store can be handed to a next runtime."""


def _update(kept: dict[K, V], changes: Mapping[K, V | None]) -> None:
    for key, change in changes.items():
        if change is None:
            kept.pop(key, None)
        else:
            kept[key] = change
