"""An event loop without a clock: time goes on when nothing else can happen.

Law: what runs, and in which order, is decided by the program and by `chance` alone. Calls that are
due at the same time come in an order that chance decides; the rest is as in any event loop.
"""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import suppress
from heapq import heappop, heappush
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextvars import Context
    from random import Random

__all__ = ["Halted", "RestlessError", "SimulatedLoop"]

_MOST_CALLS = 100_000
_MOST_ROUNDS = 1000
"""More than that while no time passes is an endless loop."""


class Halted(BaseException):
    """The process ends here: raised by whoever halts the loop."""


class RestlessError(Exception):
    """The program is busy and no time passes."""


class _Call:
    """Something to be called, unless it is cancelled before."""

    __slots__ = ("arguments", "callback", "context")

    def __init__(
        self,
        callback: Callable[..., object] | None,
        arguments: tuple[Any, ...],
        context: Context | None,
    ) -> None:
        self.callback = callback
        self.arguments = arguments
        self.context = context

    def cancel(self) -> None:
        self.callback = None

    def cancelled(self) -> bool:
        return self.callback is None

    def __call__(self) -> None:
        if self.callback is None:
            return
        if self.context is None:
            self.callback(*self.arguments)
        else:
            self.context.run(self.callback, *self.arguments)


class SimulatedLoop:
    """Runs tasks and calls in simulated milliseconds.

    Args:
        now_ms: How much time has passed before.
        chance: Decides about calls that are due at the same time.
        write: Stands in for the executor: called with a function that would go to a thread, and the
            future to be set.

    Attributes:
        now_ms: How much time has passed.
        is_halted: Whether to stop after the current call.
        failures: What was reported to the exception handler.
    """

    def __init__(
        self,
        now_ms: int,
        chance: Random,
        write: Callable[[Callable[[], Any], asyncio.Future[Any]], None],
    ) -> None:
        self.now_ms = now_ms
        self.is_halted = False
        self.failures: list[dict[str, Any]] = []
        self._chance = chance
        self._write = write
        self._ready: deque[_Call] = deque()
        self._scheduled: list[tuple[int, float, int, _Call]] = []
        self._count = 0

    def run(self, when_quiet: Callable[[], None], until_ms: int) -> None:
        """Run until halted, until nothing is left to do, or until a point in time.

        Args:
            when_quiet: Called whenever nothing can happen before time goes on.
            until_ms: When to give up.

        Raises:
            RestlessError: If it goes on and on while no time passes.
        """
        asyncio._set_running_loop(cast("asyncio.AbstractEventLoop", self))
        try:
            rounds, since_ms = 0, self.now_ms
            while not self.is_halted:
                self.settle()
                if not self.is_halted:
                    when_quiet()
                if self.is_halted or self._ready:
                    continue
                if not self._scheduled or self._scheduled[0][0] > until_ms:
                    return
                self._pass_time()
                rounds = rounds + 1 if self.now_ms == since_ms else 0
                since_ms = self.now_ms
                if rounds > _MOST_ROUNDS:
                    raise RestlessError
        finally:
            asyncio._set_running_loop(None)

    def settle(self) -> None:
        """Run what can run without any time passing."""
        for _ in range(_MOST_CALLS):
            if not self._ready or self.is_halted:
                return
            with suppress(Halted):
                self._ready.popleft()()
        raise RestlessError

    def bury(self, tasks: list[asyncio.Task[Any]]) -> None:
        """Let tasks of a process that is dead come to their end, and forget its calls."""
        self.is_halted = False
        self._scheduled.clear()
        asyncio._set_running_loop(cast("asyncio.AbstractEventLoop", self))
        try:
            for task in tasks:
                task.cancel()
            self.settle()
        finally:
            asyncio._set_running_loop(None)
        self._scheduled.clear()
        self.failures.clear()

    def after(self, delay_ms: int, callback: Callable[..., object], *arguments: Any) -> _Call:
        """Call something in so many milliseconds."""
        call = _Call(callback, arguments, None)
        self._count += 1
        due_ms = self.now_ms + max(0, delay_ms)
        heappush(self._scheduled, (due_ms, self._chance.random(), self._count, call))
        return call

    def _pass_time(self) -> None:
        self.now_ms = self._scheduled[0][0]
        while self._scheduled and self._scheduled[0][0] <= self.now_ms:
            self._ready.append(heappop(self._scheduled)[3])

    # --- what asyncio needs -----------------------------------------------------------------------

    def time(self) -> float:
        return self.now_ms / 1000

    def call_soon(
        self, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> _Call:
        call = _Call(callback, args, context)
        self._ready.append(call)
        return call

    def call_later(
        self,
        delay: float,
        callback: Callable[..., object],
        *args: Any,
        context: Context | None = None,  # noqa: ARG002 - asyncio passes it
    ) -> _Call:
        return self.after(round(delay * 1000), callback, *args)

    def create_future(self) -> asyncio.Future[Any]:
        return asyncio.Future(loop=cast("asyncio.AbstractEventLoop", self))

    def create_task(self, coro: Any, **_options: Any) -> asyncio.Task[Any]:
        return asyncio.Task(coro, loop=cast("asyncio.AbstractEventLoop", self))

    def run_in_executor(
        self, _executor: Any, func: Callable[..., Any], *args: Any
    ) -> asyncio.Future[Any]:
        future = self.create_future()
        self._write(lambda: func(*args), future)
        return future

    def get_debug(self) -> bool:
        return False

    def is_running(self) -> bool:
        return True

    def is_closed(self) -> bool:
        return False

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        self.failures.append(context)
