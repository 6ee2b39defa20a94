"""Writes and deletes held back in memory in front of another backend.

The law: a read gives what the wrapped backend would give with the pending operations applied. A
flush applies them in order; if it fails, they stay pending. A transaction on a backend that others
share cannot wait, since it may meet a conflict with them: it is flushed at its end.
"""
# ruff: noqa: SLF001 - a driver runs the operations of the cache

from __future__ import annotations

import asyncio
import atexit
import threading
import time
from typing import TYPE_CHECKING, Any, Self

from statefun.errors import TransactionConflictError
from statefun.reactive.backends.asyncify import asyncified
from statefun.reactive.backends.base import (
    MISSING,
    AsyncBackend,
    Backend,
    Expect,
    Wrapping,
    Write,
    tree_of,
)
from statefun.reactive.backends.overlay import Overlay
from statefun.reactive.paths import is_related, levels, relative
from statefun.reactive.steps import awaited, called

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from statefun.reactive.backends.base import ForeignChange, Node, Operation
    from statefun.reactive.steps import Steps

__all__ = ["CachingAsyncBackend", "CachingSyncBackend"]

# Values of these types cannot change behind our back, so what was read is handed out again.
_UNCHANGEABLE = (str, int, float, bool, bytes, type(None))

# Caches with pending operations, kept alive until these are flushed.
_unflushed: set[_Cache] = set()


class _Cache(Wrapping):
    """The operations that both caches share."""

    def __init__(
        self,
        backend: Backend | AsyncBackend,
        flush_interval: float,
        flush_on: tuple[bool, bool, bool],
        clock: Callable[[], float],
    ) -> None:
        self.flush_interval = flush_interval
        self.flush_on_read, self.flush_on_write, self.flush_on_delete = flush_on
        self._lock = threading.RLock()
        super().__init__(tree_of(backend))
        self._overlay = Overlay(self._tree)
        self._seen: dict[str, Any] = {}
        self._writes = 0
        self._clock = clock
        self._flushed_at = clock()

    @property
    def operations(self) -> list[Operation]:
        """The operations that wait for the next flush, oldest first."""
        return self._overlay.operations

    def _get(self, path: str, default: Any) -> Steps[Any]:
        """Return what a path reads as, or `default` itself."""
        yield from self._flush_if_due(asked=self.flush_on_read)
        if self._is_entangled(path):
            yield from self._flush()
        value = self._seen.get(path, MISSING)
        if value is MISSING:
            writes = self._writes
            value = yield from self._overlay.get(path, MISSING)
            is_stored = not self.operations and writes == self._writes
            if is_stored and type(value) in _UNCHANGEABLE:
                self._seen[path] = value
        return default if value is MISSING else value

    def _put(self, path: str, value: Any) -> Steps[None]:
        """Write the value of a node; it reaches the backend with the next flush."""
        self.check(path, value)  # what cannot be written would keep all behind it from a flush
        self._writes += 1
        for level in levels(path):
            self._seen.pop(level, None)
        self._overlay.put(path, value)
        yield from self._flush_if_due(asked=self.flush_on_write)

    def _remove(self, path: str) -> Steps[None]:
        """Delete a node and everything below it; it reaches the backend with the next flush."""
        self._forget_what_was_read()
        self._overlay.remove(path)
        yield from self._flush_if_due(asked=self.flush_on_delete)

    def _node(self, path: str) -> Steps[Node]:
        """Return the node at a path."""
        return (yield from self._overlay.node(path))

    def _apply(self, operations: Sequence[Operation]) -> Steps[None]:
        """Take operations in as one; they reach the backend together.

        Raises:
            TransactionConflictError: If a path of an `Expect` has changed since its revision.
        """
        for each in operations:
            if isinstance(each, Write):
                self.check(*each)
        if self.has_revisions:
            yield from self._flush_with(operations)
        else:
            self._overlay.add(operations)
        self._forget_what_was_read()
        yield from self._flush_if_due(asked=self.flush_on_write)

    def _revision(self) -> Steps[Any]:
        """Return a token of the present state, after a flush."""
        yield from self._flush()
        token = yield self._tree.revision, ()
        self._forget_what_was_read()  # others may have changed it before
        return token

    def _changes(self) -> Steps[list[ForeignChange]]:
        """Return what others have changed since the last call; from now on it is read anew."""
        changes: list[ForeignChange] = yield self._tree.changes, ()
        if changes:
            self._forget_what_was_read()
        return changes

    def _forget_what_was_read(self) -> None:
        self._writes += 1
        self._seen.clear()

    def _flush(self) -> Steps[None]:
        """Apply all pending operations to the backend, in order, as one.

        Raises:
            Exception: Whatever the backend raises; the operations then stay pending.
        """
        yield from self._flush_with(())

    def _flush_with(self, operations: Sequence[Operation]) -> Steps[None]:
        """Apply all that is pending, and operations behind it; what these expect comes first."""
        yield self._acquire, ()
        try:
            self._flushed_at = self._clock()
            pending = self._overlay.sealed()
            expected = [each for each in operations if isinstance(each, Expect)]
            for each in expected:
                if any(is_related(each.path, other.path) for other in pending):
                    raise TransactionConflictError(each.path)  # written since the revision
            rest = [each for each in operations if not isinstance(each, Expect)]
            if todo := [*expected, *pending, *rest]:
                yield self._tree.apply, (todo,)
                self._overlay.forget(len(pending))
        finally:
            self._release()
            self._note_pending()

    def _flush_if_due(self, *, asked: bool) -> Steps[None]:
        self._note_pending()
        is_due = asked and self._clock() - self._flushed_at >= self.flush_interval
        if is_due and self.operations:
            yield from self._flush()

    def _close(self) -> Steps[None]:
        """Flush what is pending; whatever comes later is flushed at once."""
        self.flush_interval = 0.0
        self.flush_on_write = self.flush_on_delete = True
        yield from self._flush()

    def _note_pending(self) -> None:
        """Keep a cache alive until its operations are flushed, at the latest at the exit."""
        (_unflushed.add if self.operations else _unflushed.discard)(self)

    def _is_entangled(self, path: str) -> bool:
        """Whether only the backend itself knows how pending operations change what is read."""
        return self._tree.is_flat(path) and any(
            each.path != path and (relative(each.path, path) or relative(path, each.path))
            for each in self.operations
        )

    def _acquire(self) -> Any:
        """Begin a flush; a step of the driver."""
        raise NotImplementedError

    def _release(self) -> None:
        """End a flush."""
        raise NotImplementedError

    def _flush_at_exit(self) -> None:
        """Flush when the process ends normally."""
        raise NotImplementedError


