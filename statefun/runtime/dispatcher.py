"""The dispatcher: the asyncio loop that drives an engine.

Rule 1: the engine is touched by one task, `run`, and by the calls that come in from outside on the
same event loop; no thread ever sees it.
Rule 2: the event loop never waits for the disk. Writes and reads are made by threads of their own;
no calls are begun while writes fail or hang, since what is not durable would pile up.
Rule 3: an error that should not happen ends `run`, and everybody who waits learns of it.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, TypeVar

from statefun.errors import GivenUpError, StoreError
from statefun.runtime.calls import Calls
from statefun.runtime.committer import Committer
from statefun.runtime.intake import RuntimeIntake, not_durable
from statefun.runtime.observe import Observers
from statefun.runtime.outlets import Outlets
from statefun.runtime.reads import Reads
from statefun.runtime.type_watch import TypeWatch
from statefun.sdk.failures import escaped

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from datetime import timedelta

    from statefun.ports import Egress, Ingress
    from statefun.runtime.clock import Alarm, Clock
    from statefun.runtime.engine.engine import Engine
    from statefun.runtime.engine.failures import FailedAttempt
    from statefun.runtime.engine.records import OutboxRecord, Released
    from statefun.runtime.observe import Observer
    from statefun.runtime.stores.base import Reader, Store
    from statefun.runtime.transports.routing import FunctionRouter

__all__ = ["Dispatcher"]

T = TypeVar("T")

_CLOCK_SET_MS: Final = 100
"""If the wall clock and the uptime drift apart by more, the wall clock was set."""

_EXPIRED_PAUSE_MS: Final = 60_000
"""Observers learn of dead letters that are forgotten so often at most."""


class Dispatcher:
    """Drives an engine: makes its calls, its commits, and wakes it in time.

    Args:
        engine: The engine; it has taken in the contents of the store.
        store: Where its deltas go.
        router: How its functions are reached.
        clock: Gives the time.
        observers: Told of every event.
        positions: The positions of ingresses that the store held.
    """

    def __init__(
        self,
        engine: Engine,
        store: Store,
        router: FunctionRouter,
        clock: Clock,
        observers: Sequence[Observer] = (),
        positions: Mapping[str, bytes] | None = None,
    ) -> None:
        observer = Observers(observers)
        self._engine = engine
        self._clock = clock
        self._observer = observer
        self._wake = asyncio.Event()
        self.committer = Committer(
            engine, store, clock, observer, wake=self._wake.set, release=self._release
        )
        self.reads = Reads(store, engine, self._wake.set)
        self.calls = Calls(engine, router, clock, observer, self._wake.set)
        self._type_watch = TypeWatch(engine, self.reads, router, observer)
        self._outlets = Outlets(observer)
        self.intake = RuntimeIntake(engine, self.committer, clock, self._wake.set, positions or {})
        self._ingresses: list[Ingress] = []
        self._are_paused = False  # the ingresses
        self._idle_waiters: list[asyncio.Future[None]] = []
        self._alarm: Alarm | None = None
        self._alarm_ms: int | None = None
        self._epoch_ms = clock.now_ms() - clock.uptime_ms()
        self._expired = 0  # dead letters of which the observers know
        self._expired_after_ms = clock.uptime_ms()
        self._reason: BaseException | None = None  # why `run` ended, if it should not have
        self._is_draining = False
        self._is_closing = False

    # --- calls from outside -----------------------------------------------------------------------

    @property
    def is_healthy(self) -> bool:
        """Whether messages are taken in and what happens becomes durable."""
        return self.intake.is_accepting and not self.committer.is_behind

    async def read(self, look: Callable[[Reader], T]) -> T:
        """Call a function with the store, which lacks changes that are not durable.

        Args:
            look: Called in the thread of the reads; it may not touch anything else.
        """
        return await self.reads.read(look)

    async def idle(self) -> None:
        """Wait until no message waits and everything is durable. Timers may wait.

        Raises:
            RuntimeStoppedError: If the runtime stops before.
        """
        self.intake.check_running()
        waiter = asyncio.get_running_loop().create_future()
        self._idle_waiters.append(waiter)
        self._wake.set()
        await waiter

    def add_egress(self, egress: Egress) -> None:
        """Hand records to a started egress from now on, first those that waited for it."""
        self._outlets.add(egress)

    def hand_over(self, records: Iterable[OutboxRecord], epoch: int = 0) -> None:
        """Give durable records to their egresses."""
        self._outlets.hand_over(epoch, records)

    def delivered(self, ids: Sequence[int]) -> None:
        """An egress has written these records out, or has room again."""
        self._engine.egress_delivered(ids)
        self._wake.set()

    def add_ingress(self, ingress: Ingress) -> None:
        """Pause a started ingress when too much waits, and resume it then."""
        self._ingresses.append(ingress)
        if self._are_paused:
            ingress.pause()

    async def drain(self, within: timedelta) -> None:
        """Take in no more messages, begin no more calls, and let those under way end.

        Args:
            within: See `Calls.drain`.
        """
        self.intake.is_accepting = False
        self._is_draining = True
        await self.calls.drain(within)

    def close(self) -> None:
        """Let `run` commit what is left, once, and end."""
        self.intake.is_accepting = False
        self._is_draining = True
        self._is_closing = True
        self._wake.set()

    # --- the loop ---------------------------------------------------------------------------------

    async def run(self) -> None:
        """Drive the engine until `close`.

        Raises:
            StoreError: If the last commit failed, the data is damaged, or stored values or timers
                could not be read.
            Exception: Whatever should not happen.
        """
        try:
            while not self._is_closing:
                self._step()
                await asyncio.sleep(0)  # calls that wait for nothing end here: one commit for all
                self._apply_outcomes()
                self.committer.begin()
                self._tell_idle_waiters()
                await self._wake.wait()
                self._wake.clear()
            self._apply_outcomes()
            await self.reads.settle(self._now_ms)
            await self.committer.commit_all()
        except BaseException as error:
            self._reason = error
            await self.committer.settle()
            if isinstance(error, GivenUpError):
                await self._commit_before_stop(error)
            raise
        finally:
            self._end()

    async def _commit_before_stop(self, reason: GivenUpError) -> None:
        """Make everything durable once more, also that the process stops in an orderly way."""
        try:
            await self.committer.commit_all()
        except StoreError as error:
            reason.add_note(str(error))

    def _step(self) -> None:
        """Everything that can be done now."""
        engine, now_ms = self._engine, self._now_ms()
        self._apply_outcomes()
        self.committer.finish()
        self.reads.finish(now_ms)
        engine.tick(now_ms)
        self.reads.find_timers(now_ms)
        if not (self._is_draining or self.committer.is_behind):
            self._make_calls(now_ms)
        self._type_watch.look()
        self._outlets.push()
        self._regulate()
        if self.intake.admit(now_ms):
            self._wake.set()
        for failed in engine.take_failed_attempts():
            self._on_failed_attempt(failed)
        if engine.counters.expired_dead_letters > self._expired:
            self._tell_expired(self._clock.uptime_ms())
        self._set_alarm()

    def _regulate(self) -> None:
        """Pause the ingresses while too much waits, or resume them."""
        self.intake.egress_without_room = self._outlets.without_room
        must_pause = bool(self.intake.egress_without_room)
        must_pause = must_pause or self._engine.intake.is_full or self.committer.is_behind
        if must_pause != self._are_paused:
            self._are_paused = must_pause
            for ingress in self._ingresses:
                if must_pause:
                    ingress.pause()
                else:
                    ingress.resume()

    def _now_ms(self) -> int:
        """The time. If the clock was set, the engine learns of it first."""
        now_ms = self._clock.now_ms()
        set_by_ms = now_ms - self._clock.uptime_ms() - self._epoch_ms
        if abs(set_by_ms) > _CLOCK_SET_MS:
            self._epoch_ms += set_by_ms
            self._engine.clock_set(set_by_ms)
        return now_ms

    def _make_calls(self, now_ms: int) -> None:
        """Begin the calls that are ready, and load what others need first."""
        attempts = self._engine.attempts
        self.calls.start(attempts.take(now_ms))
        while (addresses := attempts.take_loads()) and self.reads.load(addresses):
            self.calls.start(attempts.take(now_ms))

    def _apply_outcomes(self) -> None:
        if self.calls.has_outcomes:
            self.calls.apply(self._now_ms())

    def _on_failed_attempt(self, failed: FailedAttempt) -> None:
        """Tell the observers; stop if that is the policy.

        Raises:
            GivenUpError: If it is.
        """
        self._observer.attempt_failed(failed)
        if failed.decision.next == "fail":
            whose = f"the policy of the topic {failed.topic!r}" if failed.topic else "its policy"
            sentence = (
                f"{failed.address} failed {failed.attempts} times, and {whose} is to stop: "
                f"{failed.error}. Mend the function and start again; the message is kept"
            )
            raise GivenUpError(escaped(sentence), address=failed.address) from failed.error

    def _tell_expired(self, now_ms: int) -> None:
        """Tell how many dead letters were forgotten since the last time, unless that was lately."""
        if now_ms >= self._expired_after_ms:
            self._expired_after_ms = now_ms + _EXPIRED_PAUSE_MS
            count = self._engine.counters.expired_dead_letters - self._expired
            self._expired += count
            self._observer.dead_letters_expired(count)

    def _set_alarm(self) -> None:
        """Have the loop woken when time brings something to do."""
        due_ms = self._engine.next_wake_ms()
        retry_in_ms = self.committer.retry_in_ms
        if retry_in_ms is not None:
            retry_ms = self._clock.now_ms() + retry_in_ms
            due_ms = retry_ms if due_ms is None else min(due_ms, retry_ms)
        if due_ms == self._alarm_ms:
            return
        if self._alarm is not None:
            self._alarm.cancel()
        self._alarm_ms = due_ms
        self._alarm = None if due_ms is None else self._clock.call_at(due_ms, self._ring)

    def _ring(self) -> None:
        self._alarm = self._alarm_ms = None
        self._wake.set()

    def _tell_idle_waiters(self) -> None:
        if not self._idle_waiters or self._wake.is_set():  # what woke the loop was not looked at
            return
        if not self._engine.is_idle or self._engine.has_changes:
            return
        waiters, self._idle_waiters = self._idle_waiters, []
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)

    def _release(self, released: Released) -> None:
        """Let out what has become durable."""
        self.intake.release(released)
        if released.egress:
            self.hand_over(released.egress, self.committer.commits)

    def _end(self) -> None:
        """Leave nobody waiting."""
        if self._engine.counters.expired_dead_letters > self._expired:
            self._tell_expired(self._expired_after_ms)
        self.intake.is_accepting = False
        self._is_draining = True
        self.calls.cancel()
        self._type_watch.close()
        if self._alarm is not None:
            self._alarm.cancel()
        self.intake.end(self._reason)
        waiters, self._idle_waiters = self._idle_waiters, []
        for waiter in waiters:
            if not waiter.done():
                waiter.set_exception(not_durable(self._reason))
        self.committer.close()
        self.reads.close()
