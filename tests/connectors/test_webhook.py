"""The webhook egress: what is posted, in which order, and how often."""

from __future__ import annotations

import asyncio
import json
import logging
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from statefun.connectors.webhook import WebhookEgress, WebhookOptions
from statefun.errors import ConfigurationError, StatefunError
from statefun.http import HttpServer, Request, Response, text_response
from statefun.ports import OutgoingRecord
from statefun.sdk.egress import kafka_egress_message
from statefun.sdk.wire import encode_typed_value

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

OUT = "com.example/out"
AT_ONCE: dict[str, Any] = dict.fromkeys(("first_retry", "longest_retry"), timedelta(milliseconds=1))


class Receiver:
    """Takes requests, answering the first ones with these statuses."""

    def __init__(self, *statuses: int | Response) -> None:
        self.requests: list[tuple[str | None, bytes]] = []
        self.heads: list[Request] = []
        self.delivered: list[int] = []
        self.most = self.now = 0
        self.open = asyncio.Event()
        self.open.set()
        self._statuses = list(statuses)
        self._news = asyncio.Event()
        self._server = HttpServer(self._handle, "127.0.0.1", 0)

    async def _handle(self, request: Request) -> Response:
        self.now += 1
        self.most = max(self.most, self.now)
        self.requests.append((request.header("record-id"), request.body))
        self.heads.append(request)
        self._news.set()
        await self.open.wait()
        await asyncio.sleep(0)
        self.now -= 1
        answer = self._statuses.pop(0) if self._statuses else 204
        return answer if isinstance(answer, Response) else text_response(answer, "as you like")

    def take(self, ids: Sequence[int]) -> None:
        self.delivered.extend(ids)
        self._news.set()

    async def until(self, *, requests: int = 0, delivered: int = 0) -> None:
        async with asyncio.timeout(20):
            while len(self.requests) < requests or len(self.delivered) < delivered:
                self._news.clear()
                await self._news.wait()

    @asynccontextmanager
    async def posting(self, **options: Any) -> AsyncIterator[WebhookEgress]:
        await self._server.start()
        url = f"http://127.0.0.1:{self._server.port}/hook?token=1"
        egress = WebhookEgress(OUT, url, WebhookOptions(**options))
        await egress.start(self.take)
        try:
            yield egress
        finally:
            await egress.stop()
            await self._server.stop()


def records(*texts: str, first: int = 1) -> list[OutgoingRecord]:
    return [
        OutgoingRecord(number, encode_typed_value("t/text", text.encode()))
        for number, text in enumerate(texts, start=first)
    ]


async def test_a_record_is_posted_with_its_type_and_a_stable_id() -> None:
    """As the HTTP ingress takes it in: a hook may be another runtime."""
    receiver = Receiver()
    async with receiver.posting(headers={"Authorization": "Bearer x"}) as egress:
        egress.put(1, records("héllo", first=17))
        await receiver.until(delivered=1)

    [request] = receiver.heads
    assert (request.method, request.target, request.body) == (
        "POST",
        "/hook?token=1",
        "héllo".encode(),
    )
    headers = ("content-type", "record-id", "idempotency-key", "authorization")
    assert [request.header(each) for each in headers] == [
        *("application/vnd.t/text", "17", "com.example/out:17", "Bearer x")
    ]
    assert receiver.delivered == [17]


async def test_a_kafka_record_and_one_of_the_playground_are_posted_as_their_values() -> None:
    """Topic and key are headers."""
    receiver = Receiver()
    kafka = kafka_egress_message(OUT, "grüße", b"\x00", key="a b").argument()
    data = json.dumps({"topic": "told", "payload": "héllo"}).encode()
    playground = encode_typed_value("io.statefun.playground/EgressRecord", data)
    halves = json.dumps({"topic": "\ud800", "payload": "\ud800"}).encode()  # no UTF-8 has them
    odd = encode_typed_value("io.statefun.playground/EgressRecord", halves)
    async with receiver.posting() as egress:
        for number, argument in enumerate((kafka, playground, odd), 1):
            egress.accept(argument)
            egress.put(number, [OutgoingRecord(number, argument)])
        await receiver.until(delivered=3)

    headers = ("content-type", "record-topic", "record-key")
    assert [(each.body, *map(each.header, headers)) for each in receiver.heads] == [
        (b"\x00", "application/octet-stream", "gr%C3%BC%C3%9Fe", "a%20b"),
        ("héllo".encode(), "text/plain; charset=utf-8", "told", None),
        (b"?", "text/plain; charset=utf-8", "%3F", None),
    ]


