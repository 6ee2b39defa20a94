"""Refusals: what a turn says to a request that it does not carry out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from statefun.durable.exceptions import TerminalError

if TYPE_CHECKING:
    from statefun.workflows.service import RPCStatusCode

__all__ = ["RefusedError"]


class RefusedError(Exception):
    """A request is refused.

    Args:
        status: The status of the answer.
        message: What happened.
        facts: More facts.

    Attributes:
        error: The answer.
    """

    def __init__(self, status: RPCStatusCode, message: str, **facts: str) -> None:
        super().__init__(message)
        self.error = TerminalError(message, status, facts or None)
