"""Mailboxes: one for each address, with its messages, its batch and its values.

Law: the messages of an address are in its batch or behind it, in the order in which they came.
There is a batch exactly while there are messages, and one at a time; messages that come meanwhile
wait and become the next batch, as many of them together as the limits allow.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias

from statefun.runtime.engine.failures import FailureState
from statefun.runtime.engine.policy import WAITING_BYTES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from statefun.runtime.engine.policy import Limits
    from statefun.runtime.engine.records import FailureRecord, PendingMessage, StoredEntry
    from statefun.sdk.address import Address

__all__ = ["Attempt", "Mailbox"]

Freshness: TypeAlias = Literal["known", "ask", "fresh"]


class Attempt(NamedTuple):
    """One attempt with a batch: a request to be made, answered by a reply or a failure.

    Attributes:
        address: The address it is for.
        request: A serialized ToFunction.
        messages: The numbers of its messages, in order.
        attempt: Which attempt this is; the first is 1.
        declared: How many values were declared for the function when the request was built.
    """

    address: Address
    request: bytes
    messages: tuple[int, ...]
    attempt: int
    declared: int


class Mailbox:
    """Everything an engine holds of one address.

    Attributes:
        address: Whose it is.
        limits: How much it may have.
        share: The most bytes that it counts for in the runtime.
        taken: The messages of the current batch; None if the address has none.
        waiting: Those behind it, and behind the parts of a batch that was taken apart.
        count: How many messages there are in all.
        size: How many bytes they have.
        attempt: The attempt that is in flight, None if none is.
        asked: How often the function has asked for more values for the current batch.
        freshness: Whether the next attempt goes by what is `known` of the function's values, has
            the function `ask` for all of them anew, or goes by its `fresh` answer.
        was_held: Whether it is tried again after it was held because of a value.
        failures: The failed attempts with the current batch and its parts, None for none.
        values: Name → value of what is stored for the address; None if it has not been loaded.
        edits: Name → value, None to delete it, of changes made before the values were loaded.
        changed_in: The epoch in which a value was last changed.
        weight: The bytes that its messages count for in the runtime.
    """

    __slots__ = (
        "address",
        "asked",
        "attempt",
        "changed_in",
        "count",
        "edits",
        "failures",
        "freshness",
        "limits",
        "share",
        "size",
        "taken",
        "values",
        "waiting",
        "was_held",
        "weight",
    )

    def __init__(self, address: Address, limits: Limits, share: int) -> None:
        self.address = address
        self.limits = limits
        self.share = share
        self.taken: list[PendingMessage] | None = None
        self.waiting: deque[PendingMessage] | None = None  # an empty one for each would add up
        self.count = 0
        self.size = 0
        self.attempt: Attempt | None = None
        self.asked = 0
        self.freshness: Freshness = "known"
        self.was_held = False
        self.failures: FailureState | None = None
        self.values: dict[str, StoredEntry] | None = None
        self.edits: dict[str, StoredEntry | None] | None = None
        self.changed_in = 0
        self.weight = 0

    @property
    def is_paused(self) -> bool:
        """Whether it is held until somebody releases it."""
        return self.failures is not None and self.failures.pause is not None

    @property
    def is_held(self) -> bool:
        """Whether it waits because a value cannot be read."""
        pause = None if self.failures is None else self.failures.pause
        return pause is not None and pause.cause == "unreadable-value"

    @property
    def messages(self) -> list[PendingMessage]:
        """The messages of the current batch, of which there must be one."""
        assert self.taken is not None, "there is no batch"  # noqa: S101 - our own invariant
        return self.taken

    @property
    def is_full(self) -> bool:
        """Whether it takes no more from outside."""
        limits = self.limits
        has_all = self.count >= limits.max_waiting or self.size >= limits.max_waiting_bytes
        return has_all or self.weight >= self.share

    def with_edits(self, stored: Mapping[str, StoredEntry]) -> dict[str, StoredEntry]:
        """The stored values with the changes that were made before they were loaded."""
        edited = {**stored, **(self.edits or {})}
        return {name: entry for name, entry in edited.items() if entry is not None}

    def put(self, message: PendingMessage) -> bool:
        """Add a message; returns whether that made a batch."""
        self.count += 1
        self.size += len(message.argument)
        self.weight = min(self.size + self.count * WAITING_BYTES, self.share)
        if self.taken is None:
            self.taken = [message]
            return True
        if self.waiting is None:
            self.waiting = deque((message,))
        else:
            self.waiting.append(message)
        return False

    def take_apart(self, size: int) -> None:
        """Let the current batch be its first `size` messages, and the rest follow as a part."""
        assert self.failures is not None, "nothing failed"  # noqa: S101 - our own invariant
        self.taken, rest = self.messages[:size], self.messages[size:]
        self.failures.set_aside(rest)
        self.asked = 0

    def try_first(self, size: int) -> None:
        """Let the current batch be its first `size` messages at most; the rest follow as a part."""
        if len(self.messages) > size:
            if self.failures is None:
                self.failures = FailureState()
            self.taken, rest = self.messages[:size], self.messages[size:]
            self.failures.try_later(rest)
            self.asked = 0

    def recover(self, record: FailureRecord) -> None:
        """Go on with the batch and the parts of an earlier process.

        All messages of the address have been put before.
        """
        waiting = deque(self.taken or ())
        waiting.extend(self.waiting or ())
        parts = [
            ([waiting.popleft() for _ in range(min(size, len(waiting)))], attempts)
            for size, attempts in record.parts
        ]
        parts = [part for part in parts if part[0]]
        if not parts:
            return
        (self.taken, attempts), *behind = parts
        self.waiting = waiting or None
        pause = None if self.failures is None else self.failures.pause
        self.failures = FailureState(
            attempts,
            parts=deque(behind),
            first_failed_ms=record.first_failed_ms,
            deaths=record.deaths,
            is_stored=True,
            pause=pause,
        )

    def advance(self) -> list[PendingMessage]:
        """Finish the current batch and let the next one follow; returns the finished one.

        The next one is the next part of a batch that was taken apart, or else all that waits, as
        far as the limits go.
        """
        finished = self.messages
        self.attempt = None
        self.asked = 0
        self.freshness = "known"
        self.count -= len(finished)
        self.size -= sum([len(message.argument) for message in finished])
        self.weight = min(self.size + self.count * WAITING_BYTES, self.share)
        if self.failures is not None and self.failures.parts:
            self.taken = self.failures.next_part()
        else:
            self.failures = None
            self.taken = self._next_batch()
        return finished

    def _next_batch(self) -> list[PendingMessage] | None:
        waiting, limits = self.waiting, self.limits
        if waiting is None:
            return None
        if self.count <= limits.max_batch and self.size <= limits.max_batch_bytes:
            self.waiting = None
            return list(waiting)
        batch = [waiting.popleft()]
        size = len(batch[0].argument)
        while waiting and len(batch) < limits.max_batch:
            size += len(waiting[0].argument)
            if size > limits.max_batch_bytes:
                break
            batch.append(waiting.popleft())
        if not waiting:
            self.waiting = None
        return batch
