"""Threads and processes for activities that are not async."""

from __future__ import annotations

import ctypes
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from statefun.workflows.activity import CONTEXT, ActivityContext, Flag
from statefun.workflows.converter import DataConverter
from statefun.workflows.exceptions import CancelledError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from statefun.workflows.facts import ActivityInfo

__all__ = ["CancellableThread", "in_process", "in_thread"]


class CancellableThread:
    """A thread in which an exception can be raised, unless it is shielded."""

    def __init__(self) -> None:
        self._ident: int | None = None
        self._lock = threading.Lock()
        self._shields = 0
        self._is_pending = False

    def cancel(self) -> None:
        """Raise a `CancelledError` in it."""
        with self._lock:
            if self._shields or self._ident is None:
                self._is_pending = True
            else:
                self._raise()

    def _raise(self) -> None:
        if self._ident is not None:
            self._is_pending = False
            ctypes.pythonapi.PyThreadState_SetAsyncExc(
                ctypes.c_ulong(self._ident), ctypes.py_object(CancelledError)
            )

    def begins(self) -> None:
        """The function is about to be called by this thread.

        Raises:
            CancelledError: If it was cancelled before.
        """
        with self._lock:
            if self._is_pending:
                raise CancelledError("Cancelled")
            self._ident = threading.get_ident()

    def ends(self) -> None:
        """The function has returned: raise nothing any more."""
        with self._lock:
            self._ident = None

    @contextmanager
    def shield(self) -> Iterator[None]:
        """Hold a cancel back."""
        with self._lock:
            self._shields += 1
        try:
            yield
        finally:
            with self._lock:
                self._shields -= 1
                if not self._shields and self._is_pending:
                    self._raise()


def in_thread(
    thread: CancellableThread | None, function: Callable[..., Any], args: Sequence[Any]
) -> Any:
    """Call an activity in a thread of a pool.

    Args:
        thread: By which it is cancelled; None if it is not.
        function: The activity.
        args: Its arguments.
    """
    if thread is None:
        return function(*args)
    thread.begins()
    try:
        return function(*args)
    finally:
        thread.ends()


def in_process(info: ActivityInfo, function: Callable[..., Any], args: Sequence[Any]) -> Any:
    """Call an activity in another process: it has `activity.info`, and cannot heartbeat.

    Args:
        info: What the attempt knows of itself.
        function: The activity.
        args: Its arguments.
    """
    context = ActivityContext(
        info=lambda: info,
        heartbeat=_no_heartbeat,
        payload_converter=DataConverter.default.payload_converter,
        worker_shutdown=Flag(),
    )
    token = CONTEXT.set(context)
    try:
        return function(*args)
    finally:
        CONTEXT.reset(token)


def _no_heartbeat(*_: Any) -> None:
    raise RuntimeError(
        "an activity in a process of its own cannot heartbeat: run it in threads, or call it "
        "without heartbeat_timeout"
    )
