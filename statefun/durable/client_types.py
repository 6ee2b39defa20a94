"""Clients of an ingress: what they can ask, whatever carries the requests."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast, overload
from urllib.parse import quote

from statefun.durable.client_results import JSON, Answer, ResultsClient
from statefun.durable.exceptions import HttpError, TerminalError
from statefun.durable.handler import handler_from_callable

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping
    from datetime import timedelta

    from statefun.durable.context_types import HandlerType, I, O
    from statefun.durable.handler import Handler
    from statefun.durable.serde import Serde

__all__ = [
    "Answer",
    "Client",
    "ClientSendHandle",
    "HttpError",
    "RestateClient",
    "RestateClientSendHandle",
]


@dataclass(frozen=True)
class ClientSendHandle:
    """What was sent: an invocation that was accepted and runs by itself.

    Attributes:
        invocation_id: Its id, for `attach` and `output`.
        status_code: The HTTP status of the acceptance.
        is_new: False if an earlier request with the same idempotency key, or to the same workflow,
            started it.
    """

    invocation_id: str
    status_code: int
    is_new: bool = True


class Client(ResultsClient):
    """Calls and starts handlers from outside, and asks for results; see `ResultsClient`."""

    # --- calls ---

    async def service_call(
        self,
        tpe: HandlerType[I, O],
        arg: I,
        idempotency_key: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> O:
        """Call a handler of a service and wait for its result.

        Args:
            tpe: The handler: the decorated function.
            arg: Its argument; None if it takes none.
            idempotency_key: Calls with the same key share one invocation and its result.
            headers: Headers for the handler.
        """
        return await self._call(tpe, None, arg, idempotency_key, headers)

    async def object_call(
        self,
        tpe: HandlerType[I, O],
        key: str,
        arg: I,
        idempotency_key: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> O:
        """Call a handler of the virtual object with this key; else as `service_call`."""
        return await self._call(tpe, key, arg, idempotency_key, headers)

    async def workflow_call(
        self,
        tpe: HandlerType[I, O],
        key: str,
        arg: I,
        idempotency_key: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> O:
        """Call a handler of the workflow with this key; else as `service_call`."""
        return await self._call(tpe, key, arg, idempotency_key, headers)

    @overload
    async def call(
        self,
        tpe: Callable[[Any], Awaitable[O]],
        *,
        key: str | None = None,
        idempotency_key: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> O: ...

    @overload
    async def call(
        self,
        tpe: Callable[[Any, I], Awaitable[O]],
        arg: I,
        *,
        key: str | None = None,
        idempotency_key: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> O: ...

    async def call(
        self,
        tpe: Callable[..., Awaitable[Any]],
        arg: Any = None,
        *,
        key: str | None = None,
        idempotency_key: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Any:
        """Call a handler of whatever kind: `service_call`, `object_call` or `workflow_call`.

        Args:
            tpe: The handler: the decorated function.
            arg: Its argument, left out if it takes none.
            key: The key of the object or workflow; None for a service.
            idempotency_key: Calls with the same key share one invocation and its result.
            headers: Headers for the handler.
        """
        return await self._call(tpe, key, arg, idempotency_key, headers)

    # --- sends ---

    async def service_send(
        self,
        tpe: HandlerType[I, O],
        arg: I,
        send_delay: timedelta | None = None,
        idempotency_key: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> ClientSendHandle:
        """Start a handler of a service; returns once that is durable.

        Args:
            tpe: The handler: the decorated function.
            arg: Its argument; None if it takes none.
            send_delay: How long it waits before it starts.
            idempotency_key: Sends with the same key start one invocation.
            headers: Headers for the handler.
        """
        return await self._send(tpe, None, arg, send_delay, idempotency_key, headers)

    async def object_send(
        self,
        tpe: HandlerType[I, O],
        key: str,
        arg: I,
        send_delay: timedelta | None = None,
        idempotency_key: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> ClientSendHandle:
        """Start a handler of the virtual object with this key; else as `service_send`."""
        return await self._send(tpe, key, arg, send_delay, idempotency_key, headers)

    async def workflow_send(
        self,
        tpe: HandlerType[I, O],
        key: str,
        arg: I,
        send_delay: timedelta | None = None,
        idempotency_key: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> ClientSendHandle:
        """Start a handler of the workflow with this key; else as `service_send`."""
        return await self._send(tpe, key, arg, send_delay, idempotency_key, headers)

    @overload
    async def send(
        self,
        tpe: Callable[[Any], Awaitable[Any]],
        *,
        key: str | None = None,
        delay: timedelta | None = None,
        idempotency_key: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> ClientSendHandle: ...

    @overload
    async def send(
        self,
        tpe: Callable[[Any, I], Awaitable[Any]],
        arg: I,
        *,
        key: str | None = None,
        delay: timedelta | None = None,
        idempotency_key: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> ClientSendHandle: ...

    async def send(
        self,
        tpe: Callable[..., Awaitable[Any]],
        arg: Any = None,
        *,
        key: str | None = None,
        delay: timedelta | None = None,
        idempotency_key: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> ClientSendHandle:
        """Start a handler of whatever kind: `service_send`, `object_send` or `workflow_send`.

        Args:
            tpe: The handler: the decorated function.
            arg: Its argument, left out if it takes none.
            key: The key of the object or workflow; None for a service.
            delay: How long it waits before it starts.
            idempotency_key: Sends with the same key start one invocation.
            headers: Headers for the handler.
        """
        return await self._send(tpe, key, arg, delay, idempotency_key, headers)

    # --- by name ---

    async def generic_call(
        self,
        service: str,
        handler: str,
        arg: bytes,
        key: str | None = None,
        idempotency_key: str | None = None,
        headers: Mapping[str, str] | None = None,
        scope: str | None = None,
        limit_key: str | None = None,
    ) -> bytes:
        """Call a handler by its name, with bytes both ways.

        Args:
            service: The name of the service, object or workflow.
            handler: The name of the handler.
            arg: The argument. Its content type is JSON unless `headers` has another.
            key: The key of the object or workflow; None for a service.
            idempotency_key: Calls with the same key share one invocation and its result.
            headers: Headers for the handler.
            scope: Refused unless None.
            limit_key: Refused unless None.
        """
        _refuse_scopes(scope, limit_key)
        path = _path(service, key, handler)
        body = self.codec.encode(arg)
        answer = await self._post(path, body, JSON, idempotency_key, headers)
        return self.codec.decode(answer.body)

    async def generic_send(
        self,
        service: str,
        handler: str,
        arg: bytes,
        key: str | None = None,
        send_delay: timedelta | None = None,
        idempotency_key: str | None = None,
        headers: Mapping[str, str] | None = None,
        scope: str | None = None,
        limit_key: str | None = None,
    ) -> ClientSendHandle:
        """Start a handler by its name; else as `generic_call` and `service_send`."""
        _refuse_scopes(scope, limit_key)
        path = _path(service, key, handler) + _send_suffix(send_delay)
        body = self.codec.encode(arg)
        return _handle(await self._post(path, body, JSON, idempotency_key, headers))

    # --- how ---

    async def _call(
        self,
        tpe: HandlerType[I, O],
        key: str | None,
        arg: I,
        idempotency_key: str | None,
        headers: Mapping[str, str] | None,
    ) -> O:
        handler = handler_from_callable(tpe)
        path = _path_of(handler, key)
        answer = await self._post(path, *self._argument(handler, arg), idempotency_key, headers)
        return cast("O", self._result(handler, answer))

    async def _send(
        self,
        tpe: HandlerType[I, O],
        key: str | None,
        arg: I,
        delay: timedelta | None,
        idempotency_key: str | None,
        headers: Mapping[str, str] | None,
    ) -> ClientSendHandle:
        handler = handler_from_callable(tpe)
        path = _path_of(handler, key) + _send_suffix(delay)
        argument = self._argument(handler, arg)
        return _handle(await self._post(path, *argument, idempotency_key, headers))

    def _argument(self, handler: Handler[Any, Any], arg: Any) -> tuple[bytes, str]:
        """The body of a call, and its media type."""
        io = handler.handler_io
        if io.input_type.is_void and arg is not None:
            raise TerminalError(f"handler {handler.name!r} takes no argument, got {arg!r}", 400)
        serde: Serde[Any] = self.codec.over(io.input_serde)
        body = serde.serialize(handler.default if arg is None and handler.has_default else arg)
        media_type = "application/octet-stream" if "*" in io.accept else io.accept
        return (b"" if io.input_type.is_void else body), media_type


RestateClient = Client
RestateClientSendHandle = ClientSendHandle


def _path(service: str, key: str | None, handler: str) -> str:
    parts = [service, handler] if key is None else [service, key, handler]
    return "".join(f"/{quote(part, safe='')}" for part in parts)


def _path_of(handler: Handler[Any, Any], key: str | None) -> str:
    tag = handler.service_tag
    if (key is None) != (tag.kind == "service"):
        needs = "no key" if tag.kind == "service" else "a key"
        raise TerminalError(
            f"{tag.name!r} is of the kind {tag.kind!r}, so a call of it has {needs}", 400
        )
    return _path(tag.name, key, handler.name)


def _send_suffix(delay: timedelta | None) -> str:
    if delay is None:
        return "/send"
    return f"/send?delay={round(delay.total_seconds() * 1000)}ms"


def _handle(answer: Answer) -> ClientSendHandle:
    told = json.loads(answer.body)
    return ClientSendHandle(
        told["invocationId"], answer.status, is_new=told["status"] == "Accepted"
    )


def _refuse_scopes(scope: str | None, limit_key: str | None) -> None:
    if scope is not None or limit_key is not None:
        raise TerminalError(
            "scope and limit_key are not supported: give the handler a rate_limit",
            501,
        )
