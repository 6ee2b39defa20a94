"""Threads: blocking functions that an event loop has called elsewhere.

To wake a thread for each function, and the event loop for each result, costs more than most
functions do. So a thread calls what waits, one after another, and results that have come by then
are told together.

Law: while a thread is free, no function waits behind one that blocks, and no result does.
"""

from __future__ import annotations

import asyncio
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from threading import get_ident
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Threads"]

T = TypeVar("T")


class _Call(NamedTuple):
    """A function that is to be called, and the future of its result."""

    future: asyncio.Future[Any]
    function: Callable[..., Any]
    arguments: tuple[Any, ...]


class Threads:
    """The threads of one event loop, made when they are needed.

    Args:
        most: How many there are at most.
        name: Begins their names.
    """

    def __init__(self, most: int, name: str) -> None:
        self._most = most
        self._pool = ThreadPoolExecutor(most, name)
        self._waiting: deque[_Call] = deque()
        self._busy: set[int] = set()  # threads
        self._loop: asyncio.AbstractEventLoop
        self._is_coming = False  # a thread that will look for what waits
        self._ended: deque[tuple[asyncio.Future[Any], Any, BaseException | None]] = deque()
        self._is_told = False  # the event loop will look for what has ended

    def call(self, function: Callable[..., T], *arguments: Any) -> asyncio.Future[T]:
        """Call a function in a thread, unless the future is cancelled before."""
        self._loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = self._loop.create_future()
        self._waiting.append(_Call(future, function, arguments))
        if not self._is_coming:
            self._come()
        return future

    def close(self) -> None:
        """End the threads, after what they are to call."""
        self._pool.shutdown()

    def _come(self) -> None:
        self._is_coming = True
        self._pool.submit(self._work)

    def _work(self) -> None:
        """Call what waits. Another thread comes along, in case that a function blocks."""
        self._busy.add(get_ident())
        self._is_coming = False
        waiting = self._waiting
        while waiting:
            try:
                future, function, arguments = waiting.popleft()
            except IndexError:  # another thread was faster
                break
            if waiting and not self._is_coming:
                self._come()
            if not future.cancelled():
                self._ended.append((future, *_outcome(function, arguments)))
            if len(self._busy) == self._most:  # nobody else would tell
                self._tell()
        self._busy.remove(get_ident())
        self._tell()

    def _tell(self) -> None:
        """Have the event loop look at what has ended."""
        if self._ended and not self._is_told:
            self._is_told = True
            with suppress(RuntimeError):  # the event loop is closed
                self._loop.call_soon_threadsafe(self._take)

    def _take(self) -> None:
        self._is_told = False
        ended = self._ended
        while ended:
            future, result, error = ended.popleft()
            if future.done():  # it was cancelled
                continue
            if error is None:
                future.set_result(result)
            else:
                future.set_exception(error)


def _outcome(
    function: Callable[..., Any], arguments: tuple[Any, ...]
) -> tuple[Any, BaseException | None]:
    try:
        return function(*arguments), None
    except StopIteration as error:  # futures do not carry it
        unusual = RuntimeError(f"{function!r} raised StopIteration")
        unusual.__cause__ = error
        return None, unusual
    except BaseException as error:  # noqa: BLE001 - it is raised where the future is awaited
        return None, error
