"""What every transport promises, on each of them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from statefun.errors import StatefunError
from statefun.runtime.transports.base import InProcessTransport, Transport
from statefun.runtime.transports.http import HttpEndpoint
from statefun.sdk.address import Address
from statefun.sdk.builders import message_builder
from statefun.sdk.functions import StatefulFunctions
from statefun.sdk.primitives import IntType, StringType
from statefun.sdk.specs import ValueSpec
from statefun.sdk.wire import (
    Incomplete,
    Invocation,
    OutgoingMessage,
    Result,
    decode_reply,
    encode_request,
    encode_typed_value,
)
from statefun.serve import aiohttp_app

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from pytest_aiohttp import AiohttpServer

    from statefun.sdk.context import Context
    from statefun.sdk.messages import Message


def functions() -> StatefulFunctions:
    """Functions that echo, need a value, fail, and wait for one another."""
    functions, met = StatefulFunctions(), asyncio.Event()

    @functions.bind("t/echo")
    async def echo(context: Context, message: Message) -> None:
        context.send(message_builder("t/echo", "to", str_value=message.as_string() or ""))

    @functions.bind("t/stateful", specs=[ValueSpec("n", IntType)])
    async def stateful(context: Context, message: Message) -> None: ...

    @functions.bind("t/broken")
    async def broken(context: Context, message: Message) -> None:
        raise ValueError("no")

    @functions.bind("t/meet")
    async def meet(context: Context, message: Message) -> None:
        if context.address.id == "second":
            met.set()
        await met.wait()

    return functions


def value(text: str) -> bytes:
    return encode_typed_value(StringType.typename, StringType.serializer().serialize(text))


def request(typename: str, target_id: str = "1", text: str = "x") -> bytes:
    return encode_request(Address(typename, target_id), {}, [Invocation(None, value(text))])


@pytest.fixture(params=["in process", "http"])
async def transport(
    request: pytest.FixtureRequest, aiohttp_server: AiohttpServer
) -> AsyncIterator[Transport]:
    if request.param == "in process":
        yield InProcessTransport(functions())
        return
    server = await aiohttp_server(aiohttp_app(functions()))
    endpoint = HttpEndpoint("t/*", str(server.make_url("/")))
    yield endpoint.transport("t/echo")
    await endpoint.close()


async def test_a_request_is_answered_by_what_the_function_asks_for(transport: Transport) -> None:
    """The bytes are a FromFunction."""
    reply = await transport.invoke(request("t/echo", text="hello"))

    message = OutgoingMessage(Address("t/echo", "to"), value("hello"))
    assert decode_reply(reply) == Result((message,), mutations={})


async def test_a_request_without_its_values_is_answered_by_asking_for_them(
    transport: Transport,
) -> None:
    """No function runs."""
    reply = decode_reply(await transport.invoke(request("t/stateful")))

    assert isinstance(reply, Incomplete)
    assert [missing.name for missing in reply.missing] == ["n"]


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        (request("t/broken"), "t/broken '1' failed on message 1 of 1"),
        (request("t/none"), "no function is registered as 't/none'"),
        (b"\xff", "1 bytes are not a ToFunction"),
    ],
)
async def test_a_request_that_fails_raises_with_the_reason(
    transport: Transport, body: bytes, sentence: str
) -> None:
    """One line of it at least, from wherever the function is."""
    with pytest.raises(StatefunError, match=sentence):
        await transport.invoke(body)


async def test_requests_to_different_addresses_are_made_at_the_same_time(
    transport: Transport,
) -> None:
    """One that waits does not hold up another."""
    async with asyncio.timeout(10):
        replies = await asyncio.gather(
            transport.invoke(request("t/meet", "first")),
            transport.invoke(request("t/meet", "second")),
        )

    assert list(map(decode_reply, replies)) == [Result(mutations={})] * 2


async def test_a_request_can_be_made_again_while_it_is_being_answered(
    transport: Transport,
) -> None:
    """A runtime does so when it gave up waiting; both attempts get the same answer."""
    body = request("t/echo", text="again")

    first, second = await asyncio.gather(transport.invoke(body), transport.invoke(body))

    assert first == second == await transport.invoke(body)


async def test_a_cancelled_attempt_leaves_the_transport_fit_for_the_next(
    transport: Transport,
) -> None:
    """A runtime that stops cancels those that take too long."""
    attempt = asyncio.create_task(transport.invoke(request("t/meet", "first")))
    for _ in range(10):
        await asyncio.sleep(0)
    attempt.cancel()
    await asyncio.wait([attempt])

    reply = await transport.invoke(request("t/echo", text="next"))

    assert attempt.cancelled()
    assert isinstance(decode_reply(reply), Result)
