"""Ports for tests: an intake, an ingress, an egress and an endpoint that wait for the test.

Law: a fake keeps what it is given, in order, and acts when the test says so.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from statefun.errors import CallTimeoutError, StatefunError
from statefun.ports import IngressMessage
from statefun.sdk.address import TypenamePattern
from statefun.sdk.handler import RequestReplyHandler

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import timedelta

    from statefun.ports import Intake, OutgoingRecord, Position
    from statefun.runtime.engine.policy import FailurePolicy, Limits
    from statefun.sdk.address import Address
    from statefun.sdk.functions import StatefulFunctions

__all__ = ["FakeEgress", "FakeEndpoint", "FakeIngress", "FakeIntake"]


class FakeIntake:
    """The runtime's side of an ingress's port; see `Intake`.

    Attributes:
        deliveries: Each call of `deliver` that was not refused: its messages and its position.
        messages: All messages, also those of calls, in the order in which they came.
        positions: Name → the position that is durable.
        error: Raised by the next deliveries and calls, None for none.
        is_durable: Deliveries return while it is set; it is set at first.
        replies: Value of a message, a serialized `TypedValue` → the reply to a call with it, or the
            error; a message without one times out.
    """

    def __init__(self) -> None:
        self.deliveries: list[tuple[tuple[IngressMessage, ...], Position | None]] = []
        self.messages: list[IngressMessage] = []
        self.positions: dict[str, bytes] = {}
        self.error: Exception | None = None
        self.is_durable = asyncio.Event()
        self.is_durable.set()
        self.replies: dict[bytes, bytes | StatefunError] = {}
        self._news = asyncio.Event()

    async def deliver(
        self, messages: Sequence[IngressMessage], position: Position | None = None
    ) -> None:
        """Keep messages; see `Intake`."""
        if self.error is not None:
            raise self.error
        self.deliveries.append((tuple(messages), position))
        self.messages += messages
        self._news.set()
        await self.is_durable.wait()
        if position is not None and position.value is not None:
            self.positions[position.name] = position.value
        elif position is not None:
            self.positions.pop(position.name, None)

    async def call(self, message: IngressMessage, within: timedelta | None = None) -> bytes:
        """Answer with the reply that the test has set; see `Intake`."""
        if self.error is not None:
            raise self.error
        self.messages.append(message)
        self._news.set()
        await self.is_durable.wait()
        reply = self.replies.get(message.argument)
        if isinstance(reply, bytes):
            return reply
        if reply is not None:
            raise reply
        seconds = 0.0 if within is None else within.total_seconds()
        raise CallTimeoutError(message.target, seconds, is_accepted=True)

    def position(self, name: str) -> bytes | None:
        """The position of that name; see `Intake`."""
        return self.positions.get(name)

    async def has(self, count: int) -> None:
        """Wait until so many messages have come."""
        while len(self.messages) < count:
            self._news.clear()
            await self._news.wait()


class FakeIngress:
    """An ingress that lets the test deliver; see `Ingress`.

    Args:
        error: What `start` raises, None for nothing.

    Attributes:
        intake: The runtime, once it was started.
        life: The names of the methods that were called, in order.
        is_paused: Whether it was paused and not resumed.
    """

    def __init__(self, error: Exception | None = None) -> None:
        self.intake: Intake | None = None
        self.life: list[str] = []
        self.is_paused = False
        self._error = error

    async def start(self, intake: Intake) -> None:
        """Keep the intake."""
        self.life.append("start")
        if self._error is not None:
            raise self._error
        self.intake = intake

    def pause(self) -> None:
        """Take note of it."""
        self.life.append("pause")
        self.is_paused = True

    def resume(self) -> None:
        """Take note of it."""
        self.life.append("resume")
        self.is_paused = False

    async def stop(self) -> None:
        """Take note of it."""
        self.life.append("stop")

    async def deliver(
        self, target: Address, argument: bytes, key: str = "", topic: str = ""
    ) -> None:
        """Deliver one message, without a position."""
        await self.deliver_all([IngressMessage(target, argument, key, topic)])

    async def deliver_all(
        self, messages: Sequence[IngressMessage], position: Position | None = None
    ) -> None:
        """Deliver messages; see `Intake.deliver`."""
        assert self.intake is not None, "the ingress has not been started"  # noqa: S101
        await self.intake.deliver(messages, position)


class FakeEgress:
    """An egress that keeps its records; they are delivered when the test says so; see `Egress`.

    Args:
        typename: The egress typename that functions send to.
        accept: Checks a record; by default any will do.

    Attributes:
        typename: As given.
        epochs: The commits that came: their number and their records.
        has_room: Whether it takes records; set it to False to push back.
        life: The names of the methods that were called, in order, without `accept` and `put`.
        delivered: Reports records, or room; None before the start.
    """

    def __init__(
        self, typename: str = "t/out", accept: Callable[[bytes], object] | None = None
    ) -> None:
        self.typename = typename
        self.epochs: list[tuple[int, list[OutgoingRecord]]] = []
        self.has_room = True
        self.life: list[str] = []
        self.delivered: Callable[[Sequence[int]], None] | None = None
        self._accept = accept

    @property
    def records(self) -> list[OutgoingRecord]:
        """All records, in order."""
        return [record for _, records in self.epochs for record in records]

    def accept(self, argument: bytes) -> None:
        """Check a record."""
        if self._accept is not None:
            self._accept(argument)

    async def start(self, delivered: Callable[[Sequence[int]], None]) -> None:
        """Keep the way to report."""
        self.life.append("start")
        self.delivered = delivered

    def put(self, epoch: int, records: Sequence[OutgoingRecord]) -> None:
        """Keep records."""
        self.epochs.append((epoch, list(records)))

    async def flush(self) -> None:
        """Take note of it."""
        self.life.append("flush")

    async def stop(self) -> None:
        """Take note of it."""
        self.life.append("stop")


class FakeEndpoint:
    """Functions behind an endpoint, called in this process through the bytes of the wire.

    Args:
        functions: Which it is for, as `namespace/name` or `namespace/*`.
        behind: The functions that are there.
        failure: The policy for messages to them; None for the runtime's.
        limits: The limits of their addresses; None for the runtime's.

    Attributes:
        error: Raised by each call in place of a reply, None for none: how an endpoint is when it
            cannot be reached, `TransportError("no connection", connected=False)`.
        requests: The requests that came, as bytes.
        is_closed: Whether it was closed.
    """

    def __init__(
        self,
        functions: str,
        behind: StatefulFunctions,
        *,
        failure: FailurePolicy | None = None,
        limits: Limits | None = None,
    ) -> None:
        self.functions = functions
        self.failure = failure
        self.limits = limits
        self.error: Exception | None = None
        self.requests: list[bytes] = []
        self.is_closed = False
        self._pattern = TypenamePattern.parse(functions)
        self._handler = RequestReplyHandler(behind)

    @property
    def is_specific(self) -> bool:
        """Whether it is for one typename."""
        return self._pattern.name is not None

    def matches(self, typename: str) -> bool:
        """Whether it is for functions of this typename."""
        return self._pattern.matches(typename)

    def transport(self, typename: str) -> FakeEndpoint:  # noqa: ARG002 - the same for all
        """Itself: it is the way to all of its functions."""
        return self

    async def invoke(self, request: bytes) -> bytes:
        """Answer a request, or raise `error`."""
        self.requests.append(request)
        if self.error is not None:
            raise self.error
        return await self._handler.invoke(request)

    async def close(self) -> None:
        """Take note of it."""
        self.is_closed = True
