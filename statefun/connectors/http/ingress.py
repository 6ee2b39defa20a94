"""The HTTP ingress: `PUT /<namespace>/<type>/<id>` delivers a message.

Law: a message is answered 200 once it is durable, and nothing is kept here that a crash may not
take. With `?wait=10s` the answer is the reply of the function.

Source:
    `io.statefun.playground.v1/ingress` of the Flink StateFun playground, which puts the status into
    a header of the answer; here it is the status of the answer.
"""

from __future__ import annotations

import asyncio
import re
from datetime import timedelta
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote_to_bytes

from statefun.connectors.http.bodies import BodyReader, answer_of
from statefun.connectors.http.queries import parse_duration
from statefun.errors import RequestRefusedError, StatefunError
from statefun.http import Access, HttpServer, Later, Request, Response, ServerLimits
from statefun.http.routes import method_not_allowed
from statefun.ports import IngressMessage
from statefun.sdk.address import Address
from statefun.sdk.functions import registries_of
from statefun.sdk.wire import decode_typed_value

if TYPE_CHECKING:
    from collections.abc import Awaitable, Iterable

    from statefun.ports import Intake
    from statefun.sdk.functions import StatefulFunctions

__all__ = ["HttpIngress"]

_LONGEST_BODY: Final = 32 << 20
_LONGEST_KEY: Final = 255
_BROKEN_ESCAPE: Final = re.compile(r"%(?![0-9A-Fa-f]{2})")
_TAKEN: Final = Response(200)


class HttpIngress:
    """Takes messages in: `PUT /<namespace>/<type>/<id>`, the body being the value's bytes.

    The content type names the type of the value: `application/vnd.<namespace>/<name>`; `text/plain`
    is a string, and `application/json` the JSON type that the function accepts. A body that is not
    of a built-in type, or of a type that the function accepts, is answered 400.

    The answer 200 means that the message is durable. A request that repeats another one with the
    same header `Idempotency-Key` to the same address is answered like that one and not delivered
    again.

    With `?wait=10s` the request waits for the first message that the function sends to its caller,
    and that is the answer: the value's bytes, with its type in the content type, or text or JSON if
    the client asked for it. 504 means that
    none came in time, and 500 that the message was given up; a message that was accepted stays so.

    Args:
        port: Which port; 0 for any free one.
        host: Where to listen.
        access: Who may send; by default whoever is on this machine.
        max_body_bytes: The longest body that is read; functions may take less.
        max_unfinished_bytes: The most bytes of bodies that are not complete, of all clients
            together, besides the first 64 KiB of each.
        idle_timeout: A request that stops coming for so long is given up.
        functions: The functions of this process; what they accept is checked before it is taken in.
    """

    def __init__(
        self,
        port: int,
        host: str = "127.0.0.1",
        *,
        access: Access | None = None,
        max_body_bytes: int = _LONGEST_BODY,
        max_unfinished_bytes: int = 8 * _LONGEST_BODY,
        idle_timeout: timedelta = timedelta(minutes=1),
        functions: StatefulFunctions | Iterable[StatefulFunctions] | None = None,
    ) -> None:
        limits = ServerLimits(
            max_body_bytes=max_body_bytes,
            max_unfinished_bytes=max_unfinished_bytes,
            idle_timeout_s=idle_timeout.total_seconds(),
        )
        self._server = HttpServer(self._handle, host, port, access=access, limits=limits)
        self._bodies = BodyReader(registries_of(functions))
        self._intake: Intake | None = None
        self._waiting: set[asyncio.Task[bytes]] = set()
        self._is_stopping = False

    @property
    def port(self) -> int:
        """The port in use; 0 if any may be taken and it has not started."""
        return self._server.port

    async def start(self, intake: Intake) -> None:
        """Listen; see `Ingress`."""
        self._intake = intake
        await self._server.start()

    def pause(self) -> None:
        """Nothing: clients send when they like, and what is refused is answered 503."""

    def resume(self) -> None:
        """Nothing."""

    async def stop(self) -> None:
        """Listen no more; see `Ingress`. Requests that wait for a reply are answered 503."""
        self._is_stopping = True
        for each in self._waiting:
            each.cancel()
        await self._server.stop()

    def _handle(self, request: Request) -> Response | Later | Awaitable[Response]:
        if request.method not in ("PUT", "POST"):
            return method_not_allowed(request.method, "PUT", "POST")
        target = _parse_target(request.raw_path)
        argument = self._bodies.argument(target, request.header("content-type"), request.body)
        keys = request.header_values("idempotency-key")
        key = _parse_key(keys) if keys else ""
        request.body = b""  # the argument is all that is kept while it is stored
        intake = self._intake
        assert intake is not None  # noqa: S101 - the server listens after `start` only
        message = IngressMessage(target, argument, key)
        if "?" in request.target:
            within = parse_duration(request.query, "wait")
            if within is not None:
                return self._reply(intake, message, within, request)
        try:
            return Later(asyncio.ensure_future(intake.deliver((message,))), _taken)
        except StatefunError as error:
            raise _refused(error) from error

    async def _reply(
        self, intake: Intake, message: IngressMessage, within: timedelta, request: Request
    ) -> Response:
        """The reply of the function as an answer."""
        waiting = asyncio.ensure_future(intake.call(message, within))
        self._waiting.add(waiting)
        try:
            reply = decode_typed_value(await waiting)
        except asyncio.CancelledError:
            if not self._is_stopping:
                waiting.cancel()
                raise
            raise RequestRefusedError(
                503,
                f"the runtime is stopping, and {message.target} has not replied; the message may "
                "have been accepted: send it again with the same Idempotency-Key",
            ) from None
        except StatefunError as error:
            raise RequestRefusedError(error.http_status, str(error)) from error
        finally:
            self._waiting.discard(waiting)
        return answer_of(reply, request)


