"""Calls: what workflows ask for, as commands of their run.

Law: a call is made by a task of its own, which gives the command with its first step and then waits
for the event that answers it. So a call that is cancelled before that asks for nothing.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, NoReturn, cast

from statefun.durable import _proto as durable
from statefun.durable.exceptions import TerminalError
from statefun.durable.loop import LoopTask
from statefun.durable.pending import Effect
from statefun.durable.serde import BytesSerde
from statefun.workflows import _proto
from statefun.workflows.addresses import activity_typename, command
from statefun.workflows.arguments import UNSET, arguments_of
from statefun.workflows.common import RetryPolicy, WorkflowIDConflictPolicy
from statefun.workflows.definitions import MESSAGE, SignalDefinition
from statefun.workflows.endings import ContinueAsNewError
from statefun.workflows.exceptions import (
    ActivityError,
    ApplicationError,
    CancelledError,
    ChildWorkflowError,
    RetryState,
    TimeoutError,  # noqa: A004 - the peer's name
    TimeoutType,
    WorkflowAlreadyStartedError,
)
from statefun.workflows.facts import (
    ActivityCancellationType,
    ChildWorkflowCancellationType,
    ParentClosePolicy,
)
from statefun.workflows.instance import OpenChild
from statefun.workflows.interceptors import (
    SignalChildWorkflowInput,
    SignalExternalWorkflowInput,
    WorkflowOutboundInterceptor,
)
from statefun.workflows.retrying import next_attempt, policy_message
from statefun.workflows.search_attributes import payloads_of
from statefun.workflows.spans import milliseconds

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence

    from statefun.workflows.facts import Info
    from statefun.workflows.instance import Instance
    from statefun.workflows.interceptors import (
        ContinueAsNewInput,
        StartActivityInput,
        StartChildWorkflowInput,
        StartLocalActivityInput,
    )

__all__ = [
    "ChildWorkflowHandle",
    "ExternalWorkflowHandle",
    "Outbound",
    "close_children",
]

_GRACE_S = 2.0
"""So much longer a caller waits than the worker, which tells better what has happened."""
_NO_TIMEOUT = "Activity must have start_to_close_timeout or schedule_to_close_timeout"


class ChildWorkflowHandle(LoopTask[Any]):
    """A child workflow that has started; awaiting it gives its result.

    Attributes:
        id: Its id.
        first_execution_run_id: Its first run; None before it has started.
    """

    def __init__(
        self,
        instance: Instance,
        given: StartChildWorkflowInput,
        coroutine: Callable[[ChildWorkflowHandle], Coroutine[Any, Any, Any]],
    ) -> None:
        self._instance = instance
        self.given = given
        self.id = given.id
        self.first_execution_run_id: str | None = None
        self.has_started: asyncio.Future[None] = instance.run.loop.create_future()
        super().__init__(coroutine(self), instance.run.loop, f"child workflow {given.id}")
        instance.run.loop.adopt(self)

    async def signal(self, signal: Any, arg: Any = UNSET, *, args: Sequence[Any] = ()) -> None:
        """Signal the child; returns once it has the signal.

        Args:
            signal: The method that handles it, or the name of the signal.
            arg: Its argument.
            args: Its arguments, if there are several.

        Raises:
            ApplicationError: If the child has ended.
        """
        name = _name_of_signal(signal)
        given = SignalChildWorkflowInput(name, arguments_of(arg, args), self.id, {})
        await self._instance.outbound.signal_child_workflow(given)


class ExternalWorkflowHandle:
    """Another workflow of the namespace, known by its id.

    Attributes:
        id: Its id.
        run_id: Its run; None for whichever is the current one.
    """

    def __init__(self, instance: Instance, workflow_id: str, run_id: str | None) -> None:
        self._instance = instance
        self.id = workflow_id
        self.run_id = run_id

    async def signal(self, signal: Any, arg: Any = UNSET, *, args: Sequence[Any] = ()) -> None:
        """Signal it; returns once it has the signal.

        Args:
            signal: The method that handles it, or the name of the signal.
            arg: Its argument.
            args: Its arguments, if there are several.

        Raises:
            ApplicationError: If there is no such workflow, or it has ended.
        """
        given = SignalExternalWorkflowInput(
            _name_of_signal(signal),
            arguments_of(arg, args),
            self._instance.info.namespace,
            self.id,
            self.run_id,
            {},
        )
        await self._instance.outbound.signal_external_workflow(given)

    async def cancel(self, reason: str | None = None) -> None:
        """Ask it to cancel.

        Args:
            reason: Why.

        Raises:
            ApplicationError: If there is no such workflow.
        """
        request = _proto.Request(run_id=self.run_id or "", is_from_workflow=True)
        request.told.cancel.reason = reason or ""
        await _External(self._instance).ask(
            "cancel",
            "cancel external workflow",
            self.id,
            request,
            "Unable to cancel external workflow because not found",
        )


def _name_of_signal(signal: Any) -> str:
    if isinstance(signal, str):
        return signal
    definition = getattr(signal, MESSAGE, None)
    if not isinstance(definition, SignalDefinition):
        name = getattr(signal, "__qualname__", signal)
        raise RuntimeError(  # noqa: TRY004 - as the peer
            f"Signal definition not found on {name}, is it decorated with @workflow.signal?"
        )
    if definition.name is None:
        raise RuntimeError("Cannot invoke dynamic signal explicitly")
    return str(definition.name)


# --- the last of the outbound interceptors --------------------------------------------------------


class Outbound(WorkflowOutboundInterceptor):
    """The last of the outbound interceptors: gives the commands."""

    def __init__(self, instance: Instance) -> None:
        self._instance = instance

    def info(self) -> Info:
        """See `WorkflowOutboundInterceptor`."""
        return self._instance.info

    def continue_as_new(self, input: ContinueAsNewInput) -> NoReturn:  # noqa: A002
        """See `WorkflowOutboundInterceptor`."""
        instance, given = self._instance, input
        instance.check_writable("continue as new")
        start = _proto.Start()
        start.CopyFrom(instance.start)
        for name in ("messages", "last_failure", "last_result", "start_delay_ms", "seeds"):
            start.ClearField(name)
        start.workflow_type = given.workflow or start.workflow_type
        start.task_queue = given.task_queue or start.task_queue
        start.ClearField("arguments")
        start.arguments.payloads.extend(instance.encoded("an argument", given.args))
        if given.run_timeout is not None:
            start.run_timeout_ms = milliseconds(given.run_timeout)
        if given.task_timeout is not None:
            start.task_timeout_ms = milliseconds(given.task_timeout)
        if given.retry_policy is not None:
            start.retry_policy.CopyFrom(policy_message(given.retry_policy))
        start.start_delay_ms = milliseconds(given.backoff_start_interval)
        start.ClearField("memo")
        memo = instance.memo
        if given.memo is not None:
            memo = {name: instance.payloads.to_payload(value) for name, value in given.memo.items()}
        for name, payload in memo.items():
            start.memo[name].CopyFrom(payload)
        start.ClearField("search_attributes")
        attributes = instance.search_attributes
        if given.search_attributes is not None:
            attributes = payloads_of(given.search_attributes)
        for name, payload in attributes.items():
            start.search_attributes[name].CopyFrom(payload)
        start.ClearField("headers")
        for name, payload in given.headers.items():
            start.headers[name].CopyFrom(payload)
        raise ContinueAsNewError(start)

    def start_activity(self, input: StartActivityInput) -> asyncio.Task[Any]:  # noqa: A002
        """See `WorkflowOutboundInterceptor`."""
        given, instance = input, self._instance
        if given.schedule_to_close_timeout is None and given.start_to_close_timeout is None:
            raise ValueError(
                "Activity must have start_to_close_timeout or schedule_to_close_timeout"
            )
        instance.check_writable("start activity")
        instance.activities += 1
        call = _Activity(instance, given, given.activity_id or str(instance.activities))
        return instance.run.loop.create_task(call.run())

    def start_local_activity(self, input: StartLocalActivityInput) -> asyncio.Task[Any]:  # noqa: A002
        """See `WorkflowOutboundInterceptor`."""
        given, instance = input, self._instance
        if given.schedule_to_close_timeout is None and given.start_to_close_timeout is None:
            raise ValueError(
                "Activity must have start_to_close_timeout or schedule_to_close_timeout"
            )
        instance.check_writable("start local activity")
        instance.program.check_activity(given.activity)
        instance.activities += 1
        call = _LocalActivity(instance, given, given.activity_id or str(instance.activities))
        return instance.run.loop.create_task(call.run())

    async def start_child_workflow(self, input: StartChildWorkflowInput) -> Any:  # noqa: A002
        """See `WorkflowOutboundInterceptor`."""
        instance = self._instance
        instance.check_writable("start child workflow")
        handle = ChildWorkflowHandle(instance, input, _Child(instance).run)
        while True:
            try:
                await asyncio.shield(handle.has_started)
            except asyncio.CancelledError:
                if handle.has_started.done():
                    raise
                handle.cancel()
            else:
                return handle

    async def signal_child_workflow(self, input: SignalChildWorkflowInput) -> None:  # noqa: A002
        """See `WorkflowOutboundInterceptor`."""
        instance = self._instance
        await self.signal_external_workflow(
            SignalExternalWorkflowInput(
                input.signal,
                input.args,
                instance.info.namespace,
                input.child_workflow_id,
                None,
                input.headers,
            )
        )

    async def signal_external_workflow(self, input: SignalExternalWorkflowInput) -> None:  # noqa: A002
        """See `WorkflowOutboundInterceptor`."""
        instance = self._instance
        request = _proto.Request(run_id=input.workflow_run_id or "", is_from_workflow=True)
        request.told.signal.name = input.signal
        request.told.signal.arguments.payloads.extend(instance.encoded("a signal", input.args))
        for name, payload in input.headers.items():
            request.told.signal.headers[name].CopyFrom(payload)
        await _External(instance).ask(
            "signal",
            "signal external workflow",
            input.workflow_id,
            request,
            "Unable to signal external workflow because it was not found",
        )


# --- each kind of call ----------------------------------------------------------------------------


class _External:
    """A message to another workflow, and the answer that it has it."""

    def __init__(self, instance: Instance) -> None:
        self._instance = instance

    async def ask(
        self, name: str, signature: str, workflow_id: str, request: _proto.Request, missing: str
    ) -> None:
        instance = self._instance
        seq, is_new = instance.step(signature, signature)
        if is_new:
            data = request.SerializeToString()
            instance.to_workflow(name, data, workflow_id, instance.route(seq))
        answered = instance.run.future(seq, _nothing)
        try:
            await answered
        except TerminalError as error:
            raise ApplicationError(missing, type="ExternalWorkflowExecutionNotFound") from error


class _Activity:
    """An activity that is scheduled on a task queue."""

    def __init__(self, instance: Instance, given: StartActivityInput, activity_id: str) -> None:
        self._instance = instance
        self._given = given
        self._id = activity_id
        self._queue = given.task_queue or instance.info.task_queue

    async def run(self) -> Any:
        instance, given = self._instance, self._given
        task = self._task()
        seq, is_new = instance.step(f"activity {given.activity}", "start activity")
        ending = instance.run.future(seq, _read_ending)
        timers = self._watch(task, seq, ending)
        if is_new:
            self._send(given.activity, task.SerializeToString(), instance.route(seq))
        try:
            return result_of(instance, await self._ending(ending, seq), given.ret_type)
        finally:
            for timer in timers:
                timer.cancel()

    async def _ending(self, ending: Any, seq: int) -> _proto.Ending:
        """How it ends; being cancelled cancels it, and what follows says its type."""
        given, is_cancelled = self._given, False
        while True:
            try:
                return cast("_proto.Ending", await asyncio.shield(ending))
            except asyncio.CancelledError:
                if ending.done():
                    raise
                if not is_cancelled:
                    is_cancelled = True
                    self._cancel()
                if given.cancellation_type is not (
                    ActivityCancellationType.WAIT_CANCELLATION_COMPLETED
                ):
                    raise self._error("Activity cancelled", seq, RetryState.CANCEL_REQUESTED) from (
                        CancelledError("Cancelled")
                    )

    def _watch(self, task: _proto.Task, seq: int, ending: Any) -> list[asyncio.TimerHandle]:
        """Timers for what no worker can tell if there is none: that it never took the activity."""
        loop, given = self._instance.run.loop, self._given
        timers = []
        if given.schedule_to_close_timeout is not None:
            after = given.schedule_to_close_timeout.total_seconds() + _GRACE_S
            timers.append(loop.call_later(after, self._give_up, seq, ending))
        if given.schedule_to_start_timeout is not None:
            after = given.schedule_to_start_timeout.total_seconds() + _GRACE_S
            timer = loop.call_later(after, self._give_up, seq, ending)
            timers.append(timer)
            started_seq, _ = self._instance.run.step("activity started")
            started = self._instance.run.future(started_seq, bytes)
            started.add_done_callback(lambda _: timer.cancel())
            task.started_route = self._instance.route(started_seq).SerializeToString()
        return timers

    def _give_up(self, seq: int, ending: Any) -> None:
        """No worker has taken it in time: one that has tells itself what takes too long."""
        if ending.done():
            return
        self._cancel()
        self._instance.run.forget(seq)
        error = self._error("Activity task timed out", seq, RetryState.NON_RETRYABLE_FAILURE)
        error.__cause__ = TimeoutError(
            "activity ScheduleToStart timeout",
            type=TimeoutType.SCHEDULE_TO_START,
            last_heartbeat_details=[],
        )
        ending.fail(error)

    def _task(self) -> _proto.Task:
        instance, given = self._instance, self._given
        info = instance.info
        task = _proto.Task(
            activity_id=self._id,
            activity_type=given.activity,
            task_queue=self._queue,
            namespace=info.namespace,
            workflow_id=info.workflow_id,
            run_id=info.run_id,
            workflow_type=info.workflow_type,
            schedule_to_close_ms=milliseconds(given.schedule_to_close_timeout),
            schedule_to_start_ms=milliseconds(given.schedule_to_start_timeout),
            start_to_close_ms=milliseconds(given.start_to_close_timeout),
            heartbeat_ms=milliseconds(given.heartbeat_timeout),
            retry_policy=policy_message(given.retry_policy or RetryPolicy()),
            scheduled_ms=instance.run.now_ms,
            priority_key=given.priority.priority_key or 0,
        )
        task.arguments.payloads.extend(instance.encoded("an argument", given.args))
        for name, payload in given.headers.items():
            task.headers[name].CopyFrom(payload)
        return task

    def _send(self, name: str, data: bytes, route: durable.Route | None) -> None:
        instance = self._instance
        typename = activity_typename(instance.info.namespace, self._queue)
        target = f"{instance.info.run_id}:{self._id}"
        instance.execution.here.outbox.send(typename, target, command(name, data, target, route))

    def _cancel(self) -> None:
        _, is_new = self._instance.run.step("cancel activity")
        if is_new and self._given.cancellation_type is not ActivityCancellationType.ABANDON:
            instance = self._instance
            typename = activity_typename(instance.info.namespace, self._queue)
            target = f"{instance.info.run_id}:{self._id}"
            envelope = durable.Envelope(version=1, cancel=target)
            instance.execution.here.outbox.send(typename, target, envelope)

    def _error(self, message: str, seq: int, reason: RetryState) -> ActivityError:
        return ActivityError(
            message,
            scheduled_event_id=seq,
            started_event_id=0,
            identity="",
            activity_type=self._given.activity,
            activity_id=self._id,
            retry_state=reason,
        )


class _LocalActivity:
    """An activity that the worker of the workflow runs, as an effect."""

    def __init__(
        self, instance: Instance, given: StartLocalActivityInput, activity_id: str
    ) -> None:
        self._instance = instance
        self._given = given
        self._id = activity_id

    async def run(self) -> Any:
        instance, given = self._instance, self._given
        policy = policy_message(given.retry_policy or RetryPolicy())
        begun_ms, attempt = instance.run.now_ms, 1
        while True:
            ending = await self._attempt(attempt)
            if not ending.HasField("failure"):
                return result_of(instance, ending, given.ret_type)
            left_ms = None
            if given.schedule_to_close_timeout is not None:
                passed_ms = instance.run.now_ms - begun_ms
                left_ms = milliseconds(given.schedule_to_close_timeout) - passed_ms
            delay = next_attempt(policy, attempt, ending.failure, left_ms)
            if isinstance(delay, RetryState):
                raise self._error(ending.failure)
            await asyncio.sleep(delay / 1000)
            attempt += 1

    async def _attempt(self, attempt: int) -> _proto.Ending:
        instance, given = self._instance, self._given
        seq, _ = instance.step(f"local activity {given.activity}", "start local activity")
        instance.run.effects[seq] = Effect(
            seq,
            given.activity,
            instance.program.run_local,
            (self._task(), attempt),
            {},
            BytesSerde(),
        )
        ending: _proto.Ending = await instance.run.future(seq, _read_ending)
        return ending

    def _task(self) -> _proto.Task:
        instance, given = self._instance, self._given
        info = instance.info
        limit = given.start_to_close_timeout or given.schedule_to_close_timeout
        task = _proto.Task(
            activity_id=self._id,
            activity_type=given.activity,
            task_queue=info.task_queue,
            namespace=info.namespace,
            workflow_id=info.workflow_id,
            run_id=info.run_id,
            workflow_type=info.workflow_type,
            schedule_to_close_ms=milliseconds(given.schedule_to_close_timeout),
            start_to_close_ms=milliseconds(limit),
            retry_policy=policy_message(given.retry_policy or RetryPolicy()),
            scheduled_ms=instance.run.now_ms,
        )
        task.arguments.payloads.extend(instance.encoded("an argument", given.args))
        for name, payload in given.headers.items():
            task.headers[name].CopyFrom(payload)
        return task

    def _error(self, failure: _proto.Failure) -> BaseException:
        instance = self._instance
        if failure.WhichOneof("failure_info") != "timeout_failure_info":
            return instance.read_failure(failure)
        error = ActivityError(
            "Local Activity timed out",
            scheduled_event_id=0,
            started_event_id=0,
            identity="",
            activity_type=self._given.activity,
            activity_id=self._id,
            retry_state=RetryState.CANCEL_REQUESTED,
        )
        error.__cause__ = TimeoutError(
            "Activity timed out", type=TimeoutType.START_TO_CLOSE, last_heartbeat_details=[]
        )
        return error


class _Child:
    """A child workflow."""

    def __init__(self, instance: Instance) -> None:
        self._instance = instance

    async def run(self, handle: ChildWorkflowHandle) -> Any:
        instance, given = self._instance, handle.given
        start = self._start(given)
        seq, is_new = instance.step(f"child workflow {given.workflow}", "start child workflow")
        started = instance.run.future(seq, _read_started)
        result_seq, wants_result = instance.run.step("child workflow result")
        ending = instance.run.future(result_seq, _read_ending)
        child = OpenChild(given.parent_close_policy, start.run_id, seq)
        instance.children[given.id] = child
        if is_new:
            start.result_route = instance.route(result_seq).SerializeToString()
            if instance.run.is_replaying:  # after a reset it may have been started
                start.id_conflict_policy = WorkflowIDConflictPolicy.USE_EXISTING
            data = start.SerializeToString()
            instance.to_workflow("start", data, given.id, instance.route(seq))
        elif wants_result:  # after a reset it runs, and tells the run that was reset
            request = _proto.Request(is_from_workflow=True, is_from_parent=True)
            route = instance.route(result_seq)
            instance.to_workflow("result", request.SerializeToString(), given.id, route)
        try:
            first = await self._wait(handle, started, is_started=False)
        except TerminalError as error:
            instance.children.pop(given.id, None)
            instance.run.forget(result_seq)
            refused = WorkflowAlreadyStartedError(
                given.id, given.workflow, run_id=(error.metadata or {}).get("run_id")
            )
            handle.has_started.set_exception(refused)
            return await asyncio.shield(handle.has_started)
        handle.first_execution_run_id = child.run_id = first.run_id
        handle.has_started.set_result(None)
        ended = await self._wait(handle, ending, is_started=True)
        instance.children.pop(given.id, None)
        return result_of(instance, ended, given.ret_type)

    async def _wait(self, handle: ChildWorkflowHandle, future: Any, *, is_started: bool) -> Any:
        """Wait for the child; being cancelled cancels it, and what follows says its type."""
        given, is_cancelled = handle.given, False
        while True:
            try:
                return await asyncio.shield(future)
            except asyncio.CancelledError:
                if future.done():
                    raise
                if not is_cancelled:
                    is_cancelled = True
                    self._cancel(given)
                if is_started and given.cancellation_type in (
                    ChildWorkflowCancellationType.ABANDON,
                    ChildWorkflowCancellationType.TRY_CANCEL,
                ):
                    raise self._cancelled(handle) from CancelledError("Cancelled")

    def _cancel(self, given: StartChildWorkflowInput) -> None:
        _, is_new = self._instance.run.step("cancel child workflow")
        if is_new and given.cancellation_type is not ChildWorkflowCancellationType.ABANDON:
            request = _proto.Request(is_from_workflow=True)
            request.told.cancel.SetInParent()
            self._instance.to_workflow("cancel", request.SerializeToString(), given.id)

    def _cancelled(self, handle: ChildWorkflowHandle) -> ChildWorkflowError:
        return ChildWorkflowError(
            "Child Workflow execution cancelled",
            namespace=self._instance.info.namespace,
            workflow_id=handle.id,
            run_id=handle.first_execution_run_id or "",
            workflow_type=handle.given.workflow,
            initiated_event_id=0,
            started_event_id=0,
            retry_state=RetryState.NON_RETRYABLE_FAILURE,
        )

    def _start(self, given: StartChildWorkflowInput) -> _proto.Start:
        instance = self._instance
        info = instance.info
        start = _proto.Start(
            workflow_id=given.id,
            workflow_type=given.workflow,
            task_queue=given.task_queue or info.task_queue,
            namespace=info.namespace,
            retry_policy=None if given.retry_policy is None else policy_message(given.retry_policy),
            execution_timeout_ms=milliseconds(given.execution_timeout),
            run_timeout_ms=milliseconds(given.run_timeout),
            task_timeout_ms=milliseconds(given.task_timeout),
            id_reuse_policy=given.id_reuse_policy,
            cron_schedule=given.cron_schedule,
            parent=_proto.Parent(
                namespace=info.namespace,
                workflow_id=info.workflow_id,
                run_id=info.run_id,
                close_policy=given.parent_close_policy,
            ),
            root_workflow_id=instance.start.root_workflow_id or info.workflow_id,
            root_run_id=instance.start.root_run_id or info.run_id,
            priority_key=given.priority.priority_key or 0,
        )
        start.run_id = str(instance.new_uuid())
        start.arguments.payloads.extend(instance.encoded("an argument", given.args))
        for name, value in (given.memo or {}).items():
            start.memo[name].CopyFrom(instance.payloads.to_payload(value))
        for name, payload in payloads_of(given.search_attributes).items():
            start.search_attributes[name].CopyFrom(payload)
        for name, payload in given.headers.items():
            start.headers[name].CopyFrom(payload)
        for field, text in (
            ("static_summary", given.static_summary),
            ("static_details", given.static_details),
        ):
            if text is not None:
                getattr(start, field).CopyFrom(instance.payloads.to_payload(text))
        return start


def close_children(instance: Instance, first: int) -> None:
    """Do with the children that still run what their policies say.

    Args:
        instance: The workflow.
        first: The first command whose children are meant.
    """
    for workflow_id, child in instance.children.items():
        if child.seq < first:
            continue
        request = _proto.Request(first_run_id=child.run_id, is_from_workflow=True)
        policy = child.policy
        if policy in (ParentClosePolicy.TERMINATE, ParentClosePolicy.UNSPECIFIED):
            request.reason = "by parent close policy"
            instance.to_workflow("terminate", request.SerializeToString(), workflow_id)
        elif policy == ParentClosePolicy.REQUEST_CANCEL:
            request.told.cancel.reason = "by parent close policy"
            instance.to_workflow("cancel", request.SerializeToString(), workflow_id)


def result_of(instance: Instance, ending: _proto.Ending, hint: Any) -> Any:
    """What an activity or a child gave.

    Raises:
        Exception: What it failed by.
    """
    if ending.WhichOneof("ending") != "result":
        raise instance.read_failure(getattr(ending, ending.WhichOneof("ending") or "failure"))
    payloads = list(ending.result.payloads)
    if not payloads:
        return None
    [value] = instance.payloads.from_payloads(payloads[:1], None if hint is None else [hint])
    return value


def _read_ending(data: bytes) -> _proto.Ending:
    return _proto.Ending.FromString(data)


def _read_started(data: bytes) -> _proto.Started:
    return _proto.Started.FromString(data)


def _nothing(_: bytes) -> None:
    return None
