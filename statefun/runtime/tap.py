"""Taps: egresses that are read inside the process, with `async for`."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING

from statefun.runtime.values import EgressValue

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Self

    from statefun.connectors.ports import OutgoingRecord

__all__ = ["Tap"]


class Tap:
    """An egress whose records are given out by an async iterator, oldest first.

    A record counts as delivered once the next one is asked for; one that was given out last before
    the process ended comes again after a restart, with the same id. The iteration ends when the
    runtime stops. Readers share the records: each is given out once.

    Args:
        typename: The egress typename that functions send to.
    """

    def __init__(self, typename: str) -> None:
        self.typename = typename
        self._records: deque[EgressValue] = deque()
        self._given_out: EgressValue | None = None
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

    def put(self, records: Sequence[OutgoingRecord]) -> None:
        """Take over records."""
        self._records += (EgressValue.decode(record.argument, record.id) for record in records)
        self._news.set()

    async def stop(self) -> None:
        """End every iteration; what was not read stays with the runtime."""
        self._is_stopped = True
        self._news.set()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> EgressValue:
        self._acknowledge()
        while not self._records and not self._is_stopped:
            self._news.clear()
            await self._news.wait()
        if self._is_stopped:
            raise StopAsyncIteration
        self._given_out = self._records.popleft()
        return self._given_out

    def _acknowledge(self) -> None:
        given_out, self._given_out = self._given_out, None
        if given_out is not None and self._delivered is not None:
            self._delivered((given_out.id,))
