"""Connections of `statefun serve`: HTTP/1.1 as clients send it, well and badly."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from uvicorn.server import ServerState

from statefun.sdk.functions import StatefulFunctions
from statefun.serve import connection
from statefun.serve.endpoint import Endpoint
from tests.serve.requests import request

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from statefun.sdk.context import Context
    from statefun.sdk.messages import Message

BODY = request("test/noting")


def post(body: bytes = BODY, *fields: str, target: str = "/", version: str = "1.1") -> bytes:
    lines = [f"POST {target} HTTP/{version}", "Host: here", f"Content-Length: {len(body)}", *fields]
    return "\r\n".join([*lines, "", ""]).encode() + body


class Client:
    """A connection to functions that note their messages, and that wait if they are to."""

    def __init__(self) -> None:
        self.noted: list[str | None] = []
        self.may_end = asyncio.Event()
        self.may_end.set()
        self.functions = StatefulFunctions()
        self.functions.bind("test/noting")(self._note)
        self.state = ServerState()
        self.reader: asyncio.StreamReader
        self.writer: asyncio.StreamWriter
        self.began = asyncio.Event()

    async def _note(self, _: Context, message: Message) -> None:
        self.began.set()
        await self.may_end.wait()
        self.noted.append(message.as_string())

    @property
    def connections(self) -> list[Any]:
        """The server's side."""
        return list(self.state.connections)

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def hear(self) -> tuple[int, bytes, dict[str, str]]:
        """The next answer: status, body, header."""
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode()
        status, *lines = head.rstrip().split("\r\n")
        fields = dict(line.split(": ", 1) for line in lines)
        body = await self.reader.readexactly(int(fields.get("Content-Length", "0")))
        return int(status.split()[1]), body, fields

    async def statuses(self, count: int) -> list[int]:
        return [(await self.hear())[0] for _ in range(count)]

    async def rest(self) -> bytes:
        """What comes until the server closes the connection."""
        return await self.reader.read()


async def until(condition: Callable[[], object]) -> None:
    """Let the server run until something has happened to it."""
    while not condition():  # noqa: ASYNC110 - there is no event for what it got to read
        await asyncio.sleep(0)


@asynccontextmanager
async def connected() -> AsyncIterator[Client]:
    client = Client()
    config: Any = SimpleNamespace(loaded_app=Endpoint(client.functions))
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: connection.Connection(config, client.state, {}), "127.0.0.1", 0
    )
    async with server:
        host, port = server.sockets[0].getsockname()
        client.reader, client.writer = await asyncio.open_connection(host, port)
        try:
            yield client
        finally:
            client.writer.close()
            client.may_end.set()
            for each in list(client.state.tasks):
                await each


async def test_a_connection_is_used_for_many_requests() -> None:
    """The engine keeps its connections: none is closed after an answer."""
    async with connected() as client:
        for text in "abc":
            await client.send(post(request("test/noting", text)))
            status, _, fields = await client.hear()
            assert (status, fields["Content-Type"]) == (200, "application/octet-stream")

    assert client.noted == ["a", "b", "c"]


async def test_requests_sent_at_once_are_answered_in_their_order() -> None:
    """One after another: the second does not begin before the first is answered."""
    async with connected() as client:
        await client.send(b"".join(post(request("test/noting", text)) for text in "abcde"))

        assert await client.statuses(5) == [200] * 5

    assert client.noted == ["a", "b", "c", "d", "e"]


async def test_a_client_with_requests_waiting_is_not_read_from() -> None:
    """What one client may pile up is bounded by what was read before its turn came."""
    async with connected() as client:
        client.may_end.clear()
        await client.send(post() + post())
        await client.began.wait()
        [served] = client.connections
        waiting = served._transport.is_reading()
        client.may_end.set()

        assert (waiting, await client.statuses(2)) == (False, [200, 200])
        assert served._transport.is_reading()


async def test_a_request_may_come_byte_by_byte() -> None:
    """Where the network cuts has no meaning."""
    async with connected() as client:
        for byte in post():
            await client.send(bytes([byte]))

        assert await client.statuses(1) == [200]


async def test_a_chunked_body_is_put_together() -> None:
    """A client that does not know the length in advance sends pieces."""
    half = len(BODY) // 2
    pieces = [BODY[:half], BODY[half:], b""]
    chunks = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces)

    async with connected() as client:
        await client.send(b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks)

        assert await client.statuses(1) == [200]


@pytest.mark.parametrize(
    "target", ["/?query#fragment", "http://proxy.example/", "http://proxy.example", "//x", "*"]
)
async def test_any_form_of_target_is_understood(target: str) -> None:
    """Proxies send the whole URL; queries and fragments are no part of the path."""
    async with connected() as client:
        await client.send(post(target=target))

        assert await client.statuses(1) == [200]


