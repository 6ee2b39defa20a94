"""A server on a free port, and connections that send bytes as they are told."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

from statefun.http import HttpServer, Response

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator, Callable

    from statefun.http import Handler, Request
    from statefun.http.connection import Connection

PATIENCE_S = 20


class Answer(NamedTuple):
    status: int
    body: bytes
    fields: dict[str, str]


class Client:
    """One connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def hear(self, *, has_body: bool = True) -> Answer:
        """The next answer."""
        async with asyncio.timeout(PATIENCE_S):
            head = (await self.reader.readuntil(b"\r\n\r\n")).decode()
            status, *lines = head.rstrip().split("\r\n")
            fields = dict(line.split(": ", 1) for line in lines)
            length = int(fields.get("Content-Length", "0")) if has_body else 0
            body = await self.reader.readexactly(length)
        return Answer(int(status.split()[1]), body, fields)

    async def statuses(self, count: int) -> list[int]:
        return [(await self.hear()).status for _ in range(count)]

    async def rest(self) -> bytes:
        """What comes until the server closes the connection."""
        async with asyncio.timeout(PATIENCE_S):
            return await self.reader.read()


class Served:
    """A running server."""

    def __init__(self, server: HttpServer) -> None:
        self.server = server
        self.clients: list[Client] = []

    @property
    def connections(self) -> list[Connection]:
        """The server's side of the connections."""
        shared = self.server._connections
        return list(shared.open) if shared else []

    @property
    def tasks(self) -> list[asyncio.Task[None]]:
        shared = self.server._connections
        return list(shared.tasks) if shared else []

    async def connect(self, tls: ssl.SSLContext | None = None) -> Client:
        client = Client(*await asyncio.open_connection(self.server.host, self.server.port, ssl=tls))
        self.clients.append(client)
        return client

    async def ask(self, data: bytes) -> Answer:
        """The answer to one request, on a connection of its own."""
        client = await self.connect()
        await client.send(data)
        answer = await client.hear()
        client.writer.close()
        return answer


@asynccontextmanager
async def serving(handler: Handler, **options: Any) -> AsyncIterator[Served]:
    served = Served(HttpServer(handler, **options))
    await served.server.start()
    try:
        yield served
    finally:
        for each in served.clients:
            each.writer.close()
        await served.server.stop()


def request(line: str = "PUT /a HTTP/1.1", *fields: str, body: bytes = b"") -> bytes:
    """A request; a body comes with its length."""
    length = [f"Content-Length: {len(body)}"] if body else []
    return "\r\n".join([line, "Host: here", *length, *fields, "", ""]).encode("latin-1") + body


def echo(request: Request) -> Response:
    """The body, sent back."""
    return Response(200, request.body, "application/octet-stream")


async def until(condition: Callable[[], object]) -> None:
    """Let the server run until something has happened to it."""
    async with asyncio.timeout(PATIENCE_S):
        while not condition():  # noqa: ASYNC110 - there is no event for what it got to read
            await asyncio.sleep(0)
