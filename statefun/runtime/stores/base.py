"""Stores: where a runtime keeps what has to survive it.

Law: a delta is stored whole or not at all, and `commit` returns when it is as durable as the store
promises. What a store gives back is what the deltas said, in the order of their numbers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from statefun.runtime.engine.records import (
        DeadLetter,
        Delta,
        FoundTimers,
        OutboxRecord,
        PausedAddress,
        PendingMessage,
        Recovered,
        StoredEntry,
        Timer,
        ValueCount,
        WantedTimers,
    )
    from statefun.sdk.address import Address

__all__ = ["Reader", "Store"]


class Reader(Protocol):
    """Looks at what is stored; sees whole commits only."""

    def load(self, address: Address) -> Mapping[str, StoredEntry]:
        """The values of one address: name → value; empty if nothing is stored for it.

        Values that have expired and were not removed yet are among them.
        """
        ...

    def load_many(self, addresses: Sequence[Address]) -> dict[Address, Mapping[str, StoredEntry]]:
        """The values of several addresses: address → what `load` gives, for each that is asked.

        May be called from another thread than `commit`, at the same time.
        """
        ...

    def value_counts(self) -> list[ValueCount]:
        """How many addresses have which values of which type, ordered; no value is read for it."""
        ...

    def addresses(self, typename: str, after: str | None = None) -> Iterator[Address]:
        """The addresses of a function that have a value, ordered by id.

        Args:
            typename: The function's.
            after: Only those whose id comes after this one; None for all.
        """
        ...

    def typenames(self) -> Iterator[str]:
        """The functions that have a value at some address, ordered."""
        ...

    def timers(self) -> Iterator[Timer]:
        """The delayed messages waiting, in the order in which they fire."""
        ...

    def find_timers(self, wanted: WantedTimers) -> FoundTimers:
        """Some of the delayed messages; may be called at the same time as `commit`."""
        ...

    def dead_letters(self) -> Iterator[DeadLetter]:
        """The messages that were given up, in the order of their ids."""
        ...

    def dead_letter(self, letter_id: int) -> DeadLetter | None:
        """One of them, None if there is none of that id."""
        ...

    def paused(self) -> Iterator[PausedAddress]:
        """The addresses that are held, ordered."""
        ...

    def messages(self, address: Address) -> Iterator[PendingMessage]:
        """The messages waiting for an address or being worked on, in the order of their numbers."""
        ...

    def records(self) -> Iterator[OutboxRecord]:
        """The records that wait for their egresses, oldest first."""
        ...

    def recover(self, *, with_letter_times: bool = True) -> Recovered:
        """Everything besides values and timers; called once, before the first commit.

        Args:
            with_letter_times: Whether `letter_times` is needed, which names every dead letter.
        """
        ...

    def close(self) -> None:
        """Release every resource; calling it again does nothing."""
        ...


class Store(Reader, Protocol):
    """Keeps what a runtime commits."""

    @property
    def is_blocking(self) -> bool:
        """Whether `commit` waits for a disk, and belongs in a thread of its own."""
        ...

    def mark_running(self) -> None:
        """Remember that a process runs, until a delta says that it ended; durable on return.

        Called after `recover` and before the first commit.
        """
        ...

    def commit(self, delta: Delta) -> None:
        """Store a delta; atomic, and durable when it returns.

        Called from one thread at a time, while `load` may be called from another.

        Raises:
            StoreDamagedError: If it cannot be stored, however often it is tried.
            StoreError: If it was not stored, or nobody knows; the next delta contains this one.
        """
        ...
