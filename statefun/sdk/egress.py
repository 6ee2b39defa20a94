"""Records for the Kafka and the Kinesis egress of an engine."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any, NamedTuple

from google.protobuf.message import DecodeError

from statefun.errors import InvalidMessageError, NumberOutOfRangeError
from statefun.sdk import _proto
from statefun.sdk.messages import (
    EgressMessage,
    Header,
    Headers,
    encode_headers,
    encode_typed_value,
    outgoing_egress_message,
)
from statefun.sdk.valuetypes import serialize, utf8
from statefun.sdk.wire import delimited

if TYPE_CHECKING:
    from statefun.sdk.valuetypes import Type

__all__ = [
    "KAFKA_RECORD",
    "KINESIS_RECORD",
    "KafkaRecord",
    "decode_kafka_record",
    "kafka_egress_message",
    "kinesis_egress_message",
]

KAFKA_RECORD = "type.googleapis.com/io.statefun.sdk.egress.KafkaProducerRecord"
KINESIS_RECORD = "type.googleapis.com/io.statefun.sdk.egress.KinesisEgressRecord"


class KafkaRecord(NamedTuple):
    """A Kafka record as an engine reads it.

    Attributes:
        topic: The topic.
        key: The key, empty if the record has none.
        value: The value's bytes; may be empty.
        headers: In order, duplicates kept.
    """

    topic: str
    key: str
    value: bytes
    headers: tuple[Header, ...] = ()


def decode_kafka_record(data: bytes) -> KafkaRecord:
    """The record inside an egress message of the type `KAFKA_RECORD`.

    Raises:
        InvalidMessageError: If the bytes are no record.

    Source:
        kafka-egress.proto
    """
    try:
        record = _proto.KafkaProducerRecord.FromString(data)
    except (DecodeError, ValueError, RecursionError) as error:
        raise InvalidMessageError(f"{len(data)} bytes are no Kafka record: {error}") from error
    headers = tuple(
        Header(each.key, each.value if each.has_value else None) for each in record.headers
    )
    return KafkaRecord(record.topic, record.key, record.value_bytes, headers)


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
    if not topic:
        raise InvalidMessageError("a Kafka record needs a topic, got none")
    data = _record_value(value, value_type, "Kafka")
    record = b"" if key is None else _filled(b"\x0a", utf8(key, "the key of a Kafka record"))
    record += _filled(b"\x12", data)
    record += delimited(b"\x1a", utf8(topic, "the topic of a Kafka record"))
    if headers is not None:
        record += encode_headers(b"\x22", headers)
    return outgoing_egress_message(typename, encode_typed_value(KAFKA_RECORD, record))


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
    if not stream:
        raise InvalidMessageError("a Kinesis record needs a stream, got none")
    if partition_key is None:
        raise InvalidMessageError("a Kinesis record needs a partition key, got None")
    data = _record_value(value, value_type, "Kinesis")
    record = _filled(b"\x0a", utf8(partition_key, "the partition key of a Kinesis record"))
    record += _filled(b"\x12", data)
    record += delimited(b"\x1a", utf8(stream, "the stream of a Kinesis record"))
    if explicit_hash_key is not None:
        record += _filled(b"\x22", utf8(explicit_hash_key, "the hash key of a Kinesis record"))
    return outgoing_egress_message(typename, encode_typed_value(KINESIS_RECORD, record))


def _filled(tag: bytes, content: bytes) -> bytes:
    """A field, left out when it is empty, so that the record is in protobuf's canonical form."""
    return delimited(tag, content) if content else b""


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
                "pass bytes, or a value_type such as LongType"
            ) from error
    if sink == "Kafka" and isinstance(value, float):
        return struct.pack(">d", value)
    raise InvalidMessageError(
        f"a {sink} record cannot be made of {type(value).__name__}: pass bytes or text, "
        "or a value_type"
    )
