"""The HTTP egress: what it accepts, what it hands out, and when that counts as delivered."""

from __future__ import annotations

import asyncio
import json
import socket
import struct
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest

from statefun.connectors.http import PLAYGROUND_EGRESS, HttpEgress
from statefun.connectors.http.records import Record
from statefun.connectors.http.topics import Entry, Topic
from statefun.errors import InvalidMessageError
from statefun.ports import OutgoingRecord
from statefun.sdk.egress import kafka_egress_message, kinesis_egress_message
from statefun.sdk.wire import encode_typed_value

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

RECORD = "io.statefun.playground/EgressRecord"


def playground(topic: Any, payload: Any, **more: Any) -> bytes:
    data = json.dumps({"topic": topic, "payload": payload, **more}).encode()
    return encode_typed_value(RECORD, data)


def kafka(topic: str, value: bytes, key: str | None = None) -> bytes:
    return kafka_egress_message(PLAYGROUND_EGRESS, topic, value, key=key).argument()


class Reader:
    """An egress with two topics that is being served, what it delivered, and a client of it."""

    def __init__(self, egress: HttpEgress, session: aiohttp.ClientSession) -> None:
        self.egress = egress
        self.session = session
        self.delivered: list[int] = []

    async def get(self, path: str, method: str = "GET") -> tuple[int, dict[str, str], bytes]:
        url = f"http://127.0.0.1:{self.egress.port}{path}"
        async with self.session.request(method, url) as response:
            shown = ("Content-Type", "Record-Id", "Record-Key")
            headers = {name: response.headers[name] for name in shown if name in response.headers}
            return response.status, headers, await response.read()

    def take(self, ids: Sequence[int]) -> None:
        self.delivered.extend(ids)


@asynccontextmanager
async def reading(
    *records: tuple[int, bytes], write_timeout_s: float = 30
) -> AsyncIterator[Reader]:
    egress = HttpEgress(
        0, ["greetings", "other topic"], write_timeout=timedelta(seconds=write_timeout_s)
    )
    async with aiohttp.ClientSession() as session:
        reader = Reader(egress, session)
        await egress.start(reader.take)
        try:
            egress.put(1, [OutgoingRecord(*record) for record in records])
            yield reader
        finally:
            await egress.stop()


async def test_records_come_out_one_by_one_oldest_first() -> None:
    """Each GET takes the oldest record of its topic, and counts it as delivered."""
    records = [
        (3, playground("greetings", "first")),
        (5, playground("other topic", "elsewhere")),
        (8, playground("greetings", "héllo")),
    ]
    async with reading(*records) as reader:
        answers = [await reader.get("/greetings") for _ in range(2)]
        other = await reader.get("/other%20topic")
        nothing, _, reason = await reader.get("/greetings")

    text = "text/plain; charset=utf-8"
    assert answers == [
        (200, {"Content-Type": text, "Record-Id": "3"}, b"first"),
        (200, {"Content-Type": text, "Record-Id": "8"}, "héllo".encode()),
    ]
    assert other == (200, {"Content-Type": text, "Record-Id": "5"}, b"elsewhere")
    assert (nothing, reason) == (404, b"there is no record in 'greetings' now\n")
    assert reader.delivered == [3, 8, 5]


async def test_a_kafka_record_comes_out_with_its_key() -> None:
    """The body is the record's value; the key is a header, percent-encoded where it must be."""
    records = [
        (1, kafka("greetings", b"\x00\xff", key="a b%é")),
        (2, kafka("greetings", b"")),
    ]
    async with reading(*records) as reader:
        answers = [await reader.get("/greetings") for _ in range(2)]

    octets = "application/octet-stream"
    assert answers == [
        (
            200,
            {"Content-Type": octets, "Record-Id": "1", "Record-Key": "a%20b%25%C3%A9"},
            b"\x00\xff",
        ),
        (200, {"Content-Type": octets, "Record-Id": "2"}, b""),
    ]


