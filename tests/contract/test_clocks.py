"""What every clock promises, on each of them."""

import asyncio
from datetime import timedelta
from functools import partial

import pytest

from statefun.errors import ConfigurationError
from statefun.runtime.clock import Clock, ManualClock, SystemClock


@pytest.fixture(params=["system", "manual"])
def clock(request: pytest.FixtureRequest) -> Clock:
    return SystemClock() if request.param == "system" else ManualClock()


async def test_a_call_whose_time_has_come_is_made(clock: Clock) -> None:
    """Also if that time is past."""
    called = asyncio.Event()

    clock.call_at(clock.now_ms() - 1, called.set)

    await asyncio.wait_for(called.wait(), 10)


async def test_a_cancelled_call_is_not_made(clock: Clock) -> None:
    """Nor does cancelling it again do anything."""
    calls: list[str] = []
    alarm = clock.call_at(clock.now_ms() + 20, lambda: calls.append("cancelled"))
    done = asyncio.Event()
    clock.call_at(clock.now_ms() + 40, done.set)

    alarm.cancel()
    alarm.cancel()
    if isinstance(clock, ManualClock):
        clock.advance(timedelta(milliseconds=40))
    await asyncio.wait_for(done.wait(), 10)

    assert calls == []


def test_a_manual_clock_stands_still() -> None:
    """Until it is told to go on, by whole milliseconds."""
    clock = ManualClock(5)

    clock.advance(timedelta(microseconds=2999))

    assert clock.now_ms() == 7


def test_a_manual_clock_makes_calls_in_the_order_of_their_time() -> None:
    """All that are reached by one advance."""
    clock = ManualClock(0)
    calls: list[int] = []
    for due_ms in (30, 10, 20, 40):
        clock.call_at(due_ms, partial(calls.append, due_ms))

    clock.advance(timedelta(milliseconds=30))

    assert calls == [10, 20, 30]


def test_a_manual_clock_does_not_go_back() -> None:
    """A negative duration is a mistake; an earlier point in time changes nothing."""
    clock = ManualClock(100)

    with pytest.raises(ConfigurationError, match="cannot be advanced by -1 day"):
        clock.advance(timedelta(days=-1))
    clock.advance_to(50)

    assert clock.now_ms() == 100


def test_the_uptime_does_not_go_back(clock: Clock) -> None:
    """It can be compared with itself only."""
    before = clock.uptime_ms()

    if isinstance(clock, ManualClock):
        clock.set_to(0)

    assert clock.uptime_ms() >= before


def test_a_manual_clock_can_be_set() -> None:
    """Then it shows another time, and what was arranged comes as if it had not been."""
    clock = ManualClock(1000)
    calls: list[int] = []
    clock.call_at(1010, lambda: calls.append(clock.now_ms()))

    clock.set_to(500)
    clock.advance(timedelta(milliseconds=10))

    assert (calls, clock.uptime_ms()) == ([510], 10)
