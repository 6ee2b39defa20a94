"""An endpoint: functions behind a path, and their answers over HTTP, for every adapter.

Functions that are services tell what they are at `GET <path>/services`.

Law: 200 is an answer; 405 another method, 404 another path, 400 a body that is not a ToFunction;
all else is 5xx, because one transport of the engine gives up for good on a 4xx.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, TypeAlias

from statefun.errors import (
    ConfigurationError,
    DoNotRetryError,
    InvocationError,
    RequestRefusedError,
    StatefunError,
    UnknownFunctionError,
    UnreadableValueError,
)
from statefun.http.bodies import decompressed
from statefun.http.limits import ServerLimits
from statefun.http.messages import Response, refusal, text_response
from statefun.logs import ShortTracebacks
from statefun.sdk.address import Address, log_facts
from statefun.sdk.failures import brief, failure_of, places_of, text_of
from statefun.sdk.functions import StatefulFunctions
from statefun.sdk.handler import RequestReplyHandler

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from statefun.http.messages import Request
    from statefun.loading import Functions

    Body: TypeAlias = bytes | bytearray | memoryview

__all__ = ["HEALTH_PATH", "OCTETS", "SERVICES_PATH", "UNREADABLE", "FunctionEndpoint"]

HEALTH_PATH = "/health"
SERVICES_PATH = "/services"
UNREADABLE = "unreadable-value"
"""The header `Statefun-Failure` of an answer says so if a stored value cannot be read."""
DO_NOT_RETRY = "do-not-retry"
"""Likewise if a function raised a `DoNotRetryError`."""

OCTETS = "application/octet-stream"  # the engine compares the whole header: no parameters
_LONGEST_REASON = 2000

logger = logging.getLogger("statefun.serve")
logger.addFilter(ShortTracebacks())


_HEALTHY = text_response(200, "ok")


class FunctionEndpoint:
    """Functions that can be called over HTTP.

    Args:
        functions: The functions to serve.
        path: The only path that is answered; None for any. Another path is answered with 404, but
            for `GET /health`, which is 200 as long as the process serves.

    Attributes:
        max_decompressed_bytes: A compressed body may stand for so many bytes, whatever carries it.

    Raises:
        ConfigurationError: If there is nothing to call, or the path does not begin with `/`.
    """

    max_decompressed_bytes = ServerLimits().max_decompressed_bytes

    def __init__(self, functions: Functions, path: str | None = None) -> None:
        if path is not None and not path.startswith("/"):
            raise ConfigurationError(
                f"the path {path!r} does not begin with '/': write {'/' + path!r}",
                option="path",
                given=path,
            )
        self.handler = _handler(functions)
        self.path = path
        self._tells_services = getattr(self.handler.functions, "services_json", None)

    @property
    def typenames(self) -> tuple[str, ...]:
        """The typenames that have a function."""
        return self.handler.functions.typenames

    def handle(self, request: Request) -> Awaitable[Response]:
        """Answer a request; a `Handler` for an `HttpServer`."""
        target = request.target
        path = target if target == self.path else request.path
        return self.answer(request.method, path, request.body)

    async def answer(self, method: str, path: str, body: Body, coding: str = "") -> Response:
        """Answer a request.

        Args:
            method: In capitals.
            path: Percent-decoded, without the query.
            body: The whole body, as it came.
            coding: The header field `Content-Encoding`, if the body is still compressed.
        """
        if method == "POST" and (self.path is None or path == self.path):
            try:
                if coding:
                    body = decompressed(bytes(body), coding, self.max_decompressed_bytes)
                return Response(200, await self.handler.handle_async(body), OCTETS)
            except BaseException as raised:
                error = failure_of(raised) or raised
                if isinstance(error, RequestRefusedError):
                    return refusal(error)
                if not isinstance(error, Exception):
                    raise
                if error is not raised:
                    error.__cause__ = raised
                return _failure(error)
        return self._refusal(method, path)

    def answer_sync(self, method: str, path: str, body: Body, coding: str = "") -> Response:
        """Like `answer`, from code that is not async; see `RequestReplyHandler.handle_sync`."""
        if method == "POST" and (self.path is None or path == self.path):
            try:
                if coding:
                    body = decompressed(bytes(body), coding, self.max_decompressed_bytes)
                return Response(200, self.handler.invoke_sync(body), OCTETS)
            except RequestRefusedError as error:
                return refusal(error)
            except Exception as error:  # noqa: BLE001 - logged and answered
                return _failure(error)
        return self._refusal(method, path)

    def _refusal(self, method: str, path: str) -> Response:
        if path == HEALTH_PATH and method in ("GET", "HEAD"):
            return _HEALTHY
        if self._tells_services is not None and path == f"{self.path or ''}{SERVICES_PATH}":
            if method in ("GET", "HEAD"):
                return Response(200, self._tells_services(), "application/json")
            return text_response(405, f"{method} is not served: use GET", Allow="GET, HEAD")
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
        "functions are bound to, or a RequestReplyHandler of them",
        option="functions",
        given=repr(functions),
    )


def _failure(error: Exception) -> Response:
    """Log why a request failed, and tell the sender."""
    status = _status_of(error)
    if status < 500:
        logger.warning("a request was refused: %s", brief(str(error)))
        return text_response(status, _line(str(error)))
    reason, facts = text_of(error), {}
    if isinstance(error, InvocationError):
        reason, facts = str(error), log_facts(error.address)
    elif isinstance(error, UnknownFunctionError):
        address = Address(error.typename, error.target_id or "")
        reason, facts = f"{address} failed: {reason}", log_facts(address)
    logger.error("%s", brief(reason), exc_info=error, extra=facts)
    headers = {}
    for place in places_of(error)[-1:]:
        headers["Statefun_At"] = place.encode("ascii", "backslashreplace").decode()
    if isinstance(error.__cause__, UnreadableValueError):
        headers["Statefun_Failure"] = UNREADABLE
    elif isinstance(error.__cause__, DoNotRetryError):
        headers["Statefun_Failure"] = DO_NOT_RETRY
    return text_response(status, _line(reason), **headers)


def _status_of(error: Exception) -> int:
    """The status by which the engine goes on trying as long as that may help.

    One of its transports gives up for good on a 4xx.
    """
    if isinstance(error, StatefunError) and not (error.is_retryable and error.http_status < 500):
        return error.http_status
    return 500


def _line(reason: str) -> str:
    text = " ".join(reason.split())
    return f"{text[:_LONGEST_REASON]}…" if len(text) > _LONGEST_REASON else text
