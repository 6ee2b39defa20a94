"""The tags that are written by hand."""

from __future__ import annotations

from typing import Any

import pytest

from statefun.sdk.wire import _proto, tags

REPLY, REQUEST = _proto.FromFunction, _proto.ToFunction

# How a tag's name begins → the message whose fields it and its like stand before.
MESSAGES: dict[str, Any] = {
    "ADDRESS": _proto.Address,
    "TYPED_VALUE": _proto.TypedValue,
    "REQUEST": REQUEST,
    "BATCH": REQUEST.InvocationBatchRequest,
    "PERSISTED": REQUEST.PersistedValue,
    "INVOCATION": REQUEST.Invocation,
    "REPLY": REPLY,
    "RESULT": REPLY.InvocationResponse,
    "MUTATION": REPLY.PersistedValueMutation,
    "OUTGOING": REPLY.Invocation,
    "DELAYED": REPLY.DelayedInvocation,
    "EGRESS": REPLY.EgressMessage,
    "INCOMPLETE": REPLY.IncompleteInvocationContext,
    "MISSING": REPLY.PersistedValueSpec,
    "EXPIRATION": REPLY.ExpirationSpec,
    "KAFKA": _proto.KafkaProducerRecord,
    "HEADER": _proto.KafkaProducerRecord.Header,
    "KINESIS": _proto.KinesisEgressRecord,
    "BOOLEAN": _proto.BooleanWrapper,
    "INT": _proto.IntWrapper,
    "FLOAT": _proto.FloatWrapper,
    "LONG": _proto.LongWrapper,
    "DOUBLE": _proto.DoubleWrapper,
    "STRING": _proto.StringWrapper,
}
# Tags whose names are clearer than those of the schema.
FIELDS = {
    "REPLY_INCOMPLETE": "incomplete_invocation_context",
    "MUTATION_TYPE": "mutation_type",
    "DELAYED_IS_CANCELLATION": "is_cancellation_request",
    "DELAYED_TOKEN": "cancellation_token",
    "EGRESS_NAMESPACE": "egress_namespace",
    "EGRESS_TYPE": "egress_type",
    "MISSING_EXPIRATION": "expiration_spec",
    "MISSING_TYPENAME": "type_typename",
    "EXPIRATION_MILLIS": "expire_after_millis",
    "KAFKA_VALUE": "value_bytes",
    "KINESIS_VALUE": "value_bytes",
    "KINESIS_HASH_KEY": "explicit_hash_key",
}
WIRE_TYPES = {"bool": 0, "enum": 0, "int64": 0, "sfixed64": 1, "double": 1, "float": 5}
WIRE_TYPES |= {"sfixed32": 5, "string": 2, "bytes": 2, "message": 2}


def varint(number: int) -> bytes:
    return bytes((number,)) if number < 128 else bytes((number & 127 | 128, number >> 7))


@pytest.mark.parametrize("name", sorted(set(tags.__all__) - {"TRUE"}))
def test_a_tag_is_that_of_the_schema(name: str) -> None:
    """Field number and wire type are those of the field that the constant is named after."""
    start = max((each for each in MESSAGES if name.startswith(f"{each}_")), key=len)
    field_name = FIELDS.get(name, name.removeprefix(f"{start}_").lower())

    field = MESSAGES[start].DESCRIPTOR.fields_by_name[field_name]

    kinds = {getattr(field, f"TYPE_{kind.upper()}"): number for kind, number in WIRE_TYPES.items()}
    assert getattr(tags, name) == varint(field.number << 3 | kinds[field.type])


def test_the_headers_of_a_value_and_of_a_kafka_record_are_alike() -> None:
    """So one function writes both."""
    one, other = (
        [(each.name, each.number, each.type) for each in message.DESCRIPTOR.fields]
        for message in (_proto.TypedValue.Metadata, _proto.KafkaProducerRecord.Header)
    )

    assert one == other