async def test_a_url_whose_host_is_no_name_is_a_failure_like_any_other(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The log says so, and the record is not delivered."""
    egress = WebhookEgress(OUT, f"http://{'x' * 64}.example/", WebhookOptions(**AT_ONCE))
    delivered: list[int] = []
    await egress.start(delivered.extend)
    egress.put(1, records("a"))
    async with asyncio.timeout(20):
        await egress.flush()
    await egress.stop()

    assert (delivered, "posts the record 1 again" in caplog.text) == ([], True)


@pytest.mark.parametrize("status", [500, 503, 408, 425, 429, 404, 302])
async def test_a_record_is_posted_until_it_is_taken_and_those_behind_it_wait(status: int) -> None:
    """With the same id, in order, whatever the receiver says."""
    receiver = Receiver(status, status)
    async with receiver.posting(**AT_ONCE) as egress:
        egress.put(1, records("a", "b"))
        await receiver.until(delivered=2)

    assert receiver.requests == [("1", b"a")] * 3 + [("2", b"b")]
    assert receiver.delivered == [1, 2]


async def test_a_receiver_that_is_not_there_is_waited_for() -> None:
    """No record is lost, and the log says it once."""
    receiver = Receiver()
    async with receiver.posting() as egress:
        url = egress._url
    egress = WebhookEgress(OUT, url, WebhookOptions(**AT_ONCE))
    await egress.start(receiver.take)
    egress.put(1, records("a"))
    async with asyncio.timeout(20):
        await egress.flush()  # waits for nobody who is not there

    assert receiver.delivered == []
    await egress.stop()


async def test_a_record_that_is_refused_is_dropped_only_if_that_was_chosen(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The log says which."""
    receiver = Receiver(422, 500, 204)
    async with receiver.posting(on_refused="drop", **AT_ONCE) as egress:
        with caplog.at_level(logging.ERROR, "statefun.connectors"):
            egress.put(1, records("bad", "good"))
            await receiver.until(delivered=2)

    assert receiver.requests == [("1", b"bad"), ("2", b"good"), ("2", b"good")]
    assert "drops the record 1: " in caplog.text
    assert "answered 422: as you like" in caplog.text


async def test_the_waits_grow_up_to_a_bound() -> None:
    """Each is twice as long as the one before."""
    options = WebhookOptions(first_retry=timedelta(seconds=0.5), longest_retry=timedelta(seconds=3))

    assert [options.wait_s(each) for each in (1, 2, 3, 4, 5, 10_000)] == [0.5, 1, 2, 3, 3, 3]


async def test_a_receiver_may_say_how_long_to_wait() -> None:
    """`Retry-After` in seconds."""
    loop, began = asyncio.get_running_loop(), asyncio.get_running_loop().time()
    receiver = Receiver(text_response(503, "busy", Retry_After="1"))
    async with receiver.posting(**AT_ONCE) as egress:
        egress.put(1, records("a"))
        await receiver.until(delivered=1)

    assert loop.time() - began >= 0.99


async def test_several_may_be_under_way() -> None:
    """As many as were chosen; each is reported when it is taken."""
    receiver = Receiver()
    receiver.open.clear()
    async with receiver.posting(max_in_flight=3) as egress:
        egress.put(1, records(*"abcde"))
        await receiver.until(requests=3)
        receiver.open.set()
        await receiver.until(delivered=5)

    assert receiver.most == 3
    assert sorted(receiver.delivered) == [1, 2, 3, 4, 5]


async def test_one_is_under_way_unless_more_were_chosen() -> None:
    """So they arrive in order."""
    receiver = Receiver()
    async with receiver.posting() as egress:
        egress.put(1, records(*"abc"))
        egress.put(2, records("d", first=9))
        await receiver.until(delivered=4)

    assert receiver.most == 1
    assert receiver.requests == [("1", b"a"), ("2", b"b"), ("3", b"c"), ("9", b"d")]


async def test_there_is_room_until_too_many_wait() -> None:
    """And again once the receiver has caught up."""
    receiver = Receiver()
    receiver.open.clear()
    async with receiver.posting(max_waiting=2) as egress:
        before = egress.has_room
        egress.put(1, records("a", "b"))
        full = egress.has_room
        receiver.open.set()
        await receiver.until(delivered=2)
        after = egress.has_room

    assert (before, full, after) == (True, False, True)


async def test_what_was_not_taken_is_not_reported_when_it_stops() -> None:
    """It comes again to the next process, with the same id."""
    receiver = Receiver()
    receiver.open.clear()
    async with receiver.posting() as egress:
        egress.put(1, records("a", "b"))
        await receiver.until(requests=1)
        await egress.stop()
        receiver.open.set()

    assert receiver.delivered == []


async def test_flushing_waits_until_all_were_taken() -> None:
    """An orderly stop loses no time with records that come again."""
    receiver = Receiver()
    async with receiver.posting() as egress:
        egress.put(1, records(*"abc"))
        async with asyncio.timeout(20):
            await egress.flush()

    assert receiver.delivered == [1, 2, 3]


@pytest.mark.parametrize(
    "argument", [b"\xff", encode_typed_value("io.statefun.playground/EgressRecord", b"{")]
)
async def test_what_cannot_be_posted_is_refused_and_keeps_nothing_up(argument: bytes) -> None:
    """The function's turn fails; one that was accepted before stays in the store."""
    receiver = Receiver()
    async with receiver.posting() as egress:
        with pytest.raises(StatefunError):
            egress.accept(argument)
        egress.put(1, [OutgoingRecord(1, argument), *records("a", first=2)])
        await receiver.until(delivered=1)

    assert receiver.delivered == [2]


@pytest.mark.parametrize("url", ["example.com/hook", "ftp://example.com", "http:///hook", ""])
def test_only_a_url_can_be_posted_to(url: str) -> None:
    """Anything else is refused before it starts."""
    with pytest.raises(ConfigurationError, match="is not one to post to"):
        WebhookEgress(OUT, url)


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("max_in_flight", 0),
        ("timeout", timedelta()),
        ("first_retry", timedelta(-1)),
        ("longest_retry", timedelta()),
        ("max_waiting", 0),
        ("on_refused", "forget"),
    ],
)
def test_options_that_make_no_sense_are_refused(option: str, value: Any) -> None:
    """With the option that is wrong."""
    with pytest.raises(ConfigurationError, match=f"{option} is ('forget'|{value})"):
        WebhookOptions(**{option: value})


@pytest.mark.parametrize("header", [{"X-A": "a\nb"}, {"X\r": "a"}, {"X-A": "\0"}])
def test_a_header_of_several_lines_is_refused(header: dict[str, str]) -> None:
    """No request could carry it."""
    with pytest.raises(ConfigurationError, match="line break or a zero byte"):
        WebhookOptions(headers=header)
