"""Which workflow runs here: each has an event loop of its own."""

from __future__ import annotations

from asyncio import events
from typing import Any, Protocol
from weakref import WeakKeyDictionary

from statefun.workflows.exceptions import TemporalError

__all__ = ["RUNNING", "NotInWorkflowEventLoopError", "Running", "running", "running_or_none"]


class Running(Protocol):
    """A workflow that runs."""

    @property
    def history_length(self) -> int:
        """How many events it has been told."""
        ...


RUNNING: WeakKeyDictionary[Any, Running] = WeakKeyDictionary()
"""Event loop → workflow."""


class NotInWorkflowEventLoopError(TemporalError):
    """A function of workflows was called where no workflow runs."""


def running_or_none() -> Running | None:
    """The workflow whose code runs; None if there is none."""
    loop = events._get_running_loop()  # noqa: SLF001 - for whoever writes a loop
    return None if loop is None else RUNNING.get(loop)


def running() -> Running:
    """The workflow whose code runs.

    Raises:
        NotInWorkflowEventLoopError: If there is none.
    """
    found = running_or_none()
    if found is None:
        raise NotInWorkflowEventLoopError("Not in workflow event loop")
    return found
