"""Calls and sends, as contexts have them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, overload

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping
    from datetime import timedelta

    from statefun.durable.context_types import DurableCallFuture, HandlerType, I, O, SendHandle

__all__ = ["CallingContext", "ScopedContext"]


class CallingContext(ABC):
    """How a handler calls others and awaits them, or starts them and goes on."""

    def service_call(
        self,
        tpe: HandlerType[I, O],
        arg: I,
        idempotency_key: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> DurableCallFuture[O]:
        """Call a handler of a service; await the result.

        Args:
            tpe: The handler: the decorated function.
            arg: Its argument; None if it takes none.
            idempotency_key: Calls with the same key share one invocation and its result.
            headers: Headers for the handler.

        Raises:
            TerminalError: On awaiting: what the callee failed with; 404 for an unknown handler.
        """
        return self._call(tpe, None, arg, idempotency_key, headers)

    def service_send(
        self,
        tpe: HandlerType[I, O],
        arg: I,
        send_delay: timedelta | None = None,
        idempotency_key: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> SendHandle:
        """Start a handler of a service and go on; nobody waits for its result.

        Args:
            tpe: The handler: the decorated function.
            arg: Its argument; None if it takes none.
            send_delay: How long it waits before it starts.
            idempotency_key: Sends with the same key start one invocation.
            headers: Headers for the handler.
        """
        return self._send(tpe, None, arg, send_delay, idempotency_key, headers)

    def object_call(
        self,
        tpe: HandlerType[I, O],
        key: str,
        arg: I,
        idempotency_key: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> DurableCallFuture[O]:
        """Call a handler of the virtual object with this key; else as `service_call`.

        Raises:
            TerminalError: On awaiting: also 409 for an exclusive handler of the caller's own key,
                which would wait for itself.
        """
        return self._call(tpe, key, arg, idempotency_key, headers)

    def object_send(
        self,
        tpe: HandlerType[I, O],
        key: str,
        arg: I,
        send_delay: timedelta | None = None,
        idempotency_key: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> SendHandle:
        """Start a handler of the virtual object with this key; else as `service_send`."""
        return self._send(tpe, key, arg, send_delay, idempotency_key, headers)

    def workflow_call(
        self,
        tpe: HandlerType[I, O],
        key: str,
        arg: I,
        idempotency_key: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> DurableCallFuture[O]:
        """Call a handler of the workflow with this key; else as `service_call`."""
        return self._call(tpe, key, arg, idempotency_key, headers)

    def workflow_send(
        self,
        tpe: HandlerType[I, O],
        key: str,
        arg: I,
        send_delay: timedelta | None = None,
        idempotency_key: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> SendHandle:
        """Start a handler of the workflow with this key; else as `service_send`."""
        return self._send(tpe, key, arg, send_delay, idempotency_key, headers)

    @overload
    def call(
        self,
        tpe: Callable[[Any], Awaitable[O]],
        *,
        key: str | None = None,
        idempotency_key: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> DurableCallFuture[O]: ...

    @overload
    def call(
        self,
        tpe: Callable[[Any, I], Awaitable[O]],
        arg: I,
        *,
        key: str | None = None,
        idempotency_key: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> DurableCallFuture[O]: ...

    def call(
        self,
        tpe: Callable[..., Awaitable[Any]],
        arg: Any = None,
        *,
        key: str | None = None,
        idempotency_key: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> DurableCallFuture[Any]:
        """Call a handler of whatever kind: `service_call`, `object_call` or `workflow_call`.

        Args:
            tpe: The handler: the decorated function.
            arg: Its argument, left out if it takes none.
            key: The key of the object or workflow; None for a service.
            idempotency_key: Calls with the same key share one invocation and its result.
            headers: Headers for the handler.

        Raises:
            TerminalError: On awaiting; 400 if a key is missing or too many.
        """
        return self._call(tpe, key, arg, idempotency_key, headers)

    @overload
    def send(
        self,
        tpe: Callable[[Any], Awaitable[Any]],
        *,
        key: str | None = None,
        delay: timedelta | None = None,
        idempotency_key: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> SendHandle: ...

    @overload
    def send(
        self,
        tpe: Callable[[Any, I], Awaitable[Any]],
        arg: I,
        *,
        key: str | None = None,
        delay: timedelta | None = None,
        idempotency_key: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> SendHandle: ...

    def send(
        self,
        tpe: Callable[..., Awaitable[Any]],
        arg: Any = None,
        *,
        key: str | None = None,
        delay: timedelta | None = None,
        idempotency_key: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> SendHandle:
        """Start a handler of whatever kind: `service_send`, `object_send` or `workflow_send`.

        Args:
            tpe: The handler: the decorated function.
            arg: Its argument, left out if it takes none.
            key: The key of the object or workflow; None for a service.
            delay: How long it waits before it starts.
            idempotency_key: Sends with the same key start one invocation.
            headers: Headers for the handler.
        """
        return self._send(tpe, key, arg, delay, idempotency_key, headers)

    @abstractmethod
    def generic_call(
        self,
        service: str,
        handler: str,
        arg: bytes,
        key: str | None = None,
        idempotency_key: str | None = None,
        headers: Mapping[str, str] | None = None,
        scope: str | None = None,
        limit_key: str | None = None,
    ) -> DurableCallFuture[bytes]:
        """Call a handler by its name, with bytes both ways.

        Args:
            service: The name of the service, object or workflow.
            handler: The name of the handler.
            arg: The argument, as the handler's serde reads it.
            key: The key of the object or workflow; None for a service.
            idempotency_key: Calls with the same key share one invocation and its result.
            headers: Headers for the handler.
            scope: Refused unless None, as in `scope`.
            limit_key: Refused unless None.
        """

    @abstractmethod
    def generic_send(
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
    ) -> SendHandle:
        """Start a handler by its name; else as `generic_call` and `service_send`."""

    @abstractmethod
    def scope(self, scope: str) -> ScopedContext:
        """Calls within a scope, which is a preview elsewhere.

        Raises:
            TerminalError: Always, code 501: give the handler a rate limit instead.
        """

    @abstractmethod
    def _call(
        self,
        tpe: Any,
        key: str | None,
        arg: Any,
        idempotency_key: str | None,
        headers: Mapping[str, str] | None,
    ) -> DurableCallFuture[Any]:
        """Call a handler of whatever kind."""

    @abstractmethod
    def _send(
        self,
        tpe: Any,
        key: str | None,
        arg: Any,
        delay: timedelta | None,
        idempotency_key: str | None,
        headers: Mapping[str, str] | None,
    ) -> SendHandle:
        """Start a handler of whatever kind."""


class ScopedContext(ABC):
    """Calls within a named scope. A preview elsewhere; `Context.scope` refuses it here."""

    @abstractmethod
    def service_call(
        self,
        tpe: HandlerType[I, O],
        arg: I,
        limit_key: str | None = None,
        idempotency_key: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> DurableCallFuture[O]:
        """As `Context.service_call`."""

    @abstractmethod
    def service_send(
        self,
        tpe: HandlerType[I, O],
        arg: I,
        send_delay: timedelta | None = None,
        limit_key: str | None = None,
        idempotency_key: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> SendHandle:
        """As `Context.service_send`."""

    @abstractmethod
    def object_call(
        self,
        tpe: HandlerType[I, O],
        key: str,
        arg: I,
        limit_key: str | None = None,
        idempotency_key: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> DurableCallFuture[O]:
        """As `Context.object_call`."""

    @abstractmethod
    def object_send(
        self,
        tpe: HandlerType[I, O],
        key: str,
        arg: I,
        send_delay: timedelta | None = None,
        limit_key: str | None = None,
        idempotency_key: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> SendHandle:
        """As `Context.object_send`."""

    @abstractmethod
    def workflow_call(
        self,
        tpe: HandlerType[I, O],
        key: str,
        arg: I,
        limit_key: str | None = None,
        idempotency_key: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> DurableCallFuture[O]:
        """As `Context.workflow_call`."""

    @abstractmethod
    def workflow_send(
        self,
        tpe: HandlerType[I, O],
        key: str,
        arg: I,
        send_delay: timedelta | None = None,
        limit_key: str | None = None,
        idempotency_key: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> SendHandle:
        """As `Context.workflow_send`."""
