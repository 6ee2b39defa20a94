"""The service of workflows in this process, for tests: a runtime in memory, and its clock."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING

from statefun.runtime.clock import SystemClock
from statefun.runtime.runtime import Runtime
from statefun.runtime.transports.attached import AttachedFunctions, LocalAttachments
from statefun.workflows.addresses import queue_of
from statefun.workflows.connection import LocalConnection
from statefun.workflows.hosts import ServiceFunctions
from statefun.workflows.listener import Listener

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from statefun.runtime.clock import Alarm
    from statefun.runtime.transports.routing import Endpoint
    from statefun.workflows.connection import States

__all__ = ["LocalService", "SkippingClock"]

_RETENTION = timedelta(days=20 * 366)
_FARTHEST_MS = 10 * 366 * 86_400_000
"""Time is not skipped beyond this: what is due then is that workflows are forgotten."""
_QUIET_S = 0.001
_QUIET_STEPS = 20
"""What has been woken is busy after fewer steps of the event loop."""


class _Alarm:
    """A call that has been arranged with a clock that leaps."""

    def __init__(self, clock: SkippingClock, due_ms: int, callback: Callable[[], object]) -> None:
        self.due_ms = due_ms
        self._clock = clock
        self._callback = callback
        self._handle = self._arrange()

    def _arrange(self) -> asyncio.TimerHandle:
        seconds = max(0.0, (self.due_ms - self._clock.now_ms()) / 1000)
        return asyncio.get_running_loop().call_later(min(seconds, 30.0), self.ring)

    def ring(self) -> None:
        """Make the call now."""
        self.cancel()
        self._callback()

    def cancel(self) -> None:
        """Cancel the alarm."""
        self._handle.cancel()
        self._clock.alarms.discard(self)


class SkippingClock:
    """The time of this machine, which leaps to what is due next when it is told to; see `Clock`.

    Attributes:
        alarms: The calls that have been arranged.
    """

    def __init__(self) -> None:
        self._system = SystemClock()
        self._ahead_ms = 0
        self.alarms: set[_Alarm] = set()

    def now_ms(self) -> int:
        """Milliseconds since the epoch, as far as this clock knows."""
        return self._system.now_ms() + self._ahead_ms

    def uptime_ms(self) -> int:
        """Milliseconds that have passed, with those that were skipped."""
        return self._system.uptime_ms() + self._ahead_ms

    def call_at(self, due_ms: int, callback: Callable[[], object]) -> Alarm:
        """Call `callback` when the time has come, or was skipped."""
        alarm = _Alarm(self, due_ms, callback)
        self.alarms.add(alarm)
        return alarm

    def skip(self, to_ms: int) -> None:
        """Leap to a time, and make the calls that become due; never goes back."""
        self._ahead_ms += max(0, to_ms - self.now_ms())
        for alarm in [each for each in self.alarms if each.due_ms <= self.now_ms()]:
            alarm.ring()

    @property
    def next_ms(self) -> int | None:
        """When something is due next; None if nothing is."""
        return min((each.due_ms for each in self.alarms), default=None)


class LocalService:
    """A runtime with the functions of the service; workers attach to it.

    Args:
        namespace: The namespace.
        skips_time: Whether time is skipped while somebody waits for a workflow and nothing runs.
        data: Where it keeps what is durable; None for memory.
        endpoints: Who serves task queues without attaching.

    Attributes:
        connection: The way to it.
        skips_time: Whether it skips time.
    """

    def __init__(
        self,
        namespace: str,
        *,
        skips_time: bool,
        data: Path | None = None,
        endpoints: Sequence[Endpoint] = (),
    ) -> None:
        self.skips_time = skips_time
        self._namespace = namespace
        self._clock = SkippingClock()
        self._attached = AttachedFunctions(lambda name: queue_of(name) is not None)
        self.connection = LocalConnection(
            LocalAttachments(self._attached), self._clock.now_ms, self.waiting
        )
        functions = ServiceFunctions(namespace, _RETENTION, lambda: self._clock.now_ms() / 1000)
        self._runtime = Runtime(
            functions,
            data=data,
            clock=self._clock,
            endpoints=[*endpoints, self._attached],
            ingresses=[self.connection],
            egresses=[self.connection.replies],
        )
        self.connection.states = self._runtime.states
        self._waiters = 0
        self._locks = 0
        self._has_waiter = asyncio.Event()
        self._skipping: asyncio.Task[None] | None = None

    def listener(self) -> Listener:
        """Where clients and workers of other processes could connect, on any free port."""
        return Listener(self.connection, self._attached, port=0, namespaces=(self._namespace,))

    # --- life ---

    async def start(self) -> None:
        """Begin."""
        await self._runtime.start()
        if self.skips_time:
            self._skipping = asyncio.create_task(self._skip(), name="statefun-skipping")

    async def stop(self) -> None:
        """End."""
        if self._skipping is not None:
            self._skipping.cancel()
            await asyncio.gather(self._skipping, return_exceptions=True)
        await self._runtime.stop()

    # --- time ---

    def now_ms(self) -> int:
        """The time, in milliseconds since 1970."""
        return self._clock.now_ms()

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """While in the block, somebody waits for a workflow."""
        self._waiters += 1
        self._has_waiter.set()
        try:
            yield
        finally:
            self._waiters -= 1
            if not self._waiters:
                self._has_waiter.clear()

    @contextmanager
    def locked(self) -> Iterator[None]:
        """While in the block, no time is skipped."""
        self._locks += 1
        try:
            yield
        finally:
            self._locks -= 1

    async def sleep(self, seconds: float) -> None:
        """Let time pass: at once where it is skipped, as far as nothing runs."""
        if not self.skips_time:
            await asyncio.sleep(seconds)
            return
        reached = asyncio.Event()
        self._clock.call_at(self.now_ms() + int(seconds * 1000), reached.set)
        with self.waiting():
            await reached.wait()

    @property
    def states(self) -> States:
        """What its addresses keep; see `Runtime.states`."""
        return self._runtime.states

    def leap(self, duration: timedelta) -> None:
        """Skip time at once, whatever runs: what is due meanwhile comes late."""
        self._clock.skip(self.now_ms() + int(duration.total_seconds() * 1000))

    async def _skip(self) -> None:
        """Leap to what is due next, whenever somebody waits and nothing runs."""
        while True:
            await self._has_waiter.wait()
            await asyncio.sleep(_QUIET_S)
            if not await self._stays_quiet():
                continue
            next_ms = self._clock.next_ms
            if next_ms is None or next_ms > self._clock.now_ms() + _FARTHEST_MS:
                continue
            if self._waiters and not self._locks and self._is_quiet:
                self._clock.skip(next_ms)

    async def _stays_quiet(self) -> bool:
        """Whether nothing runs, and nothing that is about to begin does."""
        for _ in range(_QUIET_STEPS):
            if not self._is_quiet:
                return False
            await asyncio.sleep(0)
        return True

    @property
    def _is_quiet(self) -> bool:
        """Whether nothing runs: what waits for a worker does not."""
        metrics, waiting = self._runtime.metrics(), self._attached.waiting
        return metrics.calls_in_flight <= waiting and metrics.busy_addresses <= waiting
