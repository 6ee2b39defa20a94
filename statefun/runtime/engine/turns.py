"""Turns: applies the results of functions, and lets their delayed messages fire.

Law: a result that was checked is applied whole, within one call: its messages are finished, its
values are set, and its messages, timers and records are added, in this order.

Source:
    Apache StateFun applies a reply in this order (RequestReplyFunction, DelaySink).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from statefun.runtime.engine.records import OutboxRecord, Timer
from statefun.runtime.engine.replies import CALLER
from statefun.sdk.wire import Cancellation

if TYPE_CHECKING:
    from statefun.runtime.engine.backlog import Backlog
    from statefun.runtime.engine.changes import Changes
    from statefun.runtime.engine.counters import Counters
    from statefun.runtime.engine.declarations import Declarations
    from statefun.runtime.engine.mailbox import Mailbox
    from statefun.runtime.engine.replies import Replies
    from statefun.runtime.engine.residency import Residency
    from statefun.runtime.engine.timers import Timers
    from statefun.sdk.address import Address
    from statefun.sdk.wire import DelayedMessage, Result

__all__ = ["Turns"]


class Turns:
    """Applies results.

    Args:
        residency: The mailboxes and their values.
        backlog: The messages that wait.
        timers: The delayed messages.
        replies: Those who wait for replies.
        changes: Told of each timer and record; gives the numbers.
        counters: Told of everything.
    """

    def __init__(
        self,
        residency: Residency,
        backlog: Backlog,
        timers: Timers,
        replies: Replies,
        changes: Changes,
        counters: Counters,
    ) -> None:
        self._residency = residency
        self._backlog = backlog
        self._timers = timers
        self._replies = replies
        self._changes = changes
        self._counters = counters

    def apply(self, mailbox: Mailbox, result: Result, declared: Declarations, now_ms: int) -> None:
        """Apply a checked result of a mailbox's batch, and let the next batch follow."""
        counters, sender = self._counters, mailbox.address
        counters.batches += 1
        counters.invocations += len(self._backlog.finish(mailbox))
        if result.mutations:
            set_value = self._residency.set_value
            for name, change in result.mutations.items():
                entry = None if change is None else declared.of(name, change).write(change, now_ms)
                set_value(mailbox, name, entry)
        if result.messages:
            counters.messages_sent += len(result.messages)
            for sent in result.messages:
                self._send(sent.target, sender, sent.argument, now_ms)
        for effect in result.delayed:
            if isinstance(effect, Cancellation):
                self._cancel(sender, effect.token)
            else:
                self._delay(sender, effect, now_ms)
        if result.egress:
            changes = self._changes
            counters.egress_records += len(result.egress)
            for record in result.egress:
                changes.egress_added(
                    OutboxRecord(changes.next_seq, record.typename, record.argument)
                )
                changes.next_seq += 1

    def fire(self, now_ms: int) -> None:
        """Let due timers fire: each becomes a message that waits."""
        for timer in self._timers.take_due(now_ms):
            self._counters.timers_fired += 1
            self._changes.timer_removed(timer.seq)
            self._send(timer.target, timer.sender, timer.argument, now_ms)

    def cancel_timer(self, seq: int) -> bool:
        """Cancel a delayed message by its number; returns whether it waited."""
        is_removed = self._timers.remove(seq)
        if is_removed:
            self._removed(seq)
        return is_removed

    def _send(self, target: Address, sender: Address, argument: bytes, now_ms: int) -> None:
        if target.typename == CALLER:
            self._replies.give(target, sender, argument, now_ms)
        else:
            self._backlog.add(target, sender, argument)

    def _delay(self, sender: Address, message: DelayedMessage, now_ms: int) -> None:
        changes, due_ms = self._changes, now_ms + message.delay_ms
        timer = Timer(
            changes.next_seq, due_ms, sender, message.target, message.argument, message.token
        )
        changes.next_seq += 1
        self._counters.timers_set += 1
        self._timers.add(timer)
        changes.timer_added(timer)

    def _cancel(self, sender: Address, token: str) -> None:
        seq = self._timers.cancel(sender.id, token)
        if seq is not None:
            self._removed(seq)

    def _removed(self, seq: int) -> None:
        self._counters.timers_cancelled += 1
        self._changes.timer_removed(seq)
