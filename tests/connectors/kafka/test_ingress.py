"""The Kafka ingress, as far as the broker of librdkafka goes."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

import pytest

from statefun.connectors.kafka import InvalidRecords, KafkaIngress, KafkaTopic, Start
from statefun.errors import AddressBusyError, ConfigurationError, StatefunError, StoreError
from statefun.ports import IngressMessage, Source
from statefun.sdk.address import Address
from statefun.sdk.wire import encode_typed_value
from statefun.testing.ports import FakeIntake
from tests.runtime.driver import until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from statefun.ports import Position
    from tests.connectors.kafka.broker import Broker

PATIENCE_S = 20.0


class Ingresses:
    """Ingresses of one test, on one intake; all are stopped at its end."""

    def __init__(self, broker: Broker, topic: str, intake: FakeIntake) -> None:
        self.intake = intake
        self._broker = broker
        self._topic = topic
        self._running: list[KafkaIngress] = []

    async def start(
        self,
        start: Start | None = None,
        *,
        topics: Sequence[KafkaTopic] = (),
        invalid: InvalidRecords | None = None,
        forward_headers: bool = False,
        group: str = "group",
    ) -> KafkaIngress:
        own = KafkaTopic(
            self._topic, "t/order", ("t/a",), forward_headers, invalid or InvalidRecords()
        )
        ingress = KafkaIngress(
            "t/in", topics or [own], address=self._broker.address, group_id=group, start=start
        )
        await ingress.start(self.intake)
        self._running.append(ingress)
        return ingress

    async def stop(self) -> None:
        while self._running:
            await self._running.pop().stop()

    async def begun(self) -> None:
        """Wait until the places where it begins are durable."""
        await until(lambda: f"t/in/{self._topic}" in self.intake.positions)

    async def has(self, count: int) -> None:
        async with asyncio.timeout(PATIENCE_S):
            await self.intake.has(count)

    async def at(self, partition: int, offset: int) -> None:
        """Wait until a position is durable."""
        name = f"t/in/{self._topic}/{partition}"
        await until(lambda: self.intake.positions.get(name) == b"%d" % offset)


class PickyIntake(FakeIntake):
    """An intake that refuses messages for some ids.

    Attributes:
        refused: Id → what is raised.
    """

    def __init__(self) -> None:
        super().__init__()
        self.refused: dict[str, StatefunError] = {}

    async def deliver(
        self, messages: Sequence[IngressMessage], position: Position | None = None
    ) -> None:
        for message in messages:
            if message.target.id in self.refused:
                raise self.refused[message.target.id]
        await super().deliver(messages, position)


@pytest.fixture
def intake() -> PickyIntake:
    return PickyIntake()


@pytest.fixture
async def ingresses(broker: Broker, topic: str, intake: PickyIntake) -> AsyncIterator[Ingresses]:
    found = Ingresses(broker, topic, intake)
    yield found
    await found.stop()


def ids(intake: FakeIntake) -> list[str]:
    return [each.target.id for each in intake.messages]


def numbered(*numbers: int) -> list[tuple[bytes, bytes]]:
    return [(b"%d" % each, b"v%d" % each) for each in numbers]


# --- records --------------------------------------------------------------------------------------


async def test_a_record_becomes_a_message_for_each_target(
    broker: Broker, topic: str, ingresses: Ingresses, intake: PickyIntake
) -> None:
    """The key is the id, the value the value; all of them with one position."""
    broker.produce(topic, [("klíč".encode(), b"\x00\xff"), (b"\xff", b""), (b"", b"x")])
    await ingresses.start(Start("earliest"), topics=[KafkaTopic(topic, "t/order", ("t/a", "t/b"))])
    await ingresses.at(0, 3)

    assert intake.messages == [
        IngressMessage(Address(target, key), encode_typed_value("t/order", value), "", topic)
        for key, value in (("klíč", b"\x00\xff"), ("\ufffd", b""), ("", b"x"))
        for target in ("t/a", "t/b")
    ]


async def test_headers_reach_functions_if_the_topic_says_so(
    broker: Broker, topic: str, ingresses: Ingresses, intake: PickyIntake
) -> None:
    """In order, with duplicates and null values."""
    headers: list[tuple[str, str | bytes | None]] = [("a", b"1"), ("n", None), ("a", b"")]
    broker.produce(topic, [(b"k", b"v")], headers=headers)
    await ingresses.start(Start("earliest"), forward_headers=True)
    await ingresses.has(1)

    [message] = intake.messages
    assert message.argument == encode_typed_value(
        "t/order", b"v", [("a", b"1"), ("n", None), ("a", b"")]
    )


async def test_several_topics_and_partitions_are_read(
    broker: Broker, topic: str, ingresses: Ingresses, intake: PickyIntake
) -> None:
    """Each with its targets."""
    other = f"{topic}-other"
    broker.make(other)
    for partition in range(4):
        broker.produce(topic, numbered(partition), partition=partition)
    broker.produce(other, numbered(9), partition=3)
    topics = [KafkaTopic(topic, "t/order", ("t/a",)), KafkaTopic(other, "t/order", ("t/b",))]
    await ingresses.start(Start("earliest"), topics=topics)
    await ingresses.has(5)

    assert sorted(each.target for each in intake.messages) == [
        *(Address("t/a", str(number)) for number in range(4)),
        Address("t/b", "9"),
    ]


# --- where to begin -------------------------------------------------------------------------------


async def test_a_restart_goes_on_behind_what_is_durable(
    broker: Broker, topic: str, ingresses: Ingresses, intake: PickyIntake
) -> None:
    """Whatever the start says, and each record once."""
    broker.produce(topic, numbered(1, 2))
    await ingresses.start(Start("earliest"))
    await ingresses.at(0, 2)
    await ingresses.stop()
    broker.produce(topic, numbered(3))

    await ingresses.start(Start("latest"))
    await ingresses.has(3)

    assert ids(intake) == ["1", "2", "3"]


async def test_latest_does_not_move_while_no_record_comes(
    broker: Broker, topic: str, ingresses: Ingresses, intake: PickyIntake
) -> None:
    """The place is durable before the first record is there."""
    broker.produce(topic, numbered(1))
    await ingresses.start(Start("latest"))
    await ingresses.begun()
    await ingresses.stop()
    broker.produce(topic, numbered(2))

    await ingresses.start(Start("latest"))
    await ingresses.has(1)

    assert ids(intake) == ["2"]


async def test_a_start_at_offsets_names_partitions(
    broker: Broker, topic: str, ingresses: Ingresses, intake: PickyIntake
) -> None:
    """Others begin where the group is, or else where `otherwise` says."""
    for partition in (0, 1):
        broker.produce(topic, numbered(1, 2, 3), partition=partition)
    await ingresses.start(Start("offsets", "earliest", offsets={(topic, 0): 2}))
    await ingresses.has(4)

    assert sorted(ids(intake)) == ["1", "2", "3", "3"]


async def test_a_start_at_the_group_takes_over_what_it_has_committed(
    broker: Broker, topic: str, ingresses: Ingresses, intake: PickyIntake
) -> None:
    """The ingress itself tells the group how far it has come."""
    broker.produce(topic, numbered(1, 2))
    await ingresses.start(Start("earliest"), group="taken-over")
    await ingresses.at(0, 2)
    await ingresses.stop()
    broker.produce(topic, numbered(3))
    intake.positions.clear()
    intake.messages.clear()

    await ingresses.start(Start("group", "earliest"), group="taken-over")
    await ingresses.has(1)

    assert ids(intake) == ["3"]


async def test_a_partition_of_a_known_topic_is_read_from_its_beginning(
    broker: Broker, topic: str, ingresses: Ingresses, intake: PickyIntake
) -> None:
    """It is new: whatever stands in it has come since."""
    await ingresses.start(Start("latest"))
    await ingresses.begun()
    await ingresses.stop()
    broker.produce(topic, numbered(1), partition=2)
    del intake.positions[f"t/in/{topic}/2"]  # as if the partition had not been there

    await ingresses.start(Start("latest"))
    await ingresses.has(1)

    assert ids(intake) == ["1"]


# --- refusals -------------------------------------------------------------------------------------


async def test_a_busy_address_holds_up_its_partition_alone(
    broker: Broker, topic: str, ingresses: Ingresses, intake: PickyIntake
) -> None:
    """Records before it are taken in, those behind it wait, other partitions go on."""
    intake.refused["busy"] = AddressBusyError("full")
    broker.produce(topic, [*numbered(*range(5)), (b"busy", b""), *numbered(6)])
    broker.produce(topic, numbered(10, 11), partition=1)
    await ingresses.start(Start("earliest"))
    await ingresses.at(0, 5)
    await ingresses.at(1, 2)
    meanwhile = set(ids(intake))

    intake.refused.clear()
    await ingresses.at(0, 7)

    assert meanwhile == {"0", "1", "2", "3", "4", "10", "11"}
    assert [each for each in ids(intake) if len(each) != 2] == [*"01234", "busy", "6"]


async def test_while_nothing_can_be_stored_nothing_is_taken_in(
    broker: Broker, topic: str, ingresses: Ingresses, intake: PickyIntake
) -> None:
    """Nor lost; not even the place to begin at."""
    intake.error = StoreError("the disk is full")
    broker.produce(topic, numbered(1))
    await ingresses.start(Start("earliest"))
    intake.error = None
    await ingresses.at(0, 1)
    intake.error = StoreError("the disk is full")
    broker.produce(topic, numbered(2))
    intake.error = None
    await ingresses.at(0, 2)

    assert ids(intake) == ["1", "2"]


async def test_a_long_queue_pauses_its_partition_and_loses_nothing(
    broker: Broker, topic: str, ingresses: Ingresses, intake: PickyIntake
) -> None:
    """What was fetched meanwhile is fetched again."""
    intake.refused["0"] = AddressBusyError("full")
    broker.produce(topic, numbered(*range(3000)))
    broker.produce(topic, numbered(3000), partition=1)
    await ingresses.start(Start("earliest"))
    await ingresses.has(1)

    intake.refused.clear()
    await ingresses.at(0, 3000)

    assert [each for each in ids(intake) if each != "3000"] == [str(n) for n in range(3000)]


async def test_nothing_is_delivered_while_it_is_paused(
    broker: Broker, topic: str, ingresses: Ingresses, intake: PickyIntake
) -> None:
    """And everything after that."""
    ingress = await ingresses.start(Start("earliest"))
    await ingresses.begun()
    ingress.pause()
    broker.produce(topic, numbered(1))
    broker.produce(topic, numbered(2), partition=1)
    ingress.resume()
    await ingresses.has(2)

    assert sorted(ids(intake)) == ["1", "2"]


async def test_an_ingress_says_how_far_it_has_come(
    broker: Broker, topic: str, ingresses: Ingresses, intake: PickyIntake
) -> None:
    """Its position in each partition, and how much there is."""
    broker.produce(topic, numbered(1, 2, 3), partition=1)
    ingress = await ingresses.start(Start("earliest"))
    await ingresses.at(1, 3)
    await until(lambda: all(each.lag == 0 for each in ingress.sources()))

    assert ingress.sources() == [
        Source(f"t/in/{topic}/{partition}", 3 * (partition == 1), 3 * (partition == 1))
        for partition in range(4)
    ]


# --- invalid records ------------------------------------------------------------------------------

INVALID: list[tuple[bytes | None, bytes | None]] = [
    (b"1", b"v"),
    (None, b"keyless"),
    (b"gone", None),
    (b"2", b"v"),
]


async def test_an_invalid_record_stops_its_partition(
    broker: Broker,
    topic: str,
    ingresses: Ingresses,
    intake: PickyIntake,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """With a sentence that says where it is; others go on."""
    broker.produce(topic, INVALID)
    broker.produce(topic, numbered(7), partition=1)
    await ingresses.start(Start("earliest"))
    await ingresses.has(2)
    await until(lambda: "stands still" in caplog.text)

    assert sorted(ids(intake)) == ["1", "7"]
    assert f"defect [NULL_KEY], topic [{topic}], partition [0], offset [1]" in caplog.text


async def test_an_invalid_record_is_skipped_if_the_topic_says_so(
    broker: Broker,
    topic: str,
    ingresses: Ingresses,
    intake: PickyIntake,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The log has a line for each, at the level of the topic."""
    caplog.set_level(logging.INFO)
    broker.produce(topic, INVALID)
    await ingresses.start(Start("earliest"), invalid=InvalidRecords("skip", "info"))
    await ingresses.at(0, 4)

    assert ids(intake) == ["1", "2"]
    lines = [each for each in caplog.records if "skipping" in each.getMessage()]
    assert [(each.levelname, each.getMessage().split(", timestamp")[0]) for each in lines] == [
        ("INFO", f"t/in: skipping invalid record: defect [{defect}], topic [{topic}], {place}")
        for defect, place in (
            ("NULL_KEY", "partition [0], offset [1]"),
            ("NULL_VALUE", "partition [0], offset [2]"),
        )
    ]


