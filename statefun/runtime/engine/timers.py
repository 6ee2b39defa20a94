"""Timers: the delayed messages that wait.

A runtime may have far more of them than are due soon. So an engine begins with none in memory. It
has the store read them page by page, in the order in which they fire; those that it sets stay here.

Law: timers fire in the order of (due time, number). A token belongs to the sender's id, whatever
the sender's type, and names at most one waiting timer. Every timer that fires before the end of the
last page is here or gone, and none fires that comes behind that end. A reply with a token that may
be in the store waits until it was looked up. What is gone does not come back with a page that was
read before the store knew.
"""

from __future__ import annotations

import sys
from contextlib import contextmanager
from heapq import heapify, heappop, heappush
from typing import TYPE_CHECKING, Final, NamedTuple

from statefun.runtime.engine.records import WantedTimers

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from statefun.runtime.engine.changes import Changes
    from statefun.runtime.engine.mailbox import Attempt
    from statefun.runtime.engine.records import FoundTimers, Timer, TimerToken
    from statefun.sdk.wire import Cancellation, DelayedMessage

__all__ = ["Pages", "Timers"]

_SLACK = 64
"""So many cancelled timers may lie in the heap whatever its size."""

_NOTHING: Final = (-1, -1)
_EVERYTHING: Final = (sys.maxsize, 0)


class Pages(NamedTuple):
    """How timers are read from a store.

    Attributes:
        size: So many at a time.
        lead_ms: The next page is read so long before the last timer of this one is due.
    """

    size: int = 1000
    lead_ms: int = 5 * 60_000


