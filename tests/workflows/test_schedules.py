"""Law: a schedule starts its workflow at its times, once each, as its policies say."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from statefun.workflows import workflow
from statefun.workflows.client import (
    RPCError,
    Schedule,
    ScheduleActionStartWorkflow,
    ScheduleAlreadyRunningError,
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
from statefun.workflows.exceptions import ApplicationError
from statefun.workflows.testing import WorkflowEnvironment
from statefun.workflows.worker import Worker

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from statefun.workflows.client import (
        ScheduleDescription,
        ScheduleHandle,
        ScheduleUpdateInput,
    )

HOURLY = ScheduleSpec(intervals=[ScheduleIntervalSpec(timedelta(hours=1))])
HOUR = timedelta(hours=1)


@workflow.defn
class Report:
    @workflow.run
    async def run(self, minutes: int) -> str:
        last = workflow.get_last_completion_result(str)
        if minutes < 0:
            raise ApplicationError("no figures")
        await workflow.sleep(timedelta(minutes=minutes))
        return "next" if last else "first"


def reports(minutes: int = 0, **given: Any) -> Schedule:
    """A schedule of reports that take so long."""
    options = {name: given.pop(name) for name in ("memo", "retry_policy") if name in given}
    action = ScheduleActionStartWorkflow(
        Report.run, minutes, id=given.pop("id", "report"), task_queue="reports", **options
    )
    return Schedule(action, given.pop("spec", HOURLY), **given)


@pytest.fixture
async def env() -> AsyncIterator[WorkflowEnvironment]:
    """A service that skips time, and a worker."""
    async with (
        await WorkflowEnvironment.start_time_skipping() as started,
        Worker(started.client, task_queue="reports", workflows=[Report]),
    ):
        yield started


async def until(handle: ScheduleHandle, actions: int, *, running: int = 0) -> ScheduleDescription:
    """Wait until so many actions were taken, and so many workflows run."""
    async with asyncio.timeout(10):
        while True:
            found = await handle.describe()
            if found.info.num_actions >= actions and len(found.info.running_actions) == running:
                return found
            await asyncio.sleep(0.001)


async def statuses(env: WorkflowEnvironment) -> list[str]:
    """How the workflows stand, in the order of their starts."""
    found = [each async for each in env.client.list_workflows("ORDER BY StartTime")]
    return [each.status.name for each in found if each.status is not None]


async def test_workflows_start_at_the_times_of_a_schedule_with_what_it_says(
    env: WorkflowEnvironment,
) -> None:
    """Their ids end with the time, and their search attributes name the schedule."""
    action = reports(retry_policy=RetryPolicy(maximum_attempts=2), memo={"for": "Ada"})
    handle = await env.client.create_schedule("hourly", action)
    now = await env.get_current_time()
    await env.sleep(3 * HOUR)
    found = await until(handle, 3)
    first = now.replace(minute=0, second=0, microsecond=0) + HOUR
    assert [each.scheduled_at for each in found.info.recent_actions] == [
        first,
        first + HOUR,
        first + 2 * HOUR,
    ]
    runs = [
        each
        async for each in env.client.list_workflows(
            "TemporalScheduledById = 'hourly' ORDER BY TemporalScheduledStartTime"
        )
    ]
    assert [each.id for each in runs] == [
        f"report-{first + number * HOUR:%Y-%m-%dT%H:%M:%SZ}" for number in range(3)
    ]
    assert await runs[0].memo() == {"for": "Ada"}
    results = [await env.client.get_workflow_handle(each.id).result() for each in runs]
    assert results == ["first", "next", "next"]


async def test_a_description_says_what_was_given(env: WorkflowEnvironment) -> None:
    """Cron expressions stand there as calendars."""
    key = SearchAttributeKey.for_keyword("Team")
    schedule = reports(
        spec=ScheduleSpec(
            cron_expressions=["0 9 * * MON"],
            skip=[ScheduleCalendarSpec(month=[ScheduleRange(12)])],
            jitter=timedelta(minutes=1),
            time_zone_name="Europe/Berlin",
            end_at=datetime(2099, 1, 1, tzinfo=UTC),
        ),
        policy=SchedulePolicy(ScheduleOverlapPolicy.BUFFER_ONE, timedelta(days=1)),
        state=ScheduleState(note="soon", paused=True, limited_actions=True, remaining_actions=3),
    )
    handle = await env.client.create_schedule(
        "monday",
        schedule,
        memo={"why": "figures"},
        search_attributes=TypedSearchAttributes([SearchAttributePair(key, "sales")]),
    )
    found = await handle.describe()
    calendar = ScheduleCalendarSpec(hour=(ScheduleRange(9),), day_of_week=(ScheduleRange(1),))
    schedule.spec.cron_expressions, schedule.spec.calendars = [], [calendar]
    assert found.schedule.spec == ScheduleSpec(
        calendars=[calendar],
        skip=[ScheduleCalendarSpec(month=(ScheduleRange(12),))],
        jitter=timedelta(minutes=1),
        time_zone_name="Europe/Berlin",
        end_at=datetime(2099, 1, 1, tzinfo=UTC),
    )
    assert (found.schedule.policy, found.schedule.state) == (schedule.policy, schedule.state)
    assert (found.id, await found.memo(), await found.memo_value("why")) == (
        *("monday", {"why": "figures"}),
        "figures",
    )
    assert found.typed_search_attributes[key] == "sales"
    assert len(found.info.next_action_times) == 10
    assert found.info.last_updated_at is None
    listed = [each async for each in await env.client.list_schedules("Team = 'sales'")]
    assert [each.id for each in listed] == ["monday"]
    assert listed[0].schedule is not None
    assert listed[0].schedule.state.paused
    assert [each async for each in await env.client.list_schedules("Team = 'other'")] == []


@pytest.mark.parametrize(
    ("policy", "seen", "skipped"),
    [
        (ScheduleOverlapPolicy.SKIP, ["COMPLETED", "COMPLETED"], 1),
        (ScheduleOverlapPolicy.BUFFER_ONE, ["COMPLETED", "COMPLETED", "COMPLETED"], 0),
        (ScheduleOverlapPolicy.CANCEL_OTHER, ["CANCELED", "CANCELED", "COMPLETED"], 0),
        (ScheduleOverlapPolicy.TERMINATE_OTHER, ["TERMINATED", "TERMINATED", "COMPLETED"], 0),
        (ScheduleOverlapPolicy.ALLOW_ALL, ["COMPLETED", "COMPLETED", "COMPLETED"], 0),
    ],
)
async def test_an_action_that_is_due_while_a_workflow_runs_is_what_the_policy_says(
    env: WorkflowEnvironment, policy: ScheduleOverlapPolicy, seen: list[str], skipped: int
) -> None:
    """Reports of ninety minutes, three times an hour apart."""
    begin = (await env.get_current_time()).replace(minute=0, second=0, microsecond=0)
    spec = ScheduleSpec(
        intervals=[ScheduleIntervalSpec(HOUR)], end_at=begin + timedelta(hours=3, minutes=1)
    )
    handle = await env.client.create_schedule(
        "often", reports(90, spec=spec, policy=SchedulePolicy(policy))
    )
    await env.sleep(10 * HOUR)
    found = await until(handle, len(seen))
    assert await statuses(env) == seen
    assert found.info.num_actions_skipped_overlap == skipped


async def test_a_paused_schedule_takes_no_action_but_by_hand_and_makes_up_for_none(
    env: WorkflowEnvironment,
) -> None:
    """Its note says who paused it; once it goes on, only later times count."""
    handle = await env.client.create_schedule("hourly", reports())
    await handle.pause()
    assert (await handle.describe()).schedule.state.note == "Paused via Python SDK"
    await env.sleep(5 * HOUR)
    await handle.trigger()
    await until(handle, 1)
    await handle.unpause(note="go on")
    found = await handle.describe()
    assert (found.schedule.state.note, found.schedule.state.paused) == ("go on", False)
    await env.sleep(HOUR)
    await until(handle, 2)


async def test_a_backfill_takes_the_action_for_times_of_the_past(
    env: WorkflowEnvironment,
) -> None:
    """Both limits are times, too; the policy of the backfill goes before that of the schedule."""
    handle = await env.client.create_schedule(
        "hourly",
        reports(state=ScheduleState(paused=True)),
        backfill=[
            ScheduleBackfill(
                datetime(2026, 1, 1, tzinfo=UTC),
                datetime(2026, 1, 1, 2, tzinfo=UTC),
                ScheduleOverlapPolicy.BUFFER_ALL,
            )
        ],
    )
    found = await until(handle, 3)
    assert [each.scheduled_at.hour for each in found.info.recent_actions] == [0, 1, 2]
    with pytest.raises(ValueError, match="At least one backfill required"):
        await handle.backfill()
    early, late = datetime(2020, 1, 1, tzinfo=UTC), datetime(2026, 1, 1, tzinfo=UTC)
    with pytest.raises(RPCError, match="a backfill may ask for 1000 actions at most"):
        await handle.backfill(ScheduleBackfill(early, late))


async def test_actions_may_be_limited_and_a_failure_may_pause(env: WorkflowEnvironment) -> None:
    """Actions by hand do not count for the limit."""
    state = ScheduleState(limited_actions=True, remaining_actions=2)
    limited = await env.client.create_schedule(
        "limited", reports(state=state), trigger_immediately=True
    )
    failing = await env.client.create_schedule(
        "failing", reports(-1, id="other", policy=SchedulePolicy(pause_on_failure=True))
    )
    await env.sleep(5 * HOUR)
    found = await until(limited, 3)
    assert (found.info.num_actions, found.schedule.state.remaining_actions) == (3, 0)
    paused = (await until(failing, 1)).schedule.state
    assert paused.paused
    assert (paused.note or "").startswith("paused due to workflow failure: other-")
    assert (paused.note or "").endswith(": no figures")


async def test_times_that_came_while_nobody_could_act_are_made_up_for_within_the_window(
    env: WorkflowEnvironment,
) -> None:
    """A leap of time stands for a service that was down."""
    spec = ScheduleSpec(intervals=[ScheduleIntervalSpec(timedelta(minutes=10))])
    policy = SchedulePolicy(ScheduleOverlapPolicy.ALLOW_ALL, timedelta(minutes=35))
    handle = await env.client.create_schedule("often", reports(spec=spec, policy=policy))
    service = env.service
    assert service is not None
    service.leap(timedelta(hours=2))
    found = await until(handle, 3)
    assert found.info.num_actions in (3, 4)
    assert found.info.num_actions + found.info.num_actions_missed_catchup_window == 12


async def test_a_change_is_made_from_what_is_there_and_again_if_that_changes(
    env: WorkflowEnvironment,
) -> None:
    """Arguments that were described may be given back; None changes nothing."""
    handle = await env.client.create_schedule("hourly", reports())
    calls = 0

    async def change(given: ScheduleUpdateInput) -> ScheduleUpdate:
        nonlocal calls
        calls += 1
        if calls == 1:
            await handle.pause(note="meanwhile")
        schedule = given.description.schedule
        schedule.spec = ScheduleSpec(intervals=[ScheduleIntervalSpec(timedelta(minutes=5))])
        key = SearchAttributeKey.for_int("Version")
        pairs = [SearchAttributePair(key, calls)]
        return ScheduleUpdate(schedule, TypedSearchAttributes(pairs))

    await handle.update(change)
    await handle.update(lambda _: None)
    found = await handle.describe()
    assert calls == 2
    assert found.schedule.spec.intervals == [ScheduleIntervalSpec(timedelta(minutes=5))]
    assert (found.schedule.state.note, found.schedule.state.paused) == ("meanwhile", True)
    assert found.search_attributes == {"Version": [2]}
    assert found.info.last_updated_at is not None
    await handle.trigger()
    await until(handle, 1)
    assert await statuses(env) == ["COMPLETED"]


async def test_a_deleted_schedule_is_gone_and_its_workflows_go_on(
    env: WorkflowEnvironment,
) -> None:
    """Another one of the same id is another one."""
    handle = await env.client.create_schedule("hourly", reports(30), trigger_immediately=True)
    await until(handle, 1, running=1)
    with pytest.raises(ScheduleAlreadyRunningError, match="Schedule already running"):
        await env.client.create_schedule("hourly", reports())
    await handle.delete()
    with pytest.raises(RPCError, match="schedule not found for ID: hourly"):
        await handle.describe()
    again = await env.client.create_schedule("hourly", reports(state=ScheduleState(paused=True)))
    await env.sleep(HOUR)
    assert await statuses(env) == ["COMPLETED"]
    assert (await again.describe()).info.num_actions == 0


@pytest.mark.parametrize(
    ("schedule", "kind", "sentence"),
    [
        (
            reports(spec=ScheduleSpec(cron_expressions=["bogus"])),
            RPCError,
            "Invalid schedule spec: CronString does not have 5-7 fields",
        ),
        (
            reports(state=ScheduleState(remaining_actions=3)),
            ValueError,
            "Must set limited actions to true if there are remaining actions set",
        ),
        (
            reports(state=ScheduleState(limited_actions=True)),
            ValueError,
            "Must set limited actions to false if there are no remaining actions set",
        ),
    ],
)
async def test_a_schedule_that_makes_no_sense_is_refused(
    env: WorkflowEnvironment, schedule: Schedule, kind: type[Exception], sentence: str
) -> None:
    """Nothing is made then."""
    with pytest.raises(kind, match=sentence):
        await env.client.create_schedule("none", schedule)
    with pytest.raises(RPCError, match="schedule not found"):
        await env.client.get_schedule_handle("none").describe()
    with pytest.raises(ValueError, match="ID required"):
        ScheduleActionStartWorkflow("Report", id="", task_queue="reports")
