"""The Kinesis ingress, on the service as it is documented."""

from __future__ import annotations

import hashlib
import json
from collections import deque
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from statefun.connectors.kinesis import KinesisIngress, KinesisStream, Pace, Place
from statefun.errors import AddressBusyError, StoreError, UnknownFunctionError
from statefun.ports import Position
from statefun.sdk.address import Address
from statefun.sdk.wire import decode_typed_value
from statefun.testing.ports import FakeIntake
from tests.connectors.kinesis.service import FakeKinesis
from tests.runtime.driver import until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

    from statefun.ports import IngressMessage

PACE = Pace(*[timedelta(milliseconds=1)] * 4)
FIRST, SECOND, THIRD = (f"shardId-{number:012d}" for number in range(3))


class Ingresses:
    """Ingresses of one test, one after another, on one intake."""

    def __init__(self) -> None:
        self.cloud = FakeKinesis()
        self.intake = FakeIntake()
        self.running: list[KinesisIngress] = []
        self.pace = PACE

    async def start(self, start: Place = Place("oldest")) -> KinesisIngress:  # noqa: B008 - cannot change
        streams = [KinesisStream("orders", "t/order", ("t/a",))]
        ingress = KinesisIngress(
            "t/in",
            streams,
            lambda: self.cloud,
            start=start,
            pace=self.pace,
            now_ms=lambda: self.cloud.now_ms,
        )
        await ingress.start(self.intake)
        self.running.append(ingress)
        return ingress

    async def stop(self) -> None:
        while self.running:
            await self.running.pop().stop()

    async def begun(self) -> None:
        """Wait until the places where it begins are durable."""
        await until(lambda: "t/in/orders" in self.intake.positions)

    async def has(self, *values: str) -> None:
        """Wait until just these values have come, in this order."""
        await until(lambda: len(self.intake.messages) >= len(values))
        assert self.values == list(values)

    @property
    def values(self) -> list[str]:
        return [decode_typed_value(each.argument).data.decode() for each in self.intake.messages]

    def place(self, shard: str) -> Place | None:
        stored = self.intake.positions.get(f"t/in/orders/{shard}")
        return None if stored is None else Place.read(stored)


@pytest.fixture
async def ingresses() -> AsyncIterator[Ingresses]:
    """None yet."""
    made = Ingresses()
    yield made
    await made.stop()


async def test_a_record_becomes_a_message_to_the_id_that_is_its_key(ingresses: Ingresses) -> None:
    """With the type of the stream, and the stream as its topic; its place comes with it."""
    ingresses.cloud.write("Ada/ü", b"tea")
    await ingresses.start()
    await ingresses.has("tea")

    [message] = ingresses.intake.messages
    assert (message.target, message.topic) == (Address("t/a", "Ada/ü"), "orders")
    assert decode_typed_value(message.argument).typename == "t/order"
    await until(lambda: (ingresses.place(FIRST) or Place("end")).kind == "after")
    [position] = [position for messages, position in ingresses.intake.deliveries if messages]
    name = f"t/in/orders/{FIRST}"
    assert position == Position(name, ingresses.intake.positions[name])


async def test_a_restart_goes_on_behind_the_last_record_that_is_durable(
    ingresses: Ingresses,
) -> None:
    """What was not durable comes again."""
    for value in (b"1", b"2", b"3"):
        ingresses.cloud.write("k", value)
    await ingresses.start()
    await ingresses.has("1", "2", "3")
    await ingresses.stop()
    ingresses.cloud.write("k", b"4")
    ingresses.intake.is_durable.clear()
    await ingresses.start()
    await ingresses.has("1", "2", "3", "4")
    await ingresses.stop()

    ingresses.intake.is_durable.set()
    await ingresses.start()

    await ingresses.has("1", "2", "3", "4", "4")


async def test_children_of_a_split_come_behind_their_parent(ingresses: Ingresses) -> None:
    """Each key keeps its order, over a split and a merge; a child waits for both parents."""
    cloud = ingresses.cloud
    ingresses.pace = replace(PACE, look=timedelta(minutes=1))  # an end lets it look at once
    keys = [f"key {number}" for number in range(8)]
    for number, change in enumerate([None, lambda: cloud.split(FIRST), merge(cloud), None]):
        if change is not None:
            change()
        for key in keys:
            for part in range(2):
                cloud.write(key, f"{key}: {2 * number + part}".encode())
    await ingresses.start()

    await until(lambda: len(ingresses.intake.messages) == 8 * len(keys))

    for key in keys:
        own = [value for value in ingresses.values if value.startswith(f"{key}:")]
        assert own == [f"{key}: {number}" for number in range(8)]
    first = {shard: cloud.reads.index(shard) for shard in dict.fromkeys(cloud.reads)}
    assert next(iter(first)) == FIRST
    assert list(first)[-1] == "shardId-000000000003"


