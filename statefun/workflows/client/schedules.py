"""Schedules: when which workflow is started, as users write it and read it."""

from __future__ import annotations

from abc import ABC
from dataclasses import dataclass, field
from enum import IntEnum
from typing import TYPE_CHECKING, Any, TypeVar, overload

from statefun.workflows.arguments import UNSET, arguments_of
from statefun.workflows.client.executions import memo_of, memo_value_of
from statefun.workflows.client.names import workflow_named
from statefun.workflows.common import Priority, TypedSearchAttributes

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence
    from datetime import datetime, timedelta
    from typing import Unpack

    from statefun.workflows import _proto
    from statefun.workflows.client.options import WorkflowOptions
    from statefun.workflows.common import RetryPolicy, SearchAttributes
    from statefun.workflows.converter import DataConverter

__all__ = [
    "Schedule",
    "ScheduleAction",
    "ScheduleActionExecution",
    "ScheduleActionExecutionStartWorkflow",
    "ScheduleActionResult",
    "ScheduleActionStartWorkflow",
    "ScheduleBackfill",
    "ScheduleCalendarSpec",
    "ScheduleDescription",
    "ScheduleInfo",
    "ScheduleIntervalSpec",
    "ScheduleListAction",
    "ScheduleListActionStartWorkflow",
    "ScheduleListDescription",
    "ScheduleListInfo",
    "ScheduleListSchedule",
    "ScheduleListState",
    "ScheduleOverlapPolicy",
    "SchedulePolicy",
    "ScheduleRange",
    "ScheduleSpec",
    "ScheduleState",
    "ScheduleUpdate",
    "ScheduleUpdateInput",
]

S = TypeVar("S")
T = TypeVar("T")


# --- when -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class ScheduleRange:
    """Numbers from one to another.

    Attributes:
        start: The first.
        end: The last, if it fits the step; less than `start` means `start`.
        step: The distance; 0 means 1.
    """

    start: int
    end: int = 0
    step: int = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "end", max(self.end, self.start))
        object.__setattr__(self, "step", max(self.step, 1))


@dataclass
class ScheduleCalendarSpec:
    """Times that fit every one of these; by default midnight of each day.

    Attributes:
        second: Seconds, 0 to 59.
        minute: Minutes, 0 to 59.
        hour: Hours, 0 to 23.
        day_of_month: Days of the month, from 1.
        month: Months, from 1.
        year: Years; all if it is empty.
        day_of_week: Days of the week, 0 for Sunday.
        comment: A note.
    """

    second: Sequence[ScheduleRange] = (ScheduleRange(0),)
    minute: Sequence[ScheduleRange] = (ScheduleRange(0),)
    hour: Sequence[ScheduleRange] = (ScheduleRange(0),)
    day_of_month: Sequence[ScheduleRange] = (ScheduleRange(1, 31),)
    month: Sequence[ScheduleRange] = (ScheduleRange(1, 12),)
    year: Sequence[ScheduleRange] = ()
    day_of_week: Sequence[ScheduleRange] = (ScheduleRange(0, 6),)
    comment: str | None = None


@dataclass
class ScheduleIntervalSpec:
    """Times at equal distances, counted from 1970.

    Attributes:
        every: The distance.
        offset: How much later they are; None for nothing.
    """

    every: timedelta
    offset: timedelta | None = None


@dataclass
class ScheduleSpec:
    """When a schedule takes its action: whenever one of these says so.

    Attributes:
        calendars: Calendars.
        intervals: Intervals.
        cron_expressions: Cron expressions of five fields, of six with the year, or of seven with
            seconds first and the year last; or `@daily` and its like, or `@every 1h`. Days of the
            month and of the week must both fit. They are kept as calendars and intervals.
        skip: Calendars whose times are left out.
        start_at: No time before this one.
        end_at: No time after this one.
        jitter: By how much at most each time is later, never beyond the next one.
        time_zone_name: The time zone of calendars; None for UTC.
    """

    calendars: Sequence[ScheduleCalendarSpec] = field(default_factory=list[ScheduleCalendarSpec])
    intervals: Sequence[ScheduleIntervalSpec] = field(default_factory=list[ScheduleIntervalSpec])
    cron_expressions: Sequence[str] = field(default_factory=list[str])
    skip: Sequence[ScheduleCalendarSpec] = field(default_factory=list[ScheduleCalendarSpec])
    start_at: datetime | None = None
    end_at: datetime | None = None
    jitter: timedelta | None = None
    time_zone_name: str | None = None


# --- what -----------------------------------------------------------------------------------------


class ScheduleAction(ABC):  # noqa: B024 - the peer has one kind of it
    """What a schedule does."""


