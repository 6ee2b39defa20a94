"""The turn: state and messages of one address in, one reply out. The core of durable execution.

Law: a turn is a function of its state, its messages, the time and the outcomes of effects. It does
no I/O: who drives it performs the effects that `wave` names, tells it their outcomes by `complete`,
and commits what `end` returns as a whole or not at all.

Each event is told by itself, and the handler runs until it waits before the next one is told. So it
makes no difference to a handler how messages were batched, and where a turn ended.

In strict mode at most one wave of effects runs in a turn: a later effect never acts on the result
of an earlier one before that is committed.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from statefun.durable import _proto
from statefun.durable.exceptions import TerminalError, terminal_cause
from statefun.durable.execution import Execution
from statefun.durable.identity import InvocationId
from statefun.durable.journal import SEGMENTS, Journal
from statefun.durable.outcomes import answer, egress_answer, failed, succeeded
from statefun.durable.retries import retries_of, retries_of_effect
from statefun.durable.server_context import make_context

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from statefun.durable.declaration import Declaration
    from statefun.durable.directory import Directory
    from statefun.durable.handler import Handler
    from statefun.durable.run import Effect, Run
    from statefun.sdk.messages import EgressMessage, Message

__all__ = ["VALUES", "Cached", "Reply", "Turn"]

logger = logging.getLogger("statefun.durable")

VALUES: dict[str, tuple[str, ...]] = {
    "service": ("host", *SEGMENTS, "queue"),
    "object": ("host", *SEGMENTS, "queue", "entries"),
    "workflow": ("host", *SEGMENTS, "queue", "entries", "promises"),
}
"""Kind → the names of the values of its addresses."""

_FORMAT = 1
_BLOCKED_PAUSE_MS = 60_000


@dataclass(slots=True)
class Cached:
    """The executions of an address that stay in memory between turns.

    Attributes:
        stamp: Valid only for a state with the same stamp.
        executions: The executions.
    """

    stamp: int
    executions: list[Execution]

    def close(self) -> None:
        """Put the live coroutines away."""
        for execution in self.executions:
            execution.put_away()


@dataclass(slots=True)
class Reply:
    """What a turn asks for.

    Attributes:
        values: Name → what is to be kept, None to delete it; only what differs.
        messages: Target typename, id and envelope, in order.
        delayed: Delay in milliseconds, target typename, id, envelope, token.
        withdrawn: Tokens of delayed messages that are not wanted any more.
        plain: Messages to plain functions with their delay in milliseconds.
        egress: Records to egresses.
        cached: What may stay in memory.
    """

    values: dict[str, bytes | None]
    messages: list[tuple[str, str, _proto.Envelope]]
    delayed: list[tuple[int, str, str, _proto.Envelope, str]]
    withdrawn: list[str]
    plain: list[tuple[Message, int]]
    egress: list[EgressMessage]
    cached: Cached | None


@dataclass(slots=True)
class _Event:
    """An event for an execution that is still to be told."""

    execution: Execution
    record: _proto.Record


@dataclass(frozen=True, slots=True)
class Ready:
    """An effect that is to be performed now."""

    execution: Execution = field(repr=False)
    effect: Effect


class Turn:
    """One turn of an address of a service, object or workflow.

    Args:
        directory: All services.
        declaration: The one whose address it is.
        typename: The typename of the address.
        target_id: Its id.
        values: Name → what is kept, None if there is nothing.
        now_ms: The time.
        nonce: Chance for this turn: a number that no other turn has.
        cached: What an earlier turn of this process left in memory.
    """

    def __init__(
        self,
        directory: Directory,
        declaration: Declaration,
        typename: str,
        target_id: str,
        values: Mapping[str, bytes | None],
        now_ms: int,
        nonce: int,
        cached: Cached | None = None,
    ) -> None:
        self.directory = directory
        self.declaration = declaration
        self.limits = directory.limits
        self.typename = typename
        self.target_id = target_id
        self.kind = declaration.service_tag.kind
        self.service = declaration.service_tag.name
        self.key = "" if self.kind == "service" else target_id
        self._values = values
        self._nonce = nonce
        self._host = _proto.Host.FromString(values["host"] or b"")
        self.now_ms = max(now_ms, self._host.time_ms)
        self._queue = deque(_proto.Queue.FromString(values.get("queue") or b"").waiting)
        self.entries = dict(_proto.Entries.FromString(values.get("entries") or b"").entries)
        self.entries_changed = False
        self.promises = dict(_proto.Promises.FromString(values.get("promises") or b"").promises)
        self._promises_changed = False
        self._messages: list[tuple[str, str, _proto.Envelope]] = []
        self._knocking: list[_proto.Envelope] = []
        self._plain: list[tuple[Message, int]] = []
        self.egress: list[EgressMessage] = []
        self._sent_bytes = 0
        self._events: deque[_Event] = deque()
        self._begun = 0
        self._has_told_effects = False
        self._must_go_on = False
        self._executions = self._load(cached)

    def _load(self, cached: Cached | None) -> list[Execution]:
        if cached is not None and cached.stamp == self._host.stamp:
            executions = cached.executions
        else:
            if cached is not None:
                cached.close()
            executions = [self._kept(header) for header in tuple(self._host.executions)]
        for execution in executions:
            execution.join(self)
        return executions

    def _kept(self, header: _proto.Execution) -> Execution:
        handler = self.declaration.handlers.get(header.handler)
        if handler is None:
            handler = gone(self.declaration, header.handler, is_shared=bool(header.journal))
        if handler.kind == "shared":
            journal = Journal.of(header.journal)
        else:
            journal = Journal({name: self._values[name] or b"" for name in SEGMENTS})
        return Execution(header, self.declaration, handler, journal, make_context)

    # --- messages ---

    def receive(self, envelope: _proto.Envelope) -> None:
        """Take a message and do everything that follows from it."""
        match envelope.WhichOneof("content"):
            case "invoke":
                self._accept(envelope.invoke)
            case "done":
                done = envelope.done
                record = _proto.Record(kind=_proto.DONE, seq=done.seq, outcome=done.outcome)
                self._address(done.execution, record)
            case "signal":
                signal = envelope.signal
                record = _proto.Record(kind=_proto.SIGNAL, name=signal.name, outcome=signal.outcome)
                self._address(signal.execution, record)
            case "cancel":
                self._cancel(envelope.cancel)
            case "kill":
                self._kill(envelope.kill)
            case "pause":
                self._pause(envelope.pause)
            case "resume":
                self._resume(envelope.resume)
            case "attach":
                self._attach(envelope.attach)
            case "alarm":
                self._ring(envelope.alarm)
            case _:
                pass  # a wake, or what a later version sends
        self._settle()

    def _accept(self, invoke: _proto.Invoke) -> None:
        handler = self.declaration.handlers.get(invoke.handler)
        reply = [invoke.reply] if invoke.HasField("reply") else []
        if handler is None:
            error = TerminalError(f"{self.service} has no handler {invoke.handler!r}", 404)
            self._answer(reply, failed(error))
        elif handler.kind == "shared":
            self._begin(_proto.Waiting(invoke=invoke, waiters=reply))
        elif handler.kind == "workflow" and (self._active or self._host.HasField("receipt")):
            error = TerminalError(
                "the workflow method was already invoked", 409, {"invocation_id": invoke.id}
            )
            self._answer(reply, failed(error))
        elif handler.kind is None and (known := self._known(invoke.id)):
            for route in reply:
                self._join(known, route)
        elif len(self._queue) >= self.limits.queue_invocations:
            self._knocking.append(_proto.Envelope(version=1, invoke=invoke))
        else:
            start_ms = self.now_ms + invoke.delay_ms if invoke.delay_ms else 0
            self._queue.append(_proto.Waiting(invoke=invoke, waiters=reply, start_ms=start_ms))

    @property
    def _active(self) -> Execution | None:
        """The execution that has the key for itself."""
        return next((each for each in self._executions if not each.is_shared), None)

    def _known(self, invocation: str) -> Execution | _proto.Waiting | _proto.Receipt | None:
        """Where an invocation is at this address."""
        for execution in self._executions:
            if execution.id == invocation:
                return execution
        for waiting in self._queue:
            if waiting.invoke.id == invocation:
                return waiting
        has_receipt = self._host.HasField("receipt") and self._host.receipt.id == invocation
        return self._host.receipt if has_receipt else None

    def _address(self, invocation: str, record: _proto.Record) -> None:
        """Give an event to whom it is for; for nobody if that is over."""
        known = self._known(invocation)
        if isinstance(known, Execution):
            self._events.append(_Event(known, record))
        elif isinstance(known, _proto.Waiting):
            known.pending.append(record)

    def _join(
        self, known: Execution | _proto.Waiting | _proto.Receipt, route: _proto.Route
    ) -> None:
        if isinstance(known, Execution):
            known.header.waiters.append(route)
        elif isinstance(known, _proto.Waiting):
            known.waiters.append(route)
        else:
            self._answer([route], known.outcome)

    def _attach(self, attach: _proto.Attach) -> None:
        known = self._known(attach.id)
        if known is None:
            self._answer([attach.reply], failed(TerminalError("not found", 404)))
        elif attach.peek and not isinstance(known, _proto.Receipt):
            error = TerminalError("the invocation exists but has not completed yet", 470)
            self._answer([attach.reply], failed(error))
        else:
            self._join(known, attach.reply)

    def _cancel(self, invocation: str) -> None:
        known = self._known(invocation)
        if isinstance(known, _proto.Waiting):
            self._queue.remove(known)
            self._conclude(known.invoke, known.waiters, failed(TerminalError("cancelled", 409)))
        elif isinstance(known, Execution):
            self._events.append(_Event(known, _proto.Record(kind=_proto.CANCEL)))

    def _kill(self, invocation: str) -> None:
        known = self._known(invocation)
        outcome = failed(TerminalError("killed", 409))
        if isinstance(known, _proto.Waiting):
            self._queue.remove(known)
            self._conclude(known.invoke, known.waiters, outcome)
        elif isinstance(known, Execution):
            if known.run is not None:
                known.save()
            for child in known.header.calls:
                self.send_home(child, _proto.Envelope(kill=child))
            self._finish(known, outcome)

    def _pause(self, invocation: str) -> None:
        known = self._known(invocation)
        if isinstance(known, Execution):
            self._suspend(known, _proto.PAUSED, 0)

    def _resume(self, invocation: str) -> None:
        known = self._known(invocation)
        if isinstance(known, Execution) and known.header.status != _proto.RUNNING:
            known.header.attempts = 0
            self._go_on(known)

    def _ring(self, alarm: _proto.Alarm) -> None:
        self.now_ms = max(self.now_ms, alarm.due_ms)
        if alarm.token == self._host.alarm.token:
            self._host.ClearField("alarm")

    # --- what follows ---

    def _settle(self) -> None:
        """Tell what is to be told, until nothing is left to do but effects."""
        while True:
            if self._events:
                event = self._events.popleft()
                self._tell(event.execution, event.record)
            elif not (self._fire_due() or self._begin_next()):
                break

    def _fire_due(self) -> bool:
        """Let the first execution go on whose time has come; whether there was one."""
        for execution in tuple(self._executions):
            header = execution.header
            if header.status in (_proto.BACKOFF, _proto.BLOCKED):
                if 0 < header.due_ms <= self.now_ms:
                    self._go_on(execution)
                    return True
            elif header.status == _proto.RUNNING and (
                execution.run is not None or 0 < header.due_ms <= self.now_ms
            ):
                if execution.run is None:
                    self._awake(execution)
                    return True
                record = execution.run.due_timer(self.now_ms)
                if record is not None:
                    self._tell(execution, record)
                    return True
        receipt = self._host.receipt
        if self._host.HasField("receipt") and receipt.expires_ms <= self.now_ms:
            self._forget()
            return True
        return False

    def _begin_next(self) -> bool:
        """Begin the next exclusive invocation that may; whether there was one."""
        if self._active is not None:
            return False
        for position, waiting in enumerate(self._queue):
            if waiting.start_ms <= self.now_ms:
                if (
                    self._begun >= self.limits.turn_invocations
                    or self._sent_bytes >= self.limits.reply_bytes
                ):
                    self._must_go_on = True
                    return False
                del self._queue[position]
                self._begun += 1
                self._begin(waiting)
                return True
        return False

    def _begin(self, waiting: _proto.Waiting) -> None:
        """Begin an invocation."""
        invoke = waiting.invoke
        handler = self.declaration.handlers[invoke.handler]
        header = _proto.Execution(
            id=invoke.id,
            handler=invoke.handler,
            waiters=waiting.waiters,
            retention_ms=self._retention_ms(invoke),
        )
        execution = Execution(header, self.declaration, handler, Journal(), make_context)
        execution.join(self)
        self._executions.append(execution)
        self._tell(execution, _proto.Record(kind=_proto.START, invoke=invoke))
        self._events.extend(_Event(execution, record) for record in waiting.pending)

    def _tell(self, execution: Execution, record: _proto.Record) -> None:
        """Tell an execution an event, or keep it until it can be told."""
        if execution.is_over:
            return
        if execution.header.status != _proto.RUNNING:
            execution.header.pending.append(record)
            return
        run = self._awake(execution)
        if run is None:
            self._tell(execution, record)  # the replay has failed: kept, or it is over
            return
        if not run.expects(record):
            return
        record.time_ms = self.now_ms
        if record.kind == _proto.EFFECT:
            self._has_told_effects = True
        execution.tell(run, record)
        self._judge(execution, run, has_progress=True)

    def _awake(self, execution: Execution) -> Run | None:
        """The live coroutine of an execution; None if its replay ended it or failed."""
        if execution.run is not None:
            return execution.run
        run = execution.wake_up()
        if not self._judge(execution, run, has_progress=False):
            return None
        for name, seqs in run.promises.items():
            if name in self.promises:
                for seq in seqs:
                    self.answer(execution.id, seq, self.promises[name])
        return run

    def _judge(self, execution: Execution, run: Run, *, has_progress: bool) -> bool:
        """Draw the consequences of what a handler did; whether it goes on."""
        header, task = execution.header, run.main
        if run.mismatch is not None:
            logger.error("%s", run.mismatch)
            header.failure = str(run.mismatch)
            self._suspend(execution, _proto.BLOCKED, self.now_ms + _BLOCKED_PAUSE_MS)
            return False
        if task is None:
            return True
        if not task.done():
            if run.waits_in_vain:
                self._fail(execution, _in_vain(run))
                return False
            if execution.journal.count > self.limits.journal_records:
                limit = self.limits.journal_records
                error = TerminalError(f"more than {limit} events: split the work", 500)
                self._finish(execution, failed(error))
                return False
            if has_progress:
                header.attempts, header.failure = 0, ""
            header.has_open_end = False
            return True
        self._conclude_task(execution, run, task)
        return False

    def _conclude_task(self, execution: Execution, run: Run, task: asyncio.Task[bytes]) -> None:
        if task.cancelled():
            error = TerminalError("cancelled", 409)
            if run.is_cancelled:
                self._finish(execution, failed(error))
            else:
                self._fail(execution, asyncio.CancelledError("the handler cancelled itself"))
            return
        raised = task.exception()
        if raised is None:
            self._finish(execution, succeeded(task.result()))
        elif (terminal := terminal_cause(raised)) is not None:
            self._finish(execution, failed(terminal))
        else:
            self._fail(execution, raised)

    def _fail(self, execution: Execution, error: BaseException) -> None:
        """An attempt has failed: try again later, or what the policy says."""
        header, policy = execution.header, retries_of(execution.handler.options)
        header.attempts += 1
        header.has_open_end = True
        header.failure = _text(error)
        logger.warning(
            "attempt %d of %s of %s/%s failed: %s",
            header.attempts,
            header.handler,
            self.service,
            self.target_id,
            header.failure,
            exc_info=error,
        )
        if not policy.are_spent(header.attempts, 0):
            due_ms = self.now_ms + policy.pause_ms(header.attempts, error)
            self._suspend(execution, _proto.BACKOFF, due_ms)
        elif policy.on_max_attempts == "pause":
            self._suspend(execution, _proto.PAUSED, 0)
        else:
            self._finish(execution, failed(TerminalError(_text(error), 500)))

    def _suspend(self, execution: Execution, status: int, due_ms: int) -> None:
        """Keep an execution without telling it anything until it may go on."""
        execution.put_away()
        execution.header.status = status  # type: ignore[assignment]
        execution.header.due_ms = due_ms

    def _go_on(self, execution: Execution) -> None:
        """Begin the next attempt, and tell what has come meanwhile."""
        header = execution.header
        header.status = _proto.RUNNING
        header.due_ms = 0
        if self._awake(execution) is None:
            return
        pending = list(header.pending)
        del header.pending[:]
        self._events.extendleft(_Event(execution, record) for record in reversed(pending))

    def _finish(self, execution: Execution, outcome: _proto.Outcome) -> None:
        """An execution is over."""
        execution.is_over = True
        self._executions.remove(execution)
        if execution.run is not None:
            execution.run.close()
            execution.run = None
        self._answer(execution.header.waiters, outcome)
        retention_ms = execution.header.retention_ms
        self._retain(execution.id, retention_ms, outcome, is_shared=execution.is_shared)

    def _conclude(
        self, invoke: _proto.Invoke, waiters: Iterable[_proto.Route], outcome: _proto.Outcome
    ) -> None:
        """An invocation is over that has not begun."""
        self._answer(waiters, outcome)
        self._retain(invoke.id, self._retention_ms(invoke), outcome, is_shared=False)

    def _retain(
        self, invocation: str, retention_ms: int, outcome: _proto.Outcome, *, is_shared: bool
    ) -> None:
        if self.kind == "object" or is_shared:
            return  # objects keep state, and tickets what became of invocations
        if retention_ms > 0:
            expires_ms = self.now_ms + retention_ms
            receipt = _proto.Receipt(id=invocation, outcome=outcome, expires_ms=expires_ms)
            self._host.receipt.CopyFrom(receipt)
        else:
            self._forget()

    def _forget(self) -> None:
        """The time of a receipt is over, and for a workflow that of its state."""
        self._host.ClearField("receipt")
        if self.kind == "workflow":
            self.entries.clear()
            self.promises.clear()
            self.entries_changed = self._promises_changed = True

    def _retention_ms(self, invoke: _proto.Invoke) -> int:
        options = self.declaration.handlers[invoke.handler].options
        chosen = [options.journal_retention]
        if self.kind == "workflow":
            chosen.append(options.workflow_retention or self.limits.retention)
        elif invoke.idempotency_key:
            chosen.append(options.idempotency_retention or self.limits.retention)
        longest = (
            max(each.total_seconds() for each in chosen if each is not None)
            if any(each is not None for each in chosen)
            else 0
        )
        return max(int(longest * 1000), invoke.retention_ms)

    def _answer(self, routes: Iterable[_proto.Route], outcome: _proto.Outcome) -> None:
        """Send an outcome to everybody who waits for it."""
        for route in routes:
            if route.is_egress:
                self.egress.append(egress_answer(route, outcome))
            else:
                self.send(route.typename, route.id, answer(route, outcome))

    # --- for contexts ---

    def send_home(self, invocation: str, envelope: _proto.Envelope) -> None:
        """Send a message to where an invocation lives."""
        self.send(*self.directory.home_of(InvocationId.parse(invocation)), envelope)

    def send(self, typename: str, target_id: str, envelope: _proto.Envelope) -> None:
        """Send a message to an address of ours."""
        envelope.version = 1
        self._messages.append((typename, target_id, envelope))
        self._sent_bytes += envelope.ByteSize()

    def check_message(self, message: Message) -> None:
        """Refuse a message that would hurt the engine.

        Raises:
            TerminalError: If it is too long or for nobody.
        """
        self.directory.check_target(message.target_typename)
        self._check_size(len(message.argument()))

    def check_egress(self, message: EgressMessage) -> None:
        """Refuse a record that would hurt the engine.

        Raises:
            TerminalError: If it is too long or for nobody.
        """
        self.directory.check_egress(message.typename)
        self._check_size(len(message.argument()))

    def _check_size(self, size: int) -> None:
        limit = self.limits.value_bytes
        if size > limit:
            raise TerminalError(f"a message has {size} bytes, more than the limit of {limit}", 413)

    def check_state(self, name: str, data: bytes) -> None:
        """Refuse a value that makes the state too large.

        Raises:
            TerminalError: If it does.
        """
        size = sum(len(value) for key, value in self.entries.items() if key != name) + len(data)
        if size > self.limits.state_bytes:
            raise TerminalError(
                f"with {name!r} the state of {self.service}/{self.key} has {size} bytes, more than "
                f"the limit of {self.limits.state_bytes}: spread it over several keys",
                413,
            )

    def send_plain(self, message: Message, delay_ms: int) -> None:
        """Send a message to a plain function."""
        self._plain.append((message, delay_ms))

    def answer(self, invocation: str, seq: int, outcome: _proto.Outcome) -> None:
        """Complete a command of an invocation at this address, once its handler waits."""
        record = _proto.Record(kind=_proto.PROMISE, seq=seq, outcome=outcome)
        self._address(invocation, record)

    def complete_promise(self, name: str, outcome: _proto.Outcome) -> None:
        """Keep the outcome of a promise, and tell everybody here who awaits it."""
        self.promises[name] = outcome
        self._promises_changed = True
        for execution in self._executions:
            if execution.run is not None:
                for seq in execution.run.promises.get(name, ()):
                    self.answer(execution.id, seq, outcome)
            elif execution.header.status == _proto.RUNNING:
                execution.header.due_ms = 1  # its replay tells whether it awaits it

    # --- effects ---

    def wave(self) -> list[Ready]:
        """The effects to be performed now, side by side; none if the turn should end."""
        ready = [
            Ready(execution, effect)
            for execution in self._executions
            if execution.run is not None and (execution.is_relaxed or not self._has_told_effects)
            for effect in execution.run.effects.values()
            if effect.due_ms <= self.now_ms
        ]
        for each in ready:
            each.effect.first_ms = each.effect.first_ms or self.now_ms
        return ready

    def complete(self, ready: Ready, outcome: bytes | BaseException) -> None:
        """Take what an effect returned, encoded, or what it raised; then `resume`."""
        execution, effect = ready.execution, ready.effect
        self._has_told_effects = True
        if execution.is_over or execution.run is None:
            return
        if isinstance(outcome, bytes):
            if len(outcome) <= self.limits.value_bytes:
                self._record_effect(execution, effect, succeeded(outcome))
                return
            outcome = TerminalError(f"the result of {effect.name!r} is too long", 413)
        terminal = terminal_cause(outcome)
        if terminal is not None:
            self._record_effect(execution, effect, failed(terminal))
        else:
            self._retry_effect(execution, effect, outcome)

    def _record_effect(self, execution: Execution, effect: Effect, outcome: _proto.Outcome) -> None:
        record = _proto.Record(kind=_proto.EFFECT, seq=effect.seq, outcome=outcome)
        self._events.append(_Event(execution, record))
        effect.due_ms = 1 << 62  # performed; its event is on the way

    def _retry_effect(self, execution: Execution, effect: Effect, error: BaseException) -> None:
        handler = retries_of(execution.handler.options)
        own = retries_of_effect(effect.options, handler)
        policy = own or handler
        effect.attempts += 1
        execution.header.failure = f"{effect.name}: {_text(error)}"
        logger.warning(
            "attempt %d of effect %r of %s/%s failed: %s",
            effect.attempts,
            effect.name,
            self.service,
            self.target_id,
            _text(error),
            exc_info=error,
        )
        if not policy.are_spent(effect.attempts, self.now_ms - effect.first_ms):
            effect.due_ms = self.now_ms + policy.pause_ms(effect.attempts, error)
        elif own is not None:
            self._record_effect(execution, effect, failed(TerminalError(_text(error), 500)))
        elif policy.on_max_attempts == "pause":
            effect.attempts, effect.due_ms = 0, 0
            self._suspend(execution, _proto.PAUSED, 0)
        else:
            self._finish(execution, failed(TerminalError(_text(error), 500)))

    def resume(self) -> None:
        """Go on after a wave was completed."""
        self._settle()

    # --- the end ---

    def abandon(self) -> None:
        """Put away what is in memory: the turn has failed, and nothing of it counts."""
        for execution in self._executions:
            execution.put_away()

    def end(self) -> Reply:
        """The reply; the turn is over."""
        for execution in self._executions:
            self._account(execution)
        delayed, withdrawn = self._arm()
        if self._must_go_on:
            self.send(self.typename, self.target_id, _proto.Envelope(wake=True))
        knock_ms = int(self.limits.knock_after.total_seconds() * 1000)
        delayed += [(knock_ms, self.typename, self.target_id, each, "") for each in self._knocking]
        cached = None
        if self._executions:
            cached = Cached(self._nonce, self._executions)
        return Reply(
            self._kept_values(),
            self._messages,
            delayed,
            withdrawn,
            self._plain,
            self.egress,
            cached,
        )

    def _account(self, execution: Execution) -> None:
        """Bring an execution's header up to date, and see whether it has more to do at once."""
        if execution.run is None:
            return
        execution.save()
        due_ms = execution.run.next_due_ms()
        execution.header.due_ms = due_ms
        if 0 < due_ms <= self.now_ms:
            self._must_go_on = True

    def _arm(self) -> tuple[list[tuple[int, str, str, _proto.Envelope, str]], list[str]]:
        """See that one alarm is armed, for the time at which something is due first."""
        dues = [
            execution.header.due_ms
            for execution in self._executions
            if execution.header.due_ms > self.now_ms and execution.header.status != _proto.PAUSED
        ]
        dues += [each.start_ms for each in self._queue if each.start_ms > self.now_ms]
        if self._host.HasField("receipt"):
            dues.append(self._host.receipt.expires_ms)
        due_ms = min(dues, default=0)
        armed = self._host.alarm if self._host.HasField("alarm") else None
        if armed is not None and armed.due_ms == due_ms:
            return [], []
        withdrawn = [armed.token] if armed is not None else []
        self._host.ClearField("alarm")
        if not due_ms:
            return [], withdrawn
        alarm = _proto.Alarm(due_ms=due_ms, token=f"{self.typename}:{self._nonce:016x}")
        self._host.alarm.CopyFrom(alarm)
        envelope = _proto.Envelope(version=1, alarm=alarm)
        delay_ms = due_ms - self.now_ms
        return [(delay_ms, self.typename, self.target_id, envelope, alarm.token)], withdrawn

    def _kept_values(self) -> dict[str, bytes | None]:
        """What is to be kept and differs from what is."""
        host, active = self._host, self._active
        headers = [execution.header for execution in self._executions]
        del host.executions[:]
        host.executions.extend(headers)
        values: dict[str, bytes | None] = {"host": None}
        if self._executions or host.HasField("alarm") or host.HasField("receipt"):
            host.format, host.time_ms = _FORMAT, self.now_ms
            host.stamp = self._nonce if self._executions else 0
            values["host"] = host.SerializeToString()
        segments = active.journal.segments() if active is not None else {}
        values |= {name: segments.get(name) or None for name in SEGMENTS}
        if "queue" in self._values:
            queue = _proto.Queue(waiting=self._queue).SerializeToString()
            values["queue"] = queue or None
        if self.entries_changed:
            entries = _proto.Entries(entries=self.entries)
            values["entries"] = entries.SerializeToString(deterministic=True) or None
        if self._promises_changed:
            promises = _proto.Promises(promises=self.promises)
            values["promises"] = promises.SerializeToString(deterministic=True) or None
        return {name: data for name, data in values.items() if data != self._values.get(name)}


def gone(declaration: Declaration, name: str, *, is_shared: bool) -> Handler[Any, Any]:
    """What stands in for a handler that an older version of the program had."""

    async def missing(*_: object) -> None:
        raise LookupError(
            f"{declaration.service_tag.name} has no handler {name!r} any more, and an invocation "
            "of it has not ended: declare it again until all have"
        )

    some = next(iter(declaration.handlers.values()))
    kind = "shared" if is_shared else None if some.kind is None else "exclusive"
    if declaration.service_tag.kind == "workflow" and not is_shared:
        kind = "workflow"
    return replace(some, name=name, fn=missing, kind=kind, arity=1)  # type: ignore[arg-type]


def _in_vain(run: Run) -> RuntimeError:
    return RuntimeError(
        f"{run.what} awaits something that no durable step will ever complete: await futures of "
        "its context, or what other tasks of the handler complete"
    )


def _text(error: BaseException) -> str:
    try:
        return repr(error)
    except Exception:  # noqa: BLE001 - the user's own __repr__
        return type(error).__name__