def merge(cloud: FakeKinesis) -> Callable[[], None]:
    return lambda: cloud.merge(SECOND, THIRD)


async def test_a_shard_that_was_read_to_its_end_is_not_read_again(ingresses: Ingresses) -> None:
    """After a restart neither; when the service has let it go, its place is forgotten."""
    cloud = ingresses.cloud
    cloud.write("k", b"1")
    cloud.split(FIRST)
    cloud.write("k", b"2")
    await ingresses.start()
    await ingresses.has("1", "2")
    await until(lambda: ingresses.place(FIRST) == Place("end"))
    await ingresses.stop()
    cloud.reads.clear()

    await ingresses.start()
    await until(lambda: len(set(cloud.reads)) == 2)
    assert FIRST not in cloud.reads
    cloud.delete(FIRST)
    await until(lambda: ingresses.place(FIRST) is None)

    assert json.loads(ingresses.intake.positions["t/in/orders"]) == [THIRD, SECOND]


async def test_a_shard_that_went_before_it_was_read_stands_still(ingresses: Ingresses) -> None:
    """Records were lost, so neither it nor its children are passed over in silence."""
    cloud = ingresses.cloud
    cloud.write("k", b"1")
    await ingresses.start()
    await ingresses.has("1")
    await ingresses.stop()
    cloud.write("k", b"lost")
    cloud.split(FIRST)
    cloud.write("k", b"2")
    cloud.delete(FIRST)
    ingress = await ingresses.start()

    await until(lambda: any(each.problem for each in ingress.sources()))

    [source] = ingress.sources()
    assert source.name == f"t/in/orders/{FIRST}"
    assert "deleted it before it was read" in source.problem
    assert ingresses.values == ["1"]


@pytest.mark.parametrize(
    ("start", "expected"),
    [(Place("oldest"), ["old", "new"]), (Place("latest"), []), (Place("time", "2000"), ["new"])],
)
async def test_a_stream_begins_where_the_start_says(
    ingresses: Ingresses, start: Place, expected: list[str]
) -> None:
    """At the oldest record, behind the newest, or at a time."""
    ingresses.cloud.write("k", b"old")
    ingresses.cloud.now_ms = 2_000
    ingresses.cloud.write("k", b"new")
    ingresses.cloud.now_ms = 3_000
    await ingresses.start(start)
    await until(lambda: ingresses.cloud.calls.count("records") > 2)
    ingresses.cloud.write("k", b"later")

    await ingresses.has(*expected, "later")


async def test_latest_does_not_move_while_no_record_comes(ingresses: Ingresses) -> None:
    """What it meant at the first start is stored; a closed shard is behind it."""
    ingresses.cloud.write("k", b"old")
    ingresses.cloud.split(FIRST)
    ingresses.cloud.now_ms = 2_000
    await ingresses.start(Place("latest"))
    await ingresses.begun()
    await ingresses.stop()
    assert ingresses.place(FIRST) == Place("end")
    assert FIRST not in ingresses.cloud.reads
    ingresses.cloud.now_ms = 3_000
    ingresses.cloud.write("k", b"while it was down")

    await ingresses.start(Place("latest"))

    await ingresses.has("while it was down")


async def test_a_shard_that_appears_later_is_read_from_its_beginning(ingresses: Ingresses) -> None:
    """Whatever the start says of the stream."""
    await ingresses.start(Place("latest"))
    await ingresses.begun()

    ingresses.cloud.split(FIRST)
    ingresses.cloud.write("k", b"in a child, before it was found")

    await ingresses.has("in a child, before it was found")


async def test_an_iterator_that_is_too_old_is_made_anew(ingresses: Ingresses) -> None:
    """Nothing comes twice, and nothing is left out."""
    ingresses.cloud.write("k", b"1")
    await ingresses.start()
    await ingresses.has("1")

    ingresses.cloud.expire()
    ingresses.cloud.write("k", b"2")

    await ingresses.has("1", "2")


