"""The Kafka egress, as far as the broker of librdkafka goes."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from statefun.connectors.kafka import KafkaEgress
from statefun.errors import ConfigurationError, InvalidMessageError
from statefun.ports import OutgoingRecord
from statefun.sdk.egress import KAFKA_RECORD, kafka_egress_message
from statefun.sdk.wire import encode_kafka_record, encode_typed_value
from tests.connectors.kafka.broker import PARTITIONS
from tests.runtime.driver import until

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tests.connectors.kafka.broker import Broker


class Delivered(list[int]):
    """The ids that an egress has reported."""

    def __call__(self, ids: Sequence[int]) -> None:
        self.extend(ids)


def record(record_id: int, topic: str, value: bytes, key: str = "", **more: Any) -> OutgoingRecord:
    content = encode_kafka_record(topic, key or None, value, more.get("headers"))
    return OutgoingRecord(record_id, encode_typed_value(KAFKA_RECORD, content))


async def test_records_are_written_in_order_and_reported(broker: Broker, topic: str) -> None:
    """Those of one key stand in one partition, in their order."""
    delivered = Delivered()
    egress = KafkaEgress("t/out", broker.address)
    await egress.start(delivered)
    egress.put(0, [record(3, topic, b"a", "k"), record(5, topic, b"b", "k")])
    egress.put(1, [record(9, topic, b"c", "k")])
    async with asyncio.timeout(20):
        await egress.flush()
    await egress.stop()

    assert sorted(delivered) == [3, 5, 9]
    found = broker.records(topic, 3)
    assert [(each.key(), each.value()) for each in found] == [
        (b"k", b"a"),
        (b"k", b"b"),
        (b"k", b"c"),
    ]


@pytest.mark.parametrize("key", ["a", "b", "customer-1", "žluť", "a-little-bit-long-string"])
async def test_a_key_goes_to_the_partition_of_java(broker: Broker, topic: str, key: str) -> None:
    """`toPositive(murmur2(key)) % 4`; librdkafka's own default would choose another one."""
    egress = KafkaEgress("t/out", broker.address)
    await egress.start(Delivered())
    egress.put(0, [record(1, topic, b"a", key)])
    async with asyncio.timeout(20):
        await egress.flush()
    await egress.stop()

    [found] = broker.records(topic, 1)
    assert found.partition() == (murmur2(key.encode()) & 0x7FFFFFFF) % PARTITIONS


@pytest.mark.parametrize(
    ("key", "expected"),
    [(b"21", -973932308), (b"foobar", -790332482), (b"a-little-bit-long-string", -985981536)],
)
def test_the_hash_of_java_is_written_down_right(key: bytes, expected: int) -> None:
    """The values that Kafka's own tests have."""
    assert murmur2(key) == expected & 0xFFFFFFFF


def murmur2(key: bytes) -> int:
    """The hash of keys of Java's client.

    Source:
        `Utils.murmur2` and `UtilsTest.testMurmur2` of Apache Kafka.
    """
    m, mask = 0x5BD1E995, 0xFFFFFFFF
    h = 0x9747B28C ^ len(key)
    whole = len(key) // 4 * 4
    for begin in range(0, whole, 4):
        k = int.from_bytes(key[begin : begin + 4], "little") * m & mask
        k = (k ^ k >> 24) * m & mask
        h = (h * m & mask) ^ k
    if rest := key[whole:]:
        h = (h ^ int.from_bytes(rest, "little")) * m & mask
    h = (h ^ h >> 13) * m & mask
    return h ^ h >> 15


async def test_headers_and_null_keys_arrive(broker: Broker, topic: str) -> None:
    """An empty key is a null key, as with the engine; the id of a record is a header if wanted."""
    egress = KafkaEgress("t/out", broker.address, record_id_header="record-id")
    await egress.start(Delivered())
    headers = [("a", b"1"), ("n", None), ("a", b"")]
    egress.put(0, [record(7, topic, b"", headers=headers)])
    async with asyncio.timeout(20):
        await egress.flush()
    await egress.stop()

    [found] = broker.records(topic, 1)
    *found_headers, (name, record_id) = list(found.headers() or ())
    assert (found.key(), found.value()) == (None, b"")
    assert found_headers == headers
    assert name == "record-id"
    assert str(record_id).endswith("-7'")


async def test_the_id_of_a_record_is_the_same_in_every_process(
    broker: Broker, topic: str, tmp_path: Path
) -> None:
    """As long as the data directory is."""
    for _ in range(2):
        egress = KafkaEgress("t/out", broker.address, data=tmp_path, record_id_header="id")
        await egress.start(Delivered())
        egress.put(0, [record(7, topic, b"x", "k")])
        async with asyncio.timeout(20):
            await egress.flush()
        await egress.stop()

    first, second = (each.headers() for each in broker.records(topic, 2))
    assert first == second


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        (encode_typed_value("t/text", b"x"), "use kafka_egress_message"),
        (record(1, "a b", b"").argument, "cannot be the name of a topic"),
        (record(1, "a", bytes(2 << 20)).argument, "has 2097216 bytes, and .* at most 1048576"),
    ],
)
def test_what_can_never_be_written_is_refused_before_its_turn_is_committed(
    argument: bytes, message: str
) -> None:
    """The policy of the function decides what becomes of its message: by default a dead letter."""
    with pytest.raises(InvalidMessageError, match=message):
        KafkaEgress("t/out", "a:1").accept(argument)


def test_the_largest_record_is_a_setting() -> None:
    """Java's `max.request.size`."""
    egress = KafkaEgress("t/out", "a:1", properties={"max.request.size": "3000000"})

    egress.accept(record(1, "a", bytes(2 << 20)).argument)


async def test_a_broker_that_is_not_there_pushes_back(caplog: pytest.LogCaptureFixture) -> None:
    """Records wait, it says so, and it has no room from some number on."""
    egress = KafkaEgress("t/out", "127.0.0.1:1")
    await egress.start(Delivered())
    try:
        assert egress.has_room
        egress.put(0, [record(number, "a", b"x") for number in range(10_000)])
        assert not egress.has_room
        await until(lambda: "it goes on trying" in caplog.text)
    finally:
        await egress.stop()


def test_a_delivery_is_one_of_two() -> None:
    """As the module file says it."""
    delivery: Any = "exactly"
    with pytest.raises(ConfigurationError, match="choose 'at-least-once' or 'exactly-once'"):
        KafkaEgress("t/out", "a:1", delivery=delivery)


def test_the_message_of_the_sdk_is_accepted() -> None:
    """The record of `kafka_egress_message`."""
    message = kafka_egress_message("t/out", topic="a", key="k", value=b"v")

    KafkaEgress("t/out", "a:1").accept(message.typed_value.SerializeToString())
