"""The Kinesis egress, on the service as it is documented."""

from __future__ import annotations

import logging
from collections import Counter, deque
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from statefun.connectors.kinesis import KinesisEgress, Pace
from statefun.connectors.kinesis.service import Entry
from statefun.errors import InvalidMessageError
from statefun.ports import OutgoingRecord
from statefun.sdk.egress import kafka_egress_message, kinesis_egress_message
from tests.connectors.kinesis.service import FakeKinesis

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

PACE = Pace(*[timedelta(milliseconds=1)] * 4)


def argument(key: str, value: str, *, stream: str = "out", hash_key: str | None = None) -> bytes:
    """What a function sends to the egress."""
    message = kinesis_egress_message(
        "t/out", stream, value, partition_key=key, explicit_hash_key=hash_key
    )
    return message.argument()


class Running:
    """An egress that writes."""

    def __init__(self, cloud: FakeKinesis, **options: Any) -> None:
        self.cloud = cloud
        self.delivered: list[int] = []
        self.egress = KinesisEgress("t/out", lambda: cloud, pace=PACE, **options)

    async def start(self) -> None:
        await self.egress.start(self.delivered.extend)

    def put(self, first_id: int, *pairs: tuple[str, str]) -> None:
        records = [
            OutgoingRecord(first_id + index, argument(key, value))
            for index, (key, value) in enumerate(pairs)
        ]
        self.egress.put(1, records)


@pytest.fixture
async def running() -> AsyncIterator[Running]:
    """An egress on a stream with two shards."""
    made = Running(FakeKinesis(shards=2))
    await made.start()
    yield made
    await made.egress.stop()


async def test_records_are_written_with_their_keys(running: Running) -> None:
    """And reported; different keys may go in one call."""
    running.put(1, ("a", "1"), ("b", "2"), ("c", "3"))

    await running.egress.flush()

    assert sorted(running.cloud.written()) == [("a", b"1"), ("b", b"2"), ("c", b"3")]
    assert sorted(running.delivered) == [1, 2, 3]
    assert [sorted(keys) for keys in running.cloud.puts] == [["a", "b", "c"]]


async def test_a_key_keeps_its_order_whatever_the_service_refuses(running: Running) -> None:
    """A record is sent again before the next one of its key; others go on."""
    refused: Counter[bytes] = Counter()

    def refuse(entry: Entry) -> str:
        refused[entry.data] += 1
        is_unlucky = entry.key == "a" and refused[entry.data] <= 2
        return "ProvisionedThroughputExceededException" if is_unlucky else ""

    running.cloud.refuse = refuse
    running.put(1, *[(key, f"{key}{number}") for number in range(5) for key in "ab"])

    await running.egress.flush()

    written = [data.decode() for _, data in running.cloud.written()]
    assert [each for each in written if each[0] == "a"] == ["a0", "a1", "a2", "a3", "a4"]
    assert [each for each in written if each[0] == "b"] == ["b0", "b1", "b2", "b3", "b4"]
    assert sorted(running.delivered) == list(range(1, 11))


async def test_a_call_that_fails_is_told_and_made_again(
    running: Running, caplog: pytest.LogCaptureFixture
) -> None:
    """Nothing is lost, and nothing is reported before it is written."""
    running.cloud.faults["put"] = deque(["LimitExceededException", "ResourceNotFoundException"])

    running.put(1, ("a", "1"))
    await running.egress.flush()

    assert running.cloud.written() == [("a", b"1")]
    assert running.delivered == [1]
    for code in ("LimitExceededException", "ResourceNotFoundException"):
        assert f"egress t/out, Kinesis: records could not be written: {code}" in caplog.text


async def test_a_call_has_at_most_five_hundred_records_and_five_megabytes(
    running: Running,
) -> None:
    """The limits of the service."""
    running.put(1, *[(f"key {number}", "v") for number in range(501)])
    await running.egress.flush()
    assert [len(keys) for keys in running.cloud.puts] == [500, 1]

    running.cloud.puts.clear()
    running.put(1_000, *[(f"key {number}", "v" * 1_000_000) for number in range(6)])
    await running.egress.flush()
    assert [len(keys) for keys in running.cloud.puts] == [5, 1]


async def test_streams_are_written_one_after_another(running: Running) -> None:
    """A call names one stream."""
    records = [
        OutgoingRecord(number, argument(str(number), "v", stream=stream))
        for number, stream in enumerate(["one", "two", "one"])
    ]

    running.egress.put(1, records)
    await running.egress.flush()

    assert running.cloud.puts == [["0", "2"], ["1"]]


async def test_it_has_room_for_so_many_records() -> None:
    """`maxOutstandingRecords` of the module file."""
    made = Running(FakeKinesis(), max_outstanding=2)
    made.put(1, ("a", "1"))
    assert made.egress.has_room
    made.put(2, ("a", "2"))
    assert not made.egress.has_room

    await made.start()
    await made.egress.flush()
    await made.egress.stop()

    assert made.egress.has_room


@pytest.mark.parametrize(
    ("refused", "text"),
    [
        (argument("", "v"), "1 to 256 characters, got 0"),
        (argument("k" * 257, "v"), "1 to 256 characters, got 257"),
        (argument("k", "v" * (1 << 20)), "has 1048577 bytes with its key, and Kinesis takes at"),
        (argument("k", "v", hash_key="x"), "write a decimal number below 2"),
        (argument("k", "v", hash_key=str(1 << 128)), "write a decimal number below 2"),
        (kafka_egress_message("t/out", "topic", "v").argument(), "use kinesis_egress_message"),
    ],
)
async def test_a_record_that_kinesis_cannot_take_is_refused_before_its_turn_is_committed(
    running: Running, refused: bytes, text: str, caplog: pytest.LogCaptureFixture
) -> None:
    """With the sizes; one that is in the store all the same stays there, and others go on."""
    with pytest.raises(InvalidMessageError, match=text):
        running.egress.accept(refused)

    with caplog.at_level(logging.ERROR):
        running.egress.put(1, [OutgoingRecord(1, refused), OutgoingRecord(2, argument("k", "v"))])
    await running.egress.flush()

    assert running.delivered == [2]
    assert "keeps record 1 in the store" in caplog.text


async def test_an_explicit_hash_key_goes_with_its_record(running: Running) -> None:
    """It chooses the shard."""
    seen: list[Entry] = []
    running.cloud.refuse = lambda entry: seen.append(entry) or ""  # type: ignore[func-returns-value]

    running.egress.put(1, [OutgoingRecord(1, argument("k", "v", hash_key="12"))])
    await running.egress.flush()

    assert seen == [Entry("k", b"v", "12")]
