"""Records for Kafka and Kinesis."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from statefun.errors import (
    InvalidMessageError,
    InvalidTypenameError,
    NumberOutOfRangeError,
    SerializationError,
)
from statefun.sdk.egress import (
    KAFKA_RECORD,
    KINESIS_RECORD,
    kafka_egress_message,
    kinesis_egress_message,
)
from statefun.sdk.primitives import IntType, LongType
from statefun.sdk.types import make_json_type
from statefun.sdk.wire import Header, KafkaRecord, _proto, decode_kafka_record

if TYPE_CHECKING:
    from statefun.sdk.messages import EgressMessage

JSON = make_json_type("t/json")
TEXTS = st.text(st.characters(exclude_categories=["Cs"]))


def kafka_record(message: EgressMessage) -> _proto.KafkaProducerRecord:
    """The record as the engine's own parser reads it."""
    assert message.value_typename() == KAFKA_RECORD
    return _proto.KafkaProducerRecord.FromString(message.raw_value() or b"")


def kinesis_record(message: EgressMessage) -> _proto.KinesisEgressRecord:
    assert message.value_typename() == KINESIS_RECORD
    return _proto.KinesisEgressRecord.FromString(message.raw_value() or b"")


# --- Kafka ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "data"),
    [
        ("größe", "größe".encode()),
        ("", b""),
        (b"\x00\xff", b"\x00\xff"),
        (bytearray(b"ab"), b"ab"),
        (1, b"\x00\x00\x00\x01"),
        (-(2**31), b"\x80\x00\x00\x00"),
        (True, b"\x00\x00\x00\x01"),
        (1.5, struct.pack(">d", 1.5)),
    ],
)
def test_a_kafka_value_is_written_as_kafkas_own_serializers_do(value: Any, data: bytes) -> None:
    """Text, bytes, int and float need no type."""
    message = kafka_egress_message("t/kafka", "orders", value, key="Ada")

    assert message.typename == "t/kafka"
    assert kafka_record(message) == _proto.KafkaProducerRecord(
        topic="orders", key="Ada", value_bytes=data
    )


def test_a_kafka_value_can_have_a_type() -> None:
    """A type decides over the Python type of the value."""
    record = kafka_record(kafka_egress_message("t/kafka", "orders", {"a": 1}, JSON))

    assert record == _proto.KafkaProducerRecord(topic="orders", value_bytes=b'{"a": 1}')


@given(
    topic=TEXTS.filter(bool),
    key=st.none() | TEXTS,
    value=st.binary(),
    headers=st.lists(st.tuples(TEXTS, st.none() | st.binary())),
)
def test_a_kafka_record_reads_as_it_was_written(
    topic: str, key: str | None, value: bytes, headers: list[tuple[str, bytes | None]]
) -> None:
    """What a function puts into a record is what an egress finds, and what protobuf finds."""
    message = kafka_egress_message("t/kafka", topic, value, key=key, headers=headers)

    read = decode_kafka_record(message.raw_value() or b"")
    parsed = kafka_record(message)

    assert read == KafkaRecord(topic, key or "", value, tuple(Header(*each) for each in headers))
    assert [(each.key, each.value, each.has_value) for each in parsed.headers] == [
        (name, content or b"", content is not None) for name, content in headers
    ]


@pytest.mark.parametrize("value", [2**31, -(2**31) - 1])
def test_a_number_without_room_in_kafkas_format_is_refused(value: int) -> None:
    """The error says what to pass; it is a `struct.error` as it always was."""
    with pytest.raises(NumberOutOfRangeError) as caught:
        kafka_egress_message("t/kafka", "orders", value)

    assert str(caught.value) == (
        f"{value} does not fit Kafka's 32 bit integers: "
        "pass bytes, or a value_type such as LongType"
    )
    assert kafka_record(kafka_egress_message("t/kafka", "orders", value, LongType)).value_bytes


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("t/kafka", "", "v"), "a Kafka record needs a topic, got none"),
        (("t/kafka", None, "v"), "a Kafka record needs a topic, got none"),
        (("t/kafka", "orders", None), "a Kafka record needs a value, got None"),
        (
            ("t/kafka", "orders", {"a": 1}),
            "a Kafka record cannot be made of dict: pass bytes or text, or a value_type",
        ),
    ],
)
def test_a_kafka_record_needs_its_parts(arguments: Any, sentence: str) -> None:
    """What is missing is said by name."""
    with pytest.raises(InvalidMessageError) as caught:
        kafka_egress_message(*arguments)

    assert str(caught.value) == sentence


@pytest.mark.parametrize("typename", ["", "kafka", None])
def test_an_egress_has_a_typename(typename: Any) -> None:
    """Kafka and Kinesis alike."""
    with pytest.raises(InvalidTypenameError):
        kafka_egress_message(typename, "orders", "v")
    with pytest.raises(InvalidTypenameError):
        kinesis_egress_message(typename, "stream", "v", "key")


@pytest.mark.parametrize("key", [5, "\ud800", b"\xff"])
def test_a_kafka_key_is_text(key: Any) -> None:
    """What is no text cannot be a key, since the wire has a string for it."""
    with pytest.raises(SerializationError):
        kafka_egress_message("t/kafka", "orders", "v", key=key)


@pytest.mark.parametrize("data", [b"\xff", b"\x0a\x05a", b"\x0a\x01\xff"])
def test_bytes_of_no_kafka_record_are_refused(data: bytes) -> None:
    """An egress is told before it writes nonsense."""
    with pytest.raises(InvalidMessageError) as caught:
        decode_kafka_record(data)

    assert str(caught.value).startswith(f"{len(data)} bytes are not a Kafka record: ")


# --- Kinesis --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "record"),
    [
        (
            {"value": "größe", "partition_key": "k"},
            {"value_bytes": "größe".encode(), "partition_key": "k"},
        ),
        ({"value": b"\xff", "partition_key": ""}, {"value_bytes": b"\xff"}),
        (
            {"value": bytearray(b"a"), "partition_key": "k", "explicit_hash_key": "12"},
            {"value_bytes": b"a", "partition_key": "k", "explicit_hash_key": "12"},
        ),
        (
            {"value": {"a": 1}, "partition_key": "k", "value_type": JSON},
            {"value_bytes": b'{"a": 1}', "partition_key": "k"},
        ),
        (
            {"value": 1, "partition_key": "k", "value_type": IntType},
            {"value_bytes": b"\x0d\x01\0\0\0", "partition_key": "k"},
        ),
    ],
)
def test_a_kinesis_record_reads_as_it_was_written(
    arguments: dict[str, Any], record: dict[str, Any]
) -> None:
    """Text and bytes need no type."""
    message = kinesis_egress_message("t/kinesis", "stream", **arguments)

    assert message.typename == "t/kinesis"
    assert kinesis_record(message) == _proto.KinesisEgressRecord(stream="stream", **record)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("t/kinesis", "", "v", "k"), "a Kinesis record needs a stream, got none"),
        (("t/kinesis", "stream", None, "k"), "a Kinesis record needs a value, got None"),
        (("t/kinesis", "stream", "v", None), "a Kinesis record needs a partition key, got None"),
        (
            ("t/kinesis", "stream", 1, "k"),
            "a Kinesis record cannot be made of int: pass bytes or text, or a value_type",
        ),
    ],
)
def test_a_kinesis_record_needs_its_parts(arguments: Any, sentence: str) -> None:
    """Numbers need a type here: Kinesis has no serializers of its own."""
    with pytest.raises(InvalidMessageError) as caught:
        kinesis_egress_message(*arguments)

    assert str(caught.value) == sentence
