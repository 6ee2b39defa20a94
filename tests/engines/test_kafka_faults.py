"""The Kafka connectors under faults, with a real broker: kills, limits, topics that change."""

from __future__ import annotations

import asyncio
import shutil
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
import trustme
from confluent_kafka import Producer
from confluent_kafka.admin import (  # type: ignore[attr-defined] # they are there
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
)
from confluent_kafka.cimpl import NewPartitions, NewTopic
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from statefun.connectors.kafka import KafkaEgress, KafkaIngress, KafkaTopic, Start
from statefun.ports import OutgoingRecord
from statefun.runtime import Runtime
from statefun.sdk.egress import KAFKA_RECORD
from statefun.sdk.wire import encode_kafka_record, encode_typed_value
from statefun.testing.ports import FakeIntake
from tests.engines.kafka_shop import functions
from tests.engines.topics import Reader, make_topics, produce
from tests.runtime.driver import until
from tests.tools.lab import SHORT_LIVED, Kafka
from tests.tools.lab.server import free_port

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

pytestmark = [pytest.mark.engines, pytest.mark.timeout(180)]

QUICKLY = {"flink.partition-discovery.interval-millis": "200"}


@pytest.fixture(scope="module")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kafka]:
    with Kafka(tmp_path_factory.mktemp("kafka"), java_flags=SHORT_LIVED) as kafka:
        yield kafka


def shop_ingress(kafka: Kafka, topic: str, **more: Any) -> KafkaIngress:
    return KafkaIngress(
        "shop/in",
        [KafkaTopic(topic, "shop/order", ("shop/count",))],
        address=kafka.bootstrap,
        group_id="shop",
        start=more.pop("start", Start("earliest")),
        properties=more.pop("properties", QUICKLY),
    )


@asynccontextmanager
async def shop(
    kafka: Kafka, topic: str, data: Path, *, delivery: Any = "exactly-once"
) -> AsyncIterator[Runtime]:
    """Counts orders of a topic into the topic `counts`."""
    egress = KafkaEgress("shop/out", kafka.bootstrap, delivery=delivery, data=data)
    async with Runtime(
        functions, data=data, ingresses=[shop_ingress(kafka, topic)], egresses=[egress]
    ) as runtime:
        yield runtime


async def committed(kafka: Kafka, topic: str, count: int, patience_s: float = 90) -> list[str]:
    """The values of so many committed records; then nothing more comes."""
    found: list[str] = []
    with Reader(kafka.bootstrap, topic) as reader:
        async with asyncio.timeout(patience_s):
            while len(found) < count:
                records = await asyncio.to_thread(reader.records)
                found += [(record.value() or b"").decode() for record in records]
        assert reader.records() == []
    return found


# --- brokers that die -----------------------------------------------------------------------------


@pytest.mark.parametrize("stop", ["kill", "stop"])
async def test_readers_see_each_record_once_although_the_broker_dies(
    tmp_path: Path, stop: str
) -> None:
    """In the middle of transactions; the runtime goes on when the broker is back."""
    with Kafka(tmp_path / "kafka", java_flags=SHORT_LIVED) as kafka:
        make_topics(kafka.bootstrap, {"orders": 2, "counts": 2})
        produce(kafka.bootstrap, "orders", [("a", b"%d" % n) for n in range(300)])
        async with shop(kafka, "orders", tmp_path / "data"):
            await committed(kafka, "counts", 300)
            produce(kafka.bootstrap, "orders", [("a", b"%d" % n) for n in range(300, 3000)])
            await asyncio.to_thread(getattr(kafka.processes.pop("kafka"), stop))
            await asyncio.to_thread(kafka.launch)
            found = await committed(kafka, "counts", 3000)

    assert found == [f"{n + 1}:{n}" for n in range(3000)]


# --- records that the broker refuses --------------------------------------------------------------


