"""The messages that clients send to durable handlers, as bytes. See `protos/durable.proto`."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from statefun.durable import _proto
from statefun.durable.routing import Target, routed
from statefun.sdk.wire import encode_typed_value

if TYPE_CHECKING:
    from statefun.durable.catalogue import HandlerEntry, ServiceEntry
    from statefun.durable.identity import Awakeable, InvocationId
    from statefun.durable.requests import Invocation

__all__ = [
    "ENVELOPE",
    "REPLIES",
    "Operation",
    "attach",
    "command",
    "completion",
    "invoke",
    "target_of",
]

ENVELOPE: Final = "io.statefun.durable.v1/Envelope"
"""The typename of every message between durable handlers."""

REPLIES: Final = "io.statefun.durable/replies"
"""The egress that outcomes for clients are sent to."""

_VERSION: Final = 1
_REJECTED: Final = 500
_RETENTION_MS: Final = 86_400_000  # a day: who sends is given an id, to ask for the result by


Operation: TypeAlias = Literal["cancel", "kill", "pause", "resume"]
"""What an operator may do with an invocation."""


def target_of(
    service: ServiceEntry,
    handler: HandlerEntry,
    key: str | None,
    idempotency_key: str | None,
    *,
    is_ticket: bool = False,
) -> Target:
    """The invocation that a client means, with a new id unless calls share it.

    Args:
        service: The service.
        handler: The handler.
        key: The key; None for a service.
        idempotency_key: The idempotency key; None for none.
        is_ticket: Whether it has an address of its own, so that it can be delayed or asked about.
    """
    return routed(
        service.namespace,
        service.kind,
        service.name,
        handler.name,
        handler.kind,
        key,
        os.urandom(16),
        idempotency_key=idempotency_key,
        is_ticket=is_ticket,
    )


def invoke(asked: Invocation, invocation_id: InvocationId, reply: str = "") -> bytes:
    """Start an invocation.

    Args:
        asked: What a client asks for.
        invocation_id: The id of the invocation.
        reply: Where its outcome is awaited; empty for nowhere.
    """
    return _encoded(
        invoke=_proto.Invoke(
            id=str(invocation_id),
            handler=asked.handler.name,
            argument=asked.body,
            reply=_route(reply),
            headers=asked.headers,
            idempotency_key=asked.idempotency_key or "",
            delay_ms=asked.delay_ms or 0,
            retention_ms=_RETENTION_MS if asked.is_send else 0,
        )
    )


def attach(invocation_id: InvocationId, reply: str, *, peek: bool) -> bytes:
    """Ask for the outcome of an invocation.

    Args:
        invocation_id: The invocation.
        reply: Where the outcome is awaited.
        peek: Whether the answer comes at once.
    """
    return _encoded(attach=_proto.Attach(id=str(invocation_id), reply=_route(reply), peek=peek))


def completion(awakeable: Awakeable, value: bytes | None, reason: str = "") -> bytes:
    """Complete an awakeable.

    Args:
        awakeable: Which one.
        value: Its value; None to reject it.
        reason: The message of a rejection.
    """
    outcome = _proto.Outcome(value=value)
    if value is None:
        outcome = _proto.Outcome(failure=_proto.Failure(code=_REJECTED, message=reason))
    return _encoded(
        done=_proto.Done(execution=awakeable.invocation, seq=awakeable.seq, outcome=outcome)
    )


def command(what: Operation, invocation_id: InvocationId) -> bytes:
    """Tell an invocation what to do.

    Args:
        what: What to do.
        invocation_id: The invocation.
    """
    return _encoded(**{what: str(invocation_id)})


def _route(reply: str) -> _proto.Route | None:
    return _proto.Route(typename=REPLIES, id=reply, is_egress=True) if reply else None


def _encoded(**content: object) -> bytes:
    envelope = _proto.Envelope(version=_VERSION, **content)  # type: ignore[arg-type]
    return encode_typed_value(ENVELOPE, envelope.SerializeToString())