class Timers:
    """All waiting timers of a runtime.

    Args:
        changes: Says which changes are durable.
        stored: How many timers the store has.
        pages: How these are read.
    """

    __slots__ = (
        "_changes",
        "_gone",
        "_heap",
        "_is_all_read",
        "_looked_up",
        "_now_ms",
        "_pages",
        "_put_off",
        "_read_since",
        "_read_to",
        "_reads",
        "_tokens",
        "_unread",
        "_waiting",
        "_wanted",
    )

    def __init__(self, changes: Changes, stored: int = 0, pages: Pages | None = None) -> None:
        self._changes = changes
        self._pages = pages or Pages()
        self._waiting: dict[int, Timer] = {}
        self._heap: list[tuple[int, int]] = []  # (due_ms, seq); what is cancelled stays for a while
        self._tokens: dict[TimerToken, int] = {}  # → seq
        self._unread = stored  # how many are only in the store, for whoever looks at figures
        self._is_all_read = not stored  # a page that is not full says so, and no figure does
        self._read_to = _NOTHING if stored else _EVERYTHING  # (due_ms, seq) of the last one read
        self._wanted: WantedTimers | None = None  # is being read
        self._read_since = 0  # the durable epoch when that read began
        self._looked_up: frozenset[TimerToken] = frozenset()  # by the last read
        self._put_off: list[tuple[Attempt, bytes, set[TimerToken]]] = []
        self._reads: list[int] = []  # the durable epoch when it began, of each that is under way
        self._gone: dict[int, int] = {}  # seq → epoch, of those that a read may come upon
        self._now_ms = 0

    def __len__(self) -> int:
        return max(0, len(self._waiting) + self._unread)

    @property
    def is_behind(self) -> bool:
        """Whether timers may be due that have not been read."""
        return not self._is_all_read and self._read_to[0] <= self._now_ms

    def add(self, timer: Timer) -> None:
        """Let a timer wait. Its token must not be pending."""
        self._waiting[timer.seq] = timer
        heappush(self._heap, (timer.due_ms, timer.seq))
        if timer.token:
            self._tokens[timer.sender.id, timer.token] = timer.seq

    def is_pending(self, sender_id: str, token: str) -> bool:
        """Whether a timer with this token waits; `puts_off` has let the reply pass."""
        return (sender_id, token) in self._tokens

    def cancel(self, sender_id: str, token: str) -> int | None:
        """Forget the timer with this token and return its number; None if no timer has it."""
        seq = self._tokens.get((sender_id, token))
        if seq is not None:
            self.remove(seq)
        return seq

    def remove(self, seq: int) -> bool:
        """Forget a timer that is here, or was found in the store; returns whether it waited."""
        timer = self._waiting.pop(seq, None)
        if timer is None:
            if self._is_all_read or seq in self._gone:
                return False
            self._gone[seq] = self._changes.epoch
            self._unread -= 1
            return True
        self._leave(timer)
        if len(self._heap) > 2 * len(self._waiting) + _SLACK:
            self._heap = [entry for entry in self._heap if entry[1] in self._waiting]
            heapify(self._heap)
        return True

    def take_due(self, now_ms: int) -> list[Timer]:
        """Take out every timer that is due, in the order in which they fire."""
        self._now_ms = now_ms
        heap, due = self._heap, []
        while heap and heap[0][0] <= now_ms and heap[0] <= self._read_to:
            timer = self._waiting.pop(heappop(heap)[1], None)
            if timer is not None:
                due.append(timer)
                self._leave(timer)
        return due

    def next_due_ms(self) -> int | None:
        """When the next timer fires, or a page has to be read; None if never."""
        heap = self._heap
        while heap and heap[0][1] not in self._waiting:
            heappop(heap)
        times = [heap[0][0]] if heap and heap[0] <= self._read_to else []
        if not self._is_all_read and self._wanted is None:
            times.append(self._page_ms)
        return min(times, default=None)

    @property
    def _page_ms(self) -> int:
        """When the next page has to be read; at once if it will say that there is no more."""
        return self._read_to[0] - self._pages.lead_ms if self._unread > 0 else self._now_ms

    def _leave(self, timer: Timer) -> None:
        """A timer waits no more."""
        if timer.token:
            del self._tokens[timer.sender.id, timer.token]
        if self._reads or not self._is_all_read:
            self._gone[timer.seq] = self._changes.epoch

    # --- those in the store -----------------------------------------------------------------------

    def puts_off(
        self, attempt: Attempt, reply: bytes, delayed: Sequence[Cancellation | DelayedMessage]
    ) -> bool:
        """Keep a reply whose tokens have to be looked up first; returns whether that is so."""
        if self._is_all_read:
            return False
        sender_id = attempt.address.id
        tokens = {(sender_id, effect.token) for effect in delayed if effect.token}
        if self._are_known(tokens):
            return False
        self._put_off.append((attempt, reply, tokens))
        return True

    @property
    def has_put_off(self) -> bool:
        """Whether there are replies that wait."""
        return bool(self._put_off)

    def take_wanted(self, now_ms: int) -> WantedTimers | None:
        """The next read that is needed; None if none is, or while another is under way.

        `found` answers it, and then it is time for a `tick`.
        """
        if self._is_all_read or self._wanted is not None:
            return None
        self._now_ms = now_ms
        is_page_due = self._page_ms <= now_ms
        tokens: set[TimerToken] = set().union(*[tokens for *_, tokens in self._put_off])
        if not (is_page_due or tokens):
            return None
        self._read_since = self._changes.durable_epoch
        self._reads.append(self._read_since)
        after = self._read_to if is_page_due else None
        self._wanted = WantedTimers(after, self._pages.size, tuple(sorted(tokens)))
        return self._wanted

    def found(self, found: FoundTimers) -> list[tuple[Attempt, bytes]]:
        """Take in timers that were read.

        Returns:
            The replies that waited for this, to be given to `Engine.replied` again.
        """
        wanted, self._wanted = self._wanted, None
        assert wanted is not None, "nothing was wanted"  # noqa: S101 - our own invariant
        for timer in (*found.page, *found.named):
            if timer.seq not in self._waiting and timer.seq not in self._gone:
                self.add(timer)
                self._unread -= 1
        if wanted.after is not None and len(found.page) == wanted.most:
            self._read_to = found.page[-1].due_ms, found.page[-1].seq
        elif wanted.after is not None:
            self._read_to, self._unread, self._is_all_read = _EVERYTHING, 0, True
        self._looked_up = frozenset(wanted.tokens)
        self._reads.remove(self._read_since)
        put_off = self._put_off
        self._put_off = [each for each in put_off if not self._are_known(each[2])]
        return [(attempt, reply) for attempt, reply, tokens in put_off if self._are_known(tokens)]

    @contextmanager
    def looking(self) -> Iterator[None]:
        """While somebody reads timers in the store to `remove` some of them."""
        began_in = self._changes.durable_epoch
        self._reads.append(began_in)
        try:
            yield
        finally:
            self._reads.remove(began_in)

    def committed(self) -> None:
        """The store knows more: forget the gone ones that no read comes upon."""
        floor = min((self._changes.durable_epoch, *self._reads))
        while self._gone and next(iter(self._gone.values())) <= floor:
            del self._gone[next(iter(self._gone))]

    def _are_known(self, tokens: set[TimerToken]) -> bool:
        if self._is_all_read:
            return True
        return all(token in self._tokens or token in self._looked_up for token in tokens)