@pytest.mark.parametrize("delivery", ["at-least-once", "exactly-once"])
async def test_a_record_that_is_too_large_for_its_topic_is_kept(
    kafka: Kafka, tmp_path: Path, delivery: str, caplog: pytest.LogCaptureFixture
) -> None:
    """The log says its size, the store has it, and others go on; also after a restart."""
    admin = AdminClient({"bootstrap.servers": kafka.bootstrap})
    orders = f"large-{delivery}"
    make_topics(kafka.bootstrap, {orders: 1})
    new = NewTopic("counts", 1, config={"max.message.bytes": "1000"})
    for made in admin.create_topics([new]).values():
        made.exception(30)  # it may be there
    alter = ConfigResource("topic", "counts")
    alter.add_incremental_config(
        ConfigEntry("max.message.bytes", "1000", incremental_operation=AlterConfigOpType.SET)
    )
    for altered in admin.incremental_alter_configs([alter]).values():
        altered.result(30)
    before = len(await everything(kafka, "counts"))
    produce(kafka.bootstrap, orders, [("a", b"x"), ("a", bytes(5000)), ("a", b"y")])

    async with shop(kafka, orders, tmp_path, delivery=delivery):
        await committed(kafka, "counts", before + 2)
        await until(lambda: "does not take its 5003 bytes" in caplog.text)
    caplog.clear()
    produce(kafka.bootstrap, orders, [("a", b"z")])
    async with shop(kafka, orders, tmp_path, delivery=delivery):
        found = await committed(kafka, "counts", before + 3)
        await until(lambda: "keeps record" in caplog.text)

    assert found[before:] == ["1:x", "3:y", "4:z"]


async def everything(kafka: Kafka, topic: str) -> list[str]:
    with Reader(kafka.bootstrap, topic) as reader:
        records = await asyncio.to_thread(
            lambda: [each for _ in range(3) for each in reader.records()]
        )
    return [(record.value() or b"").decode() for record in records]


async def test_what_was_written_before_a_crash_is_not_written_again(
    kafka: Kafka, tmp_path: Path
) -> None:
    """The process died between the broker's commit and its own; the position tells them apart."""
    make_topics(kafka.bootstrap, {"forgotten": 1})
    records = [outgoing(number, "forgotten") for number in range(1, 6)]
    reported: list[list[int]] = []
    for put in (records[:3], records):
        ids: list[int] = []
        egress = KafkaEgress("shop/out", kafka.bootstrap, delivery="exactly-once", data=tmp_path)
        await egress.start(ids.extend)
        egress.put(0, put)
        async with asyncio.timeout(60):
            await egress.flush()
        await egress.stop()
        reported.append(ids)

    assert reported == [[1, 2, 3], [1, 2, 3, 4, 5]]
    assert await committed(kafka, "forgotten", 5) == ["1", "2", "3", "4", "5"]


async def test_a_second_process_on_a_copy_fences_the_first(kafka: Kafka, tmp_path: Path) -> None:
    """What the first was about to write does not count; it makes a new producer and goes on."""
    make_topics(kafka.bootstrap, {"fenced": 1})
    ids: list[int] = []
    egresses = [
        KafkaEgress("shop/out", kafka.bootstrap, delivery="exactly-once", data=tmp_path)
        for _ in range(2)
    ]
    try:
        for number, egress in enumerate(egresses, 1):
            await egress.start(ids.extend)
            egress.put(number, [outgoing(number, "fenced")])
            await until(lambda: number in ids)  # noqa: B023
        egresses[0].put(3, [outgoing(3, "fenced")])
        await until(lambda: 3 in ids)
    finally:
        for egress in egresses:
            await egress.stop()

    assert await committed(kafka, "fenced", 3) == ["1", "2", "3"]


def outgoing(number: int, topic: str) -> OutgoingRecord:
    content = encode_kafka_record(topic, "k", b"%d" % number, None)
    return OutgoingRecord(number, encode_typed_value(KAFKA_RECORD, content))


