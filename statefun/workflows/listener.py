"""The listener: where clients and workers connect to the service.

Law: an answer to a client means that what it says is durable. A worker whose connection ends is
given up: what it was called for goes to another one, or waits for one.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Protocol

from statefun.durable import _proto as durable
from statefun.errors import StatefunError, TransportError
from statefun.http import HttpServer, Response
from statefun.http.messages import text_response
from statefun.workflows import _proto
from statefun.workflows.addresses import queue_of, schedule_typename, workflow_typename
from statefun.workflows.frames import PATH, PROTOCOL, FrameError, FrameStream
from statefun.workflows.logs import logger
from statefun.workflows.offers import Offer
from statefun.workflows.service import RPCError, RPCStatusCode

if TYPE_CHECKING:
    from statefun.http import Access, Request
    from statefun.ports import Intake
    from statefun.workflows.connection import LocalConnection

__all__ = ["Listener"]


class _Attached(Protocol):
    """What remote workers attach to; see `statefun.runtime.transports.attached`."""

    def attach(self, attachment: RemoteWorker) -> None:
        """Call it from now on."""

    async def detach(self, attachment: RemoteWorker, *, is_lost: bool = False) -> None:
        """Call it no more."""


class RemoteWorker:
    """A worker at the other end of a connection; see `Attachment`.

    Args:
        stream: The connection.
        typenames: What it serves.
        offer: Its workflows and activities.

    Attributes:
        typenames: What it serves.
        offer: Its workflows and activities.
    """

    def __init__(self, stream: FrameStream, typenames: tuple[str, ...], offer: Offer) -> None:
        self._stream = stream
        self.typenames = typenames
        self.offer = offer
        self._calls: dict[int, asyncio.Future[bytes]] = {}

    async def invoke(self, request: bytes) -> bytes:
        """Call it, and wait for the answer."""
        number = self._stream.next_number()
        answered = self._calls[number] = asyncio.get_running_loop().create_future()
        self._stream.send(_proto.Frame(number=number, call=_proto.Call(request=request)))
        try:
            reply: bytes = await answered
        finally:
            del self._calls[number]
        return reply

    def called(self, number: int, called: _proto.Called) -> None:
        """Take an answer of it."""
        answered = self._calls.get(number)
        if answered is None or answered.done():
            return
        if called.WhichOneof("called") == "reply":
            answered.set_result(called.reply)
        else:
            answered.set_exception(
                TransportError(f"the worker {self.offer.identity} failed: {called.error}")
            )


class Listener:
    """Listens for clients and workers: an ingress of the runtime; see `statefun.ports`.

    Args:
        connection: The way to the service.
        attached: What workers attach to.
        host: Where to listen.
        port: Which port; 0 for any free one.
        access: Who may connect.
        namespaces: The namespaces that there are.
    """

    def __init__(
        self,
        connection: LocalConnection,
        attached: _Attached,
        host: str = "127.0.0.1",
        port: int = 7233,
        *,
        access: Access | None = None,
        namespaces: tuple[str, ...] = ("default",),
    ) -> None:
        self._connection = connection
        self._attached = attached
        self._namespaces = namespaces
        self._server = HttpServer(self._handle, host, port, access=access, upgrades=(PROTOCOL,))
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def port(self) -> int:
        """The port in use; 0 if any may be taken and it has not started."""
        return self._server.port

    async def start(self, intake: Intake | None = None) -> None:
        """Listen; see `Ingress`.

        Raises:
            ConfigurationError: If it cannot.
        """
        del intake  # the connection has it
        await self._server.start()

    def pause(self) -> None:
        """Nothing: what is sent meanwhile is refused."""

    def resume(self) -> None:
        """Nothing."""

    async def stop(self) -> None:
        """Listen no more, and end every connection; see `Ingress`."""
        self._server.close_listener()
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._server.stop()

    # --- connections ---

    def _handle(self, request: Request) -> Response:
        if request.path == "/health":
            return text_response(200, "ok")
        if request.path != PATH:
            return text_response(404, f"workflows are at {PATH}")
        if request.upgrade != PROTOCOL:
            return text_response(
                426, "connect with statefun.workflows.client.Client.connect", Upgrade=PROTOCOL
            )
        reader = asyncio.StreamReader()
        protocol = asyncio.StreamReaderProtocol(reader, self._connected)
        return Response(101, content_type="", headers=(("Upgrade", PROTOCOL),), switch=protocol)

    def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.get_running_loop().create_task(self._serve(FrameStream(reader, writer)))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, stream: FrameStream) -> None:
        """Serve a connection until it ends."""
        workers: dict[int, RemoteWorker] = {}
        asking: set[asyncio.Task[None]] = set()
        try:
            async for frame in stream.frames():
                match frame.WhichOneof("content"):
                    case "ask" | "look":
                        task = asyncio.create_task(self._answer(stream, frame))
                        asking.add(task)
                        task.add_done_callback(asking.discard)
                    case "attach":
                        self._attach(stream, frame, workers)
                    case "detach":
                        task = asyncio.create_task(self._detach(stream, frame.number, workers))
                        asking.add(task)
                        task.add_done_callback(asking.discard)
                    case "called":
                        for worker in workers.values():
                            worker.called(frame.number, frame.called)
        except FrameError as error:
            logger.warning("a connection ended: %s", error)
        finally:
            stream.close()
            for task in asking:
                task.cancel()
            for worker in workers.values():
                await self._attached.detach(worker, is_lost=True)

    async def _answer(self, stream: FrameStream, frame: _proto.Frame) -> None:
        answer = _proto.Answer()
        try:
            answer.value = await self._answered(frame)
        except RPCError as error:
            answer.refusal.status = error.status
            answer.refusal.message = error.message
            answer.refusal.facts.update(error.facts)
        except (StatefunError, ValueError, durable.DecodeError) as error:
            answer.refusal.status = RPCStatusCode.INTERNAL
            answer.refusal.message = str(error)
        stream.send(_proto.Frame(number=frame.number, answer=answer))

    async def _answered(self, frame: _proto.Frame) -> bytes:
        if frame.HasField("look"):
            self._check(workflow_typename(frame.look.namespace))
            return (await self._connection.look(frame.look, None)).SerializeToString()
        ask = frame.ask
        self._check(ask.typename)
        envelope = durable.Envelope.FromString(ask.envelope)
        return await self._connection.ask(ask.typename, ask.id, envelope, None)

    def _check(self, typename: str) -> None:
        if not self._is_ours(typename):
            raise RPCError(f"Namespace of {typename} is not found.", RPCStatusCode.NOT_FOUND)

    def _is_ours(self, typename: str) -> bool:
        """Whether a function may be written to from outside."""
        owner = queue_of(typename)
        if owner is not None:
            return owner[0] in self._namespaces
        return typename in {
            named(each)
            for each in self._namespaces
            for named in (workflow_typename, schedule_typename)
        }

    def _attach(
        self, stream: FrameStream, frame: _proto.Frame, workers: dict[int, RemoteWorker]
    ) -> None:
        answer = _proto.Answer()
        given = tuple(frame.attach.typenames)
        if frame.number in workers:
            answer.value = b""
        elif all(queue_of(each) is not None and self._is_ours(each) for each in given):
            attach = frame.attach
            offer = Offer(attach.identity, tuple(attach.workflows), tuple(attach.activities))
            worker = workers[frame.number] = RemoteWorker(stream, given, offer)
            self._attached.attach(worker)
            warnings = [self._connection.warning(each) for each in given]
            answer.value = next((each for each in warnings if each), "").encode()
        else:
            answer.refusal.status = RPCStatusCode.NOT_FOUND
            answer.refusal.message = f"Namespace of {', '.join(given)} is not found."
        stream.send(_proto.Frame(number=frame.number, answer=answer))

    async def _detach(
        self, stream: FrameStream, number: int, workers: dict[int, RemoteWorker]
    ) -> None:
        """Call a worker no more; its number is that of the frame that attached it."""
        worker = workers.pop(number, None)
        if worker is not None:
            # What is under way is answered by the same worker.
            detaching = asyncio.ensure_future(self._attached.detach(worker))
            workers[-number] = worker
            await detaching
            workers.pop(-number, None)
        stream.send(_proto.Frame(number=number, answer=_proto.Answer(value=b"")))
