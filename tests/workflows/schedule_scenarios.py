"""Scenarios of schedules, cron expressions and search attributes; see `scenarios`.

The development server of Temporal needs `--search-attribute Customer=Keyword` and
`--search-attribute Amount=Int` for them.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from statefun.workflows.client import (
    Schedule,
    ScheduleActionStartWorkflow,
    ScheduleBackfill,
    ScheduleCalendarSpec,
    ScheduleIntervalSpec,
    ScheduleOverlapPolicy,
    SchedulePolicy,
    ScheduleRange,
    ScheduleSpec,
    ScheduleState,
    ScheduleUpdate,
)
from statefun.workflows.common import (
    RetryPolicy,
    SearchAttributeKey,
    SearchAttributePair,
    TypedSearchAttributes,
)
from statefun.workflows.service import RPCError
from tests.workflows.programs import SEEN, Attributes, Cron, Desk, Named, Raises
from tests.workflows.scenarios import SCENARIOS, scenario
from tests.workflows.stage import Stage, failure_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

__all__ = ["SCENARIOS"]

CUSTOMER = SearchAttributeKey.for_keyword("Customer")
AMOUNT = SearchAttributeKey.for_int("Amount")


def attributes(customer: str, amount: int) -> TypedSearchAttributes:
    """Search attributes."""
    return TypedSearchAttributes(
        [SearchAttributePair(CUSTOMER, customer), SearchAttributePair(AMOUNT, amount)]
    )


async def until(look: Callable[[], Awaitable[Any]], is_there: Callable[[Any], bool]) -> Any:
    """What is seen once it is as it should be: lists of the peer lag behind."""
    for _ in range(400):
        found = await look()
        if is_there(found):
            return found
        await asyncio.sleep(0.05)
    return found


async def ids(stage: Stage, query: str, count: int) -> list[str]:
    """The ids of so many workflows that a query finds."""

    async def look() -> list[str]:
        return [each.id async for each in stage.client.list_workflows(query)]

    found: list[str] = await until(look, lambda seen: len(seen) >= count)
    return found


# --- search attributes ----------------------------------------------------------------------------

_OLD = [{"Amount": [1], "Customer": ["old"]}, [["Amount", 1], ["Customer", "old"]]]


@scenario(
    "search attributes are those of the start, and change",
    [
        [_OLD, _OLD],
        [_OLD, [{"Amount": [], "Customer": ["new"]}, [["Customer", "new"]]]],
        [_OLD, [{"Amount": [], "Customer": ["new"]}, [["Customer", "new"]]]],
        [_OLD, _OLD],
        [[{"Customer": ["kid"]}, [["Customer", "kid"]]]] * 2,
    ],
)
async def _attributes(stage: Stage) -> Any:
    given = {"search_attributes": attributes("old", 1)}
    return [
        await stage.execute(Attributes.run, how, **given)
        for how in ("stay", "change", "change as lists", "continue", "have a child")
    ]


@scenario(
    "workflows are found by their search attributes",
    [
        ["workflow-1", "workflow-3"],
        ["workflow-2", "workflow-3"],
        ["workflow-3"],
        ["workflow-1", "workflow-2"],
        ["workflow-2"],
        ["workflow-1", "workflow-2", "workflow-3"],
        [],
        3,
        [["Completed", 3]],
    ],
)
async def _found(stage: Stage) -> Any:
    for customer, amount in (("ada", 1), ("bob", 2), ("adam", 3)):
        handle = await stage.client.start_workflow(
            Attributes.run,
            "stay",
            id=f"workflow-{amount}",
            task_queue=stage.queue,
            search_attributes=attributes(customer, amount),
        )
        await handle.result()
    mine = "WorkflowType = 'Attributes' AND Customer BETWEEN 'a' AND 'c'"
    everything = await ids(stage, mine, 3)
    seen: list[Any] = [
        sorted(set(await ids(stage, f"{mine} AND {query}", count)))
        for query, count in (
            ("Customer STARTS_WITH 'ad'", 2),
            ("Amount >= 2", 2),
            ("Amount > 2 AND Customer != 'bob'", 1),
            ("(Amount = 1 OR Amount = 2)", 2),
            ("NOT Amount IN (1, 3)", 1),
            ("Amount BETWEEN 1 AND 3", 3),
            ("Amount = 7", 0),
        )
    ]
    counted = await stage.client.count_workflows(f"{mine} GROUP BY ExecutionStatus")
    groups = [[*each.group_values, min(each.count, 3)] for each in counted.groups]
    return [*seen, min(len(everything), 3), groups]


@scenario(
    "a query that cannot be understood is refused",
    [["RPCError", "INVALID_ARGUMENT", "invalid query"]] * 4,
)
async def _not_understood(stage: Stage) -> Any:
    seen = []
    for query in ("Amount =", "(Amount = 1", "Customer LIKE 'a%'", "ExecutionStatus = 'Bogus'"):
        try:
            await ids(stage, query, 0)
        except Exception as error:  # noqa: BLE001 - it is what is seen
            status: Any = getattr(error, "status", None)
            seen.append([type(error).__name__, status.name, str(error)[:13]])
    return seen


# --- cron expressions -----------------------------------------------------------------------------


@scenario(
    "a cron expression lets runs follow, which know the last result and the last failure",
    [
        ["WorkflowContinuedAsNewError", "Workflow continued as new"],
        [[1, False, None, "none"], [1, True, None, "first"], [1, True, 1, "none"]],
        ["COMPLETED", "FAILED", "RUNNING"],
    ],
)
async def _cron(stage: Stage) -> Any:
    return await _crons(stage)


@scenario(
    "a retry policy goes before a cron expression",
    [
        ["WorkflowContinuedAsNewError", "Workflow continued as new"],
        [[1, False, None, "none"], [2, True, None, "first"], [1, True, 1, "none"]],
        ["COMPLETED", "FAILED", "RUNNING"],
    ],
)
async def _cron_and_retries(stage: Stage) -> Any:
    policy = RetryPolicy(initial_interval=timedelta(milliseconds=100), maximum_attempts=2)
    return await _crons(stage, retry_policy=policy)


async def _crons(stage: Stage, **options: Any) -> Any:
    SEEN.clear()
    name = f"cron-{len(options)}"
    handle = await stage.start(Cron.run, id=name, cron_schedule="@every 1s", **options)
    try:
        first: Any = await handle.result(follow_runs=False)
    except Exception as error:  # noqa: BLE001 - it is what is seen
        first = [type(error).__name__, str(error)]

    async def look() -> int:
        await stage.env.sleep(0.2)
        return len(SEEN)

    await until(look, lambda count: count >= 3)
    first_run = stage.client.get_workflow_handle(handle.id, run_id=handle.result_run_id)
    assert await stage.status(first_run) == "FAILED"
    query = f"WorkflowId = '{handle.id}' AND WorkflowType = 'Cron'"

    async def statuses() -> list[str]:
        found = [each.status async for each in stage.client.list_workflows(query)]
        return sorted({each.name for each in found if each is not None})

    seen = await until(statuses, lambda names: len(names) == 3)
    await stage.client.get_workflow_handle(handle.id).terminate()
    return [first, SEEN[:3], seen]


@scenario(
    "a cron expression goes with no delay",
    [("RPCError", "CronSchedule and WorkflowStartDelay may not be used together.")],
)
async def _cron_and_delay(stage: Stage) -> Any:
    return await failure_of(
        stage.start(Cron.run, cron_schedule="@daily", start_delay=timedelta(seconds=1))
    )


# --- schedules ------------------------------------------------------------------------------------


def _schedule(workflow: Any, *args: Any, **more: Any) -> Schedule:
    action = ScheduleActionStartWorkflow(
        workflow,
        args=list(args),
        id=more.pop("id", "scheduled"),
        task_queue="scenarios",
        typed_search_attributes=TypedSearchAttributes([SearchAttributePair(CUSTOMER, "Ada")]),
        memo={"for": "Ada"},
    )
    spec = more.pop("spec", ScheduleSpec())
    return Schedule(action, spec, **more)


async def _made(stage: Stage, schedule: Schedule, **options: Any) -> Any:
    """A new schedule of the id `schedule`."""
    with suppress(RPCError):  # there may be none
        await stage.client.get_schedule_handle("schedule").delete()
    return await stage.client.create_schedule("schedule", schedule, **options)


async def _taken(handle: Any, actions: int, running: int = 0) -> Any:
    """How it stands once it has taken so many actions, and so many workflows run."""
    return await until(
        handle.describe,
        lambda found: (
            found.info.num_actions >= actions and len(found.info.running_actions) == running
        ),
    )


@scenario(
    "a schedule starts workflows at its times",
    [True, True, True, "schedule", "Ada", {"for": "Ada"}, "your-workflow-name"],
)
async def _scheduled(stage: Stage) -> Any:
    spec = ScheduleSpec(intervals=[ScheduleIntervalSpec(timedelta(seconds=1))])
    handle = await _made(stage, _schedule(Named.run, spec=spec))
    await stage.env.sleep(4)
    found = await _taken(handle, 2)
    await handle.delete()
    results = found.info.recent_actions
    second = results[1].scheduled_at - results[0].scheduled_at
    run = stage.client.get_workflow_handle(results[0].action.workflow_id)
    described = await run.describe()
    by = SearchAttributeKey.for_keyword("TemporalScheduledById")
    at = SearchAttributeKey.for_datetime("TemporalScheduledStartTime")
    scheduled = described.typed_search_attributes[at]
    return [
        second.total_seconds() >= 1,
        results[0].action.workflow_id == f"scheduled-{scheduled:%Y-%m-%dT%H:%M:%SZ}",
        results[0].action.first_execution_run_id == described.run_id,
        described.typed_search_attributes[by],
        described.typed_search_attributes[CUSTOMER],
        await described.memo(),
        await run.result(),
    ]


@scenario(
    "a schedule is paused, triggered, and goes on",
    [
        [None, False],
        ["Paused via Python SDK", True],
        ["enough", True],
        ["Unpaused via Python SDK", False],
        ["ScheduleAlreadyRunningError", "Schedule already running"],
        2,
    ],
)
async def _paused(stage: Stage) -> Any:
    handle = await _made(stage, _schedule(Named.run), trigger_immediately=True)
    seen: list[Any] = []

    async def look() -> None:
        state = (await handle.describe()).schedule.state
        seen.append([state.note, state.paused])

    await look()
    await handle.pause()
    await look()
    await handle.pause(note="enough")
    await look()
    await _taken(handle, 1)
    await stage.env.sleep(1.1)  # the ids of its workflows have seconds
    await handle.trigger()
    await _taken(handle, 2)
    await handle.unpause()
    await look()
    [[kind, text]] = await failure_of(
        stage.client.create_schedule("schedule", _schedule(Named.run))
    )
    count = (await handle.describe()).info.num_actions
    await handle.delete()
    return [*seen, [kind, text], count]


@scenario(
    "a backfill takes the actions of the past",
    [
        ["scheduled-2026-01-01T00:00:00Z", "2026-01-01T00:00:00+00:00"],
        ["scheduled-2026-01-01T01:00:00Z", "2026-01-01T01:00:00+00:00"],
        ["scheduled-2026-01-01T02:00:00Z", "2026-01-01T02:00:00+00:00"],
    ],
)
async def _backfilled(stage: Stage) -> Any:
    spec = ScheduleSpec(intervals=[ScheduleIntervalSpec(timedelta(hours=1))])
    paused = ScheduleState(paused=True)
    handle = await _made(stage, _schedule(Named.run, spec=spec, state=paused))
    await handle.backfill(
        ScheduleBackfill(
            datetime(2026, 1, 1, tzinfo=UTC),
            datetime(2026, 1, 1, 2, 30, tzinfo=UTC),
            ScheduleOverlapPolicy.ALLOW_ALL,
        )
    )
    found = await _taken(handle, 3)
    await handle.delete()
    return sorted(
        [each.action.workflow_id, each.scheduled_at.isoformat()]
        for each in found.info.recent_actions
    )


def _has_taken(actions: int, skipped: int = 0) -> Callable[[Any], bool]:
    return lambda found: (
        found.info.num_actions >= actions and found.info.num_actions_skipped_overlap >= skipped
    )


_HAS_SEEN = {
    ScheduleOverlapPolicy.SKIP: _has_taken(1, 1),
    ScheduleOverlapPolicy.BUFFER_ONE: _has_taken(1),
    ScheduleOverlapPolicy.BUFFER_ALL: _has_taken(1),
    ScheduleOverlapPolicy.CANCEL_OTHER: _has_taken(2),
    ScheduleOverlapPolicy.TERMINATE_OTHER: _has_taken(2),
    ScheduleOverlapPolicy.ALLOW_ALL: _has_taken(2),
}


@scenario(
    "what an action does while a workflow runs is what its policy says",
    [
        ["SKIP", 1, 1, ["RUNNING"]],
        ["BUFFER_ONE", 1, 0, ["RUNNING"]],
        ["BUFFER_ALL", 1, 0, ["RUNNING"]],
        ["CANCEL_OTHER", 2, 0, ["CANCELED", "RUNNING"]],
        ["TERMINATE_OTHER", 2, 0, ["RUNNING", "TERMINATED"]],
        ["ALLOW_ALL", 2, 0, ["RUNNING", "RUNNING"]],
    ],
)
async def _overlapping(stage: Stage) -> Any:
    seen = []
    for policy in ScheduleOverlapPolicy:
        handle = await _made(stage, _schedule(Desk.run, id=f"at-{policy.name}"))
        await handle.trigger()
        await _taken(handle, 1, 1)
        await stage.env.sleep(1.1)  # the ids of its workflows have seconds
        await handle.trigger(overlap=policy)
        found = await until(handle.describe, _HAS_SEEN[policy])
        await handle.delete()
        started = [each.action.workflow_id for each in found.info.recent_actions]
        runs = [stage.client.get_workflow_handle(each) for each in started]
        statuses = sorted([await stage.status(each) for each in runs])
        skipped = found.info.num_actions_skipped_overlap
        seen.append([policy.name, found.info.num_actions, skipped, statuses])
        for each in runs:
            if await stage.status(each) == "RUNNING":
                await each.terminate()
    return seen


@scenario("a failure may pause a schedule", [True, "paused due to workflow failure: ", ": m"])
async def _pausing(stage: Stage) -> Any:
    policy = SchedulePolicy(pause_on_failure=True)
    handle = await _made(stage, _schedule(Raises.run, "application", policy=policy))
    await handle.trigger()
    found = await until(handle.describe, lambda found: found.schedule.state.paused)
    await handle.delete()
    state = found.schedule.state
    return [state.paused, (state.note or "")[:32], (state.note or "")[-3:]]


def _calendar(each: ScheduleCalendarSpec) -> list[Any]:
    names = ("second", "minute", "hour", "day_of_month", "month", "year", "day_of_week")
    ranges = [[[part.start, part.end, part.step] for part in getattr(each, name)] for name in names]
    return [*ranges, each.comment]


_SPECS = [
    ScheduleSpec(cron_expressions=["0 9 * * MON-FRI"]),
    ScheduleSpec(cron_expressions=["@every 90m", "@weekly"]),
    ScheduleSpec(cron_expressions=["CRON_TZ=Europe/Berlin */20 9 1,15 JAN,JUN * # twice"]),
    ScheduleSpec(cron_expressions=["0 0 13 * FRI"]),
    ScheduleSpec(cron_expressions=["15 30 9 * * * 2097-2099/2"]),
    ScheduleSpec(
        calendars=[ScheduleCalendarSpec(hour=[ScheduleRange(2)], minute=[ScheduleRange(30)])],
        time_zone_name="Europe/Berlin",
    ),
    ScheduleSpec(
        calendars=[ScheduleCalendarSpec(hour=[ScheduleRange(9, 17, 4)])],
        skip=[
            ScheduleCalendarSpec(
                hour=[ScheduleRange(0, 23)], day_of_week=[ScheduleRange(0), ScheduleRange(6)]
            )
        ],
    ),
    ScheduleSpec(
        intervals=[ScheduleIntervalSpec(timedelta(minutes=7), timedelta(minutes=2))],
        end_at=datetime(2097, 1, 1, 0, 20, tzinfo=UTC),
    ),
]


async def _specs(stage: Stage) -> Any:
    seen = []
    for spec in _SPECS:
        spec.start_at = datetime(2097, 1, 1, tzinfo=UTC)
        handle = await _made(stage, _schedule(Named.run, spec=spec))
        found = await handle.describe()
        await handle.delete()
        given = found.schedule.spec
        intervals = [[each.every.total_seconds(), str(each.offset)] for each in given.intervals]
        seen.append(
            [
                [_calendar(each) for each in given.calendars],
                intervals,
                given.time_zone_name,
                [each.isoformat() for each in found.info.next_action_times[:4]],
            ]
        )
    return seen


@scenario(
    "a spec that makes no sense is refused",
    [
        "Invalid schedule spec: CronString does not have 5-7 fields",
        "Invalid schedule spec: Minute is not in range [0-59]",
        "Invalid schedule spec: unknown time zone Mars/X",
        (
            "Invalid schedule spec: invalid calendar spec: Hour Start is not in range [0-23], "
            "Hour End is before Start or not in range [0-23]"
        ),
        "Invalid schedule spec: interval is too small",
        "Invalid schedule spec: phase cannot be greater than Interval",
        "Must set limited actions to true if there are remaining actions set",
        "Must set limited actions to false if there are no remaining actions set",
    ],
)
async def _refused(stage: Stage) -> Any:
    hour = timedelta(hours=1)
    schedules = [
        _schedule(Named.run, spec=spec)
        for spec in (
            ScheduleSpec(cron_expressions=["bogus"]),
            ScheduleSpec(cron_expressions=["99 * * * *"]),
            ScheduleSpec(intervals=[ScheduleIntervalSpec(hour)], time_zone_name="Mars/X"),
            ScheduleSpec(calendars=[ScheduleCalendarSpec(hour=[ScheduleRange(25)])]),
            ScheduleSpec(intervals=[ScheduleIntervalSpec(timedelta(0))]),
            ScheduleSpec(intervals=[ScheduleIntervalSpec(hour, 2 * hour)]),
        )
    ]
    schedules += [
        _schedule(Named.run, state=ScheduleState(remaining_actions=3)),
        _schedule(Named.run, state=ScheduleState(limited_actions=True)),
    ]
    seen = []
    for schedule in schedules:
        try:
            await _made(stage, schedule)
        except Exception as error:  # noqa: BLE001 - it is what is seen
            seen.append(str(error))
    return seen


@scenario(
    "a schedule is changed by what a function makes of it",
    [[300.0], "new", ["your-workflow-name"], True, {"Customer": ["Bob"]}, {"a": 1}],
)
async def _changed(stage: Stage) -> Any:
    handle = await _made(
        stage, _schedule(Named.run), memo={"a": 1}, search_attributes=attributes("Ada", 1)
    )

    async def change(given: Any) -> ScheduleUpdate:
        schedule = given.description.schedule
        schedule.spec = ScheduleSpec(intervals=[ScheduleIntervalSpec(timedelta(minutes=5))])
        schedule.state.note = "new"
        pairs = [SearchAttributePair(CUSTOMER, "Bob")]
        return ScheduleUpdate(schedule, TypedSearchAttributes(pairs))

    await handle.update(change)
    await handle.update(lambda _: None)
    await handle.trigger()
    found = await _taken(handle, 1)
    run = stage.client.get_workflow_handle(found.info.recent_actions[0].action.workflow_id)
    result = await run.result()
    await handle.delete()
    return [
        [each.every.total_seconds() for each in found.schedule.spec.intervals],
        found.schedule.state.note,
        [result],
        found.info.last_updated_at is not None,
        dict(found.search_attributes),
        dict(await found.memo()),
    ]


_KEPT: list[Any] = [
    [
        [
            [
                [[0, 0, 1]],
                [[0, 0, 1]],
                [[9, 9, 1]],
                [[1, 31, 1]],
                [[1, 12, 1]],
                [],
                [[1, 5, 1]],
                None,
            ]
        ],
        [],
        None,
        [
            "2097-01-01T09:00:00+00:00",
            "2097-01-02T09:00:00+00:00",
            "2097-01-03T09:00:00+00:00",
            "2097-01-04T09:00:00+00:00",
        ],
    ],
    [
        [
            [
                [[0, 0, 1]],
                [[0, 0, 1]],
                [[0, 0, 1]],
                [[1, 31, 1]],
                [[1, 12, 1]],
                [],
                [[0, 0, 1]],
                None,
            ]
        ],
        [[5400.0, "None"]],
        None,
        [
            "2097-01-01T00:00:00+00:00",
            "2097-01-01T01:30:00+00:00",
            "2097-01-01T03:00:00+00:00",
            "2097-01-01T04:30:00+00:00",
        ],
    ],
    [
        [
            [
                [[0, 0, 1]],
                [[0, 59, 20]],
                [[9, 9, 1]],
                [[1, 1, 1], [15, 15, 1]],
                [[1, 1, 1], [6, 6, 1]],
                [],
                [[0, 6, 1]],
                "twice",
            ]
        ],
        [],
        "Europe/Berlin",
        [
            "2097-01-01T08:00:00+00:00",
            "2097-01-01T08:20:00+00:00",
            "2097-01-01T08:40:00+00:00",
            "2097-01-15T08:00:00+00:00",
        ],
    ],
    [
        [
            [
                [[0, 0, 1]],
                [[0, 0, 1]],
                [[0, 0, 1]],
                [[13, 13, 1]],
                [[1, 12, 1]],
                [],
                [[5, 5, 1]],
                None,
            ]
        ],
        [],
        None,
        [
            "2097-09-13T00:00:00+00:00",
            "2097-12-13T00:00:00+00:00",
            "2098-06-13T00:00:00+00:00",
            "2099-02-13T00:00:00+00:00",
        ],
    ],
    [
        [
            [
                [[15, 15, 1]],
                [[30, 30, 1]],
                [[9, 9, 1]],
                [[1, 31, 1]],
                [[1, 12, 1]],
                [[2097, 2099, 2]],
                [[0, 6, 1]],
                None,
            ]
        ],
        [],
        None,
        [
            "2097-01-01T09:30:15+00:00",
            "2097-01-02T09:30:15+00:00",
            "2097-01-03T09:30:15+00:00",
            "2097-01-04T09:30:15+00:00",
        ],
    ],
    [
        [
            [
                [[0, 0, 1]],
                [[30, 30, 1]],
                [[2, 2, 1]],
                [[1, 31, 1]],
                [[1, 12, 1]],
                [],
                [[0, 6, 1]],
                None,
            ]
        ],
        [],
        "Europe/Berlin",
        [
            "2097-01-01T01:30:00+00:00",
            "2097-01-02T01:30:00+00:00",
            "2097-01-03T01:30:00+00:00",
            "2097-01-04T01:30:00+00:00",
        ],
    ],
    [
        [
            [
                [[0, 0, 1]],
                [[0, 0, 1]],
                [[9, 17, 4]],
                [[1, 31, 1]],
                [[1, 12, 1]],
                [],
                [[0, 6, 1]],
                None,
            ]
        ],
        [],
        None,
        [
            "2097-01-01T09:00:00+00:00",
            "2097-01-01T13:00:00+00:00",
            "2097-01-01T17:00:00+00:00",
            "2097-01-02T09:00:00+00:00",
        ],
    ],
    [
        [],
        [[420.0, "0:02:00"]],
        None,
        ["2097-01-01T00:05:00+00:00", "2097-01-01T00:12:00+00:00", "2097-01-01T00:19:00+00:00"],
    ],
]

scenario("a spec is kept as calendars and intervals", _KEPT)(_specs)