class CachingSyncBackend(_Cache, Backend):
    """A cache in front of a backend; a context manager that flushes at its end.

    Operations reach the backend when one whose `flush_on_…` is on comes at least `flush_interval`
    after the last flush, on `flush()` and `close()`, and when the process exits normally. There is
    no timer: a process that is killed loses what was not flushed. What the cache has read is handed
    out again if it is an immutable value, so nobody else should write to the backend, unless it is
    one that others share: then their changes are read after a `refresh`, and in transactions.

    Args:
        backend: The backend behind it.
        flush_interval: Seconds; 0 flushes at once.
        flush_on_read: Whether a read may flush.
        flush_on_write: Whether a write may flush.
        flush_on_delete: Whether a delete may flush.
        clock: Tells the time in seconds.
    """

    def __init__(
        self,
        backend: Backend,
        *,
        flush_interval: float = 5.0,
        flush_on_read: bool = False,
        flush_on_write: bool = True,
        flush_on_delete: bool = True,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        flush_on = (flush_on_read, flush_on_write, flush_on_delete)
        super().__init__(backend, flush_interval, flush_on, clock)
        self.backend = backend

    get = called(_Cache._get)
    put = called(_Cache._put)
    remove = called(_Cache._remove)
    node = called(_Cache._node)
    apply = called(_Cache._apply)
    revision = called(_Cache._revision)
    changes = called(_Cache._changes)
    flush = called(_Cache._flush)
    close = called(_Cache._close)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def _acquire(self) -> None:
        pass  # the lock is held

    def _release(self) -> None:
        pass

    def _flush_at_exit(self) -> None:
        self.flush()


class CachingAsyncBackend(_Cache, AsyncBackend):
    """The same for `ControllerAsync`; an async context manager.

    Args:
        backend: The backend behind it, sync or async.
        flush_interval: Seconds; 0 flushes at once.
        flush_on_read: Whether a read may flush.
        flush_on_write: Whether a write may flush.
        flush_on_delete: Whether a delete may flush.
        clock: Tells the time in seconds.
    """

    def __init__(
        self,
        backend: Backend | AsyncBackend,
        *,
        flush_interval: float = 5.0,
        flush_on_read: bool = False,
        flush_on_write: bool = True,
        flush_on_delete: bool = True,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.backend = asyncified(backend)
        flush_on = (flush_on_read, flush_on_write, flush_on_delete)
        super().__init__(self.backend, flush_interval, flush_on, clock)
        self._flushing = asyncio.Lock()

    get = awaited(_Cache._get)
    put = awaited(_Cache._put)
    remove = awaited(_Cache._remove)
    node = awaited(_Cache._node)
    apply = awaited(_Cache._apply)
    revision = awaited(_Cache._revision)
    changes = awaited(_Cache._changes)
    flush = awaited(_Cache._flush)
    close = awaited(_Cache._close)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self.close()

    async def _acquire(self) -> None:
        await self._flushing.acquire()

    def _release(self) -> None:
        self._flushing.release()

    def _flush_at_exit(self) -> None:
        self._flushing = asyncio.Lock()  # the old one belongs to a loop that is gone
        asyncio.run(self.flush())


def _flush_all() -> None:
    """Flush every cache; an error of one keeps no other from being flushed."""
    errors = []
    for cache in list(_unflushed):
        try:
            cache._flush_at_exit()
        except Exception as error:  # noqa: BLE001 - raised below
            errors.append(error)
    if errors:
        raise ExceptionGroup("caches that could not be flushed at exit", errors)


atexit.register(_flush_all)
