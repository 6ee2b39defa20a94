"""Requests: the last of the interceptors of clients, which asks the service.

Here values become payloads, and answers become what users see.
"""

from __future__ import annotations

import uuid
from collections.abc import Awaitable
from typing import TYPE_CHECKING, Any

from statefun.durable import _proto as durable
from statefun.workflows import _proto
from statefun.workflows.addresses import (
    HISTORY,
    activity_typename,
    command,
    schedule_typename,
    workflow_typename,
)
from statefun.workflows.client.errors import (
    AsyncActivityCancelledError,
    ScheduleAlreadyRunningError,
    WorkflowQueryFailedError,
    WorkflowQueryRejectedError,
    WorkflowUpdateRPCTimeoutOrCancelledError,
)
from statefun.workflows.client.executions import (
    WorkflowExecution,
    WorkflowExecutionAsyncIterator,
    WorkflowExecutionCount,
    WorkflowExecutionCountAggregationGroup,
    WorkflowExecutionDescription,
    WorkflowHistoryEventAsyncIterator,
    described,
)
from statefun.workflows.client.handles import WorkflowHandle
from statefun.workflows.client.inputs import DescribeScheduleInput, WorkflowUpdateStage
from statefun.workflows.client.interceptors import OutboundInterceptor
from statefun.workflows.client.schedule_handles import ScheduleAsyncIterator, ScheduleHandle
from statefun.workflows.client.schedule_messages import (
    described_schedule,
    listed_schedule,
    ms_of,
    schedule_message,
)
from statefun.workflows.client.schedules import ScheduleUpdateInput
from statefun.workflows.client.updates import WorkflowUpdateHandle
from statefun.workflows.exceptions import (
    ApplicationError,
    CancelledError,
    WorkflowAlreadyStartedError,
)
from statefun.workflows.retrying import policy_message
from statefun.workflows.search_attributes import payloads_of
from statefun.workflows.service import RPCError, RPCStatusCode
from statefun.workflows.sizes import check_size
from statefun.workflows.spans import milliseconds
from statefun.workflows.status import WorkflowExecutionStatus

if TYPE_CHECKING:
    from collections.abc import Mapping, MutableMapping, Sequence
    from datetime import timedelta

    from statefun.workflows.client import inputs
    from statefun.workflows.client.core import ClientCore
    from statefun.workflows.client.schedules import (
        Schedule,
        ScheduleBackfill,
        ScheduleDescription,
        ScheduleListDescription,
    )
    from statefun.workflows.histories import WorkflowHistory

__all__ = ["Requests"]

_LONGEST_ID = 1000


