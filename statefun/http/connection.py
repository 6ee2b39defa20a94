"""A connection: HTTP/1.1 between a socket and a handler.

It is written by hand, on the parser of httptools (llhttp). Measured with small requests, half of
the CPU time of an ASGI server goes into its scope, events and writes, and two thirds of that of
aiohttp's server into its router, request objects and tasks. A durable answer costs about as much as
its HTTP: the server is half of the runtime's speed.

Law: the requests of a connection are answered one at a time, in the order in which they came. What
a handler returns at once is written at once, without a task, and handlers that are coroutines share
one until they wait. Answers that become ready together are written together. Whoever sends nonsense
is told why, behind the answers before it, and leaves no word in the log.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from typing import TYPE_CHECKING, Any, Final

from statefun.errors import RequestRefusedError
from statefun.http.messages import Later, Request, Response, refusal, text_response
from statefun.http.reader import Intake, RequestReader
from statefun.http.writer import Outlet, ResponseWriter
from statefun.tasks import SharedTasks

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from statefun.http.access import Access
    from statefun.http.limits import ServerLimits
    from statefun.http.messages import Handler

__all__ = ["Connection", "Connections"]

logger = logging.getLogger("statefun.http")

_LINGER_S: Final = 10.0
"""So long the rest of a refused request is read and dropped: its sender has to read the answer."""
_CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"


class Connections:
    """What the connections of a server have in common.

    Args:
        handler: Answers the requests.
        access: Who may ask.
        limits: How much a client may ask for.
        upgrades: The protocols that the handler may switch to, in lower case.
        refuse: Makes the answer to a request that is refused.

    Attributes:
        open: All connections.
        tasks: The tasks that make or send an answer, and wait.
        answers: Runs the handlers that are coroutines.
        all_closed: Set whenever the last connection is closed.
    """

    def __init__(
        self,
        handler: Handler,
        access: Access,
        limits: ServerLimits,
        upgrades: frozenset[str],
        refuse: Callable[[RequestRefusedError], Response] = refusal,
    ) -> None:
        self.handler = handler
        self.refuse = refuse
        self.limits = limits
        self.intake = Intake(access, limits, upgrades)
        self.outlet = Outlet(limits.write_timeout_s)
        self.loop = self.outlet.loop
        self.tasks = self.outlet.tasks
        self.answers = SharedTasks("the answer to", self.tasks)
        self.open: set[Connection] = set()
        self.all_closed = asyncio.Event()
        self.all_closed.set()


class Connection(asyncio.Protocol):
    """One connection of a client.

    It takes the requests that its reader makes of bytes, one after another, and gives the responses
    to its writer, which makes bytes of them.
    """

    __slots__ = (
        *("_shared", "_loop", "_reader", "_writer", "_transport", "_is_tls"),
        *("_current", "_waiting", "_respond"),
        *("_is_ending", "_is_deaf", "_is_eof", "_is_over", "_is_reading"),
        *("_active_at", "_idle_check", "_linger_check"),
    )

    def __init__(self, shared: Connections) -> None:
        self._shared = shared
        self._loop = shared.loop
        self._reader = RequestReader(shared.intake, self, self._take, shared.loop.time)
        self._writer = ResponseWriter(shared.outlet, self._complete)
        self._transport: asyncio.Transport
        self._is_tls = False
        self._current: Request | None = None  # the one that is being answered
        self._waiting: deque[Request | Response] = deque()
        self._respond: Callable[[asyncio.Future[Any]], Response] | None = None
        self._is_ending = False  # to be closed behind the last answer
        self._is_deaf = False  # nothing more is read
        self._is_eof = False
        self._is_over = False
        self._is_reading = True
        self._active_at = self._loop.time()
        self._idle_check: asyncio.TimerHandle | None = None
        self._linger_check: asyncio.TimerHandle | None = None

    # --- what the event loop calls ----------------------------------------------------------------

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin; a connection too many is told so."""
        shared = self._shared
        self._transport = self._writer.transport = transport
        self._is_tls = transport.get_extra_info("sslcontext") is not None
        is_one_too_many = len(shared.open) >= shared.limits.max_connections
        shared.open.add(self)
        shared.all_closed.clear()
        self._idle_check = self._loop.call_later(shared.limits.idle_timeout_s, self._end_if_idle)
        if is_one_too_many:
            self._is_eof = True  # do not wait until it has been told
            self._refuse(
                RequestRefusedError(503, "too many connections are open: come again later")
            )
            self._advance()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        """Forget the connection; a handler that is running runs to its end."""
        shared = self._shared
        shared.open.discard(self)
        if not shared.open:
            shared.all_closed.set()
        self._is_over = self._is_deaf = True
        self._waiting.clear()
        self._reader.close()
        for timer in (self._idle_check, self._linger_check):
            if timer is not None:
                timer.cancel()
        self._writer.close()

    def data_received(self, data: bytes) -> None:
        """Read bytes; each request that is complete is answered, or waits for its turn."""
        if self._is_deaf:
            return
        try:
            self._reader.feed(data)
        except RequestRefusedError as error:
            self._refuse(error)
        has_answers = self._waiting or self._writer.out
        if self._current is None or has_answers or self._reader.rest is not None:
            self._advance()

    def eof_received(self) -> bool:
        """The client sends no more: answer the requests that have come, then close."""
        self._is_eof = True
        if self._current is None or self._is_tls:
            return False
        self._is_deaf = True
        return True

    def pause_writing(self) -> None:
        """Take nothing more from a client that does not read its answers."""
        self._writer.pause()
        self._set_reading()

    def resume_writing(self) -> None:
        """Go on with a client that reads again."""
        self._writer.resume()
        self._set_reading()

    # --- what requests and the server ask for -----------------------------------------------------

    @property
    def has_left(self) -> bool:
        """Whether the client hung up, or sends no more."""
        return self._is_eof or self._is_over or self._transport.is_closing()

    def extra_info(self, name: str) -> Any:
        """A fact about the connection; see `asyncio.BaseTransport.get_extra_info`."""
        return self._transport.get_extra_info(name)

    def shutdown(self) -> None:
        """Close, behind the answers to what has begun."""
        self._is_ending = True
        if self._linger_check is not None:
            self._transport.close()
        self._advance()

    def abort(self) -> None:
        """Close at once."""
        self._transport.abort()

    # --- turns ------------------------------------------------------------------------------------

    def _take(self, request: Request) -> None:
        """Answer a request that has come, now or in its turn."""
        if self._is_deaf:  # it came behind the last one
            return
        if not request.keeps_alive:
            self._is_deaf = self._is_ending = True
        if self._current is None and not self._waiting:
            self._handle(request)
        else:
            self._waiting.append(request)

    def _refuse(self, error: RequestRefusedError) -> None:
        """Take nothing more from a client; say why in its turn."""
        if not self._is_deaf:
            logger.debug("refused a request: %s", error)
            self._is_deaf = self._is_ending = True
            self._waiting.append(self._shared.refuse(error))

    def _advance(self) -> None:
        """Do everything that can be done now, and write its answers together."""
        writer, reader = self._writer, self._reader
        while self._waiting and self._current is None and not self._is_over:
            after = self._waiting.popleft()
            if isinstance(after, Request):
                self._handle(after)
            else:
                self._write_refusal(after)
        if self._is_over:
            return
        if self._current is None:
            if reader.wants_continue and not self._is_deaf:
                reader.wants_continue = False
                writer.out.append(_CONTINUE)
            if writer.out:
                writer.flush()
            if self._is_ending or self._is_eof:
                self._end()
        elif writer.out:
            writer.flush()
        has_to_wait = writer.is_paused or self._waiting or reader.rest is not None
        if self._is_reading is bool(has_to_wait):
            self._set_reading()

    def _end(self) -> None:
        """Close, unless a request is coming in that will be answered, or a refusal to be read."""
        is_coming = self._reader.has_begun and not (self._is_deaf or self._is_eof)
        if not is_coming and self._linger_check is None:
            self._transport.close()

    def _handle(self, request: Request) -> None:
        """Begin to answer a request."""
        self._current = request
        try:
            outcome = self._shared.handler(request)
        except Exception as error:  # noqa: BLE001 - logged and answered
            self._finish(self._failure(request, error))
            return
        if isinstance(outcome, Response):
            self._finish(outcome)
        elif isinstance(outcome, Later):
            self._respond = outcome.respond
            outcome.future.add_done_callback(self._on_ready)
        else:
            self._shared.answers.start(self._wait_for(request, outcome), request.target)

    def _on_ready(self, future: asyncio.Future[Any]) -> None:
        """The future of a `Later` is done."""
        request, respond = self._current, self._respond
        assert request is not None  # noqa: S101 - it is being answered
        assert respond is not None  # noqa: S101 - likewise
        self._respond = None
        try:
            response = respond(future)
        except asyncio.CancelledError:
            self._transport.abort()
            return
        except Exception as error:  # noqa: BLE001 - logged and answered
            response = self._failure(request, error)
        self._finish(response)
        self._advance()

    async def _wait_for(self, request: Request, outcome: Awaitable[Response]) -> None:
        try:
            response = await outcome
        except asyncio.CancelledError:
            self._transport.abort()
            raise
        except Exception as error:  # noqa: BLE001 - logged and answered
            response = self._failure(request, error)
        self._finish(response)
        self._advance()

    def _finish(self, response: Response) -> None:
        """Answer the current request; the bytes leave with the next flush."""
        request = self._current
        assert request is not None  # noqa: S101 - it is answered once
        self._active_at = now = self._loop.time()
        if self._is_over or self._transport.is_closing():
            self._current = None
            if response.sent is not None:
                response.sent(False)  # noqa: FBT003 - its only argument
        elif request.upgrade and response.switch is not None:
            self._switch(response)
        else:
            if request.upgrade:
                self._loop.call_soon(self.data_received, self._reader.decline())
            is_last = self._is_ending and not (self._waiting or self._reader.has_begun)
            self._current = None
            if not self._writer.write(request, response, now, is_last=is_last):
                self._current = request

    def _complete(self) -> None:
        """A response has left of which not everything could be written at once."""
        self._active_at = self._loop.time()
        self._current = None
        self._advance()

    def _failure(self, request: Request, error: Exception) -> Response:
        """The response to a request whose handler raised."""
        if isinstance(error, RequestRefusedError):
            return self._shared.refuse(error)
        logger.error("%s %s could not be answered", request.method, request.target, exc_info=error)
        return text_response(500, "an unexpected error, see the log of this server")

    def _write_refusal(self, response: Response) -> None:
        """Answer what was refused before it was complete; see to it that the answer is read."""
        if self._transport.is_closing():
            return
        if self._writer.write_last(response, can_end=not self._is_eof):
            linger_s = min(_LINGER_S, self._shared.limits.idle_timeout_s)
            self._linger_check = self._loop.call_later(linger_s, self.abort)

    def _switch(self, response: Response) -> None:
        """Hand the connection over to another protocol, which owns it from now on."""
        transport, protocol, rest = self._transport, response.switch, self._reader.rest
        assert protocol is not None  # noqa: S101 - the caller has looked
        lines = "".join(f"{name}: {value}\r\n" for name, value in response.headers)
        self._writer.out.append(f"HTTP/1.1 101 Switching Protocols\r\n{lines}\r\n".encode())
        self._writer.flush()
        self._current = None
        self.connection_lost(None)
        transport.set_protocol(protocol)
        protocol.connection_made(transport)
        if rest:
            protocol.data_received(rest)
        if not self._is_reading:
            transport.resume_reading()

    # --- time -------------------------------------------------------------------------------------

    def _set_reading(self) -> None:
        """Read unless the client has to wait: for its turn, or until it reads itself."""
        is_reading = not (self._writer.is_paused or self._waiting or self._reader.rest is not None)
        if is_reading == self._is_reading or self._transport.is_closing():
            return
        self._is_reading = is_reading
        if is_reading:
            self._transport.resume_reading()
        else:
            self._transport.pause_reading()

    def _end_if_idle(self) -> None:
        """Give up a client that is silent for too long; else look again later."""
        timeout_s = self._shared.limits.idle_timeout_s
        active_at = max(self._active_at, self._reader.heard_at)
        left_s = active_at + timeout_s - self._loop.time()
        if self._current is not None or left_s > 0:
            delay_s = left_s if left_s > 0 else timeout_s
            self._idle_check = self._loop.call_later(delay_s, self._end_if_idle)
        elif self._transport.is_closing():
            self._transport.abort()  # it does not read what is left
        elif (body_bytes := self._reader.body_bytes) is None:
            self._transport.close()
        else:
            sentence = f"the body stopped coming: {body_bytes} bytes, and none for {timeout_s:g} s"
            self._refuse(RequestRefusedError(408, sentence))
            self._advance()
