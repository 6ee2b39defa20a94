"""Attempts: executions are told their events, and what their handlers make of it has consequences.

Law: each event is told by itself, and the handler runs until it waits before the next one is told.
A failed attempt undoes nothing; the next one begins with a replay of what it did.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from statefun.durable import _proto
from statefun.durable.exceptions import TerminalError
from statefun.durable.execution import Execution
from statefun.durable.outcomes import failed, shown

if TYPE_CHECKING:
    from collections.abc import Iterable

    from statefun.durable.execution import FrontEnd
    from statefun.durable.run import Run
    from statefun.durable.surroundings import Surroundings

__all__ = ["Attempts"]

logger = logging.getLogger("statefun.durable")

_BLOCKED_PAUSE_MS = 60_000


class Attempts:
    """The attempts of the executions at an address, in one turn.

    Args:
        here: The address.
        front_end: Who knows how they run.

    Attributes:
        has_told_effects: Whether the result of an effect was told in this turn.
        have_failed: Whether an attempt has failed in this turn.
    """

    def __init__(self, here: Surroundings[Execution], front_end: FrontEnd) -> None:
        self._here = here
        self._front_end = front_end
        self.has_told_effects = False
        self.have_failed = False

    def begin(self, waiting: _proto.Waiting) -> None:
        """Begin an invocation."""
        here, invoke = self._here, waiting.invoke
        header = _proto.Execution(
            id=invoke.id,
            handler=invoke.handler,
            waiters=waiting.waiters,
            retention_ms=here.directory.retention_ms(here.service, invoke),
        )
        execution = Execution(header, here.declaration, self._front_end)
        execution.join(here)
        here.executions.append(execution)
        self.tell(execution, _proto.Record(kind=_proto.START, invoke=invoke))
        for record in waiting.pending:
            here.tell(execution, record)

    def tell(self, execution: Execution, record: _proto.Record) -> None:
        """Tell an execution an event, or keep it until it can be told."""
        if execution.is_over:
            return
        if execution.header.status != _proto.RUNNING:
            execution.header.pending.append(record)
            return
        run = self.awake(execution)
        if run is None:
            self.tell(execution, record)  # the replay has failed: kept, or it is over
            return
        if not run.expects(record):
            return
        record.time_ms = self._here.now_ms
        if record.kind == _proto.EFFECT:
            self.has_told_effects = True
        execution.tell(run, record)
        self._decide(execution, run, has_progress=True)

    def awake(self, execution: Execution) -> Run | None:
        """The live coroutine of an execution; None if its replay ended it or failed."""
        if execution.run is not None:
            return execution.run
        run = execution.wake_up()
        if not self._decide(execution, run, has_progress=False):
            return None
        promises = self._here.kept.promises
        for name, seqs in run.promises.items():
            if name in promises:
                for seq in seqs:
                    self._here.answer(execution, seq, promises[name])
        return run

    def _decide(self, execution: Execution, run: Run, *, has_progress: bool) -> bool:
        """Draw the consequences of what a handler did; whether it goes on."""
        header = execution.header
        if run.mismatch is not None:
            logger.error("%s", run.mismatch)
            header.failure = str(run.mismatch)
            self.suspend(execution, _proto.BLOCKED, self._here.now_ms + _BLOCKED_PAUSE_MS)
            return False
        verdict = run.verdict()
        if isinstance(verdict, BaseException):
            self._fail(execution, verdict)
            return False
        if verdict is not None:
            self.finish(execution, verdict)
            return False
        too_long = self._too_long(execution)
        if too_long is not None:
            self.finish(execution, failed(TerminalError(too_long, 500)))
            return False
        if has_progress:
            header.attempts, header.failure = 0, ""
        header.has_open_end = False
        return True

    def _too_long(self, execution: Execution) -> str | None:
        """Why its journal is too long to go on; None if it is not."""
        limits, journal = self._here.limits, execution.journal
        if journal.count > limits.journal_records:
            return f"the invocation has more than {limits.journal_records} events: split the work"
        if journal.size > limits.journal_bytes:
            return (
                f"the journal of the invocation has more than {limits.journal_bytes} bytes: split "
                "the work, and keep what is large elsewhere"
            )
        return None

    # --- failures ---

    def _fail(self, execution: Execution, error: BaseException) -> None:
        """An attempt has failed: try again later, or what the policy says."""
        self.have_failed = True
        header, policy = execution.header, execution.retries
        header.attempts += 1
        header.has_open_end = True
        header.failure = shown(error)
        logger.warning(
            "attempt %d of %s of %s/%s failed: %s",
            header.attempts,
            header.handler,
            self._here.service,
            self._here.target_id,
            header.failure,
            exc_info=error,
        )
        if policy.are_spent(header.attempts, 0):
            self.give_up(execution, error)
        else:
            due_ms = self._here.now_ms + policy.pause_ms(header.attempts, error)
            self.suspend(execution, _proto.BACKOFF, due_ms)

    def give_up(self, execution: Execution, error: BaseException) -> None:
        """The last attempt has failed."""
        if execution.retries.on_max_attempts == "pause":
            self.suspend(execution, _proto.PAUSED, 0)
        else:
            self.finish(execution, failed(TerminalError(shown(error), 500)))

    def suspend(self, execution: Execution, status: int, due_ms: int) -> None:
        """Keep an execution without telling it anything until it may go on."""
        execution.put_away()
        execution.header.status = status  # type: ignore[assignment]
        execution.header.due_ms = due_ms

    def go_on(self, execution: Execution) -> None:
        """Begin the next attempt, and tell what has come meanwhile."""
        header = execution.header
        header.status = _proto.RUNNING
        header.due_ms = 0
        if self.awake(execution) is None:
            return
        pending = list(header.pending)
        del header.pending[:]
        self._here.tell_first(execution, pending)

    # --- the end ---

    def finish(self, execution: Execution, outcome: _proto.Outcome) -> None:
        """An execution is over."""
        execution.is_over = True
        self._here.executions.remove(execution)
        execution.close()
        self._here.outbox.answer(execution.header.waiters, outcome)
        if not execution.is_shared:
            self._retain(execution.id, execution.header.retention_ms, outcome)
            if self._here.kept.receipt is not None and _is_looked_at(execution, outcome):
                self._here.kept.close(execution.header, execution.journal)

    def conclude(
        self, invoke: _proto.Invoke, waiters: Iterable[_proto.Route], outcome: _proto.Outcome
    ) -> None:
        """An invocation is over that has not begun."""
        self._here.outbox.answer(waiters, outcome)
        retention_ms = self._here.directory.retention_ms(self._here.service, invoke)
        self._retain(invoke.id, retention_ms, outcome)

    def _retain(self, invocation: str, retention_ms: int, outcome: _proto.Outcome) -> None:
        if self._here.kind == "object":
            return  # objects keep state, and tickets what became of invocations
        if retention_ms > 0:
            expires_ms = self._here.now_ms + retention_ms
            receipt = _proto.Receipt(id=invocation, outcome=outcome, expires_ms=expires_ms)
            self._here.kept.host.receipt.CopyFrom(receipt)
        else:
            self.forget()

    def forget(self) -> None:
        """The time of a receipt is over, and for a workflow that of its state."""
        self._here.kept.forget(with_state=self._here.kind == "workflow")


def _is_looked_at(execution: Execution, outcome: _proto.Outcome) -> bool:
    """Whether the journal of an invocation that is over is kept: if it failed, or by option."""
    has_failed = outcome.WhichOneof("result") == "failure"
    return has_failed or bool(execution.handler.options.journal_retention)
