"""`statefun run` with as many connections as limits allow, up to ten thousand."""

from __future__ import annotations

import asyncio
import resource
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from statefun.sdk.primitives import StringType, serialize
from tests.cli.process import Server

if TYPE_CHECKING:
    from collections.abc import Iterator

CONNECTIONS = 10_000
SPARE = 200
AT_ONCE = 500
CONNECTORS = "kind: io.statefun.playground.v1/ingress\nspec: {port: 0}\n"
BODY = serialize(StringType, "hello")
REQUEST = (
    b"PUT /com.example/account/%d HTTP/1.1\r\nHost: x\r\n"
    b"Content-Type: application/vnd.io.statefun.types/string\r\n"
    b"Content-Length: %d\r\n\r\n%s"
)


@pytest.fixture
def connections() -> Iterator[int]:
    """How many connections this process may open; its own limit is raised as far as it goes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    yield CONNECTIONS if hard == resource.RLIM_INFINITY else min(CONNECTIONS, hard - SPARE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.long
@pytest.mark.timeout(300)
async def test_ten_thousand_connections_hold_up_nobody(connections: int, tmp_path: Path) -> None:
    """However few files the shell allows: the program asks for as many as the system allows.

    With half a request on each of them, others are served; and so are they in the end.
    """
    shutil.copy(Path(__file__).with_name("ledger.py"), tmp_path)
    (tmp_path / "module.yaml").write_text(CONNECTORS)
    command = "run", "module.yaml", "--functions", "ledger:functions"
    with Server(*command, cwd=tmp_path, open_files=256) as server:
        port = server.ports["ingress"]
        opened = [
            each
            for _ in range(0, connections, AT_ONCE)
            for each in await asyncio.gather(*(half(port, number) for number in range(AT_ONCE)))
        ]

        others = [await ask(port) for _ in range(20)]
        for _, writer in opened:
            writer.write(BODY[-1:])
        answers = await asyncio.gather(*(answer(reader) for reader, _ in opened))

        for _, writer in opened:
            writer.close()
        assert server.stop() == 0

    assert others == [b"HTTP/1.1 200 OK"] * 20
    assert set(answers) == {b"HTTP/1.1 200 OK"}
    assert len(answers) >= connections - AT_ONCE


def request(account: int) -> bytes:
    return REQUEST % (account, len(BODY), BODY)


async def half(port: int, account: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A connection with all of a request but its last byte."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request(account)[:-1])
    return reader, writer


async def ask(port: int) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request(0))
    status = await answer(reader)
    writer.close()
    return status


async def answer(reader: asyncio.StreamReader) -> bytes:
    return (await reader.readuntil(b"\r\n\r\n")).partition(b"\r\n")[0]
