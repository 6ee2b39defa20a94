"""Connections: HTTP/1.1 as clients send it, well and badly."""

from __future__ import annotations

import asyncio
import logging
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest

from statefun.errors import RequestRefusedError
from statefun.http import Later, Response, ServerLimits, text_response
from tests.unit.http.raw import Client, Served, echo, request, serving, until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable

    from statefun.http import Request

OFFER = ("Connection: Upgrade", "Upgrade: websocket")


class Noting:
    """A handler that notes bodies, and answers when it may."""

    def __init__(self) -> None:
        self.noted: list[bytes] = []
        self.may_end = asyncio.Event()
        self.may_end.set()
        self.began = asyncio.Event()

    async def __call__(self, request: Request) -> Response:
        self.began.set()
        await self.may_end.wait()
        self.noted.append(request.body)
        return Response(200, request.body)


@asynccontextmanager
async def connected(**limits: float) -> AsyncIterator[tuple[Noting, Served, Client]]:
    handler = Noting()
    async with serving(handler, limits=ServerLimits(**limits)) as served:  # type: ignore[arg-type]
        try:
            yield handler, served, await served.connect()
        finally:
            handler.may_end.set()


def put(body: bytes = b"x", *fields: str, line: str = "PUT /a HTTP/1.1") -> bytes:
    return request(line, *fields, body=body)


# --- one request after another --------------------------------------------------------------------


async def test_a_connection_is_used_for_many_requests() -> None:
    """None is closed after an answer."""
    async with connected() as (handler, _, client):
        for body in (b"a", b"b", b"c"):
            await client.send(put(body))
            assert (await client.hear())[:2] == (200, body)

    assert handler.noted == [b"a", b"b", b"c"]


async def test_requests_sent_at_once_are_answered_in_their_order() -> None:
    """One after another: the second does not begin before the first is answered."""
    async with connected() as (handler, _, client):
        await client.send(b"".join(put(bytes([each])) for each in b"abcde"))

        assert [(await client.hear()).body for _ in range(5)] == [b"a", b"b", b"c", b"d", b"e"]
    assert handler.noted == [b"a", b"b", b"c", b"d", b"e"]


async def test_answers_that_are_ready_together_are_written_together() -> None:
    """Requests that are answered at once cost one write, however many came together."""
    writes: list[int] = []
    async with serving(echo) as served:
        client = await served.connect()
        await until(lambda: served.connections)
        [connection] = served.connections
        transport = connection._transport

        class Counting:
            def __getattr__(self, name: str) -> object:
                return getattr(transport, name)

            def write(self, data: bytes) -> None:
                writes.append(len(data))
                transport.write(data)

        connection._transport = Counting()  # type: ignore[assignment]
        await client.send(put() * 50)

        assert await client.statuses(50) == [200] * 50
    assert len(writes) < 5


async def test_an_answer_at_once_needs_no_task() -> None:
    """Neither does one that waits for a future."""
    future: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    def handler(request: Request) -> Response | Later:
        if request.path == "/later":
            return Later(future, lambda done: text_response(200, str(done.result())))
        return text_response(200, "now")

    async with serving(handler) as served:
        client, other = await served.connect(), await served.connect()
        await until(lambda: len(served.connections) == 2)
        tasks = asyncio.all_tasks()
        await client.send(request("GET /later HTTP/1.1") + request("GET /now HTTP/1.1"))
        await other.send(request("GET /now HTTP/1.1"))
        assert (await other.hear()).body == b"now\n"
        assert asyncio.all_tasks() == tasks

        future.set_result(7)
        assert [(await client.hear()).body for _ in range(2)] == [b"7\n", b"now\n"]


async def test_a_handler_that_waits_holds_up_no_other_connection() -> None:
    """Each connection has its own turn."""
    async with connected() as (handler, served, client):
        handler.may_end.clear()
        await client.send(put(b"slow"))
        await handler.began.wait()
        others = [await served.connect() for _ in range(3)]
        for other in others:
            await other.send(request("PUT / HTTP/1.1", "Transfer-Encoding: gzip, chunked"))
        assert [(await other.hear()).status for other in others] == [400] * 3
        handler.may_end.set()

        assert (await client.hear()).body == b"slow"