@pytest.mark.parametrize("verb", ["shards", "iterator", "records"])
async def test_a_refusal_of_the_service_is_told_and_tried_again(
    ingresses: Ingresses, verb: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Throttled, or without rights: the log says whose ingress, and why."""
    codes = ["ProvisionedThroughputExceededException", "AccessDeniedException"]
    ingresses.cloud.faults[verb] = deque(codes)
    ingresses.cloud.write("k", b"1")

    await ingresses.start()

    await ingresses.has("1")
    for code in codes:
        assert "ingress t/in, Kinesis: " in caplog.text
        assert code in caplog.text


@pytest.mark.parametrize("error", [AddressBusyError("busy"), StoreError("full")])
async def test_what_the_runtime_refuses_is_delivered_again(
    ingresses: Ingresses, error: Exception
) -> None:
    """In order, and each once."""
    for value in (b"1", b"2", b"3"):
        ingresses.cloud.write("k", value)
    await ingresses.start()
    await ingresses.has("1", "2", "3")
    ingresses.intake.error = error
    ingresses.cloud.write("k", b"4")
    ingresses.cloud.write("k", b"5")
    seen = len(ingresses.cloud.calls)
    await until(lambda: len(ingresses.cloud.calls) > seen)

    ingresses.intake.error = None

    await ingresses.has("1", "2", "3", "4", "5")


async def test_a_function_that_nobody_serves_stops_its_shard(ingresses: Ingresses) -> None:
    """With a sentence; the record is not passed over."""
    ingress = await ingresses.start()
    await ingresses.begun()
    await until(lambda: bool(ingress.sources()))
    ingresses.intake.error = UnknownFunctionError("t/a", ("t/b",))
    ingresses.cloud.write("k", b"1")

    await until(lambda: bool(ingress.sources()[0].problem))

    assert "Correct the targets" in ingress.sources()[0].problem
    assert ingresses.place(FIRST) == Place("oldest")


async def test_a_paused_ingress_reads_nothing(ingresses: Ingresses) -> None:
    """And goes on where it was."""
    ingress = await ingresses.start()
    await ingresses.begun()
    await until(lambda: bool(ingresses.cloud.reads))
    ingress.pause()
    assert ingress.sources()[0].is_paused
    ingresses.cloud.write("k", b"1")
    ingress.resume()

    await ingresses.has("1")
    assert not ingress.sources()[0].is_paused
    assert ingress.sources()[0].position > 10**55


async def test_an_ingress_that_is_paused_before_it_has_found_a_shard_reads_nothing(
    ingresses: Ingresses,
) -> None:
    """Until it goes on."""
    ingresses.cloud.write("k", b"1")
    ingress = await ingresses.start()
    ingress.pause()
    await until(lambda: ingresses.cloud.calls.count("shards") > 3)
    assert ingresses.cloud.reads == []

    ingress.resume()

    await ingresses.has("1")


async def test_records_that_a_producer_has_joined_are_taken_apart(ingresses: Ingresses) -> None:
    """Each has its own key; something that only looks like them stays whole."""
    joined = aggregated([("Ada", b"tea"), ("Bob", b"milk"), ("Ada", b"")])
    ingresses.cloud.write("a", joined)
    ingresses.cloud.write("b", joined[:-1])
    await ingresses.start()
    await until(lambda: len(ingresses.intake.messages) == 4)

    found = [(each.target.id, data_of(each)) for each in ingresses.intake.messages]
    assert found == [("Ada", b"tea"), ("Bob", b"milk"), ("Ada", b""), ("b", joined[:-1])]
    positions = [position for messages, position in ingresses.intake.deliveries if messages]
    assert len(positions) < 4


def data_of(message: IngressMessage) -> bytes:
    return decode_typed_value(message.argument).data


def aggregated(records: Sequence[tuple[str, bytes]]) -> bytes:
    """Many records as one, as the producer's library writes them."""
    keys = list(dict.fromkeys(key for key, _ in records))
    body = b"".join(b"\x0a" + bytes([len(key)]) + key.encode() for key in keys)
    for key, data in records:
        inner = b"\x08" + bytes([keys.index(key)]) + b"\x1a" + bytes([len(data)]) + data
        body += b"\x1a" + bytes([len(inner)]) + inner
    return b"\xf3\x89\x9a\xc2" + body + hashlib.md5(body, usedforsecurity=False).digest()
