"""Functions that block: which one holds up an event loop, told while it does."""

from __future__ import annotations

import asyncio
import inspect
import logging
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from types import FrameType

__all__ = ["BlockingFunction", "BlockingWatch", "blocking_function"]

logger = logging.getLogger("statefun.runtime")

_OURS: Final = str(Path(__file__).parent) + "/"
_CALLER: Final = f"{_OURS}sdk/handler.py"
_CALLER_OF_ACTIVITIES: Final = f"{_OURS}workflows/attempt.py"
_ASYNCIO: Final = str(Path(asyncio.__file__).parent) + "/"


class BlockingFunction(NamedTuple):
    """A function that runs at the moment.

    Attributes:
        name: Its name in its module.
        place: File and line that it has come to.
        is_async: Whether it is a coroutine.
        is_activity: Whether it is an activity of workflows.
    """

    name: str
    place: str
    is_async: bool
    is_activity: bool = False


def blocking_function(frame: FrameType | None) -> BlockingFunction | None:
    """Find the user's function in a stack; None if a handler has called none.

    Args:
        frame: The innermost frame of a thread.
    """
    outermost: FrameType | None = None  # of those that a handler called, and that are the user's
    while frame is not None:
        name = frame.f_code.co_filename
        if name in (_CALLER, _CALLER_OF_ACTIVITIES):
            break
        if not name.startswith((_OURS, _ASYNCIO)):
            outermost = frame
        frame = frame.f_back
    if frame is None or outermost is None:
        return None
    code = outermost.f_code
    return BlockingFunction(
        code.co_qualname,
        f"{code.co_filename}:{outermost.f_lineno}",
        bool(code.co_flags & inspect.CO_COROUTINE),
        frame.f_code.co_filename == _CALLER_OF_ACTIVITIES,
    )


class BlockingWatch:
    """Warns of functions that hold up the event loop of this thread.

    Args:
        longest_s: A loop that does not answer for so long is held up, in seconds.
    """

    def __init__(self, longest_s: float = 0.5) -> None:
        self._longest_s = longest_s
        self._loop = asyncio.get_running_loop()
        self._thread_id = threading.get_ident()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="statefun-blocking", daemon=True)

    def start(self) -> None:
        """Begin to watch."""
        self._thread.start()

    def stop(self) -> None:
        """Watch no more."""
        self._stopped.set()

    def _watch(self) -> None:
        while not self._stopped.wait(self._longest_s):
            answered = threading.Event()
            try:
                self._loop.call_soon_threadsafe(answered.set)
            except RuntimeError:  # the loop is closed
                return
            if not answered.wait(self._longest_s):
                self._tell()
                while not (answered.wait(self._longest_s) or self._stopped.is_set()):
                    pass

    def _tell(self) -> None:
        found = blocking_function(sys._current_frames().get(self._thread_id))  # noqa: SLF001 - its documented name
        if found is None:
            return
        advice = "await in place of blocking, or make it a plain def that is bound with"
        if found.is_activity:
            advice = "await in place of blocking, or make it a plain def, for the activity_executor"
        elif found.is_async:
            advice = f"{advice} blocking=True, which runs it in a thread"
        else:
            advice = "bind it with blocking=True, which runs it in a thread"
        logger.warning(
            "%s (%s) has held up the event loop for %g s, and all other %s with it: %s",
            found.name,
            found.place,
            self._longest_s,
            "activities" if found.is_activity else "addresses",
            advice,
        )
