"""Clocks: the only place that asks what time it is."""

from __future__ import annotations

import asyncio
import time
from heapq import heappop, heappush
from typing import TYPE_CHECKING, Protocol

from statefun.errors import ConfigurationError
from statefun.sdk.specs import whole_millis

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import timedelta

__all__ = ["Alarm", "Clock", "ManualClock", "SystemClock"]

_LONGEST_SLEEP_S = 30.0
"""An alarm is looked at again after so long, since a wall clock may have been set meanwhile."""


class Alarm(Protocol):
    """A call that has been arranged."""

    def cancel(self) -> None:
        """Cancel the alarm; nothing happens if it has rung."""
        ...


class Clock(Protocol):
    """Tells the time, and arranges calls."""

    def now_ms(self) -> int:
        """Milliseconds since the epoch; goes back or leaps when somebody sets the clock."""
        ...

    def uptime_ms(self) -> int:
        """Milliseconds since some moment before now; never goes back, and nobody can set it."""
        ...

    def call_at(self, due_ms: int, callback: Callable[[], object]) -> Alarm:
        """Call `callback` when `due_ms` is reached, on the running event loop.

        It may be called early; whoever is called looks at the time and arranges it again.
        """
        ...


class SystemClock:
    """The time of this machine."""

    def now_ms(self) -> int:
        """Milliseconds since the epoch, by the system's clock."""
        return time.time_ns() // 1_000_000

    def uptime_ms(self) -> int:
        """Milliseconds since the start of the machine, or another moment."""
        return time.monotonic_ns() // 1_000_000

    def call_at(self, due_ms: int, callback: Callable[[], object]) -> Alarm:
        """Call `callback` on the running event loop, after 30 seconds at the latest."""
        seconds = max(0.0, (due_ms - self.now_ms()) / 1000)
        loop = asyncio.get_running_loop()
        return loop.call_later(min(seconds, _LONGEST_SLEEP_S), callback)


class _ManualAlarm:
    __slots__ = ("callback",)

    def __init__(self, callback: Callable[[], object] | None) -> None:
        self.callback = callback

    def cancel(self) -> None:
        self.callback = None


class ManualClock:
    """A clock that stands still until it is told to go on; for tests.

    Args:
        now_ms: The time it shows first, in milliseconds since the epoch.
    """

    def __init__(self, now_ms: int = 1_000_000_000_000) -> None:
        self._now_ms = now_ms
        self._uptime_ms = 0
        self._alarms: list[tuple[int, int, _ManualAlarm]] = []
        self._count = 0

    def now_ms(self) -> int:
        """Milliseconds since the epoch, as far as this clock knows."""
        return self._now_ms

    def uptime_ms(self) -> int:
        """By how many milliseconds it was advanced."""
        return self._uptime_ms

    def call_at(self, due_ms: int, callback: Callable[[], object]) -> Alarm:
        """Call `callback` from within the `advance` that reaches `due_ms`; at once if it has.

        Setting the clock does not change how far it has to be advanced until then.
        """
        alarm = _ManualAlarm(callback)
        self._count += 1
        heappush(self._alarms, (self._uptime_ms + due_ms - self._now_ms, self._count, alarm))
        self._ring()
        return alarm

    def advance(self, by: timedelta) -> None:
        """Go on, and make the calls that become due; finer than a millisecond is rounded down.

        Raises:
            ConfigurationError: If `by` is negative.
        """
        milliseconds = whole_millis(by)
        if milliseconds < 0:
            raise ConfigurationError(
                f"a clock cannot be advanced by {by}: pass a positive duration",
                option="by",
                given=repr(by),
            )
        self.advance_to(self._now_ms + milliseconds)

    def advance_to(self, now_ms: int) -> None:
        """Go on to a point in time, and make the calls that become due; never goes back."""
        self._uptime_ms += max(0, now_ms - self._now_ms)
        self._now_ms = max(self._now_ms, now_ms)
        self._ring()

    def set_to(self, now_ms: int) -> None:
        """Show another time, earlier or later, as if somebody had set the clock; no time passes."""
        self._now_ms = now_ms

    def _ring(self) -> None:
        while self._alarms and self._alarms[0][0] <= self._uptime_ms:
            callback = heappop(self._alarms)[2].callback
            if callback is not None:
                callback()