async def test_an_unknown_topic_is_answered_404_with_the_known_ones() -> None:
    """Reading a topic that is not configured says which there are."""
    async with reading() as reader:
        status, _, reason = await reader.get("/gone")

    assert (status, reason) == (
        404,
        b"there is no topic 'gone'; topics: /greetings, /other%20topic\n",
    )


@pytest.mark.parametrize("method", ["HEAD", "POST", "PUT", "DELETE"])
async def test_another_method_takes_nothing(method: str) -> None:
    """Only GET takes a record; others are answered 405."""
    async with reading((1, playground("greetings", "x"))) as reader:
        status, _, _ = await reader.get("/greetings", method)

        assert (status, reader.delivered) == (405, [])
        assert (await reader.get("/greetings"))[2] == b"x"


@pytest.mark.parametrize("query", ["", "?ack=explicit&lease=60m"], ids=["for good", "leased"])
async def test_a_record_whose_reader_vanishes_comes_again(query: str) -> None:
    """An answer that could not be written completely leaves the record where it was, at once."""
    large = "x" * (8 << 20)
    async with reading((1, playground("greetings", large))) as reader:
        stream, writer = await asyncio.open_connection("127.0.0.1", reader.egress.port)
        writer.write(f"GET /greetings{query} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        await stream.readexactly(1000)
        writer.transport.abort()

        async def until_back() -> tuple[int, dict[str, str], bytes]:
            while (answer := await reader.get("/greetings"))[0] == 404:
                pass
            return answer

        answer = await asyncio.wait_for(until_back(), 10)

    assert (answer[0], answer[1]["Record-Id"], len(answer[2])) == (200, "1", len(large))
    assert reader.delivered == [1]


async def test_readers_that_do_not_read_are_sent_away_and_their_records_come_in_order() -> None:
    """A record is held back for so long only, and comes before every newer one."""
    large = "x" * (8 << 20)
    records = [(number, playground("greetings", large)) for number in (1, 2, 3)]
    async with reading(*records, write_timeout_s=0.05) as reader:
        stalled = []
        for _ in range(2):  # they take the records 1 and 2, and read no further than the headers
            stream, writer = await asyncio.open_connection("127.0.0.1", reader.egress.port)
            writer.write(b"GET /greetings HTTP/1.1\r\nHost: x\r\n\r\n")
            await stream.readuntil(b"\r\n\r\n")
            stalled.append((stream, writer))
        await asyncio.sleep(0.5)  # nothing tells a reader that does not read
        for stream, writer in stalled:
            with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
                await stream.readexactly(len(large))
            writer.close()
        ids = [(await reader.get("/greetings"))[1]["Record-Id"] for _ in records]

    assert (ids, reader.delivered) == (["1", "2", "3"], [1, 2, 3])


@pytest.mark.parametrize("is_reset", [False, True], ids=["closed", "reset"])
async def test_a_reader_that_hung_up_behind_its_request_takes_nothing(*, is_reset: bool) -> None:
    """A request whose connection is closed already is not answered with a record."""
    async with reading() as reader:
        loop = asyncio.get_running_loop()
        with socket.create_connection(("127.0.0.1", reader.egress.port)) as connection:
            connection.settimeout(0)
            await loop.sock_sendall(connection, b"GET /greetings HTTP/1.1\r\nHost: x\r\n\r\n")
            assert (await loop.sock_recv(connection, 1 << 16)).startswith(b"HTTP/1.1 404")
            reader.egress.put(1, [OutgoingRecord(1, playground("greetings", "x"))])

            # The loop does not run in between: the server sees the request and the end together.
            connection.send(b"GET /greetings HTTP/1.1\r\nHost: x\r\n\r\n")
            if is_reset:
                linger = struct.pack("ii", 1, 0)
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        answer = await reader.get("/greetings")

    assert (answer[1]["Record-Id"], answer[2], reader.delivered) == ("1", b"x", [1])


async def test_a_record_of_a_topic_no_longer_configured_stays_in_the_store(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """It is neither handed out nor reported as delivered; one warning says so, not one a record."""
    gone = [(number, playground("gone", "x")) for number in (1, 2, 4)]
    async with reading(*gone, (3, playground("greetings", "y"))) as reader:
        assert (await reader.get("/greetings"))[2] == b"y"

    assert reader.delivered == [3]
    [sentence] = caplog.messages
    assert sentence == (
        f"egress {PLAYGROUND_EGRESS} keeps 3 records that it cannot write, the first is 1: "
        f"the egress {PLAYGROUND_EGRESS} has no topic 'gone': it has 'greetings', 'other topic'; "
        "add it to the module file, or correct the function"
    )


async def test_a_record_that_another_egress_accepted_stays_in_the_store(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A module file may give the name of an egress to another kind; the runtime starts."""
    foreign = encode_typed_value("t/other", b"x")
    async with reading((1, foreign), (2, playground("greetings", "y"))) as reader:
        assert (await reader.get("/greetings"))[2] == b"y"

    assert reader.delivered == [2]
    assert "cannot write a 't/other'" in caplog.text


@pytest.mark.parametrize(
    ("payload", "body"),
    [
        ('"text"', b"text"),
        ('""', b""),
        ("1.50", b"1.50"),
        ("-12345678901234567890", b"-12345678901234567890"),
        ("true", b"true"),
        ("false", b"false"),
        (r'"\ud83d\ude00"', "😀".encode()),
    ],
)
async def test_a_scalar_payload_becomes_text(payload: str, body: bytes) -> None:
    """Numbers come out as they were written, booleans as true and false."""
    argument = encode_typed_value(
        RECORD, f'{{"payload": {payload}, "topic": "greetings"}}'.encode()
    )
    async with reading((1, argument)) as reader:
        reader.egress.accept(argument)

        assert (await reader.get("/greetings"))[2] == body


@pytest.mark.parametrize(
    ("argument", "sentence"),
    [
        (
            playground("gone", "x"),
            (
                f"the egress {PLAYGROUND_EGRESS} has no topic 'gone': it has 'greetings', "
                "'other topic'; add it to the module file, or correct the function"
            ),
        ),
        (
            kafka("gone", b"x"),
            (
                f"the egress {PLAYGROUND_EGRESS} has no topic 'gone': it has 'greetings', "
                "'other topic'; add it to the module file, or correct the function"
            ),
        ),
        (
            playground("greetings", None),
            (
                f"the payload of a {RECORD} must be text, a number or a boolean, got null: "
                "send other things as JSON text"
            ),
        ),
        (
            playground("greetings", {"a": 1}),
            (
                f"the payload of a {RECORD} must be text, a number or a boolean, got dict: "
                "send other things as JSON text"
            ),
        ),
        (
            playground("greetings", "x", key="y"),
            (
                f'a {RECORD} is of the form {{"topic": …, "payload": …}}, '
                "got ['key', 'payload', 'topic']"
            ),
        ),
        (
            encode_typed_value(RECORD, b"[]"),
            f'a {RECORD} is of the form {{"topic": …, "payload": …}}, got list',
        ),
        (
            encode_typed_value(RECORD, b"{"),
            (
                f"a {RECORD} is not JSON: Expecting property name enclosed in double quotes: "
                "line 1 column 2 (char 1)"
            ),
        ),
        (
            encode_typed_value("io.statefun.types/string", b""),
            (
                "the HTTP egress cannot write a 'io.statefun.types/string': send a "
                f"'{RECORD}', which is JSON of the form "
                '{"topic": …, "payload": …}, or use kafka_egress_message'
            ),
        ),
    ],
)
def test_a_record_that_cannot_be_written_is_refused(argument: bytes, sentence: str) -> None:
    """What the egress cannot write is an error of the function that sent it."""
    egress = HttpEgress(0, ["greetings", "other topic"])

    with pytest.raises(InvalidMessageError) as caught:
        egress.accept(argument)

    assert str(caught.value) == sentence


@pytest.mark.parametrize(
    "argument",
    [
        kinesis_egress_message(PLAYGROUND_EGRESS, "greetings", b"", "key").argument(),
        encode_typed_value(RECORD, b'{"topic": "greetings", "payload": NaN}'),
        encode_typed_value(RECORD, b'{"topic": "greetings", "payload": "\xff"}'),
        encode_typed_value(RECORD, b"[" * 100_000),
        encode_typed_value(
            "type.googleapis.com/io.statefun.sdk.egress.KafkaProducerRecord", b"\xff"
        ),
        b"",
    ],
)
def test_any_nonsense_is_an_invalid_message(argument: bytes) -> None:
    """Whatever the bytes are, the answer is acceptance or `InvalidMessageError`."""
    egress = HttpEgress(0, ["greetings"])

    with pytest.raises(InvalidMessageError):
        egress.accept(argument)


# --- records that a reader acknowledges -----------------------------------------------------------


async def test_a_leased_record_is_delivered_once_it_is_acknowledged() -> None:
    """Meanwhile nobody else gets it; the next one is for the next reader."""
    records = [(3, playground("greetings", "first")), (4, playground("greetings", "second"))]
    async with reading(*records) as reader:
        first = await reader.get("/greetings?ack=explicit")
        second = await reader.get("/greetings?ack=explicit")
        nothing = await reader.get("/greetings")
        before = list(reader.delivered)
        acknowledged = await reader.get("/greetings/3", "DELETE")
        again = await reader.get("/greetings/3", "DELETE")

    text = "text/plain; charset=utf-8"
    assert first == (200, {"Content-Type": text, "Record-Id": "3"}, b"first")
    assert (second[1]["Record-Id"], nothing[0], before) == ("4", 404, [])
    assert (acknowledged[0], acknowledged[2]) == (204, b"")
    assert (again[0], again[2]) == (
        404,
        b"there is no record '3' in 'greetings': it was acknowledged before\n",
    )
    assert reader.delivered == [3]


async def test_a_record_whose_lease_ends_comes_again() -> None:
    """With the same id; whoever acknowledges it has it."""
    async with reading((1, playground("greetings", "x"))) as reader:
        first = await reader.get("/greetings?ack=explicit&lease=50ms")
        again = await reader.get("/greetings?ack=explicit&lease=1m&wait=10s")
        before = list(reader.delivered)
        acknowledged = await reader.get("/greetings/1", "DELETE")

    assert (first[1]["Record-Id"], again[1]["Record-Id"]) == ("1", "1")
    assert (before, acknowledged[0], reader.delivered) == ([], 204, [1])


async def test_records_come_again_in_their_place() -> None:
    """Before those that came later, however they were taken."""
    topic = Topic()
    entries = [Entry(each, Record("greetings", b"", "text/plain")) for each in range(1, 6)]
    for entry in entries:
        topic.put(entry)
    leased, taken = topic.take(2, 100), topic.take(2, 100)
    topic.lease(leased, 60)

    topic.put_back(taken)
    topic.return_leased(leased)

    assert topic.take(9, 100) == entries
    topic.close()


async def test_a_record_can_be_acknowledged_after_its_lease() -> None:
    """As long as nobody else has it for good."""
    topic, entry = Topic(), Entry(1, Record("greetings", b"", "text/plain"))
    topic.put(entry)
    topic.lease(topic.take(1, 1), 60)
    topic.return_leased([entry])

    assert (topic.acknowledge(1), topic.acknowledge(1), len(topic)) == (True, False, 0)


async def test_many_records_come_at_once() -> None:
    """As a JSON array, the oldest first; text as it is, bytes as base64."""
    records = [
        (1, playground("greetings", "héllo")),
        (2, kafka("greetings", b"\x00\xff", key="k")),
        (3, playground("greetings", "later")),
    ]
    async with reading(*records) as reader:
        status, headers, body = await reader.get("/greetings?max=2")
        left = await reader.get("/greetings?max=100&ack=explicit")
        nothing = await reader.get("/greetings?max=100")
        delivered = list(reader.delivered)
        acknowledged = await reader.get("/greetings/3", "DELETE")

    assert (status, headers) == (200, {"Content-Type": "application/json"})
    assert json.loads(body) == [
        {"id": "1", "value": "héllo"},
        {"id": "2", "key": "k", "base64": "AP8="},
    ]
    assert json.loads(left[2]) == [{"id": "3", "value": "later"}]
    assert (nothing[0], delivered, acknowledged[0]) == (404, [1, 2], 204)


async def test_many_records_at_once_have_a_bound_in_bytes() -> None:
    """One alone may be longer."""
    long = "x" * (9 << 20)
    records = [(each, playground("greetings", long)) for each in (1, 2, 3)]
    async with reading(*records) as reader:
        counts = [len(json.loads((await reader.get("/greetings?max=9"))[2])) for _ in range(3)]

    assert counts == [1, 1, 1]


async def test_a_reader_waits_for_a_record() -> None:
    """It is answered when one comes, the reader that has waited longest first."""
    async with reading() as reader:
        first = asyncio.create_task(reader.get("/greetings?wait=10s"))
        await asyncio.sleep(0.05)
        second = asyncio.create_task(reader.get("/greetings?wait=10s&ack=explicit"))
        await asyncio.sleep(0.05)
        reader.egress.put(1, [OutgoingRecord(1, playground("greetings", "x"))])
        reader.egress.put(2, [OutgoingRecord(2, playground("greetings", "y"))])
        answers = await first, await second

    assert [each[1]["Record-Id"] for each in answers] == ["1", "2"]
    assert reader.delivered == [1]


async def test_a_reader_waits_no_longer_than_it_said() -> None:
    """Then there is nothing."""
    async with reading() as reader:
        status, _, _ = await reader.get("/greetings?wait=10ms")

    assert status == 404


async def test_a_reader_that_waits_does_not_hold_up_the_stop() -> None:
    """It is told that there is nothing."""
    async with reading() as reader:
        waiting = asyncio.create_task(reader.get("/greetings?wait=1m"))
        await asyncio.sleep(0.05)
        await reader.egress.stop()
        status, _, _ = await waiting

    assert status == 404


async def test_a_reader_that_hangs_up_while_it_waits_takes_nothing() -> None:
    """The record is for the next one."""
    async with reading() as reader:
        gone = asyncio.create_task(reader.get("/greetings?wait=10s"))
        await asyncio.sleep(0.05)
        gone.cancel()
        await asyncio.sleep(0.05)
        waiting = asyncio.create_task(reader.get("/greetings?wait=10s"))
        reader.egress.put(1, [OutgoingRecord(1, playground("greetings", "x"))])
        answer = await waiting

    assert (answer[1]["Record-Id"], reader.delivered) == ("1", [1])


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ("ack=later", "ack='later': write explicit, or nothing"),
        ("lease=0s", "lease='0s' is not a time to lease: write for example lease=10s"),
        ("wait=soon", "wait='soon' is not a time to wait: write for example wait=10s"),
        ("wait=2h", "wait='2h' is not a time to wait"),
        ("max=0", "max='0': write a number from 1 to 10000"),
        ("max=many", "max='many': write a number from 1 to 10000"),
    ],
)
async def test_a_query_that_makes_no_sense_is_answered_400(query: str, reason: str) -> None:
    """With what to write instead; no record is taken."""
    async with reading((1, playground("greetings", "x"))) as reader:
        status, _, body = await reader.get(f"/greetings?{query}")
        left = await reader.get("/greetings")

    assert (status, body.decode()[: len(reason)], left[0]) == (400, reason, 200)


@pytest.mark.parametrize("record_id", ["x", "", "-1", "9" * 30, "7"])
async def test_only_a_record_that_is_there_can_be_acknowledged(record_id: str) -> None:
    """Anything else is answered 404, and takes nothing."""
    async with reading((1, playground("greetings", "x"))) as reader:
        status, _, _ = await reader.get(f"/greetings/{record_id}", "DELETE")

    assert (status, reader.delivered) == (404, [])
