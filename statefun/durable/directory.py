"""The directory: which services there are, and at which addresses their invocations live.

It is also the choke point for what leaves an address: a target that no engine knows would make it
fail, so it is refused here, where the handler can be told.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from statefun.durable.entry_codec import ValueCodec
from statefun.durable.exceptions import TerminalError
from statefun.durable.routing import address_of, routed
from statefun.errors import AlreadyRegisteredError
from statefun.sdk.address import parse_typename

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from statefun.durable import _proto
    from statefun.durable.declaration import Declaration
    from statefun.durable.handler import Handler
    from statefun.durable.identity import InvocationId
    from statefun.durable.limits import Limits
    from statefun.sdk.address import Address

__all__ = ["Directory", "gone"]


class Directory:
    """All services, objects and workflows of an application.

    Args:
        declarations: The services, objects and workflows.
        namespace: The namespace of all their typenames.
        limits: What bounds turns, messages and invocations.
        targets: The typenames of plain functions that handlers may send to; None for any.
        egresses: The egresses that handlers may send to; None for any.
        codec: What stands between serdes and everything that is kept or sent; None for nothing.

    Attributes:
        declarations: Name → service, object or workflow.

    Raises:
        AlreadyRegisteredError: If two have the same name.
    """

    def __init__(
        self,
        declarations: Iterable[Declaration],
        namespace: str,
        limits: Limits,
        targets: Collection[str] | None,
        egresses: Collection[str] | None,
        codec: ValueCodec | None = None,
    ) -> None:
        self.namespace = namespace
        self.codec = codec or ValueCodec()
        self.limits = limits
        self.declarations: dict[str, Declaration] = {}
        self._targets = None if targets is None else frozenset(targets)
        self._egresses = None if egresses is None else frozenset(egresses)
        for declaration in declarations:
            name = declaration.service_tag.name
            if name in self.declarations:
                raise AlreadyRegisteredError(
                    f"{name!r} is there twice: give each service, object and workflow its own name",
                    name=name,
                )
            self.declarations[name] = declaration

    # --- addresses ---

    def typename(self, service: str) -> str:
        """The typename of a service, object or workflow."""
        return f"{self.namespace}/{service}"

    def ticket_typename(self, service: str) -> str:
        """The typename of the tickets of an object."""
        return f"{self.namespace}/{service}.inv"

    @property
    def proxy_typename(self) -> str:
        """The typename of what calls plain functions for handlers."""
        return f"{self.namespace}/_proxy"

    @property
    def gateway_typename(self) -> str:
        """The typename of what passes envelopes from topics on."""
        return f"{self.namespace}/_gateway"

    def handler(self, service: str, name: str, key: str | None) -> Handler[Any, Any]:
        """The handler that a call is for.

        Raises:
            TerminalError: If there is none, code 404; if a key is missing or too much, code 400.
        """
        declaration = self.declarations.get(service)
        if declaration is None:
            known = ", ".join(self.declarations) or "none"
            raise TerminalError(f"there is no service {service!r}; known are {known}", 404)
        handler = declaration.handlers.get(name)
        if handler is None:
            known = ", ".join(declaration.handlers) or "none"
            raise TerminalError(f"{service} has no handler {name!r}; known are {known}", 404)
        kind = declaration.service_tag.kind
        if kind == "service" and key is not None:
            raise TerminalError(f"{service} is a service and takes no key, got {key!r}", 400)
        if kind != "service" and not (isinstance(key, str) and key):
            raise TerminalError(f"{service} needs a key of some text, got {key!r}", 400)
        return handler

    def invocation_id(
        self,
        service: str,
        name: str,
        key: str,
        unique: bytes,
        idempotency_key: str | None = None,
        *,
        is_delayed: bool = False,
    ) -> InvocationId:
        """The id of an invocation.

        Args:
            service: The service, object or workflow.
            name: The handler.
            key: The key; empty for a service.
            unique: What makes it unique; not used if an idempotency key does.
            idempotency_key: The idempotency key.
            is_delayed: Whether it waits before it begins.
        """
        declaration = self.declarations[service]
        handler = declaration.handlers[name]
        is_kept = bool(handler.options.journal_retention)
        kind = declaration.service_tag.kind
        return routed(
            self.namespace,
            kind,
            service,
            name,
            handler.kind,
            None if kind == "service" else key,
            unique,
            idempotency_key=idempotency_key,
            is_ticket=is_delayed or is_kept,
        ).invocation_id

    def home_of(self, invocation: InvocationId) -> Address:
        """The address to which messages for an invocation go.

        Raises:
            TerminalError: If its service is unknown, code 404.
        """
        if invocation.service not in self.declarations:
            raise TerminalError(f"there is no service {invocation.service!r}", 404)
        return address_of(invocation, self.namespace)

    def retention_ms(self, service: str, invoke: _proto.Invoke) -> int:
        """How long the outcome of an invocation is kept."""
        declaration = self.declarations[service]
        handler = declaration.handler_of(invoke.handler)
        if handler is None:
            return int(invoke.retention_ms)
        options = handler.options
        chosen = [options.journal_retention]
        if declaration.service_tag.kind == "workflow":
            chosen.append(options.workflow_retention or self.limits.retention)
        elif invoke.idempotency_key:
            chosen.append(options.idempotency_retention or self.limits.retention)
        longest = max((each for each in chosen if each is not None), default=timedelta(0))
        return max(longest // timedelta(milliseconds=1), invoke.retention_ms)

    # --- the choke point ---

    def check_target(self, typename: str) -> None:
        """Refuse a function that no engine would find.

        Raises:
            TerminalError: If it is not one of the targets, code 404.
        """
        parse_typename(typename)
        if self._targets is not None and typename not in self._targets:
            raise TerminalError(
                f"{typename} is not one of the functions that may be sent to: add it to targets=…",
                404,
            )

    def has_egress(self, typename: str) -> bool:
        """Whether outcomes may be sent to an egress."""
        return self._egresses is None or typename in self._egresses

    def check_egress(self, typename: str) -> None:
        """Refuse an egress that no engine would find.

        Raises:
            TerminalError: If it is not one of the egresses, code 404.
        """
        parse_typename(typename)
        if self._egresses is not None and typename not in self._egresses:
            raise TerminalError(
                f"{typename} is not one of the egresses that may be sent to: add it to egresses=…",
                404,
            )


def gone(declaration: Declaration, name: str, *, is_shared: bool) -> Handler[Any, Any]:
    """The stand-in for a handler that an older version of the program had."""

    async def missing(*_: object) -> None:
        raise LookupError(
            f"{declaration.service_tag.name} has no handler {name!r} any more, and an invocation "
            "of it has not ended: declare it again until all have"
        )

    some = next(iter(declaration.handlers.values()))
    kind = "shared" if is_shared else None if some.kind is None else "exclusive"
    if declaration.service_tag.kind == "workflow" and not is_shared:
        kind = "workflow"
    return replace(some, name=name, fn=missing, kind=kind, arity=1)  # type: ignore[arg-type]
