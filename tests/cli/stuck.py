"""Functions that do not end when they are told to; run by the processes of the tests beside."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from pathlib import Path

from statefun import Context, Message, StatefulFunctions

functions = StatefulFunctions()


def has_begun() -> None:
    """Tell the test, which reads from a named pipe."""
    Path("begun").write_text("x")


@functions.bind("com.example/cancelled")
async def cancelled(context: Context, message: Message) -> None:
    """Pay no attention to being cancelled."""
    await asyncio.to_thread(has_begun)
    while True:
        with suppress(asyncio.CancelledError):
            await asyncio.Event().wait()


@functions.bind("com.example/thread")
async def thread(context: Context, message: Message) -> None:
    """Wait for a thread that does not end."""
    await asyncio.to_thread(has_begun)
    await asyncio.to_thread(time.sleep, 1000)


@functions.bind("com.example/blocking", blocking=True)
def blocking(context: Context, message: Message) -> None:
    """Do not end, in a thread."""
    has_begun()
    time.sleep(1000)


@functions.bind("com.example/inline")
def inline(context: Context, message: Message) -> None:
    """Do not end, on the event loop."""
    has_begun()
    time.sleep(1000)


@functions.bind("com.example/coroutine")
async def coroutine(context: Context, message: Message) -> None:
    """Do not end, on the event loop."""
    has_begun()
    time.sleep(1000)  # noqa: ASYNC251 - the mistake