class Requests(OutboundInterceptor):
    """The last of the interceptors of a client.

    Args:
        client: The client.
    """

    def __init__(self, client: ClientCore) -> None:
        self._client = client

    # --- to the service and back ---

    async def ask(
        self,
        name: str,
        workflow_id: str,
        argument: bytes,
        within: timedelta | None = None,
        identity: str = "",
    ) -> bytes:
        """Ask a workflow for something, and wait for the answer.

        Raises:
            RPCError: If it is refused, or there is no answer in time.
        """
        typename = workflow_typename(self._client.namespace)
        envelope = command(name, argument, identity)
        return await self._client.connection.ask(typename, workflow_id, envelope, within)

    async def encoded(self, what: str, values: Sequence[Any]) -> _proto.Payloads:
        """Values as they travel.

        Raises:
            RPCError: If they are too long.
        """
        payloads = await self._client.data_converter.encode(values)
        try:
            check_size(what, payloads)
        except ApplicationError as error:
            raise RPCError(
                f"Blob data size exceeds limit. {error.message}", RPCStatusCode.INVALID_ARGUMENT
            ) from error
        return _proto.Payloads(payloads=payloads)

    async def encode_map(
        self, values: Mapping[str, Any] | None, into: MutableMapping[str, _proto.Payload]
    ) -> None:
        """Write values by names, as a memo has them, into a message."""
        for name, value in (values or {}).items():
            [payload] = await self._client.data_converter.encode([value])
            into[name].CopyFrom(payload)

    # --- starting ---

    async def start_workflow(self, input: inputs.StartWorkflowInput) -> WorkflowHandle[Any, Any]:  # noqa: A002
        """See `OutboundInterceptor`."""
        start = await self._start(input)
        name, data = "start", start.SerializeToString()
        if input.start_signal is not None:
            request = _proto.Request(start=start)
            request.told.signal.name = input.start_signal
            given = await self.encoded("a signal", input.start_signal_args)
            request.told.signal.arguments.CopyFrom(given)
            copy_payloads(input.headers, request.told.signal.headers)
            name, data = "signal", request.SerializeToString()
        try:
            answer = await self.ask(name, input.id, data, input.rpc_timeout, start.run_id)
        except RPCError as refused:
            if refused.status is RPCStatusCode.ALREADY_EXISTS:
                raise _already_started(start, refused) from None
            raise
        started = _proto.Started.FromString(answer)
        is_known = started.is_new or input.start_signal is None
        return WorkflowHandle(
            self._client,
            input.id,
            result_run_id=started.run_id,
            first_execution_run_id=started.run_id if is_known else None,
            result_type=input.ret_type,
        )

    async def _start(self, given: inputs.UpdateWithStartStartWorkflowInput) -> _proto.Start:
        """The message that starts a workflow."""
        _check_id(given.id)
        policy = given.retry_policy
        start = _proto.Start(
            workflow_id=given.id,
            run_id=str(uuid.uuid4()),
            workflow_type=given.workflow,
            task_queue=given.task_queue,
            namespace=self._client.namespace,
            arguments=await self.encoded("an argument", given.args),
            retry_policy=None if policy is None else policy_message(policy),
            execution_timeout_ms=milliseconds(given.execution_timeout),
            run_timeout_ms=milliseconds(given.run_timeout),
            task_timeout_ms=milliseconds(given.task_timeout),
            id_reuse_policy=given.id_reuse_policy,
            id_conflict_policy=given.id_conflict_policy,
            cron_schedule=given.cron_schedule,
            start_delay_ms=milliseconds(given.start_delay),
            priority_key=given.priority.priority_key or 0,
        )
        await self.encode_map(given.memo, start.memo)
        copy_payloads(payloads_of(given.search_attributes), start.search_attributes)
        copy_payloads(given.headers, start.headers)
        for name, text in (
            ("static_summary", given.static_summary),
            ("static_details", given.static_details),
        ):
            if text is not None:
                [payload] = await self._client.data_converter.encode([text])
                getattr(start, name).CopyFrom(payload)
        return start

    # --- workflows that are there ---

    async def cancel_workflow(self, input: inputs.CancelWorkflowInput) -> None:  # noqa: A002
        """See `OutboundInterceptor`."""
        request = _request(input.run_id, first_run_id=input.first_execution_run_id or "")
        request.told.cancel.reason = input.reason
        await self.ask("cancel", input.id, request.SerializeToString(), input.rpc_timeout)

    async def terminate_workflow(self, input: inputs.TerminateWorkflowInput) -> None:  # noqa: A002
        """See `OutboundInterceptor`."""
        request = _request(
            input.run_id,
            reason=input.reason or "",
            details=await self.encoded("details", input.args),
            first_run_id=input.first_execution_run_id or "",
        )
        await self.ask("terminate", input.id, request.SerializeToString(), input.rpc_timeout)

    async def describe_workflow(
        self,
        input: inputs.DescribeWorkflowInput,  # noqa: A002 - the peer's name
    ) -> WorkflowExecutionDescription:
        """See `OutboundInterceptor`."""
        request = _request(input.run_id).SerializeToString()
        data = await self.ask("describe", input.id, request, input.rpc_timeout)
        workflow = _proto.Workflow.FromString(data)
        return described(WorkflowExecutionDescription, self._client.data_converter, workflow)

    def fetch_workflow_history_events(
        self,
        input: inputs.FetchWorkflowHistoryEventsInput,  # noqa: A002 - the peer's name
    ) -> WorkflowHistoryEventAsyncIterator:
        """See `OutboundInterceptor`."""

        async def fetch() -> Sequence[durable.Record]:
            request = _request(input.run_id)
            request.query.name = HISTORY
            data = await self.ask("query", input.id, request.SerializeToString(), input.rpc_timeout)
            answer = _proto.QueryAnswer.FromString(data)
            return durable.Journal.FromString(answer.result.payloads[0].data).records

        return WorkflowHistoryEventAsyncIterator(fetch)

    async def query_workflow(self, input: inputs.QueryWorkflowInput) -> Any:  # noqa: A002
        """See `OutboundInterceptor`."""
        condition = input.reject_condition or self._client.default_workflow_query_reject_condition
        request = _request(input.run_id, reject_condition=condition or 0)
        request.query.name = input.query
        request.query.arguments.CopyFrom(await self.encoded("a query", input.args))
        copy_payloads(input.headers, request.query.headers)
        data = await self.ask("query", input.id, request.SerializeToString(), input.rpc_timeout)
        answer = _proto.QueryAnswer.FromString(data)
        match answer.WhichOneof("answer"):
            case "failure":
                error = await self._client.data_converter.decode_failure(answer.failure)
                raise WorkflowQueryFailedError(getattr(error, "message", str(error)))
            case "rejected_status":
                raise WorkflowQueryRejectedError(WorkflowExecutionStatus(answer.rejected_status))
            case _:
                pass
        hints = None if input.ret_type is None else [input.ret_type]
        payloads = list(answer.result.payloads)
        [value] = await self._client.data_converter.decode(payloads, hints)
        return value

    async def signal_workflow(self, input: inputs.SignalWorkflowInput) -> None:  # noqa: A002
        """See `OutboundInterceptor`."""
        request = _request(input.run_id)
        request.told.signal.name = input.signal
        request.told.signal.arguments.CopyFrom(await self.encoded("a signal", input.args))
        copy_payloads(input.headers, request.told.signal.headers)
        data, identity = request.SerializeToString(), str(uuid.uuid4())
        await self.ask("signal", input.id, data, input.rpc_timeout, identity)

    # --- updates ---

    async def start_workflow_update(
        self,
        input: inputs.StartWorkflowUpdateInput,  # noqa: A002 - the peer's name
    ) -> WorkflowUpdateHandle[Any]:
        """See `OutboundInterceptor`."""
        request = _request(input.run_id, first_run_id=input.first_execution_run_id or "")
        return await self._update(input.id, request, input, input.rpc_timeout)

    async def start_update_with_start_workflow(
        self,
        input: inputs.StartWorkflowUpdateWithStartInput,  # noqa: A002 - the peer's name
    ) -> WorkflowUpdateHandle[Any]:
        """See `OutboundInterceptor`."""
        start = await self._start(input.start_workflow_input)
        request = _proto.Request(start=start)
        try:
            updated = await self._update(
                start.workflow_id, request, input.update_workflow_input, input.rpc_timeout
            )
        except RPCError as refused:
            if refused.status is not RPCStatusCode.ALREADY_EXISTS:
                input.on_start_error(refused)
                raise
            taken = _already_started(start, refused)
            input.on_start_error(taken)
            raise taken from None
        except BaseException as error:
            input.on_start_error(error)
            raise
        run_id = updated.workflow_run_id or ""
        started = _proto.Started(workflow_id=start.workflow_id, run_id=run_id, first_run_id=run_id)
        input.on_start(started)
        return updated

    async def _update(
        self,
        workflow_id: str,
        request: _proto.Request,
        given: inputs.StartWorkflowUpdateInput | inputs.UpdateWithStartUpdateWorkflowInput,
        within: timedelta | None,
    ) -> WorkflowUpdateHandle[Any]:
        """Send an update, and wait for a stage of it."""
        stage, known_id = given.wait_for_stage, given.update_id or str(uuid.uuid4())
        request.wait_stage = stage
        update = request.told.update
        update.id, update.name = known_id, given.update
        update.arguments.CopyFrom(await self.encoded("an update", given.args))
        copy_payloads(given.headers, update.headers)
        answer = await self._update_answer(workflow_id, request, within)
        is_completed = answer.stage == stage == WorkflowUpdateStage.COMPLETED
        return WorkflowUpdateHandle(
            self._client,
            known_id,
            workflow_id,
            workflow_run_id=answer.run_id,
            result_type=given.ret_type,
            known=answer if answer.WhichOneof("outcome") or is_completed else None,
        )

    async def update_outcome(
        self, workflow_id: str, run_id: str | None, update_id: str, within: timedelta | None
    ) -> _proto.UpdateAnswer:
        """The outcome of an update that was sent before.

        Raises:
            WorkflowUpdateRPCTimeoutOrCancelledError: If there is none in time.
            RPCError: If there is no such workflow.
        """
        request = _request(run_id, wait_stage=WorkflowUpdateStage.COMPLETED)
        request.told.update.id = update_id
        request.told.update.is_poll = True
        return await self._update_answer(workflow_id, request, within)

    async def _update_answer(
        self, workflow_id: str, request: _proto.Request, within: timedelta | None
    ) -> _proto.UpdateAnswer:
        try:
            with self._client.connection.waiting():
                data = await self.ask("update", workflow_id, request.SerializeToString(), within)
        except RPCError as error:
            if error.status is RPCStatusCode.CANCELLED:
                raise WorkflowUpdateRPCTimeoutOrCancelledError from error
            raise
        return _proto.UpdateAnswer.FromString(data)

    # --- lists and numbers ---

    def list_workflows(self, input: inputs.ListWorkflowsInput) -> WorkflowExecutionAsyncIterator:  # noqa: A002
        """See `OutboundInterceptor`."""

        async def fetch(
            token: bytes | None, page_size: int | None
        ) -> tuple[list[WorkflowExecution], bytes | None]:
            looked = await self._client.connection.look(
                _proto.Look(
                    namespace=self._client.namespace,
                    query=input.query or "",
                    page_size=page_size or input.page_size,
                    page_token=token or b"",
                ),
                input.rpc_timeout,
            )
            converter = self._client.data_converter
            found = [described(WorkflowExecution, converter, each) for each in looked.workflows]
            return found, looked.next_page_token or None

        async def history_of(run: WorkflowExecution) -> WorkflowHistory:
            handle = WorkflowHandle[Any, Any](self._client, run.id, run_id=run.run_id)
            return await handle.fetch_history()

        return WorkflowExecutionAsyncIterator(history_of, fetch, input.limit, input.next_page_token)

    async def count_workflows(self, input: inputs.CountWorkflowsInput) -> WorkflowExecutionCount:  # noqa: A002
        """See `OutboundInterceptor`."""
        look = _proto.Look(namespace=self._client.namespace, query=input.query or "", is_count=True)
        looked = await self._client.connection.look(look, input.rpc_timeout)
        groups = [
            WorkflowExecutionCountAggregationGroup(each.count, [each.value])
            for each in looked.groups
        ]
        return WorkflowExecutionCount(looked.count, groups)

    # --- schedules ---

    async def create_schedule(self, input: inputs.CreateScheduleInput) -> ScheduleHandle:  # noqa: A002
        """See `OutboundInterceptor`."""
        if not input.id:
            raise RPCError("ScheduleId is not set on request.", RPCStatusCode.INVALID_ARGUMENT)
        _check_limit(input.schedule)
        request = _proto.ScheduleRequest(
            definition=await self._definition(input.schedule), triggers=input.trigger_immediately
        )
        request.backfills.extend(_backfill_message(each) for each in input.backfill)
        await self.encode_map(input.memo, request.memo)
        copy_payloads(payloads_of(input.search_attributes), request.search_attributes)
        try:
            await self._ask_schedule("create", input.id, request, input.rpc_timeout)
        except RPCError as refused:
            if refused.status is RPCStatusCode.ALREADY_EXISTS:
                raise ScheduleAlreadyRunningError from None
            raise
        return ScheduleHandle(self._client, input.id)

    def list_schedules(self, input: inputs.ListSchedulesInput) -> ScheduleAsyncIterator:  # noqa: A002
        """See `OutboundInterceptor`."""

        async def fetch(
            token: bytes | None, page_size: int | None
        ) -> tuple[list[ScheduleListDescription], bytes | None]:
            looked = await self._client.connection.look(
                _proto.Look(
                    namespace=self._client.namespace,
                    is_for_schedules=True,
                    query=input.query or "",
                    page_size=page_size or input.page_size,
                    page_token=token or b"",
                ),
                input.rpc_timeout,
            )
            converter = self._client.data_converter
            found = [listed_schedule(each, converter) for each in looked.schedules]
            return found, looked.next_page_token or None

        return ScheduleAsyncIterator(fetch, next_page_token=input.next_page_token)

    async def describe_schedule(self, input: inputs.DescribeScheduleInput) -> ScheduleDescription:  # noqa: A002
        """See `OutboundInterceptor`."""
        request = _proto.ScheduleRequest()
        data = await self._ask_schedule("describe", input.id, request, input.rpc_timeout)
        return described_schedule(_proto.Schedule.FromString(data), self._client.data_converter)

    async def update_schedule(self, input: inputs.UpdateScheduleInput) -> None:  # noqa: A002
        """See `OutboundInterceptor`."""
        while True:
            described = await self.describe_schedule(
                DescribeScheduleInput(input.id, rpc_timeout=input.rpc_timeout)
            )
            update = input.updater(ScheduleUpdateInput(described))
            if isinstance(update, Awaitable):
                update = await update
            if update is None:
                return
            request = _proto.ScheduleRequest(
                definition=await self._definition(update.schedule), version=described.raw.version
            )
            if update.search_attributes is not None:
                request.replaces_search_attributes = True
                given = payloads_of(update.search_attributes)
                copy_payloads(given, request.search_attributes)
            try:
                await self._ask_schedule("update", input.id, request, input.rpc_timeout)
            except RPCError as refused:
                if refused.status is not RPCStatusCode.ABORTED:
                    raise
            else:
                return

    async def pause_schedule(self, input: inputs.PauseScheduleInput) -> None:  # noqa: A002
        """See `OutboundInterceptor`."""
        request = _proto.ScheduleRequest(pause=input.note or "Paused via Python SDK")
        await self._ask_schedule("patch", input.id, request, input.rpc_timeout)

    async def unpause_schedule(self, input: inputs.UnpauseScheduleInput) -> None:  # noqa: A002
        """See `OutboundInterceptor`."""
        request = _proto.ScheduleRequest(unpause=input.note or "Unpaused via Python SDK")
        await self._ask_schedule("patch", input.id, request, input.rpc_timeout)

    async def trigger_schedule(self, input: inputs.TriggerScheduleInput) -> None:  # noqa: A002
        """See `OutboundInterceptor`."""
        request = _proto.ScheduleRequest(triggers=True, trigger_overlap=input.overlap or 0)
        await self._ask_schedule("patch", input.id, request, input.rpc_timeout)

    async def backfill_schedule(self, input: inputs.BackfillScheduleInput) -> None:  # noqa: A002
        """See `OutboundInterceptor`."""
        request = _proto.ScheduleRequest()
        request.backfills.extend(_backfill_message(each) for each in input.backfills)
        await self._ask_schedule("patch", input.id, request, input.rpc_timeout)

    async def delete_schedule(self, input: inputs.DeleteScheduleInput) -> None:  # noqa: A002
        """See `OutboundInterceptor`."""
        request = _proto.ScheduleRequest()
        await self._ask_schedule("delete", input.id, request, input.rpc_timeout)

    async def _definition(self, schedule: Schedule) -> _proto.ScheduleDefinition:
        client = self._client
        return await schedule_message(schedule, client.namespace, client.data_converter)

    async def _ask_schedule(
        self,
        name: str,
        schedule_id: str,
        request: _proto.ScheduleRequest,
        within: timedelta | None,
    ) -> bytes:
        typename = schedule_typename(self._client.namespace)
        envelope = command(name, request.SerializeToString(), "")
        return await self._client.connection.ask(typename, schedule_id, envelope, within)

    # --- activities that are completed from outside ---

    async def heartbeat_async_activity(
        self,
        input: inputs.HeartbeatAsyncActivityInput,  # noqa: A002 - the peer's name
    ) -> None:
        """See `OutboundInterceptor`."""
        heartbeat = await self.encoded("a heartbeat", input.details)
        report = _proto.Report(is_heartbeat=True, heartbeat=heartbeat)
        if (await self._report(input.id_or_token, report, input.rpc_timeout)).cancel_requested:
            raise AsyncActivityCancelledError

    async def complete_async_activity(
        self,
        input: inputs.CompleteAsyncActivityInput,  # noqa: A002 - the peer's name
    ) -> None:
        """See `OutboundInterceptor`."""
        report = _proto.Report()
        report.ending.result.CopyFrom(await self.encoded("a result", [input.result]))
        await self._report(input.id_or_token, report, input.rpc_timeout)

    async def fail_async_activity(self, input: inputs.FailAsyncActivityInput) -> None:  # noqa: A002
        """See `OutboundInterceptor`."""
        report = _proto.Report()
        await self._client.data_converter.encode_failure(input.error, report.ending.failure)
        if input.last_heartbeat_details:
            heartbeat = await self.encoded("a heartbeat", input.last_heartbeat_details)
            last = _proto.Report(is_heartbeat=True, heartbeat=heartbeat)
            await self._report(input.id_or_token, last, input.rpc_timeout)
        await self._report(input.id_or_token, report, input.rpc_timeout)

    async def report_cancellation_async_activity(
        self,
        input: inputs.ReportCancellationAsyncActivityInput,  # noqa: A002 - the peer's name
    ) -> None:
        """See `OutboundInterceptor`."""
        report, error = _proto.Report(), CancelledError("Cancelled", *input.details)
        await self._client.data_converter.encode_failure(error, report.ending.canceled)
        await self._report(input.id_or_token, report, input.rpc_timeout)

    async def _report(
        self,
        id_or_token: inputs.AsyncActivityIDReference | bytes,
        report: _proto.Report,
        within: timedelta | None,
    ) -> _proto.ReportAnswer:
        queue, target = await self._activity_address(id_or_token)
        update = durable.Update(
            execution=target, name="report", argument=report.SerializeToString()
        )
        envelope = durable.Envelope(version=1, update=update)
        typename = activity_typename(self._client.namespace, queue)
        answer = await self._client.connection.ask(typename, target, envelope, within)
        return _proto.ReportAnswer.FromString(answer)

    async def _activity_address(
        self, id_or_token: inputs.AsyncActivityIDReference | bytes
    ) -> tuple[str, str]:
        """The task queue and the id of an activity."""
        if isinstance(id_or_token, bytes):
            queue, _, target = id_or_token.decode().partition("\0")
            return queue, target
        queue, run_id = id_or_token.task_queue, id_or_token.run_id or ""
        if not (queue and run_id):
            request = _request(run_id).SerializeToString()
            data = await self.ask("describe", id_or_token.workflow_id, request)
            start = _proto.Workflow.FromString(data).start
            queue, run_id = queue or start.task_queue, run_id or start.run_id
        return queue, f"{run_id}:{id_or_token.activity_id}"


