"""The egresses of this package keep what every egress promises."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import aiohttp

from statefun.connectors.http import HttpEgress
from statefun.connectors.webhook import WebhookEgress, WebhookOptions
from statefun.http import HttpServer, Request, Response
from statefun.runtime.streams import EgressStream, StreamEgress
from statefun.sdk.wire import encode_typed_value
from statefun.testing.contracts import EgressContract

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from statefun.testing.contracts import EgressOutside

RECORD = "io.statefun.playground/EgressRecord"


class OverHttp:
    """A client that asks for one record after another."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self.egress = HttpEgress(0, ["topic"])
        self._session = session

    def record(self, text: str) -> bytes:
        return encode_typed_value(RECORD, json.dumps({"topic": "topic", "payload": text}).encode())

    async def take(self) -> tuple[int, str]:
        url = f"http://127.0.0.1:{self.egress.port}/topic"
        async with self._session.get(url) as response:
            assert response.status == 200
            return int(response.headers["Record-Id"]), await response.text()

    async def have(self) -> None:
        """Reading an answer to its end tells."""


class InProcess:
    """A reader of a stream."""

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


class Posted:
    """A server that takes what is posted to it."""

    def __init__(self) -> None:
        self._posted: asyncio.Queue[tuple[int, str]] = asyncio.Queue()
        self.server = HttpServer(self._handle, "127.0.0.1", 0)
        self.egress: WebhookEgress

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


class TestHttpEgress(EgressContract):
    """Records that are fetched by requests."""

    @asynccontextmanager
    async def outside(self) -> AsyncIterator[EgressOutside]:
        async with aiohttp.ClientSession() as session:
            yield OverHttp(session)


class TestStreamEgress(EgressContract):
    """Records that are read in the process."""

    @asynccontextmanager
    async def outside(self) -> AsyncIterator[EgressOutside]:
        yield InProcess()


class TestWebhookEgress(EgressContract):
    """Records that are posted to a server."""

    @asynccontextmanager
    async def outside(self) -> AsyncIterator[EgressOutside]:
        posted = Posted()
        await posted.server.start()
        url = f"http://127.0.0.1:{posted.server.port}/hook"
        posted.egress = WebhookEgress("t/out", url, WebhookOptions())
        yield posted
        await posted.server.stop()
