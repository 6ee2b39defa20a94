"""Mailboxes: one per address, with its messages, its batch and its values.

Law: the messages of an address are in its batch or behind it. There is a batch exactly while there
are messages, and one at a time; messages that come meanwhile wait and become the next batch, all of
them together.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from statefun.runtime.records import PendingMessage, StoredEntry
    from statefun.sdk.address import Address

__all__ = ["Batch", "Mailbox"]


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """One request to be made; each attempt is a batch of its own.

    Attributes:
        address: Whom it is for.
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
        taken: The messages of the current batch; None if the address is idle.
        waiting: Those behind it; None if there are none.
        batch: The attempt that is in flight, None if none is.
        attempts: How many attempts of the current batch have failed.
        misses: How often in a row no connection could be made.
        asked: How often the function has asked for more values for the current batch.
        values: Name → value of what is stored for the address; None if it has not been loaded.
        changed_in: The epoch in which a value was last changed.
    """

    __slots__ = (
        "address",
        "asked",
        "attempts",
        "batch",
        "changed_in",
        "misses",
        "taken",
        "values",
        "waiting",
    )

    def __init__(self, address: Address) -> None:
        self.address = address
        self.taken: list[PendingMessage] | None = None
        self.waiting: list[PendingMessage] | None = None  # an empty list for each would add up
        self.batch: Batch | None = None
        self.attempts = 0
        self.misses = 0
        self.asked = 0
        self.values: dict[str, StoredEntry] | None = None
        self.changed_in = 0

    def put(self, message: PendingMessage) -> bool:
        """Add a message; returns whether that made a batch."""
        if self.taken is None:
            self.taken = [message]
            return True
        if self.waiting is None:
            self.waiting = [message]
        else:
            self.waiting.append(message)
        return False

    def advance(self) -> list[PendingMessage]:
        """Finish the current batch and let those that wait become the next; returns the finished.

        A cap on the length of a batch would leave the rest waiting, here.
        """
        finished, self.taken, self.waiting = self.taken, self.waiting, None
        self.batch = None
        self.attempts = self.misses = self.asked = 0
        return finished or []
