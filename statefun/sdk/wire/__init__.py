"""The one door to bytes: requests, replies, values, headers and egress records.

Everything that knows the wire format stands in this folder; the rest of the package imports from
here, and never from the modules inside. An endpoint splits requests and writes replies; an engine
encodes requests and decodes replies. Everything travels as the plain `records`.

`python` is the reference implementation. `native` offers the same names, made of native code where
that is installed, and passes the same suite, `tests/contract/test_wire.py`.
"""

from __future__ import annotations

from statefun.sdk.wire._proto import TypedValue
from statefun.sdk.wire.core import CORE, accelerated, accelerator, adopted, door
from statefun.sdk.wire.durability import is_marked, marked
from statefun.sdk.wire.egress_records import (
    decode_kafka_record,
    decode_kinesis_record,
    encode_kafka_record,
    encode_kinesis_record,
)
from statefun.sdk.wire.python import (
    Carrier,
    EgressCarrier,
    InvocationBatch,
    MessageCarrier,
    StateField,
    StateLayout,
    decode_reply,
    decode_typed_value,
    encode_headers,
    encode_request,
    encode_typed_value,
    incoming_message,
    outgoing_egress_message,
    outgoing_message,
    outgoing_text,
    split_request,
    write_missing,
    write_reply,
)
from statefun.sdk.wire.records import (
    AnyInvocation,
    AnyValue,
    Cancellation,
    Delayed,
    DelayedMessage,
    EgressRecord,
    Expiration,
    ExpireMode,
    Header,
    Headers,
    HeaderValue,
    Incomplete,
    Invocation,
    KafkaRecord,
    KinesisRecord,
    MissingValue,
    OutgoingMessage,
    Reply,
    Result,
    Sendable,
    SendAfter,
    StoredValue,
    UncheckedValue,
)
from statefun.sdk.wire.scalars import (
    BOOL,
    DOUBLE,
    FLOAT,
    INT,
    LONG,
    STRING,
    Scalar,
)
from statefun.sdk.wire.text import (
    as_bytes,
    utf8,
)

__all__ = [
    "BOOL",
    "CORE",
    "DOUBLE",
    "FLOAT",
    "INT",
    "LONG",
    "STRING",
    "AnyInvocation",
    "AnyValue",
    "Cancellation",
    "Carrier",
    "Delayed",
    "DelayedMessage",
    "EgressCarrier",
    "EgressRecord",
    "Expiration",
    "ExpireMode",
    "Header",
    "HeaderValue",
    "Headers",
    "Incomplete",
    "Invocation",
    "InvocationBatch",
    "KafkaRecord",
    "KinesisRecord",
    "MessageCarrier",
    "MissingValue",
    "OutgoingMessage",
    "Reply",
    "Result",
    "Scalar",
    "SendAfter",
    "Sendable",
    "StateField",
    "StateLayout",
    "StoredValue",
    "TypedValue",
    "UncheckedValue",
    "accelerated",
    "accelerator",
    "adopted",
    "as_bytes",
    "decode_kafka_record",
    "decode_kinesis_record",
    "decode_reply",
    "decode_typed_value",
    "encode_headers",
    "encode_kafka_record",
    "encode_kinesis_record",
    "encode_request",
    "encode_typed_value",
    "incoming_message",
    "is_marked",
    "marked",
    "outgoing_egress_message",
    "outgoing_message",
    "outgoing_text",
    "split_request",
    "utf8",
    "write_missing",
    "write_reply",
]

globals().update({name: getattr(door, name) for name in door.__all__})
