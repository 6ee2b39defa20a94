"""The committer: makes the changes of an engine durable.

Law: at most one delta is being written, by a thread of its own; what happens meanwhile is part of
the next. After a commit that failed, the store gets a pause, and the next delta contains what was
not stored. A store that is damaged ends the runtime.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final, NamedTuple

from statefun.errors import StoreDamagedError, StoreError

if TYPE_CHECKING:
    from collections.abc import Callable

    from statefun.runtime.clock import Clock
    from statefun.runtime.engine.engine import Engine
    from statefun.runtime.engine.records import Delta, Released
    from statefun.runtime.observe import Observer
    from statefun.runtime.stores.base import Store

__all__ = ["Committer", "Ticket"]

_PAUSE_MS: Final = 1000
"""After a commit that failed, the next is tried so much later."""

_LATE_MS: Final = 5000
"""A commit that takes longer is late."""


class Ticket(NamedTuple):
    """Somebody who waits until something is durable; the token by which the engine knows them.

    Attributes:
        durable: Done once it is.
        advice: The sentence for them if a commit fails, before the reason; empty for those who wait
            for the store however long it takes.
    """

    durable: asyncio.Future[None]
    advice: str = ""

    def tell(self, error: StoreError) -> None:
        """Answer with the error of a commit; what was to be stored may be stored later."""
        if self.advice and not self.durable.done():
            self.durable.set_exception(StoreError(f"{self.advice}: {error}", path=error.path))


class Committer:
    """Commits what an engine has changed, one delta at a time.

    Args:
        engine: Whose changes.
        store: Where they go.
        clock: Measures pauses.
        observer: Learns of commits.
        wake: Called when a commit has ended, for `finish` to be called.
        release: Gets what leaves with a commit that is durable.

    Attributes:
        commits: How many are durable, with those that had nothing to write.
        failed_commits: How many failed.
        is_failing: Whether the last commit failed.
    """

    def __init__(
        self,
        engine: Engine,
        store: Store,
        clock: Clock,
        observer: Observer,
        *,
        wake: Callable[[], None],
        release: Callable[[Released], None],
    ) -> None:
        self.commits = 0
        self.failed_commits = 0
        self.is_failing = False
        self._engine = engine
        self._store = store
        self._clock = clock
        self._observer = observer
        self._wake = wake
        self._release = release
        self._writer = ThreadPoolExecutor(1, "statefun-writer") if store.is_blocking else None
        self._writing: asyncio.Future[None] | None = None
        self._begun_s = 0.0  # when the delta that is being written began, by the event loop
        self._late_ms = 0  # when it is late, by the clock's uptime
        self._retry_ms = 0  # when to try again after a failure, likewise

    @property
    def is_behind(self) -> bool:
        """Whether commits fail, or one is late."""
        if self._writing is None:
            return self.is_failing
        return self.is_failing or self._clock.uptime_ms() >= self._late_ms

    @property
    def retry_in_ms(self) -> int | None:
        """In how many milliseconds `begin` tries again after a failure; None if it need not."""
        if not self.is_failing or self._writing is not None:
            return None
        return self._retry_ms - self._clock.uptime_ms()

    def begin(self) -> None:
        """Write what has changed, unless a delta is being written or the store has a pause."""
        if self.is_failing and self._clock.uptime_ms() < self._retry_ms:
            return
        delta = self._engine.begin_commit()
        if delta is None:
            return
        loop = asyncio.get_running_loop()
        self._begun_s = loop.time()
        if self._writer is None or delta.is_empty:
            if not delta.is_empty:
                self._store.commit(delta)
            self._is_durable()
            return
        self._writing = loop.run_in_executor(self._writer, self._store.commit, delta)
        self._late_ms = self._clock.uptime_ms() + _LATE_MS
        self._writing.add_done_callback(lambda _: self._wake())

    def finish(self) -> None:
        """Take note of a delta that has been written, or could not be.

        Raises:
            StoreDamagedError: If it never can be.
        """
        writing = self._writing
        if writing is None or not writing.done():
            return
        self._writing = None
        try:
            writing.result()
        except StoreDamagedError:
            raise
        except StoreError as error:
            self._pause(error)
            return
        if self.is_failing:
            self.is_failing = False
            self._observer.commits_resumed()
        self._is_durable()

    async def settle(self) -> None:
        """Wait for the delta that is being written: whoever waits for it is answered.

        Raises:
            StoreDamagedError: If it never can be written.
        """
        if self._writing is not None:
            await asyncio.wait([self._writing])
            self.finish()

    async def commit_all(self) -> None:
        """Make everything durable that is not, in one try.

        Raises:
            StoreError: If that fails.
        """
        await self.settle()
        self._engine.end()
        delta = self._engine.begin_commit()
        if delta is None:
            return
        self._begun_s = asyncio.get_running_loop().time()
        try:
            await self._write(delta)
        except StoreError as error:
            raise StoreError(
                "not everything could be stored at the end; what was answered for is kept, and "
                "what functions have done since the last commit is done again after a start: "
                f"{error}",
                path=error.path,
            ) from error
        self._is_durable()

    def close(self) -> None:
        """End the thread."""
        if self._writer is not None:
            self._writer.shutdown()

    async def _write(self, delta: Delta) -> None:
        await asyncio.get_running_loop().run_in_executor(self._writer, self._store.commit, delta)

    def _is_durable(self) -> None:
        """Let out what the delta contains."""
        self.commits += 1
        released = self._engine.committed()
        self._observer.committed(asyncio.get_running_loop().time() - self._begun_s)
        self._release(released)
        if self._engine.backlog.ready:  # batches that waited for it
            self._wake()

    def _pause(self, error: StoreError) -> None:
        """Answer those who do not wait for the store, and try again later."""
        self.failed_commits += 1
        for ticket in self._engine.commit_failed():
            assert isinstance(ticket, Ticket)  # noqa: S101 - it was made by the intake
            ticket.tell(error)
        self._retry_ms = self._clock.uptime_ms() + _PAUSE_MS
        if not self.is_failing:
            self.is_failing = True
            self._observer.commits_failed(error, _PAUSE_MS)
