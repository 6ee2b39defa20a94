"""The server of the functions stops at once, and leaves nothing behind."""

from __future__ import annotations

import asyncio
import socket

import pytest

from statefun.sdk.functions import StatefulFunctions
from tests.tools.scenarios.function_server import FunctionServer


@pytest.mark.parametrize("moments", range(6))
async def test_a_connection_that_is_just_being_made_is_closed_as_well(moments: int) -> None:
    """However far it has come when the server stops; else it stays open, and nobody owns it."""
    loop = asyncio.get_running_loop()
    async with FunctionServer() as server:
        await server.start(StatefulFunctions())
        with socket.create_connection(("127.0.0.1", server.port)) as connection:
            connection.settimeout(0)
            for _ in range(moments):
                await asyncio.sleep(0)

            await server.stop()

            async with asyncio.timeout(5):
                try:
                    left = await loop.sock_recv(connection, 1)
                except ConnectionResetError:
                    left = b""
    assert left == b""
