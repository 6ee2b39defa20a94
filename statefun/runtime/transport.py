"""Transports: how a batch reaches its function."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from statefun.sdk.address import Address
    from statefun.sdk.functions import StatefulFunctions

from statefun.errors import TransportError
from statefun.sdk.handler import RequestReplyHandler

__all__ = ["InProcessTransport", "Transport", "attempt_error"]


class Transport(Protocol):
    """Carries requests to functions."""

    async def invoke(self, request: bytes) -> bytes:
        """Make one attempt.

        Args:
            request: A serialized ToFunction.

        Returns:
            A serialized FromFunction, unchecked.

        Raises:
            TransportError: If the function could not be reached, or what answered was no endpoint.
            StatefunError: What else went wrong; the runtime tries again either way.
        """
        ...


class InProcessTransport:
    """Calls functions of this process, through the same bytes as any other transport."""

    def __init__(self, functions: StatefulFunctions) -> None:
        self.invoke = RequestReplyHandler(functions).handle_async


def attempt_error(address: Address, error: BaseException) -> Exception:
    """What ended an attempt, as an error after which it is made again.

    Args:
        address: Whom the attempt was for.
        error: What came out of it; an `Exception` is returned as it is.
    """
    if isinstance(error, Exception):
        return error
    failure = TransportError(
        f"the call of {address} was ended by its own code, which raised {error!r}: "
        "let the function return, or raise an Exception"
    )
    failure.__cause__ = error
    return failure