@pytest.mark.parametrize(
    "asked", [post(BODY, "Connection: close"), post(BODY, version="1.0")], ids=["close", "1.0"]
)
async def test_a_connection_is_closed_after_its_last_answer(asked: bytes) -> None:
    """When the client says that it is the last, or speaks a version that keeps none."""
    async with connected() as client:
        await client.send(asked)

        assert await client.statuses(1) == [200]
        assert await client.rest() == b""


async def test_a_body_that_is_held_back_is_asked_for() -> None:
    """A client such as curl waits for a `100 Continue` before it sends a large body."""
    async with connected() as client:
        head, body = post(BODY, "Expect: 100-continue").split(b"\r\n\r\n", 1)
        await client.send(head + b"\r\n\r\n")
        assert await client.statuses(1) == [100]
        await client.send(body)

        assert await client.statuses(1) == [200]


async def test_a_body_behind_a_running_request_is_asked_for_in_its_turn() -> None:
    """The client would wait for ever; and before its turn the answer would be for another."""
    async with connected() as client:
        client.may_end.clear()
        head, body = post(BODY, "Expect: 100-continue").split(b"\r\n\r\n", 1)
        await client.send(post() + head + b"\r\n\r\n")
        await client.began.wait()
        client.may_end.set()

        assert await client.statuses(2) == [200, 100]

        await client.send(body)
        assert await client.statuses(1) == [200]


async def test_a_body_that_came_by_itself_is_not_asked_for() -> None:
    """A client may send it without waiting, and an older one knows no such answer."""
    async with connected() as client:
        client.may_end.clear()
        await client.send(post() + post(BODY, "Expect: 100-continue"))
        await client.began.wait()
        client.may_end.set()
        assert await client.statuses(2) == [200, 200]

        await client.send(post(BODY, "Expect: 100-continue", version="1.0"))
        assert await client.statuses(1) == [200]


async def test_a_head_without_end_is_refused_and_the_connection_closed() -> None:
    """What a client may have kept of a request that nobody can answer is bounded."""
    async with connected() as client:
        await client.send(b"POST / HTTP/1.1\r\n")
        await until(lambda: client.connections)
        [served] = client.connections
        await until(lambda: served._url)
        for _ in range(4):  # the last one is too much
            await client.send(b"X-Filling: " + b"x" * 16_384 + b"\r\n")

        status, body, _ = await client.hear()
        assert (status, body) == (431, b"the head of this request is longer than 65536 bytes\n")
        assert await client.rest() == b""


async def test_a_head_of_the_longest_length_is_taken() -> None:
    """Proxies and tracing add fields of their own."""
    async with connected() as client:
        await client.send(post(BODY, *(f"X-{n}: {'x' * 1000}" for n in range(60))))

        assert await client.statuses(1) == [200]


async def test_a_client_that_sends_no_more_still_gets_its_answer() -> None:
    """It may close its half of the connection behind its last request."""
    async with connected() as client:
        client.may_end.clear()
        await client.send(post())
        await client.began.wait()
        [served] = client.connections
        client.writer.write_eof()
        await until(lambda: served._is_ending or served._transport.is_closing())
        client.may_end.set()

        assert await client.statuses(1) == [200]
        assert await client.rest() == b""


async def test_a_client_that_sends_no_more_gets_all_its_answers() -> None:
    """Also those to requests that waited for their turn."""
    async with connected() as client:
        client.may_end.clear()
        await client.send(post() * 3)
        await client.began.wait()
        client.writer.write_eof()
        client.may_end.set()

        assert await client.statuses(3) == [200, 200, 200]
        assert await client.rest() == b""


async def test_a_client_that_sends_no_more_within_a_request_is_let_go() -> None:
    """There is nothing to answer, and nothing else to come."""
    async with connected() as client:
        await client.send(post()[:-1])
        client.writer.write_eof()

        assert await client.rest() == b""


@pytest.mark.parametrize("cut", [0, 3, 20])
async def test_an_offer_with_a_chunked_body_is_declined_by_answering(cut: int) -> None:
    """Java's client makes one when it does not know the length in advance, too."""
    head = b"POST / HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n"
    chunks = b"%x\r\n%b\r\n0\r\n\r\n" % (len(BODY), BODY)

    async with connected() as client:
        await client.send(head + b"Transfer-Encoding: chunked\r\n\r\n" + chunks[:cut])
        await client.send(chunks[cut:] + post(request("test/noting", "next")))

        assert await client.statuses(2) == [200, 200]

    assert client.noted == ["Ada", "next"]


