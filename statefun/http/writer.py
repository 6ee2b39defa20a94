"""The writing half of a connection: responses become bytes.

Law: bytes leave in the order in which they were put, and those that are ready together leave in one
write. A response that is longer than memory goes on only while its client reads, and a client that
reads nothing for too long is sent away.
"""

from __future__ import annotations

import asyncio
import logging
from email.utils import formatdate
from functools import lru_cache
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable

    from statefun.http.messages import Request, Response

__all__ = ["Outlet", "ResponseWriter"]

logger = logging.getLogger("statefun.http")

_NO_BODY: Final = (204, 304)
_NO_CONTROLS: Final = dict.fromkeys((*range(0x20), 0x7F), " ")
"""A line of a head stays one line, whatever is in it."""


class Outlet:
    """What the writers of a server have in common.

    Args:
        write_timeout_s: So long a client may take nothing of its answers, in seconds.

    Attributes:
        tasks: Those that make or send an answer.
        date: The header field `Date`.
        date_until: Until when it is right, by the event loop.
    """

    def __init__(self, write_timeout_s: float) -> None:
        self.write_timeout_s = write_timeout_s
        self.loop = asyncio.get_running_loop()
        self.tasks: set[asyncio.Task[None]] = set()
        self.date = b""
        self.date_until = 0.0

    def renew_date(self, now: float) -> bytes:
        """Make the header field `Date` anew, for a second.

        Args:
            now: The time of the event loop.
        """
        self.date_until = now + 1
        self.date = f"Date: {formatdate(usegmt=True)}\r\n".encode()
        return self.date


