"""The HTTP ingress of invocations: calls, sends, results and awakeables.

Law: an answer that belongs to an invocation means that what it says is durable. The ingress itself
keeps nothing; who loses the connection asks again, by the id or the idempotency key.

Source:
    Paths, statuses, headers and bodies are those of the ingress of Restate 1.7; where they differ,
    `docs/durable.md` has a row.
"""

from __future__ import annotations

import asyncio
import os
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Final
from weakref import WeakValueDictionary

from statefun.durable.exceptions import TerminalError
from statefun.durable.identity import Awakeable, InvocationId
from statefun.durable.messages import attach, command, completion, invoke, target_of
from statefun.durable.replies import Answer, Replies
from statefun.durable.requests import (
    AskHealth,
    AskResult,
    Completion,
    Invocation,
    InvocationName,
    parse_request,
)
from statefun.durable.responses import (
    id_header,
    json_response,
    outcome_response,
    refused,
    timestamp,
)
from statefun.durable.routing import Target, address_of
from statefun.errors import (
    AddressBusyError,
    IdempotencyConflictError,
    InvalidMessageError,
    MessageTooLargeError,
    RequestRefusedError,
    RuntimeStoppedError,
    StoreError,
    UnknownFunctionError,
)
from statefun.http import HttpServer, Later, Response
from statefun.ports import IngressMessage
from statefun.sdk.address import Address

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

    from statefun.durable.catalogue import HandlerEntry
    from statefun.durable.discovery import Discovery
    from statefun.durable.messages import Operation
    from statefun.durable.replies import Outcome
    from statefun.durable.requests import IngressRequest
    from statefun.http import Access, Request, ServerLimits
    from statefun.ports import Intake
    from statefun.sdk.messages import Message

__all__ = ["InvocationIngress"]

_NOT_READY: Final = 470
_RUNNING: Final = "the invocation exists but has not completed yet"
_STATUS_OF: Final = (
    (UnknownFunctionError, 404),
    (MessageTooLargeError, 413),
    (IdempotencyConflictError, 409),
    (InvalidMessageError, 400),
    (AddressBusyError, 503),
    (RuntimeStoppedError, 503),
    (StoreError, 503),
)
_REFUSALS: Final = tuple(kind for kind, _ in _STATUS_OF)