async def test_an_offer_without_a_body_is_declined_by_answering() -> None:
    """Whoever asks for a WebSocket gets an answer in HTTP, and may go on."""
    offer = b"GET /health HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"

    async with connected() as client:
        await client.send(offer + b"CONNECT here:1 HTTP/1.1\r\n\r\n" + post())

        assert await client.statuses(3) == [200, 405, 200]


async def test_any_number_of_offers_may_come_at_once() -> None:
    """Each is declined before the next is looked at."""
    offer = b"GET /health HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"

    async with connected() as client:
        await client.send(offer * 2000)

        assert await client.statuses(2000) == [200] * 2000


@pytest.mark.parametrize("cut", [0, 1, len(BODY) - 1, len(BODY)])
async def test_an_offer_to_upgrade_is_declined_by_answering(cut: int) -> None:
    """Java's client offers HTTP/2 with its first request: the body is the body all the same."""
    offer = post(BODY, "Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AA")
    head = offer.removesuffix(BODY)

    async with connected() as client:
        await client.send(head + BODY[:cut])
        await client.send(BODY[cut:] + post(request("test/noting", "next")))

        assert await client.statuses(2) == [200, 200]

    assert client.noted == ["Ada", "next"]


async def test_the_head_alone_is_sent_for_a_head_request() -> None:
    """A body would be taken for the next answer."""
    async with connected() as client:
        await client.send(b"HEAD /health HTTP/1.1\r\n\r\n" + post())

        head = await client.reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200 OK\r\n")
        assert head.endswith(b"\r\nContent-Length: 3\r\n\r\n")
        assert await client.statuses(1) == [200]


async def test_what_is_not_http_is_refused_and_the_connection_closed() -> None:
    """Nobody can tell where the next request would begin."""
    async with connected() as client:
        await client.send(b"\x16\x03\x01 hello\r\n\r\n")

        assert (await client.hear())[:2] == (400, b"this is not HTTP/1.1\n")
        assert await client.rest() == b""


async def test_nonsense_after_a_request_does_not_cost_its_answer() -> None:
    """A request that has begun is answered; then the connection is closed."""
    async with connected() as client:
        client.may_end.clear()
        await client.send(post())
        await client.began.wait()
        await client.send(b"nonsense\r\n\r\n")
        [served] = client.connections
        await until(lambda: served._is_ending)
        client.may_end.set()

        assert await client.statuses(1) == [200]
        assert await client.rest() == b""


async def test_a_client_that_hangs_up_does_not_stop_its_batch() -> None:
    """The engine expects that a batch whose connection broke may have run, and sends it again."""
    async with connected() as client:
        client.may_end.clear()
        await client.send(post())
        await client.began.wait()
        client.writer.close()
        await client.writer.wait_closed()
        [task] = client.state.tasks
        client.may_end.set()
        await task

    assert client.noted == ["Ada"]


async def test_a_server_that_stops_answers_what_it_has_begun() -> None:
    """Also a request of which a part is still under way; then the connection is closed."""
    first, second = post(request("test/noting", "a")), post(request("test/noting", "b"))

    async with connected() as client:
        await client.send(first)
        await client.hear()
        [served] = client.connections
        await client.send(second[:20])
        await until(lambda: served._url)
        served.shutdown()
        await client.send(second[20:])

        assert await client.statuses(1) == [200]
        assert await client.rest() == b""


async def test_a_server_that_stops_closes_connections_without_a_request() -> None:
    """It does not wait for clients that have nothing to ask."""
    async with connected() as client:
        await client.send(post())
        await client.hear()
        [served] = client.connections
        served.shutdown()

        assert await client.rest() == b""


async def test_a_connection_without_requests_is_closed_in_the_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A client that vanished without a word does not hold it for ever."""
    monkeypatch.setattr(connection, "_IDLE_SECONDS", 0.01)

    async with connected() as client:
        await client.send(b"POST / HT")

        assert await client.rest() == b""


async def test_a_connection_with_a_request_is_not_idle() -> None:
    """However long the functions take."""
    async with connected() as client:
        client.may_end.clear()
        await client.send(post())
        await client.began.wait()
        [served] = client.connections
        served._heard_at = -1e9
        served._end_if_idle()
        client.may_end.set()

        assert await client.statuses(1) == [200]


async def test_a_client_that_does_not_read_is_not_read_from() -> None:
    """Answers that nobody takes must not pile up without bound."""
    async with connected() as client:
        await until(lambda: client.connections)
        [served] = client.connections
        transport = served._transport
        transport.set_write_buffer_limits(high=0)
        served.pause_writing()
        assert not transport.is_reading()
        served.resume_writing()

        await client.send(post())
        assert await client.statuses(1) == [200]
