"""Timers: the delayed messages that wait.

Law: timers fire in the order of (due time, number). A token belongs to the sender's id, whatever
the sender's type, and names at most one waiting timer.
"""

from __future__ import annotations

from heapq import heapify, heappop, heappush
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from statefun.runtime.engine.records import Timer

__all__ = ["Timers"]

_SLACK = 64
"""So many cancelled timers may lie in the heap whatever its size."""


class Timers:
    """All waiting timers of a runtime."""

    __slots__ = ("_heap", "_tokens", "_waiting")

    def __init__(self) -> None:
        self._waiting: dict[int, Timer] = {}
        self._heap: list[tuple[int, int]] = []  # (due_ms, seq); what is cancelled stays for a while
        self._tokens: dict[tuple[str, str], int] = {}  # (sender id, token) → seq

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, timer: Timer) -> None:
        """Let a timer wait. Its token must not be pending."""
        self._waiting[timer.seq] = timer
        heappush(self._heap, (timer.due_ms, timer.seq))
        if timer.token:
            self._tokens[timer.sender.id, timer.token] = timer.seq

    def is_pending(self, sender_id: str, token: str) -> bool:
        """Whether a timer with this token waits."""
        return (sender_id, token) in self._tokens

    def cancel(self, sender_id: str, token: str) -> Timer | None:
        """Forget the timer with this token and return it; None if no timer has it."""
        seq = self._tokens.get((sender_id, token))
        return None if seq is None else self.remove(seq)

    def remove(self, seq: int) -> Timer | None:
        """Forget the timer with this number and return it; None if no timer has it."""
        timer = self._waiting.pop(seq, None)
        if timer is None:
            return None
        if timer.token:
            del self._tokens[timer.sender.id, timer.token]
        if len(self._heap) > 2 * len(self._waiting) + _SLACK:
            self._heap = [entry for entry in self._heap if entry[1] in self._waiting]
            heapify(self._heap)
        return timer

    def take_due(self, now_ms: int) -> list[Timer]:
        """Take out every timer that is due, in the order in which they fire."""
        due: list[Timer] = []
        while self._heap and self._heap[0][0] <= now_ms:
            timer = self._waiting.pop(heappop(self._heap)[1], None)
            if timer is not None:
                due.append(timer)
                if timer.token:
                    del self._tokens[timer.sender.id, timer.token]
        return due

    def next_due_ms(self) -> int | None:
        """When the next timer fires, None if none waits."""
        while self._heap and self._heap[0][1] not in self._waiting:
            heappop(self._heap)
        return self._heap[0][0] if self._heap else None
