"""Outcomes: a value or a failure, as it travels and is kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

from statefun.durable import _proto
from statefun.durable.exceptions import TerminalError
from statefun.sdk.builders import egress_message_builder, message_builder
from statefun.sdk.egress import kafka_egress_message
from statefun.sdk.types import simple_type

if TYPE_CHECKING:
    from statefun.sdk.messages import EgressMessage, Message

__all__ = [
    "ENVELOPE_TYPE",
    "answer",
    "as_message",
    "egress_answer",
    "failed",
    "failure_of",
    "shown",
    "succeeded",
]

ENVELOPE_TYPE = simple_type(
    "io.statefun.durable.v1/Envelope",
    serialize_fn=_proto.Envelope.SerializeToString,
    deserialize_fn=_proto.Envelope.FromString,
)
"""The type of everything that travels between durable addresses."""

_CODES = 1 << 31
_LONGEST_TEXT = 10_000


def succeeded(value: bytes) -> _proto.Outcome:
    """The outcome of what returned; no bytes are the value None."""
    return _proto.Outcome(value=value)


def failed(error: TerminalError) -> _proto.Outcome:
    """The outcome of what raised, whatever a user's own class makes of its fields."""
    try:
        failure = _proto.Failure(
            code=_code(error.status_code),
            message=_text(error.message),
            metadata={_text(name): _text(value) for name, value in (error.metadata or {}).items()},
        )
    except Exception as fault:  # noqa: BLE001 - an invocation ends, whatever it ends with
        message = f"{type(error).__name__}, which cannot be told: {shown(fault)}"
        failure = _proto.Failure(code=500, message=message)
    return _proto.Outcome(failure=failure)


def _code(given: object) -> int:
    """The code of a failure; 500 in the place of anything else."""
    is_code = isinstance(given, int) and 0 <= given < _CODES
    return int(given) if is_code else 500  # type: ignore[call-overload]


def _text(given: object) -> str:
    """A text that can be kept and sent."""
    text = str(given)
    if len(text) > _LONGEST_TEXT:
        text = f"{text[: _LONGEST_TEXT - 50]}… ({len(text)} characters)"
    return text.encode(errors="replace").decode()


def failure_of(outcome: _proto.Outcome) -> TerminalError | None:
    """The error that an outcome is; None for a value."""
    if outcome.WhichOneof("result") != "failure":
        return None
    failure = outcome.failure
    return TerminalError(failure.message, failure.code, dict(failure.metadata) or None)


def shown(error: BaseException) -> str:
    """An error in words that end an attempt, whatever its class makes of it."""
    try:
        return _text(repr(error))
    except Exception:  # noqa: BLE001 - the user's own __repr__
        return type(error).__name__


def answer(route: _proto.Route, outcome: _proto.Outcome, expires_ms: int = 0) -> _proto.Envelope:
    """The message that carries an outcome to whoever waits for it.

    Args:
        route: Who waits.
        outcome: The outcome.
        expires_ms: Until when it is kept, if it was kept before somebody asked; 0 if not.
    """
    done = _proto.Done(
        execution=route.execution, seq=route.seq, outcome=outcome, expires_ms=expires_ms
    )
    return _proto.Envelope(version=1, done=done)


def egress_answer(
    route: _proto.Route, outcome: _proto.Outcome, expires_ms: int = 0
) -> EgressMessage:
    """The record that carries an outcome out; its execution is what the reader finds it by."""
    done = _proto.Done(execution=route.id, seq=route.seq, outcome=outcome, expires_ms=expires_ms)
    if route.topic:
        data = _proto.Envelope(version=1, done=done).SerializeToString()
        return kafka_egress_message(route.typename, route.topic, data, key=route.id)
    return egress_message_builder(
        route.typename, _proto.Envelope(version=1, done=done), ENVELOPE_TYPE
    )


def as_message(typename: str, target_id: str, envelope: _proto.Envelope) -> Message:
    """An envelope as a message."""
    return message_builder(typename, target_id, value=envelope, value_type=ENVELOPE_TYPE)
