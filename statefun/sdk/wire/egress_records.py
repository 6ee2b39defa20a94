"""Egress records: the messages of the Kafka and the Kinesis egress of an engine.

Source:
    kafka-egress.proto, kinesis-egress.proto
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from google.protobuf.message import DecodeError

from statefun.errors import InvalidMessageError
from statefun.sdk.wire import _proto, tags
from statefun.sdk.wire.framing import delimited
from statefun.sdk.wire.python import encode_headers
from statefun.sdk.wire.records import Header, KafkaRecord, KinesisRecord
from statefun.sdk.wire.text import utf8

if TYPE_CHECKING:
    from statefun.sdk.wire.records import Headers

__all__ = [
    "decode_kafka_record",
    "decode_kinesis_record",
    "encode_kafka_record",
    "encode_kinesis_record",
]


def encode_kafka_record(
    topic: str, key: str | None, value: bytes, headers: Headers | None
) -> bytes:
    """A serialized KafkaProducerRecord; a key of None or of no text is a null key."""
    record = b""
    if key is not None:
        record = _filled(tags.KAFKA_KEY, utf8(key, "the key of a Kafka record"))
    record += _filled(tags.KAFKA_VALUE, value)
    record += delimited(tags.KAFKA_TOPIC, utf8(topic, "the topic of a Kafka record"))
    return record if headers is None else record + encode_headers(headers, tags.KAFKA_HEADERS)


def decode_kafka_record(data: bytes) -> KafkaRecord:
    """The record inside an egress message of the type `KAFKA_RECORD`.

    Raises:
        InvalidMessageError: If the bytes are not a record.
    """
    try:
        record = _proto.KafkaProducerRecord.FromString(data)
    except (DecodeError, ValueError, RecursionError) as error:
        raise InvalidMessageError(f"{len(data)} bytes are not a Kafka record: {error}") from error
    headers = tuple(
        Header(each.key, each.value if each.has_value else None) for each in record.headers
    )
    return KafkaRecord(record.topic, record.key, record.value_bytes, headers)


def encode_kinesis_record(
    stream: str, partition_key: str, value: bytes, explicit_hash_key: str | None
) -> bytes:
    """A serialized KinesisEgressRecord."""
    key = utf8(partition_key, "the partition key of a Kinesis record")
    record = _filled(tags.KINESIS_PARTITION_KEY, key)
    record += _filled(tags.KINESIS_VALUE, value)
    record += delimited(tags.KINESIS_STREAM, utf8(stream, "the stream of a Kinesis record"))
    if explicit_hash_key is not None:
        hash_key = utf8(explicit_hash_key, "the hash key of a Kinesis record")
        record += _filled(tags.KINESIS_HASH_KEY, hash_key)
    return record


def decode_kinesis_record(data: bytes) -> KinesisRecord:
    """Read a serialized KinesisEgressRecord.

    Raises:
        InvalidMessageError: If the bytes are not a record.
    """
    try:
        record = _proto.KinesisEgressRecord.FromString(data)
    except (DecodeError, ValueError, RecursionError) as error:
        raise InvalidMessageError(f"{len(data)} bytes are not a Kinesis record: {error}") from error
    return KinesisRecord(
        record.stream, record.partition_key, record.value_bytes, record.explicit_hash_key
    )


def _filled(tag: bytes, content: bytes) -> bytes:
    """A field, left out when it is empty, so that the record is in protobuf's canonical form."""
    return delimited(tag, content) if content else b""
