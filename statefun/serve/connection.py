"""A connection: HTTP/1.1 between uvicorn's sockets and an endpoint, without ASGI in between.

`statefun serve` runs on uvicorn's server, uvloop and httptools' parser. Of what a small request
costs there, half is ASGI: a scope, four events and two writes a request. Nothing here needs them,
so uvicorn is given this protocol as its `http` class; served as an ASGI application, the endpoint
behaves the same and takes about twice the CPU time.

Law: the requests of a connection are answered one at a time, in the order in which they came.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from functools import lru_cache
from http import HTTPStatus
from typing import TYPE_CHECKING, TypeAlias
from urllib.parse import unquote

import httptools

from statefun.serve.endpoint import Answer

if TYPE_CHECKING:
    from typing import Any

    from uvicorn import Config
    from uvicorn.server import ServerState

    from statefun.serve.endpoint import Endpoint

    # A request that came in completely: method, target, body, and whether another may follow.
    Request: TypeAlias = tuple[str, bytes, bytes, bool]

__all__ = ["Connection"]

# Longer than the engine keeps a connection it does not use, so that it is the one to close it.
_IDLE_SECONDS = 120.0

_LONGEST_HEAD = 65_536

_NO_HTTP = Answer(400, "text/plain; charset=utf-8", b"this is not HTTP/1.1\n")
_LONG_HEAD = Answer(
    431,
    "text/plain; charset=utf-8",
    b"the head of this request is longer than %d bytes\n" % _LONGEST_HEAD,
)

logger = logging.getLogger("statefun.serve")


class Connection(asyncio.Protocol):
    """One connection of a client; made by uvicorn, which passes its own state."""

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],  # noqa: ARG002 - uvicorn's signature
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        self._endpoint: Endpoint = config.loaded_app  # the `app` it was given
        self._server = server_state
        self._loop = _loop or asyncio.get_running_loop()
        self._parser = httptools.HttpRequestParser(self)
        self._transport: asyncio.Transport
        self._url = b""
        self._pieces: list[bytes] = []
        self._expects_continue = False
        self._framing = b""
        self._has_head = False
        self._head_bytes: int | None = None
        self._waiting: deque[Request] = deque()
        self._task: asyncio.Task[None] | None = None
        self._is_ending = False
        self._heard_at = self._loop.time()
        self._idle_check: asyncio.TimerHandle | None = None

    # --- what asyncio and uvicorn call ------------------------------------------------------------

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take note of a new connection."""
        self._transport = transport
        self._server.connections.add(self)  # type: ignore[arg-type]  # one of uvicorn's own
        self._idle_check = self._loop.call_later(_IDLE_SECONDS, self._end_if_idle)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        """Forget the connection; a batch that is running runs to its end, as the engine expects."""
        self._server.connections.discard(self)
        self._waiting.clear()
        if self._idle_check is not None:
            self._idle_check.cancel()

    def data_received(self, data: bytes) -> None:
        """Parse what came; each request that is complete is answered or waits for its turn."""
        self._heard_at = self._loop.time()
        while data:
            try:
                self._parser.feed_data(data)
                break
            except httptools.HttpParserUpgrade as upgrade:
                data = self._without_offer() + data[upgrade.args[0] :]
            except httptools.HttpParserError as error:
                logger.warning("a client sent what is not HTTP/1.1: %s", error)
                self._refuse(_NO_HTTP)
                break
        if self._url and not self._has_head:
            self._watch_head(len(data))

    def _watch_head(self, size: int) -> None:
        """Count what came of a head that is not complete; what it began in may hold others."""
        self._head_bytes = 0 if self._head_bytes is None else self._head_bytes + size
        if self._head_bytes > _LONGEST_HEAD and not self._is_ending:
            self._refuse(_LONG_HEAD)

    def eof_received(self) -> bool:
        """The client sends no more: answer what runs, then close."""
        self._is_ending = self._task is not None
        return self._is_ending

    def _refuse(self, answer: Answer) -> None:
        """Take nothing more from a client; say why, if that is not taken for another answer."""
        self._is_ending = True
        if self._task is None:
            self._write(answer, has_body=True)
        else:
            self._transport.pause_reading()

    def pause_writing(self) -> None:
        """Take nothing more from a client that does not read its answers."""
        self._transport.pause_reading()

    def resume_writing(self) -> None:
        """Go on with a client that reads again."""
        self._transport.resume_reading()

    def shutdown(self) -> None:
        """The server stops: close, after the answer that is being made."""
        self._is_ending = True
        if self._task is None and not self._url:
            self._transport.close()

    # --- what the parser calls --------------------------------------------------------------------

    def on_url(self, url: bytes) -> None:
        """A piece of the request's target."""
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """Only three fields are looked at; the parser itself knows those that frame the body."""
        size = len(name)
        if (size == 14 and name.lower() == b"content-length") or (
            size == 17 and name.lower() == b"transfer-encoding"
        ):
            self._framing = b"%b: %b\r\n" % (name, value)
        elif size == 6 and name.lower() == b"expect":
            self._expects_continue = value.lower() == b"100-continue"

    def on_headers_complete(self) -> None:
        """Ask for a body that is held back until somebody asks."""
        self._has_head = True
        if self._expects_continue and self._task is None:
            self._ask_for_body()

    def _ask_for_body(self) -> None:
        """To be called when the answer before is written, or it would be taken for that one."""
        self._expects_continue = False
        if self._parser.get_http_version() != "1.0" and not self._pieces:
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def on_body(self, piece: bytes) -> None:
        """A piece of the request's body."""
        self._pieces.append(piece)

    def on_message_complete(self) -> None:
        """The request is complete, or would be if the client's offer to upgrade were accepted."""
        if not self._parser.should_upgrade():
            self._take_request()

    def _without_offer(self) -> bytes:
        """The head of a request without its offer of another protocol, for another parser.

        The offer is declined by answering as if it had not been made (Java's client makes one with
        every request); the parser takes what follows for that protocol, but it is the body.
        """
        before, self._parser = self._parser, httptools.HttpRequestParser(self)
        method, url, framing = before.get_method(), self._url, self._framing
        if method == b"CONNECT":  # an offer by itself, and without a body
            self._take_request(before)
            return b""
        self._url = self._framing = b""
        return b"%b %b HTTP/%b\r\n%b%b\r\n" % (
            method,
            url,
            before.get_http_version().encode(),
            b"" if before.should_keep_alive() else b"Connection: close\r\n",
            framing,
        )

    def _take_request(self, parser: httptools.HttpRequestParser | None = None) -> None:
        """Answer the request, now or in its turn."""
        parser, pieces = parser or self._parser, self._pieces
        request = (
            parser.get_method().decode("latin-1"),
            self._url,
            pieces[0] if len(pieces) == 1 else b"".join(pieces),
            parser.should_keep_alive() and parser.get_http_version() != "1.0",
        )
        self._url = self._framing = b""
        self._has_head = self._expects_continue = False
        self._head_bytes = None
        self._pieces = []
        if self._task is None:
            self._start(request)
        elif not self._is_ending:
            self._waiting.append(request)
            self._transport.pause_reading()

    # --- answering --------------------------------------------------------------------------------

    def _start(self, request: Request) -> None:
        self._task = task = self._loop.create_task(self._respond(*request))
        self._server.tasks.add(task)  # uvicorn cancels what is there when its patience ends

    async def _respond(self, method: str, target: bytes, body: bytes, keeps_alive: bool) -> None:  # noqa: FBT001
        try:
            answer = await self._endpoint.answer(method, self._path(target), body)
        finally:
            if self._task is not None:
                self._server.tasks.discard(self._task)
            self._task = None
        if not keeps_alive:
            self._is_ending = True
        self._write(answer, has_body=method != "HEAD")
        if self._waiting and not self._is_ending:
            self._start(self._waiting.popleft())
            if not self._waiting:
                self._transport.resume_reading()
        elif self._expects_continue and self._has_head:
            self._ask_for_body()

    def _path(self, target: bytes) -> str:
        """The path in a request's target."""
        text = target.decode("latin-1")
        return text if text == self._endpoint.path else unquote(_bare_path(text))

    def _write(self, answer: Answer, *, has_body: bool) -> None:
        """Send an answer; the last one closes the connection."""
        self._heard_at = self._loop.time()
        if self._transport.is_closing():
            return
        body = answer.body
        self._transport.write(
            b"%b%d\r\n\r\n%b"
            % (
                _head(answer.status, answer.content_type, tuple(self._server.default_headers)),
                len(body),
                body if has_body else b"",
            )
        )
        if self._is_ending:
            self._transport.close()

    def _end_if_idle(self) -> None:
        """Close a connection on which nothing has happened for long; else look again later."""
        left = self._heard_at + _IDLE_SECONDS - self._loop.time()
        if self._task is None and left <= 0:
            self._transport.close()
        else:
            delay = left if left > 0 else _IDLE_SECONDS
            self._idle_check = self._loop.call_later(delay, self._end_if_idle)


def _bare_path(target: str) -> str:
    """The path in a request's target, without the host (proxies write one), query and fragment."""
    path = target.partition("?")[0].partition("#")[0]
    if path.startswith("/"):
        return path
    return f"/{path.partition('://')[2].partition('/')[2]}"


@lru_cache(maxsize=64)
def _head(status: int, content_type: str, more: tuple[tuple[bytes, bytes], ...]) -> bytes:
    """The head of an answer, up to the number in its Content-Length."""
    lines = [f"HTTP/1.1 {status} {HTTPStatus(status).phrase}".encode()]
    lines += [
        f"{name}: {value}".encode() for name, value in Answer(status, content_type, b"").headers
    ]
    lines += [b"%b: %b" % field for field in more]
    return b"\r\n".join([*lines, b"Content-Length: "])
