"""The contract suites find implementations that break a promise."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest

from statefun.ports import IngressMessage
from statefun.runtime.clock import ManualClock
from statefun.sdk.wire import decode_typed_value, encode_typed_value
from statefun.testing.contracts import ClockContract, EgressContract, IngressContract
from statefun.testing.ports import FakeEgress, FakeIngress

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from statefun.ports import OutgoingRecord
    from statefun.sdk.address import Address


class Eager(FakeIngress):
    """Acknowledges what it has handed over, durable or not."""

    @property
    def ingress(self) -> Eager:
        return self

    async def send(self, target: Address, data: bytes, key: str = "") -> bool:
        assert self.intake is not None
        message = IngressMessage(target, encode_typed_value("t/text", data), key)
        self.intake.messages.append(message)  # type: ignore[attr-defined]
        self.intake._news.set()  # type: ignore[attr-defined]
        return True

    def blocked(self) -> None:
        return None


class Forgetful(FakeEgress):
    """Says that it has written out what it was given."""

    @property
    def egress(self) -> Forgetful:
        return self

    def put(self, epoch: int, records: Sequence[OutgoingRecord]) -> None:
        super().put(epoch, records)
        assert self.delivered is not None
        self.delivered([each.id for each in records])

    def record(self, text: str) -> bytes:
        return encode_typed_value("t/text", text.encode())

    async def take(self) -> tuple[int, str]:
        record = self.records[0]
        self.epochs[0][1].pop(0)
        return record.id, decode_typed_value(record.argument).data.decode()

    async def have(self) -> None: ...


class EagerContract(IngressContract):
    @asynccontextmanager
    async def outside(self) -> AsyncIterator[Any]:
        yield Eager()


class ForgetfulContract(EgressContract):
    @asynccontextmanager
    async def outside(self) -> AsyncIterator[Any]:
        yield Forgetful()


class StoppedClockContract(ClockContract):
    def clock(self) -> ManualClock:
        return ManualClock(1000)

    def go_on(self, clock: Any, milliseconds: int) -> None:
        clock.advance_to(clock.now_ms() + milliseconds // 2)

    def set_back(self, clock: Any) -> None:
        clock._uptime_ms = -1


async def test_an_acknowledgement_before_the_commit_is_found() -> None:
    """Nothing else tells of it until a process dies."""
    with pytest.raises(AssertionError):
        await EagerContract().test_a_message_is_acknowledged_once_it_is_durable()

    await EagerContract().test_an_ingress_that_never_started_can_be_stopped()


async def test_a_record_that_is_reported_too_early_is_found() -> None:
    """The runtime would forget it."""
    with pytest.raises(AssertionError):
        await ForgetfulContract().test_a_record_is_reported_once_the_outside_world_has_it()

    await ForgetfulContract().test_checking_a_record_does_nothing()


async def test_a_clock_that_goes_back_is_found() -> None:
    """Waits would never end."""
    with pytest.raises(AssertionError):
        await StoppedClockContract().test_the_uptime_does_not_go_back()
