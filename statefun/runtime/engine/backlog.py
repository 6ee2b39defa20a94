"""The backlog: all messages that wait or are being worked on.

Law: an address with messages is at one place at a time: ready, on its way to a function, loading,
waiting for a retry, or paused. Every message that is added is finished once.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from statefun.runtime.engine.records import PendingMessage

if TYPE_CHECKING:
    from statefun.runtime.engine.changes import Changes
    from statefun.runtime.engine.failures import FailureState
    from statefun.runtime.engine.mailbox import Mailbox
    from statefun.runtime.engine.residency import Residency
    from statefun.sdk.address import Address

__all__ = ["Backlog"]


class Backlog:
    """The messages in all mailboxes.

    Args:
        residency: The mailboxes.
        changes: Told of each message that is added or finished; gives the numbers.

    Attributes:
        ready: The mailboxes whose batch is to be sent, in order.
        busy: How many mailboxes have a batch and are not paused.
        waiting_bytes: The bytes that all messages together count for.
    """

    __slots__ = ("_changes", "_residency", "busy", "ready", "waiting_bytes")

    def __init__(self, residency: Residency, changes: Changes) -> None:
        self._residency = residency
        self._changes = changes
        self.ready: deque[Mailbox] = deque()
        self.busy = 0
        self.waiting_bytes = 0

    def add(
        self, target: Address, caller: Address | None, argument: bytes, topic: str = ""
    ) -> None:
        """Let a new message wait."""
        changes = self._changes
        message = PendingMessage(caller, argument, target, changes.next_seq, topic)
        changes.next_seq += 1
        changes.message_added(message)
        self.put(message)

    def put(self, message: PendingMessage) -> None:
        """Let a message wait that has a number."""
        residency = self._residency
        mailbox = residency.find(message.target) or residency.open(message.target)
        weight = mailbox.weight
        is_batch = mailbox.put(message)
        self.waiting_bytes += mailbox.weight - weight
        if is_batch and not mailbox.is_paused:
            self.busy += 1
            self.ready.append(mailbox)

    def finish(self, mailbox: Mailbox) -> list[PendingMessage]:
        """Finish the batch of a mailbox and let the next one follow; returns its messages."""
        weight = mailbox.weight
        failures = mailbox.failures
        finished = mailbox.advance()
        if failures is not None:
            self.note_failures(mailbox, failures)
        self.waiting_bytes -= weight - mailbox.weight
        message_removed = self._changes.message_removed
        for message in finished:
            message_removed(message.seq)
        if mailbox.taken is None:
            self.busy -= 1
        else:
            self.ready.append(mailbox)
        return finished

    def note_failures(self, mailbox: Mailbox, failures: FailureState) -> None:
        """Have the store remember the failed attempts of a mailbox as they are now.

        Args:
            mailbox: Whose.
            failures: Those that it has, or had before all of its batch was finished.
        """
        record = None
        if mailbox.failures is not None:
            record = failures.record(mailbox.address, len(mailbox.taken or ()))
        if record is not None or failures.is_stored:
            failures.is_stored = record is not None
            self._changes.failure(mailbox.address, record)

    def hold(self) -> None:
        """A mailbox with a batch is paused from now on."""
        self.busy -= 1

    def resume(self, mailbox: Mailbox) -> None:
        """A mailbox with a batch is paused no more."""
        self.busy += 1
        self.ready.append(mailbox)
