"""A listening HTTP port with one handler behind it.

Law: whatever comes in is answered, or given up within a bounded time; one connection never holds up
another. What is malformed gets a 4xx with a reason and no word in the log.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import zlib
from typing import TYPE_CHECKING, Final

from statefun.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from aiohttp import web

__all__ = ["BodyRoom", "HttpServer", "RefusedError", "answer", "read_body"]

logger = logging.getLogger("statefun.connectors")

_BACKLOG: Final = 1024
_STOP_S: Final = 3.0
_LINGER_S: Final = 10.0
"""So long the rest of a refused body is read, that its sender may read the answer."""
_SMALL_BODY: Final = 64 << 10
_RETRY_AFTER_S: Final = "1"
_WINDOW_BITS: Final = {"gzip": 16 + zlib.MAX_WBITS, "deflate": zlib.MAX_WBITS}
"""Content encoding → what `zlib` calls it."""
_PIECE: Final = 64 << 10


class RefusedError(Exception):
    """A request that is answered with `status` and a reason."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(status, reason)
        self.status = status
        self.reason = reason


class HttpServer:
    """One listening port with one handler behind it.

    Args:
        handle: Answers every request, whatever its method and path.
        host: Where to listen.
        port: Which port; 0 for any free one.
        patience_s: A connection is closed after so many seconds in which no request was complete
            up to its body.

    Attributes:
        host: Where it listens.
        port: The port in use once started; until then the one asked for.
        patience_s: As given.

    Raises:
        ModuleNotFoundError: If aiohttp is not installed.
    """

    def __init__(
        self,
        handle: Callable[[web.Request], Awaitable[web.StreamResponse]],
        host: str,
        port: int,
        *,
        patience_s: float = 60.0,
    ) -> None:
        _require_server()
        self.host = host
        self.port = port
        self.patience_s = patience_s
        self._handle = handle
        self._runner: web.AppRunner | None = None
        self._listening: asyncio.Server | None = None

    async def start(self) -> None:
        """Listen, for as many connections as this process can have.

        Raises:
            ConfigurationError: If the port is taken, or may not be used.
        """
        from aiohttp import web  # noqa: PLC0415 - an optional dependency

        # A middleware, not a route: no path, not even that of OPTIONS or CONNECT, goes past it.
        @web.middleware
        async def everything(
            request: web.Request,
            handler: Callable[[web.Request], Awaitable[web.StreamResponse]],  # noqa: ARG001
        ) -> web.StreamResponse:
            return await self._answer(request)

        _allow_connections()
        app = web.Application(client_max_size=0, middlewares=[everything])
        self._runner = web.AppRunner(app, handle_signals=False, shutdown_timeout=_STOP_S)
        await self._runner.setup()
        try:
            self._listening = await asyncio.get_running_loop().create_server(
                self._protocols(self._runner), self.host, self.port, backlog=_BACKLOG
            )
        except OSError as error:
            reason = os.strerror(error.errno) if error.errno and error.errno > 0 else str(error)
            advice = "stop what uses the port, or choose another one"
            if isinstance(error, socket.gaierror):
                reason, advice = str(error.strerror), "write the name or the address of this host"
            raise ConfigurationError(
                f"cannot listen on {self.host}:{self.port}: {reason}; {advice}"
            ) from error
        self.port = self._listening.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Listen no more; answer what is under way, for a bounded time, and close everything."""
        if self._listening is not None:
            self._listening.close()
            self._listening = None
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    def _protocols(self, runner: web.AppRunner) -> Callable[[], web.RequestHandler]:
        """Makes what speaks HTTP on a connection, and refuses what is none with a sentence."""
        from aiohttp import web  # noqa: PLC0415 - an optional dependency

        class Protocol(web.RequestHandler):
            def handle_error(
                self,
                request: web.BaseRequest,
                status: int = 500,
                exc: BaseException | None = None,
                message: str | None = None,
            ) -> web.StreamResponse:
                if exc is not None and 400 <= status < 500:
                    message = f"the request is no HTTP/1.1 that can be read: {_reason(exc)}"
                return super().handle_error(request, status, exc, message)

        manager = runner.server
        assert manager is not None  # noqa: S101 - it is set up
        loop = asyncio.get_running_loop()
        server_logger = _server_logger()
        return lambda: Protocol(
            manager,
            loop=loop,
            access_log=None,  # type: ignore[arg-type]  # none is written
            auto_decompress=False,  # see `_Packing`, which takes nothing but the whole
            keepalive_timeout=self.patience_s,
            lingering_time=min(_LINGER_S, self.patience_s),
            logger=server_logger,
        )

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        """What the handler answers; or why it refused, or that it is broken."""
        try:
            return await self._handle(request)
        except RefusedError as refused:
            later = {"Retry_After": _RETRY_AFTER_S} if refused.status == 503 else {}
            return answer(refused.status, refused.reason, **later)
        except Exception:
            logger.exception("%s %s could not be answered", request.method, request.raw_path)
            return answer(500, "an unexpected error, see the log of the runtime")


class BodyRoom:
    """How many bytes of bodies that are not complete are kept, for all connections of a server.

    The first `_SMALL_BODY` bytes of a body are always taken, so that senders of long bodies that
    never end hold up nobody who sends short ones.

    Args:
        max_bytes: The most bytes, besides those.
    """

    def __init__(self, max_bytes: int = 256 << 20) -> None:
        self._free_bytes = max_bytes

    def take(self, before: int, after: int) -> None:
        """A body grows from `before` to `after` bytes.

        Raises:
            RefusedError: If there is no room for that; nothing is taken.
        """
        more = _counted(after) - _counted(before)
        if more > self._free_bytes:
            raise RefusedError(
                503, "too many long bodies are being sent at the same time: send again later"
            )
        self._free_bytes -= more

    def give_back(self, size: int) -> None:
        """A body of so many bytes is complete, or given up."""
        self._free_bytes += _counted(size)


def _counted(size: int) -> int:
    return max(0, size - _SMALL_BODY)


async def read_body(
    request: web.Request, max_bytes: int, patience_s: float, room: BodyRoom
) -> bytes:
    """The body of a request, decompressed.

    Args:
        request: The request.
        max_bytes: The longest body that is taken.
        patience_s: How long to wait for the next bytes of it.
        room: For what of it has come.

    Raises:
        RefusedError: If it is longer, is not encoded as it says, or stops coming; or if there is no
            room for it.
    """
    from aiohttp import web_protocol  # noqa: PLC0415 - an optional dependency

    packing = _packing(request)
    if (request.content_length or 0) > max_bytes:
        raise _too_long(max_bytes)
    body = bytearray()
    try:
        is_whole = False
        while not is_whole:
            async with asyncio.timeout(patience_s):
                chunk = await request.content.read(_PIECE)
            is_whole = not chunk
            for piece in packing.unpack(chunk) if packing else (chunk,):
                if len(body) + len(piece) > max_bytes:
                    raise _too_long(max_bytes)
                room.take(len(body), len(body) + len(piece))
                body += piece
        return bytes(body)
    except TimeoutError:
        raise RefusedError(
            408, f"the body stopped coming: {len(body)} bytes, and none for {patience_s:g} s"
        ) from None
    except web_protocol.RequestPayloadError as error:
        reason = _reason(error.__cause__ or error)
        raise RefusedError(400, f"the body is not as its headers say: {reason}") from error
    except ConnectionError as error:  # nobody is left to read this
        raise RefusedError(400, "the body was not sent to its end") from error
    finally:
        room.give_back(len(body))


class _Packing:
    """A body that is compressed, undone piece by piece.

    Source:
        RFC 9110, 8.4.1: `gzip` is that of RFC 1952, which may be several one after another, and
        `deflate` is the zlib format of RFC 1950.
    """

    def __init__(self, coding: str) -> None:
        self._coding = coding
        self._stream = zlib.decompressobj(_WINDOW_BITS[coding])

    def unpack(self, packed: bytes) -> Iterator[bytes]:
        """What more there is, in pieces of `_PIECE` bytes at most.

        Args:
            packed: The next bytes; none at the end of the body.

        Raises:
            RefusedError: If that is not of its encoding, or ends too early.
        """
        if not packed and not self._stream.eof:
            raise self._refused("it ends too early")
        piece = b""
        while packed or (len(piece) == _PIECE and not self._stream.eof):
            if self._stream.eof:
                if self._coding != "gzip":
                    raise self._refused("there is more behind its end")
                self._stream = zlib.decompressobj(_WINDOW_BITS[self._coding])
            try:
                piece = self._stream.decompress(packed, _PIECE)
            except zlib.error as error:
                raise self._refused(str(error).rpartition(": ")[2]) from error
            packed = self._stream.unconsumed_tail or self._stream.unused_data
            yield piece

    def _refused(self, reason: str) -> RefusedError:
        return RefusedError(
            400, f"the body is not the {self._coding} that its Content-Encoding says: {reason}"
        )


def _packing(request: web.Request) -> _Packing | None:
    """How the body of a request is compressed, None if it is not.

    Raises:
        RefusedError: If it is encoded in a way that is not taken.
    """
    transfer = _codings(request, "Transfer-Encoding")
    if transfer not in ("", "chunked"):
        raise RefusedError(
            400,
            f"the transfer encoding {transfer!r} is not taken: send the body chunked or with its "
            "length, and what is compressed with a Content-Encoding",
        )
    coding = _codings(request, "Content-Encoding")
    if coding in ("", "identity"):
        return None
    if coding not in _WINDOW_BITS:
        raise RefusedError(
            415,
            f"the content encoding {coding!r} is not taken: send the body as it is, or once as "
            f"{' or '.join(_WINDOW_BITS)}",
        )
    return _Packing(coding)


def _codings(request: web.Request, header: str) -> str:
    return ", ".join(request.headers.getall(header, [])).strip().lower()


def _allow_connections() -> None:
    """Have the system allow as many open files as it can: each connection is one, often of 1024."""
    try:
        import resource  # noqa: PLC0415 - not on every platform

        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    except (ImportError, OSError, ValueError) as error:
        logger.debug("the limit on open files stays as it is: %s", error)


def _too_long(max_bytes: int) -> RefusedError:
    return RefusedError(413, f"the body has more than {max_bytes} bytes, which is the limit here")


def answer(status: int, reason: str = "", **headers: str) -> web.Response:
    """A plain-text answer; an underscore in a header's name stands for a hyphen."""
    from aiohttp import web  # noqa: PLC0415 - an optional dependency; the server has checked

    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return web.Response(status=status, text=f"{reason}\n" if reason else "", headers=named)


def _server_logger() -> logging.Logger:
    """Where the server says what went wrong; what is no HTTP is a mistake of its sender."""
    server_logger = logging.getLogger("statefun.connectors.server")
    server_logger.addFilter(_is_our_mistake)
    return server_logger


def _is_our_mistake(record: logging.LogRecord) -> bool:
    from aiohttp.http_exceptions import HttpProcessingError  # noqa: PLC0415 - an optional dependency
    from aiohttp.web import RequestPayloadError  # noqa: PLC0415 - likewise

    error = record.exc_info[1] if record.exc_info else None
    if not isinstance(error, HttpProcessingError | RequestPayloadError):
        return True
    logger.debug("refused a request: %s", _reason(error))
    return False


def _reason(error: BaseException) -> str:
    """What an error of the server says, on one line, without the caret that points into it."""
    text = getattr(error, "message", "") or str(error)
    return " ".join(text.split()).removesuffix(" ^")


def _require_server() -> None:
    try:
        import aiohttp  # noqa: F401, PLC0415 - an optional dependency
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "listening for HTTP needs aiohttp: pip install 'statefun[runtime]'"
        ) from error
