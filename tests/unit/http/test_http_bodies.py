"""Bodies: their limits, and how compressed ones are undone."""

from __future__ import annotations

import gzip
import random
import zlib

import pytest

from statefun.http import ServerLimits
from tests.unit.http.raw import echo, request, serving, until

LONG = random.Random(5).randbytes(200_000) + bytes(1_000_000)
WHOLE = {
    "gzip": (gzip.compress(LONG), "gzip", LONG),
    "gzip of nothing": (gzip.compress(b""), "gzip", b""),
    "several gzips": (gzip.compress(LONG) + gzip.compress(b"abc"), "GZip", LONG + b"abc"),
    "deflate": (zlib.compress(LONG), "deflate", LONG),
    "identity": (LONG, "identity", LONG),
}


def put(body: bytes, coding: str) -> bytes:
    return request("PUT / HTTP/1.1", f"Content-Encoding: {coding}", body=body)


@pytest.mark.parametrize("case", WHOLE)
async def test_a_compressed_body_is_unpacked(case: str) -> None:
    """The handler gets what was compressed, wherever the network cut it."""
    body, coding, content = WHOLE[case]
    async with serving(echo) as served:
        assert (await served.ask(put(body, coding))).body == content


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
async def test_of_a_compressed_body_only_the_whole_is_taken(coding: str) -> None:
    """One that is cut off anywhere, or has more behind its end, is refused."""
    whole = {"gzip": gzip.compress(b"abc"), "deflate": zlib.compress(b"abc")}[coding]
    bodies = [whole[:length] for length in range(len(whole))] + [whole + b"abc", whole + whole[:5]]

    async with serving(echo) as served:
        answers = [await served.ask(put(body, coding)) for body in bodies]

    reason = f"the body is not the {coding} that its Content-Encoding says: "
    assert {(each.status, each.body.decode()[: len(reason)]) for each in answers} == {(400, reason)}


@pytest.mark.parametrize("coding", ["gzip, gzip", "br", "x\xff"])
async def test_another_encoding_is_refused(coding: str) -> None:
    """Once, and one of those that everybody has."""
    async with serving(echo) as served:
        assert (await served.ask(put(b"abc", coding))).status == 415


async def test_a_small_body_that_grows_is_refused() -> None:
    """The limit is for what comes out of a compressed body, too."""
    bomb = gzip.compress(bytes(10_000_000))

    async with serving(echo, limits=ServerLimits(max_body_bytes=len(bomb))) as served:
        answer = await served.ask(put(bomb, "gzip"))

    sentence = f"the body has more than {len(bomb)} bytes, which is the limit here\n"
    assert (answer.status, answer.body.decode()) == (413, sentence)


async def test_a_small_body_that_grows_is_refused_where_there_is_no_limit() -> None:
    """What it says it is may be long; what it becomes is bounded."""
    limits = ServerLimits(max_body_bytes=None, max_decompressed_bytes=1000)

    async with serving(echo, limits=limits) as served:
        plain = await served.ask(request("PUT / HTTP/1.1", body=bytes(1001)))
        packed = await served.ask(put(gzip.compress(bytes(1001)), "gzip"))

    assert (plain.status, packed.status) == (200, 413)


@pytest.mark.parametrize("is_chunked", [False, True])
async def test_a_body_as_long_as_the_limit_is_taken(*, is_chunked: bool) -> None:
    """One byte more is refused, whether it says its length or not."""
    statuses = []
    async with serving(echo, limits=ServerLimits(max_body_bytes=10)) as served:
        for size in (10, 11):
            if is_chunked:
                head = request("PUT / HTTP/1.1", "Transfer-Encoding: chunked")
                content = head + b"%x\r\n%b\r\n0\r\n\r\n" % (size, bytes(size))
            else:
                content = request("PUT / HTTP/1.1", body=bytes(size))
            statuses.append((await served.ask(content)).status)

    assert statuses == [200, 413]


async def test_a_body_of_any_length_is_taken_where_there_is_no_limit() -> None:
    """The engine's batches are as long as they are."""
    async with serving(echo, limits=ServerLimits(max_body_bytes=None)) as served:
        answer = await served.ask(request("PUT / HTTP/1.1", body=bytes(40 << 20)))

    assert len(answer.body) == 40 << 20


async def test_long_bodies_that_never_end_do_not_fill_the_memory() -> None:
    """Those that are too many are refused; short ones go on, and whoever leaves makes room."""
    size = 200_000
    limits = ServerLimits(max_unfinished_bytes=3 * size)
    full = request("PUT / HTTP/1.1", body=bytes(size))
    async with serving(echo, limits=limits) as served:
        slow = [await served.connect() for _ in range(4)]
        for each in slow:
            await each.send(full[:-1])
        await until(lambda: [c._reader.body_bytes for c in served.connections].count(size - 1) == 4)
        refused = await served.ask(full)
        short = await served.ask(request("PUT / HTTP/1.1", body=b"abc"))

        slow[0].writer.close()
        await until(lambda: len(served.connections) <= 4)  # it is known that it left
        assert (await served.ask(full)).status == 200
        for each in slow[1:]:
            await each.send(b"x")
        long = [(await each.hear()).status for each in slow[1:]]

    sentence = b"too many long bodies are being sent at the same time: send again later\n"
    assert (refused.status, refused.body, refused.fields["Retry-After"]) == (503, sentence, "1")
    assert (short.status, long) == (200, [200] * 3)


async def test_a_body_that_stops_coming_is_given_up() -> None:
    """Half a body is answered 408 after a while; one that goes on is taken however slowly."""
    async with serving(echo, limits=ServerLimits(idle_timeout_s=0.1)) as served:
        client = await served.connect()
        await client.send(request("PUT / HTTP/1.1", body=b"abc")[:-1])
        answer = await client.hear()

        assert await client.rest() == b""
    sentence = b"the body stopped coming: 2 bytes, and none for 0.1 s\n"
    assert (answer.status, answer.body) == (408, sentence)
