"""The gateway: which envelopes from outside are let in, and where each belongs. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from statefun.durable.exceptions import TerminalError
from statefun.durable.identity import InvocationId

if TYPE_CHECKING:
    from statefun.durable import _proto
    from statefun.durable.directory import Directory
    from statefun.sdk.address import Address

__all__ = ["admitted", "reply_routes"]


def admitted(directory: Directory, envelope: _proto.Envelope) -> Address:
    """The address that an envelope is for.

    Args:
        directory: All services.
        envelope: What has come.

    Raises:
        TerminalError: If its id is malformed, or it is for nobody, or for handlers only.
    """
    match envelope.WhichOneof("content"):
        case "invoke":
            return _invoked(directory, envelope.invoke)
        case "attach":
            invocation = envelope.attach.id
        case "done":
            invocation = envelope.done.execution
        case "signal":
            invocation = envelope.signal.execution
        case "query":
            invocation = envelope.query.execution
        case "update":
            invocation = envelope.update.execution
        case "cancel" | "kill" | "pause" | "resume" as command:
            invocation = getattr(envelope, command)
        case other:
            raise TerminalError(
                f"a message of the kind {other!r} cannot come from outside: send an invoke, an "
                "attach, a done, a signal, a cancel or a kill",
                400,
            )
    return directory.home_of(InvocationId.parse(invocation))


def _invoked(directory: Directory, invoke: _proto.Invoke) -> Address:
    identity = InvocationId.parse(invoke.id)
    key = identity.key or None
    handler = directory.handler(identity.service, invoke.handler, key)
    if handler.options.ingress_private:
        raise TerminalError(
            f"the invoked service is not public: {invoke.handler!r} of {identity.service!r} can be "
            "called by handlers only",
            400,
        )
    return directory.home_of(identity)


def reply_routes(envelope: _proto.Envelope) -> list[_proto.Route]:
    """Where an answer to an envelope goes; nowhere if it waits for none."""
    content = envelope.WhichOneof("content")
    if content not in ("invoke", "attach", "query", "update"):
        return []
    asked = getattr(envelope, content)
    return [asked.reply] if asked.HasField("reply") else []
