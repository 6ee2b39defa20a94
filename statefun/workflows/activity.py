"""Activities: functions that do something in the world, called by workflows.

An activity is a function, async or not, or a method or an object that can be called. It is tried
again by the retry policy of its call, so it should do no harm when it runs twice.
"""

from __future__ import annotations

import asyncio
import threading
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar, overload

from statefun.workflows.definitions import define_activity
from statefun.workflows.facts import ActivityInfo as Info
from statefun.workflows.logs import ContextLogger
from statefun.workflows.spans import seconds

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from datetime import timedelta

    from statefun.workflows.client import Client
    from statefun.workflows.interceptors import ActivityOutboundInterceptor
    from statefun.workflows.payloads import PayloadConverter

__all__ = [
    "ActivityCancellationDetails",
    "Info",
    "LoggerAdapter",
    "cancellation_details",
    "client",
    "defn",
    "heartbeat",
    "in_activity",
    "info",
    "is_cancelled",
    "is_worker_shutdown",
    "logger",
    "payload_converter",
    "raise_complete_async",
    "shield_thread_cancel_exception",
    "wait_for_cancelled",
    "wait_for_cancelled_sync",
    "wait_for_worker_shutdown",
    "wait_for_worker_shutdown_sync",
]

F = TypeVar("F", bound="Callable[..., Any]")
LoggerAdapter = ContextLogger


@overload
def defn(fn: F) -> F: ...
@overload
def defn(
    *, name: str | None = None, no_thread_cancel_exception: bool = False, dynamic: bool = False
) -> Callable[[F], F]: ...


def defn(
    fn: Callable[..., Any] | None = None,
    *,
    name: str | None = None,
    no_thread_cancel_exception: bool = False,
    dynamic: bool = False,
) -> Any:
    """Make a function an activity.

    Args:
        fn: The function, if this is used without parentheses.
        name: The name of its type; None for the function's.
        no_thread_cancel_exception: Whether a cancel is not raised in its thread.
        dynamic: Whether it takes all types that have no function; its one parameter is a
            `Sequence[RawValue]`.

    Raises:
        ValueError: If it is an activity already.
        TypeError: If it cannot be one.
    """

    def decorate(function: Any) -> Any:
        define_activity(
            function,
            name,
            is_dynamic=dynamic,
            no_thread_cancel_exception=no_thread_cancel_exception,
        )
        return function

    return decorate if fn is None else decorate(fn)


@dataclass(frozen=True)
class ActivityCancellationDetails:
    """Why an attempt is cancelled; several may be true.

    Attributes:
        not_found: Nobody knows the activity any more.
        cancel_requested: The workflow has cancelled it.
        paused: It was paused.
        reset: It was reset.
        timed_out: It took too long.
        worker_shutdown: The worker stops.
    """

    not_found: bool = False
    cancel_requested: bool = False
    paused: bool = False
    reset: bool = False
    timed_out: bool = False
    worker_shutdown: bool = False


class Flag:
    """Something that becomes true once, for tasks and threads."""

    def __init__(self) -> None:
        self._of_threads = threading.Event()
        self._of_tasks: asyncio.Event | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    @property
    def is_set(self) -> bool:
        """Whether it is true."""
        return self._of_threads.is_set()

    def set(self) -> None:
        """Make it true."""
        self._of_threads.set()
        if self._of_tasks is not None and self._loop is not None:
            self._loop.call_soon_threadsafe(self._of_tasks.set)

    async def wait(self) -> None:
        """Wait until it is true."""
        if self._of_threads.is_set():
            return
        if self._of_tasks is None:
            self._of_tasks, self._loop = asyncio.Event(), asyncio.get_running_loop()
        await self._of_tasks.wait()

    def wait_in_thread(self, timeout: float | None) -> None:
        """Wait until it is true, or so many seconds."""
        self._of_threads.wait(timeout)


@dataclass
class ActivityContext:
    """What the functions of this module work on while an attempt runs."""

    info: Callable[[], Info]
    heartbeat: Callable[..., None]
    payload_converter: PayloadConverter
    cancelled: Flag = field(default_factory=Flag)
    worker_shutdown: Flag = field(default_factory=Flag)
    client: Client | None = None
    details: ActivityCancellationDetails | None = None
    shield: Callable[[], Any] | None = None
    outbound: ActivityOutboundInterceptor | None = None


CONTEXT: ContextVar[ActivityContext] = ContextVar("statefun_activity")


class CompleteAsyncError(BaseException):
    """The attempt ends here and is completed from outside."""


def _context() -> ActivityContext:
    found = CONTEXT.get(None)
    if found is None:
        raise RuntimeError("Not in activity context")
    return found


def in_activity() -> bool:
    """Whether this code is called by an activity."""
    return CONTEXT.get(None) is not None


def info() -> Info:
    """What the attempt knows of itself.

    Raises:
        RuntimeError: If no activity runs here.
    """
    return _context().info()


def client() -> Client:
    """The client of the worker, for async activities.

    Raises:
        RuntimeError: If no activity runs here, or it is not async.
    """
    found = _context().client
    if found is None:
        raise RuntimeError(
            "No client available. The client is only available in `async def` activities; not in "
            "threaded or multiprocess activities."
        )
    return found


def heartbeat(*details: Any) -> None:
    """Say that the attempt goes on.

    Args:
        details: What the next attempt may want to know; the last heartbeat counts.

    Raises:
        RuntimeError: If no activity runs here.
    """
    _context().heartbeat(*details)


def is_cancelled() -> bool:
    """Whether the attempt is cancelled."""
    return _context().cancelled.is_set


def cancellation_details() -> ActivityCancellationDetails | None:
    """Why the attempt is cancelled; None if it is not."""
    return _context().details


async def wait_for_cancelled() -> None:
    """Wait until the attempt is cancelled."""
    await _context().cancelled.wait()


def wait_for_cancelled_sync(timeout: timedelta | float | None = None) -> None:
    """Wait in a thread until the attempt is cancelled, or so long."""
    _context().cancelled.wait_in_thread(None if timeout is None else seconds(timeout))


def is_worker_shutdown() -> bool:
    """Whether the worker stops."""
    return _context().worker_shutdown.is_set


async def wait_for_worker_shutdown() -> None:
    """Wait until the worker stops."""
    await _context().worker_shutdown.wait()


def wait_for_worker_shutdown_sync(timeout: timedelta | float | None = None) -> None:
    """Wait in a thread until the worker stops, or so long."""
    _context().worker_shutdown.wait_in_thread(None if timeout is None else seconds(timeout))


def raise_complete_async() -> NoReturn:
    """End the attempt here; whoever has its token or ids completes the activity.

    Raises:
        BaseException: Always.
    """
    _context()
    raise CompleteAsyncError


@contextmanager
def shield_thread_cancel_exception() -> Iterator[None]:
    """While in the block, let no cancel be raised in the thread of the activity."""
    shield = _context().shield
    if shield is None:
        yield
        return
    with shield():
        yield


def payload_converter() -> PayloadConverter:
    """The payload converter of the worker."""
    return _context().payload_converter


def _facts() -> Mapping[str, Any] | None:
    found = CONTEXT.get(None)
    return None if found is None else found.info().facts()


def _never() -> bool:
    return False


logger = ContextLogger("statefun.workflows.activity", _facts, "temporal_activity", _never)
"""A logger whose texts say which activity logs."""
