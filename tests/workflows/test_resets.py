"""Law: a run that goes back to an event has seen what came up to it, and does the rest anew."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from statefun.workflows import _proto, activity, workflow
from statefun.workflows.client import Client, WorkflowFailureError, WorkflowHandle
from statefun.workflows.resets import reset_start
from statefun.workflows.testing import WorkflowEnvironment
from statefun.workflows.worker import Replayer, Worker

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

CALLS: list[str] = []
SOON = timedelta(seconds=5)


@activity.defn
async def book(what: str) -> str:
    CALLS.append(what)
    return f"{what} {len(CALLS)}"


@activity.defn
async def wait_outside(what: str) -> str:
    CALLS.append(what)
    activity.raise_complete_async()


@workflow.defn
class Part:
    @workflow.run
    async def run(self) -> str:
        await workflow.sleep(timedelta(hours=2))
        return "part"


@workflow.defn
class Trip:
    def __init__(self) -> None:
        self.told: list[str] = []

    @workflow.run
    async def run(self) -> list[Any]:
        first = str(workflow.uuid4())
        seen = [await workflow.execute_activity(book, "hotel", start_to_close_timeout=SOON), first]
        part = await workflow.start_child_workflow(Part.run, id="part")
        outside = workflow.start_activity(
            wait_outside, "outside", start_to_close_timeout=timedelta(days=9)
        )
        seen.append(await workflow.execute_activity(book, "flight", start_to_close_timeout=SOON))
        await workflow.wait_condition(lambda: bool(self.told))
        seen.append(str(workflow.uuid4()))
        seen += [
            await part,
            await outside,
            await workflow.execute_activity(book, "car", start_to_close_timeout=SOON),
        ]
        return [*seen, *self.told]

    @workflow.signal
    def tell(self, text: str) -> None:
        self.told.append(text)

    @workflow.query
    def count(self) -> int:
        return len(self.told)


@pytest.fixture(params=[100, 0], ids=["in memory", "replayed"])
async def client(request: pytest.FixtureRequest) -> AsyncIterator[Client]:
    """A client of a service, with a worker."""
    CALLS.clear()
    async with (
        await WorkflowEnvironment.start_time_skipping() as env,
        Worker(
            env.client,
            task_queue="trips",
            workflows=[Trip, Part],
            activities=[book, wait_outside],
            max_cached_workflows=request.param,
        ),
    ):
        yield env.client


async def begun(client: Client, calls: int) -> WorkflowHandle[Trip, list[Any]]:
    """A trip of which so many activities have begun."""
    handle = await client.start_workflow(Trip.run, id="trip", task_queue="trips")
    while len(CALLS) < calls:
        await handle.query(Trip.count)
    return handle


async def reset(client: Client, handle: Any, event: str, count: int = 1) -> int:
    """Go back to an event, named by a command that it was answered with; the number of it."""
    history = await handle.fetch_history()
    answers = [
        number
        for number, record in enumerate(history.events, 1)
        if any(event in command for command in record.commands)
    ]
    number = answers[count - 1]
    start = reset_start(history.events, number)
    request = _proto.Request(start=start, reason="try again").SerializeToString()
    await client.requests.ask("reset", "trip", request)
    return number


async def finish(client: Client) -> list[Any]:
    """The result of the trip, with what it waits for done."""
    handle = client.get_workflow_handle("trip")
    outside = client.get_async_activity_handle(workflow_id="trip", activity_id="2")
    while True:
        try:
            await outside.complete("outside")
        except Exception:  # noqa: BLE001 - it has not begun
            await handle.query("count")
            continue
        break
    result: list[Any] = await handle.result()
    return result


async def test_what_was_answered_is_not_asked_for_again_and_what_was_not_is(
    client: Client,
) -> None:
    """The hotel stays booked; the activity outside is asked for again, by the new run."""
    handle = await begun(client, 3)
    await handle.signal(Trip.tell, "before")
    await reset(client, handle, "activity book", 2)
    assert sorted(CALLS[:3]) == ["flight", "hotel", "outside"]
    with pytest.raises(WorkflowFailureError) as ended:
        await handle.result()
    assert str(ended.value.cause) == "try again"
    result = await finish(client)
    hotel, first, flight, second, part, outside, car, told = result
    assert (hotel, part, outside, told) == ("hotel 1", "part", "outside", "before")
    assert CALLS.count("hotel") == 1
    assert CALLS.count("flight") == 2
    assert CALLS.count("outside") == 2
    assert (flight[:6], car[:3]) == ("flight", "car")
    assert first != second
    runs = [each async for each in client.list_workflows("WorkflowId = 'trip'")]
    assert [each.status.name for each in runs if each.status] == ["COMPLETED", "TERMINATED"]
    described = await client.get_workflow_handle("trip").describe()
    history = await client.get_workflow_handle("trip").fetch_history()
    assert history.run_id == described.run_id != handle.first_execution_run_id
    await Replayer(workflows=[Trip]).replay_workflow(history)


async def test_a_run_may_begin_anew_and_go_back_more_than_once(client: Client) -> None:
    """Random numbers up to the event are those that it had; the later ones are others."""
    handle = await begun(client, 3)
    history = await handle.fetch_history()
    ids = []
    for event, count in (("activity book", 1), ("activity book", 2), ("activity book", 2)):
        current = client.get_workflow_handle("trip")
        await reset(client, current, event, count)
        calls = len(CALLS)
        while len(CALLS) < calls + 1:
            await current.query("count")
        again = await current.fetch_history()
        ids.append(again.run_id)
    assert len({*ids, history.run_id}) == 4
    await client.get_workflow_handle("trip").signal(Trip.tell, "last")
    result = await finish(client)
    assert result[0] == "hotel 4"
    assert CALLS.count("hotel") == 2
    assert result[-1] == "last"
    history = await client.get_workflow_handle("trip").fetch_history()
    await Replayer(workflows=[Trip]).replay_workflow(history)


async def test_a_run_that_has_ended_may_go_back_too(client: Client) -> None:
    """Signals that came after the event are told again."""
    handle = await begun(client, 3)
    await handle.signal(Trip.tell, "one")
    first = await finish(client)
    calls = len(CALLS)
    await reset(client, handle, "activity book", 3)
    again = await client.get_workflow_handle("trip").result()
    assert CALLS[calls:] == ["car"]
    assert again[:-2] == first[:-2]
    assert again[-1] == "one"
    await reset(client, handle, "activity book", 2)
    other = await finish(client)
    assert other[1] == first[1]  # drawn before the event
    assert other[3] != first[3]  # and after it


async def test_an_event_that_is_not_there_is_refused(client: Client) -> None:
    """With the numbers that there are."""
    handle = await begun(client, 3)
    history = await handle.fetch_history()
    for number in (0, len(history.events) + 1):
        with pytest.raises(ValueError, match=f"there are the events 1 to {len(history.events)}"):
            reset_start(history.events, number)
