"""Law: nothing follows from an attempt of an activity before it is durable, and none runs twice."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from statefun.durable import _proto as durable
from statefun.durable.directory import Directory
from statefun.durable.limits import Limits
from statefun.durable.outbox import Outbox
from statefun.workflows import _proto, activity
from statefun.workflows.activities import ActivityRunner
from statefun.workflows.activity_turn import VALUE, ActivityTurn, Attempt
from statefun.workflows.converter import DataConverter
from statefun.workflows.definitions import ActivityDefinition

if TYPE_CHECKING:
    from statefun.durable.turn import Reply

TYPENAME = "workflows.default.q/activity"
RAN: list[int] = []


@activity.defn
async def count() -> int:
    """How often it ran."""
    await asyncio.sleep(0)
    RAN.append(len(RAN) + 1)
    return RAN[-1]


def runner(*, most: int = 10) -> ActivityRunner:
    """A runner of that activity."""
    RAN.clear()
    definitions = [ActivityDefinition.of(count)]
    return ActivityRunner(definitions, DataConverter.default, None, (), lambda: 0, most, None)


class Activity:
    """An activity at its address, from turn to turn."""

    def __init__(self, **task: Any) -> None:
        self.kept: bytes | None = None
        self.task = _proto.Task(activity_type="count", start_to_close_ms=1000, **task)

    def turn(
        self, *envelopes: durable.Envelope, worker: str = "w", now_ms: int = 1
    ) -> tuple[ActivityTurn, Attempt | None]:
        """A turn, up to the attempt that it asks for."""
        outbox = Outbox(Directory([], "q", Limits(), None, None), TYPENAME, "a")
        turn = ActivityTurn(outbox, "a", self.kept, now_ms, f"t{now_ms}", worker, "identity")
        for envelope in envelopes:
            turn.receive(envelope)
        return turn, turn.attempt()

    def start(self) -> durable.Envelope:
        """The message that starts it."""
        invoke = durable.Invoke(id="a", handler="count", argument=self.task.SerializeToString())
        return durable.Envelope(version=1, invoke=invoke)

    def commit(self, turn: ActivityTurn) -> Reply:
        """End a turn, and keep what it asks for."""
        reply = turn.end()
        self.kept = reply.values.get(VALUE, self.kept)
        return reply


def once() -> Activity:
    """An activity that is tried once."""
    return Activity(retry_policy=_proto.RetryPolicy(maximum_attempts=1))


def test_a_turn_with_an_attempt_has_acted() -> None:
    """So its result is durable before anybody acts on it."""
    each = Activity()
    turn, attempt = each.turn(each.start())
    assert attempt is not None
    turn.ended(_proto.Ending(result=_proto.Payloads()))
    assert each.commit(turn).has_acted


def test_an_attempt_that_goes_on_has_acted_too() -> None:
    """Whoever runs it is durable before it is looked at again."""
    each = Activity()
    turn, _ = each.turn(each.start())
    turn.goes_on(None)
    assert each.commit(turn).has_acted


def test_what_runs_once_is_claimed_and_begins_when_that_is_durable() -> None:
    """Else a crash would take the claim back, and another worker began it again."""
    each = once()
    turn, attempt = each.turn(each.start())
    assert attempt is None
    assert each.commit(turn).has_acted
    _, attempt = each.turn()
    assert attempt is not None
    assert attempt.number == 1


def test_a_turn_without_an_attempt_holds_nobody_up() -> None:
    """A cancel of what waits for its next attempt."""
    each = Activity()
    turn, _ = each.turn(each.start())
    turn.ended(_proto.Ending(failure=_proto.Failure(message="x")))
    each.commit(turn)
    turn, attempt = each.turn(durable.Envelope(version=1, cancel="a"))
    assert attempt is None
    assert not each.commit(turn).has_acted


def test_another_worker_waits_for_what_one_has_claimed() -> None:
    """It is not begun again while that may still run; after that, it counts as lost."""
    each = once()
    turn, _ = each.turn(each.start(), worker="first")
    each.commit(turn)
    turn, attempt = each.turn(worker="second")
    assert attempt is None
    each.commit(turn)
    turn, attempt = each.turn(worker="second", now_ms=60_000)
    assert attempt is None
    assert turn.is_over


def attempt_of(number: int = 1, **task: Any) -> Attempt:
    """An attempt."""
    given = _proto.Task(activity_type="count", start_to_close_ms=1000, **task)
    return Attempt("a", given, number, 0, 1000, 1, _proto.Payloads(), is_cancelled=False)


async def test_an_ending_that_was_lost_on_its_way_is_given_again() -> None:
    """The same turn asks for the same attempt: it does not run again, and the next one does."""
    running = runner()
    first, _ = await running.run(attempt_of(), 5)
    again, _ = await running.run(attempt_of(), 5)
    other, _ = await running.run(attempt_of(2), 5)
    assert first == again
    assert first != other
    assert RAN == [1, 2]


async def test_an_attempt_that_gets_no_turn_has_not_started_in_time() -> None:
    """A worker that is busy for too long tells so itself."""
    running = runner(most=1)
    async with running.around.slots:
        ending, _ = await running.run(attempt_of(schedule_to_start_ms=10), 5)
    assert ending is not None
    assert ending.failure.message == "activity ScheduleToStart timeout"
    assert RAN == []
