"""The inbox: what the messages to an address ask for.

Law: a message changes what is kept, or becomes an event for an execution. One for an invocation
that is not here, because it is over, changes nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from statefun.durable import _proto
from statefun.durable.exceptions import TerminalError
from statefun.durable.execution import Execution
from statefun.durable.outcomes import failed

if TYPE_CHECKING:
    from statefun.durable.attempts import Attempts
    from statefun.durable.run import Actor
    from statefun.durable.surroundings import Surroundings

__all__ = ["Inbox"]

_TAKEN = {
    *("invoke", "attach", "done", "signal", "query", "update"),
    *("cancel", "kill", "pause", "resume", "alarm"),
}
"""The contents of envelopes; each has a method of its name."""


class Inbox:
    """Takes the messages of a turn.

    Args:
        here: The address.
        attempts: Its executions.
    """

    def __init__(self, here: Surroundings[Execution], attempts: Attempts) -> None:
        self._here = here
        self._attempts = attempts

    def take(self, envelope: _proto.Envelope) -> None:
        """Take a message."""
        content = envelope.WhichOneof("content")
        if content in _TAKEN:  # the rest is a wake, or what a later version sends
            getattr(self, f"_{content}")(getattr(envelope, content))

    # --- invocations ---

    def _invoke(self, invoke: _proto.Invoke) -> None:
        here = self._here
        reply = [invoke.reply] if invoke.HasField("reply") else []
        size = len(invoke.argument)
        handler = here.declaration.handler_of(invoke.handler)
        if handler is None:
            error = TerminalError(f"{here.service} has no handler {invoke.handler!r}", 404)
            here.outbox.answer(reply, failed(error))
        elif handler.kind == "shared":
            if here.shared_bytes and here.shared_bytes + size > here.limits.queue_bytes:
                self._knock_again(invoke)
            else:
                self._attempts.begin(_proto.Waiting(invoke=invoke, waiters=reply))
        elif handler.kind == "workflow" and (here.active or here.kept.receipt):
            again = TerminalError(
                "the workflow method was already invoked", 409, {"invocation_id": invoke.id}
            )
            here.outbox.answer(reply, failed(again))
        elif handler.kind is None and (known := here.known(invoke.id)):
            for route in reply:
                self._join(known, route)
        elif here.kept.queue and (
            len(here.kept.queue) >= here.limits.queue_invocations
            or here.kept.queue_bytes + size > here.limits.queue_bytes
        ):
            self._knock_again(invoke)
        else:
            start_ms = here.now_ms + invoke.delay_ms if invoke.delay_ms else 0
            here.kept.enqueue(_proto.Waiting(invoke=invoke, waiters=reply, start_ms=start_ms))

    def _knock_again(self, invoke: _proto.Invoke) -> None:
        """Have an invocation come again later, since too much waits here."""
        knock_ms = int(self._here.limits.knock_after.total_seconds() * 1000)
        self._here.outbox.send_to_self(knock_ms, _proto.Envelope(invoke=invoke))

    def _attach(self, attach: _proto.Attach) -> None:
        known = self._here.known(attach.id)
        if known is None:
            self._refuse(attach.reply, TerminalError("not found", 404))
        elif attach.peek and not isinstance(known, _proto.Receipt):
            error = TerminalError("the invocation exists but has not completed yet", 470)
            self._refuse(attach.reply, error)
        else:
            self._join(known, attach.reply)

    def _join(
        self, known: Execution | _proto.Waiting | _proto.Receipt, route: _proto.Route
    ) -> None:
        if isinstance(known, Execution):
            known.header.waiters.append(route)
        elif isinstance(known, _proto.Waiting):
            known.waiters.append(route)
        else:
            self._here.outbox.answer([route], known.outcome, known.expires_ms)

    def _refuse(self, route: _proto.Route, error: TerminalError) -> None:
        self._here.outbox.answer([route], failed(error))

    # --- events and questions ---

    def _done(self, done: _proto.Done) -> None:
        record = _proto.Record(kind=_proto.DONE, seq=done.seq, outcome=done.outcome)
        self._event(done.execution, record)

    def _signal(self, signal: _proto.Signal) -> None:
        record = _proto.Record(kind=_proto.SIGNAL, name=signal.name, outcome=signal.outcome)
        self._event(signal.execution, record)

    def _event(self, invocation: str, record: _proto.Record) -> None:
        """Give an event to whom it is for; for nobody if that is over."""
        known = self._here.known(invocation)
        if isinstance(known, Execution):
            self._here.tell(known, record)
        elif isinstance(known, _proto.Waiting):
            known.pending.append(record)

    def _query(self, query: _proto.Query) -> None:
        actor = self._asked(query.execution)
        if actor is None:
            self._refuse(query.reply, TerminalError("not found", 404))
        else:
            self._here.outbox.answer([query.reply], actor.query(query))

    def _update(self, update: _proto.Update) -> None:
        known = self._here.known(update.execution)
        actor = self._asked(update.execution)
        routes = [update.accepted] if update.HasField("accepted") else [update.reply]
        if actor is None or not isinstance(known, Execution):
            self._here.outbox.answer(routes, failed(TerminalError("not found", 404)))
        elif (refusal := actor.validate(update)) is not None:
            self._here.outbox.answer(routes, refusal)
        else:
            self._here.tell(known, _proto.Record(kind=_proto.UPDATE, update=update))

    def _asked(self, invocation: str) -> Actor | None:
        """Who answers for an execution; one that cannot run now is shown as it was."""
        known = self._here.known(invocation)
        if not isinstance(known, Execution):
            return None
        if known.header.status == _proto.RUNNING:
            self._attempts.awake(known)
        if known.is_over:
            return None
        run = known.run or known.glimpse().run
        return None if run is None else run.actor

    # --- operators ---

    def _cancel(self, invocation: str) -> None:
        known = self._here.known(invocation)
        if isinstance(known, _proto.Waiting):
            self._drop(known, TerminalError("cancelled", 409))
        elif isinstance(known, Execution):
            self._here.tell(known, _proto.Record(kind=_proto.CANCEL))

    def _kill(self, invocation: str) -> None:
        known = self._here.known(invocation)
        error = TerminalError("killed", 409)
        if isinstance(known, _proto.Waiting):
            self._drop(known, error)
        elif isinstance(known, Execution):
            if known.run is not None:
                known.save()
            for child in known.header.calls:
                self._here.outbox.send_home(child, _proto.Envelope(kill=child))
            self._attempts.finish(known, failed(error))

    def _drop(self, waiting: _proto.Waiting, error: TerminalError) -> None:
        queue = self._here.kept.queue
        self._here.kept.dequeue(queue.index(waiting))
        self._attempts.conclude(waiting.invoke, waiting.waiters, failed(error))

    def _pause(self, invocation: str) -> None:
        known = self._here.known(invocation)
        if isinstance(known, Execution):
            self._attempts.suspend(known, _proto.PAUSED, 0)

    def _resume(self, invocation: str) -> None:
        known = self._here.known(invocation)
        if isinstance(known, Execution) and known.header.status != _proto.RUNNING:
            known.header.attempts = 0
            self._attempts.go_on(known)

    def _alarm(self, alarm: _proto.Alarm) -> None:
        here = self._here
        here.now_ms = max(here.now_ms, alarm.due_ms)
        if alarm.token == here.kept.host.alarm.token:
            here.kept.host.ClearField("alarm")
