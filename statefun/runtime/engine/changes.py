"""Changes: everything since the last commit, and the tickets that wait for it to be durable.

Law: at most one delta is in flight. What was begun and ended within one epoch appears in no delta.
Nothing is released before the delta that contains it is durable; a delta that could not be stored
becomes part of the next.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Generic, TypeVar

from statefun.runtime.engine.records import Delta, Released

if TYPE_CHECKING:
    from statefun.runtime.engine.records import (
        DeadLetter,
        FailureRecord,
        GivenUp,
        OutboxRecord,
        PausedAddress,
        PendingMessage,
        Receipt,
        ReceiptKey,
        StoredEntry,
        Timer,
        Trial,
        ValueKey,
    )
    from statefun.sdk.address import Address

__all__ = ["Changes"]

T = TypeVar("T")


@dataclass(slots=True)
class _Tally(Generic[T]):
    """The additions and removals of one epoch, by number.

    Attributes:
        added: The additions that were not removed again.
        removed: The numbers that were removed.
        doubtful: Of what was added, the numbers that may be stored already: a delta with them
            failed, and nobody knows how far it got.
    """

    added: dict[int, T] = field(default_factory=dict)
    removed: list[int] = field(default_factory=list)
    doubtful: set[int] = field(default_factory=set)

    def remove(self, seq: int) -> None:
        """Record a removal; something added in the same epoch leaves no trace.

        Unless it was in a delta before, which may have reached the disk after all.
        """
        is_new = self.added.pop(seq, None) is not None
        if not is_new or seq in self.doubtful:
            self.removed.append(seq)

    def prepend(self, earlier: _Tally[T]) -> None:
        """Become the account of both epochs.

        What the earlier one brought and this one removed is in both parts: whether the earlier
        delta reached the disk after all cannot be known.
        """
        self.doubtful = earlier.doubtful | earlier.added.keys()
        self.added = earlier.added | self.added
        self.removed = earlier.removed + self.removed


@dataclass(slots=True)
class _Epoch:
    """The changes from one commit to the next."""

    values: dict[ValueKey, StoredEntry | None] = field(default_factory=dict)
    messages: _Tally[PendingMessage] = field(default_factory=_Tally)
    timers: _Tally[Timer] = field(default_factory=_Tally)
    egress: _Tally[OutboxRecord] = field(default_factory=_Tally)
    dead_letters: dict[int, DeadLetter | None] = field(default_factory=dict)
    paused: dict[Address, PausedAddress | None] = field(default_factory=dict)
    receipts: dict[ReceiptKey, Receipt | None] = field(default_factory=dict)
    positions: dict[str, bytes | None] = field(default_factory=dict)
    failures: dict[Address, FailureRecord | None] = field(default_factory=dict)
    trials: tuple[Trial, ...] | None = None
    is_running: bool | None = None
    tickets: list[object] = field(default_factory=list)
    replies: list[tuple[object, bytes | GivenUp]] = field(default_factory=list)

    @property
    def is_empty(self) -> bool:
        tallies = (self.messages, self.timers, self.egress)
        others = (
            *(self.values, self.tickets, self.replies, self.dead_letters),
            *(self.paused, self.receipts, self.positions, self.failures),
        )
        if (self.trials, self.is_running) != (None, None):
            return False
        return not (any(others) or any(t.added or t.removed for t in tallies))

    def delta(self, next_seq: int) -> Delta:
        return Delta(
            next_seq,
            self.values,
            tuple(self.messages.added.values()),
            tuple(self.messages.removed),
            tuple(self.timers.added.values()),
            tuple(self.timers.removed),
            tuple(self.egress.added.values()),
            tuple(self.egress.removed),
            self.dead_letters,
            self.paused,
            self.receipts,
            self.positions,
            self.failures,
            self.trials,
            self.is_running,
        )

    def prepend(self, earlier: _Epoch) -> None:
        self.values = earlier.values | self.values
        self.messages.prepend(earlier.messages)
        self.timers.prepend(earlier.timers)
        self.egress.prepend(earlier.egress)
        self.dead_letters = earlier.dead_letters | self.dead_letters
        self.paused = earlier.paused | self.paused
        self.receipts = earlier.receipts | self.receipts
        self.positions = earlier.positions | self.positions
        self.failures = earlier.failures | self.failures
        self.trials = earlier.trials if self.trials is None else self.trials
        self.is_running = earlier.is_running if self.is_running is None else self.is_running
        self.tickets = earlier.tickets + self.tickets
        self.replies = earlier.replies + self.replies


class Changes:
    """Collects changes and turns them into deltas.

    Attributes:
        epoch: The number of the current epoch; the first is 1.
        durable_epoch: The last epoch whose changes are all stored; 0 if there is none.
        durable_seq: No message with a number of this or more is known to be stored.
        next_seq: The next number for a message, a timer or a record; whoever takes it adds one.
    """

    __slots__ = (
        "_in_flight",
        "_in_flight_seq",
        "_now",
        "durable_epoch",
        "durable_seq",
        "epoch",
        "next_seq",
    )

    def __init__(self) -> None:
        self.next_seq = 1
        self.epoch = 1
        self.durable_epoch = 0
        self.durable_seq = 1
        self._in_flight_seq = 1
        self._now = _Epoch()
        self._in_flight: _Epoch | None = None

    def value(self, address: Address, name: str, entry: StoredEntry | None) -> None:
        """A value was set, touched, or (None) removed."""
        self._now.values[address, name] = entry

    def message_added(self, message: PendingMessage) -> None:
        """A message began to wait."""
        self._now.messages.added[message.seq] = message

    def message_removed(self, seq: int) -> None:
        """A message is finished."""
        self._now.messages.remove(seq)

    def timer_added(self, timer: Timer) -> None:
        """A timer was set."""
        self._now.timers.added[timer.seq] = timer

    def timer_removed(self, seq: int) -> None:
        """A timer fired or was cancelled."""
        self._now.timers.remove(seq)

    def egress_added(self, record: OutboxRecord) -> None:
        """A function sent to an egress."""
        self._now.egress.added[record.id] = record

    def egress_removed(self, record_id: int) -> None:
        """A sink delivered a record."""
        self._now.egress.remove(record_id)

    def dead_letter(self, letter_id: int, letter: DeadLetter | None) -> None:
        """A message was given up, or (None) a dead letter was replayed or dropped."""
        self._now.dead_letters[letter_id] = letter

    def pause(self, address: Address, pause: PausedAddress | None) -> None:
        """An address is held, or (None) released."""
        self._now.paused[address] = pause

    def receipt(self, key: ReceiptKey, receipt: Receipt | None) -> None:
        """A message with an idempotency key was taken in, or (None) that was long ago."""
        self._now.receipts[key] = receipt

    def position(self, name: str, position: bytes | None) -> None:
        """An ingress has come so far, or (None) forgets a position."""
        self._now.positions[name] = position

    def failure(self, address: Address, record: FailureRecord | None) -> None:
        """The failed attempts of an address are others, or (None) none any more."""
        self._now.failures[address] = record

    def trial(self, trials: tuple[Trial, ...]) -> None:
        """These messages are tried from now on, and no others."""
        self._now.trials = trials

    def running(self, *, is_running: bool) -> None:
        """Calls that can end the process may be under way from now on, or not any more."""
        self._now.is_running = is_running

    def ticket(self, ticket: object) -> None:
        """Somebody waits for what has changed until now to be durable."""
        self._now.tickets.append(ticket)

    def reply(self, token: object, reply: bytes | GivenUp) -> None:
        """A reply came to somebody who waits for it, or the reason why none will."""
        self._now.replies.append((token, reply))

    def has_reply(self, token: object) -> bool:
        """Whether a reply to somebody is not released yet."""
        epochs = [self._now] if self._in_flight is None else [self._in_flight, self._now]
        return any(waiter is token for epoch in epochs for waiter, _ in epoch.replies)

    @property
    def has_changes(self) -> bool:
        """Whether there is anything that no durable delta contains."""
        return self._in_flight is not None or not self._now.is_empty

    @property
    def has_new(self) -> bool:
        """Whether there will be another delta than the one in flight."""
        return not self._now.is_empty

    def begin(self) -> Delta | None:
        """Close the epoch; None if a delta is in flight, or if nobody needs one.

        An empty delta has nothing to store, but tickets wait for it.
        """
        if self._in_flight is not None:
            return None
        if self._now.is_empty:
            return None
        delta = self._now.delta(self.next_seq)
        self._in_flight_seq = self.next_seq
        self._in_flight = self._now
        self._now = _Epoch()
        self.epoch += 1
        return delta

    def committed(self) -> Released:
        """The delta in flight is durable; returns what may leave."""
        done = self._taken_back()
        self.durable_epoch = self.epoch - 1
        self.durable_seq = self._in_flight_seq
        return Released(tuple(done.tickets), tuple(done.egress.added.values()), tuple(done.replies))

    def failed(self) -> tuple[object, ...]:
        """The delta in flight was not stored, or nobody knows; the next one contains it.

        Returns:
            Every ticket that was not released.
        """
        self._now.prepend(self._taken_back())
        return tuple(self._now.tickets)

    def abandon(self) -> tuple[object, ...]:
        """Every ticket that was not released, once; nothing is ever committed again."""
        epochs = (self._in_flight, self._now)
        tickets = [ticket for epoch in epochs if epoch for ticket in epoch.tickets]
        self._in_flight, self._now = None, _Epoch()
        return tuple(tickets)

    def _taken_back(self) -> _Epoch:
        epoch, self._in_flight = self._in_flight, None
        assert epoch is not None, "no delta is in flight"  # noqa: S101 - our own invariant
        return epoch
