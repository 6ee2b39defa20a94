"""The clocks of this package keep what every clock promises."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

import pytest

from statefun.errors import ConfigurationError
from statefun.runtime.clock import ManualClock, SystemClock
from statefun.testing.contracts import ClockContract

if TYPE_CHECKING:
    from statefun.runtime.clock import Clock


class TestSystemClock(ClockContract):
    """The time of the machine."""

    def clock(self) -> Clock:
        return SystemClock()

    def go_on(self, clock: Clock, milliseconds: int) -> None:
        """It goes by itself."""

    def set_back(self, clock: Clock) -> None:
        """Not for a test to do."""


class TestManualClock(ClockContract):
    """The time of a test."""

    def clock(self) -> Clock:
        return ManualClock()

    def go_on(self, clock: Clock, milliseconds: int) -> None:
        assert isinstance(clock, ManualClock)
        clock.advance(timedelta(milliseconds=milliseconds))

    def set_back(self, clock: Clock) -> None:
        assert isinstance(clock, ManualClock)
        clock.set_to(0)


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


def test_a_manual_clock_can_be_set() -> None:
    """Then it shows another time, and what was arranged comes as if it had not been."""
    clock = ManualClock(1000)
    calls: list[int] = []
    clock.call_at(1010, lambda: calls.append(clock.now_ms()))

    clock.set_to(500)
    clock.advance(timedelta(milliseconds=10))

    assert (calls, clock.uptime_ms()) == ([510], 10)