class InvocationIngress:
    """Takes invocations in over HTTP; see `statefun.ports.Ingress`.

    Its outcomes come back through `replies`, which is an egress of the same runtime.

    Args:
        services: What can be invoked.
        port: Which port; 0 for any free one.
        host: Where to listen.
        access: Who may ask.
        limits: How much they may ask for.
        now_ms: The time in milliseconds since 1970.
        first_messages: What is delivered when it starts.

    Attributes:
        replies: The egress.
    """

    def __init__(
        self,
        services: Discovery,
        port: int = 8080,
        host: str = "127.0.0.1",
        *,
        now_ms: Callable[[], int],
        first_messages: Sequence[Message] = (),
        access: Access | None = None,
        limits: ServerLimits | None = None,
    ) -> None:
        self.replies = Replies(f"{os.urandom(8).hex()}-")
        self._services = services
        self._now_ms = now_ms
        self._first_messages = first_messages
        self._server = HttpServer(
            self._handle, host, port, access=access, limits=limits, refuse=refused
        )
        self._intake: Intake | None = None
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    @property
    def port(self) -> int:
        """The port in use; 0 if any may be taken and it has not started."""
        return self._server.port

    async def start(self, intake: Intake) -> None:
        """Listen; see `Ingress`."""
        self._intake = intake
        for each in self._first_messages:
            address = Address(each.target_typename, each.target_id)
            await intake.deliver((IngressMessage(address, each.argument()),))
        await self._services.refresh()
        await self._server.start()

    def pause(self) -> None:
        """Nothing: clients send when they like, and what is refused is answered 503."""

    def resume(self) -> None:
        """Nothing."""

    async def stop(self) -> None:
        """Listen no more; see `Ingress`. Requests that wait for a result are told to ask again."""
        self._server.close_listener()
        await self.replies.stop()
        await self._server.stop()

    # --- requests ---

    def _handle(self, request: Request) -> Response | Later | Awaitable[Response]:
        try:
            asked = self._parse(request)
        except RequestRefusedError as error:
            if error.http_status == 404:
                return self._ask_again(request, error)
            return refused(error)
        return self._respond(asked)

    async def _ask_again(self, request: Request, error: RequestRefusedError) -> Response:
        if not await self._services.refresh():
            return refused(error)
        try:
            answer = self._respond(self._parse(request))
        except RequestRefusedError as still:
            return refused(still)
        if isinstance(answer, Later):
            await asyncio.wait([answer.future])
            return answer.respond(answer.future)
        return answer if isinstance(answer, Response) else await answer

    def _parse(self, request: Request) -> IngressRequest:
        headers = [
            (name.decode(errors="replace"), value.decode(errors="replace"))
            for name, value in request.fields
        ]
        return parse_request(
            request.method,
            request.raw_path,
            request.query,
            headers,
            request.body,
            self._services.catalogue,
        )

    def _respond(self, asked: IngressRequest) -> Response | Later | Awaitable[Response]:
        if isinstance(asked, AskHealth):
            return json_response(200, {"services": sorted(self._services.catalogue.services)})
        if isinstance(asked, Invocation) and not asked.is_send:
            return self._call(asked)
        return self._answer(asked)

    async def _answer(self, asked: Invocation | AskResult | Completion) -> Response:
        try:
            if isinstance(asked, Completion):
                return await self._complete(asked)
            if isinstance(asked, AskResult):
                return await self._ask(asked)
            return await self._send(asked)
        except RequestRefusedError as error:
            return refused(error)
        except asyncio.CancelledError:
            return refused(_stopping())

    def _call(self, asked: Invocation) -> Response | Later:
        """Invoke a handler; its outcome is the answer, which needs no task to wait for it."""
        target = target_of(
            asked.service,
            asked.handler,
            asked.key,
            asked.idempotency_key,
            is_ticket=asked.handler.is_kept,
        )
        name, outcome = self.replies.expect()

        def respond(outcome: asyncio.Future[Outcome]) -> Response:
            try:
                told = outcome.result()
            except asyncio.CancelledError:
                return refused(_stopping())
            except _REFUSALS as error:
                return refused(_refusal(error))
            return outcome_response(
                told,
                str(target.invocation_id),
                asked.handler,
                has_idempotency_key=asked.idempotency_key is not None,
            )

        try:
            taken = self._deliver(target.address, invoke(asked, target.invocation_id, name))
        except _REFUSALS as error:
            outcome.cancel()
            return refused(_refusal(error))
        taken.add_done_callback(partial(_fail, outcome))
        return Later(outcome, respond)

    async def _send(self, asked: Invocation) -> Response:
        target = target_of(
            asked.service,
            asked.handler,
            asked.key,
            asked.idempotency_key,
            is_ticket=True,
        )
        invocation_id = str(target.invocation_id)
        is_new = True
        async with self._locked(invocation_id):
            if asked.idempotency_key is not None or asked.handler.kind == "workflow":
                is_new = (await self._known(target)).answer is Answer.UNKNOWN
            if is_new:
                await self._put(target.address, invoke(asked, target.invocation_id))
        told = {"invocationId": invocation_id}
        if asked.delay_ms is not None:
            told["executionTime"] = timestamp(self._now_ms() + asked.delay_ms)
        told["status"] = "Accepted" if is_new else "PreviouslyAccepted"
        return json_response(202, told, (id_header(invocation_id),))

    async def _ask(self, asked: AskResult) -> Response:
        target, handler = self._asked(asked.invocation)
        told = await self._known(target, waits=asked.waits)
        if told.answer is Answer.RUNNING:
            return refused(RequestRefusedError(_NOT_READY, _RUNNING))
        if told.answer is Answer.UNKNOWN:
            sentence = "not found" if asked.waits else "invocation not found"
            return refused(RequestRefusedError(404, sentence))
        name = None if isinstance(asked.invocation, str) else asked.invocation.idempotency_key
        return outcome_response(
            told, str(target.invocation_id), handler, has_idempotency_key=name is not None
        )

    async def _complete(self, asked: Completion) -> Response:
        try:
            awakeable = Awakeable.parse(asked.awakeable_id)
        except TerminalError as error:
            raise RequestRefusedError(400, error.message) from error
        target = self._target_of(awakeable.invocation)
        envelope = completion(awakeable, asked.value, asked.reason)
        await self._put(target.address, envelope)
        return Response(202, b"", "")

    async def operate(self, operation: Operation, invocation_id: str) -> Answer:
        """Cancel, kill, pause or resume an invocation.

        Args:
            operation: What to do.
            invocation_id: The id of the invocation.

        Returns:
            How it stood before; one that has ended or is unknown stays as it is.

        Raises:
            RequestRefusedError: If the id is malformed, or it cannot be told at the moment.
        """
        target = self._target_of(invocation_id)
        answer = (await self._known(target)).answer
        if answer is Answer.RUNNING:
            await self._put(target.address, command(operation, target.invocation_id))
        return answer

    # --- messages ---

    async def _known(self, target: Target, *, waits: bool = False) -> Outcome:
        """How an invocation ended, or what is known of it."""
        name, outcome = self.replies.expect()
        try:
            await self._put(target.address, attach(target.invocation_id, name, peek=not waits))
            return await outcome
        finally:
            outcome.cancel()

    async def _put(self, address: Address, envelope: bytes) -> None:
        try:
            await self._deliver(address, envelope)
        except _REFUSALS as error:
            raise _refusal(error) from error

    def _deliver(self, address: Address, envelope: bytes) -> asyncio.Future[None]:
        assert self._intake is not None  # noqa: S101 - the server listens after `start` only
        return asyncio.ensure_future(self._intake.deliver((IngressMessage(address, envelope),)))

    def _target_of(self, invocation_id: str) -> Target:
        """An invocation by its id."""
        try:
            identity = InvocationId.parse(invocation_id)
        except TerminalError as error:
            raise RequestRefusedError(400, error.message) from error
        service = self._services.catalogue.services.get(identity.service)
        if service is None:
            raise RequestRefusedError(
                404, f"invocation not found: there is no service {identity.service!r}"
            )
        return Target(identity, address_of(identity, service.namespace))

    def _asked(self, invocation: str | InvocationName) -> tuple[Target, HandlerEntry | None]:
        if isinstance(invocation, str):
            return self._target_of(invocation), None
        return (
            target_of(
                invocation.service, invocation.handler, invocation.key, invocation.idempotency_key
            ),
            invocation.handler,
        )

    @asynccontextmanager
    async def _locked(self, invocation_id: str) -> AsyncIterator[None]:
        """One send at a time for an invocation: only the first of them is told that it is new."""
        lock = self._locks.setdefault(invocation_id, asyncio.Lock())
        async with lock:
            yield


def _refusal(error: Exception) -> RequestRefusedError:
    """The refusal of what could not be taken in."""
    status = next(status for kind, status in _STATUS_OF if isinstance(error, kind))
    return RequestRefusedError(status, str(error))


def _stopping() -> RequestRefusedError:
    return RequestRefusedError(503, "the runtime is stopping: ask for the result again later")


def _fail(outcome: asyncio.Future[Outcome], taken: asyncio.Future[None]) -> None:
    """There is no outcome of what was not taken in."""
    if taken.cancelled():
        outcome.cancel()
    elif (error := taken.exception()) is not None and not outcome.done():
        outcome.set_exception(error)
