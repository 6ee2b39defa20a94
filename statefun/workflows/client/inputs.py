"""What clients pass on to interceptors: one class for each request."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum
from typing import TYPE_CHECKING, Any

from statefun.workflows.common import (
    Priority,
    WorkflowIDConflictPolicy,
    WorkflowIDReusePolicy,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence
    from datetime import timedelta

    from statefun.workflows import _proto
    from statefun.workflows.client.schedules import (
        Schedule,
        ScheduleBackfill,
        ScheduleOverlapPolicy,
        ScheduleUpdate,
        ScheduleUpdateInput,
    )
    from statefun.workflows.common import (
        QueryRejectCondition,
        RetryPolicy,
        SearchAttributes,
        TypedSearchAttributes,
    )

__all__ = [
    "AsyncActivityIDReference",
    "BackfillScheduleInput",
    "CancelWorkflowInput",
    "CompleteAsyncActivityInput",
    "CountWorkflowsInput",
    "CreateScheduleInput",
    "DeleteScheduleInput",
    "DescribeScheduleInput",
    "DescribeWorkflowInput",
    "FailAsyncActivityInput",
    "FetchWorkflowHistoryEventsInput",
    "HeartbeatAsyncActivityInput",
    "ListSchedulesInput",
    "ListWorkflowsInput",
    "PauseScheduleInput",
    "QueryWorkflowInput",
    "ReportCancellationAsyncActivityInput",
    "SignalWorkflowInput",
    "StartWorkflowInput",
    "StartWorkflowUpdateInput",
    "StartWorkflowUpdateWithStartInput",
    "TerminateWorkflowInput",
    "TriggerScheduleInput",
    "UnpauseScheduleInput",
    "UpdateScheduleInput",
    "UpdateWithStartStartWorkflowInput",
    "UpdateWithStartUpdateWorkflowInput",
    "WorkflowUpdateStage",
]

Headers = dict[str, "_proto.Payload"]


class WorkflowUpdateStage(IntEnum):
    """How far an update is waited for."""

    ADMITTED = 1
    ACCEPTED = 2
    COMPLETED = 3


@dataclass(kw_only=True)
class RPCInput:
    """What every request has; see `RPCOptions`."""

    rpc_metadata: Mapping[str, str | bytes] = field(default_factory=dict[str, str | bytes])
    rpc_timeout: timedelta | None = None


# --- workflows ------------------------------------------------------------------------------------


@dataclass(kw_only=True)
class UpdateWithStartStartWorkflowInput:
    """A workflow to be started unless it runs; see `Client.start_workflow`."""

    workflow: str
    args: Sequence[Any]
    id: str
    task_queue: str
    execution_timeout: timedelta | None = None
    run_timeout: timedelta | None = None
    task_timeout: timedelta | None = None
    id_reuse_policy: WorkflowIDReusePolicy = WorkflowIDReusePolicy.ALLOW_DUPLICATE
    id_conflict_policy: WorkflowIDConflictPolicy = WorkflowIDConflictPolicy.UNSPECIFIED
    retry_policy: RetryPolicy | None = None
    cron_schedule: str = ""
    memo: Mapping[str, Any] | None = None
    search_attributes: TypedSearchAttributes | SearchAttributes | None = None
    start_delay: timedelta | None = None
    headers: Mapping[str, _proto.Payload] = field(default_factory=Headers)
    static_summary: str | None = None
    static_details: str | None = None
    ret_type: Any = None
    priority: Priority = Priority.default


@dataclass(kw_only=True)
class StartWorkflowInput(UpdateWithStartStartWorkflowInput, RPCInput):
    """A workflow to be started; see `Client.start_workflow`."""

    start_signal: str | None = None
    start_signal_args: Sequence[Any] = ()
    request_eager_start: bool = False


@dataclass
class CancelWorkflowInput(RPCInput):
    """A workflow to be cancelled."""

    id: str
    run_id: str | None
    first_execution_run_id: str | None
    reason: str = ""


@dataclass
class TerminateWorkflowInput(RPCInput):
    """A workflow to be ended."""

    id: str
    run_id: str | None
    first_execution_run_id: str | None
    args: Sequence[Any]
    reason: str | None


@dataclass
class DescribeWorkflowInput(RPCInput):
    """A workflow to be described."""

    id: str
    run_id: str | None


@dataclass
class FetchWorkflowHistoryEventsInput(RPCInput):
    """A run whose history is asked for."""

    id: str
    run_id: str | None


@dataclass
class ListWorkflowsInput(RPCInput):
    """Workflows to be listed."""

    query: str | None
    page_size: int
    next_page_token: bytes | None
    limit: int | None


@dataclass
class CountWorkflowsInput(RPCInput):
    """Workflows to be counted."""

    query: str | None


@dataclass
class QueryWorkflowInput(RPCInput):
    """A question to a workflow."""

    id: str
    run_id: str | None
    query: str
    args: Sequence[Any]
    reject_condition: QueryRejectCondition | None
    headers: Mapping[str, _proto.Payload]
    ret_type: Any


@dataclass
class SignalWorkflowInput(RPCInput):
    """A signal to a workflow."""

    id: str
    run_id: str | None
    signal: str
    args: Sequence[Any]
    headers: Mapping[str, _proto.Payload]


@dataclass
class StartWorkflowUpdateInput(RPCInput):
    """An update of a workflow."""

    id: str
    run_id: str | None
    first_execution_run_id: str | None
    update_id: str | None
    update: str
    args: Sequence[Any]
    wait_for_stage: WorkflowUpdateStage
    headers: Mapping[str, _proto.Payload]
    ret_type: Any


@dataclass
class UpdateWithStartUpdateWorkflowInput:
    """The update of a workflow that is started unless it runs."""

    update_id: str | None
    update: str
    args: Sequence[Any]
    wait_for_stage: WorkflowUpdateStage
    headers: Mapping[str, _proto.Payload]
    ret_type: Any


@dataclass
class StartWorkflowUpdateWithStartInput(RPCInput):
    """A workflow to be started unless it runs, and its update."""

    start_workflow_input: UpdateWithStartStartWorkflowInput
    update_workflow_input: UpdateWithStartUpdateWorkflowInput
    on_start: Callable[[_proto.Started], None]
    on_start_error: Callable[[BaseException], None]


# --- activities that are completed from outside ---------------------------------------------------


@dataclass(frozen=True)
class AsyncActivityIDReference:
    """An activity, by its ids.

    Attributes:
        workflow_id: The workflow that called it.
        run_id: The run of that; None for whichever is the current one.
        activity_id: The id of the activity.
        task_queue: The task queue of the activity; empty for that of its workflow.
    """

    workflow_id: str
    run_id: str | None
    activity_id: str
    task_queue: str = ""


@dataclass
class HeartbeatAsyncActivityInput(RPCInput):
    """A heartbeat of an activity."""

    id_or_token: AsyncActivityIDReference | bytes
    details: Sequence[Any]


@dataclass
class CompleteAsyncActivityInput(RPCInput):
    """The result of an activity."""

    id_or_token: AsyncActivityIDReference | bytes
    result: Any


@dataclass
class FailAsyncActivityInput(RPCInput):
    """The failure of an attempt of an activity."""

    id_or_token: AsyncActivityIDReference | bytes
    error: Exception
    last_heartbeat_details: Sequence[Any]


@dataclass
class ReportCancellationAsyncActivityInput(RPCInput):
    """That an activity was cancelled, as it was asked to."""

    id_or_token: AsyncActivityIDReference | bytes
    details: Sequence[Any]


# --- schedules ------------------------------------------------------------------------------------


@dataclass
class CreateScheduleInput(RPCInput):
    """A schedule to be made; see `Client.create_schedule`."""

    id: str
    schedule: Schedule
    trigger_immediately: bool
    backfill: Sequence[ScheduleBackfill]
    memo: Mapping[str, Any] | None
    search_attributes: TypedSearchAttributes | SearchAttributes | None


@dataclass
class ListSchedulesInput(RPCInput):
    """Schedules to be listed."""

    page_size: int
    next_page_token: bytes | None
    query: str | None = None


@dataclass
class BackfillScheduleInput(RPCInput):
    """Times of the past that a schedule is to make up for."""

    id: str
    backfills: Sequence[ScheduleBackfill]


@dataclass
class DeleteScheduleInput(RPCInput):
    """A schedule to be deleted."""

    id: str


@dataclass
class DescribeScheduleInput(RPCInput):
    """A schedule to be described."""

    id: str


@dataclass
class PauseScheduleInput(RPCInput):
    """A schedule to be paused."""

    id: str
    note: str | None


@dataclass
class TriggerScheduleInput(RPCInput):
    """A schedule whose action is to be taken now."""

    id: str
    overlap: ScheduleOverlapPolicy | None


@dataclass
class UnpauseScheduleInput(RPCInput):
    """A schedule that is to go on."""

    id: str
    note: str | None


@dataclass
class UpdateScheduleInput(RPCInput):
    """A schedule to be changed."""

    id: str
    updater: Callable[
        [ScheduleUpdateInput], ScheduleUpdate | Awaitable[ScheduleUpdate | None] | None
    ]
