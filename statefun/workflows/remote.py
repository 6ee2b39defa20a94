"""Remote connections: clients and workers of a service that runs elsewhere.

Law: a connection that is lost is made again, and workers attach again. Requests without an answer
are made again, too: the service knows a repeat by its id.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING

from statefun.blocking import BlockingWatch
from statefun.sdk.handler import RequestReplyHandler
from statefun.sdk.wire import split_request
from statefun.workflows import _proto
from statefun.workflows.frames import PATH, PROTOCOL, FrameError, FrameStream
from statefun.workflows.logs import logger
from statefun.workflows.offers import Offer
from statefun.workflows.service import RPCError, RPCStatusCode

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Mapping
    from datetime import timedelta

    from statefun.durable import _proto as durable
    from statefun.sdk.functions import StatefulFunctions

__all__ = ["RemoteConnection"]

_FIRST_PAUSE_S = 0.05
_LONGEST_PAUSE_S = 2.0


class _Asked:
    """A request without an answer."""

    def __init__(self, frame: _proto.Frame) -> None:
        self.frame = frame
        self.answered: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()


class RemoteConnection:
    """A way to a service that listens elsewhere; see `Connection`.

    Args:
        host: Its host.
        port: Its port.
        tls: The TLS context; None for none.
        token: The bearer token; None for none.
        headers: More header fields of the request that connects.
        clock: The time in seconds since 1970.
    """

    def __init__(
        self,
        host: str,
        port: int,
        *,
        tls: ssl.SSLContext | None = None,
        token: str | None = None,
        headers: Mapping[str, str] | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._clock = clock
        self._host = host
        self._port = port
        self._tls = tls
        self._token = token
        self._headers = dict(headers or {})
        self._stream: FrameStream | None = None
        self._is_connected = asyncio.Event()
        self._count = 0
        self._asked: dict[int, _Asked] = {}
        self._serving: dict[StatefulFunctions, tuple[int, RequestReplyHandler]] = {}
        self._calls: set[asyncio.Task[None]] = set()
        self._running: asyncio.Task[None] | None = None
        self._watch: BlockingWatch | None = None

    async def connect(self) -> None:
        """Connect, and stay connected from now on.

        Raises:
            RuntimeError: If it cannot.
        """
        if self._running is not None:
            return
        try:
            stream = await self._open()
        except (OSError, FrameError) as error:
            raise RuntimeError(
                f"Failed client connect: Server connection error: {error}; start the service with "
                f"'statefun run --listen {self._host}:{self._port}'"
            ) from error
        if self._running is None:  # nobody else was faster
            self._begin(stream)
            self._running = asyncio.create_task(self._run(stream), name="statefun-connection")
        else:
            stream.close()

    async def close(self) -> None:
        """End the connection."""
        if self._watch is not None:
            self._watch.stop()
        if self._running is not None:
            self._running.cancel()
            await asyncio.gather(self._running, return_exceptions=True)
            for asked in self._asked.values():
                asked.answered.cancel()

    async def _open(self) -> FrameStream:
        reader, writer = await asyncio.open_connection(self._host, self._port, ssl=self._tls)
        lines = [
            f"GET {PATH} HTTP/1.1",
            f"Host: {self._host}:{self._port}",
            "Connection: Upgrade",
            f"Upgrade: {PROTOCOL}",
        ]
        if self._token is not None:
            lines.append(f"Authorization: Bearer {self._token}")
        lines += [f"{name}: {value}" for name, value in self._headers.items()]
        writer.write("\r\n".join([*lines, "", ""]).encode())
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except (asyncio.IncompleteReadError, asyncio.LimitOverrunError) as error:
            writer.close()
            raise FrameError("it hung up: does another kind of server listen there?") from error
        status = head.split(b"\r\n", 1)[0].decode(errors="replace")
        if " 101 " not in f"{status} ":
            writer.close()
            raise FrameError(f"it answered {status!r}")
        return FrameStream(reader, writer)

    # --- staying connected ---

    async def _run(self, stream: FrameStream) -> None:
        pause_s = _FIRST_PAUSE_S
        while True:
            try:
                async for frame in stream.frames():
                    self._take(stream, frame)
            except FrameError as error:
                logger.warning("the connection to the service ended: %s", error)
            finally:
                self._end(stream)
            while True:
                await asyncio.sleep(pause_s)
                pause_s = min(pause_s * 2, _LONGEST_PAUSE_S)
                try:
                    stream = await self._open()
                except (OSError, FrameError):
                    continue
                break
            pause_s = _FIRST_PAUSE_S
            self._begin(stream)

    def _begin(self, stream: FrameStream) -> None:
        """Say everything again that the service may have forgotten."""
        self._stream = stream
        for functions, (number, _) in self._serving.items():
            stream.send(self._attach_frame(number, functions))
        for asked in self._asked.values():
            stream.send(asked.frame)
        self._is_connected.set()

    def _end(self, stream: FrameStream) -> None:
        self._stream = None
        self._is_connected.clear()
        stream.close()
        for call in self._calls:
            call.cancel()

    def _take(self, stream: FrameStream, frame: _proto.Frame) -> None:
        match frame.WhichOneof("content"):
            case "answer":
                asked = self._asked.get(frame.number)
                if asked is not None and not asked.answered.done():
                    self._answer(asked, frame.answer)
            case "call":
                call = asyncio.create_task(self._call(stream, frame))
                self._calls.add(call)
                call.add_done_callback(self._calls.discard)

    def _answer(self, asked: _Asked, answer: _proto.Answer) -> None:
        if answer.WhichOneof("answer") != "refusal":
            asked.answered.set_result(answer.value)
            return
        refusal = answer.refusal
        error = RPCError(refusal.message, RPCStatusCode(refusal.status), facts=dict(refusal.facts))
        asked.answered.set_exception(error)

    async def _call(self, stream: FrameStream, frame: _proto.Frame) -> None:
        """Run a batch that the service has sent."""
        called = _proto.Called()
        handler = self._handler_of(frame.call.request)
        if handler is None:
            called.error = "the functions are served no more"
        else:
            try:
                called.reply = await handler.invoke(frame.call.request)
            except Exception as error:  # noqa: BLE001 - the service tries again
                logger.exception("a batch failed")
                called.error = str(error)
        stream.send(_proto.Frame(number=frame.number, called=called))

    def _handler_of(self, request: bytes) -> RequestReplyHandler | None:
        typename = split_request(request).typename
        for functions, (_, handler) in self._serving.items():
            if typename in functions.typenames:
                return handler
        return None

    # --- the connection; see `Connection` ---

    def now_ms(self) -> int:
        """See `Connection`: the time of this machine."""
        return int(self._clock() * 1000)

    def waiting(self) -> AbstractContextManager[None]:
        """See `Connection`: time is never skipped."""
        return nullcontext()

    async def ask(
        self,
        typename: str,
        target_id: str,
        envelope: durable.Envelope,
        within: timedelta | None,
    ) -> bytes:
        """See `Connection`."""
        await self.connect()
        ask = _proto.Ask(typename=typename, id=target_id, envelope=envelope.SerializeToString())
        return await self._ask(_proto.Frame(ask=ask), within)

    async def _ask(self, frame: _proto.Frame, within: timedelta | None) -> bytes:
        self._count += 1
        number = frame.number = self._count
        asked = self._asked[number] = _Asked(frame)
        try:
            async with asyncio.timeout(None if within is None else within.total_seconds()):
                if self._stream is not None:
                    self._stream.send(frame)
                return await asked.answered
        except TimeoutError:
            raise RPCError("Timeout expired", RPCStatusCode.CANCELLED) from None
        finally:
            del self._asked[number]

    async def look(self, look: _proto.Look, within: timedelta | None) -> _proto.Looked:
        """See `Connection`."""
        await self.connect()
        return _proto.Looked.FromString(await self._ask(_proto.Frame(look=look), within))

    async def attach(self, functions: StatefulFunctions) -> None:
        """See `Connection`; activities that block this process from now on are told."""
        await self.connect()
        if self._watch is None:
            self._watch = BlockingWatch()
            self._watch.start()
        self._count += 1
        number = self._count
        self._serving[functions] = (number, RequestReplyHandler(functions))
        frame = self._attach_frame(number, functions)
        asked = self._asked[number] = _Asked(frame)
        try:
            if self._stream is not None:
                self._stream.send(frame)
            warning = await asked.answered
        except BaseException:
            self._serving.pop(functions, None)
            raise
        else:
            if warning:
                logger.warning("%s", warning.decode())
        finally:
            del self._asked[number]

    def _attach_frame(self, number: int, functions: StatefulFunctions) -> _proto.Frame:
        attach = _proto.Attach(typenames=list(functions.typenames))
        offer = getattr(functions, "offer", None)
        if isinstance(offer, Offer):
            attach.identity = offer.identity
            attach.workflows.extend(offer.workflows)
            attach.activities.extend(offer.activities)
        return _proto.Frame(number=number, attach=attach)

    async def detach(self, functions: StatefulFunctions) -> None:
        """See `Connection`."""
        number, _ = self._serving[functions]
        if self._stream is not None:
            frame = _proto.Frame(number=number, detach=_proto.Detach())
            asked = self._asked[number] = _Asked(frame)
            self._stream.send(frame)
            try:
                await asked.answered
            finally:
                del self._asked[number]
        self._serving.pop(functions, None)
