"""What strangers do to the HTTP ingress: nonsense, half requests, slow ones, and a lot of them."""

from __future__ import annotations

import asyncio
import gzip
import random
import re
import socket
import struct
import zlib
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from statefun.connectors.http import HttpIngress
from statefun.sdk.wire import encode_typed_value
from statefun.testing.ports import FakeIntake
from tests.unit.http.raw import until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from statefun.ports import IngressMessage, Position
    from statefun.sdk.address import Address

PATIENCE_S = 20
IDLE_TIMEOUT_S = 0.3
MUTATIONS = 400
CONNECTIONS = 10_000
TYPE = b"Content-Type: application/vnd.a/b\r\n"
GOOD = b"PUT /a/b/c HTTP/1.1\r\nHost: x\r\n" + TYPE + b"Content-Length: 3\r\n\r\nabc"
CHUNKED = (
    b"PUT /a/b/c HTTP/1.1\r\nHost: x\r\n"
    + TYPE
    + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
)


class Connection:
    """Bytes in, bytes out."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def send(self, content: bytes) -> None:
        self.writer.write(content)
        await self.writer.drain()

    async def answer(self) -> tuple[int, str]:
        """The next answer."""
        async with asyncio.timeout(PATIENCE_S):
            head = await self.reader.readuntil(b"\r\n\r\n")
            length = re.search(rb"content-length: (\d+)", head.lower())
            body = await self.reader.readexactly(int(length[1]) if length else 0)
        return int(head.split()[1]), body.decode().strip()

    async def rest(self) -> bytes:
        """Everything until the other side closes; empty also if it hung up."""
        async with asyncio.timeout(PATIENCE_S):
            try:
                return await self.reader.read()
            except ConnectionError:
                return b""


class Ingress(FakeIntake):
    """An ingress before a runtime that takes everything."""

    def __init__(
        self,
        *,
        max_body_bytes: int = 1000,
        max_unfinished_bytes: int = 1 << 28,
        idle_timeout_s: float = 60,
    ) -> None:
        super().__init__()
        self.ingress = HttpIngress(
            0,
            max_body_bytes=max_body_bytes,
            max_unfinished_bytes=max_unfinished_bytes,
            idle_timeout=timedelta(seconds=idle_timeout_s),
        )
        self.taken: list[tuple[Address, bytes, str]] = []
        self._writers: list[asyncio.StreamWriter] = []

    async def deliver(
        self,
        messages: Sequence[IngressMessage],
        position: Position | None = None,
    ) -> None:
        """Keep messages."""
        await super().deliver(messages, position)
        self.taken += [(target, argument, key) for target, argument, key, _ in messages]

    @property
    def connections(self) -> object:
        """The server's side of the connections that are open."""
        shared = self.ingress._server._connections
        return shared and shared.open

    async def connect(self) -> Connection:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.ingress.port)
        self._writers.append(writer)
        return Connection(reader, writer)

    async def ask(self, request: bytes) -> tuple[int, str]:
        """Send one request over a connection of its own."""
        connection = await self.connect()
        await connection.send(request)
        answer = await connection.answer()
        connection.writer.close()
        await connection.writer.wait_closed()
        return answer

    def close(self) -> None:
        for writer in self._writers:
            writer.close()


@asynccontextmanager
async def serving(ingress: Ingress) -> AsyncIterator[Ingress]:
    await ingress.ingress.start(ingress)
    try:
        yield ingress
    finally:
        ingress.close()
        await ingress.ingress.stop()


def request(line: str = "PUT /a/b/c HTTP/1.1", *headers: str, body: bytes = b"") -> bytes:
    lines = [line, "Host: x", "Content-Type: application/vnd.a/b", *headers, "", ""]
    return "\r\n".join(lines).encode("latin-1") + body