@dataclass(init=False)
class ScheduleActionStartWorkflow(ScheduleAction):
    """Start a workflow, whose id is this one with the time.

    Args:
        workflow: Its main method, or the name of its type.
        arg: Its argument.
        args: Its arguments, if there are several.
        id: What its id begins with.
        task_queue: Its task queue.
        typed_search_attributes: Its search attributes.
        **options: As for `Client.start_workflow`, as far as they are in `WorkflowOptions`.

    Raises:
        ValueError: If the id is empty.

    Attributes:
        workflow: The name of the type.
        args: The arguments; in a description as payloads.
        id: What the ids of workflows begin with.
        task_queue: The task queue.
        execution_timeout: How long all runs together may take.
        run_timeout: How long each run may take.
        task_timeout: How long a worker may compute until the next wait.
        retry_policy: When a failed run is followed by another.
        memo: The memo; in a description as payloads.
        typed_search_attributes: The search attributes.
        static_summary: A sentence about the workflow; in a description as a payload.
        static_details: A text about it; in a description as a payload.
        priority: How urgent it is.
        headers: Headers, as interceptors set them.
    """

    workflow: str
    args: Sequence[Any]
    id: str
    task_queue: str
    execution_timeout: timedelta | None
    run_timeout: timedelta | None
    task_timeout: timedelta | None
    retry_policy: RetryPolicy | None
    memo: Mapping[str, Any] | None
    typed_search_attributes: TypedSearchAttributes
    static_summary: Any
    static_details: Any
    priority: Priority
    headers: Mapping[str, _proto.Payload] | None

    @overload
    def __init__(
        self,
        workflow: Callable[[S], Awaitable[Any]],
        *,
        id: str,
        task_queue: str,
        typed_search_attributes: TypedSearchAttributes = ...,
        headers: Mapping[str, _proto.Payload] | None = ...,
        **options: Unpack[WorkflowOptions],
    ) -> None: ...
    @overload
    def __init__(
        self,
        workflow: Callable[[S, T], Awaitable[Any]],
        arg: T,
        *,
        id: str,
        task_queue: str,
        typed_search_attributes: TypedSearchAttributes = ...,
        headers: Mapping[str, _proto.Payload] | None = ...,
        **options: Unpack[WorkflowOptions],
    ) -> None: ...
    @overload
    def __init__(
        self,
        workflow: Callable[..., Awaitable[Any]],
        *,
        args: Sequence[Any],
        id: str,
        task_queue: str,
        typed_search_attributes: TypedSearchAttributes = ...,
        headers: Mapping[str, _proto.Payload] | None = ...,
        **options: Unpack[WorkflowOptions],
    ) -> None: ...
    @overload
    def __init__(
        self,
        workflow: str,
        arg: Any = ...,
        *,
        args: Sequence[Any] = ...,
        id: str,
        task_queue: str,
        typed_search_attributes: TypedSearchAttributes = ...,
        headers: Mapping[str, _proto.Payload] | None = ...,
        **options: Unpack[WorkflowOptions],
    ) -> None: ...

    def __init__(
        self,
        workflow: Any,
        arg: Any = UNSET,
        *,
        args: Sequence[Any] = (),
        id: str,  # noqa: A002 - the peer's name
        task_queue: str,
        typed_search_attributes: TypedSearchAttributes = TypedSearchAttributes.empty,
        headers: Mapping[str, _proto.Payload] | None = None,
        **options: Unpack[WorkflowOptions],
    ) -> None:
        if not id:
            raise ValueError("ID required")
        self.workflow, _ = workflow_named(workflow)
        self.args = arguments_of(arg, args)
        self.id = id
        self.task_queue = task_queue
        self.execution_timeout = options.get("execution_timeout")
        self.run_timeout = options.get("run_timeout")
        self.task_timeout = options.get("task_timeout")
        self.retry_policy = options.get("retry_policy")
        self.memo = options.get("memo")
        self.typed_search_attributes = typed_search_attributes
        self.static_summary = options.get("static_summary")
        self.static_details = options.get("static_details")
        self.priority = options.get("priority", Priority.default)
        self.headers = headers


# --- how ------------------------------------------------------------------------------------------


class ScheduleOverlapPolicy(IntEnum):
    """What happens when an action is due while a workflow of the schedule runs."""

    SKIP = 1
    """Nothing."""
    BUFFER_ONE = 2
    """It waits until that ends, unless one waits already."""
    BUFFER_ALL = 3
    """It waits until all before it have ended."""
    CANCEL_OTHER = 4
    """The workflow that runs is cancelled, and the next one starts when it has ended."""
    TERMINATE_OTHER = 5
    """The workflow that runs is terminated, and the next one starts."""
    ALLOW_ALL = 6
    """It starts beside it."""


@dataclass
class SchedulePolicy:
    """How a schedule works.

    Attributes:
        overlap: What happens when an action is due while a workflow of the schedule runs.
        catchup_window: How late an action may be, after the service was down; None for a year.
        pause_on_failure: Whether the schedule is paused when a workflow fails or times out.
    """

    overlap: ScheduleOverlapPolicy = ScheduleOverlapPolicy.SKIP
    catchup_window: timedelta | None = None
    pause_on_failure: bool = False


@dataclass
class ScheduleState:
    """How a schedule stands.

    Attributes:
        note: A note, for people.
        paused: Whether it takes no actions.
        limited_actions: Whether it takes only so many more.
        remaining_actions: How many.
    """

    note: str | None = None
    paused: bool = False
    limited_actions: bool = False
    remaining_actions: int = 0