async def test_a_client_with_requests_waiting_is_not_read_from() -> None:
    """What one client may pile up is bounded by what was read before its turn came."""
    async with connected() as (handler, served, client):
        handler.may_end.clear()
        await client.send(put() + put())
        await handler.began.wait()
        [connection] = served.connections
        waiting = connection._transport.is_reading()
        handler.may_end.set()

        assert (waiting, await client.statuses(2)) == (False, [200, 200])
        assert connection._transport.is_reading()


async def test_a_request_may_come_byte_by_byte() -> None:
    """Where the network cuts has no meaning."""
    async with connected() as (_, _, client):
        for byte in put():
            await client.send(bytes([byte]))

        assert await client.statuses(1) == [200]


async def test_a_chunked_body_is_put_together() -> None:
    """A client that does not know the length in advance sends pieces; trailers are ignored."""
    async with connected() as (handler, _, client):
        head = request("PUT / HTTP/1.1", "Transfer-Encoding: chunked")
        await client.send(head + b"3\r\nabc\r\n2\r\nde\r\n0\r\nX-Sum: 9\r\n\r\n")

        assert await client.statuses(1) == [200]
    assert handler.noted == [b"abcde"]


@pytest.mark.parametrize(
    ("target", "path", "query"),
    [
        ("/a%20b?q=%20#f", "/a b", "q=%20"),
        ("http://proxy.example/a/b?c", "/a/b", "c"),
        ("http://proxy.example", "/", ""),
        ("//x", "//x", ""),
        ("*", "*", ""),
    ],
)
async def test_any_form_of_target_is_understood(target: str, path: str, query: str) -> None:
    """Proxies send the whole URL; query and fragment are not part of the path."""
    heard: list[tuple[str, str, str]] = []

    def handler(request: Request) -> Response:
        heard.append((request.target, request.path, request.query))
        return Response(200)

    async with serving(handler) as served:
        assert (await served.ask(request(f"GET {target} HTTP/1.1"))).status == 200

    assert heard == [(target, path, query)]


async def test_header_fields_are_found_by_their_name() -> None:
    """In any case of letters; several of a name are joined; bytes that are not UTF-8 are kept."""
    heard: list[object] = []

    def handler(request: Request) -> Response:
        heard.extend([request.header("x-a"), request.header("x-b"), request.header_values("x-a")])
        return Response(200)

    async with serving(handler) as served:
        await served.ask(request("GET / HTTP/1.1", "X-A: 1", "x-a: \xff"))

    assert heard == ["1, \udcff", None, ["1", "\udcff"]]


# --- ends -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "asked", [put(b"x", "Connection: close"), put(line="PUT /a HTTP/1.0")], ids=["close", "1.0"]
)
async def test_a_connection_is_closed_after_its_last_answer(asked: bytes) -> None:
    """When the client says that it is the last, or speaks a version that keeps none."""
    async with connected() as (handler, _, client):
        await client.send(asked + put(b"more"))

        answer = await client.hear()
        assert (answer.status, answer.fields["Connection"]) == (200, "close")
        assert await client.rest() == b""
    assert handler.noted == [b"x"]


async def test_a_client_that_sends_no_more_gets_all_its_answers() -> None:
    """It may close its half of the connection behind its last request."""
    async with connected() as (handler, _, client):
        handler.may_end.clear()
        await client.send(put() * 3)
        await handler.began.wait()
        client.writer.write_eof()
        handler.may_end.set()

        assert await client.statuses(3) == [200, 200, 200]
        assert await client.rest() == b""


async def test_a_client_that_sends_no_more_within_a_request_is_let_go() -> None:
    """There is nothing to answer, and nothing else to come."""
    async with connected() as (_, _, client):
        await client.send(put()[:-1])
        client.writer.write_eof()

        assert await client.rest() == b""


async def test_a_client_that_hangs_up_does_not_stop_its_handler() -> None:
    """What has begun may have had an effect: it runs to its end."""
    async with connected() as (handler, served, client):
        handler.may_end.clear()
        await client.send(put())
        await handler.began.wait()
        client.writer.close()
        await client.writer.wait_closed()
        [task] = served.tasks
        handler.may_end.set()
        await task

    assert handler.noted == [b"x"]


