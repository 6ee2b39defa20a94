"""Exceptions that end a run, or refuse a command."""

from __future__ import annotations

from typing import TYPE_CHECKING

from statefun.workflows.exceptions import TemporalError

if TYPE_CHECKING:
    from statefun.workflows import _proto

__all__ = ["ContinueAsNewError", "NondeterminismError", "ReadOnlyContextError"]


class ContinueAsNewError(BaseException):
    """A run ends by a new one. It is not an `Exception`, so `except Exception` lets it pass.

    Args:
        start: What the new run is started with.
    """

    def __init__(self, start: _proto.Start) -> None:
        super().__init__("Continue as new")
        self.start = start


class ReadOnlyContextError(TemporalError):
    """A query or a validator tried to do something."""


class NondeterminismError(TemporalError):
    """The code of a workflow does not do what its history says."""
