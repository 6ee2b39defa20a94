"""What a runtime does with its ingresses and egresses: positions, pauses, commits, room."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from statefun.errors import (
    AddressBusyError,
    IdempotencyConflictError,
    StoreError,
    UnknownFunctionError,
)
from statefun.ports import IngressMessage, Position
from statefun.runtime import FailurePolicy, ManualClock, Runtime
from statefun.runtime.engine.retry import Backoff
from statefun.runtime.stores.memory import MemoryStore
from statefun.sdk.address import Address
from statefun.sdk.builders import egress_message_builder
from statefun.sdk.functions import StatefulFunctions
from statefun.sdk.primitives import IntType, StringType
from statefun.sdk.specs import ValueSpec
from statefun.sdk.wire import encode_typed_value
from statefun.testing.ports import FakeEgress, FakeIngress
from tests.runtime.driver import until

if TYPE_CHECKING:
    from pathlib import Path

    from statefun.runtime.engine.records import Delta
    from statefun.runtime.stores.base import Store
    from statefun.sdk.context import Context
    from statefun.sdk.messages import Message

ONE, TWO = Address("t/count", "1"), Address("t/count", "2")
PARTITION = "orders/0"


def functions() -> StatefulFunctions:
    """`t/count` counts; `t/echo` sends what it gets to the egress `t/out`; `t/fails` fails."""
    registry = StatefulFunctions()

    @registry.bind("t/count", specs=[ValueSpec("count", IntType)])
    async def count(context: Context, message: Message) -> None:
        context.storage.count = (context.storage.count or 0) + 1

    @registry.bind("t/echo")
    async def echo(context: Context, message: Message) -> None:
        record = egress_message_builder("t/out", value="x", value_type=StringType)
        context.send_egress(record)

    @registry.bind("t/fails")
    async def fail(context: Context, message: Message) -> None:
        raise ValueError("no")

    return registry


def message(target: Address, value: str = "x", key: str = "") -> IngressMessage:
    return IngressMessage(target, encode_typed_value("t/text", value.encode()), key)


async def counts(runtime: Runtime) -> list[Any]:
    await runtime.idle()
    states = [await runtime.state(*address) for address in (ONE, TWO)]
    return [state["count"].value if state else 0 for state in states]


class FailingStore(MemoryStore):
    """A store that fails while the test says so."""

    is_failing = False

    def commit(self, delta: Delta) -> None:
        if self.is_failing:
            raise StoreError("the disk is full")
        super().commit(delta)


class GivenStore(Runtime):
    """A runtime on a store of the test."""

    store: Store = MemoryStore()

    def _open_store(self) -> Store:
        return self.store


# --- positions ------------------------------------------------------------------------------------


async def test_a_position_is_durable_with_the_messages_it_stands_for(tmp_path: Path) -> None:
    """After a restart the ingress goes on behind exactly those that were taken in."""
    ingress = FakeIngress()
    async with Runtime(functions(), data=tmp_path, ingresses=[ingress]):
        assert ingress.intake is not None
        assert ingress.intake.position(PARTITION) is None
        await ingress.deliver_all([message(ONE), message(TWO)], Position(PARTITION, b"2"))
        assert ingress.intake.position(PARTITION) == b"2"

    again = FakeIngress()
    async with Runtime(functions(), data=tmp_path, ingresses=[again]) as runtime:
        assert again.intake is not None
        assert again.intake.position(PARTITION) == b"2"
        assert await counts(runtime) == [1, 1]


async def test_a_position_moves_without_a_message(tmp_path: Path) -> None:
    """Over records that an ingress skips."""
    ingress = FakeIngress()
    async with Runtime(functions(), data=tmp_path, ingresses=[ingress]):
        await ingress.deliver_all([], Position(PARTITION, b"7"))

    again = FakeIngress()
    async with Runtime(functions(), data=tmp_path, ingresses=[again]):
        assert again.intake is not None
        assert again.intake.position(PARTITION) == b"7"
        await again.deliver_all([], Position(PARTITION, None))
        assert again.intake.position(PARTITION) is None

    last = FakeIngress()
    async with Runtime(functions(), data=tmp_path, ingresses=[last]):
        assert last.intake is not None
        assert last.intake.position(PARTITION) is None


@pytest.mark.parametrize(
    ("bad", "error"),
    [
        (message(Address("t/none", "1")), UnknownFunctionError),
        (message(ONE, "other", "key"), IdempotencyConflictError),
    ],
    ids=["unknown function", "another message under a key of the same delivery"],
)
async def test_of_messages_that_come_together_all_are_taken_in_or_none(
    tmp_path: Path, bad: IngressMessage, error: type[Exception]
) -> None:
    """Nor does the position move."""
    ingress = FakeIngress()
    async with Runtime(functions(), data=tmp_path, ingresses=[ingress]) as runtime:
        with pytest.raises(error):
            await ingress.deliver_all([message(ONE, "one", "key"), bad], Position(PARTITION, b"1"))

        assert await counts(runtime) == [0, 0]
        assert ingress.intake is not None
        assert ingress.intake.position(PARTITION) is None


async def test_a_repeat_among_messages_that_come_together_is_taken_in_once() -> None:
    """By its idempotency key."""
    ingress = FakeIngress()
    async with Runtime(functions(), data=None, ingresses=[ingress]) as runtime:
        await ingress.deliver_all([message(ONE, key="a"), message(TWO), message(ONE, key="a")])
        await ingress.deliver_all([message(ONE, key="a"), message(TWO)])

        assert await counts(runtime) == [1, 2]


# --- pauses ---------------------------------------------------------------------------------------


async def test_ingresses_are_paused_while_too_much_waits() -> None:
    """And resumed once there is room."""
    ingress = FakeIngress()
    policy = FailurePolicy("dead-letter", Backoff(attempts=2, jitter=0))
    clock = ManualClock()
    async with Runtime(
        functions(),
        data=None,
        ingresses=[ingress],
        failure=policy,
        clock=clock,
        max_waiting_bytes=1,
    ) as runtime:
        await ingress.deliver(Address("t/fails", "1"), b"")
        await until(lambda: ingress.is_paused)
        with pytest.raises(AddressBusyError):
            await ingress.deliver(ONE, b"")

        await until(lambda: runtime.metrics().counters.failed_attempts)
        clock.set_to(clock.now_ms())
        while ingress.is_paused:
            clock.advance_to(clock.now_ms() + 100)
            await asyncio.sleep(0)

        await ingress.deliver(ONE, b"")


async def test_ingresses_are_paused_while_nothing_can_be_stored() -> None:
    """And resumed once a commit succeeds."""
    ingress, clock, store = FakeIngress(), ManualClock(), FailingStore()
    store.is_blocking = True
    store.is_failing = True
    runtime = GivenStore(functions(), ingresses=[ingress], clock=clock)
    runtime.store = store
    async with runtime:
        with pytest.raises(StoreError):
            await ingress.deliver(ONE, b"")
        await until(lambda: ingress.is_paused)

        store.is_failing = False
        clock.advance_to(clock.now_ms() + 1000)

        await until(lambda: not ingress.is_paused)


async def test_who_delivers_with_a_position_waits_for_the_store() -> None:
    """So nothing comes twice: a message is refused and not kept, or it is kept and then stored."""
    ingress, clock, store = FakeIngress(), ManualClock(), FailingStore()
    store.is_blocking = True
    store.is_failing = True
    runtime = GivenStore(functions(), ingresses=[ingress], clock=clock)
    runtime.store = store
    async with runtime:
        assert ingress.intake is not None
        kept = asyncio.create_task(ingress.deliver_all([message(ONE)], Position(PARTITION, b"1")))
        await until(lambda: ingress.is_paused)
        with pytest.raises(StoreError, match="not kept"):
            await ingress.deliver_all([message(ONE)], Position(PARTITION, b"2"))
        was_answered = kept.done()

        store.is_failing = False
        clock.advance_to(clock.now_ms() + 1000)
        await kept

        assert (was_answered, await counts(runtime)) == (False, [1, 0])
        assert ingress.intake.position(PARTITION) == b"1"


# --- egresses -------------------------------------------------------------------------------------


async def test_an_egress_gets_its_records_by_commits() -> None:
    """What became durable together comes together, under a number that grows."""
    egress = FakeEgress()
    ingress = FakeIngress()
    async with Runtime(functions(), data=None, ingresses=[ingress], egresses=[egress]):
        for _ in range(2):
            await ingress.deliver_all([message(Address("t/echo", str(n))) for n in range(3)])
            await until(lambda: len(egress.records) % 3 == 0)

    epochs = [epoch for epoch, _ in egress.epochs]
    assert len(egress.records) == 6
    assert epochs == sorted(set(epochs))


async def test_records_of_an_earlier_process_come_as_epoch_0(tmp_path: Path) -> None:
    """Which commit they were part of is not kept."""
    ingress = FakeIngress()
    async with Runtime(
        functions(), data=tmp_path, ingresses=[ingress], egresses=[FakeEgress()]
    ) as runtime:
        await ingress.deliver_all([message(Address("t/echo", str(n))) for n in range(3)])
        await runtime.idle()

    egress = FakeEgress()
    async with Runtime(functions(), data=tmp_path, egresses=[egress]):
        pass

    assert [(epoch, len(records)) for epoch, records in egress.epochs] == [(0, 3)]


async def test_an_egress_without_room_pushes_back() -> None:
    """It gets nothing, ingresses are paused and refused, until it reports that it has room."""
    ingress, egress = FakeIngress(), FakeEgress()
    async with Runtime(functions(), data=None, ingresses=[ingress], egresses=[egress]) as runtime:
        egress.has_room = False
        await ingress.deliver_all([message(Address("t/echo", str(n))) for n in range(3)])
        await until(lambda: ingress.is_paused)
        with pytest.raises(AddressBusyError, match="'t/out' takes no more records"):
            await ingress.deliver(ONE, b"")
        assert egress.records == []

        egress.has_room = True
        assert egress.delivered is not None
        egress.delivered([])

        await until(lambda: not ingress.is_paused)
        assert len(egress.records) == 3
        await ingress.deliver(ONE, b"")
        await runtime.idle()


async def test_an_egress_is_flushed_before_it_is_stopped() -> None:
    """So that it can write out what it has."""
    egress = FakeEgress()
    async with Runtime(functions(), data=None, egresses=[egress]):
        pass

    assert egress.life == ["start", "flush", "stop"]
