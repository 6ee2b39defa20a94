"""What every egress promises; see `statefun.ports.Egress`."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import TYPE_CHECKING, Protocol

from statefun.ports import OutgoingRecord
from statefun.sdk.wire import encode_typed_value

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from statefun.ports import Egress

__all__ = ["EgressContract", "EgressOutside"]

_LONG_S = 10  # only a broken egress takes so long


class EgressOutside(Protocol):
    """An egress, and the outside world that reads from it."""

    @property
    def egress(self) -> Egress:
        """The egress, not started."""
        ...

    def record(self, text: str) -> bytes:
        """A record that the egress can write: a serialized `TypedValue` that stands for a text."""
        ...

    async def take(self) -> tuple[int, str]:
        """Read the next record: its id and its text."""
        ...

    async def have(self) -> None:
        """Let the egress know that what was read has arrived, if reading does not tell."""
        ...


class _Delivered(list[int]):
    """The ids that an egress has reported."""

    def __init__(self) -> None:
        super().__init__()
        self._news = asyncio.Event()

    def __call__(self, ids: Sequence[int]) -> None:
        self.extend(ids)
        self._news.set()

    async def has(self, count: int) -> None:
        """Wait until so many have been reported."""
        while len(self) < count:
            self._news.clear()
            await self._news.wait()


def _records(outside: EgressOutside, *numbered: tuple[int, str]) -> list[OutgoingRecord]:
    return [OutgoingRecord(number, outside.record(text)) for number, text in numbered]


class EgressContract(ABC):
    """The promises of an egress."""

    @abstractmethod
    def outside(self) -> AbstractAsyncContextManager[EgressOutside]:
        """A new egress and its outside world; the suite starts and stops the egress."""

    @asynccontextmanager
    async def _started(self, delivered: _Delivered | None = None) -> AsyncIterator[EgressOutside]:
        async with self.outside() as outside:
            try:
                await outside.egress.start(_Delivered() if delivered is None else delivered)
                yield outside
            finally:
                await outside.egress.stop()

    async def test_records_come_out_oldest_first_with_their_ids(self) -> None:
        """Each once, whether they were put together or one after another."""
        async with self._started() as outside:
            outside.egress.put(1, _records(outside, (3, "a"), (8, "b")))
            outside.egress.put(2, _records(outside, (9, "ä")))

            assert [await outside.take() for _ in range(3)] == [(3, "a"), (8, "b"), (9, "ä")]

    async def test_a_record_is_reported_once_the_outside_world_has_it(self) -> None:
        """Not when it is put, and not twice."""
        delivered = _Delivered()
        async with self._started(delivered) as outside:
            outside.egress.put(1, _records(outside, (3, "a"), (8, "b")))
            when_put = list(delivered)

            await outside.take()
            await outside.take()
            await outside.have()
            async with asyncio.timeout(_LONG_S):
                await delivered.has(2)

            assert (when_put, list(delivered)) == ([], [3, 8])

    async def test_checking_a_record_does_nothing(self) -> None:
        """A pure function of the bytes, which may be asked before the egress has started."""
        async with self.outside() as outside:
            outside.egress.accept(outside.record("checked"))
            await outside.egress.stop()
        async with self._started() as outside:
            outside.egress.accept(outside.record("checked"))

            outside.egress.put(1, _records(outside, (1, "put")))

            assert await outside.take() == (1, "put")

    async def test_putting_never_fails(self) -> None:
        """Nor does a record that it would not accept hold up the next ones."""
        async with self._started() as outside:
            outside.egress.put(1, [OutgoingRecord(1, encode_typed_value("t/foreign", b"foreign"))])
            outside.egress.put(1, _records(outside, (2, "a")))

            async with asyncio.timeout(_LONG_S):
                taken = await outside.take()
                if taken == (1, "foreign"):  # it takes anything
                    taken = await outside.take()
            assert taken == (2, "a")

    async def test_an_egress_that_has_room_takes_records_and_can_be_flushed(self) -> None:
        """Flushing waits for nobody who reads."""
        async with self._started() as outside:
            assert outside.egress.has_room
            outside.egress.put(1, _records(outside, (1, "a")))

            async with asyncio.timeout(_LONG_S):
                await outside.egress.flush()

            assert await outside.take() == (1, "a")

    async def test_what_nobody_read_is_not_reported_when_the_egress_stops(self) -> None:
        """It stays with the runtime, and comes again to the next process."""
        delivered = _Delivered()
        async with self._started(delivered) as outside:
            outside.egress.put(1, _records(outside, (1, "a"), (2, "b"), (3, "c")))
            await outside.take()

            await outside.egress.stop()

            assert set(delivered) <= {1}

    async def test_an_egress_that_never_started_can_be_stopped(self) -> None:
        """And one that was stopped, too."""
        async with self.outside() as outside:
            await outside.egress.stop()
            await outside.egress.stop()

    async def test_an_egress_has_one_typename(self) -> None:
        """By which functions send to it."""
        async with self.outside() as outside:
            assert outside.egress.typename == outside.egress.typename != ""
            await outside.egress.stop()
