"""A client of an ASGI application in process: no sockets, no server."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

__all__ = ["request", "streaming"]


def scope_of(method: str, path: str) -> dict[str, Any]:
    """The scope of a request."""
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "scheme": "http",
        "method": method,
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": [],
        "client": ("test", 1),
        "server": ("test", 80),
    }


async def request(app: Any, method: str, path: str) -> tuple[int, bytes]:
    """Send a request; its status and body."""
    async with streaming(app, method, path) as (status, chunks):
        return status, b"".join([chunk async for chunk in chunks])


@asynccontextmanager
async def streaming(
    app: Any, method: str, path: str
) -> AsyncIterator[tuple[int, AsyncIterator[bytes]]]:
    """Send a request; its status, and its body as it comes. The client leaves at the end."""
    sent: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
    has_left = asyncio.Event()
    asked = iter([{"type": "http.request", "body": b"", "more_body": False}])

    async def receive() -> dict[str, Any]:
        for message in asked:
            return message
        await has_left.wait()
        return {"type": "http.disconnect"}

    async def chunks() -> AsyncIterator[bytes]:
        while True:
            message = await sent.get()
            yield message.get("body", b"")
            if not message.get("more_body"):
                return

    task = asyncio.create_task(app(scope_of(method, path), receive, sent.put))
    start = await sent.get()
    try:
        yield start["status"], chunks()
    finally:
        has_left.set()
        await task