@dataclass
class Schedule:
    """A schedule: what is done when, and how.

    Attributes:
        action: What is done.
        spec: When.
        policy: How.
        state: How it stands.
    """

    action: ScheduleAction
    spec: ScheduleSpec
    policy: SchedulePolicy = field(default_factory=SchedulePolicy)
    state: ScheduleState = field(default_factory=ScheduleState)


@dataclass
class ScheduleBackfill:
    """Times of the past for which the action is taken.

    Attributes:
        start_at: The first time.
        end_at: The last one.
        overlap: The policy for them; None for that of the schedule.
    """

    start_at: datetime
    end_at: datetime
    overlap: ScheduleOverlapPolicy | None = None


# --- as it is read --------------------------------------------------------------------------------


class ScheduleActionExecution(ABC):  # noqa: B024 - the peer has one kind of it
    """What an action made."""


@dataclass(frozen=True)
class ScheduleActionExecutionStartWorkflow(ScheduleActionExecution):
    """A workflow that was started.

    Attributes:
        workflow_id: Its id.
        first_execution_run_id: Its first run.
    """

    workflow_id: str
    first_execution_run_id: str


@dataclass(frozen=True)
class ScheduleActionResult:
    """An action that was taken.

    Attributes:
        scheduled_at: The time that it was due.
        started_at: The time that it was taken.
        action: What it made.
    """

    scheduled_at: datetime
    started_at: datetime
    action: ScheduleActionExecution


@dataclass(frozen=True)
class ScheduleInfo:
    """What a schedule has done, and will do.

    Attributes:
        num_actions: How many actions it has taken.
        num_actions_missed_catchup_window: How many it was too late for.
        num_actions_skipped_overlap: How many it has left out since a workflow still ran.
        running_actions: The workflows that run; not those that may run beside others.
        recent_actions: The last actions, oldest first.
        next_action_times: The next times.
        created_at: When it was made.
        last_updated_at: When it was changed; None if it never was.
    """

    num_actions: int
    num_actions_missed_catchup_window: int
    num_actions_skipped_overlap: int
    running_actions: Sequence[ScheduleActionExecution]
    recent_actions: Sequence[ScheduleActionResult]
    next_action_times: Sequence[datetime]
    created_at: datetime
    last_updated_at: datetime | None


@dataclass(frozen=True)
class _Described:
    """What descriptions of schedules have in common."""

    id: str
    typed_search_attributes: TypedSearchAttributes
    search_attributes: SearchAttributes
    data_converter: DataConverter
    raw: _proto.Schedule

    async def memo(self) -> Mapping[str, Any]:
        """The memo."""
        return await memo_of(self.data_converter, self.raw.memo)

    async def memo_value(
        self, key: str, default: Any = UNSET, *, type_hint: type[Any] | None = None
    ) -> Any:
        """A value of the memo.

        Args:
            key: Its name.
            default: What is returned if there is none.
            type_hint: Its type.

        Raises:
            KeyError: If there is none, and no default.
        """
        return await memo_value_of(self.data_converter, self.raw.memo, key, default, type_hint)


@dataclass(frozen=True)
class ScheduleDescription(_Described):
    """What `ScheduleHandle.describe` returns.

    Attributes:
        id: The id of the schedule.
        typed_search_attributes: Its search attributes.
        search_attributes: The same as lists, by names.
        data_converter: How its memo is read.
        raw: As it travelled.
        schedule: The schedule.
        info: What it has done, and will do.
    """

    schedule: Schedule
    info: ScheduleInfo


class ScheduleListAction(ABC):  # noqa: B024 - the peer has one kind of it
    """What a schedule in a list does."""


@dataclass(frozen=True)
class ScheduleListActionStartWorkflow(ScheduleListAction):
    """Start a workflow.

    Attributes:
        workflow: The name of its type.
    """

    workflow: str


@dataclass(frozen=True)
class ScheduleListState:
    """How a schedule in a list stands; see `ScheduleState`."""

    note: str | None
    paused: bool


@dataclass(frozen=True)
class ScheduleListSchedule:
    """A schedule in a list; see `Schedule`."""

    action: ScheduleListAction
    spec: ScheduleSpec
    state: ScheduleListState


@dataclass(frozen=True)
class ScheduleListInfo:
    """What a schedule in a list has done, and will do; see `ScheduleInfo`."""

    recent_actions: Sequence[ScheduleActionResult]
    next_action_times: Sequence[datetime]


@dataclass(frozen=True)
class ScheduleListDescription(_Described):
    """A schedule in what `Client.list_schedules` finds; see `ScheduleDescription`."""

    schedule: ScheduleListSchedule | None
    info: ScheduleListInfo | None


# --- changes --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class ScheduleUpdateInput:
    """What a function that changes a schedule is called with.

    Attributes:
        description: The schedule as it is.
    """

    description: ScheduleDescription


@dataclass
class ScheduleUpdate:
    """A change of a schedule.

    Attributes:
        schedule: The schedule from now on.
        search_attributes: Its search attributes from now on; None if they stay.
    """

    schedule: Schedule
    search_attributes: TypedSearchAttributes | None = None
