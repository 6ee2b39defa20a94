"""The ingresses of this package keep what every ingress promises."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import aiohttp

from statefun.connectors.http import HttpIngress
from statefun.testing.contracts import IngressContract

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from statefun.ports import Ingress
    from statefun.sdk.address import Address
    from statefun.testing.contracts import IngressOutside


class OverHttp:
    """A client that makes one request for each message."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self.ingress = HttpIngress(0)
        self._session = session

    async def send(self, target: Address, data: bytes, key: str = "") -> bool:
        url = f"http://127.0.0.1:{self.ingress.port}/{target.typename}/an%20id%2F%C3%BC"
        headers = {"Content-Type": "application/vnd.t/text"}
        headers |= {"Idempotency-Key": key} if key else {}
        async with self._session.put(url, data=data, headers=headers) as response:
            return response.status == 200

    def blocked(self) -> Ingress:
        return HttpIngress(self.ingress.port)


class TestHttpIngress(IngressContract):
    """Messages that come as requests."""

    @asynccontextmanager
    async def outside(self) -> AsyncIterator[IngressOutside]:
        async with aiohttp.ClientSession() as session:
            yield OverHttp(session)
