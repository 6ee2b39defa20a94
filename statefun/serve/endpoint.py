"""An endpoint: functions behind a path, and what they answer over HTTP, whoever carries it.

Law: 200 is an answer; 405 another method, 404 another path, 400 a body that is no ToFunction; all
else is 5xx, because one transport of the engine gives up for good on a 4xx.
"""

from __future__ import annotations

import logging
import signal
from typing import TYPE_CHECKING, TypeAlias

from statefun.errors import ConfigurationError, InvocationError, RemoteProtocolError
from statefun.http.messages import Response, text_response
from statefun.sdk.address import Address
from statefun.sdk.functions import StatefulFunctions
from statefun.sdk.handler import RequestReplyHandler
from statefun.sdk.wire import split_request

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from statefun.http.messages import Request
    from statefun.loading import Functions

    Body: TypeAlias = bytes | bytearray | memoryview

__all__ = ["HEALTH_PATH", "Endpoint"]

HEALTH_PATH = "/health"

_OCTETS = "application/octet-stream"  # the engine compares the whole header: no parameters
_LONGEST_REASON = 2000

logger = logging.getLogger("statefun.serve")


_HEALTHY = text_response(200, "ok")


class Endpoint:
    """Functions that can be called over HTTP.

    Args:
        functions: What can be called.
        path: The only path that is answered; None for any. Another path is answered with 404, but
            for `GET /health`, which is 200 as long as the process serves.

    Raises:
        ConfigurationError: If there is nothing to call, or the path does not begin with `/`.
    """

    def __init__(self, functions: Functions, path: str | None = None) -> None:
        if path is not None and not path.startswith("/"):
            raise ConfigurationError(
                f"the path {path!r} does not begin with '/': write {'/' + path!r}"
            )
        self.handler = _handler(functions)
        self.path = path

    @property
    def typenames(self) -> tuple[str, ...]:
        """The typenames that have a function."""
        return self.handler.functions.typenames

    def handle(self, request: Request) -> Awaitable[Response]:
        """Answer a request; a `Handler` for an `HttpServer`."""
        return self.answer(request.method, request.path, request.body)

    async def answer(self, method: str, path: str, body: Body) -> Response:
        """Answer a request.

        Args:
            method: In capitals.
            path: Percent-decoded, without the query.
            body: The whole body.
        """
        if method == "POST" and (self.path is None or path == self.path):
            try:
                return Response(200, await self.handler.handle_async(body), _OCTETS)
            except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 - logged and answered
                return _failure(error, body)
        return self._refusal(method, path)

    def answer_sync(self, method: str, path: str, body: Body) -> Response:
        """Like `answer`, from a thread without an event loop."""
        if method == "POST" and (self.path is None or path == self.path):
            try:
                return Response(200, self.handler.handle_sync(body), _OCTETS)
            except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 - logged and answered
                return _failure(error, body)
        return self._refusal(method, path)

    def _refusal(self, method: str, path: str) -> Response:
        if path == HEALTH_PATH and method in ("GET", "HEAD"):
            return _HEALTHY
        if self.path is not None and path != self.path:
            reason = f"nothing is served at {path!r}: POST to {self.path!r}"
            return text_response(404, _line(reason))
        return text_response(405, f"{method} is not served: POST a ToFunction", Allow="POST")


def _handler(functions: object) -> RequestReplyHandler:
    if isinstance(functions, RequestReplyHandler):
        return functions
    if isinstance(functions, StatefulFunctions):
        return RequestReplyHandler(functions)
    raise ConfigurationError(
        f"a {type(functions).__name__} cannot be served: pass the StatefulFunctions that the "
        "functions are bound to, or a RequestReplyHandler of them"
    )


def _failure(error: BaseException, body: Body) -> Response:
    """Log why a request failed, and say it to whoever asked.

    An interrupt is passed on to the process, which stops as if it had come from a terminal.
    """
    if isinstance(error, RemoteProtocolError):
        logger.warning("a request was refused: %s", error, extra={"address": None})
        return text_response(error.http_status, _line(str(error)))
    address = _address_in(body)
    reason = str(error)
    if not isinstance(error, InvocationError):
        reason = f"{address} failed: {type(error).__name__}: {reason}"
    logger.error("%s", reason, exc_info=error, extra={"address": str(address)})
    if isinstance(error, KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)
    return text_response(500, _line(reason))


def _address_in(body: Body) -> Address:
    batch = split_request(body)
    return Address(batch.typename, batch.target_id)


def _line(reason: str) -> str:
    text = " ".join(reason.split())
    return f"{text[:_LONGEST_REASON]}…" if len(text) > _LONGEST_REASON else text