async def test_a_handler_can_learn_that_its_client_has_left() -> None:
    """One that takes long need not go on for nobody."""
    heard: list[bool] = []
    may_look = asyncio.Event()

    async def handler(request: Request) -> Response:
        heard.append(request.is_abandoned)
        await may_look.wait()
        heard.append(request.is_abandoned)
        return Response(200)

    async with serving(handler) as served:
        client = await served.connect()
        await client.send(put())
        await until(lambda: heard)
        client.writer.close()
        await until(lambda: not served.connections or served.connections[0]._is_eof)
        [task] = served.tasks
        may_look.set()
        await task

    assert heard == [False, True]


# --- 100 Continue ---------------------------------------------------------------------------------


async def test_a_body_that_is_held_back_is_asked_for() -> None:
    """A client such as curl waits for a `100 Continue` before it sends a large body."""
    async with connected() as (_, _, client):
        head, body = put(b"abc", "Expect: 100-continue").split(b"\r\n\r\n", 1)
        await client.send(head + b"\r\n\r\n")
        assert await client.statuses(1) == [100]
        await client.send(body)

        assert await client.statuses(1) == [200]


async def test_a_body_behind_a_running_request_is_asked_for_in_its_turn() -> None:
    """The client would wait for ever; and before its turn the answer would be for another."""
    async with connected() as (handler, _, client):
        handler.may_end.clear()
        head, body = put(b"abc", "Expect: 100-continue").split(b"\r\n\r\n", 1)
        await client.send(put() + head + b"\r\n\r\n")
        await handler.began.wait()
        handler.may_end.set()

        assert await client.statuses(2) == [200, 100]

        await client.send(body)
        assert await client.statuses(1) == [200]


async def test_a_body_that_came_by_itself_is_not_asked_for() -> None:
    """A client may send it without waiting, and an older one knows no such answer."""
    async with connected() as (handler, _, client):
        handler.may_end.clear()
        await client.send(put() + put(b"abc", "Expect: 100-continue"))
        await handler.began.wait()
        handler.may_end.set()
        assert await client.statuses(2) == [200, 200]

        await client.send(put(b"abc", "Expect: 100-continue", line="PUT /a HTTP/1.0"))
        assert await client.statuses(1) == [200]


# --- offers ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("cut", [0, 1, 2, 3])
@pytest.mark.parametrize("is_chunked", [False, True])
async def test_an_offer_to_upgrade_is_declined_by_answering(cut: int, *, is_chunked: bool) -> None:
    """Java's client offers HTTP/2 with its first request: the body is the body all the same."""
    offer = ("Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AA")
    if is_chunked:
        head = request("PUT / HTTP/1.1", "Transfer-Encoding: chunked", *offer)
        body = b"3\r\nabc\r\n0\r\n\r\n"
    else:
        head, body = put(b"abc", *offer)[:-3], b"abc"

    async with connected() as (handler, _, client):
        await client.send(head + body[:cut])
        await client.send(body[cut:] + put(b"next"))

        assert await client.statuses(2) == [200, 200]

    assert handler.noted == [b"abc", b"next"]


async def test_a_declined_request_keeps_its_header_fields() -> None:
    """All but those of the offer; and it may be the last one of its connection."""
    heard: list[object] = []

    def handler(request: Request) -> Response:
        heard.append((request.target, request.header("content-type"), request.header("upgrade")))
        return Response(200)

    async with serving(handler) as served:
        client = await served.connect()
        fields = ("Connection: close, Upgrade", "Upgrade: h2c", "Content-Type: a/b")
        await client.send(put(b"abc", *fields, line="PUT /x%20y?z HTTP/1.1"))
        assert await client.statuses(1) == [200]
        assert await client.rest() == b""

    assert heard == [("/x%20y?z", "a/b", None)]


async def test_any_number_of_offers_may_come_at_once() -> None:
    """Each is declined before the next is looked at; so is a tunnel."""
    tunnel = b"CONNECT here:1 HTTP/1.1\r\nHost: here:1\r\n\r\n"
    async with connected() as (_, _, client):
        await client.send((request("GET / HTTP/1.1", *OFFER) + tunnel) * 500)

        assert await client.statuses(1000) == [200] * 1000