class ResponseWriter:
    """Writes the responses of one connection.

    Args:
        outlet: What it shares with other connections.
        complete: Called when a response has left whose `write` was not complete.

    Attributes:
        transport: Where bytes go; set once there is a connection.
        out: Bytes that leave with the next `flush`.
        is_paused: Whether the client does not read.
    """

    __slots__ = (
        *("transport", "out", "is_paused"),
        *("_outlet", "_complete", "_sent", "_stream", "_drained", "_stall_check"),
    )

    def __init__(self, outlet: Outlet, complete: Callable[[], None]) -> None:
        self.transport: asyncio.Transport
        self.out: list[bytes] = []
        self.is_paused = False
        self._outlet = outlet
        self._complete = complete
        self._sent: Callable[[bool], None] | None = None
        self._stream: asyncio.Task[None] | None = None
        self._drained: asyncio.Future[None] | None = None
        self._stall_check: asyncio.TimerHandle | None = None

    # --- responses --------------------------------------------------------------------------------

    def write(self, request: Request, response: Response, now: float, *, is_last: bool) -> bool:
        """Put a response behind the others.

        Args:
            request: What it answers.
            response: The response.
            now: The time of the event loop.
            is_last: Whether the connection is closed behind it.

        Returns:
            Whether it is complete with the next `flush`; if not, `complete` is called later.
        """
        status, body, content_type, headers, stream, sent, _ = response
        is_bare = status in _NO_BODY or request.method == "HEAD"
        head = _head(status, content_type, is_last)
        if headers:
            head += _lines(headers)
        outlet = self._outlet
        date = outlet.date if now < outlet.date_until else outlet.renew_date(now)
        if stream is not None and not is_bare:
            is_chunked = request.version != "1.0"
            framing = b"Transfer-Encoding: chunked\r\n" if is_chunked else b""
            self.out.append(b"%b%b%b\r\n" % (head, date, framing))
            sending = self._send_stream(request, stream, is_chunked=is_chunked)
            self._stream = task = outlet.loop.create_task(sending)
            outlet.tasks.add(task)
            return False
        if status in _NO_BODY:
            self.out.append(b"%b%b\r\n" % (head, date))
        else:
            shown = b"" if is_bare else body
            self.out.append(b"%b%bContent-Length: %d\r\n\r\n%b" % (head, date, len(body), shown))
        return sent is None or self._send(sent)

    def write_last(self, response: Response, *, can_end: bool) -> bool:
        """Put the response to a request that was refused before it was complete.

        Args:
            response: The response.
            can_end: Whether the client may be told at once that nothing comes behind it.

        Returns:
            Whether it was told. The rest of its request has to be read then: to close a socket
            with unread bytes would take the answer from its reader.
        """
        head = _head(response.status, response.content_type, is_last=True)
        head += _lines(response.headers)
        date = self._outlet.renew_date(self._outlet.loop.time())
        length = b"Content-Length: %d\r\n\r\n" % len(response.body)
        self.out += (head, date, length, response.body)
        if not (can_end and self.transport.can_write_eof()):
            return False
        self.flush()
        self.transport.write_eof()
        return True

    def flush(self) -> None:
        """Write out everything that was put."""
        out, self.out = self.out, []
        transport = self.transport
        if not transport.is_closing():
            transport.write(out[0] if len(out) == 1 else b"".join(out))

    # --- the client -------------------------------------------------------------------------------

    def pause(self) -> None:
        """The client does not read: go on when it does."""
        self.is_paused = True
        self._watch_stall()

    def resume(self) -> None:
        """The client reads again."""
        self.is_paused = False
        if self._stall_check is not None:
            self._stall_check.cancel()
            self._stall_check = None
        self._tell_drained()
        if self._sent is not None:
            self._take_sent(self._sent)(True)  # noqa: FBT003 - its only argument
            self._complete()

    def close(self) -> None:
        """The connection is closed: stop the response that is on its way."""
        if self._stall_check is not None:
            self._stall_check.cancel()
        if self._stream is not None:
            self._stream.cancel()
        sent, self._sent = self._sent, None
        if sent is not None:
            sent(False)  # noqa: FBT003 - its only argument
        self.is_paused = False
        self._tell_drained()

    # --- parts ------------------------------------------------------------------------------------

    def _send(self, sent: Callable[[bool], None]) -> bool:
        """Write a response of which somebody wants to know when its last byte has left."""
        transport = self.transport
        self._sent = sent
        transport.set_write_buffer_limits(high=0)
        self.flush()
        if self._sent is None:  # over TLS, `resume` may have been called by the write
            return True
        if transport.is_closing() or transport.get_write_buffer_size():
            return False
        self._take_sent(sent)(True)  # noqa: FBT003 - its only argument
        return True

    def _take_sent(self, sent: Callable[[bool], None]) -> Callable[[bool], None]:
        self._sent = None
        self.transport.set_write_buffer_limits()
        return sent

    async def _send_stream(
        self, request: Request, stream: AsyncIterator[bytes], *, is_chunked: bool
    ) -> None:
        transport = self.transport
        try:
            async for piece in stream:
                if piece:
                    framed = b"%x\r\n%b\r\n" % (len(piece), piece) if is_chunked else piece
                    transport.write(framed)
                    await self._drain()
            if is_chunked:
                self.out.append(b"0\r\n\r\n")
        except asyncio.CancelledError:
            transport.abort()
            raise
        except Exception:
            logger.exception("the answer to %s %s broke off", request.method, request.target)
            transport.abort()  # so the client knows that the answer is not complete
        finally:
            if self._stream is not None:
                self._outlet.tasks.discard(self._stream)
                self._stream = None
            if hasattr(stream, "aclose"):
                await stream.aclose()
        self._complete()

    async def _drain(self) -> None:
        if self.is_paused:
            self._drained = self._outlet.loop.create_future()
            await self._drained

    def _tell_drained(self) -> None:
        drained, self._drained = self._drained, None
        if drained is not None and not drained.done():
            drained.set_result(None)

    def _watch_stall(self, before: int | None = None) -> None:
        """Send away a client that takes nothing of its answers for too long."""
        size = self.transport.get_write_buffer_size()
        if before is not None and size >= before:
            self.transport.abort()
            return
        timeout_s = self._outlet.write_timeout_s
        self._stall_check = self._outlet.loop.call_later(timeout_s, self._watch_stall, size)


@lru_cache(maxsize=256)
def _head(status: int, content_type: str, is_last: bool) -> bytes:  # noqa: FBT001
    """The head of a response, up to the fields that are not always the same."""
    fields = [("Content-Type", content_type)] if content_type else []
    if is_last:
        fields.append(("Connection", "close"))
    return f"HTTP/1.1 {status} {_phrase(status)}\r\n".encode() + _lines(fields)


def _lines(fields: Iterable[tuple[str, str]]) -> bytes:
    """Fields of a head, each in a line of its own."""
    lines = [f"{name}: {value}" for name, value in fields]
    clean = [line if line.isprintable() else line.translate(_NO_CONTROLS) for line in lines]
    return "\r\n".join([*clean, ""]).encode("latin-1", errors="replace")


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""
