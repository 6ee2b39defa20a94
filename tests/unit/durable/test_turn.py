"""The turn, by itself: state and messages in, a reply out, and effects in between."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from statefun.durable import (
    Context,
    ObjectContext,
    ObjectSharedContext,
    RunOptions,
    Service,
    TerminalError,
    VirtualObject,
    _proto,
)
from statefun.durable.directory import Directory
from statefun.durable.handler import handler_from_callable
from statefun.durable.handling import HANDLERS
from statefun.durable.kept import VALUES
from statefun.durable.limits import Limits
from statefun.durable.turn import Cached, Reply, Turn

if TYPE_CHECKING:
    from statefun.durable.effects import Ready

NUMBERS = Service("Numbers")
RELAXED = Service("Relaxed", effects="relaxed")
COUNTER = VirtualObject("Counter")


async def one_after_the_other(ctx: Context, count: int) -> list[int]:
    return [await ctx.run_typed(f"number {each}", int, RunOptions(), each) for each in range(count)]


strict = NUMBERS.handler(name="count")(one_after_the_other)
relaxed = RELAXED.handler(name="count")(one_after_the_other)


@COUNTER.handler()
async def add(ctx: ObjectContext, by: int) -> int:
    total = (await ctx.get("total", int) or 0) + by
    ctx.set("total", total)
    return total


@COUNTER.handler()
async def nap(ctx: ObjectContext, seconds: int) -> int:
    await ctx.sleep(timedelta(seconds=seconds))
    return await add(ctx, seconds)


@COUNTER.handler()
async def bloat(ctx: ObjectContext, size: int) -> list[int]:
    codes = []
    for attempt in (
        lambda: ctx.set("big", "x" * size),
        lambda: ctx.object_send(add, "other", "x" * size),  # type: ignore[arg-type]
        lambda: [ctx.awakeable() for _ in range(6)],
    ):
        try:
            attempt()
        except TerminalError as error:
            codes.append(error.status_code)
    return codes


@COUNTER.handler()
async def length(ctx: ObjectContext, text: str) -> int:
    return len(text)


@COUNTER.handler()
async def doze(ctx: ObjectContext, text: str) -> int:
    await ctx.sleep(timedelta(seconds=1))
    return len(text)


@COUNTER.handler(kind="shared")
async def look(ctx: ObjectSharedContext, text: str) -> int:
    await ctx.sleep(timedelta(seconds=1))
    return len(text)


@COUNTER.handler()
async def broadcast(ctx: ObjectContext, size: int) -> list[int]:
    codes = []
    for _ in range(2):
        try:
            for each in range(5):
                ctx.object_send(length, f"{each}", "x" * size)
        except TerminalError as error:
            codes.append(error.status_code)
        if len(codes) < 2:
            await ctx.sleep(timedelta(seconds=1))
    return codes


class Desk:
    """One address, turn by turn."""

    def __init__(self, function: Any, key: str = "", limits: Limits | None = None) -> None:
        handler = handler_from_callable(function)
        self.directory = Directory([NUMBERS, RELAXED, COUNTER], "d", limits or Limits(), None, None)
        self.declaration = self.directory.declarations[handler.service_tag.name]
        self.key = key
        self.values: dict[str, bytes | None] = dict.fromkeys(VALUES[handler.service_tag.kind])
        self.home = ("", "")
        self.now_ms = 1_000
        self.turns = 0
        self.waves: list[int] = []
        self.cached: Cached | None = None

    def invoke(self, function: Any, argument: Any) -> _proto.Envelope:
        handler = handler_from_callable(function)
        self.turns += 1
        unique = self.turns.to_bytes(16, "big")
        identity = self.directory.invocation_id(
            handler.service_tag.name, handler.name, self.key, unique
        )
        self.home = self.directory.home_of(identity)
        return _proto.Envelope(
            version=1,
            invoke=_proto.Invoke(
                id=str(identity),
                handler=handler.name,
                argument=json.dumps(argument).encode(),
                reply=_proto.Route(typename="com.example/out", id="x", is_egress=True),
            ),
        )

    def turn(self, *envelopes: _proto.Envelope) -> Reply:
        self.turns += 1
        turn = Turn(
            self.directory,
            self.declaration,
            HANDLERS,
            *self.home,
            self.values,
            self.now_ms,
            self.turns,
            self.cached,
        )
        for envelope in envelopes:
            turn.receive(envelope)
        while wave := turn.effects.wave():
            self.waves.append(len(wave))
            for ready in wave:
                turn.effects.complete(ready, self.perform(ready))
            turn.resume()
        reply = turn.end()
        self.values |= reply.values
        self.cached = reply.cached
        return reply

    def perform(self, ready: Ready) -> bytes:
        return ready.effect.encode(ready.effect.begin())


def outcomes(reply: Reply) -> list[_proto.Outcome]:
    envelopes = [
        _proto.Envelope.FromString(record.raw_value() or b"") for record in reply.outbox.egress
    ]
    return [each.done.outcome for each in envelopes]


def answers(reply: Reply) -> list[Any]:
    return [json.loads(each.value) for each in outcomes(reply)]


def wakes(reply: Reply) -> int:
    return sum(envelope.WhichOneof("content") == "wake" for _, _, envelope in reply.outbox.messages)


WAKE = _proto.Envelope(version=1, wake=True)


def test_strict_effects_follow_one_another_by_a_commit_each() -> None:
    """A turn with an effect's result ends, and wakes the next one."""
    desk = Desk(strict)
    replies = [desk.turn(desk.invoke(strict, 3)), desk.turn(WAKE), desk.turn(WAKE)]

    assert desk.waves == [1, 1, 1]
    assert [wakes(reply) for reply in replies] == [1, 1, 0]
    assert [answers(reply) for reply in replies] == [[], [], [[0, 1, 2]]]
    assert desk.values == dict.fromkeys(desk.values)


