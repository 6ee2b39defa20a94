"""The turn of an activity: its attempts, time-outs and retries. A pure function.

Law: an activity has one ending, which its caller is told once. What a worker must do is named by
`attempt`; who drives the turn does it, and tells the outcome by `ended` or `goes_on`.

An attempt that ends soon leaves no state behind: its message is sent again if the worker dies.
A longer one is claimed by its worker, and looked at again and again. A turn with an attempt has
acted on the outside world: nothing follows from it before it is durable.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from statefun.durable import _proto as durable
from statefun.durable.exceptions import TerminalError
from statefun.durable.outcomes import failed, succeeded
from statefun.durable.turn import Reply
from statefun.workflows import _proto
from statefun.workflows.addresses import command, workflow_typename
from statefun.workflows.alarms import arm
from statefun.workflows.exceptions import RetryState
from statefun.workflows.retrying import next_attempt

if TYPE_CHECKING:
    from statefun.durable.outbox import Outbox

__all__ = ["NOT_REGISTERED", "VALUE", "ActivityTurn", "Attempt", "timed_out"]

NOT_REGISTERED = "NotFoundError"
"""The type of the failure of an activity that a worker does not have."""

VALUE = "activity"
_LEASE_MS = 10_000
_LOOK_AGAIN_MS = 500
_TIMEOUTS = {1: "StartToClose", 2: "ScheduleToStart", 3: "ScheduleToClose", 4: "Heartbeat"}


@dataclass(frozen=True)
class Attempt:
    """An attempt that a worker is to make, or to go on with.

    Attributes:
        target_id: The id of the address.
        task: What is to be done.
        number: Which attempt, from 1.
        scheduled_ms: When it was scheduled.
        limit_ms: How long it may take; 0 for any time.
        limit_kind: Which time-out runs out then, as a number of `TimeoutType`.
        heartbeat: The details of the last heartbeat of the attempt before.
        is_cancelled: Whether it is asked to cancel.
    """

    target_id: str
    task: _proto.Task
    number: int
    scheduled_ms: int
    limit_ms: int
    limit_kind: int
    heartbeat: _proto.Payloads
    is_cancelled: bool


def timed_out(kind: int) -> _proto.Failure:
    """The failure of an attempt that took too long."""
    failure = _proto.Failure(message=f"activity {_TIMEOUTS[kind]} timeout", source="Server")
    failure.timeout_failure_info.timeout_type = kind
    return failure


def _failure_of(
    state: _proto.Activity | None,
    identity: str,
    message: str,
    reason: RetryState,
    cause: _proto.Failure,
) -> _proto.Failure:
    """The failure of an activity as its caller sees it."""
    failure = _proto.Failure(message=message, source="Server", cause=cause)
    if state is not None:
        route = durable.Route.FromString(state.route)
        failure.activity_failure_info.CopyFrom(
            _proto.ActivityFailureInfo(
                scheduled_event_id=route.seq,
                started_event_id=route.seq,
                identity=identity,
                activity_type=state.task.activity_type,
                activity_id=state.task.activity_id,
                retry_state=reason,
            )
        )
    return failure


class ActivityTurn:
    """One turn of an activity.

    Args:
        outbox: What it sends.
        target_id: The id of its address.
        kept: What is kept there; None if there is nothing.
        now_ms: The time.
        token: Names what this turn makes; no other turn has it.
        worker: Names the worker that drives it; no other one ever has this name.
        identity: How that worker is called in failures.
    """

    def __init__(
        self,
        outbox: Outbox,
        target_id: str,
        kept: bytes | None,
        now_ms: int,
        token: str,
        worker: str,
        identity: str,
    ) -> None:
        self._outbox = outbox
        self._target_id = target_id
        self._kept = kept
        self._state = None if kept is None else _proto.Activity.FromString(kept)
        self._now_ms = max(now_ms, self._state.time_ms if self._state is not None else 0)
        self._token = token
        self._worker = worker
        self._identity = identity
        self._has_acted = False

    # --- messages ---

    def receive(self, envelope: durable.Envelope) -> None:
        """Take a message."""
        match envelope.WhichOneof("content"):
            case "invoke":
                self._accept(envelope.invoke)
            case "cancel":
                self._cancel()
            case "update":
                self._report(envelope.update)
            case "alarm":
                self._now_ms = max(self._now_ms, envelope.alarm.due_ms)
                if self._state is not None and self._state.alarm_token == envelope.alarm.token:
                    self._state.alarm_ms, self._state.alarm_token = 0, ""
            case _:
                pass  # a wake

    def _accept(self, invoke: durable.Invoke) -> None:
        if self._state is not None:
            return
        self._state = _proto.Activity(
            task=_proto.Task.FromString(invoke.argument),
            route=invoke.reply.SerializeToString(),
            attempt=1,
            arrived_ms=self._now_ms,
            scheduled_ms=self._now_ms,
        )

    def _cancel(self) -> None:
        state = self._state
        if state is None:
            return
        state.is_cancelled = True
        if not state.owner and not state.completes_later:
            self._conclude_cancelled(_proto.Payloads())

    def _report(self, update: durable.Update) -> None:
        """What somebody says of an attempt from outside."""
        state = self._state
        if state is None or not state.completes_later:
            error = TerminalError("activity not found", 5)
            self._outbox.answer([update.reply], failed(error))
            return
        report = _proto.Report.FromString(update.argument)
        answer = _proto.ReportAnswer(cancel_requested=state.is_cancelled)
        if report.is_heartbeat:
            state.heartbeat.CopyFrom(report.heartbeat)
            state.heartbeat_ms = self._now_ms
        elif report.ending.HasField("canceled") and not state.is_cancelled:
            error = TerminalError("the activity was not asked to cancel", 3)
            self._outbox.answer([update.reply], failed(error))
            return
        else:
            self.ended(report.ending)
        self._outbox.answer([update.reply], succeeded(answer.SerializeToString()))

    # --- attempts ---

    def attempt(self) -> Attempt | None:
        """The attempt that is to be made now, or gone on with; None if there is none."""
        state = self._state
        if state is None or state.due_ms > self._now_ms:
            return None
        state.due_ms = 0
        if state.completes_later:
            self._check_limits_outside(state)
        elif state.owner and state.owner != self._worker:
            self._check_lease(state)
        elif not state.owner and state.task.retry_policy.maximum_attempts == 1:
            self._claim(state)  # it is begun once, and no process that dies begins it again
        else:
            return self._begun(state)
        return None

    def _begun(self, state: _proto.Activity) -> Attempt | None:
        task = state.task
        late = task.schedule_to_start_ms
        if late and not state.started_ms and self._now_ms > state.arrived_ms + late:
            self._fail(timed_out(2))
            return None
        limit_ms = self._limit_ms(state)
        if limit_ms < 0:
            self._fail(timed_out(3))
            return None
        if not state.started_ms and task.started_route:
            self._outbox.answer(
                [durable.Route.FromString(task.started_route)], succeeded(b"started")
            )
            task.started_route = b""
        state.started_ms = state.started_ms or self._now_ms
        self._has_acted = True
        return Attempt(
            self._target_id,
            task,
            state.attempt,
            state.scheduled_ms,
            limit_ms,
            1 if limit_ms == task.start_to_close_ms else 3,
            state.heartbeat,
            state.is_cancelled,
        )

    def _limit_ms(self, state: _proto.Activity) -> int:
        """How long this attempt may take in all; 0 for any time, less if there is none left."""
        limits = [state.task.start_to_close_ms] if state.task.start_to_close_ms else []
        left_ms = self._left_ms(state)
        if left_ms is not None:
            since_ms = self._now_ms - (state.started_ms or self._now_ms)
            limits.append(left_ms + since_ms if left_ms > 0 else -1)
        return min(limits, default=0)

    def _left_ms(self, state: _proto.Activity) -> int | None:
        """How long there may be attempts."""
        if not state.task.schedule_to_close_ms:
            return None
        return state.arrived_ms + state.task.schedule_to_close_ms - self._now_ms

    def _claim(self, state: _proto.Activity) -> None:
        state.owner = self._worker
        state.heartbeat_ms = self._now_ms
        self._has_acted = True  # it begins once the claim is durable
        self._outbox.send_to_self(0, durable.Envelope(wake=True))

    def _check_lease(self, state: _proto.Activity) -> None:
        """See whether the worker that runs it may still be alive."""
        lease_ms = max(state.heartbeat_ms, state.started_ms) + _LEASE_MS
        if self._now_ms >= lease_ms:
            self._fail(timed_out(4 if state.task.heartbeat_ms else 1))
        else:  # processes that share an endpoint: the next look may reach the one that runs it
            state.due_ms = min(lease_ms, self._now_ms + _LOOK_AGAIN_MS)

    def _check_limits_outside(self, state: _proto.Activity) -> None:
        """See whether somebody outside takes too long to complete it."""
        limit_ms = self._limit_ms(state)
        due = [state.started_ms + limit_ms] if limit_ms > 0 else []
        heard_ms = state.heartbeat_ms or state.started_ms
        if state.task.heartbeat_ms:
            due.append(heard_ms + state.task.heartbeat_ms)
        if not due:
            return
        if min(due) <= self._now_ms or limit_ms < 0:
            is_silent = len(due) > 1 and due[1] <= self._now_ms
            self._fail(timed_out(4 if is_silent else 1))
        else:
            state.due_ms = min(due)

    def advance_to(self, now_ms: int) -> None:
        """Time has passed while the attempt was waited for."""
        self._now_ms = max(self._now_ms, now_ms)

    def goes_on(self, heartbeat: _proto.Payloads | None) -> None:
        """The attempt is still running, and is to be looked at again.

        Args:
            heartbeat: The details of its last heartbeat; None if there was none.
        """
        state = self._state
        if state is None:
            return
        state.owner = self._worker
        state.heartbeat_ms = self._now_ms
        if heartbeat is not None:
            state.heartbeat.CopyFrom(heartbeat)
        self._outbox.send_to_self(0, durable.Envelope(wake=True))

    def ended(self, ending: _proto.Ending, heartbeat: _proto.Payloads | None = None) -> None:
        """The attempt has ended.

        Args:
            ending: How.
            heartbeat: The details of its last heartbeat; None if there was none.
        """
        state = self._state
        if state is None:
            return
        if heartbeat is not None:
            state.heartbeat.CopyFrom(heartbeat)
        match ending.WhichOneof("ending"):
            case "completes_later":
                state.completes_later, state.owner = True, ""
                self._check_limits_outside(state)
            case "canceled":
                self._conclude_cancelled(ending.canceled.canceled_failure_info.details)
            case "failure":
                self._fail(ending.failure)
            case _:
                self._conclude(_proto.Ending(result=ending.result))

    # --- what follows ---

    def _fail(self, failure: _proto.Failure) -> None:
        """An attempt has failed: try again, or tell the caller."""
        state = self._state
        if state is None:
            return
        if failure.HasField("timeout_failure_info") and state.HasField("last_timeout"):
            failure.cause.CopyFrom(state.last_timeout)
        delay = next_attempt(state.task.retry_policy, state.attempt, failure, self._left_ms(state))
        if isinstance(delay, RetryState):
            self._conclude_failed(failure, delay)
        elif state.is_cancelled:
            self._conclude_cancelled(_proto.Payloads())
        else:
            self._tell_problem(state, failure)
            state.attempt += 1
            state.last_failure.CopyFrom(failure)
            if failure.HasField("timeout_failure_info"):
                state.last_timeout.CopyFrom(failure)
                state.last_timeout.ClearField("cause")
            state.owner, state.completes_later, state.started_ms = "", False, 0
            state.due_ms = state.scheduled_ms = self._now_ms + delay

    def _tell_problem(self, state: _proto.Activity, failure: _proto.Failure) -> None:
        """Let the workflow know of an activity that its worker does not have: it may be a typo."""
        is_unknown = failure.application_failure_info.type == NOT_REGISTERED
        if is_unknown != state.has_problem:
            state.has_problem = is_unknown
            self._send_problem(state.task, failure.message if is_unknown else "")

    def _send_problem(self, task: _proto.Task, text: str) -> None:
        problem = _proto.Problem(run_id=task.run_id, activity_id=task.activity_id, text=text)
        envelope = command("problem", problem.SerializeToString(), task.run_id)
        self._outbox.send(workflow_typename(task.namespace), task.workflow_id, envelope)

    def _conclude_failed(self, failure: _proto.Failure, reason: RetryState) -> None:
        is_timeout = failure.HasField("timeout_failure_info")
        message = "Activity task timed out" if is_timeout else "Activity task failed"
        self._conclude(_proto.Ending(failure=self._error(message, reason, failure)))

    def _conclude_cancelled(self, details: _proto.Payloads) -> None:
        cancelled = _proto.Failure(message="Cancelled", source="Server")
        cancelled.canceled_failure_info.details.CopyFrom(details)
        cancelled.canceled_failure_info.SetInParent()
        failure = self._error("Activity cancelled", RetryState.CANCEL_REQUESTED, cancelled)
        self._conclude(_proto.Ending(failure=failure))

    def _error(self, message: str, reason: RetryState, cause: _proto.Failure) -> _proto.Failure:
        return _failure_of(self._state, self._identity, message, reason, cause)

    def _conclude(self, ending: _proto.Ending) -> None:
        state = self._state
        if state is None:
            return
        route = durable.Route.FromString(state.route)
        if route.typename:
            self._outbox.answer([route], succeeded(ending.SerializeToString()))
        if state.alarm_token:
            self._outbox.withdrawn.append(state.alarm_token)
        if state.has_problem:
            self._send_problem(state.task, "")
        self._state = None

    # --- the end ---

    @property
    def is_over(self) -> bool:
        """Whether nothing is left of the activity."""
        return self._state is None

    def end(self) -> Reply:
        """The reply; the turn is over."""
        state = self._state
        if state is None:
            values: dict[str, bytes | None] = {} if self._kept is None else {VALUE: None}
            return Reply(values, self._outbox, has_acted=self._has_acted)
        due_ms = state.due_ms if state.due_ms > self._now_ms else 0
        if state.due_ms and not due_ms:
            self._outbox.send_to_self(0, durable.Envelope(wake=True))
        arm(self._outbox, state, due_ms, self._now_ms, self._token)
        state.time_ms = self._now_ms
        data = state.SerializeToString()
        changed: dict[str, bytes | None] = {} if data == self._kept else {VALUE: data}
        return Reply(changed, self._outbox, has_acted=self._has_acted)
