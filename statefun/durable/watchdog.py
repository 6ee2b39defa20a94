"""The watchdog: a handler that computes too long between two waits is cut off, and tried again.

Law: it only ever interrupts a handler's own code, in its own thread, and that attempt has failed
then, whatever the handler makes of the interruption. What runs in C cannot be interrupted before it
returns.
"""

from __future__ import annotations

import ctypes
import time
from functools import cache
from threading import Thread
from typing import Any

from statefun.durable.exceptions import CutOffException
from statefun.durable.guards import LOCK, guarded_threads

__all__ = ["start_watchdog"]

_PAUSE = 0.25  # seconds while nobody computes
_SHORT_PAUSE = 0.05


@cache
def start_watchdog() -> None:
    """Watch all handlers of this process from now on."""
    Thread(target=_watch, name="statefun-watchdog", daemon=True).start()


def _watch() -> None:
    seen: dict[Any, tuple[int, float]] = {}
    while True:
        time.sleep(_SHORT_PAUSE if seen else _PAUSE)
        now, threads = time.monotonic(), guarded_threads()
        before, seen = seen, {}
        for loop, thread in threads.items():
            progress, since = before.get(loop, (-1, now))
            if progress != loop.progress:
                seen[loop] = (loop.progress, now)
            elif now - since < loop.longest_drain:
                seen[loop] = (progress, since)
            else:
                _cut_off(loop, thread, progress)
                seen[loop] = (progress, now)


def _cut_off(loop: Any, thread: int, progress: int) -> None:
    """Interrupt what runs on a loop, if it still does."""
    with LOCK:
        if loop not in guarded_threads() or loop.progress != progress:
            return
        loop.is_cut_off = loop.is_stopped = True
        ctypes.pythonapi.PyThreadState_SetAsyncExc(
            ctypes.c_ulong(thread), ctypes.py_object(CutOffException)
        )
