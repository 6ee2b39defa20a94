"""The two controllers: one engine, driven by calls or by awaits."""
# ruff: noqa: SLF001 - a driver runs the operations of the engine

from __future__ import annotations

import asyncio
import inspect
import threading
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Any, TypeVar, overload

from statefun.errors import CoroutineCallbackError
from statefun.reactive.atoms import Atom, AtomAsync
from statefun.reactive.backends.asyncify import asyncified
from statefun.reactive.backends.base import tree_of
from statefun.reactive.backends.memory import InMemoryBackend
from statefun.reactive.commit import commit, tell
from statefun.reactive.engine import Engine
from statefun.reactive.paths import canonical
from statefun.reactive.steps import awaited, called
from statefun.reactive.streams import PatchStream, Stream
from statefun.reactive.transactions import open_transaction

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
    from contextlib import AbstractAsyncContextManager, AbstractContextManager
    from datetime import timedelta
    from pathlib import PurePosixPath
    from types import TracebackType

    from statefun.reactive.backends.base import AsyncBackend, Backend
    from statefun.reactive.commit import Events
    from statefun.reactive.paths import PathLike
    from statefun.reactive.steps import Steps
    from statefun.reactive.transactions import Savepoint, Transaction

__all__ = ["ControllerAsync", "ControllerSync"]

T = TypeVar("T")


class _Controller(Engine):
    """What both controllers share beside the engine."""

    def _atom_path(self, path: PathLike | None, key: str | None) -> PurePosixPath:
        return self.get_temporary_path(key) if path is None else self.resolve_path(path)

    def stream(self, path: PathLike, *, limit: int = 10_000) -> Stream:
        """Follow a path and everything below it as an async iterator of events.

        The stream begins with this call, not with the first `async for`. It ends with `aclose()`,
        at the end of `async with`, or when it is forgotten. Events may be caused in any thread, and
        `stop_bubbling` of a callback does not keep them away.

        Args:
            path: What to follow; a part `*` stands for any one name.
            limit: How many events may wait for the reader.

        Returns:
            An async iterator. If more events come than may wait, its reader gets those that were
            kept and then a `StreamOverflowError`.
        """
        return Stream(self.subscriptions, canonical(path), limit)


class _Scope:
    """The operations at both ends of a transaction."""

    def __init__(self, controller: ControllerSync | ControllerAsync) -> None:
        self._controller = controller
        self._lock = controller._lock
        self._transaction: Transaction | None = None
        self._savepoint: Savepoint | None = None

    def _enter(self) -> Steps[None]:
        controller = self._controller
        outer = controller._state.transaction
        if outer is not None:
            self._transaction, self._savepoint = outer, outer.savepoint()
            return
        yield controller.exclude, ()
        try:
            self._transaction = yield from controller._state.begin()
        except BaseException:
            controller.include()
            raise
        open_transaction.set(self._transaction)

    def _exit(
        self,
        _kind: type[BaseException] | None,
        error: BaseException | None,
        _trace: TracebackType | None,
    ) -> Steps[None]:
        transaction = self._transaction
        announcer = self._controller._announcer
        if transaction is None:
            return
        if self._savepoint is not None:
            if error is not None:
                transaction.roll_back(self._savepoint)
                declared = transaction.declared[self._savepoint.declared :]
                del transaction.declared[self._savepoint.declared :]
                yield from announcer.take_back(declared)
            return
        events: Events = []
        try:
            if error is None:
                events = yield from commit(announcer, transaction)
        finally:
            transaction.is_open = False
            open_transaction.set(transaction.outer)
            try:
                yield from announcer.take_back(transaction.declared)
            finally:
                self._controller.include()
        if error is None:  # callbacks may open a transaction
            yield from tell(announcer, transaction, events)


class _SyncScope(_Scope):
    __enter__ = called(_Scope._enter)
    __exit__ = called(_Scope._exit)


class _AsyncScope(_Scope):
    __aenter__ = awaited(_Scope._enter)
    __aexit__ = awaited(_Scope._exit)


