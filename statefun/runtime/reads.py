"""Reads: what is looked up in a store while the runtime goes on.

Law: the event loop never waits for the disk. Reads are made one after another by a thread of their
own; addresses whose values an engine needs are loaded together, as many as have come meanwhile, and
so are timers.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Final, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from statefun.runtime.engine.engine import Engine
    from statefun.runtime.engine.records import FoundTimers, StoredEntry
    from statefun.runtime.stores.base import Reader, Store
    from statefun.sdk.address import Address

__all__ = ["Reads"]

T = TypeVar("T")

_MOST_LOADS: Final = 1000
"""So many addresses are loaded at a time."""


class Reads:
    """Looks things up in a store.

    Args:
        store: The store; where it does not wait for a disk, reads are made at once.
        engine: Gets the values and timers that it asks for.
        wake: Called when something has come, for `finish` to be called.
    """

    def __init__(self, store: Store, engine: Engine, wake: Callable[[], None]) -> None:
        self._store = store
        self._engine = engine
        self._wake = wake
        self._reader = ThreadPoolExecutor(1, "statefun-reader") if store.is_blocking else None
        self._wanted: list[Address] = []
        self._loading: asyncio.Future[dict[Address, Mapping[str, StoredEntry]]] | None = None
        self._finding: asyncio.Future[FoundTimers] | None = None

    @property
    def is_apart(self) -> bool:
        """Whether reads are made by a thread, since they wait for a disk."""
        return self._reader is not None

    async def read(self, look: Callable[[Reader], T]) -> T:
        """Call a function with the store, in the thread of the reads; returns its result."""
        if self._reader is None:
            return look(self._store)
        return await asyncio.get_running_loop().run_in_executor(self._reader, look, self._store)

    def load(self, addresses: Sequence[Address]) -> bool:
        """Load the values of addresses for the engine.

        Returns:
            Whether the engine has them now; else it gets them by `finish`.
        """
        if self._reader is None:
            for address, values in self._store.load_many(addresses).items():
                self._engine.attempts.loaded(address, values)
            return True
        self._wanted += addresses
        self._begin()
        return False

    def find_timers(self, now_ms: int) -> None:
        """Find the timers that the engine wants; it gets them by `finish`, unless it has them."""
        engine = self._engine
        while (wanted := engine.timers.take_wanted(now_ms)) is not None:
            if self._reader is not None:
                loop = asyncio.get_running_loop()
                self._finding = loop.run_in_executor(self._reader, self._store.find_timers, wanted)
                self._finding.add_done_callback(lambda _: self._wake())
                return
            self._found(self._store.find_timers(wanted), now_ms)

    async def settle(self, now_ms: Callable[[], int]) -> None:
        """Let no reply wait for timers any more."""
        while self._engine.timers.has_put_off:
            self.find_timers(now_ms())
            if self._finding is not None:
                await asyncio.wait([self._finding])
                self.finish(now_ms())

    def finish(self, now_ms: int) -> None:
        """Give the engine what has come, and load the next.

        Raises:
            StoreError: If something could not be read.
        """
        finding = self._finding
        if finding is not None and finding.done():
            self._finding = None
            self._found(finding.result(), now_ms)
        loading = self._loading
        if loading is None or not loading.done():
            return
        self._loading = None
        for address, values in loading.result().items():
            self._engine.attempts.loaded(address, values)
        self._begin()

    def close(self) -> None:
        """End the thread; a load that is under way is not needed any more."""
        self._wanted = []
        for reading in (self._loading, self._finding):
            if reading is not None:
                reading.add_done_callback(_see)
        if self._reader is not None:
            self._reader.shutdown()

    def _found(self, found: FoundTimers, now_ms: int) -> None:
        engine = self._engine
        for attempt, reply in engine.timers.found(found):
            engine.replied(attempt, reply, now_ms)
        engine.tick(now_ms)

    def _begin(self) -> None:
        if self._loading is not None or not self._wanted:
            return
        addresses, self._wanted = self._wanted[:_MOST_LOADS], self._wanted[_MOST_LOADS:]
        loop = asyncio.get_running_loop()
        self._loading = loop.run_in_executor(self._reader, self._store.load_many, addresses)
        self._loading.add_done_callback(lambda _: self._wake())


def _see(future: asyncio.Future[Any]) -> None:
    """Look at the error of a future, so that asyncio does not log it."""
    if not future.cancelled():
        future.exception()