def _taken(durable: asyncio.Future[None]) -> Response:
    """The answer to a message, once it is known whether it is durable."""
    try:
        durable.result()
    except StatefunError as error:
        raise _refused(error) from error
    return _TAKEN


def _refused(error: StatefunError) -> StatefunError:
    """The error that answers the client; one that is a mistake of the runtime stays as it is."""
    if error.http_status == 500:
        return error
    return RequestRefusedError(error.http_status, str(error))


def _parse_target(raw_path: str) -> Address:
    """The address that a path names; `%2F` is part of a segment, not the end of one."""
    if "%" in raw_path and _BROKEN_ESCAPE.search(raw_path):
        raise RequestRefusedError(
            400, f"the path {raw_path!r} has a '%' without two hex digits: write %25 for a '%'"
        )
    segments = raw_path.removeprefix("/").split("/")
    if len(segments) != 3 or not all(segments):
        raise RequestRefusedError(
            400,
            f"the path {raw_path!r} names no address: expected /<namespace>/<type>/<id>, none of "
            "them empty, with every '/' inside one of them written as %2F",
        )
    try:
        if "%" in raw_path:
            segments = [unquote_to_bytes(segment).decode() for segment in segments]
    except UnicodeError as error:
        raise RequestRefusedError(400, f"the path {raw_path!r} is not UTF-8: {error}") from error
    namespace, name, target_id = segments
    return Address(f"{namespace}/{name}", target_id)


def _parse_key(values: list[str]) -> str:
    """The idempotency key in the values of its header field."""
    key = values[0].strip()
    try:
        is_key = len(values) == 1 and 0 < len(key.encode()) <= _LONGEST_KEY
    except UnicodeError:
        is_key = False
    if not is_key:
        raise RequestRefusedError(
            400,
            f"the header Idempotency-Key is {', '.join(map(repr, values))[:_LONGEST_KEY]}: send it "
            f"once, with 1 to {_LONGEST_KEY} bytes of UTF-8",
        )
    return key
