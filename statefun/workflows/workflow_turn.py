"""The turn of a workflow: which run it has, and what became of the others. A pure function.

Law: a workflow has at most one run that is open, and each run one ending. Whoever waits for a run
is told once how it ended. Messages reach a run only while it is open; queries reach it as long as
it is kept.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from statefun.durable import _proto as durable
from statefun.durable.exceptions import TerminalError
from statefun.durable.outcomes import failed, succeeded
from statefun.durable.turn import Reply
from statefun.errors import DefinitionError
from statefun.workflows import _proto
from statefun.workflows.addresses import run_typename, told
from statefun.workflows.alarms import arm
from statefun.workflows.common import (
    QueryRejectCondition,
    WorkflowIDConflictPolicy,
    WorkflowIDReusePolicy,
)
from statefun.workflows.crons import next_run_ms
from statefun.workflows.exceptions import RetryState
from statefun.workflows.facts import ParentClosePolicy
from statefun.workflows.ids import derived_id
from statefun.workflows.refusals import RefusedError
from statefun.workflows.retrying import next_attempt
from statefun.workflows.service import RPCStatusCode
from statefun.workflows.status import WorkflowExecutionStatus as Status
from statefun.workflows.visibility import WORKFLOW_VALUE, runs_of, strip

if TYPE_CHECKING:
    from collections.abc import Iterable

    from statefun.durable.outbox import Outbox

__all__ = ["WorkflowTurn"]

_MOST_PAST_RUNS = 100
_REMEMBERED_SIGNALS = 32
_MOST_PROBLEMS = 10
_COMMANDS = {
    *("start", "signal", "query", "update", "cancel", "terminate", "describe", "result"),
    *("ended", "reset", "returned", "problem", "upsert"),
}
_STATUS_OF = {
    "result": Status.COMPLETED,
    "failure": Status.FAILED,
    "canceled": Status.CANCELED,
    "terminated": Status.TERMINATED,
    "timed_out": Status.TIMED_OUT,
    "continued": Status.CONTINUED_AS_NEW,
}


class WorkflowTurn:
    """One turn of a workflow.

    Args:
        outbox: What it sends.
        namespace: Its namespace.
        workflow_id: Its id.
        kept: What is kept there; None if there is nothing.
        now_ms: The time.
        token: Names what this turn makes; no other turn has it.
        retention_ms: How long a run is kept once it has ended.
    """

    def __init__(
        self,
        outbox: Outbox,
        namespace: str,
        workflow_id: str,
        kept: bytes | None,
        now_ms: int,
        token: str,
        retention_ms: int,
    ) -> None:
        self._outbox = outbox
        self._namespace = namespace
        self._id = workflow_id
        self._kept = kept
        self._state = None if kept is None else _proto.Workflow.FromString(kept)
        self._now_ms = max(now_ms, 0 if self._state is None else self._state.time_ms)
        self._token = token
        self._retention_ms = retention_ms

    # --- messages ---

    def receive(self, envelope: durable.Envelope) -> None:
        """Take a message and do everything that follows from it."""
        content = envelope.WhichOneof("content")
        if content == "alarm":
            self._now_ms = max(self._now_ms, envelope.alarm.due_ms)
            if self._state is not None and self._state.alarm_token == envelope.alarm.token:
                self._state.alarm_ms, self._state.alarm_token = 0, ""
        elif content == "invoke" and envelope.invoke.handler in _COMMANDS:
            self._command(envelope.invoke)
        self._fire()

    def _command(self, invoke: durable.Invoke) -> None:
        reply = [invoke.reply] if invoke.HasField("reply") else []
        try:
            answer = getattr(self, f"_{invoke.handler}")(invoke)
        except RefusedError as refused:
            self._outbox.answer(reply, failed(refused.error))
        else:
            if answer is not None:
                self._outbox.answer(reply, succeeded(answer))

    @property
    def _is_open(self) -> bool:
        return self._state is not None and self._state.status == Status.RUNNING

    # --- starting ---

    def _start(self, invoke: durable.Invoke) -> bytes:
        return self._admit(_proto.Start.FromString(invoke.argument)).SerializeToString()

    def _admit(self, start: _proto.Start) -> _proto.Started:
        """Start a run, or say why not; see the policies of ids."""
        self._check(start)
        state = self._state
        if self._is_repeat(start):
            return self._repeated(start)
        if state is not None and self._is_open:
            policy = _conflict_policy(state.start, start)
            if policy == WorkflowIDConflictPolicy.USE_EXISTING:
                state.start.result_route = start.result_route or state.start.result_route
                return self._started(is_new=False)
            if policy != WorkflowIDConflictPolicy.TERMINATE_EXISTING:
                raise self._taken(state)
            self._terminate_for(start.run_id)
        elif state is not None:
            is_success = state.status == Status.COMPLETED
            policy = start.id_reuse_policy
            if policy == WorkflowIDReusePolicy.REJECT_DUPLICATE or (
                policy == WorkflowIDReusePolicy.ALLOW_DUPLICATE_FAILED_ONLY and is_success
            ):
                raise self._taken(state)
        start.attempt, start.first_run_id = 1, start.run_id
        start.continued_run_id = ""
        if start.cron_schedule:
            begins_ms = next_run_ms(start.cron_schedule, self._now_ms, self._now_ms)
            start.start_delay_ms = begins_ms - self._now_ms
        if start.execution_timeout_ms:
            start.execution_deadline_ms = (
                self._now_ms + start.start_delay_ms + start.execution_timeout_ms
            )
        self._begin(start, self._now_ms)
        return self._started(is_new=True)

    def _is_repeat(self, start: _proto.Start) -> bool:
        """Whether the run was begun before, by a request whose answer was lost."""
        state = self._state
        return state is not None and (
            start.run_id in (state.start.run_id, state.start.first_run_id)
            or any(each.run_id == start.run_id for each in state.past)
        )

    def _repeated(self, start: _proto.Start) -> _proto.Started:
        return _proto.Started(
            run_id=start.run_id, first_run_id=start.run_id, is_new=True, workflow_id=self._id
        )

    def _taken(self, state: _proto.Workflow) -> RefusedError:
        return RefusedError(
            RPCStatusCode.ALREADY_EXISTS,
            "Workflow execution already started",
            run_id=state.start.run_id,
            first_run_id=state.start.first_run_id,
        )

    def _check(self, start: _proto.Start) -> None:
        invalid = RPCStatusCode.INVALID_ARGUMENT
        if not start.task_queue:
            raise RefusedError(invalid, "missing task queue name")
        if start.id_conflict_policy and (
            start.id_reuse_policy == WorkflowIDReusePolicy.TERMINATE_IF_RUNNING
        ):
            raise RefusedError(
                invalid,
                "Invalid WorkflowIDReusePolicy: WORKFLOW_ID_REUSE_POLICY_TERMINATE_IF_RUNNING "
                "cannot be used together with a WorkflowIDConflictPolicy.",
            )
        if start.cron_schedule:
            if start.start_delay_ms:
                raise RefusedError(
                    invalid, "CronSchedule and WorkflowStartDelay may not be used together."
                )
            try:
                next_run_ms(start.cron_schedule, self._now_ms, self._now_ms)
            except (ValueError, DefinitionError) as error:
                if isinstance(error.__cause__, ImportError):  # the service lacks what reads it
                    failed = RPCStatusCode.FAILED_PRECONDITION
                    raise RefusedError(failed, str(error)) from error
                raise RefusedError(invalid, "invalid CronSchedule.") from error

    def _started(self, *, is_new: bool) -> _proto.Started:
        state = self._state
        assert state is not None  # noqa: S101 - it was begun, or found
        return _proto.Started(
            run_id=state.start.run_id,
            first_run_id=state.start.first_run_id,
            is_new=is_new,
            workflow_id=self._id,
        )

    def _begin(self, start: _proto.Start, execution_start_ms: int, returning: int = 0) -> None:
        """Make a run the current one, and begin it unless it has to wait."""
        past = [] if self._state is None else self._past(self._state)
        alarm = (0, "") if self._state is None else (self._state.alarm_ms, self._state.alarm_token)
        start.workflow_id, start.namespace = self._id, self._namespace
        start.start_time_ms = self._now_ms
        if not start.root_run_id:
            start.root_workflow_id, start.root_run_id = self._id, start.run_id
        begins_ms = self._now_ms + start.start_delay_ms
        deadlines = [start.execution_deadline_ms] if start.execution_deadline_ms else []
        if start.run_timeout_ms:
            deadlines.append(begins_ms + start.run_timeout_ms)
        self._state = _proto.Workflow(
            start=start,
            status=Status.RUNNING,
            start_ms=self._now_ms,
            past=past,
            run_deadline_ms=min(deadlines, default=0),
            begins_ms=begins_ms if start.start_delay_ms else 0,
            alarm_ms=alarm[0],
            alarm_token=alarm[1],
            execution_start_ms=execution_start_ms,
            returning=returning,
            signal_ids=[] if self._state is None else self._state.signal_ids,
        )
        if self._has_begun(self._state):
            self._send_start(self._state)

    @staticmethod
    def _has_begun(state: _proto.Workflow) -> bool:
        """Whether the current run waits neither for its time nor for messages of the one before."""
        return not state.begins_ms and not state.returning

    def _past(self, state: _proto.Workflow) -> list[_proto.PastRun]:
        """The runs before the next one."""
        last = _proto.PastRun(
            run_id=state.start.run_id,
            status=state.status,
            ending=state.ending,
            next_run_id=state.ending.next_run_id,
            task_queue=state.start.task_queue,
            expires_ms=state.expires_ms or self._now_ms + self._retention_ms,
            start=state.start,
            start_ms=state.start_ms,
            close_ms=state.close_ms,
            history_length=state.history_length,
        )
        strip(last.start)
        past = [*state.past, last]
        for each in past[:-_MOST_PAST_RUNS]:
            self._kill(each)
        return past[-_MOST_PAST_RUNS:]

    def _kill(self, run: _proto.PastRun) -> None:
        self._to_run(run.run_id, run.task_queue, durable.Envelope(kill=run.run_id))

    def _send_start(self, state: _proto.Workflow) -> None:
        start = state.start
        start.messages.extend(state.buffered)
        del state.buffered[:]
        state.begins_ms = 0
        state.told = len(start.messages) + start.reset.told + len(start.reset.messages)
        invoke = durable.Invoke(
            id=start.run_id, handler=start.workflow_type, argument=start.SerializeToString()
        )
        del start.messages[:]
        start.ClearField("reset")
        self._to_run(start.run_id, start.task_queue, durable.Envelope(invoke=invoke))

    def _to_run(self, run_id: str, task_queue: str, envelope: durable.Envelope) -> None:
        self._outbox.send(run_typename(self._namespace, task_queue), run_id, envelope)

    # --- messages to a run ---

    def _request(self, invoke: durable.Invoke) -> _proto.Request:
        return _proto.Request.FromString(invoke.argument)

    def _open(self, request: _proto.Request) -> _proto.Workflow:
        """The workflow, if the run that is meant is open."""
        state = self._known(request)
        is_other = request.run_id and request.run_id != state.start.run_id
        if is_other or not self._is_open:
            raise RefusedError(RPCStatusCode.NOT_FOUND, "workflow execution already completed")
        return state

    def _known(self, request: _proto.Request) -> _proto.Workflow:
        state = self._state
        if state is None or (
            request.run_id
            and request.run_id != state.start.run_id
            and all(each.run_id != request.run_id for each in state.past)
        ):
            raise RefusedError(RPCStatusCode.NOT_FOUND, f"workflow not found for ID: {self._id}")
        if request.first_run_id and request.first_run_id != state.start.first_run_id:
            raise RefusedError(RPCStatusCode.NOT_FOUND, f"workflow not found for ID: {self._id}")
        return state

    def _tell(self, state: _proto.Workflow, message: _proto.Told) -> None:
        if not self._has_begun(state):
            state.buffered.append(message)
        else:
            state.told += 1
            run_id = state.start.run_id
            envelope = told(run_id, message.SerializeToString())
            self._to_run(run_id, state.start.task_queue, envelope)

    def _signal(self, invoke: durable.Invoke) -> bytes:
        request = self._request(invoke)
        is_repeat = bool(
            self._state is not None and invoke.id and invoke.id in self._state.signal_ids
        )
        answer = b""
        if request.HasField("start"):
            answer = self._with_start(request, is_repeat=is_repeat).SerializeToString()
        elif not is_repeat:
            self._tell(self._open(request), request.told)
        if self._state is not None and invoke.id and not (is_repeat or request.is_from_workflow):
            self._state.signal_ids.append(invoke.id)
            del self._state.signal_ids[:-_REMEMBERED_SIGNALS]
        return answer

    def _with_start(self, request: _proto.Request, *, is_repeat: bool = False) -> _proto.Started:
        """Tell the open run something, or start one that is told it first."""
        state, start = self._state, request.start
        if is_repeat and state is not None:
            return self._repeated(start) if self._is_repeat(start) else self._started(is_new=False)
        if state is not None and self._is_repeat(start):  # an update: its run knows its outcome
            if state.start.run_id == start.run_id:
                self._tell(state, request.told)
            else:
                envelope = told(start.run_id, request.told.SerializeToString())
                self._to_run(start.run_id, start.task_queue, envelope)
            return self._repeated(start)
        policy = start.id_conflict_policy
        if (
            state is not None
            and self._is_open
            and policy in (0, WorkflowIDConflictPolicy.USE_EXISTING)
        ):
            self._tell(state, request.told)
            return self._started(is_new=False)
        begun = _proto.Start()
        begun.CopyFrom(start)
        begun.messages.append(request.told)
        return self._admit(begun)

    def _cancel(self, invoke: durable.Invoke) -> bytes:
        request = self._request(invoke)
        state = self._known(request)
        if self._is_open and request.run_id in ("", state.start.run_id):
            self._tell(state, request.told)
        return b""

    def _update(self, invoke: durable.Invoke) -> None:
        """Pass an update on; its run answers."""
        request = self._request(invoke)
        update = request.told.update
        route = invoke.reply.SerializeToString()
        if request.wait_stage == 2:
            update.accepted_route = route
        else:
            update.completed_route = route
        if request.HasField("start"):
            self._with_start(request)
            return
        state = self._known(request) if update.is_poll else self._open(request)
        self._tell(state, request.told)

    def _query(self, invoke: durable.Invoke) -> bytes | None:
        request = self._request(invoke)
        state = self._known(request)
        run_id, queue, status = state.start.run_id, state.start.task_queue, state.status
        for each in state.past:
            if each.run_id == request.run_id:
                run_id, queue, status = each.run_id, each.task_queue, each.status
        if _is_rejected(request.reject_condition, status):
            return _proto.QueryAnswer(rejected_status=status).SerializeToString()
        if run_id == state.start.run_id and not self._has_begun(state):
            raise RefusedError(
                RPCStatusCode.FAILED_PRECONDITION, "the workflow has not begun: ask again later"
            )
        query = durable.Query(
            execution=run_id,
            name=request.query.name,
            argument=request.query.SerializeToString(),
            reply=invoke.reply,
        )
        self._to_run(run_id, queue, durable.Envelope(query=query))
        return None

    def _describe(self, invoke: durable.Invoke) -> bytes:
        request = self._request(invoke)
        state = self._known(request)
        if request.run_id not in ("", state.start.run_id):
            [past] = [each for each in runs_of(state) if each.start.run_id == request.run_id]
            return past.SerializeToString()
        described = _proto.Workflow()
        described.CopyFrom(state)
        del described.waiters[:], described.buffered[:]
        return described.SerializeToString()

    def _result(self, invoke: durable.Invoke) -> bytes | None:
        request = self._request(invoke)
        state = self._known(request)
        for each in state.past:
            if each.run_id == request.run_id:
                return each.ending.SerializeToString()
        if not self._is_open and request.is_from_parent:
            return self._for_parent(state, state.ending)
        if not self._is_open:
            return state.ending.SerializeToString()
        if request.is_from_parent:
            state.start.result_route = invoke.reply.SerializeToString()
            return None
        route = invoke.reply.SerializeToString()
        state.waiters.append(_proto.Waiter(route=route, run_id=state.start.run_id))
        return None

    def _problem(self, invoke: durable.Invoke) -> None:
        """Keep the reason why the run may wait for ever, or forget one that is solved."""
        problem = _proto.Problem.FromString(invoke.argument)
        state = self._state
        if state is None or state.start.run_id != problem.run_id:
            return
        if problem.text and len(state.problems) < _MOST_PROBLEMS:
            state.problems[problem.activity_id] = problem.text
        elif not problem.text:
            state.problems.pop(problem.activity_id, None)

    def _upsert(self, invoke: durable.Invoke) -> None:
        upsert = _proto.Upsert.FromString(invoke.argument)
        state = self._state
        if state is None or state.start.run_id != upsert.run_id:
            return
        for given, kept in (
            (upsert.memo, state.start.memo),
            (upsert.search_attributes, state.start.search_attributes),
        ):
            for name, payload in given.items():
                if payload.metadata:
                    kept[name].CopyFrom(payload)
                else:
                    kept.pop(name, None)

    # --- endings ---

    def _terminate(self, invoke: durable.Invoke) -> bytes:
        request = self._request(invoke)
        state = self._open(request)
        ending = _proto.Ending()
        ending.terminated.message = request.reason or "terminated by user via frontend"
        ending.terminated.source = "Server"
        ending.terminated.terminated_failure_info.details.CopyFrom(request.details)
        ending.terminated.terminated_failure_info.SetInParent()
        self._stop(state, ending)
        return b""

    def _terminate_for(self, run_id: str) -> None:
        state = self._state
        if state is None:
            return
        ending = _proto.Ending()
        ending.terminated.message = "TerminateIfRunning WorkflowIdReusePolicy"
        ending.terminated.source = "Server"
        details = ending.terminated.terminated_failure_info.details
        text = f'"terminated by new runID: {run_id}"'.encode()
        details.payloads.add(metadata={"encoding": b"json/plain"}, data=text)
        self._stop(state, ending)

    def _reset(self, invoke: durable.Invoke) -> bytes:
        """End the run, and begin one that goes back to an event; see `reset_start`."""
        request = self._request(invoke)
        state = self._known(request)
        start = _proto.Start()
        start.CopyFrom(request.start)
        if self._is_open:
            ending = _proto.Ending()
            ending.terminated.message = request.reason
            ending.terminated.source = "Server"
            ending.terminated.terminated_failure_info.SetInParent()
            self._stop(state, ending, keeps_children=start.reset.commands)
        start.run_id = derived_id(f"{start.run_id}:{self._token}")
        start.first_run_id = state.start.first_run_id
        start.continued_run_id, start.attempt = "", 1
        start.result_route = state.start.result_route
        start.start_delay_ms = 0
        self._begin(start, self._now_ms)
        return self._started(is_new=True).SerializeToString()

    def _stop(
        self, state: _proto.Workflow, ending: _proto.Ending, *, keeps_children: int = 0
    ) -> None:
        """End the run from outside."""
        if self._has_begun(state):
            stop = _proto.StopInput(keeps_children=keeps_children)
            self._tell(state, _proto.Told(stop=stop))
        self._close(state, ending)

    def _ended(self, invoke: durable.Invoke) -> None:
        ended = _proto.Ended.FromString(invoke.argument)
        state = self._state
        if state is None or not self._is_open or state.start.run_id != ended.run_id:
            return
        state.history_length = ended.history_length
        self._conclude(state, ended.ending, max(0, state.told - ended.told))

    def _returned(self, invoke: durable.Invoke) -> None:
        """A run that was over has sent a message back: it is for the one that follows."""
        request = self._request(invoke)
        state = self._state
        is_for_this = state is not None and state.start.continued_run_id == request.run_id
        is_empty = request.told.WhichOneof("content") is None
        if state is None or not self._is_open or not is_for_this:
            self._refuse([request.told])
        elif state.returning:
            if not is_empty:
                state.start.messages.append(request.told)
            state.returning -= 1
            if self._has_begun(state):
                self._send_start(state)
        elif not is_empty:
            self._tell(state, request.told)

    def _refuse(self, messages: Iterable[_proto.Told]) -> None:
        """Tell whoever waits for updates that nobody is left to take them."""
        error = TerminalError("workflow execution already completed", RPCStatusCode.NOT_FOUND)
        for each in messages:
            routes = (each.update.accepted_route, each.update.completed_route)
            waiting = [durable.Route.FromString(route) for route in routes if route]
            self._outbox.answer(waiting, failed(error))

    def _conclude(self, state: _proto.Workflow, ending: _proto.Ending, returning: int = 0) -> None:
        """A run has ended by itself: go on with the next one, or not."""
        following = self._following(state, ending)
        if following is None:
            self._close(state, ending)
            return
        ending.next_run_id = following.run_id
        execution_start_ms = state.execution_start_ms
        waiting = list(state.buffered)
        del state.buffered[:], state.start.messages[:]  # the next run has them
        self._close(state, ending)
        self._begin(following, execution_start_ms, returning)
        for each in waiting:
            self._tell(self._state or state, each)

    def _following(self, state: _proto.Workflow, ending: _proto.Ending) -> _proto.Start | None:
        """What the next run is started with; None if this was the last one."""
        kind, start = ending.WhichOneof("ending"), _proto.Start()
        if kind == "continued":
            start.CopyFrom(ending.continued)
            start.attempt, start.result_route = 1, state.start.result_route
        elif kind in ("failure", "timed_out") and state.start.HasField("retry_policy"):
            deadline_ms = state.start.execution_deadline_ms
            failure = ending.failure if kind == "failure" else ending.timed_out
            left_ms = deadline_ms - self._now_ms if deadline_ms else None
            attempt = state.start.attempt or 1
            delay = next_attempt(state.start.retry_policy, attempt, failure, left_ms)
            if isinstance(delay, RetryState):
                return self._next_by_cron(state, ending)
            start.CopyFrom(state.start)
            start.attempt = attempt + 1
            start.start_delay_ms = delay
            start.last_failure.CopyFrom(failure)
        else:
            return self._next_by_cron(state, ending)
        start.continued_run_id = state.start.run_id
        start.first_run_id = state.start.first_run_id
        start.execution_deadline_ms = state.start.execution_deadline_ms
        start.run_id = derived_id(state.start.run_id)
        return start

    def _next_by_cron(self, state: _proto.Workflow, ending: _proto.Ending) -> _proto.Start | None:
        kind = ending.WhichOneof("ending")
        if not state.start.cron_schedule or kind not in ("result", "failure", "timed_out"):
            return None
        start = _proto.Start()
        start.CopyFrom(state.start)
        start.attempt = 1
        begun_ms = state.start_ms + state.start.start_delay_ms
        next_ms = next_run_ms(start.cron_schedule, begun_ms, self._now_ms)
        start.start_delay_ms = next_ms - self._now_ms
        if kind == "result":
            start.last_result.CopyFrom(ending.result)
            start.ClearField("last_failure")
        else:
            start.last_failure.CopyFrom(getattr(ending, kind))
        start.continued_run_id = state.start.run_id
        start.run_id = derived_id(state.start.run_id)
        return start

    def _close(self, state: _proto.Workflow, ending: _proto.Ending) -> None:
        """The current run is over."""
        kind = ending.WhichOneof("ending") or "result"
        ending.run_id = state.start.run_id
        state.status = _STATUS_OF[kind]
        state.close_ms = self._now_ms
        state.ending.CopyFrom(ending)
        state.run_deadline_ms = state.begins_ms = 0
        state.problems.clear()
        state.expires_ms = self._now_ms + self._retention_ms
        told_to = [durable.Route.FromString(each.route) for each in state.waiters]
        self._refuse([*state.start.messages, *state.buffered])
        del state.waiters[:], state.buffered[:], state.start.messages[:]
        self._outbox.answer(told_to, succeeded(ending.SerializeToString()))
        if state.start.result_route and not ending.next_run_id:
            route = durable.Route.FromString(state.start.result_route)
            self._outbox.answer([route], succeeded(self._for_parent(state, ending)))

    def _for_parent(self, state: _proto.Workflow, ending: _proto.Ending) -> bytes:
        """An ending as a parent sees it."""
        kind = ending.WhichOneof("ending") or "result"
        if kind == "result":
            return ending.SerializeToString()
        words = {"failure": "failed", "canceled": "cancelled", "timed_out": "timed out"}
        is_timeout = kind == "timed_out"
        reason = RetryState.TIMEOUT if is_timeout else RetryState.RETRY_POLICY_NOT_SET
        failure = _proto.Failure(
            message=f"Child Workflow execution {words.get(kind, kind)}",
            source="Server",
            cause=getattr(ending, kind),
        )
        if is_timeout:
            failure.cause.message = "Timed out"
        failure.child_workflow_execution_failure_info.CopyFrom(
            _proto.ChildWorkflowExecutionFailureInfo(
                namespace=self._namespace,
                workflow_id=self._id,
                run_id=state.start.run_id,
                workflow_type=state.start.workflow_type,
                retry_state=reason,
            )
        )
        return _proto.Ending(failure=failure).SerializeToString()

    # --- time ---

    def _fire(self) -> None:
        """Do everything whose time has come."""
        state = self._state
        if state is None:
            return
        if self._is_open and 0 < state.run_deadline_ms <= self._now_ms:
            ending = _proto.Ending()
            ending.timed_out.message = "Workflow timed out"
            ending.timed_out.source = "Server"
            ending.timed_out.timeout_failure_info.timeout_type = 1
            if self._has_begun(state):
                self._tell(state, _proto.Told(stop=_proto.StopInput()))
            self._conclude(state, ending)
        self._go_on()

    def _go_on(self) -> None:
        """Begin the current run if it has waited for that, and forget runs that are over."""
        state = self._state
        if state is None:
            return
        if self._is_open and 0 < state.begins_ms <= self._now_ms:
            state.begins_ms = 0
            if self._has_begun(state):
                self._send_start(state)
        for each in [each for each in state.past if each.expires_ms <= self._now_ms]:
            self._kill(each)
            state.past.remove(each)
        if not self._is_open and 0 < state.expires_ms <= self._now_ms and not state.past:
            kill = durable.Envelope(kill=state.start.run_id)
            self._to_run(state.start.run_id, state.start.task_queue, kill)
            if state.alarm_token:
                self._outbox.withdrawn.append(state.alarm_token)
            self._state = None

    def end(self) -> Reply:
        """The reply; the turn is over."""
        state = self._state
        if state is None:
            values: dict[str, bytes | None] = {} if self._kept is None else {WORKFLOW_VALUE: None}
            return Reply(values, self._outbox)
        dues = [state.run_deadline_ms, state.begins_ms]
        dues += [state.expires_ms, *(each.expires_ms for each in state.past)]
        if self._is_open:
            dues = [state.run_deadline_ms, state.begins_ms]
            dues += [each.expires_ms for each in state.past]
        due_ms = min((each for each in dues if each), default=0)
        arm(self._outbox, state, due_ms, self._now_ms, self._token)
        state.time_ms = self._now_ms
        data = state.SerializeToString(deterministic=True)
        return Reply({} if data == self._kept else {WORKFLOW_VALUE: data}, self._outbox)


def _conflict_policy(running: _proto.Start, start: _proto.Start) -> int:
    """What becomes of a start whose id a run has that is open."""
    if start.id_reuse_policy == WorkflowIDReusePolicy.TERMINATE_IF_RUNNING:
        return WorkflowIDConflictPolicy.TERMINATE_EXISTING
    if not start.id_conflict_policy and _is_orphan(running, start):
        return WorkflowIDConflictPolicy.TERMINATE_EXISTING
    return start.id_conflict_policy


def _is_orphan(child: _proto.Start, start: _proto.Start) -> bool:
    """Whether a child ends with a run of its parent that is over: another run starts it again.

    The message that ends it may come later.
    """
    ends = (ParentClosePolicy.UNSPECIFIED, ParentClosePolicy.TERMINATE)
    return (
        start.parent.workflow_id != ""
        and child.parent.workflow_id == start.parent.workflow_id
        and child.parent.run_id != start.parent.run_id
        and child.parent.close_policy in ends
    )


def _is_rejected(condition: int, status: int) -> bool:
    if condition == QueryRejectCondition.NOT_OPEN:
        return status != Status.RUNNING
    if condition == QueryRejectCondition.NOT_COMPLETED_CLEANLY:
        return status not in (Status.RUNNING, Status.COMPLETED)
    return False