LENGTH = "Content-Length: 3"
MALFORMED = {
    "no request": (
        b"GARBAGE\r\n\r\n",
        400,
        "the request is not HTTP/1.1 that can be read: Invalid method encountered",
    ),
    "TLS": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400, "it begins like TLS"),
    "an unknown version": (request("PUT /a/b/c HTTP/9.9"), 400, "Invalid HTTP version"),
    "HTTP/2": (
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        400,
        "the request is not HTTP/1.1 that can be read: it begins like HTTP/2",
    ),
    "a star": (
        request("PUT * HTTP/1.1"),
        400,
        "the path '*' names no address",
    ),
    "no host": (b"PUT /a/b/c HTTP/1.1\r\n\r\n", 400, "one header field 'Host'"),
    "no leading slash": (request("PUT a/b/c HTTP/1.1"), 400, "Unexpected char in url"),
    "a space in the path": (request("PUT /a b/c HTTP/1.1"), 400, "Expected HTTP/"),
    "raw bytes in the path": (request("PUT /a/\xff/c HTTP/1.1"), 400, "Invalid char in url path"),
    "a broken escape": (request("PUT /a/b/c%zz HTTP/1.1"), 400, "has a '%' without two hex digits"),
    "half an escape": (request("PUT /a/b/c%2 HTTP/1.1"), 400, "has a '%' without two hex digits"),
    "a host that is none": (
        request("PUT http://[::1/a/b/c HTTP/1.1"),
        400,
        "http://[::1/a/b/c' is not a URL",
    ),
    "a path too long": (
        request(f"PUT /a/b/{'c' * 65536} HTTP/1.1"),
        431,
        "longer than 65536 bytes",
    ),
    "a header too long": (request("PUT /a/b/c HTTP/1.1", f"X: {'a' * 65536}"), 431, "longer than"),
    "too many headers": (
        request("PUT /a/b/c HTTP/1.1", *(f"X{number}: 1" for number in range(200))),
        431,
        "more than 128 header fields",
    ),
    "a header without a name": (
        request("PUT /a/b/c HTTP/1.1", " : a"),
        400,
        "Unexpected whitespace",
    ),
    "a negative length": (request("PUT /a/b/c HTTP/1.1", "Content-Length: -1"), 400, "Length"),
    "a length that is none": (request("PUT /a/b/c HTTP/1.1", "Content-Length: x"), 400, "Length"),
    "two lengths": (
        request("PUT /a/b/c HTTP/1.1", LENGTH, "Transfer-Encoding: chunked"),
        400,
        "can't be present with Content-Length",
    ),
    "a chunk without a size": (
        request("PUT /a/b/c HTTP/1.1", "Transfer-Encoding: chunked", body=b"ZZ\r\nabc"),
        400,
        "chunk size",
    ),
    "an unknown transfer encoding": (
        request("PUT /a/b/c HTTP/1.1", "Transfer-Encoding: gzip", body=b"abc"),
        400,
        "the transfer encoding 'gzip' is not taken",
    ),
    "a compressing transfer encoding": (
        request("PUT /a/b/c HTTP/1.1", "Transfer-Encoding: gzip, chunked", body=b"0\r\n\r\n"),
        400,
        (
            "the transfer encoding 'gzip, chunked' is not taken: send the body chunked or with its "
            "length, and what is compressed with a Content-Encoding"
        ),
    ),
    "an unknown expectation": (request("PUT /a/b/c HTTP/1.1", "Expect: x"), 417, "Expect: x"),
    "an unknown content encoding": (
        request("PUT /a/b/c HTTP/1.1", LENGTH, "Content-Encoding: br", body=b"abc"),
        415,
        (
            "the content encoding 'br' is not taken: send the body as it is, or once as gzip or "
            "deflate"
        ),
    ),
    "two content encodings": (
        request("PUT /a/b/c HTTP/1.1", LENGTH, "Content-Encoding: gzip, gzip", body=b"abc"),
        415,
        "the content encoding 'gzip, gzip' is not taken",
    ),
    "a content encoding written twice": (
        request("PUT /a/b/c HTTP/1.1", LENGTH, *2 * ("Content-Encoding: gzip",), body=b"abc"),
        415,
        "the content encoding 'gzip, gzip' is not taken",
    ),
    "a body that is no gzip": (
        request("PUT /a/b/c HTTP/1.1", LENGTH, "Content-Encoding: gzip", body=b"abc"),
        400,
        "the body is not the gzip that its Content-Encoding says: incorrect header check",
    ),
    "a compressed body that is empty": (
        request("PUT /a/b/c HTTP/1.1", "Content-Encoding: deflate"),
        400,
        "the body is not the deflate that its Content-Encoding says: it ends too early",
    ),
    "an asterisk": (request("OPTIONS * HTTP/1.1"), 405, "OPTIONS is not served: use PUT"),
    "a tunnel": (request("CONNECT a:80 HTTP/1.1"), 405, "CONNECT is not served: use PUT"),
    "no address": (request("PUT /a HTTP/1.1"), 400, "names no address"),
    "no type": (b"PUT /a/b/c HTTP/1.1\r\nHost: x\r\n\r\n", 415, "names no type"),
    "a body over the limit": (
        request("PUT /a/b/c HTTP/1.1", "Content-Length: 1001"),
        413,
        "the body has more than 1000 bytes, which is the limit here",
    ),
    "a chunked body over the limit": (
        request("PUT /a/b/c HTTP/1.1", "Transfer-Encoding: chunked", body=b"3e9\r\n" + b"x" * 1001),
        413,
        "the body has more than 1000 bytes, which is the limit here",
    ),
}


