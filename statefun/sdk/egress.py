"""Records for the Kafka and the Kinesis egress of an engine."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any

from statefun.errors import InvalidMessageError, NumberOutOfRangeError
from statefun.sdk.address import parse_typename
from statefun.sdk.messages import EgressMessage
from statefun.sdk.primitives import serialize
from statefun.sdk.wire import (
    accelerated,
    encode_kafka_record,
    encode_kinesis_record,
    encode_typed_value,
    outgoing_egress_message,
    utf8,
)

if TYPE_CHECKING:
    from statefun.sdk.types import Type
    from statefun.sdk.wire import Headers

__all__ = [
    "KAFKA_RECORD",
    "KINESIS_RECORD",
    "kafka_egress_message",
    "kinesis_egress_message",
]

KAFKA_RECORD = "type.googleapis.com/io.statefun.sdk.egress.KafkaProducerRecord"
KINESIS_RECORD = "type.googleapis.com/io.statefun.sdk.egress.KinesisEgressRecord"


@accelerated
def kafka_egress_message(
    typename: str,
    topic: str,
    value: Any,
    value_type: Type[Any] | None = None,
    key: str | None = None,
    *,
    headers: Headers | None = None,
) -> EgressMessage:
    """A record for a Kafka egress.

    Args:
        typename: The egress's typename, as in the module file.
        topic: The topic.
        value: The record's value: `str` (as UTF-8), `bytes` or `bytearray` (as they are), `int`
            (4 bytes, big-endian) or `float` (8 bytes, big-endian), as Kafka's own serializers do;
            or anything that `value_type` takes.
        value_type: How to serialize the value; None to go by the value's Python type.
        key: The record's key; None or empty for a null key.
        headers: Key → value, or pairs of both, in order and with duplicates; a value is bytes,
            text, or None for a null value. Engines that do not know headers ignore them.

    Raises:
        InvalidMessageError: If the typename, the topic or the value is missing or of a type that
            cannot be written; a `ValueError` and a `TypeError`.
        NumberOutOfRangeError: If an int does not fit 32 bits; a `struct.error` too.

    Source:
        kafka-egress.proto
    """
    parse_typename(typename)
    if not topic:
        raise InvalidMessageError("a Kafka record needs a topic, got none")
    data = _record_value(value, value_type, "Kafka")
    record = encode_kafka_record(topic, key, data, headers)
    return outgoing_egress_message(
        EgressMessage, typename, encode_typed_value(KAFKA_RECORD, record)
    )


@accelerated
def kinesis_egress_message(
    typename: str,
    stream: str,
    value: Any,
    partition_key: str,
    value_type: Type[Any] | None = None,
    explicit_hash_key: str | None = None,
) -> EgressMessage:
    """A record for a Kinesis egress.

    Args:
        typename: The egress's typename, as in the module file.
        stream: The stream.
        value: `str` (as UTF-8), `bytes` or `bytearray`; or anything that `value_type` takes.
        partition_key: The partition key.
        value_type: How to serialize the value; None to go by the value's Python type.
        explicit_hash_key: Decides the shard in place of the partition key; None or empty for none.

    Raises:
        InvalidMessageError: If the typename, the stream, the value or the partition key is missing
            or of a type that cannot be written; a `ValueError` and a `TypeError`.

    Source:
        kinesis-egress.proto
    """
    parse_typename(typename)
    if not stream:
        raise InvalidMessageError("a Kinesis record needs a stream, got none")
    if partition_key is None:
        raise InvalidMessageError("a Kinesis record needs a partition key, got None")
    data = _record_value(value, value_type, "Kinesis")
    record = encode_kinesis_record(stream, partition_key, data, explicit_hash_key)
    return outgoing_egress_message(
        EgressMessage, typename, encode_typed_value(KINESIS_RECORD, record)
    )


def _record_value(value: Any, value_type: Type[Any] | None, sink: str) -> bytes:
    if value is None:
        raise InvalidMessageError(f"a {sink} record needs a value, got None")
    if value_type is not None:
        return serialize(value_type, value)
    if isinstance(value, str):
        return utf8(value, f"the value of a {sink} record")
    if isinstance(value, bytes | bytearray):
        return bytes(value)
    if sink == "Kafka" and isinstance(value, int):
        try:
            return struct.pack(">i", value)
        except struct.error as error:
            raise NumberOutOfRangeError(
                f"{value} does not fit Kafka's 32 bit integers: "
                "pass bytes, or a value_type such as LongType",
                number=value,
            ) from error
    if sink == "Kafka" and isinstance(value, float):
        return struct.pack(">d", value)
    raise InvalidMessageError(
        f"a {sink} record cannot be made of {type(value).__name__}: pass bytes or text, "
        "or a value_type",
        argument="value",
        given=type(value).__name__,
    )