class ControllerSync(_Controller):
    """A state tree with plain methods.

    Threads may share it: each operation, with everything that its callbacks do, and each
    transaction runs alone. A callback must not wait for another thread that uses the controller.

    Args:
        backend: Where the state is; by default a new `InMemoryBackend`.

    Attributes:
        backend: The backend. What is written to it directly is not announced.
    """

    def __init__(self, backend: Backend | None = None) -> None:
        self.backend: Backend = InMemoryBackend() if backend is None else backend
        super().__init__(tree_of(self.backend))

    get_state = called(Engine._get_state)
    set_state = called(Engine._set_state)
    del_state = called(Engine._del_state)
    write_state = called(Engine._write_state)
    ping = called(Engine._ping)
    notify = called(Engine._notify)
    derive = called(Engine._derive)
    derive_many = called(Engine._derive_many)
    track = called(Engine._track)
    refresh = called(Engine._refresh)

    def transaction(self) -> AbstractContextManager[None]:
        """Make many writes take effect, and be announced, as one.

        `with controller.transaction():`

        Inside, this thread reads what it has written, and other threads wait. If the body raises,
        nothing was written. At the end each derived value is computed once, then everything is
        stored as one, then there is one event for each path whose value differs. A transaction
        inside another one is a part of it that can fail by itself.

        Raises:
            TransactionConflictError: At the end, if the backend is shared and another process has
                changed what was read; nothing was written.
        """
        return _SyncScope(self)

    @contextmanager
    def watch(self, every: timedelta) -> Iterator[None]:
        """Announce changes of other processes, in a thread, as long as the `with` block runs.

        Args:
            every: How long to wait between two looks at the backend.

        Raises:
            Exception: At the end, whatever a callback or the backend has raised in the thread,
                which stopped then.
        """
        stopped = threading.Event()
        errors: list[BaseException] = []

        def refresh_again_and_again() -> None:
            try:
                while not stopped.wait(every.total_seconds()):
                    self.refresh()
            except BaseException as error:  # noqa: BLE001 - raised by the `with` block
                errors.append(error)

        thread = threading.Thread(target=refresh_again_and_again, daemon=True)
        thread.start()
        try:
            yield
        finally:
            stopped.set()
            thread.join()
        if errors:
            raise errors[0]

    def patches(self, path: PathLike) -> PatchStream:
        """Follow a path as JSON Patches (RFC 6902).

        Args:
            path: The root of the document.

        Returns:
            An async iterator: a patch that makes the document, then one for each change.
        """

        async def read() -> Any:
            return self.get_state(path)

        return PatchStream(self.subscriptions, canonical(path), read)

    @overload
    def atom(self, path: PathLike | None = None, key: str | None = None) -> Atom[Any]: ...
    @overload
    def atom(self, path: PathLike | None, key: str | None, default: T) -> Atom[T]: ...
    @overload
    def atom(
        self, path: PathLike | None = None, key: str | None = None, *, default: T
    ) -> Atom[T]: ...
    def atom(
        self, path: PathLike | None = None, key: str | None = None, default: Any = None
    ) -> Atom[Any]:
        """Make an atom.

        Args:
            path: Where its value is; by default a temporary path.
            key: Makes the temporary path depend on this text alone.
            default: What reads as the value when there is none.

        Returns:
            The atom, of the type of the default: `atom("/n", default=0)` is an `Atom[int]`.
        """
        return Atom(self, self._atom_path(path, key), default)

    @overload
    def named_atom(self, key: str) -> Atom[Any]: ...
    @overload
    def named_atom(self, key: str, default: T) -> Atom[T]: ...
    def named_atom(self, key: str, default: Any = None) -> Atom[Any]:
        """Make an atom at the temporary path of a key, the same one in every process."""
        return Atom(self, self.get_temporary_path(key), default)

    def call(self, function: Callable[[Any], Any], argument: Any) -> Any:
        """Call a callback; if it gives a coroutine, run that to its end.

        Raises:
            CoroutineCallbackError: If that cannot be, because an event loop is running.
        """
        result = function(argument)
        return _run_to_end(result, function) if inspect.iscoroutine(result) else result

    def exclude(self) -> None:
        """Keep other threads out until `include`."""
        self._lock.acquire()

    def include(self) -> None:
        """Let other threads in again."""
        self._lock.release()


def _run_to_end(coroutine: Coroutine[Any, Any, Any], function: Callable[..., Any]) -> Any:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(coroutine)
    coroutine.close()
    raise CoroutineCallbackError(getattr(function, "__qualname__", repr(function)))


