"""The contents of a data directory, in numbers."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["BusyAddress", "StoreSummary"]


@dataclass(frozen=True, slots=True)
class BusyAddress:
    """An address that messages wait for.

    Attributes:
        typename: The function's.
        id: Its id.
        messages: How many wait.
    """

    typename: str
    id: str
    messages: int


@dataclass(frozen=True, slots=True)
class StoreSummary:
    """How much waits, and how much was given up.

    Attributes:
        messages: Messages that wait, those of paused addresses too.
        busiest: The addresses with most of them, most first.
        timers: Delayed messages that wait.
        next_due_ms: When the first of them is due, in milliseconds since the epoch; None if none
            waits.
        dead_letters: Messages that were given up.
        paused: Addresses that are held.
        records: Typename of an egress → records that nobody has taken yet.
        addresses: Typename of a function → addresses with a value, where that is known without
            reading them all: the largest count of one of its values.
    """

    messages: int
    busiest: tuple[BusyAddress, ...]
    timers: int
    next_due_ms: int | None
    dead_letters: int
    paused: int
    records: dict[str, int]
    addresses: dict[str, int]
