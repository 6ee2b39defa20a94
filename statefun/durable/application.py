"""The application: services, objects and workflows as ordinary stateful functions.

Law: whatever runs functions runs an application: the harness, the embedded runtime, an endpoint, an
engine. None of them knows of journals.
"""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Any, ClassVar

from statefun.durable import _proto
from statefun.durable.directory import Directory
from statefun.durable.handler import handler_from_callable
from statefun.durable.handling import HANDLERS
from statefun.durable.host import GatewayHost, Host, ProxyHost, Shell, TicketHost
from statefun.durable.limits import Limits
from statefun.durable.outcomes import as_message
from statefun.sdk.functions import StatefulFunctions

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping
    from datetime import timedelta

    from statefun.durable.declaration import Declaration
    from statefun.durable.entry_codec import ValueCodec
    from statefun.durable.execution import FrontEnd
    from statefun.durable.handler import Handler
    from statefun.sdk.messages import Message

__all__ = ["Application"]


class Application(StatefulFunctions):
    """Services, objects and workflows, each under the typename `namespace/Name`.

    Plain functions may be bound to it as well.

    Args:
        declarations: The services, objects and workflows.
        namespace: The namespace of all their typenames.
        limits: What bounds turns, messages and invocations.
        targets: The typenames of plain functions that handlers may send to; None for any.
        egresses: The egresses that handlers may send to; None for any. An engine fails on a record
            for an egress that it does not know, so name them for an engine.
        dead_letters: The egress for messages that cannot be read; None only logs them.
        clock: The time in seconds since 1970.
        front_end: Who knows how their invocations run.
        codec: What stands between serdes and everything that is kept or sent; None for nothing.

    Attributes:
        directory: All of them, and where their invocations live.
        shell: What the hosts of its functions share, for further hosts.
        front_end: Who knows how invocations run.
        hosts: What runs the turns of services, objects and workflows.
        host_type: The class of those; a test kit may have its own.

    Raises:
        AlreadyRegisteredError: If two have the same name.
    """

    host_type: ClassVar[type[Host]] = Host

    def __init__(
        self,
        declarations: Iterable[Declaration],
        namespace: str = "durable",
        *,
        limits: Limits | None = None,
        targets: Collection[str] | None = None,
        egresses: Collection[str] | None = None,
        dead_letters: str | None = None,
        clock: Callable[[], float] = time.time,
        front_end: FrontEnd = HANDLERS,
        codec: ValueCodec | None = None,
    ) -> None:
        super().__init__()
        self.directory = Directory(
            declarations, namespace, limits or Limits(), targets, egresses, codec
        )
        self.shell = shell = Shell(self.directory, clock, dead_letters)
        self.front_end = front_end
        self.hosts: list[Host] = []
        for name, declaration in self.directory.declarations.items():
            host = self.host_type(shell, self.directory.typename(name), declaration, front_end)
            host.bind(self)
            self.hosts.append(host)
            if declaration.service_tag.kind == "object":
                TicketHost(shell, self.directory.ticket_typename(name)).bind(self)
        ProxyHost(shell, self.directory.proxy_typename).bind(self)
        GatewayHost(shell, self.directory.gateway_typename).bind(self)

    def forget(self) -> None:
        """Put all suspended handlers out of memory; their next turns begin with a replay."""
        for host in self.hosts:
            host.cache.clear()

    # --- for plain functions ---

    def invoke(
        self,
        tpe: Any,
        arg: Any = None,
        *,
        key: str | None = None,
        delay: timedelta | None = None,
        idempotency_key: str | None = None,
        headers: Mapping[str, str] | None = None,
        reply: _proto.Route | None = None,
        unique: bytes | None = None,
    ) -> Message:
        """The message that invokes a handler, for a plain function or an ingress to send.

        Args:
            tpe: The handler: the decorated function.
            arg: Its argument, left out if it takes none.
            key: The key of the object or workflow; None for a service.
            delay: How long it waits before it starts.
            idempotency_key: Invocations with the same key are one.
            headers: Headers for the handler.
            reply: Where the outcome is sent; None for nowhere.
            unique: 16 bytes that no other invocation has, for its id; None draws them.

        Raises:
            TerminalError: If there is no such handler, or a key is missing or too much.
        """
        handler: Handler[Any, Any] = handler_from_callable(tpe)
        service = handler.service_tag.name
        self.directory.handler(service, handler.name, key)
        self.directory.codec.ready_now()
        input_serde = self.directory.codec.over(handler.handler_io.input_serde)
        delay_ms = 0 if delay is None else int(delay.total_seconds() * 1000)
        invocation = self.directory.invocation_id(
            service,
            handler.name,
            key or "",
            os.urandom(16) if unique is None else unique,
            idempotency_key,
            is_delayed=delay_ms > 0,
        )
        invoke = _proto.Invoke(
            id=str(invocation),
            handler=handler.name,
            argument=input_serde.serialize(arg),
            headers={name.lower(): value for name, value in (headers or {}).items()},
            idempotency_key=idempotency_key or "",
            delay_ms=delay_ms,
            reply=reply,
        )
        envelope = _proto.Envelope(version=1, invoke=invoke)
        return as_message(*self.directory.home_of(invocation), envelope)
