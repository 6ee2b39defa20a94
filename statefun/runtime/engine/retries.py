"""Retries: the addresses whose batch failed and waits to be tried again.

Law: an address is in here at most once, and comes out when its time has come, the earliest first;
those of one time come out in the order in which they failed.
"""

from __future__ import annotations

from heapq import heappop, heappush
from itertools import count
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from statefun.runtime.engine.mailbox import Mailbox

__all__ = ["Retries"]


class Retries:
    """All batches that wait for their next attempt."""

    __slots__ = ("_heap", "_ties")

    def __init__(self) -> None:
        self._heap: list[tuple[int, int, Mailbox]] = []  # (when it is due, tie break, whose)
        self._ties = count()

    def __len__(self) -> int:
        return len(self._heap)

    def add(self, due_ms: int, mailbox: Mailbox) -> None:
        """Let the batch of a mailbox wait until a point in time."""
        heappush(self._heap, (due_ms, next(self._ties), mailbox))

    def take_due(self, now_ms: int) -> list[Mailbox]:
        """Take out the mailboxes whose time has come."""
        due = []
        while self._heap and self._heap[0][0] <= now_ms:
            due.append(heappop(self._heap)[2])
        return due

    def take_unreachable(self, is_meant: Callable[[str], bool]) -> list[Mailbox]:
        """Take out the mailboxes that wait because no connection could be made.

        Those stay whose endpoint said when to try again.

        Args:
            is_meant: Whether the functions of a typename are meant.
        """
        taken, later = [], []
        for entry in sorted(self._heap):
            mailbox = entry[2]
            failures = mailbox.failures
            is_missed = failures is not None and failures.misses and not failures.waits_as_told
            if is_missed and is_meant(mailbox.address.typename):
                taken.append(mailbox)
            else:
                later.append(entry)
        self._heap = later
        return taken

    def clock_set(self, by_ms: int) -> None:
        """Wait as long as before on a clock that was set and now shows `by_ms` more."""
        self._heap = [(due_ms + by_ms, tie, mailbox) for due_ms, tie, mailbox in self._heap]

    def next_due_ms(self) -> int | None:
        """When the next one is due, None if none waits."""
        return self._heap[0][0] if self._heap else None
