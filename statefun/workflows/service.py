"""How a request to the service fails: a status, and a sentence."""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING, Any

from statefun.workflows.exceptions import TemporalError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["RPCError", "RPCStatusCode"]


class RPCStatusCode(IntEnum):
    """The status of a request, with the names and numbers of gRPC."""

    OK = 0
    CANCELLED = 1
    UNKNOWN = 2
    INVALID_ARGUMENT = 3
    DEADLINE_EXCEEDED = 4
    NOT_FOUND = 5
    ALREADY_EXISTS = 6
    PERMISSION_DENIED = 7
    RESOURCE_EXHAUSTED = 8
    FAILED_PRECONDITION = 9
    ABORTED = 10
    OUT_OF_RANGE = 11
    UNIMPLEMENTED = 12
    INTERNAL = 13
    UNAVAILABLE = 14
    DATA_LOSS = 15
    UNAUTHENTICATED = 16


class RPCError(TemporalError):
    """A request was refused, or could not be made.

    Args:
        message: What happened.
        status: The status.
        raw_grpc_status: Bytes of a status of gRPC; always empty here.
        facts: More facts, such as the run that is in the way.

    Attributes:
        facts: More facts.
    """

    def __init__(
        self,
        message: str,
        status: RPCStatusCode,
        raw_grpc_status: bytes = b"",
        facts: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.facts = dict(facts or {})
        self._message = message
        self._status = status
        self._raw = raw_grpc_status

    @property
    def message(self) -> str:
        """What happened."""
        return self._message

    @property
    def status(self) -> RPCStatusCode:
        """The status."""
        return self._status

    @property
    def raw_grpc_status(self) -> bytes:
        """Bytes of a status of gRPC; always empty here."""
        return self._raw

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self._message, self._status, self._raw, self.facts)
