"""The driver: runs an engine step by step, in the caller's thread.

The asyncio runtime drives its engine from an event loop. Everything else drives it from here: the
harness of the test kit, edits of a data directory while no runtime uses it, and tests.

Law: the driver decides nothing. It loads what the engine asks for, makes the calls that are ready,
and commits; the time comes in from outside.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from statefun.runtime.engine.records import Released

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from statefun.runtime.engine.engine import Engine
    from statefun.runtime.engine.mailbox import Attempt
    from statefun.runtime.engine.records import Delta, FoundTimers, StoredEntry, WantedTimers
    from statefun.sdk.address import Address

__all__ = ["DrivenStore", "Driver"]


class DrivenStore(Protocol):
    """The part of a store that an engine is driven with; see `statefun.runtime.stores.base`."""

    def load_many(
        self, addresses: Sequence[Address]
    ) -> Mapping[Address, Mapping[str, StoredEntry]]:
        """The values of several addresses."""
        ...

    def find_timers(self, wanted: WantedTimers) -> FoundTimers:
        """The timers that an engine needs."""
        ...

    def commit(self, delta: Delta) -> None:
        """Store a delta."""
        ...


S = TypeVar("S", bound=DrivenStore)


class Driver(Generic[S]):
    """Drives an engine.

    Args:
        engine: The engine; it has taken in what the store held.
        store: Where its deltas go.
    """

    def __init__(self, engine: Engine, store: S) -> None:
        self.engine = engine
        self.store = store

    def take_attempts(self, now_ms: int) -> list[Attempt]:
        """All attempts that are ready, after the loads they need."""
        ready = self.engine.attempts
        attempts = ready.take(now_ms)
        while loads := ready.take_loads():
            self.load(loads)
            attempts += ready.take(now_ms)
        return attempts

    def load(self, addresses: Sequence[Address]) -> None:
        """Load the values of addresses that the engine asked for."""
        for address, values in self.store.load_many(addresses).items():
            self.engine.attempts.loaded(address, values)

    def tell_time(self, now_ms: int) -> None:
        """Let timers fire that are due, after the reads that this takes."""
        engine = self.engine
        engine.tick(now_ms)
        while (wanted := engine.timers.take_wanted(now_ms)) is not None:
            for attempt, reply in engine.timers.found(self.store.find_timers(wanted)):
                engine.replied(attempt, reply, now_ms)
            engine.tick(now_ms)

    def step(self, call: Callable[[Attempt], bytes], now_ms: Callable[[], int]) -> bool:
        """Let timers fire and make every call that is ready, one after another.

        Args:
            call: Makes one attempt and returns the reply; an `Exception` is a failed attempt.
            now_ms: The time, asked before and after each call.

        Returns:
            Whether there was a call to make.
        """
        engine = self.engine
        self.tell_time(now_ms())
        attempts = self.take_attempts(now_ms())
        for attempt in attempts:
            try:
                reply = call(attempt)
            except Exception as error:  # noqa: BLE001 - it is one failed attempt
                engine.failed(attempt, error, now_ms())
            else:
                engine.replied(attempt, reply, now_ms())
        if engine.timers.has_put_off:
            self.tell_time(now_ms())
        return bool(attempts)

    def commit(self) -> Released:
        """Make everything durable that has changed; returns what may leave now."""
        delta = self.engine.begin_commit()
        if delta is None:
            return Released()
        self.store.commit(delta)
        return self.engine.committed()
