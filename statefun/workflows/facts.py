"""What a workflow knows of itself, and the choices that its calls have."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING, Any

from statefun.workflows.running import running

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime, timedelta

    from statefun.workflows import _proto
    from statefun.workflows.common import (
        Priority,
        RetryPolicy,
        SearchAttributes,
        TypedSearchAttributes,
    )

__all__ = [
    "ActivityCancellationType",
    "ActivityInfo",
    "ChildWorkflowCancellationType",
    "Info",
    "ParentClosePolicy",
    "ParentInfo",
    "RootInfo",
    "UpdateInfo",
]

_SUGGEST_CONTINUE_AS_NEW = 10_000


class ActivityCancellationType(IntEnum):
    """What a workflow waits for once it has cancelled an activity."""

    TRY_CANCEL = 0
    WAIT_CANCELLATION_COMPLETED = 1
    ABANDON = 2


class ChildWorkflowCancellationType(IntEnum):
    """What a workflow waits for once it has cancelled a child workflow."""

    ABANDON = 0
    TRY_CANCEL = 1
    WAIT_CANCELLATION_COMPLETED = 2
    WAIT_CANCELLATION_REQUESTED = 3


class ParentClosePolicy(IntEnum):
    """What becomes of a child workflow when its parent ends."""

    UNSPECIFIED = 0
    TERMINATE = 1
    ABANDON = 2
    REQUEST_CANCEL = 3


@dataclass(frozen=True)
class ParentInfo:
    """The workflow that started this one as a child."""

    namespace: str
    run_id: str
    workflow_id: str


@dataclass(frozen=True)
class RootInfo:
    """The workflow at the top: the parent of the parent and so on."""

    run_id: str
    workflow_id: str


@dataclass(frozen=True)
class UpdateInfo:
    """The update that is being handled."""

    id: str
    name: str


@dataclass(frozen=True)
class Info:
    """What a run knows of itself.

    Attributes:
        attempt: Which attempt of the workflow's retry policy this run is, from 1.
        continued_run_id: The run that this one continues.
        cron_schedule: The cron expression by which it runs again.
        execution_timeout: How long all runs together may take.
        first_execution_run_id: The first run of the chain.
        headers: Headers, as interceptors set them.
        namespace: The namespace.
        original_execution_run_id: The run that a reset began from; this run otherwise.
        parent: The workflow that started this one as a child.
        root: The workflow at the top.
        priority: How urgent it is.
        raw_memo: The memo, not converted.
        retry_policy: The retry policy of the workflow.
        run_id: The id of this run.
        run_timeout: How long this run may take.
        search_attributes: The search attributes as lists, by names.
        start_time: When this run began.
        task_queue: The task queue.
        task_timeout: How long a worker may compute until the next wait.
        typed_search_attributes: The search attributes.
        workflow_id: The id.
        workflow_start_time: When the first run of the chain began.
        workflow_type: The name of the type.
    """

    attempt: int
    continued_run_id: str | None
    cron_schedule: str | None
    execution_timeout: timedelta | None
    first_execution_run_id: str
    headers: Mapping[str, _proto.Payload]
    namespace: str
    original_execution_run_id: str
    parent: ParentInfo | None
    root: RootInfo | None
    priority: Priority
    raw_memo: Mapping[str, _proto.Payload]
    retry_policy: RetryPolicy | None
    run_id: str
    run_timeout: timedelta | None
    search_attributes: SearchAttributes
    start_time: datetime
    task_queue: str
    task_timeout: timedelta
    typed_search_attributes: TypedSearchAttributes
    workflow_id: str
    workflow_start_time: datetime
    workflow_type: str

    def get_current_history_length(self) -> int:
        """How many events the run has been told so far."""
        return running().history_length

    def is_continue_as_new_suggested(self) -> bool:
        """Whether the history is so long that the run should continue as a new one."""
        return self.get_current_history_length() >= _SUGGEST_CONTINUE_AS_NEW


@dataclass(frozen=True)
class ActivityInfo:
    """What an attempt of an activity knows of itself.

    Attributes:
        activity_id: The id of the activity, unique in its workflow.
        activity_type: The name of its type.
        attempt: Which attempt, from 1.
        current_attempt_scheduled_time: When this attempt was scheduled.
        heartbeat_details: What the last heartbeat of the attempt before said.
        heartbeat_timeout: How long it may be silent.
        is_local: Whether the worker of the workflow runs it.
        namespace: The namespace.
        schedule_to_close_timeout: How long all attempts together may take.
        scheduled_time: When the activity was scheduled.
        start_to_close_timeout: How long this attempt may take.
        started_time: When this attempt began.
        task_queue: The task queue.
        task_token: Names it for `Client.get_async_activity_handle`.
        workflow_id: The workflow that called it.
        workflow_namespace: The namespace of that workflow.
        workflow_run_id: The run of that workflow.
        workflow_type: The type of that workflow.
        priority: How urgent it is.
        retry_policy: When it is tried again.
    """

    activity_id: str
    activity_type: str
    attempt: int
    current_attempt_scheduled_time: datetime
    heartbeat_details: Sequence[Any]
    heartbeat_timeout: timedelta | None
    is_local: bool
    namespace: str
    schedule_to_close_timeout: timedelta | None
    scheduled_time: datetime
    start_to_close_timeout: timedelta | None
    started_time: datetime
    task_queue: str
    task_token: bytes
    workflow_id: str | None
    workflow_namespace: str | None
    workflow_run_id: str | None
    workflow_type: str | None
    priority: Priority
    retry_policy: RetryPolicy | None

    @property
    def in_workflow(self) -> bool:
        """Whether a workflow called it."""
        return self.workflow_id is not None

    def facts(self) -> Mapping[str, Any]:
        """What loggers say of it."""
        return {
            "activity_id": self.activity_id,
            "activity_type": self.activity_type,
            "attempt": self.attempt,
            "namespace": self.namespace,
            "task_queue": self.task_queue,
            "workflow_id": self.workflow_id,
            "workflow_run_id": self.workflow_run_id,
            "workflow_type": self.workflow_type,
        }
