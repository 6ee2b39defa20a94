"""What every transport promises; see `statefun.runtime.transports.base.Transport`."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

from statefun.errors import StatefunError
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

if TYPE_CHECKING:
    from contextlib import AbstractAsyncContextManager

    from statefun.runtime.transports.base import Transport
    from statefun.sdk.context import Context
    from statefun.sdk.messages import Message

__all__ = ["TransportContract", "transported_functions"]

_LONG_S = 10  # only a broken transport takes so long


def transported_functions() -> StatefulFunctions:
    """Functions that echo, need a value, fail, and wait for one another."""
    functions, met = StatefulFunctions(), asyncio.Event()

    @functions.bind("t/echo")
    async def echo(context: Context, message: Message) -> None:
        context.send(message_builder("t/echo", "to", str_value=message.as_string() or ""))

    @functions.bind("t/stateful", specs=[ValueSpec("n", IntType)])
    async def stateful(context: Context, message: Message) -> None:
        """Needs a value, and does nothing."""

    @functions.bind("t/broken")
    async def broken(context: Context, message: Message) -> None:  # noqa: ARG001 - as every one
        raise ValueError("no")

    @functions.bind("t/meet")
    async def meet(context: Context, message: Message) -> None:  # noqa: ARG001
        if context.address.id == "second":
            met.set()
        await met.wait()

    return functions


def _value(text: str) -> bytes:
    return encode_typed_value(StringType.typename, StringType.serializer().serialize(text))


def _request(typename: str, target_id: str = "1", text: str = "x") -> bytes:
    return encode_request(Address(typename, target_id), {}, [Invocation(None, _value(text))])


class TransportContract(ABC):
    """The promises of a transport."""

    @abstractmethod
    def transport(self) -> AbstractAsyncContextManager[Transport]:
        """A transport to new `transported_functions()`."""

    async def test_a_request_is_answered_by_what_the_function_asks_for(self) -> None:
        """The bytes are a FromFunction."""
        async with self.transport() as transport:
            reply = await transport.invoke(_request("t/echo", text="hello"))

        message = OutgoingMessage(Address("t/echo", "to"), _value("hello"))
        assert decode_reply(reply) == Result((message,), mutations={})

    async def test_a_request_without_its_values_is_answered_by_asking_for_them(self) -> None:
        """No function runs."""
        async with self.transport() as transport:
            reply = decode_reply(await transport.invoke(_request("t/stateful")))

        assert isinstance(reply, Incomplete)
        assert [missing.name for missing in reply.missing] == ["n"]

    async def test_a_request_that_fails_raises_with_the_reason(self) -> None:
        """One line of it at least, from wherever the function is."""
        for body, sentence in (
            (_request("t/broken"), "t/broken '1' failed on message 1 of 1"),
            (_request("t/none"), "no function is registered as 't/none'"),
            (b"\xff", "1 bytes are not a ToFunction"),
        ):
            reason = ""
            async with self.transport() as transport:
                try:
                    await transport.invoke(body)
                except StatefunError as error:
                    reason = str(error)
            assert sentence in reason

    async def test_requests_to_different_addresses_are_made_at_the_same_time(self) -> None:
        """One that waits does not hold up another."""
        async with self.transport() as transport, asyncio.timeout(_LONG_S):
            replies = await asyncio.gather(
                transport.invoke(_request("t/meet", "first")),
                transport.invoke(_request("t/meet", "second")),
            )

        assert list(map(decode_reply, replies)) == [Result(mutations={})] * 2

    async def test_a_request_can_be_made_again_while_it_is_being_answered(self) -> None:
        """A runtime does so when it gave up waiting; both attempts get the same answer."""
        body = _request("t/echo", text="again")

        async with self.transport() as transport:
            first, second = await asyncio.gather(transport.invoke(body), transport.invoke(body))

            assert first == second == await transport.invoke(body)

    async def test_a_cancelled_attempt_leaves_the_transport_fit_for_the_next(self) -> None:
        """A runtime that stops cancels those that take too long."""
        async with self.transport() as transport:
            attempt = asyncio.create_task(transport.invoke(_request("t/meet", "first")))
            for _ in range(10):
                await asyncio.sleep(0)
            attempt.cancel()
            await asyncio.wait([attempt])

            reply = await transport.invoke(_request("t/echo", text="next"))

        assert attempt.cancelled()
        assert isinstance(decode_reply(reply), Result)
