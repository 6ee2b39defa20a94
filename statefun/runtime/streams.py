"""Taps: egresses that are read inside the process, with `async for`."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING

from statefun.runtime.values import EgressValue

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Self

    from statefun.ports import OutgoingRecord

__all__ = ["EgressStream", "StreamEgress"]


class StreamEgress:
    """An egress whose records are read inside the process; see `EgressStream`.

    Args:
        typename: The egress typename that functions send to.
    """

    def __init__(self, typename: str) -> None:
        self.typename = typename
        self._records: deque[EgressValue] = deque()
        self._is_stopped = False
        self._news = asyncio.Event()
        self._delivered: Callable[[Sequence[int]], None] | None = None

    def accept(self, argument: bytes) -> None:
        """Any record will do."""

    async def start(self, delivered: Callable[[Sequence[int]], None]) -> None:
        """Begin to report what was read."""
        self.begin(delivered)

    def begin(self, delivered: Callable[[Sequence[int]], None]) -> None:
        """The same as `start`: there is nothing to wait for."""
        self._delivered = delivered

    @property
    def has_room(self) -> bool:
        """Always: records wait in memory until they are read."""
        return True

    def put(self, epoch: int, records: Sequence[OutgoingRecord]) -> None:  # noqa: ARG002
        """Take over records."""
        self._records += (EgressValue.decode(record.argument, record.id) for record in records)
        self._news.set()

    async def flush(self) -> None:
        """Reading is for others to do."""

    async def stop(self) -> None:
        """End every iteration; what was not read stays with the runtime."""
        self._is_stopped = True
        self._news.set()

    async def take(self) -> EgressValue | None:
        """Wait for the next record and take it out; None once the runtime stops."""
        while not self._records and not self._is_stopped:
            self._news.clear()
            await self._news.wait()
        return None if self._is_stopped else self._records.popleft()

    def acknowledge(self, record: EgressValue) -> None:
        """Let the runtime forget a record."""
        if self._delivered is not None:
            self._delivered((record.id,))


class EgressStream:
    """An async iterator over the records of an egress, oldest first.

    A record counts as delivered once the same reader asks for the next one; what a reader was given
    last comes again after a restart, with the same id. The iteration ends when the runtime stops.
    Readers share the records: each is given to one of them. A reader is for one task at a time.
    """

    def __init__(self, tap: StreamEgress) -> None:
        self._tap = tap
        self._given: EgressValue | None = None

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> EgressValue:
        given, self._given = self._given, None
        if given is not None:
            self._tap.acknowledge(given)
        self._given = await self._tap.take()
        if self._given is None:
            raise StopAsyncIteration
        return self._given
