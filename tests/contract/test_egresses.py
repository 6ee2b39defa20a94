"""What every egress promises, on each of them."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Protocol

import aiohttp
import pytest

from statefun.connectors.http import HttpEgress
from statefun.connectors.webhook import WebhookEgress, WebhookOptions
from statefun.http import HttpServer, Request, Response
from statefun.ports import OutgoingRecord
from statefun.runtime.streams import EgressStream, StreamEgress
from statefun.sdk.wire import encode_typed_value

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from statefun.ports import Egress

RECORD = "io.statefun.playground/EgressRecord"


class Outside(Protocol):
    """An egress, and the outside world that reads from it."""

    @property
    def egress(self) -> Egress: ...

    def record(self, text: str) -> bytes:
        """A record that the egress can write."""
        ...

    async def take(self) -> tuple[int, str]:
        """Read the next record: its id and its text."""
        ...

    async def have(self) -> None:
        """Let the egress know that what was read has arrived, if reading does not tell."""
        ...

    async def close(self) -> None: ...


class OverHttp:
    """A client that asks for one record after another."""

    def __init__(self) -> None:
        self.egress = HttpEgress(0, ["topic"])
        self._session = aiohttp.ClientSession()

    def record(self, text: str) -> bytes:
        return encode_typed_value(RECORD, json.dumps({"topic": "topic", "payload": text}).encode())

    async def take(self) -> tuple[int, str]:
        url = f"http://127.0.0.1:{self.egress.port}/topic"
        async with self._session.get(url) as response:
            assert response.status == 200
            return int(response.headers["Record-Id"]), await response.text()

    async def have(self) -> None:
        """Reading an answer to its end tells."""

    async def close(self) -> None:
        await self._session.close()


class InProcess:
    """A reader of a tap."""

    def __init__(self) -> None:
        self.egress = StreamEgress("t/out")
        self._reader = EgressStream(self.egress)

    def record(self, text: str) -> bytes:
        return encode_typed_value("t/text", text.encode())

    async def take(self) -> tuple[int, str]:
        value = await anext(self._reader)
        return value.id, value.data.decode()

    async def have(self) -> None:
        """Ask for a record that is not there yet, and give up."""
        asking = asyncio.create_task(self.take())
        await asyncio.sleep(0)
        asking.cancel()
        await asyncio.wait([asking])

    async def close(self) -> None: ...


class Posted:
    """A server that takes what is posted to it."""

    def __init__(self) -> None:
        self._posted: asyncio.Queue[tuple[int, str]] = asyncio.Queue()
        self._server: HttpServer | None = None
        self.egress = WebhookEgress("t/out", "http://127.0.0.1:1/hook", WebhookOptions())

    async def listen(self) -> None:
        """Take from now on."""
        self._server = HttpServer(self._handle, "127.0.0.1", 0)
        await self._server.start()
        url = f"http://127.0.0.1:{self._server.port}/hook"
        self.egress = WebhookEgress("t/out", url, WebhookOptions())

    async def _handle(self, request: Request) -> Response:
        number = int(request.header("record-id") or "")
        await self._posted.put((number, request.body.decode()))
        return Response(204)

    def record(self, text: str) -> bytes:
        return encode_typed_value("t/text", text.encode())

    async def take(self) -> tuple[int, str]:
        return await self._posted.get()

    async def have(self) -> None:
        """The answer has told."""

    async def close(self) -> None:
        if self._server is not None:
            await self._server.stop()


class Delivered(list[int]):
    """The ids that an egress has reported."""

    def __init__(self) -> None:
        super().__init__()
        self._news = asyncio.Event()

    def __call__(self, ids: Sequence[int]) -> None:
        self.extend(ids)
        self._news.set()

    async def has(self, count: int) -> None:
        """Wait until so many have been reported."""
        while len(self) < count:
            self._news.clear()
            await self._news.wait()


@pytest.fixture(params=[OverHttp, InProcess, Posted], ids=["http", "tap", "webhook"])
async def outside(request: pytest.FixtureRequest) -> AsyncIterator[Outside]:
    outside: Outside = request.param()
    if isinstance(outside, Posted):
        await outside.listen()
    yield outside
    await outside.egress.stop()
    await outside.close()


def records(outside: Outside, *numbered: tuple[int, str]) -> list[OutgoingRecord]:
    return [OutgoingRecord(number, outside.record(text)) for number, text in numbered]


async def test_records_come_out_oldest_first_with_their_ids(outside: Outside) -> None:
    """Each once, whether they were put together or one after another."""
    await outside.egress.start(Delivered())

    outside.egress.put(1, records(outside, (3, "a"), (8, "b")))
    outside.egress.put(1, records(outside, (9, "ä")))

    assert [await outside.take() for _ in range(3)] == [(3, "a"), (8, "b"), (9, "ä")]


async def test_a_record_is_reported_once_the_outside_world_has_it(outside: Outside) -> None:
    """Not when it is put, and not twice."""
    delivered = Delivered()
    await outside.egress.start(delivered)
    outside.egress.put(1, records(outside, (3, "a"), (8, "b")))
    when_put = list(delivered)

    await outside.take()
    await outside.take()
    await outside.have()
    async with asyncio.timeout(10):
        await delivered.has(2)

    assert (when_put, delivered) == ([], [3, 8])


async def test_checking_a_record_does_nothing(outside: Outside) -> None:
    """A pure function of the bytes, which may be asked before the egress has started."""
    outside.egress.accept(outside.record("checked"))
    await outside.egress.start(Delivered())
    outside.egress.accept(outside.record("checked"))

    outside.egress.put(1, records(outside, (1, "put")))

    assert await outside.take() == (1, "put")


async def test_putting_never_fails(outside: Outside) -> None:
    """Not even what another egress of the name accepted: the next records come out all the same."""
    await outside.egress.start(Delivered())

    outside.egress.put(1, [OutgoingRecord(1, encode_typed_value("t/foreign", b"foreign"))])
    outside.egress.put(1, records(outside, (2, "a")))

    async with asyncio.timeout(10):
        taken = await outside.take()
        if taken == (1, "foreign"):  # it takes anything
            taken = await outside.take()
    assert taken == (2, "a")


async def test_an_egress_that_has_room_takes_records_and_can_be_flushed(outside: Outside) -> None:
    """Flushing waits for nobody who reads."""
    await outside.egress.start(Delivered())
    assert outside.egress.has_room
    outside.egress.put(1, records(outside, (1, "a")))

    async with asyncio.timeout(10):
        await outside.egress.flush()

    assert await outside.take() == (1, "a")


async def test_what_nobody_read_is_not_reported_when_the_egress_stops(outside: Outside) -> None:
    """It stays with the runtime, and comes again to the next process."""
    delivered = Delivered()
    await outside.egress.start(delivered)
    outside.egress.put(1, records(outside, (1, "a"), (2, "b"), (3, "c")))
    await outside.take()

    await outside.egress.stop()

    assert set(delivered) <= {1}


async def test_an_egress_that_never_started_can_be_stopped(outside: Outside) -> None:
    """And one that was stopped, too."""
    await outside.egress.stop()
    await outside.egress.stop()


def test_an_egress_has_one_typename(outside: Outside) -> None:
    """By which functions send to it."""
    assert outside.egress.typename == outside.egress.typename != ""