class ControllerAsync(_Controller):
    """A state tree whose methods are coroutines; callbacks may be plain functions or coroutines.

    It belongs to one event loop. Callbacks run one after another, each awaited; two operations of
    different tasks may interleave between their steps. Transactions run one after another.

    Args:
        backend: Where the state is, sync or async; by default a new `InMemoryBackend`.

    Attributes:
        backend: The backend, a sync one wrapped in an `AsyncifyBackend`.
    """

    def __init__(self, backend: Backend | AsyncBackend | None = None) -> None:
        self.backend: AsyncBackend = asyncified(InMemoryBackend() if backend is None else backend)
        super().__init__(tree_of(self.backend))
        self._transactions = asyncio.Lock()

    get_state = awaited(Engine._get_state)
    set_state = awaited(Engine._set_state)
    del_state = awaited(Engine._del_state)
    write_state = awaited(Engine._write_state)
    ping = awaited(Engine._ping)
    notify = awaited(Engine._notify)
    derive = awaited(Engine._derive)
    derive_many = awaited(Engine._derive_many)
    track = awaited(Engine._track)
    refresh = awaited(Engine._refresh)

    def transaction(self) -> AbstractAsyncContextManager[None]:
        """Make many writes take effect, and be announced, as one.

        `async with controller.transaction():`

        Inside, this task, and those it starts, read what was written; other tasks see nothing of it
        before the end, and other transactions wait. If the body raises, nothing was written. At the
        end each derived value is computed once, then everything is stored as one, then there is one
        event for each path whose value differs. A transaction inside another one is a part of it
        that can fail by itself.

        Raises:
            TransactionConflictError: At the end, if the backend is shared and another process has
                changed what was read; nothing was written.
        """
        return _AsyncScope(self)

    @asynccontextmanager
    async def watch(self, every: timedelta) -> AsyncIterator[None]:
        """Announce changes of other processes, in a task, as long as the `async with` block runs.

        Args:
            every: How long to wait between two looks at the backend.

        Raises:
            Exception: Whatever a callback or the backend raises in the task.
        """

        async def refresh_again_and_again() -> None:
            while True:
                await asyncio.sleep(every.total_seconds())
                await self.refresh()

        task = asyncio.create_task(refresh_again_and_again())
        try:
            yield
        finally:
            is_over = task.done()
            task.cancel()
            await asyncio.wait([task])
        if is_over:
            task.result()

    def patches(self, path: PathLike) -> PatchStream:
        """Follow a path as JSON Patches (RFC 6902).

        Args:
            path: The root of the document.

        Returns:
            An async iterator: a patch that makes the document, then one for each change.
        """
        return PatchStream(self.subscriptions, canonical(path), lambda: self.get_state(path))

    @overload
    def atom(self, path: PathLike | None = None, key: str | None = None) -> AtomAsync[Any]: ...
    @overload
    def atom(self, path: PathLike | None, key: str | None, default: T) -> AtomAsync[T]: ...
    @overload
    def atom(
        self, path: PathLike | None = None, key: str | None = None, *, default: T
    ) -> AtomAsync[T]: ...
    def atom(
        self, path: PathLike | None = None, key: str | None = None, default: Any = None
    ) -> AtomAsync[Any]:
        """Make an atom.

        Args:
            path: Where its value is; by default a temporary path.
            key: Makes the temporary path depend on this text alone.
            default: What reads as the value when there is none.

        Returns:
            The atom, of the type of the default: `atom("/n", default=0)` is an `AtomAsync[int]`.
        """
        return AtomAsync(self, self._atom_path(path, key), default)

    @overload
    def named_atom(self, key: str) -> AtomAsync[Any]: ...
    @overload
    def named_atom(self, key: str, default: T) -> AtomAsync[T]: ...
    def named_atom(self, key: str, default: Any = None) -> AtomAsync[Any]:
        """Make an atom at the temporary path of a key, the same one in every process."""
        return AtomAsync(self, self.get_temporary_path(key), default)

    async def call(self, function: Callable[[Any], Any], argument: Any) -> Any:
        """Call a callback, and await it if it gives a coroutine."""
        result = function(argument)
        return await result if inspect.iscoroutine(result) else result

    async def exclude(self) -> None:
        """Keep other transactions out until `include`."""
        await self._transactions.acquire()

    def include(self) -> None:
        """Let the next transaction begin."""
        self._transactions.release()
