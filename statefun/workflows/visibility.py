"""Workflows and schedules as lists show them: read from what addresses keep, running or not. Pure.

There is no index beside them: what a workflow keeps is what it is found by, so both are as durable.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cmp_to_key
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import unquote

from statefun.workflows import _proto
from statefun.workflows.addresses import run_typename, workflow_typename
from statefun.workflows.queries import FIELDS, STATUS_NAMES, QueryError, parse_query
from statefun.workflows.schedule_times import Times
from statefun.workflows.search_attributes import SearchAttributeIndexedValueType, decoded
from statefun.workflows.status import WorkflowExecutionStatus

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from statefun.workflows.queries import Query, Row

__all__ = [
    "SCHEDULE_VALUE",
    "WORKFLOW_VALUE",
    "WorkflowView",
    "executions_of",
    "looked",
    "row_of",
    "runs_of",
    "strip",
    "workflow_at",
]

WORKFLOW_VALUE = "workflow"
"""The name of the value that a workflow keeps."""
SCHEDULE_VALUE = "schedule"
"""The name of the value that a schedule keeps."""

_LARGEST_PAGE = 1000
_NEXT_TIMES = 5
_USUAL_ORDER = (("CloseTime", True), ("StartTime", True))
_Type = SearchAttributeIndexedValueType

T = TypeVar("T")


# --- as operators see them ------------------------------------------------------------------------


@dataclass(frozen=True)
class WorkflowView:
    """A run of a workflow, as an operator sees it.

    Attributes:
        id: The id of the workflow.
        namespace: Its namespace.
        run_id: The run.
        type: The name of its type.
        task_queue: Its task queue.
        status: How it stands.
        start_ms: When the run was started, in milliseconds since 1970.
        close_ms: When it ended; 0 if it has not.
        history_length: How many events it was told; 0 while it runs.
        failure: By what it failed; empty if it did not.
        parent_id: The workflow that started it as a child; empty for none.
        attempt: Which attempt of its retry policy it is.
        row: What queries find it by.
    """

    id: str
    namespace: str
    run_id: str
    type: str
    task_queue: str
    status: WorkflowExecutionStatus
    start_ms: int
    close_ms: int
    history_length: int
    failure: str
    parent_id: str
    attempt: int
    row: Row

    @property
    def address(self) -> tuple[str, str]:
        """The typename and the id of the address that keeps it."""
        return workflow_typename(self.namespace), self.id

    @property
    def run_address(self) -> tuple[str, str]:
        """The typename and the id of the address that keeps its run."""
        return run_typename(self.namespace, self.task_queue), self.run_id


def workflow_at(typename: str, values: Mapping[str, bytes]) -> list[WorkflowView]:
    """The runs of the workflow that an address keeps, the current one first; none if it has none.

    Args:
        typename: The typename of the address.
        values: Name → what it keeps.
    """
    namespace, _, name = typename.rpartition("/")
    data = values.get(WORKFLOW_VALUE)
    if data is None or name != "workflow" or not namespace.startswith("workflows."):
        return []
    kept = _proto.Workflow.FromString(data)
    return [_view(unquote(namespace.removeprefix("workflows.")), each) for each in runs_of(kept)]


def _view(namespace: str, run: _proto.Workflow) -> WorkflowView:
    start, kind = run.start, run.ending.WhichOneof("ending")
    has_failed = kind in ("failure", "canceled", "terminated", "timed_out")
    return WorkflowView(
        id=start.workflow_id,
        namespace=namespace,
        run_id=start.run_id,
        type=start.workflow_type,
        task_queue=start.task_queue,
        status=WorkflowExecutionStatus(run.status),
        start_ms=run.start_ms,
        close_ms=run.close_ms,
        history_length=run.history_length,
        failure=getattr(run.ending, kind or "failure").message if has_failed else "",
        parent_id=start.parent.workflow_id,
        attempt=start.attempt or 1,
        row=row_of(run),
    )


def runs_of(kept: _proto.Workflow) -> list[_proto.Workflow]:
    """The runs of a workflow, the current one first."""
    past = [
        _proto.Workflow(
            start=each.start,
            status=each.status,
            start_ms=each.start_ms,
            close_ms=each.close_ms,
            history_length=each.history_length,
            ending=each.ending,
        )
        for each in reversed(kept.past)
    ]
    return [kept, *past]


# --- as clients are told --------------------------------------------------------------------------


def executions_of(kept: _proto.Workflow) -> list[_proto.Workflow]:
    """The runs of a workflow without arguments and results, the current one first."""
    found = []
    for run in runs_of(kept):
        told = _proto.Workflow(
            start=run.start,
            status=run.status,
            start_ms=run.start_ms,
            close_ms=run.close_ms,
            history_length=run.history_length,
        )
        strip(told.start)
        found.append(told)
    return found


def strip(start: _proto.Start) -> None:
    """Take what is only for the run itself out of what it was started with."""
    for name in (
        *("arguments", "headers", "messages", "result_route", "last_failure", "last_result"),
        *("static_summary", "static_details"),
    ):
        start.ClearField(name)


def row_of(run: _proto.Workflow) -> Row:
    """What queries find a run by."""
    start = run.start
    begins_ms = run.start_ms + start.start_delay_ms
    values: dict[str, Any] = {
        "WorkflowId": start.workflow_id,
        "RunId": start.run_id,
        "WorkflowType": start.workflow_type,
        "TaskQueue": start.task_queue,
        "ExecutionStatus": STATUS_NAMES[run.status],
        "StartTime": _time(run.start_ms),
        "ExecutionTime": _time(begins_ms),
        "CloseTime": _time(run.close_ms) if run.close_ms else None,
        "ExecutionDuration": (run.close_ms - begins_ms) * 1_000_000 if run.close_ms else None,
        "HistoryLength": run.history_length or None,
        "ParentWorkflowId": start.parent.workflow_id or None,
        "ParentRunId": start.parent.run_id or None,
        "RootWorkflowId": start.root_workflow_id or None,
        "RootRunId": start.root_run_id or None,
    }
    fields = {name: (FIELDS[name], value) for name, value in values.items() if value is not None}
    return {**_attributes(start.search_attributes), **fields}


def _schedule_row(schedule: _proto.Schedule) -> Row:
    """What queries find a schedule by."""
    return {
        **_attributes(schedule.search_attributes),
        "ScheduleId": (_Type.KEYWORD, schedule.id),
        "StartTime": (_Type.DATETIME, _time(schedule.created_ms)),
        "RunId": (_Type.KEYWORD, schedule.nonce),
        "TemporalSchedulePaused": (_Type.BOOL, schedule.definition.state.paused),
    }


def _attributes(payloads: Mapping[str, _proto.Payload]) -> dict[str, tuple[_Type, Any]]:
    found = {}
    for name, payload in payloads.items():
        attribute = decoded(payload)
        if attribute is not None:
            found[name] = attribute
    return found


def _time(ms: int) -> datetime:
    return datetime.fromtimestamp(ms / 1000, UTC)


# --- lists ----------------------------------------------------------------------------------------


def looked(look: _proto.Look, kept: Iterable[Mapping[str, bytes]], now_ms: int) -> _proto.Looked:
    """What a client is told of all workflows, or schedules.

    Args:
        look: What it asks for.
        kept: What each address keeps: name → value.
        now_ms: The time, in milliseconds since 1970.

    Raises:
        QueryError: If the query cannot be understood.
    """
    query, answer = parse_query(look.query), _proto.Looked()
    if look.is_for_schedules:
        schedules = [
            _proto.Schedule.FromString(each[SCHEDULE_VALUE])
            for each in kept
            if SCHEDULE_VALUE in each
        ]
        found = _found(query, schedules, _schedule_row)
        page = _page(look, query, found, answer)
        for each in page:
            times = Times(each.definition.spec, each.id)
            each.next_ms.extend(times.following(now_ms, _NEXT_TIMES))
            for name in ("buffered", "last_result", "last_failure"):
                each.ClearField(name)
        answer.schedules.extend(page)
        return answer
    runs = [
        run
        for each in kept
        if WORKFLOW_VALUE in each
        for run in executions_of(_proto.Workflow.FromString(each[WORKFLOW_VALUE]))
    ]
    rows = _found(query, runs, row_of)
    if not look.is_count:
        if query.group:
            raise QueryError("operation is not supported: 'group by' clause")
        answer.workflows.extend(_page(look, query, rows, answer))
        return answer
    answer.count = len(rows)
    if query.group:
        counts = Counter(run.status for _, run in rows)
        for status, count in sorted(counts.items()):
            answer.groups.add(value=STATUS_NAMES[status], count=count)
    return answer


def _found(query: Query, items: list[T], row: Callable[[T], Row]) -> list[tuple[Row, T]]:
    rows = [(row(each), each) for each in items]
    return [each for each in rows if query.finds(each[0])]


def _page(
    look: _proto.Look, query: Query, found: list[tuple[Row, T]], answer: _proto.Looked
) -> list[T]:
    """A page of what was found, in order; its token names the last item by what orders it."""
    order = (*(query.order or _USUAL_ORDER), ("RunId", True))
    keyed = [(_key(row, order), item) for row, item in found]

    def compare(left: Sequence[Any], right: Sequence[Any]) -> int:
        for one, other, (_, is_down) in zip(left, right, order, strict=True):
            if one != other:
                return 1 if (one > other) is not is_down else -1
        return 0

    sort_key = cmp_to_key(compare)
    keyed.sort(key=lambda each: sort_key(each[0]))
    if look.page_token:
        last = json.loads(look.page_token)
        keyed = [each for each in keyed if compare(each[0], last) > 0]
    size = min(look.page_size or _LARGEST_PAGE, _LARGEST_PAGE)
    if len(keyed) > size:
        answer.next_page_token = json.dumps(keyed[size - 1][0]).encode()
    return [item for _, item in keyed[:size]]


def _key(row: Row, order: Sequence[tuple[str, bool]]) -> list[list[Any]]:
    """The values that order a row, as JSON has them; one that is missing is the greatest."""
    key = []
    for name, _ in order:
        value: Any = row[name][1] if name in row else None
        if isinstance(value, datetime):
            value = value.timestamp()
        rank = 2 if value is None else 0 if isinstance(value, (int, float)) else 1
        key.append([rank, "" if value is None else value])
    return key
