"""Places in the user's code: where a handler gave a command, and where it waits."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import CodeType

__all__ = ["place_of_call", "place_of_task"]

_OURS = (str(Path(__file__).parent), str(Path(sys.modules["asyncio"].__file__ or "").parent))


def place_of_call() -> str:
    """The user's frames that lead to this call, outermost first: `order.py:41 run → …`."""
    places: list[str] = []
    frame: Any = sys._getframe(1)  # noqa: SLF001 - as tracebacks do
    while frame is not None:
        if frame.f_code.co_filename.startswith(_OURS):
            if places:
                break  # the loop that drives them
        else:
            places.append(_place(frame.f_code, frame.f_lineno))
        frame = frame.f_back
    return " → ".join(reversed(places)) or "the engine"


def place_of_task(tasks: Iterable[Any]) -> str:
    """Where tasks wait, one after another."""
    chains = []
    for task in tasks:
        chain, waiting = [], task.get_coro()
        while waiting is not None and getattr(waiting, "cr_frame", None) is not None:
            if not waiting.cr_code.co_filename.startswith(_OURS):
                chain.append(_place(waiting.cr_code, waiting.cr_frame.f_lineno))
            waiting = waiting.cr_await
        if chain:
            chains.append(" → ".join(chain))
    return "; ".join(chains) or "the end of the handler"


def _place(code: CodeType, line: int) -> str:
    return f"{Path(code.co_filename).name}:{line} {code.co_name}"
