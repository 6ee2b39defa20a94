"""Tickets: delayed and idempotent invocations of objects, each at an address of its own.

A ticket waits until its time, hands its invocation to the object, and keeps what became of it. So
an object carries neither what is still to come nor what was long ago, and both can be cancelled and
attached to by their id.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from statefun.durable import _proto
from statefun.durable.exceptions import TerminalError
from statefun.durable.identity import InvocationId
from statefun.durable.outbox import Outbox
from statefun.durable.outcomes import failed
from statefun.durable.turn import Reply

if TYPE_CHECKING:
    from statefun.durable.directory import Directory

__all__ = ["TicketTurn"]

_KNOCK_MS = 1000


class TicketTurn:
    """One turn of a ticket.

    Args:
        directory: All services.
        typename: The typename of the ticket.
        target_id: Its id, which is that of the invocation.
        kept: What is kept; None if there is nothing.
        now_ms: The time.
        nonce: A number that no other turn has.
    """

    def __init__(
        self,
        directory: Directory,
        typename: str,
        target_id: str,
        kept: bytes | None,
        now_ms: int,
        nonce: int,
    ) -> None:
        self._directory = directory
        self._typename = typename
        self._target_id = target_id
        self._invocation = InvocationId.parse(target_id)
        self._object = directory.typename(self._invocation.service)
        self._kept = kept
        self._ticket = None if kept is None else _proto.Ticket.FromString(kept)
        self._now_ms = now_ms
        self._nonce = nonce
        self._outbox = Outbox(directory, typename, target_id)

    def receive(self, envelope: _proto.Envelope) -> None:
        """Take a message."""
        content = envelope.WhichOneof("content")
        if content == "alarm":
            self._ring(envelope.alarm)
        elif content == "invoke":
            self._accept(envelope.invoke)
        elif content == "attach":
            self._attach(envelope.attach)
        elif content == "done" and not envelope.done.execution:
            self._conclude(envelope.done.outcome)
        elif self._ticket is None or self._ticket.HasField("outcome"):
            pass  # for an invocation that is over
        elif self._ticket.is_forwarded:
            self._outbox.send(self._object, self._invocation.key, envelope)
        elif content in ("cancel", "kill"):
            word = "cancelled" if content == "cancel" else "killed"
            self._conclude(failed(TerminalError(word, 409)))
        elif content in ("done", "signal"):  # too early: once more when it may have begun
            self._outbox.send_to_self(_KNOCK_MS, envelope)

    def _accept(self, invoke: _proto.Invoke) -> None:
        reply = [invoke.reply] if invoke.HasField("reply") else []
        if self._ticket is None:
            self._ticket = _proto.Ticket(invoke=invoke)
            self._ticket.due_ms = self._now_ms + invoke.delay_ms
            if not invoke.delay_ms:
                self._forward(self._ticket)
        if self._ticket.HasField("outcome"):
            self._outbox.answer(reply, self._ticket.outcome, self._ticket.due_ms)
        else:
            self._ticket.waiters.extend(reply)

    def _forward(self, ticket: _proto.Ticket) -> None:
        invoke = _proto.Invoke()
        invoke.CopyFrom(ticket.invoke)
        invoke.ClearField("delay_ms")
        invoke.reply.CopyFrom(_proto.Route(typename=self._typename, id=self._target_id))
        ticket.is_forwarded = True
        ticket.due_ms = 0
        envelope = _proto.Envelope(invoke=invoke)
        self._outbox.send(self._object, self._invocation.key, envelope)

    def _attach(self, attach: _proto.Attach) -> None:
        if self._ticket is None:
            self._outbox.answer([attach.reply], failed(TerminalError("not found", 404)))
        elif self._ticket.HasField("outcome"):
            self._outbox.answer([attach.reply], self._ticket.outcome, self._ticket.due_ms)
        elif attach.peek:
            error = TerminalError("the invocation exists but has not completed yet", 470)
            self._outbox.answer([attach.reply], failed(error))
        else:
            self._ticket.waiters.append(attach.reply)

    def _conclude(self, outcome: _proto.Outcome) -> None:
        ticket = self._ticket
        if ticket is None or ticket.HasField("outcome"):
            return
        self._outbox.answer(ticket.waiters, outcome)
        del ticket.waiters[:]
        retention_ms = self._directory.retention_ms(self._invocation.service, ticket.invoke)
        if retention_ms <= 0:
            self._drop(ticket)
        else:
            ticket.outcome.CopyFrom(outcome)
            ticket.due_ms = self._now_ms + retention_ms

    def _ring(self, alarm: _proto.Alarm) -> None:
        self._now_ms = max(self._now_ms, alarm.due_ms)
        ticket = self._ticket
        if ticket is None:
            return
        if ticket.alarm.token == alarm.token:
            ticket.ClearField("alarm")
        if not 0 < ticket.due_ms <= self._now_ms:
            return
        if ticket.HasField("outcome"):
            self._drop(ticket)
        elif not ticket.is_forwarded:
            self._forward(ticket)

    def _drop(self, ticket: _proto.Ticket) -> None:
        if ticket.HasField("alarm"):
            self._outbox.withdrawn.append(ticket.alarm.token)
        self._ticket = None

    def end(self) -> Reply:
        """The reply; the turn is over."""
        if self._ticket is not None:
            self._outbox.arm(self._ticket, self._ticket.due_ms, self._now_ms, self._nonce)
        kept = None if self._ticket is None else self._ticket.SerializeToString()
        values = {} if kept == self._kept else {"ticket": kept}
        return Reply(values, self._outbox)