async def test_an_invalid_record_is_forwarded_if_the_topic_says_so(
    broker: Broker, topic: str, ingresses: Ingresses, intake: PickyIntake
) -> None:
    """To a function that is told what is wrong; headers with its prefix are not believed."""
    headers: list[tuple[str, str | bytes | None]] = [("statefun.invalid/defect", b"none")]
    broker.produce(topic, [(None, b"x")], headers=headers, timestamp_ms=1_580_530_500_000)
    await ingresses.start(Start("earliest"), invalid=InvalidRecords("forward", "warn", "t/bad"))
    await ingresses.has(1)

    facts = {
        "kafka.topic": topic,
        "kafka.partition": "0",
        "kafka.offset": "0",
        "kafka.timestamp": "1580530500000",
        "defect": "NULL_KEY",
        "key": "",
    }
    expected = [(f"statefun.invalid/{name}", text.encode()) for name, text in facts.items()]
    assert intake.messages == [
        IngressMessage(
            Address("t/bad", "none"), encode_typed_value("t/order", b"x", expected), "", topic
        )
    ]


# --- settings -------------------------------------------------------------------------------------


def test_an_ingress_needs_an_address_and_a_group() -> None:
    """From its arguments, or from its properties."""
    topics = [KafkaTopic("a", "t/order", ("t/a",))]
    with pytest.raises(ConfigurationError, match=r"needs 'bootstrap.servers'"):
        KafkaIngress("t/in", topics, group_id="g")
    with pytest.raises(ConfigurationError, match=r"needs 'group.id'"):
        KafkaIngress("t/in", topics, address="a:1")
    KafkaIngress("t/in", topics, properties={"bootstrap.servers": "a:1", "group.id": "g"})


async def test_a_broker_that_is_not_there_is_told_and_tried_again(
    intake: PickyIntake, caplog: pytest.LogCaptureFixture
) -> None:
    """Starting does not wait for it."""
    topics = [KafkaTopic("a", "t/order", ("t/a",))]
    ingress = KafkaIngress("t/in", topics, address="127.0.0.1:1", group_id="g")
    await ingress.start(intake)
    try:
        await until(lambda: "it goes on trying" in caplog.text)
    finally:
        await ingress.stop()

    assert "ingress t/in, Kafka at 127.0.0.1:1: " in caplog.text
