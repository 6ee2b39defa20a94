"""Memory: whatever a function does, a batch that is over leaves nothing behind."""

from __future__ import annotations

import asyncio
import gc
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest

from statefun.errors import StatefunError
from statefun.sdk.address import Address
from statefun.sdk.builders import message_builder
from statefun.sdk.functions import StatefulFunctions
from statefun.sdk.handler import RequestReplyHandler
from statefun.sdk.primitives import StringType
from statefun.sdk.specs import ValueSpec
from statefun.sdk.wire import StoredValue, encode_request
from statefun.sdk.wire.records import Invocation

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from statefun.sdk.context import Context
    from statefun.sdk.messages import Message

WARM, MORE = 200, 1000
SLACK = 150
"""Blocks of memory by which the interpreter itself may have grown; a leak of one object for each
batch is more than six times as much."""

kept: list[Any] = []


def returns(context: Context, message: Message) -> None:
    text = message.as_string()
    context.storage.text = f"{context.storage.text} {text}"[:50]
    context.send(message_builder("t/other", context.address.id, str_value=str(context.caller)))


async def suspends(context: Context, message: Message) -> None:
    await asyncio.sleep(0)
    returns(context, message)


def raises(context: Context, message: Message) -> None:
    returns(context, message)
    raise ValueError(message.typed_value, context, context.storage)


async def raises_late(context: Context, message: Message) -> None:
    await suspends(context, message)
    raises(context, message)


async def waits_for_ever(context: Context, message: Message) -> None:
    returns(context, message)
    await asyncio.Event().wait()


def keeps(context: Any, message: Message) -> None:
    """Keep everything until the next message."""
    kept[:] = [context, context.storage, message, context.batch, context.address]
    context.send(message)


def writes_what_cannot_be(context: Context, message: Message) -> None:
    with suppress(StatefunError):
        context.storage.text = 5
    with suppress(StatefunError):
        context.storage.unknown = "x"
    with suppress(StatefunError):
        context.send(context)  # type: ignore[arg-type]
    with suppress(StatefunError):
        message.as_int()
    with suppress(StatefunError):
        message_builder("t/f", "", str_value="x")
    with suppress(StatefunError):
        message_builder("t/f", "1", str_value="x", int_value=1)  # type: ignore[call-overload]


async def handled(handle: Awaitable[bytes]) -> None:
    with suppress(ValueError):
        await handle


async def cancelled(handle: Awaitable[bytes]) -> None:
    batch = asyncio.ensure_future(handle)
    await asyncio.sleep(0)
    batch.cancel()
    with suppress(asyncio.CancelledError):
        await batch


async def closed(handle: Any) -> None:
    """Begin a batch, and end it as the garbage collector would."""
    handle.send(None)
    handle.close()


@pytest.mark.parametrize(
    ("function", "run"),
    [
        (returns, handled),
        (suspends, handled),
        (raises, handled),
        (raises_late, handled),
        (keeps, handled),
        (writes_what_cannot_be, handled),
        (waits_for_ever, cancelled),
        (waits_for_ever, closed),
    ],
)
async def test_a_batch_leaves_nothing_behind(
    function: Callable[[Context, Message], Any], run: Callable[[Any], Awaitable[None]]
) -> None:
    """It may return, suspend, raise, be cancelled, keep what it was given, or be refused."""
    functions = StatefulFunctions()
    functions.register("t/f", function, [ValueSpec("text", StringType)])
    handler = RequestReplyHandler(functions)
    argument = message_builder("t/f", "1", str_value="Ada").argument()
    state = {"text": StoredValue(StringType.typename, StringType.dump("before"))}
    messages = [Invocation(Address("t/caller", "2"), argument)] * 3
    request = encode_request(Address("t/f", "1"), state, messages)

    async def blocks_after(batches: int) -> int:
        for _ in range(batches):
            await run(handler.handle_async(request))
        kept.clear()
        gc.collect()
        return sys.getallocatedblocks()

    before = await blocks_after(WARM)
    after = await blocks_after(MORE)

    assert after - before < SLACK


async def test_a_message_that_is_kept_does_not_keep_its_request() -> None:
    """Somebody who remembers one message of a large batch remembers no more than that."""
    functions = StatefulFunctions()
    seen: list[Message] = []
    functions.register("t/f", lambda _, message: seen.append(message) if not seen else None)
    large = message_builder("t/f", "1", str_value="x" * 20_000_000).argument()
    small = message_builder("t/f", "1", str_value="Ada").argument()
    messages = [Invocation(None, small), Invocation(None, large)]
    request = bytearray(encode_request(Address("t/f", "1"), {}, messages))

    await RequestReplyHandler(functions).handle_async(bytes(request))

    holders = [each for each in gc.get_referents(*seen) if isinstance(each, bytes)]
    assert seen[0].as_string() == "Ada"
    assert all(len(each) < 1000 for each in holders)
