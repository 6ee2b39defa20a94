"""Calls: makes the attempts of an engine and gives it their outcomes.

Law: each attempt has one outcome, a reply or an error, unless the runtime stops before. Outcomes
are given to the engine together, in the order in which they came. An endpoint that is known to be
out of reach is not called.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from statefun.errors import TransportError
from statefun.runtime.engine.failures import is_counted
from statefun.runtime.transports.base import broken_off, cancelled
from statefun.sdk.failures import is_closing
from statefun.tasks import SharedTasks

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from datetime import timedelta

    from statefun.runtime.clock import Clock
    from statefun.runtime.engine.engine import Engine
    from statefun.runtime.engine.mailbox import Attempt
    from statefun.runtime.observe import Observer
    from statefun.runtime.transports.routing import FunctionRouter

__all__ = ["CANCELLED_S", "Calls"]

CANCELLED_S: Final = 2.0
"""So long a call that was cancelled may clean up."""


class Calls:
    """Makes the calls of an engine.

    Args:
        engine: Gets the outcomes.
        router: How functions are reached.
        clock: Measures how long an endpoint is not tried.
        observer: Learns of every call.
        wake: Called when there is an outcome, for `apply` to be called.
    """

    def __init__(
        self,
        engine: Engine,
        router: FunctionRouter,
        clock: Clock,
        observer: Observer,
        wake: Callable[[], None],
    ) -> None:
        self._engine = engine
        self._router = router
        self._clock = clock
        self._observer = observer
        self._wake = wake
        self._tasks = SharedTasks("the call of")
        self._outcomes: list[tuple[Attempt, bytes | Exception]] = []
        self._is_draining = False

    @property
    def in_flight(self) -> int:
        """How many requests have been made and not answered."""
        return len(self._tasks)

    @property
    def names(self) -> list[str]:
        """The calls that wait for something, each by its address."""
        return sorted(task.get_name() for task in self._tasks.tasks)

    @property
    def has_outcomes(self) -> bool:
        """Whether `apply` has something to do."""
        return bool(self._outcomes)

    def start(self, attempts: Iterable[Attempt]) -> None:
        """Make attempts, at the same time."""
        for attempt in attempts:
            self._tasks.start(self._call(attempt), attempt.address)

    def apply(self, now_ms: int) -> None:
        """Give the engine the outcomes that have come."""
        outcomes, self._outcomes = self._outcomes, []
        for attempt, outcome in outcomes:
            if isinstance(outcome, Exception):
                self._engine.failed(attempt, outcome, now_ms)
            else:
                self._engine.replied(attempt, outcome, now_ms)

    async def drain(self, within: timedelta) -> None:
        """Let the calls under way end.

        Args:
            within: Calls that take longer are cancelled, and left behind if they are not over two
                seconds later; they are made again after a restart.
        """
        self._is_draining = True
        tasks = self._tasks.close()
        if not tasks:
            return
        _, late = await asyncio.wait(tasks, timeout=within.total_seconds())
        self.cancel()
        if late:
            _, stuck = await asyncio.wait(late, timeout=CANCELLED_S)
            for task in stuck:
                self._observer.call_left_behind(task.get_name())

    def cancel(self) -> None:
        """Cancel every call; there are no outcomes of it."""
        self._is_draining = True
        self._tasks.cancel()

    async def _call(self, attempt: Attempt) -> None:
        """Make one attempt and note how it ended."""
        outcome: bytes | Exception
        loop = asyncio.get_running_loop()
        begun_s = loop.time()
        try:
            outcome = await self._invoke(attempt.address.typename, attempt.request)
        except asyncio.CancelledError:
            if self._is_draining:
                raise
            outcome = cancelled(attempt.address)
        except Exception as error:  # noqa: BLE001 - it is one failed attempt
            outcome = error
        except KeyboardInterrupt as interrupt:
            self._observer.interrupted(attempt.address)
            loop.call_soon(_leave_loop, interrupt)
            return
        except BaseException as error:
            if is_closing(error):
                raise
            outcome = broken_off(attempt.address, error)
        self._observer.call_ended(
            attempt.address,
            len(attempt.messages),
            loop.time() - begun_s,
            outcome if isinstance(outcome, Exception) else None,
        )
        self._outcomes.append((attempt, outcome))
        self._wake()

    async def _invoke(self, typename: str, request: bytes) -> bytes:
        """Make an attempt, unless the function's endpoint is known to be out of reach."""
        transport = self._router.transport(typename)
        breaker = self._router.breaker(typename)
        if breaker is None:
            return await transport.invoke(request)
        if not breaker.lets_through(self._clock.uptime_ms()):
            raise TransportError(
                f"the endpoint of {typename} could not be reached, and is not tried again yet",
                connected=False,
            )
        is_connected = True
        try:
            return await transport.invoke(request)
        except TransportError as error:
            is_connected = is_counted(error)
            raise
        finally:
            if breaker.ended(self._clock.uptime_ms(), is_connected=is_connected):
                self._engine.retry_unreachable_now(
                    lambda other: self._router.breaker(other) is breaker
                )


def _leave_loop(interrupt: KeyboardInterrupt) -> None:
    """Raise it out of the event loop; a task that raises it can take the dispatcher along."""
    raise interrupt
