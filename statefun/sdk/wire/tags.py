"""Tags of the wire schema: the bytes that stand before each field that is written by hand.

A tag is a field's number and how its content is delimited. Each constant is named after the message
and the field of `protos/`; a test compares every one with the schema.
"""

from __future__ import annotations

__all__ = [
    "ADDRESS_ID",
    "ADDRESS_NAMESPACE",
    "ADDRESS_TYPE",
    "BATCH_INVOCATIONS",
    "BATCH_STATE",
    "BATCH_TARGET",
    "BOOLEAN_VALUE",
    "DELAYED_ARGUMENT",
    "DELAYED_DELAY_IN_MS",
    "DELAYED_IS_CANCELLATION",
    "DELAYED_TARGET",
    "DELAYED_TOKEN",
    "DOUBLE_VALUE",
    "EGRESS_ARGUMENT",
    "EGRESS_NAMESPACE",
    "EGRESS_TYPE",
    "EXPIRATION_MILLIS",
    "EXPIRATION_MODE",
    "FLOAT_VALUE",
    "HEADER_HAS_VALUE",
    "HEADER_KEY",
    "HEADER_VALUE",
    "INCOMPLETE_MISSING_VALUES",
    "INT_VALUE",
    "INVOCATION_ARGUMENT",
    "INVOCATION_CALLER",
    "KAFKA_HEADERS",
    "KAFKA_KEY",
    "KAFKA_TOPIC",
    "KAFKA_VALUE",
    "KINESIS_HASH_KEY",
    "KINESIS_PARTITION_KEY",
    "KINESIS_STREAM",
    "KINESIS_VALUE",
    "LONG_VALUE",
    "MISSING_EXPIRATION",
    "MISSING_STATE_NAME",
    "MISSING_TYPENAME",
    "MUTATION_STATE_NAME",
    "MUTATION_STATE_VALUE",
    "MUTATION_TYPE",
    "OUTGOING_ARGUMENT",
    "OUTGOING_TARGET",
    "PERSISTED_STATE_NAME",
    "PERSISTED_STATE_VALUE",
    "REPLY_INCOMPLETE",
    "REPLY_INVOCATION_RESULT",
    "REQUEST_INVOCATION",
    "RESULT_DELAYED_INVOCATIONS",
    "RESULT_OUTGOING_EGRESSES",
    "RESULT_OUTGOING_MESSAGES",
    "RESULT_STATE_MUTATIONS",
    "STRING_VALUE",
    "TRUE",
    "TYPED_VALUE_HAS_VALUE",
    "TYPED_VALUE_METADATA",
    "TYPED_VALUE_TYPENAME",
    "TYPED_VALUE_VALUE",
]

_VARINT, _FIXED_64, _LENGTH, _FIXED_32 = 0, 1, 2, 5

TRUE = b"\x01"
"""The content of a bool that is set."""


def _tag(number: int, wire_type: int) -> bytes:
    key = number << 3 | wire_type
    return bytes((key,)) if key < 1 << 7 else bytes((key & 0x7F | 0x80, key >> 7))


# --- request-reply.proto --------------------------------------------------------------------------

ADDRESS_NAMESPACE = _tag(1, _LENGTH)
ADDRESS_TYPE = _tag(2, _LENGTH)
ADDRESS_ID = _tag(3, _LENGTH)

TYPED_VALUE_TYPENAME = _tag(1, _LENGTH)
TYPED_VALUE_HAS_VALUE = _tag(2, _VARINT)
TYPED_VALUE_VALUE = _tag(3, _LENGTH)
TYPED_VALUE_METADATA = _tag(4, _LENGTH)

REQUEST_INVOCATION = _tag(100, _LENGTH)
BATCH_TARGET = _tag(1, _LENGTH)
BATCH_STATE = _tag(2, _LENGTH)
BATCH_INVOCATIONS = _tag(3, _LENGTH)
PERSISTED_STATE_NAME = _tag(1, _LENGTH)
PERSISTED_STATE_VALUE = _tag(2, _LENGTH)
INVOCATION_CALLER = _tag(1, _LENGTH)
INVOCATION_ARGUMENT = _tag(2, _LENGTH)

REPLY_INVOCATION_RESULT = _tag(100, _LENGTH)
REPLY_INCOMPLETE = _tag(101, _LENGTH)
RESULT_STATE_MUTATIONS = _tag(1, _LENGTH)
RESULT_OUTGOING_MESSAGES = _tag(2, _LENGTH)
RESULT_DELAYED_INVOCATIONS = _tag(3, _LENGTH)
RESULT_OUTGOING_EGRESSES = _tag(4, _LENGTH)
MUTATION_TYPE = _tag(1, _VARINT)
MUTATION_STATE_NAME = _tag(2, _LENGTH)
MUTATION_STATE_VALUE = _tag(3, _LENGTH)
OUTGOING_TARGET = _tag(1, _LENGTH)
OUTGOING_ARGUMENT = _tag(2, _LENGTH)
DELAYED_DELAY_IN_MS = _tag(1, _VARINT)
DELAYED_TARGET = _tag(2, _LENGTH)
DELAYED_ARGUMENT = _tag(3, _LENGTH)
DELAYED_IS_CANCELLATION = _tag(10, _VARINT)
DELAYED_TOKEN = _tag(11, _LENGTH)
EGRESS_NAMESPACE = _tag(1, _LENGTH)
EGRESS_TYPE = _tag(2, _LENGTH)
EGRESS_ARGUMENT = _tag(3, _LENGTH)
INCOMPLETE_MISSING_VALUES = _tag(1, _LENGTH)
MISSING_STATE_NAME = _tag(1, _LENGTH)
MISSING_EXPIRATION = _tag(2, _LENGTH)
MISSING_TYPENAME = _tag(3, _LENGTH)
MISSING_UPGRADED = _tag(1000, _LENGTH)
EXPIRATION_MODE = _tag(1, _VARINT)
EXPIRATION_MILLIS = _tag(2, _VARINT)

# --- kafka-egress.proto, kinesis-egress.proto -----------------------------------------------------

KAFKA_KEY = _tag(1, _LENGTH)
KAFKA_VALUE = _tag(2, _LENGTH)
KAFKA_TOPIC = _tag(3, _LENGTH)
KAFKA_HEADERS = _tag(4, _LENGTH)

HEADER_KEY = _tag(1, _LENGTH)  # TypedValue.Metadata and KafkaProducerRecord.Header are alike
HEADER_VALUE = _tag(2, _LENGTH)
HEADER_HAS_VALUE = _tag(3, _VARINT)

KINESIS_PARTITION_KEY = _tag(1, _LENGTH)
KINESIS_VALUE = _tag(2, _LENGTH)
KINESIS_STREAM = _tag(3, _LENGTH)
KINESIS_HASH_KEY = _tag(4, _LENGTH)

# --- types.proto: each message has one field, `value` ---------------------------------------------

BOOLEAN_VALUE = _tag(1, _VARINT)
INT_VALUE = _tag(1, _FIXED_32)
FLOAT_VALUE = _tag(1, _FIXED_32)
LONG_VALUE = _tag(1, _FIXED_64)
DOUBLE_VALUE = _tag(1, _FIXED_64)
STRING_VALUE = _tag(1, _LENGTH)
