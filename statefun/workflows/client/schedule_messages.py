"""Schedules as they travel, both ways."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from statefun.workflows import _proto
from statefun.workflows.client.executions import time_of
from statefun.workflows.client.schedules import (
    Schedule,
    ScheduleActionExecutionStartWorkflow,
    ScheduleActionResult,
    ScheduleActionStartWorkflow,
    ScheduleCalendarSpec,
    ScheduleDescription,
    ScheduleInfo,
    ScheduleIntervalSpec,
    ScheduleListActionStartWorkflow,
    ScheduleListDescription,
    ScheduleListInfo,
    ScheduleListSchedule,
    ScheduleListState,
    ScheduleOverlapPolicy,
    SchedulePolicy,
    ScheduleRange,
    ScheduleSpec,
    ScheduleState,
)
from statefun.workflows.common import Priority
from statefun.workflows.retrying import policy_message, policy_of
from statefun.workflows.search_attributes import payloads_of, typed, untyped
from statefun.workflows.spans import milliseconds, span

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from statefun.workflows.converter import DataConverter

__all__ = ["described_schedule", "listed_schedule", "ms_of", "schedule_message"]

_FIELDS = ("second", "minute", "hour", "day_of_month", "month", "year", "day_of_week")
_YEAR = timedelta(days=365)


async def schedule_message(
    schedule: Schedule, namespace: str, converter: DataConverter
) -> _proto.ScheduleDefinition:
    """A schedule as it travels.

    Raises:
        TypeError: If its action is of another kind.
        ValueError: If it makes no sense.
    """
    action, spec, policy, state = schedule.action, schedule.spec, schedule.policy, schedule.state
    if not isinstance(action, ScheduleActionStartWorkflow):
        raise TypeError(f"a schedule takes a ScheduleActionStartWorkflow, got {action!r}")
    return _proto.ScheduleDefinition(
        action=await _start_message(action, namespace, converter),
        spec=_proto.ScheduleSpec(
            calendars=[_calendar_message(each) for each in spec.calendars],
            intervals=[
                _proto.ScheduleInterval(
                    every_ms=milliseconds(each.every), offset_ms=milliseconds(each.offset)
                )
                for each in spec.intervals
            ],
            cron_expressions=spec.cron_expressions,
            skip=[_calendar_message(each) for each in spec.skip],
            start_ms=ms_of(spec.start_at),
            end_ms=ms_of(spec.end_at),
            jitter_ms=milliseconds(spec.jitter),
            time_zone_name=spec.time_zone_name or "",
        ),
        policy=_proto.SchedulePolicy(
            overlap=policy.overlap,
            catchup_window_ms=milliseconds(policy.catchup_window),
            pause_on_failure=policy.pause_on_failure,
        ),
        state=_proto.ScheduleState(
            note=state.note or "",
            paused=state.paused,
            limited_actions=state.limited_actions,
            remaining_actions=state.remaining_actions,
        ),
    )


def ms_of(moment: datetime | None) -> int:
    """A time in milliseconds since 1970; 0 for None. One without a time zone is local."""
    return 0 if moment is None else int(moment.timestamp() * 1000)


def _calendar_message(calendar: ScheduleCalendarSpec) -> _proto.ScheduleCalendar:
    made = _proto.ScheduleCalendar(comment=calendar.comment or "")
    for name in _FIELDS:
        getattr(made, name).extend(
            _proto.ScheduleRange(start=each.start, end=each.end, step=each.step)
            for each in getattr(calendar, name)
        )
    return made


async def _start_message(
    action: ScheduleActionStartWorkflow, namespace: str, converter: DataConverter
) -> _proto.Start:
    async def payload(value: Any) -> _proto.Payload:
        if isinstance(value, _proto.Payload):
            return value  # of a description
        [made] = await converter.encode([value])
        return made

    policy = action.retry_policy
    start = _proto.Start(
        workflow_id=action.id,
        workflow_type=action.workflow,
        task_queue=action.task_queue,
        namespace=namespace,
        arguments=_proto.Payloads(payloads=[await payload(each) for each in action.args]),
        retry_policy=None if policy is None else policy_message(policy),
        execution_timeout_ms=milliseconds(action.execution_timeout),
        run_timeout_ms=milliseconds(action.run_timeout),
        task_timeout_ms=milliseconds(action.task_timeout),
        priority_key=action.priority.priority_key or 0,
    )
    for name, value in (action.memo or {}).items():
        start.memo[name].CopyFrom(await payload(value))
    for name, given in payloads_of(action.typed_search_attributes).items():
        start.search_attributes[name].CopyFrom(given)
    for name, header in (action.headers or {}).items():
        start.headers[name].CopyFrom(header)
    if action.static_summary is not None:
        start.static_summary.CopyFrom(await payload(action.static_summary))
    if action.static_details is not None:
        start.static_details.CopyFrom(await payload(action.static_details))
    return start


# --- as it is read --------------------------------------------------------------------------------


def described_schedule(kept: _proto.Schedule, converter: DataConverter) -> ScheduleDescription:
    """A schedule that was described."""
    definition = kept.definition
    policy, state = definition.policy, definition.state
    return ScheduleDescription(
        id=kept.id,
        typed_search_attributes=typed(kept.search_attributes),
        search_attributes=untyped(kept.search_attributes),
        data_converter=converter,
        raw=kept,
        schedule=Schedule(
            action=_action(definition.action),
            spec=_spec(definition.spec),
            policy=SchedulePolicy(
                overlap=ScheduleOverlapPolicy(policy.overlap or 1),
                catchup_window=span(policy.catchup_window_ms) or _YEAR,
                pause_on_failure=policy.pause_on_failure,
            ),
            state=ScheduleState(
                note=state.note or None,
                paused=state.paused,
                limited_actions=state.limited_actions,
                remaining_actions=state.remaining_actions,
            ),
        ),
        info=ScheduleInfo(
            num_actions=kept.actions,
            num_actions_missed_catchup_window=kept.missed_catchup_window,
            num_actions_skipped_overlap=kept.skipped_overlap,
            running_actions=[_execution(each) for each in kept.running],
            recent_actions=_results(kept),
            next_action_times=[time_of(each) for each in kept.next_ms],
            created_at=time_of(kept.created_ms),
            last_updated_at=time_of(kept.updated_ms) if kept.updated_ms else None,
        ),
    )


def listed_schedule(kept: _proto.Schedule, converter: DataConverter) -> ScheduleListDescription:
    """A schedule of a list."""
    definition = kept.definition
    state = definition.state
    return ScheduleListDescription(
        id=kept.id,
        typed_search_attributes=typed(kept.search_attributes),
        search_attributes=untyped(kept.search_attributes),
        data_converter=converter,
        raw=kept,
        schedule=ScheduleListSchedule(
            action=ScheduleListActionStartWorkflow(definition.action.workflow_type),
            spec=_spec(definition.spec),
            state=ScheduleListState(state.note or None, state.paused),
        ),
        info=ScheduleListInfo(_results(kept)[-5:], [time_of(each) for each in kept.next_ms[:5]]),
    )


def _action(start: _proto.Start) -> ScheduleActionStartWorkflow:
    has_policy = start.HasField("retry_policy")
    action = ScheduleActionStartWorkflow(
        start.workflow_type,
        args=list(start.arguments.payloads),
        id=start.workflow_id,
        task_queue=start.task_queue,
        typed_search_attributes=typed(start.search_attributes),
        headers=dict(start.headers) or None,
        execution_timeout=span(start.execution_timeout_ms),
        run_timeout=span(start.run_timeout_ms),
        task_timeout=span(start.task_timeout_ms),
        retry_policy=policy_of(start.retry_policy) if has_policy else None,
        memo=dict(start.memo) or None,
        priority=Priority(priority_key=start.priority_key or None),
    )
    if start.HasField("static_summary"):
        action.static_summary = start.static_summary
    if start.HasField("static_details"):
        action.static_details = start.static_details
    return action


def _spec(spec: _proto.ScheduleSpec) -> ScheduleSpec:
    return ScheduleSpec(
        calendars=[_calendar(each) for each in spec.calendars],
        intervals=[
            ScheduleIntervalSpec(timedelta(milliseconds=each.every_ms), span(each.offset_ms))
            for each in spec.intervals
        ],
        skip=[_calendar(each) for each in spec.skip],
        start_at=time_of(spec.start_ms) if spec.start_ms else None,
        end_at=time_of(spec.end_ms) if spec.end_ms else None,
        jitter=span(spec.jitter_ms),
        time_zone_name=spec.time_zone_name or None,
    )


def _calendar(calendar: _proto.ScheduleCalendar) -> ScheduleCalendarSpec:
    ranges: dict[str, Sequence[ScheduleRange]] = {
        name: tuple(
            ScheduleRange(each.start, each.end, each.step) for each in getattr(calendar, name)
        )
        for name in _FIELDS
    }
    return ScheduleCalendarSpec(**ranges, comment=calendar.comment or None)


def _results(kept: _proto.Schedule) -> list[ScheduleActionResult]:
    return [
        ScheduleActionResult(time_of(each.scheduled_ms), time_of(each.started_ms), _execution(each))
        for each in kept.recent
    ]


def _execution(result: _proto.ScheduleActionResult) -> ScheduleActionExecutionStartWorkflow:
    return ScheduleActionExecutionStartWorkflow(result.workflow_id, result.first_run_id)
