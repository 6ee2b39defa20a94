"""The functions that these tests serve; `tests.serve.endpoint_functions:functions` is a target."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from statefun.sdk.builders import message_builder
from statefun.sdk.functions import StatefulFunctions
from statefun.sdk.handler import RequestReplyHandler
from statefun.sdk.primitives import IntType
from statefun.sdk.specs import ValueSpec

if TYPE_CHECKING:
    from statefun.sdk.context import Context
    from statefun.sdk.messages import Message

functions = StatefulFunctions()
handler = RequestReplyHandler(functions)
nothing_of_the_kind = {"functions": functions}


@functions.bind("test/greeter", specs=[ValueSpec("seen", IntType)])
async def greet(context: Context, message: Message) -> None:
    seen = (context.storage.seen or 0) + 1
    context.storage.seen = seen
    greeting = f"Hello {message.as_string()} for the {seen}th time"
    context.send(message_builder("test/inbox", context.address.id, str_value=greeting))


@functions.bind("test/silent")
def stay_silent(context: Context, message: Message) -> None:
    pass


@functions.bind("test/suspending")
async def suspend(context: Context, message: Message) -> None:
    async with asyncio.timeout(10):
        await asyncio.sleep(0)
    context.send(message_builder("test/inbox", "x", str_value="woken"))


@functions.bind("test/failing")
def fail(context: Context, message: Message) -> None:
    raise ZeroDivisionError("there is\nnothing to share")


class Panic(BaseException):
    """What an extension may raise."""


@functions.bind("test/panicking")
async def panic(context: Context, message: Message) -> None:
    raise Panic("there is nothing to share")


@functions.bind("test/interrupted")
async def interrupted(context: Context, message: Message) -> None:
    raise KeyboardInterrupt


@functions.bind("test/telling-its-process")
def tell_process(context: Context, message: Message) -> None:
    context.send(message_builder("test/inbox", "x", int_value=os.getpid()))


@functions.bind("test/dying")
def die(context: Context, message: Message) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


@functions.bind("test/waiting-for-a-file")
async def wait_for_file(context: Context, message: Message) -> None:
    """Makes the file `<text>.begun` and ends once there is a file `<text>.end`."""
    path = Path(message.as_string() or "")
    path.with_suffix(".begun").touch()
    while not path.with_suffix(".end").exists():  # noqa: ASYNC110 - told from another process
        await asyncio.sleep(0.01)
    context.send(message_builder("test/inbox", "x", str_value="done"))


@functions.bind("test/never-ending")
async def never_end(context: Context, message: Message) -> None:
    Path(message.as_string() or "").with_suffix(".begun").touch()
    await asyncio.Event().wait()


@functions.bind("test/blocking")
def block(context: Context, message: Message) -> None:
    Path(message.as_string() or "").with_suffix(".begun").touch()
    threading.Event().wait()