class Shouting(asyncio.Protocol):
    """Another protocol: whatever comes goes back in capitals."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.transport.write(data.upper())


@pytest.mark.parametrize("is_slow", [False, True])
async def test_a_handler_may_take_an_offer(*, is_slow: bool) -> None:
    """It returns the protocol that goes on; nothing of what has come already is lost."""

    async def slowly() -> Response:
        await asyncio.sleep(0)
        return accepted()

    def accepted() -> Response:
        return Response(101, headers=(("Upgrade", "websocket"),), switch=Shouting())

    def handler(request: Request) -> Response | Awaitable[Response]:
        if request.upgrade != "websocket":
            return text_response(400, "offer a WebSocket")
        return slowly() if is_slow else accepted()

    async with serving(handler, upgrades=["websocket"]) as served:
        client = await served.connect()
        offer = request("GET / HTTP/1.1", "Accept-Encoding: gzip", *OFFER)
        await client.send(request("GET / HTTP/1.1") + offer + b"hello ")
        assert await client.statuses(2) == [400, 101]
        await client.send(b"world")

        assert await client.reader.readexactly(11) == b"HELLO WORLD"


@pytest.mark.parametrize("is_slow", [False, True])
async def test_an_offer_that_the_handler_does_not_take_is_declined(*, is_slow: bool) -> None:
    """It answers as always, and the connection goes on in HTTP."""

    async def slowly() -> Response:
        await asyncio.sleep(0)
        return Response(200)

    def handler(_: Request) -> Response | Awaitable[Response]:
        return slowly() if is_slow else Response(200)

    async with serving(handler, upgrades=["websocket"]) as served:
        client = await served.connect()
        await client.send(request("GET / HTTP/1.1", *OFFER) * 3)

        assert await client.statuses(3) == [200] * 3


# --- nonsense -------------------------------------------------------------------------------------


MALFORMED = {
    "no request": (b"GARBAGE\r\n\r\n", 400, "Invalid method encountered"),
    "TLS": (b"\x16\x03\x01\x02\x00\x01", 400, "it begins like TLS, which is not spoken here"),
    "HTTP/2": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400, "it begins like HTTP/2"),
    "an unknown version": (request("PUT / HTTP/9.9"), 400, "Invalid HTTP version"),
    "no host": (b"PUT / HTTP/1.1\r\n\r\n", 400, "it needs one header field 'Host'"),
    "two hosts": (request("PUT / HTTP/1.1", "Host: b"), 400, "it needs one header field 'Host'"),
    "raw bytes in the path": (request("PUT /\xff HTTP/1.1"), 400, "Invalid char in url path"),
    "a broken URL": (request("PUT http://[::1/a HTTP/1.1"), 400, "'http://[::1/a' is not a URL"),
    "a broken field": (request("PUT / HTTP/1.1", "a : b"), 400, "Invalid header token"),
    "a broken length": (request("PUT / HTTP/1.1", "Content-Length: x"), 400, "Content-Length"),
    "two framings": (
        request("PUT / HTTP/1.1", "Content-Length: 3", "Transfer-Encoding: chunked"),
        400,
        "Transfer-Encoding can't be present with Content-Length",
    ),
    "a broken chunk": (
        request("PUT / HTTP/1.1", "Transfer-Encoding: chunked") + b"ZZ\r\n",
        400,
        "Invalid character in chunk size",
    ),
    "an unknown framing": (
        request("PUT / HTTP/1.1", "Transfer-Encoding: gzip, chunked"),
        400,
        (
            "the transfer encoding 'gzip, chunked' is not taken: send the body chunked or with its "
            "length, and what is compressed with a Content-Encoding"
        ),
    ),
    "an unknown coding": (
        request("PUT / HTTP/1.1", "Content-Encoding: br"),
        415,
        (
            "the content encoding 'br' is not taken: send the body as it is, or once as gzip or "
            "deflate"
        ),
    ),
    "an unknown expectation": (
        request("PUT / HTTP/1.1", "Expect: x"),
        417,
        "'Expect: x' cannot be met: leave it out, or send '100-continue'",
    ),
    "too many fields": (
        request("PUT / HTTP/1.1", *(f"X{each}: 1" for each in range(128))),
        431,
        "this request has more than 128 header fields",
    ),
    "a long path": (
        request(f"PUT /{'x' * 65_536} HTTP/1.1"),
        431,
        "the head of this request is longer than 65536 bytes",
    ),
    "a long field": (
        request("PUT / HTTP/1.1", f"X: {'x' * 65_536}"),
        431,
        "the head of this request is longer than 65536 bytes",
    ),
    "a long body": (
        request("PUT / HTTP/1.1", "Content-Length: 33554433"),
        413,
        "the body has more than 33554432 bytes, which is the limit here",
    ),
}


@pytest.mark.parametrize("case", MALFORMED)
async def test_nonsense_is_refused_with_a_reason(
    case: str, caplog: pytest.LogCaptureFixture
) -> None:
    """The connection is closed behind it, others go on, and the log stays readable."""
    content, status, reason = MALFORMED[case]
    async with serving(echo) as served:
        client = await served.connect()
        await client.send(content)
        answer = await client.hear()
        after = await served.ask(put())

        assert await client.rest() == b""
    assert (answer.status, answer.fields["Connection"]) == (status, "close")
    assert reason in answer.body.decode()
    assert (after.status, caplog.messages) == (200, [])


async def test_nonsense_behind_requests_costs_none_of_their_answers() -> None:
    """It is refused in its turn."""
    async with connected() as (handler, _, client):
        handler.may_end.clear()
        await client.send(put(b"a") + put(b"b") + b"nonsense\r\n\r\n")
        await handler.began.wait()
        handler.may_end.set()

        assert await client.statuses(3) == [200, 200, 400]
        assert await client.rest() == b""


async def test_a_head_without_end_is_refused() -> None:
    """What is kept of a request that nobody can answer is bounded."""
    async with connected() as (_, served, client):
        await client.send(b"POST / HTTP/1.1\r\n")
        await until(lambda: served.connections and served.connections[0]._reader.has_begun)
        for _ in range(5):
            await client.send(b"X-Filling: " + b"x" * 16_384 + b"\r\n")

        assert (await client.hear())[:2] == (
            431,
            b"the head of this request is longer than 65536 bytes\n",
        )
        assert await client.rest() == b""


async def test_a_long_head_is_taken() -> None:
    """Proxies and tracing add fields of their own."""
    async with connected() as (_, _, client):
        await client.send(put(b"x", *(f"X-{n}: {'x' * 1000}" for n in range(60))))

        assert await client.statuses(1) == [200]


async def test_the_sender_of_a_refused_body_can_read_why() -> None:
    """The rest of the body is read and dropped: closing over it would take the answer away."""
    async with connected(max_body_bytes=10) as (_, _, client):
        await client.send(request("PUT / HTTP/1.1", "Content-Length: 5000000"))
        await client.send(bytes(5_000_000))

        assert (await client.hear()).status == 413
        assert await client.rest() == b""


# --- answers --------------------------------------------------------------------------------------


async def test_the_head_alone_is_sent_for_a_head_request() -> None:
    """A body would be taken for the next answer."""
    async with serving(lambda _: text_response(200, "ok")) as served:
        client = await served.connect()
        await client.send(request("HEAD / HTTP/1.1") + put())

        head = await client.hear(has_body=False)
        assert (head.status, head.fields["Content-Length"]) == (200, "3")
        assert (await client.hear()).body == b"ok\n"


async def test_an_answer_without_content_has_no_length() -> None:
    """Status 204 says so by itself."""
    async with serving(lambda _: Response(204, content_type="")) as served:
        client = await served.connect()
        await client.send(request("DELETE / HTTP/1.1") * 2)

        first, second = await client.hear(), await client.hear()
    assert [first.status, second.status] == [204, 204]
    assert first.fields.keys() == {"Date"}


async def test_an_answer_cannot_be_split_by_what_is_in_its_fields() -> None:
    """Ends of lines in a value become blanks."""
    async with serving(lambda _: text_response(200, X="a\r\nSet-Cookie: b")) as served:
        answer = await served.ask(put())

    assert answer.fields["X"] == "a  Set-Cookie: b"


async def test_a_handler_refuses_by_an_error(caplog: pytest.LogCaptureFixture) -> None:
    """Whether it is a coroutine or not; a 503 says when to come again."""

    async def slowly() -> Response:
        raise RequestRefusedError(503, "busy")

    def handler(request: Request) -> Awaitable[Response]:
        if request.path == "/slow":
            return slowly()
        raise RequestRefusedError(409, "no")

    async with serving(handler) as served:
        client = await served.connect()
        await client.send(request("PUT /slow HTTP/1.1") + request("PUT / HTTP/1.1"))
        slow, now = await client.hear(), await client.hear()

    assert (slow.status, slow.body, slow.fields["Retry-After"]) == (503, b"busy\n", "1")
    assert (now.status, now.body, "Retry-After" in now.fields) == (409, b"no\n", False)
    assert caplog.messages == []


@pytest.mark.parametrize("way", ["at once", "slowly", "later"])
async def test_a_handler_that_breaks_is_answered_500_and_logged(
    way: str, caplog: pytest.LogCaptureFixture
) -> None:
    """The client learns nothing of the inside; the connection goes on."""

    async def slowly() -> Response:
        raise ValueError("inside")

    def handler(_: Request) -> Awaitable[Response] | Later:
        if way == "at once":
            raise ValueError("inside")
        if way == "slowly":
            return slowly()
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        future.set_exception(ValueError("inside"))
        return Later(future, lambda done: text_response(200, str(done.result())))

    async with serving(handler) as served:
        client = await served.connect()
        await client.send(request("PUT /x HTTP/1.1") * 2)

        assert (await client.hear())[:2] == (
            500,
            b"an unexpected error, see the log of this server\n",
        )
        assert await client.statuses(1) == [500]
    assert caplog.messages == ["PUT /x could not be answered"] * 2


async def pieces(*all_of_them: bytes) -> AsyncIterator[bytes]:
    for each in all_of_them:
        await asyncio.sleep(0)
        yield each


async def test_a_long_answer_is_sent_piece_by_piece() -> None:
    """In chunks, and the next request is answered behind it."""

    def handler(request: Request) -> Response:
        return Response(200, stream=pieces(b"abc", b"", b"de") if request.body == b"1" else None)

    async with serving(handler) as served:
        client = await served.connect()
        await client.send(put(b"1") + put(b"2"))
        first = await client.hear()
        chunks = await client.reader.readuntil(b"0\r\n\r\n")
        second = await client.hear()

    assert first.fields["Transfer-Encoding"] == "chunked"
    assert chunks == b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
    assert second.status == 200


async def test_a_long_answer_ends_with_its_connection_in_http_1_0() -> None:
    """Which has no chunks."""
    async with serving(lambda _: Response(200, stream=pieces(b"abc", b"de"))) as served:
        client = await served.connect()
        await client.send(put(line="PUT /a HTTP/1.0"))
        head = await client.hear()

        assert (head.fields["Connection"], await client.rest()) == ("close", b"abcde")


async def test_a_long_answer_waits_for_its_reader() -> None:
    """No piece is made for a client that does not read; one that has left ends it."""
    made = 0
    ended = asyncio.Event()

    async def endless() -> AsyncIterator[bytes]:
        nonlocal made
        try:
            while True:
                made += 1
                yield bytes(1 << 20)
        finally:
            ended.set()

    async with serving(lambda _: Response(200, stream=endless())) as served:
        client = await served.connect()
        await client.send(put())
        await client.hear()
        await until(lambda: served.connections[0]._writer._drained)
        assert made < 50

        client.writer.transport.abort()
        await asyncio.wait_for(ended.wait(), 10)


async def test_an_answer_that_breaks_off_is_seen_to(caplog: pytest.LogCaptureFixture) -> None:
    """Its end is missing, and the connection is closed."""

    async def broken() -> AsyncIterator[bytes]:
        yield b"abc"
        raise ValueError("inside")

    async with serving(lambda _: Response(200, stream=broken())) as served:
        client = await served.connect()
        await client.send(put())
        await client.hear()
        try:
            rest = await client.rest()
        except ConnectionError:
            rest = b""

    assert not rest.endswith(b"0\r\n\r\n")
    assert caplog.messages == ["the answer to PUT /a broke off"]


@pytest.mark.parametrize("size", [1, 8 << 20])
async def test_whoever_wants_to_know_is_told_when_an_answer_has_left(size: int) -> None:
    """Once, with True, when its last byte has; the next request is answered behind it."""
    told: list[bool] = []
    async with serving(lambda _: Response(200, bytes(size), sent=told.append)) as served:
        client = await served.connect()
        await client.send(put() + put())
        assert len((await client.hear()).body) == size
        assert len((await client.hear()).body) == size

    assert told == [True, True]


async def test_whoever_wants_to_know_is_told_when_an_answer_has_not_left() -> None:
    """With False, if the connection ends before."""
    told: list[bool] = []
    async with serving(lambda _: Response(200, bytes(8 << 20), sent=told.append)) as served:
        client = await served.connect()
        await client.send(put())
        await client.reader.readexactly(1)
        client.writer.transport.abort()
        await until(lambda: told)

    assert told == [False]


# --- time -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("sent", [b"", b"POST / HT"])
async def test_a_connection_without_requests_is_closed_in_the_end(sent: bytes) -> None:
    """A client that vanished without a word does not hold it for ever."""
    async with connected(idle_timeout_s=0.05) as (_, _, client):
        await client.send(sent)

        assert await client.rest() == b""


async def test_a_connection_with_a_request_is_not_idle() -> None:
    """However long its handler takes."""
    async with connected(idle_timeout_s=0.02) as (handler, served, client):
        handler.may_end.clear()
        await client.send(put())
        await handler.began.wait()
        [connection] = served.connections
        before = connection._idle_check
        await until(lambda: connection._idle_check is not before)  # it has looked
        handler.may_end.set()

        assert await client.statuses(1) == [200]


async def test_a_client_that_does_not_read_is_not_read_from() -> None:
    """Answers that nobody takes do not pile up; it is sent away after a while."""
    async with serving(
        lambda _: Response(200, bytes(8 << 20)), limits=ServerLimits(write_timeout_s=0.05)
    ) as served:
        client = await served.connect()
        await client.send(put())
        await until(lambda: served.connections and served.connections[0]._writer.is_paused)
        [connection] = served.connections
        assert not connection._transport.is_reading()

        await until(lambda: not served.connections)


# --- the server's end -----------------------------------------------------------------------------


async def test_a_server_that_stops_answers_what_it_has_begun() -> None:
    """Also a request of which a part is still under way; then the connection is closed."""
    async with connected() as (_, served, client):
        await client.send(put(b"a"))
        await client.hear()
        await client.send(put(b"b")[:20])
        await until(lambda: served.connections[0]._reader.has_begun)
        stopping = asyncio.create_task(served.server.stop())
        await asyncio.sleep(0)
        await client.send(put(b"b")[20:])

        assert (await client.hear()).body == b"b"
        assert await client.rest() == b""
        await stopping


async def test_a_server_that_stops_closes_connections_without_a_request() -> None:
    """It does not wait for clients that have nothing to ask."""
    async with connected() as (_, served, client):
        await client.send(put())
        await client.hear()
        await served.server.stop(within_s=1000)

        assert await client.rest() == b""


async def test_a_server_that_stops_does_not_wait_for_refused_clients() -> None:
    """They have had their answer."""
    async with connected() as (_, served, client):
        await client.send(b"nonsense\r\n\r\n")
        assert (await client.hear()).status == 400
        await served.server.stop(within_s=1000)

        assert await client.rest() == b""


async def test_a_server_that_stops_cancels_what_takes_too_long() -> None:
    """Within a bounded time; half a request is not waited for either."""
    async with connected() as (handler, served, client):
        other = await served.connect()
        await other.send(put()[:-1])
        handler.may_end.clear()
        await client.send(put())
        await handler.began.wait()
        await served.server.stop(within_s=0.01)

        assert (await client.rest(), await other.rest()) == (b"", b"")
    assert handler.noted == []


async def test_a_refusal_is_told_at_the_level_debug(caplog: pytest.LogCaptureFixture) -> None:
    """Who looks for it finds it."""
    with caplog.at_level(logging.DEBUG, "statefun.http"):
        async with serving(echo) as served:
            await served.ask(b"nonsense\r\n\r\n")

    assert any("Invalid method encountered" in each for each in caplog.messages)
