"""Records: what a function sends to an HTTP egress, and what a reader gets of it.

Law: a pure function of the bytes. Whatever is not understood is refused with the reason.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Final

from statefun.errors import InvalidMessageError
from statefun.sdk.egress import KAFKA_RECORD
from statefun.sdk.wire import decode_kafka_record, decode_typed_value

__all__ = ["PLAYGROUND_RECORD", "TEXT", "Record", "parse_record"]

PLAYGROUND_RECORD: Final = "io.statefun.playground/EgressRecord"
TEXT: Final = "text/plain; charset=utf-8"
_OCTETS: Final = "application/octet-stream"


@dataclass(frozen=True, slots=True)
class Record:
    """What a reader is given.

    Attributes:
        topic: The topic.
        body: The value.
        content_type: What it is.
        key: The key of a Kafka record, empty if it has none.
    """

    topic: str
    body: bytes
    content_type: str
    key: str = ""


def parse_record(argument: bytes) -> Record:
    """The record in a serialized `TypedValue`.

    Raises:
        InvalidMessageError, RemoteProtocolError: If there is none.
    """
    typed = decode_typed_value(argument)
    if typed.typename == PLAYGROUND_RECORD:
        return _parse_playground_record(typed.data)
    if typed.typename == KAFKA_RECORD:
        record = decode_kafka_record(typed.data)
        return Record(record.topic, record.value, _OCTETS, record.key)
    raise InvalidMessageError(
        f"the HTTP egress cannot write a {typed.typename!r}: send a {PLAYGROUND_RECORD!r}, "
        'which is JSON of the form {"topic": …, "payload": …}, or use kafka_egress_message',
        argument="record",
        given=typed.typename,
    )


def _parse_playground_record(data: bytes) -> Record:
    """A record as JSON. Numbers and booleans become text, numbers as they are written."""
    try:
        fields = json.loads(data, parse_int=str, parse_float=str, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise InvalidMessageError(f"a {PLAYGROUND_RECORD} is not JSON: {error}") from error
    if not isinstance(fields, dict) or fields.keys() != {"topic", "payload"}:
        names = sorted(fields) if isinstance(fields, dict) else type(fields).__name__
        raise InvalidMessageError(
            f'a {PLAYGROUND_RECORD} is of the form {{"topic": …, "payload": …}}, got {names}',
            argument="record",
            given=str(names),
        )
    return Record(
        _scalar(fields, "topic"), _scalar(fields, "payload").encode(errors="replace"), TEXT
    )


def _scalar(fields: dict[str, Any], name: str) -> str:
    value = fields[name]
    if isinstance(value, bool):
        return "true" if value else "false"
    if not isinstance(value, str):
        kind = "null" if value is None else type(value).__name__
        raise InvalidMessageError(
            f"the {name} of a {PLAYGROUND_RECORD} must be text, a number or a boolean, got {kind}: "
            "send other things as JSON text",
            argument=name,
            given=kind,
        )
    return value


def _refuse_constant(text: str) -> str:
    raise InvalidMessageError(f"{text} is not JSON")
