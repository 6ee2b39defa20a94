"""Transports: how a batch reaches its function."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from statefun.sdk.address import Address
    from statefun.sdk.functions import StatefulFunctions

from statefun.errors import TransportError
from statefun.sdk.failures import text_of
from statefun.sdk.handler import RequestReplyHandler

__all__ = ["InProcessTransport", "Transport", "broken_off", "cancelled"]


class Transport(Protocol):
    """Carries requests to functions."""

    async def invoke(self, request: bytes) -> bytes:
        """Make one attempt.

        Args:
            request: A serialized ToFunction.

        Returns:
            A serialized FromFunction, unchecked.

        Raises:
            TransportError: If the function could not be reached, or something else than an
                endpoint answered.
            StatefunError: If something else went wrong; the runtime tries again either way.
        """
        ...


class InProcessTransport:
    """Calls functions of this process, through the same bytes as any other transport."""

    def __init__(self, functions: StatefulFunctions) -> None:
        self.invoke = RequestReplyHandler(functions).invoke


def cancelled(address: Address) -> TransportError:
    """Why an attempt failed that was cancelled though nobody outside of the call wanted that.

    Whatever else a function may raise is an `InvocationError` of its handler.
    """
    return TransportError(
        f"the call of {address} was cancelled by its own code: let the function return, or raise "
        "an Exception"
    )


def broken_off(address: Address, error: BaseException) -> TransportError:
    """Why an attempt failed that ended by what no transport should raise."""
    return TransportError(
        f"the call of {address} ended by {text_of(error)}: let its transport raise an Exception"
    )