def test_relaxed_effects_follow_one_another_in_one_turn() -> None:
    """By option, for effects that may be repeated."""
    desk = Desk(relaxed)

    assert answers(desk.turn(desk.invoke(relaxed, 3))) == [[0, 1, 2]]
    assert desk.waves == [1, 1, 1]


def test_a_handler_in_memory_counts_only_with_the_stamp_of_the_state() -> None:
    """Another worker has gone on meanwhile: what is in memory is put away."""
    desk = Desk(strict)
    desk.turn(desk.invoke(strict, 3))
    stale = desk.cached
    desk.cached = None
    desk.turn(WAKE)
    desk.cached = stale

    assert answers(desk.turn(WAKE)) == [[0, 1, 2]]
    assert stale is not None
    assert all(execution.run is None for execution in stale.executions)


def test_a_turn_begins_so_many_invocations_and_wakes_the_next_turn() -> None:
    """So that no reply is too long, and nobody waits for ever."""
    desk = Desk(add, "k", Limits(turn_invocations=2))
    first = desk.turn(*(desk.invoke(add, 1) for _ in range(5)))

    assert (answers(first), wakes(first)) == ([1, 2], 1)
    assert answers(desk.turn(WAKE)) == [3, 4]
    assert answers(desk.turn(WAKE)) == [5]


def test_who_finds_the_queue_full_knocks_again() -> None:
    """The message is sent once more after a while; nothing is lost, and state is bounded."""
    desk = Desk(nap, "k", Limits(queue_invocations=1))
    reply = desk.turn(*(desk.invoke(nap, 1) for _ in range(4)))
    kinds = [envelope.WhichOneof("content") for _, _, _, envelope, _ in reply.outbox.delayed]

    assert sorted(kinds) == ["alarm", "invoke", "invoke"]
    assert len(_proto.Queue.FromString(desk.values["queue"] or b"").waiting) == 1


