"""Events as async iterators.

A stream is subscribed from its making on, so that nothing is missed between reading the state and
following it. Events may come from any thread.
"""

from __future__ import annotations

import asyncio
import threading
import weakref
from collections import deque
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar

from statefun.errors import StreamOverflowError
from statefun.reactive.patch import json_patch

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from statefun.reactive.events import StateEvent
    from statefun.reactive.patch import JsonOperation
    from statefun.reactive.steps import Steps
    from statefun.reactive.subscriptions import Subscriptions

__all__ = ["PatchStream", "Stream"]

T = TypeVar("T")


class _Inbox:
    """The subscriber of a stream: keeps what comes until the reader takes it.

    It does not know the stream, so that a stream nobody reads any more can be forgotten.
    """

    is_stoppable = False

    def __init__(self, limit: int) -> None:
        self.events: deque[StateEvent[Any, Any]] = deque()
        self.limit = limit
        self.has_overflowed = False
        self.is_closed = False
        self._lock = threading.Lock()
        self._waiting: list[asyncio.Future[None]] = []

    def deliver(self, event: StateEvent[Any, Any]) -> Steps[None]:
        """Keep an event and wake the reader."""
        with self._lock:
            if len(self.events) < self.limit:
                self.events.append(event)
            else:
                self.has_overflowed = True
        self.wake()
        yield from ()

    def wake(self) -> None:
        """Let the reader look again, from whatever thread."""
        with self._lock:
            waiting, self._waiting = self._waiting, []
        for each in waiting:
            if not (loop := each.get_loop()).is_closed():
                loop.call_soon_threadsafe(_finish, each)

    async def wait(self) -> None:
        """Wait until there is something to look at."""
        with self._lock:
            if self.events or self.has_overflowed or self.is_closed:
                return
            waiting = asyncio.get_running_loop().create_future()
            self._waiting.append(waiting)
        await waiting


def _finish(waiting: asyncio.Future[None]) -> None:
    if not waiting.done():
        waiting.set_result(None)


class _Subscribed(Generic[T]):
    """An async iterator over what an inbox gets; also an async context manager."""

    def __init__(self, subscriptions: Subscriptions, path: str, limit: int) -> None:
        self._path = path
        self._inbox = _Inbox(limit)
        subscriptions.add(path, self._inbox, self._inbox)
        self._unsubscribe = weakref.finalize(self, subscriptions.discard, path, self._inbox)
        self._unsubscribe.atexit = False

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> T:
        raise NotImplementedError

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """End the subscription; a reader that waits gets the end of the iteration."""
        self._unsubscribe()
        self._inbox.is_closed = True
        self._inbox.wake()


class Stream(_Subscribed["StateEvent[Any, Any]"]):
    """The events of a path and everything below it, in order; made by `controller.stream`."""

    async def __anext__(self) -> StateEvent[Any, Any]:
        inbox = self._inbox
        while not (inbox.events or inbox.has_overflowed or inbox.is_closed):
            await inbox.wait()
        if inbox.events:
            return inbox.events.popleft()
        if inbox.has_overflowed:
            inbox.has_overflowed = False
            await self.aclose()
            raise StreamOverflowError(self._path, inbox.limit)
        raise StopAsyncIteration


class PatchStream(_Subscribed["list[JsonOperation]"]):
    """A path as JSON Patches: first one that makes the whole document, then one for each change.

    Changes that come while the reader is busy make one patch together. Made by
    `controller.patches`.
    """

    def __init__(
        self,
        subscriptions: Subscriptions,
        path: str,
        read: Callable[[], Awaitable[Any]],
    ) -> None:
        super().__init__(subscriptions, path, limit=1)
        self._read = read
        self._document: Any = None
        self._is_begun = False

    async def __anext__(self) -> list[JsonOperation]:
        if not self._is_begun:
            self._document = copy_of(await self._read())
            self._is_begun = True
            return [{"op": "replace", "path": "", "value": self._document}]
        while True:
            await self._inbox.wait()
            if self._inbox.is_closed:
                raise StopAsyncIteration
            self._inbox.events.clear()
            self._inbox.has_overflowed = False
            document = copy_of(await self._read())
            patch = json_patch(self._document, document)
            self._document = document
            if patch:
                return patch


def copy_of(document: Any) -> Any:
    """Copy a JSON document, whose parts may be changed in place where they are stored."""
    if isinstance(document, dict):
        return {str(key): copy_of(each) for key, each in document.items()}
    if isinstance(document, list | tuple):
        return [copy_of(each) for each in document]
    return document