async def test_an_older_copy_of_the_data_directory_loses_no_new_record(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Its numbers come again, so what has them is not taken for written."""
    with Kafka(tmp_path / "kafka", java_flags=SHORT_LIVED) as kafka:
        make_topics(kafka.bootstrap, {"orders": 1, "counts": 1})
        produce(kafka.bootstrap, "orders", [("a", b"1")])
        async with shop(kafka, "orders", tmp_path / "data"):
            await committed(kafka, "counts", 1)
        shutil.copytree(tmp_path / "data", tmp_path / "copy")
        produce(kafka.bootstrap, "orders", [("a", b"2"), ("a", b"3"), ("a", b"4")])
        async with shop(kafka, "orders", tmp_path / "data"):
            await committed(kafka, "counts", 4)
        async with shop(kafka, "orders", tmp_path / "copy"):
            found = await committed(kafka, "counts", 7)

    assert found == ["1:1", *["2:2", "3:3", "4:4"] * 2]
    assert "older than what was written" in caplog.text


# --- topics that change ---------------------------------------------------------------------------


class Reading:
    """An ingress without a runtime."""

    def __init__(self, kafka: Kafka, topic: str, intake: FakeIntake) -> None:
        self._ingress = shop_ingress(kafka, topic)
        self.intake = intake

    async def __aenter__(self) -> FakeIntake:
        await self._ingress.start(self.intake)
        return self.intake

    async def __aexit__(self, *_: object) -> None:
        await self._ingress.stop()


async def test_a_partition_that_is_added_is_read_from_its_beginning(kafka: Kafka) -> None:
    """While the ingress runs, and whatever came before it was noticed."""
    make_topics(kafka.bootstrap, {"grows": 1})
    admin = AdminClient({"bootstrap.servers": kafka.bootstrap})
    async with Reading(kafka, "grows", FakeIntake()) as intake:
        produce(kafka.bootstrap, "grows", [("a", b"1")])
        await intake.has(1)
        for made in admin.create_partitions([NewPartitions("grows", 3)]).values():
            made.result(30)
        producer = Producer({"bootstrap.servers": kafka.bootstrap})
        producer.produce("grows", b"2", b"b", partition=2)
        producer.flush(30)
        async with asyncio.timeout(60):
            await intake.has(2)

    assert [each.target.id for each in intake.messages] == ["a", "b"]


async def test_a_topic_that_is_made_anew_is_noticed(
    kafka: Kafka, caplog: pytest.LogCaptureFixture
) -> None:
    """Its partitions stand still: a jump would lose records, or read others twice."""
    intake = FakeIntake()
    make_topics(kafka.bootstrap, {"anew": 1})
    async with Reading(kafka, "anew", intake):
        produce(kafka.bootstrap, "anew", [("a", b"1"), ("a", b"2")])
        await intake.has(2)
    await remake(kafka, "anew")
    produce(kafka.bootstrap, "anew", [("b", b"%d" % n) for n in range(5)])

    async with Reading(kafka, "anew", intake):
        await until(lambda: "the topic was deleted and made anew" in caplog.text)

    assert "partition 0 of topic anew stands still at offset 2" in caplog.text
    assert len(intake.messages) == 2


async def remake(kafka: Kafka, topic: str) -> None:
    admin = AdminClient({"bootstrap.servers": kafka.bootstrap})
    for deleted in admin.delete_topics([topic]).values():
        deleted.result(30)
    async with asyncio.timeout(60):
        while True:
            [made] = admin.create_topics([NewTopic(topic, 1)]).values()
            if made.exception(30) is None:
                return
            await asyncio.sleep(0.1)


async def test_an_offset_that_is_gone_stops_its_partition(
    kafka: Kafka, caplog: pytest.LogCaptureFixture
) -> None:
    """It does not jump to another place in silence."""
    make_topics(kafka.bootstrap, {"gone": 1})
    produce(kafka.bootstrap, "gone", [("a", b"1")])
    intake = FakeIntake()
    async with Reading(kafka, "gone", intake):
        await intake.has(1)
    intake.positions["shop/in/gone/0"] = b"7"

    async with Reading(kafka, "gone", intake):
        await until(lambda: "stands still at offset 7" in caplog.text)

    assert len(intake.messages) == 1


async def test_a_topic_that_appears_later_is_read(
    kafka: Kafka, caplog: pytest.LogCaptureFixture
) -> None:
    """Until then the log says that it is missing, and it is not made by asking for it."""
    async with Reading(kafka, "later", FakeIntake()) as intake:
        await until(lambda: "topic 'later' cannot be read" in caplog.text)
        make_topics(kafka.bootstrap, {"later": 1})
        produce(kafka.bootstrap, "later", [("a", b"1")])
        async with asyncio.timeout(60):
            await intake.has(1)


async def test_a_start_at_a_time_begins_with_the_first_record_from_then_on(kafka: Kafka) -> None:
    """A partition with older records only begins at its end."""
    make_topics(kafka.bootstrap, {"times": 2})
    producer = Producer({"bootstrap.servers": kafka.bootstrap})
    for partition, times in ((0, (1000, 2000, 3000)), (1, (1000,))):
        for timestamp_ms in times:
            value = str(timestamp_ms).encode()
            producer.produce("times", value, b"k", partition, timestamp=timestamp_ms)
    producer.flush(30)
    intake = FakeIntake()
    ingress = shop_ingress(kafka, "times", start=Start("time", timestamp_ms=2000))
    await ingress.start(intake)
    try:
        await intake.has(2)
    finally:
        await ingress.stop()

    assert intake.positions["shop/in/times/1"] == b"1"
    assert len(intake.messages) == 2


async def test_aborted_records_are_read_as_java_reads_them(kafka: Kafka) -> None:
    """Uncommitted by default; `isolation.level` says otherwise."""
    make_topics(kafka.bootstrap, {"aborted": 1})
    producer = Producer({"bootstrap.servers": kafka.bootstrap, "transactional.id": "t"})
    producer.init_transactions(30)
    producer.begin_transaction()
    producer.produce("aborted", b"no", b"no")
    producer.flush(30)
    producer.abort_transaction(30)
    produce(kafka.bootstrap, "aborted", [("yes", b"yes")])
    found = []
    for properties in (QUICKLY, {**QUICKLY, "isolation.level": "read_committed"}):
        intake = FakeIntake()
        ingress = shop_ingress(kafka, "aborted", properties=properties)
        await ingress.start(intake)
        try:
            await until(lambda: any(each.target.id == "yes" for each in intake.messages))  # noqa: B023
        finally:
            await ingress.stop()
        found.append([each.target.id for each in intake.messages])

    assert found == [["no", "yes"], ["yes"]]


# --- TLS and passwords ----------------------------------------------------------------------------

LOGIN = "org.apache.kafka.common.security.plain.PlainLoginModule"
SECURE = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:$controller_port
listeners=SASL_SSL://127.0.0.1:$port,PLAINTEXT://127.0.0.1:INNER,CONTROLLER://127.0.0.1:$controller_port
advertised.listeners=SASL_SSL://127.0.0.1:$port,PLAINTEXT://127.0.0.1:INNER
inter.broker.listener.name=PLAINTEXT
controller.listener.names=CONTROLLER
listener.security.protocol.map=SASL_SSL:SASL_SSL,PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
log.dirs=$workdir/data
num.partitions=$partitions
offsets.topic.replication.factor=1
offsets.topic.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=1
group.initial.rebalance.delay.ms=0
log.cleaner.enable=false
sasl.enabled.mechanisms=PLAIN
listener.name.sasl_ssl.plain.sasl.jaas.config=$login user_me="secret";
ssl.keystore.type=PEM
ssl.keystore.location=$workdir/server.pem
"""


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def guarded(
    tmp_path_factory: pytest.TempPathFactory, authority: trustme.CA
) -> Iterator[tuple[Kafka, str]]:
    """A broker that asks for TLS and a password, and its address for the tests themselves."""
    folder = tmp_path_factory.mktemp("guarded")
    issued = authority.issue_cert("127.0.0.1")
    key = load_pem_private_key(issued.private_key_pem.bytes(), None)
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    pem += b"".join(each.bytes() for each in issued.cert_chain_pems)
    (folder / "server.pem").write_bytes(pem)
    authority.cert_pem.write_to_path(folder / "ca.pem")
    inner = free_port()
    properties = SECURE.replace("INNER", str(inner)).replace("$login", f"{LOGIN} required")
    with Kafka(folder, properties=properties, java_flags=SHORT_LIVED) as kafka:
        yield kafka, f"127.0.0.1:{inner}"


def login(password: str) -> str:
    return f'{LOGIN} required username="me" password="{password}";'


def secure(kafka: Kafka, password: str = "secret") -> dict[str, str]:
    return {
        **QUICKLY,
        "security.protocol": "SASL_SSL",
        "sasl.mechanism": "PLAIN",
        "sasl.jaas.config": login(password),
        "ssl.truststore.location": str(kafka.folder / "ca.pem"),
        "ssl.truststore.type": "PEM",
    }


async def test_a_broker_with_tls_and_a_password_is_read_and_written(
    guarded: tuple[Kafka, str], tmp_path: Path
) -> None:
    """With the properties of Java's client, as a module file has them."""
    kafka, inner = guarded
    make_topics(inner, {"orders": 1, "counts": 1})
    produce(inner, "orders", [("a", b"x"), ("a", b"y")])
    properties = {key: value for key, value in secure(kafka).items() if key not in QUICKLY}
    egress = KafkaEgress(
        "shop/out",
        kafka.bootstrap,
        delivery="exactly-once",
        properties=properties,
        data=tmp_path,
    )
    ingress = shop_ingress(kafka, "orders", properties=secure(kafka))
    found: list[str] = []
    async with Runtime(functions, data=tmp_path, ingresses=[ingress], egresses=[egress]):
        with Reader(inner, "counts") as reader:
            async with asyncio.timeout(60):
                while len(found) < 2:
                    records = await asyncio.to_thread(reader.records)
                    found += [(record.value() or b"").decode() for record in records]

    assert found == ["1:x", "2:y"]


async def test_a_wrong_password_is_a_sentence(
    guarded: tuple[Kafka, str], caplog: pytest.LogCaptureFixture
) -> None:
    """Within seconds, without the password."""
    kafka, _ = guarded
    ingress = shop_ingress(kafka, "orders", properties=secure(kafka, "not-it"))
    await ingress.start(FakeIntake())
    try:
        await until(lambda: "check user name, password" in caplog.text)
    finally:
        await ingress.stop()

    assert "not-it" not in caplog.text
