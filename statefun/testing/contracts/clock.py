"""What every clock promises; see `statefun.runtime.Clock`."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from functools import partial
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from statefun.runtime.clock import Clock

__all__ = ["ClockContract"]

_LONG_S = 10  # only a broken clock takes so long


class ClockContract(ABC):
    """The promises of a clock."""

    @abstractmethod
    def clock(self) -> Clock:
        """A new clock."""

    @abstractmethod
    def go_on(self, clock: Clock, milliseconds: int) -> None:
        """Let time pass, if the clock does not go by itself."""

    @abstractmethod
    def set_back(self, clock: Clock) -> None:
        """Set the clock back, if that can be done."""

    async def test_a_call_whose_time_has_come_is_made(self) -> None:
        """Also if that time is past."""
        clock, called = self.clock(), asyncio.Event()

        clock.call_at(clock.now_ms() - 1, called.set)

        await asyncio.wait_for(called.wait(), _LONG_S)

    async def test_calls_are_made_at_their_time(self) -> None:
        """Not before, and in order."""
        clock, done = self.clock(), asyncio.Event()
        calls: list[int] = []
        begin_ms = clock.now_ms()
        clock.call_at(begin_ms + 40, done.set)
        for due_ms in (30, 10, 20):
            clock.call_at(begin_ms + due_ms, partial(calls.append, due_ms))
        at_first = list(calls)

        self.go_on(clock, 40)
        await asyncio.wait_for(done.wait(), _LONG_S)

        assert (at_first, calls) == ([], [10, 20, 30])
        assert clock.now_ms() >= begin_ms + 40

    async def test_a_cancelled_call_is_not_made(self) -> None:
        """Nor does cancelling it again do anything."""
        clock, done = self.clock(), asyncio.Event()
        calls: list[str] = []
        alarm = clock.call_at(clock.now_ms() + 20, lambda: calls.append("cancelled"))
        clock.call_at(clock.now_ms() + 40, done.set)

        alarm.cancel()
        alarm.cancel()
        self.go_on(clock, 40)
        await asyncio.wait_for(done.wait(), _LONG_S)

        assert calls == []

    async def test_the_uptime_does_not_go_back(self) -> None:
        """It can be compared with itself only."""
        clock = self.clock()
        before = clock.uptime_ms()

        self.set_back(clock)

        assert clock.uptime_ms() >= before
