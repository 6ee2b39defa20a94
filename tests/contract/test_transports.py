"""The transports of this package keep what every transport promises."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from aiohttp.test_utils import TestServer as Server

from statefun.runtime.transports.base import InProcessTransport
from statefun.runtime.transports.http import HttpEndpoint
from statefun.serve import aiohttp_app
from statefun.testing.contracts import TransportContract
from statefun.testing.contracts.transport import transported_functions

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from statefun.runtime.transports.base import Transport


class TestInProcessTransport(TransportContract):
    """Functions of the same process."""

    @asynccontextmanager
    async def transport(self) -> AsyncIterator[Transport]:
        yield InProcessTransport(transported_functions())


class TestHttpTransport(TransportContract):
    """Functions behind an endpoint."""

    @asynccontextmanager
    async def transport(self) -> AsyncIterator[Transport]:
        async with Server(aiohttp_app(transported_functions())) as server:
            endpoint = HttpEndpoint("t/*", str(server.make_url("/")))
            yield endpoint.transport("t/echo")
            await endpoint.close()
