"""What clients are told of workflows: executions, one by one, in lists and as numbers."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeVar, cast

from statefun.workflows.arguments import UNSET
from statefun.workflows.client.paging import PageIterator
from statefun.workflows.search_attributes import typed, untyped
from statefun.workflows.status import WorkflowExecutionStatus

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence

    from statefun.durable import _proto as durable
    from statefun.workflows import _proto
    from statefun.workflows.converter import DataConverter
    from statefun.workflows.histories import WorkflowHistory
    from statefun.workflows.search_attributes import (
        SearchAttributes,
        SearchAttributeValue,
        TypedSearchAttributes,
    )

__all__ = [
    "WorkflowExecution",
    "WorkflowExecutionAsyncIterator",
    "WorkflowExecutionCount",
    "WorkflowExecutionCountAggregationGroup",
    "WorkflowExecutionDescription",
    "WorkflowHistoryEventAsyncIterator",
    "described",
    "memo_of",
    "memo_value_of",
    "time_of",
]


@dataclass(frozen=True)
class WorkflowExecution:
    """A run of a workflow, as it stands.

    Attributes:
        close_time: When it ended; None while it runs.
        execution_time: When it began to run, after its delay.
        history_length: How many events it has been told, as far as the service knows.
        id: The id of the workflow.
        namespace: Its namespace.
        parent_id: The workflow that started it as a child.
        parent_run_id: The run of that.
        root_id: The workflow at the top.
        root_run_id: The run of that.
        run_id: The id of the run.
        search_attributes: The search attributes as lists, by names.
        start_time: When it was started.
        status: How it stands.
        task_queue: Its task queue.
        typed_search_attributes: The search attributes.
        workflow_type: The name of its type.
        data_converter: How its memo is read.
        raw: As it travelled.
    """

    close_time: datetime | None
    execution_time: datetime | None
    history_length: int
    id: str
    namespace: str
    parent_id: str | None
    parent_run_id: str | None
    root_id: str | None
    root_run_id: str | None
    run_id: str
    search_attributes: SearchAttributes
    start_time: datetime
    status: WorkflowExecutionStatus | None
    task_queue: str
    typed_search_attributes: TypedSearchAttributes
    workflow_type: str
    data_converter: DataConverter
    raw: _proto.Workflow

    async def memo(self) -> Mapping[str, Any]:
        """The memo."""
        return await memo_of(self.data_converter, self.raw.start.memo)

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
        memo = self.raw.start.memo
        return await memo_value_of(self.data_converter, memo, key, default, type_hint)


@dataclass(frozen=True)
class WorkflowExecutionDescription(WorkflowExecution):
    """What `WorkflowHandle.describe` returns."""

    @property
    def problems(self) -> list[str]:
        """The reasons why it may wait for ever, such as a task queue that no worker serves."""
        return [text for _, text in sorted(self.raw.problems.items())]

    async def static_summary(self) -> str | None:
        """The sentence about it that it was started with."""
        return await self._text("static_summary")

    async def static_details(self) -> str | None:
        """The text about it that it was started with."""
        return await self._text("static_details")

    async def _text(self, name: str) -> str | None:
        if not self.raw.start.HasField(name):
            return None
        [value] = await self.data_converter.decode([getattr(self.raw.start, name)], [str])
        return cast("str", value)


E = TypeVar("E", bound=WorkflowExecution)


def described(kind: type[E], converter: DataConverter, workflow: _proto.Workflow) -> E:
    """An execution as it has travelled."""
    start = workflow.start
    parent = start.parent if start.HasField("parent") else None
    return kind(
        close_time=time_of(workflow.close_ms) if workflow.close_ms else None,
        execution_time=time_of(workflow.start_ms + start.start_delay_ms),
        history_length=workflow.history_length,
        id=start.workflow_id,
        namespace=start.namespace,
        parent_id=None if parent is None else parent.workflow_id,
        parent_run_id=None if parent is None else parent.run_id,
        root_id=start.root_workflow_id or None,
        root_run_id=start.root_run_id or None,
        run_id=start.run_id,
        search_attributes=untyped(start.search_attributes),
        start_time=time_of(workflow.start_ms),
        status=WorkflowExecutionStatus(workflow.status),
        task_queue=start.task_queue,
        typed_search_attributes=typed(start.search_attributes),
        workflow_type=start.workflow_type,
        data_converter=converter,
        raw=workflow,
    )


def time_of(ms: int) -> datetime:
    """A time in UTC, from milliseconds since 1970."""
    return datetime.fromtimestamp(ms / 1000, UTC)


async def memo_of(
    converter: DataConverter, payloads: Mapping[str, _proto.Payload]
) -> dict[str, Any]:
    """A memo that has travelled."""
    found: dict[str, Any] = {}
    for name, payload in payloads.items():
        [found[name]] = await converter.decode([payload])
    return found


async def memo_value_of(
    converter: DataConverter,
    payloads: Mapping[str, _proto.Payload],
    key: str,
    default: Any,
    type_hint: type[Any] | None,
) -> Any:
    """A value of a memo that has travelled.

    Raises:
        KeyError: If there is none, and no default.
    """
    if key not in payloads:
        if default is UNSET:
            raise KeyError(f"Memo does not have a value for key {key}")
        return default
    hints = None if type_hint is None else [type_hint]
    [value] = await converter.decode([payloads[key]], hints)
    return value


# --- lists and numbers ----------------------------------------------------------------------------


class WorkflowExecutionAsyncIterator(PageIterator[WorkflowExecution]):
    """Workflows, for `async for`; pages are fetched as they are needed."""

    def __init__(
        self,
        history_of: Callable[[WorkflowExecution], Awaitable[WorkflowHistory]],
        fetch: Callable[
            [bytes | None, int | None],
            Awaitable[tuple[Sequence[WorkflowExecution], bytes | None]],
        ],
        limit: int | None = None,
        next_page_token: bytes | None = None,
    ) -> None:
        super().__init__(fetch, limit, next_page_token)
        self._history_of = history_of

    async def map_histories(self) -> AsyncIterator[WorkflowHistory]:
        """The histories of the workflows, one after another, for `Replayer.replay_workflows`."""
        async for each in self:
            yield await self._history_of(each)


class WorkflowHistoryEventAsyncIterator:
    """The events of a history, for `async for`."""

    def __init__(self, fetch: Callable[[], Awaitable[Sequence[durable.Record]]]) -> None:
        self._fetch = fetch
        self._left: list[durable.Record] | None = None

    def __aiter__(self) -> WorkflowHistoryEventAsyncIterator:
        return self

    async def __anext__(self) -> durable.Record:
        """The next event."""
        if self._left is None:
            self._left = list(reversed(await self._fetch()))
        if not self._left:
            raise StopAsyncIteration
        return self._left.pop()


@dataclass(frozen=True)
class WorkflowExecutionCountAggregationGroup:
    """A group of workflows, counted.

    Attributes:
        count: How many there are.
        group_values: The values that they have in common.
    """

    count: int
    group_values: Sequence[SearchAttributeValue]


@dataclass(frozen=True)
class WorkflowExecutionCount:
    """How many workflows there are.

    Attributes:
        count: How many.
        groups: The groups, if the query has a GROUP BY.
    """

    count: int
    groups: Sequence[WorkflowExecutionCountAggregationGroup]
