"""What every ingress promises; see `statefun.ports.Ingress`."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import TYPE_CHECKING, Protocol

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
from statefun.sdk.address import Address
from statefun.sdk.wire import encode_typed_value
from statefun.testing.ports import FakeIntake

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from statefun.ports import Ingress

__all__ = ["TARGET", "IngressContract", "IngressOutside"]

TARGET = Address("t/a", "an id/ü")
"""Whom the messages of the suite are for."""

_LONG_S = 10  # only a broken ingress takes so long
_REFUSALS: tuple[StatefunError, ...] = (
    UnknownFunctionError("t/a", ("t/b",)),
    MessageTooLargeError("too long"),
    IdempotencyConflictError("another message"),
    AddressBusyError("too much waits"),
    StoreError("the disk is full"),
    RuntimeStoppedError("the runtime is stopping"),
)


class IngressOutside(Protocol):
    """An ingress, and the outside world that sends to it."""

    @property
    def ingress(self) -> Ingress:
        """The ingress, not started."""
        ...

    async def send(self, target: Address, data: bytes, key: str = "") -> bool:
        """Send a value of the type `t/text`.

        Args:
            target: Whom it is for.
            data: The bytes of the value.
            key: The idempotency key, empty for none.

        Returns:
            Whether it was acknowledged.
        """
        ...

    def blocked(self) -> Ingress | None:
        """An ingress that cannot start as long as this one runs; None if there is no such thing."""
        ...


class IngressContract(ABC):
    """The promises of an ingress whose messages are acknowledged one by one."""

    @abstractmethod
    def outside(self) -> AbstractAsyncContextManager[IngressOutside]:
        """A new ingress and its outside world; the suite starts and stops the ingress."""

    @asynccontextmanager
    async def _started(self, intake: FakeIntake) -> AsyncIterator[IngressOutside]:
        async with self.outside() as outside:
            try:
                await outside.ingress.start(intake)
                yield outside
            finally:
                await outside.ingress.stop()

    async def test_a_message_comes_with_its_target_and_its_bytes(self) -> None:
        """The argument is a serialized TypedValue with the type that was named outside."""
        intake = FakeIntake()
        async with self._started(intake) as outside:
            is_acknowledged = await outside.send(TARGET, b"\x00\xff")

        assert is_acknowledged
        [message] = intake.messages
        assert message.target == TARGET
        assert message.argument == encode_typed_value("t/text", b"\x00\xff")

    async def test_a_message_is_acknowledged_once_it_is_durable(self) -> None:
        """Not before the runtime says so."""
        intake = FakeIntake()
        intake.is_durable.clear()
        async with self._started(intake) as outside:
            sending = asyncio.create_task(outside.send(TARGET, b"x"))
            await intake.has(1)
            for _ in range(10):
                await asyncio.sleep(0)
            was_acknowledged = sending.done()

            intake.is_durable.set()

            assert (was_acknowledged, await sending) == (False, True)

    async def test_what_the_runtime_refuses_is_not_acknowledged(self) -> None:
        """Whatever the reason; the next message is taken in again."""
        for error in _REFUSALS:
            intake = FakeIntake()
            async with self._started(intake) as outside:
                intake.error = error
                refused = await outside.send(TARGET, b"x")
                intake.error = None

                assert (refused, await outside.send(TARGET, b"y")) == (False, True), error

    async def test_an_idempotency_key_comes_with_its_message(self) -> None:
        """Again whenever it is sent again; the runtime knows what to do about it."""
        intake = FakeIntake()
        async with self._started(intake) as outside:
            for key in ("once", "once", ""):
                assert await outside.send(TARGET, b"x", key)

        assert [each.key for each in intake.messages] == ["once", "once", ""]

    async def test_messages_sent_one_after_another_come_in_order(self) -> None:
        """Each after the one before was acknowledged."""
        intake = FakeIntake()
        async with self._started(intake) as outside:
            for number in range(20):
                assert await outside.send(TARGET, b"%d" % number)

        values = [encode_typed_value("t/text", b"%d" % number) for number in range(20)]
        assert [each.argument for each in intake.messages] == values

    async def test_a_message_that_waits_does_not_hold_up_others(self) -> None:
        """Many can be on their way to the disk at once."""
        intake = FakeIntake()
        intake.is_durable.clear()
        async with self._started(intake) as outside:
            sending = [asyncio.create_task(outside.send(TARGET, b"x")) for _ in range(20)]
            async with asyncio.timeout(_LONG_S):
                await intake.has(20)
            intake.is_durable.set()

            assert all(await asyncio.gather(*sending))

    async def test_stopping_lets_those_under_way_be_answered(self) -> None:
        """What is durable by then is acknowledged."""
        intake = FakeIntake()
        intake.is_durable.clear()
        async with self._started(intake) as outside:
            sending = asyncio.create_task(outside.send(TARGET, b"x"))
            await intake.has(1)

            stopping = asyncio.create_task(outside.ingress.stop())
            await asyncio.sleep(0)
            intake.is_durable.set()
            await stopping

            assert await sending

    async def test_an_ingress_can_be_paused_and_resumed(self) -> None:
        """What comes after that is taken in; so is what comes meanwhile and cannot be held up."""
        async with self._started(FakeIntake()) as outside:
            outside.ingress.pause()
            outside.ingress.resume()

            assert await outside.send(TARGET, b"x")

    async def test_an_ingress_that_cannot_start_says_so(self) -> None:
        """And can be stopped all the same."""
        async with self._started(FakeIntake()) as outside:
            blocked = outside.blocked()
            if blocked is None:
                return
            try:
                await blocked.start(FakeIntake())
            except ConfigurationError:
                is_refused = True
            else:
                is_refused = False
            await blocked.stop()

        assert is_refused

    async def test_an_ingress_that_never_started_can_be_stopped(self) -> None:
        """And one that was stopped, too."""
        async with self.outside() as outside:
            await outside.ingress.stop()
            await outside.ingress.stop()
