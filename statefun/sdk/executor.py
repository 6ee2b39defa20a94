"""The executor: blocking work in threads, one piece at a time and in order for each key."""

from __future__ import annotations

from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Lock
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

__all__ = ["KeyedExecutor"]

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
