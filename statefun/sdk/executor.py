"""The executor: blocking work in threads, and an event loop for each thread that needs one."""

from __future__ import annotations

import asyncio
import contextvars
import os
import threading
import weakref
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Lock
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Hashable

__all__ = ["KeyedExecutor", "run_here"]

T = TypeVar("T")

_MOST_THREADS = 64  # of different keys at a time; they mostly wait


class KeyedExecutor:
    """A thread pool in which work of the same key never overlaps and keeps its order.

    May be used from any thread and from any event loop. Threads are started when first needed, up
    to 64 of them.
    """

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(_MOST_THREADS, thread_name_prefix="statefun-blocking")
        self._lock = Lock()
        self._waiting: dict[Hashable, deque[Callable[[], None]]] = {}

    def submit(self, key: Hashable, work: Callable[[], T]) -> Future[T]:
        """Run `work` in a thread, after all earlier work of this key."""
        future: Future[T] = Future()

        def run() -> None:
            if future.set_running_or_notify_cancel():
                try:
                    outcome = work()
                except BaseException as error:  # noqa: BLE001 - the future carries it
                    future.set_exception(error)
                else:
                    future.set_result(outcome)

        with self._lock:
            waiting = self._waiting.get(key)
            if waiting is not None:
                waiting.append(run)
                return future
            self._waiting[key] = deque((run,))
        self._pool.submit(self._run_key, key)
        return future

    def _run_key(self, key: Hashable) -> None:
        """Run the waiting work of one key until none is left."""
        while True:
            with self._lock:
                waiting = self._waiting[key]
                if not waiting:
                    del self._waiting[key]
                    return
                run = waiting.popleft()
            run()


def run_here(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine to its end, from code that is not async.

    Each thread keeps one event loop for this, so a connection that a coroutine opened can be used
    by the next one. If a loop is running in this thread already, the coroutine runs in a second
    thread, which is kept in the same way.
    """
    here = _kept
    if not _is_loop_running():
        if not hasattr(here, "loop"):
            here.loop = _KeptLoop()
        return here.loop.runner.run(coroutine, context=contextvars.copy_context())
    if not hasattr(here, "second_thread"):
        here.second_thread = ThreadPoolExecutor(1, thread_name_prefix="statefun-sync")
    variables = contextvars.copy_context()
    return here.second_thread.submit(lambda: variables.run(lambda: run_here(coroutine))).result()


def _is_loop_running() -> bool:
    """Whether this thread runs a loop; asked apart, so that no other error has its `except`."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


class _Kept(threading.local):
    """Belongs to one thread: its event loop, and the thread for coroutines while a loop runs."""

    loop: _KeptLoop
    second_thread: ThreadPoolExecutor


class _KeptLoop:
    """An event loop that is closed together with its thread.

    Nothing but the thread refers to it, not even the traceback of an exception.
    """

    def __init__(self) -> None:
        self.runner = asyncio.Runner(loop_factory=asyncio.new_event_loop)
        self._closing = weakref.finalize(self, _close, self.runner)

    def abandon(self) -> None:
        """Keep it open for ever."""
        self._closing.detach()
        _abandoned.append(self)


def _close(runner: asyncio.Runner) -> None:
    loop = runner.get_loop()
    if loop.is_running():  # that of a daemon thread may run when the process ends
        return
    try:
        runner.close()
    except RuntimeError:
        # When the process ends, Python 3.12 starts no thread any more, and the runner would start
        # one to wait for those of `asyncio.to_thread`. They have ended by then.
        if not loop.is_closed():
            raise


_kept = _Kept()
_abandoned: list[_KeptLoop] = []


def _begin_anew() -> None:
    """Forget the loop of the parent process: to use it, or even to close it, would disturb both."""
    inherited = vars(_kept)
    if "loop" in inherited:
        inherited["loop"].abandon()
    inherited.clear()


os.register_at_fork(after_in_child=_begin_anew)