@pytest.mark.parametrize("case", MALFORMED)
async def test_what_is_malformed_is_answered_with_a_reason(
    case: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Any request that is none gets a 4xx that says why, and leaves no word in the log."""
    content, status, reason = MALFORMED[case]
    async with serving(Ingress()) as ingress:
        answer = await ingress.ask(content)
        after = await ingress.ask(GOOD)

    assert answer[0] == status
    assert reason in answer[1]
    assert after == (200, "")
    assert len(ingress.taken) == 1
    assert caplog.messages == []


async def test_nonsense_is_never_an_error_of_the_server(caplog: pytest.LogCaptureFixture) -> None:
    """Requests changed at random bytes are taken, refused with a reason, or not answered at all."""
    chance = random.Random(4)
    async with serving(Ingress(idle_timeout_s=IDLE_TIMEOUT_S)) as ingress:
        answers = await asyncio.gather(
            *(nonsense(ingress, mutated(chance)) for _ in range(MUTATIONS))
        )
        after = await ingress.ask(GOOD)

    statuses = [int(status) for answer in answers for status in answer[0]]
    assert {status for status in statuses if status != 200 and not 400 <= status < 500} == set()
    assert all(body for statuses, body in answers if statuses and statuses[0] != b"200")
    assert {200, 400} <= set(statuses)
    assert after == (200, "")
    assert caplog.messages == []


def mutated(chance: random.Random) -> bytes:
    """A good request with bytes changed, left out, put in, or cut off behind."""
    content = bytearray(chance.choice((GOOD, CHUNKED)))
    for _ in range(chance.randint(1, 4)):
        position = chance.randrange(len(content))
        match chance.randrange(4):
            case 0:
                content[position] = chance.randrange(256)
            case 1:
                del content[position : position + chance.randint(1, 5)]
            case 2:
                content[position:position] = chance.randbytes(chance.randint(1, 5))
            case 3:
                content[position:] = content[position : position + chance.randint(1, 50)]
        if not content:
            return b"\0"
    return bytes(content)


async def nonsense(ingress: Ingress, content: bytes) -> tuple[list[bytes], bytes]:
    """The statuses of all answers, and the body of the last one."""
    connection = await ingress.connect()
    await connection.send(content)
    answer = await connection.rest()  # what is not complete is given up after a while
    return re.findall(rb"HTTP/1\.[01] (\d+)", answer), answer.rpartition(b"\r\n\r\n")[2]


def put(body: bytes, coding: str) -> bytes:
    """A request with a compressed body."""
    headers = f"Content-Length: {len(body)}", f"Content-Encoding: {coding}"
    return request("PUT /a/b/c HTTP/1.1", *headers, body=body)


LONG = random.Random(5).randbytes(200_000) + bytes(1_000_000)
WHOLE = {
    "gzip": (gzip.compress(LONG), "gzip", LONG),
    "gzip of nothing": (gzip.compress(b""), "gzip", b""),
    "several gzips": (gzip.compress(LONG) + gzip.compress(b"abc"), "GZip", LONG + b"abc"),
    "deflate": (zlib.compress(LONG), "deflate", LONG),
    "identity": (LONG, "identity", LONG),
}


@pytest.mark.parametrize("case", WHOLE)
async def test_a_compressed_body_is_unpacked(case: str) -> None:
    """`Content-Encoding: gzip` and `deflate` are undone before the value is taken."""
    body, coding, content = WHOLE[case]
    async with serving(Ingress(max_body_bytes=2_000_000)) as ingress:
        assert await ingress.ask(put(body, coding)) == (200, "")

    assert [argument for _, argument, _ in ingress.taken] == [encode_typed_value("a/b", content)]


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
async def test_of_a_compressed_body_only_the_whole_is_taken(coding: str) -> None:
    """One that is cut off anywhere, or has more behind its end, is refused."""
    whole = {"gzip": gzip.compress(b"abc"), "deflate": zlib.compress(b"abc")}[coding]
    bodies = [whole[:length] for length in range(len(whole))] + [whole + b"abc", whole + whole[:5]]

    async with serving(Ingress()) as ingress:
        answers = [await ingress.ask(put(body, coding)) for body in bodies]

    reason = f"the body is not the {coding} that its Content-Encoding says: "
    assert [(status, text[: len(reason)]) for status, text in answers] == [(400, reason)] * len(
        bodies
    )
    assert ingress.taken == []


async def test_a_small_body_that_grows_is_refused() -> None:
    """The limit is for what comes out of a compressed body, too."""
    bomb = gzip.compress(bytes(10_000_000))

    async with serving(Ingress(max_body_bytes=len(bomb))) as ingress:
        status, reason = await ingress.ask(put(bomb, "gzip"))

    assert (status, reason) == (
        413,
        f"the body has more than {len(bomb)} bytes, which is the limit here",
    )
    assert ingress.taken == []


async def test_a_request_that_goes_on_is_served_however_slowly() -> None:
    """Only silence is limited, not the time of a request as a whole."""
    async with serving(Ingress(idle_timeout_s=1.0)) as ingress:
        connection = await ingress.connect()
        await connection.send(GOOD[:-4])
        for position in range(4):
            await asyncio.sleep(0.3)  # in all longer than the limit, each time much shorter
            await connection.send(GOOD[len(GOOD) - 4 + position :][:1])

        assert await connection.answer() == (200, "")


async def test_a_body_that_stops_coming_is_given_up() -> None:
    """Half a body is answered 408 after a while, and its connection is closed."""
    async with serving(Ingress(idle_timeout_s=IDLE_TIMEOUT_S)) as ingress:
        connection = await ingress.connect()
        await connection.send(GOOD[:-1])

        assert await connection.answer() == (
            408,
            "the body stopped coming: 2 bytes, and none for 0.3 s",
        )
        connection.writer.write_eof()
        assert await connection.rest() == b""
        assert ingress.taken == []


@pytest.mark.parametrize("reset", [False, True], ids=["closed", "reset"])
@pytest.mark.parametrize(
    "headers",
    [("Content-Length: 9",), ("Transfer-Encoding: chunked",), (LENGTH, "Content-Encoding: gzip")],
)
async def test_whoever_leaves_inside_a_body_is_no_word_in_the_log(
    headers: tuple[str, ...],
    reset: bool,  # noqa: FBT001
    caplog: pytest.LogCaptureFixture,
) -> None:
    """It is nobody's mistake here, and nobody is left to be answered."""
    async with serving(Ingress()) as ingress:
        connection = await ingress.connect()
        await connection.send(request("PUT /a/b/c HTTP/1.1", *headers, "Expect: 100-continue"))
        await connection.reader.readuntil(b"100 Continue\r\n\r\n")
        await connection.send(b"2")
        if reset:
            at_once = struct.pack("ii", 1, 0)
            connection.writer.get_extra_info("socket").setsockopt(
                socket.SOL_SOCKET, socket.SO_LINGER, at_once
            )
        connection.writer.close()
        await until(lambda: not ingress.connections)

    assert (ingress.taken, caplog.messages) == ([], [])


@pytest.mark.parametrize("sent", [b"", b"PUT /a/b", GOOD[:60]])
async def test_a_connection_without_a_request_is_closed(sent: bytes) -> None:
    """Whoever sends nothing, or half of a head, is not waited for without end."""
    async with serving(Ingress(idle_timeout_s=IDLE_TIMEOUT_S)) as ingress:
        connection = await ingress.connect()
        await connection.send(sent)

        assert await connection.rest() == b""


async def test_half_requests_hold_up_nobody() -> None:
    """While many connections wait for the rest of a request, others are served."""
    async with serving(Ingress()) as ingress:
        waiting = [await ingress.connect() for _ in range(200)]
        for number, connection in enumerate(waiting):
            await connection.send(GOOD[: number % len(GOOD)])

        assert [await ingress.ask(GOOD) for _ in range(20)] == [(200, "")] * 20

        for number, connection in enumerate(waiting):
            await connection.send(GOOD[number % len(GOOD) :])
        assert [await connection.answer() for connection in waiting] == [(200, "")] * 200


async def test_long_bodies_that_never_end_do_not_fill_the_memory() -> None:
    """Those that are too many are refused; short ones go on, and whoever leaves makes room."""
    size = 200_000
    head = GOOD.partition(b"Content-Length")[0] + b"Content-Length: %d\r\n\r\n" % size
    async with serving(Ingress(max_body_bytes=size, max_unfinished_bytes=3 * size)) as ingress:
        slow = [await ingress.connect() for _ in range(4)]
        for connection in slow:
            await connection.send(head + bytes(size - 1))
        full = head + bytes(size)
        async with asyncio.timeout(PATIENCE_S):
            while (refused := await ingress.ask(full))[0] == 200:
                pass  # what was sent has not all come yet
        short = await ingress.ask(GOOD)

        slow[0].writer.close()
        async with asyncio.timeout(PATIENCE_S):
            while (await ingress.ask(full))[0] == 503:
                pass  # it is not known yet that it left
        for connection in slow[1:]:
            await connection.send(b"x")
        long = [await connection.answer() for connection in slow[1:]]

    sentence = "too many long bodies are being sent at the same time: send again later"
    assert refused == (503, sentence)
    assert (short, long) == ((200, ""), [(200, "")] * 3)


async def test_stopping_does_not_wait_for_half_requests() -> None:
    """A server that stops gives up requests that are not complete, within a bounded time."""
    ingress = Ingress()
    async with serving(ingress):
        connections = [await ingress.connect() for _ in range(50)]
        for number, connection in enumerate(connections):
            await connection.send(GOOD[: 20 + number])

        async with asyncio.timeout(PATIENCE_S):
            await ingress.ingress.stop()

        assert {await connection.rest() for connection in connections} == {b""}