def _request(run_id: str | None, **fields: Any) -> _proto.Request:
    return _proto.Request(run_id=run_id or "", **fields)


def copy_payloads(
    payloads: Mapping[str, _proto.Payload], into: MutableMapping[str, _proto.Payload]
) -> None:
    """Copy payloads by names into a message."""
    for name, payload in payloads.items():
        into[name].CopyFrom(payload)


def _already_started(start: _proto.Start, refused: RPCError) -> WorkflowAlreadyStartedError:
    return WorkflowAlreadyStartedError(
        start.workflow_id,
        start.workflow_type,
        run_id=refused.facts.get("run_id"),
        first_run_id=refused.facts.get("first_run_id"),
    )


def _check_limit(schedule: Schedule) -> None:
    state = schedule.state
    if state.limited_actions and not state.remaining_actions:
        raise ValueError("Must set limited actions to false if there are no remaining actions set")
    if not state.limited_actions and state.remaining_actions:
        raise ValueError("Must set limited actions to true if there are remaining actions set")


def _backfill_message(given: ScheduleBackfill) -> _proto.ScheduleBackfill:
    return _proto.ScheduleBackfill(
        start_ms=ms_of(given.start_at), end_ms=ms_of(given.end_at), overlap=given.overlap or 0
    )


def _check_id(workflow_id: str) -> None:
    if not workflow_id:
        raise RPCError("WorkflowId is not set on request.", RPCStatusCode.INVALID_ARGUMENT)
    if len(workflow_id) > _LONGEST_ID:
        raise RPCError("WorkflowId length exceeds limit.", RPCStatusCode.INVALID_ARGUMENT)
