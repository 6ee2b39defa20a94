"""What an app does by itself: schedules and limits, on a clock that is moved by hand."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from statefun.durable import (
    Context,
    ObjectContext,
    RateLimit,
    Service,
    TerminalError,
    VirtualObject,
)
from statefun.durable._proto import Envelope
from statefun.durable.endpoint import App
from statefun.durable.identity import InvocationId
from statefun.durable.outcomes import as_message
from statefun.runtime.clock import ManualClock
from statefun.testing import Harness

if TYPE_CHECKING:
    from collections.abc import Sequence

    from statefun.durable.declaration import Declaration

HOUR = timedelta(hours=1)
SECOND = timedelta(seconds=1)
A_FULL_HOUR_MS = 1_800_000_000_000  # 2027-01-15, 08:00


class Place:
    """An app in the harness, started at a full hour."""

    def __init__(self, services: Sequence[Declaration], clock: ManualClock) -> None:
        self.app = App(services, clock=lambda: clock.now_ms() / 1000)
        self.harness = Harness(self.app, clock=clock)
        for message in self.app.first_messages():
            self.harness.send(message)
        self.harness.run()


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(A_FULL_HOUR_MS)


def noting(*crons: str) -> tuple[Service, list[float]]:
    """A service that notes when it was started by its schedules."""
    service, starts = Service("S"), list[float]()

    async def note(ctx: Context, what: str = "nothing") -> None:
        assert what == "nothing"
        starts.append(await ctx.time())

    declared = service.handler()(note)
    for cron in crons:
        service.schedule(cron)(declared)
    return service, starts


def hours(starts: list[float]) -> list[float]:
    return [(each * 1000 - A_FULL_HOUR_MS) / 3_600_000 for each in starts]


def test_a_scheduled_handler_starts_at_its_times(clock: ManualClock) -> None:
    """Without an argument, so that its default counts."""
    service, starts = noting("30 * * * *")
    place = Place([service], clock)

    place.harness.advance(3 * HOUR)

    assert hours(starts) == [0.5, 1.5, 2.5]


def test_a_schedule_that_begins_again_is_the_same_one(clock: ManualClock) -> None:
    """Every start of a runtime says what is scheduled; nothing is started twice by that."""
    service, starts = noting("0 * * * *")
    place = Place([service], clock)
    place.harness.advance(HOUR / 2)

    for message in place.app.first_messages():
        place.harness.send(message)
    place.harness.advance(HOUR)

    assert hours(starts) == [1.0]


def test_the_schedule_of_an_object_has_a_key(clock: ManualClock) -> None:
    """It is started as any exclusive handler is."""
    counter = VirtualObject("C")

    @counter.schedule("0 * * * *", key="ada")
    @counter.handler()
    async def count(ctx: ObjectContext) -> None:
        ctx.set("count", (await ctx.get("count", int) or 0) + 1)

    place = Place([counter], clock)

    place.harness.advance(2 * HOUR)

    kept = place.harness.state("durable/C", "ada")["entries"].data
    assert kept.endswith(b"2")


def test_what_an_app_does_by_itself_is_not_for_clients(clock: ManualClock) -> None:
    """The catalogue has the services that were given, and no others."""
    service, _ = noting("0 * * * *")

    assert list(Place([service], clock).app.catalogue.services) == ["S"]


@pytest.mark.parametrize(("count", "expected"), [(1, [0, 10, 20, 30]), (2, [0, 0, 10, 10])])
def test_a_rate_limit_lets_so_many_begin_within_its_period(
    clock: ManualClock, count: int, expected: list[int]
) -> None:
    """Those beyond it wait, in their order; nothing is refused."""
    service, starts = Service("S"), list[float]()

    @service.handler(rate_limit=RateLimit(count, 10 * SECOND))
    async def note(ctx: Context) -> None:
        starts.append(await ctx.time())

    place = Place([service], clock)
    for _ in range(4):
        place.harness.send(place.app.invoke(note))
    place.harness.run()
    place.harness.advance(60 * SECOND)

    assert [round(each - A_FULL_HOUR_MS / 1000) for each in starts] == expected


# --- how many run at a time -----------------------------------------------------------------------


class Gate:
    """A service whose handler runs until its invocation is let go, at most two at a time."""

    def __init__(self, clock: ManualClock) -> None:
        self.running: list[str] = []
        self.most = 0
        service = Service("S")

        @service.handler(max_concurrency=2)
        async def work(ctx: Context, name: str) -> str:
            self.running.append(name)
            self.most = max(self.most, len(self.running))
            try:
                await ctx.sleep(HOUR)
                if name == "fails":
                    raise TerminalError("no")
            finally:
                if name in self.running:
                    self.running.remove(name)
            return name

        self.work = work
        self.place = Place([service], clock)
        self.ids: dict[str, str] = {}

    def start(self, *names: str) -> None:
        for name in names:
            message = self.place.app.invoke(self.work, name)
            self.ids[name] = Envelope.FromString(message.raw_value() or b"").invoke.id
            self.place.harness.send(message)
        self.place.harness.run()

    def command(self, word: str, name: str) -> None:
        envelope = Envelope(version=1)
        setattr(envelope, word, self.ids[name])
        home = self.place.app.directory.home_of(InvocationId.parse(self.ids[name]))
        self.place.harness.send(as_message(*home, envelope))
        self.place.harness.run()


def test_so_many_invocations_run_at_a_time(clock: ManualClock) -> None:
    """Those beyond the limit wait, and begin in their order when another is over."""
    gate = Gate(clock)

    gate.start("a", "b", "c", "d", "e")
    first = list(gate.running)
    gate.place.harness.advance(HOUR)
    second = list(gate.running)
    gate.place.harness.advance(HOUR)

    assert (first, second, gate.running, gate.most) == (["a", "b"], ["c", "d"], ["e"], 2)


@pytest.mark.parametrize("word", ["kill", "cancel"])
def test_an_invocation_that_is_stopped_gives_its_place_away(clock: ManualClock, word: str) -> None:
    """Who runs and who waits may both be stopped; neither keeps a place."""
    gate = Gate(clock)

    gate.start("a", "b", "c", "d")
    gate.command(word, "c")
    gate.command(word, "a")

    assert sorted(gate.running) == ["b", "d"]


def test_a_handler_that_fails_gives_its_place_away(clock: ManualClock) -> None:
    """An invocation that is over in any way has no place."""
    gate = Gate(clock)

    gate.start("fails", "b", "c", "d")
    gate.place.harness.advance(HOUR)

    assert gate.running == ["c", "d"]
