"""What every ingress promises, on each of them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Protocol

import aiohttp
import pytest

from statefun.connectors.http import HttpIngress
from statefun.errors import (
    AddressBusyError,
    ConfigurationError,
    IdempotencyConflictError,
    MessageTooLargeError,
    RuntimeStoppedError,
    StatefunError,
    StoreError,
    UnknownFunctionError,
)
from statefun.ports import IngressMessage
from statefun.sdk.address import Address
from statefun.sdk.wire import encode_typed_value
from statefun.testing.ports import FakeIntake

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from statefun.ports import Ingress

TARGET = Address("t/a", "an id/ü")


class Outside(Protocol):
    """An ingress, and the outside world that sends to it."""

    @property
    def ingress(self) -> Ingress: ...

    async def send(self, target: Address, data: bytes, key: str = "") -> bool:
        """Send a value of the type `t/text`; returns whether it was acknowledged."""
        ...

    def blocked(self) -> Ingress:
        """An ingress that cannot start as long as this one runs."""
        ...

    async def close(self) -> None: ...


class OverHttp:
    """A client that makes one request for each message."""

    def __init__(self) -> None:
        self.ingress = HttpIngress(0)
        self._session = aiohttp.ClientSession()

    async def send(self, target: Address, data: bytes, key: str = "") -> bool:
        url = f"http://127.0.0.1:{self.ingress.port}/{target.typename}/an%20id%2F%C3%BC"
        headers = {"Content-Type": "application/vnd.t/text"}
        headers |= {"Idempotency-Key": key} if key else {}
        async with self._session.put(url, data=data, headers=headers) as response:
            return response.status == 200

    def blocked(self) -> Ingress:
        return HttpIngress(self.ingress.port)

    async def close(self) -> None:
        await self._session.close()


@pytest.fixture
def runtime() -> FakeIntake:
    return FakeIntake()


@pytest.fixture(params=[OverHttp], ids=["http"])
async def outside(request: pytest.FixtureRequest) -> AsyncIterator[Outside]:
    outside: Outside = request.param()
    yield outside
    await outside.ingress.stop()
    await outside.close()


async def test_a_message_comes_with_its_target_and_its_bytes(
    outside: Outside, runtime: FakeIntake
) -> None:
    """The argument is a serialized TypedValue with the type that was named outside."""
    await outside.ingress.start(runtime)

    is_acknowledged = await outside.send(TARGET, b"\x00\xff")

    assert is_acknowledged
    assert runtime.messages == [IngressMessage(TARGET, encode_typed_value("t/text", b"\x00\xff"))]


async def test_a_message_is_acknowledged_once_it_is_durable(
    outside: Outside, runtime: FakeIntake
) -> None:
    """Not before the runtime says so."""
    runtime.is_durable.clear()
    await outside.ingress.start(runtime)
    sending = asyncio.create_task(outside.send(TARGET, b"x"))
    await runtime.has(1)
    for _ in range(10):
        await asyncio.sleep(0)
    was_acknowledged = sending.done()

    runtime.is_durable.set()

    assert (was_acknowledged, await sending) == (False, True)


@pytest.mark.parametrize(
    "error",
    [
        UnknownFunctionError("t/a", ("t/b",)),
        MessageTooLargeError("too long"),
        IdempotencyConflictError("another message"),
        AddressBusyError("too much waits"),
        StoreError("the disk is full"),
        RuntimeStoppedError("the runtime is stopping"),
    ],
    ids=lambda error: type(error).__name__,
)
async def test_what_the_runtime_refuses_is_not_acknowledged(
    outside: Outside, runtime: FakeIntake, error: StatefunError
) -> None:
    """Whatever the reason; the next message is taken in again."""
    await outside.ingress.start(runtime)
    runtime.error = error
    refused = await outside.send(TARGET, b"x")
    runtime.error = None

    assert (refused, await outside.send(TARGET, b"y")) == (False, True)


async def test_an_idempotency_key_comes_with_its_message(
    outside: Outside, runtime: FakeIntake
) -> None:
    """Again whenever it is sent again; the runtime knows what to do about it."""
    await outside.ingress.start(runtime)

    for key in ("once", "once", ""):
        assert await outside.send(TARGET, b"x", key)

    assert [each.key for each in runtime.messages] == ["once", "once", ""]


async def test_messages_sent_one_after_another_come_in_order(
    outside: Outside, runtime: FakeIntake
) -> None:
    """Each after the one before was acknowledged."""
    await outside.ingress.start(runtime)

    for number in range(20):
        assert await outside.send(TARGET, b"%d" % number)

    values = [encode_typed_value("t/text", b"%d" % number) for number in range(20)]
    assert [each.argument for each in runtime.messages] == values


async def test_a_message_that_waits_does_not_hold_up_others(
    outside: Outside, runtime: FakeIntake
) -> None:
    """Many can be on their way to the disk at once."""
    runtime.is_durable.clear()
    await outside.ingress.start(runtime)

    sending = [asyncio.create_task(outside.send(TARGET, b"x")) for _ in range(20)]
    async with asyncio.timeout(10):
        await runtime.has(20)
    runtime.is_durable.set()

    assert all(await asyncio.gather(*sending))


async def test_stopping_lets_those_under_way_be_answered(
    outside: Outside, runtime: FakeIntake
) -> None:
    """What is durable by then is acknowledged."""
    runtime.is_durable.clear()
    await outside.ingress.start(runtime)
    sending = asyncio.create_task(outside.send(TARGET, b"x"))
    await runtime.has(1)

    stopping = asyncio.create_task(outside.ingress.stop())
    await asyncio.sleep(0)
    runtime.is_durable.set()
    await stopping

    assert await sending


async def test_an_ingress_can_be_paused_and_resumed(outside: Outside, runtime: FakeIntake) -> None:
    """What comes after that is taken in; so is what comes meanwhile, where it cannot be held up."""
    await outside.ingress.start(runtime)

    outside.ingress.pause()
    outside.ingress.resume()

    assert await outside.send(TARGET, b"x")


async def test_an_ingress_that_cannot_start_says_so(outside: Outside, runtime: FakeIntake) -> None:
    """And can be stopped all the same."""
    await outside.ingress.start(runtime)
    blocked = outside.blocked()

    with pytest.raises(ConfigurationError):
        await blocked.start(runtime)

    await blocked.stop()


async def test_an_ingress_that_never_started_can_be_stopped(outside: Outside) -> None:
    """And one that was stopped, too."""
    await outside.ingress.stop()
    await outside.ingress.stop()