def test_arguments_that_are_too_long_together_knock_again() -> None:
    """In the queue, and with shared handlers that wait: what a key keeps stays below a bound."""
    for waiting in (doze, look):
        desk = Desk(doze, "k", Limits(queue_bytes=1_000))
        reply = desk.turn(*(desk.invoke(waiting, "x" * 400) for _ in range(5)))
        kept = len(desk.values["queue"] or b"") + len(desk.values["host"] or b"")
        kinds = [envelope.WhichOneof("content") for _, _, _, envelope, _ in reply.outbox.delayed]

        assert kinds.count("invoke") >= 2
        assert kept < 3_000


def test_one_that_is_too_long_is_taken_where_nothing_waits() -> None:
    """And what is done within the turn counts no more."""
    desk = Desk(doze, "k", Limits(queue_bytes=1_000))
    reply = desk.turn(*(desk.invoke(length, "x" * 2_000) for _ in range(5)))

    assert answers(reply) == [2_000] * 5


def test_a_handler_sends_so_much_between_two_waits() -> None:
    """A reply has to pass an engine's transport; the handler is told, in a replay as well."""
    desk = Desk(broadcast, "k", Limits(reply_bytes=1_000))
    first = desk.turn(desk.invoke(broadcast, 400))
    desk.cached = None

    assert len(first.outbox.messages) == 2
    [(_, _, _, alarm, _)] = first.outbox.delayed
    desk.now_ms += 1_000
    second = desk.turn(alarm)
    assert (len(second.outbox.messages), answers(second)) == (2, [[413, 413]])


@pytest.mark.parametrize(
    ("limits", "sentence"),
    [
        (Limits(journal_records=3), "more than 3 events: split the work"),
        (Limits(journal_bytes=100), "more than 100 bytes: split the work"),
    ],
)
def test_a_journal_that_is_too_long_ends_its_invocation(limits: Limits, sentence: str) -> None:
    """It is told, before anything that carries it would be too long."""
    desk = Desk(strict, limits=limits)
    first = desk.turn(desk.invoke(strict, 9))
    replies = [first, *(desk.turn(WAKE) for _ in range(4))]
    [outcome] = [each for reply in replies for each in outcomes(reply)]

    assert outcome.failure.code == 500
    assert sentence in outcome.failure.message
    assert desk.values["journal0"] is None


def test_what_is_too_much_is_refused_to_the_handler() -> None:
    """Values, arguments, and steps that are unfinished; the engine never sees them."""
    desk = Desk(bloat, "k", Limits(value_bytes=1_000, pending_steps=5))

    assert answers(desk.turn(desk.invoke(bloat, 2_000))) == [[413, 413, 429]]


def test_one_alarm_is_armed_and_a_nearer_one_replaces_it() -> None:
    """Its token is new each time; the alarm's own time counts, whatever the clock says."""
    desk = Desk(nap, "k")
    first = desk.turn(desk.invoke(nap, 5))
    [(delay_ms, typename, target_id, alarm, token)] = first.outbox.delayed
    desk.now_ms -= 600
    second = desk.turn(alarm)

    assert (delay_ms, typename, target_id) == (5_000, "d/Counter", "k")
    assert token == f"d/Counter:{2:016x}"
    assert (answers(second), second.outbox.delayed, second.outbox.withdrawn) == ([5], [], [])


@pytest.mark.parametrize("kind", ["done", "signal", "cancel", "kill", "resume", "pause"])
def test_what_is_for_nobody_changes_nothing(kind: str) -> None:
    """An invocation that is over, or never was."""
    desk = Desk(add, "k")
    gone = desk.invoke(add, 1).invoke.id
    envelope = _proto.Envelope(version=1)
    if kind == "done":
        envelope.done.execution = gone
    elif kind == "signal":
        envelope.signal.execution = gone
    else:
        setattr(envelope, kind, gone)

    reply = desk.turn(envelope)

    assert (reply.values, reply.outbox.messages, reply.outbox.delayed) == ({}, [], [])
