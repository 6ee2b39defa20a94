"""The dispatcher: the asyncio loop that drives an engine.

Rule 1: the engine is touched by one task, `run`, and by the calls that come in from outside on the
same event loop; no thread ever sees it.
Rule 2: the event loop never waits for a write. One delta at a time is written by a thread of its
own; what happens meanwhile goes into the next. No calls are begun while writes fail or hang: what
is not durable would pile up.
Rule 3: what should not happen ends `run` with the error, and everybody who waits learns of it.
"""

from __future__ import annotations

import asyncio
import logging
import sys
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final, NamedTuple, TypeVar

from statefun.errors import (
    AddressBusyError,
    GivenUpError,
    InvocationError,
    RuntimeStoppedError,
    StoreDamagedError,
    StoreError,
    TransportError,
)
from statefun.ports import OutgoingRecord
from statefun.runtime.engine.failures import is_counted
from statefun.runtime.transports.base import broken_off, cancelled
from statefun.runtime.values import escaped
from statefun.runtime.waiting import PendingReply, ReplyWaiters
from statefun.sdk.failures import is_closing

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable, Sequence
    from datetime import timedelta

    from statefun.ports import Egress
    from statefun.runtime.clock import Alarm, Clock
    from statefun.runtime.engine.engine import Engine
    from statefun.runtime.engine.failures import FailedAttempt
    from statefun.runtime.engine.mailbox import Attempt
    from statefun.runtime.engine.records import OutboxRecord, Released
    from statefun.runtime.stores.base import Store
    from statefun.runtime.transports.routing import FunctionRouter
    from statefun.sdk.address import Address

__all__ = ["Dispatcher"]

logger = logging.getLogger("statefun.runtime")

T = TypeVar("T")

_NEXT_STEPS: Final = {
    "retry": "trying again in %d ms",
    "isolate": "trying fewer of its messages at once",
    "dead-letter": "its message is a dead letter now",
    "drop": "its message is dropped",
    "pause": "the address is paused until it is released",
    "fail": "the runtime stops",
}

_STORE_PAUSE_MS = 1000
"""After a commit that failed, the next is tried so much later."""

_STORE_PATIENCE_MS = 5000
"""While a commit takes longer, no calls are begun."""

_CLOCK_SET_MS = 100
"""If the wall clock and the uptime drift apart by more, the wall clock was set."""

_FORGOTTEN_PAUSE_MS = 60_000
"""Dead letters that are forgotten are logged so often at most."""

_CANCELLED_S = 2.0
"""So long a call that was cancelled may clean up."""


class Dispatcher:
    """Drives an engine: makes its calls, its commits, and wakes it in time.

    Args:
        engine: What to drive; it has taken in what the store held.
        store: Where its deltas go.
        directory: How its functions are reached.
        clock: What time it is.
    """

    def __init__(
        self, engine: Engine, store: Store, directory: FunctionRouter, clock: Clock
    ) -> None:
        self.commits = 0
        self.failed_commits = 0
        self._engine = engine
        self._store = store
        self._directory = directory
        self._clock = clock
        self._egresses: dict[str, Egress] = {}
        self._stranded: dict[str, list[OutgoingRecord]] = {}  # records whose egress is not there
        self._impatient: dict[asyncio.Future[None], str] = {}  # who waits for no store → advice
        self._in_line: dict[Address, deque[_InLine]] = {}
        self._replies = ReplyWaiters(engine, clock)
        self._wake = asyncio.Event()
        self._alarm: Alarm | None = None
        self._alarm_ms: int | None = None
        self._calls: set[asyncio.Task[None]] = set()
        self._outcomes: list[tuple[Attempt, bytes | Exception]] = []
        self._writer = ThreadPoolExecutor(1, "statefun-writer") if store.is_blocking else None
        self._commit: asyncio.Future[None] | None = None
        self._commit_after_ms = 0  # by the clock's uptime
        self._commit_late_ms = 0  # likewise
        self._epoch_ms = clock.now_ms() - clock.uptime_ms()
        self._is_store_failing = False
        self._unreachable: set[str] = set()
        self._forgotten = 0  # dead letters of which the log has said so
        self._forgotten_after_ms = clock.uptime_ms()
        self._idlers: list[asyncio.Future[None]] = []
        self._reason: BaseException | None = None  # why `run` ended, if it should not have
        self._is_accepting = True
        self._is_draining = False
        self._is_closing = False

    # --- calls from outside -----------------------------------------------------------------------

    @property
    def is_healthy(self) -> bool:
        """Whether messages are taken in and what happens becomes durable."""
        return self._is_accepting and not self._is_store_behind

    @property
    def calls_in_flight(self) -> int:
        """How many requests have been made and not answered."""
        return len(self._calls)

    async def deliver(
        self, target: Address, argument: bytes, key: str = "", topic: str = ""
    ) -> None:
        """Take in a message of an ingress; returns when it is durable. See `Delivery`."""
        self._check_running()
        if self._is_store_failing:
            raise StoreError(
                "the data directory cannot be written to at the moment; the message was not kept: "
                "send it again later"
            )
        ticket: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        now_ms = self._clock.now_ms()
        self._engine.deliver(target, argument, ticket, key=key, topic=topic, now_ms=now_ms)
        await self._stored(
            ticket,
            "it could not be stored so far, and may be stored later; send it again with the same "
            "Idempotency-Key, or it may come twice",
        )

    async def send(self, target: Address, argument: bytes) -> None:
        """Take in a message of this process; waits for room and for the store, however long."""
        ticket: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._send(target, argument, ticket, None)
        await ticket

    async def call(
        self, target: Address, argument: bytes, within: timedelta | None = None
    ) -> bytes:
        """Take in a message of this process like `send`, and wait for the reply to it.

        Args:
            target: The function and the id the message is for.
            argument: A serialized `TypedValue`.
            within: See `ReplyWaiters.wait`; waiting for room counts.

        Returns:
            The first message that was sent to the caller of this one, a serialized `TypedValue`;
            the turn that sent it is durable.
        """
        pending = PendingReply(target)
        self._send(target, argument, pending.ticket, pending)
        return await self._replies.wait(pending, within)

    def _send(
        self,
        target: Address,
        argument: bytes,
        ticket: asyncio.Future[None],
        reply: PendingReply | None,
    ) -> None:
        self._check_running()
        line = self._in_line.get(target)
        try:
            if line is None:
                now_ms = self._clock.now_ms()
                self._engine.deliver(target, argument, ticket, reply=reply, now_ms=now_ms)
            else:
                self._engine.check(target, argument)
                line.append(_InLine(argument, ticket, reply))
        except AddressBusyError:
            self._in_line[target] = deque([_InLine(argument, ticket, reply)])
        self._wake.set()

    async def _stored(self, ticket: asyncio.Future[None], advice: str) -> None:
        """Wait for a ticket, or for the first commit that fails; that is said with the advice."""
        self._impatient[ticket] = advice
        self._wake.set()
        try:
            await ticket
        finally:
            self._impatient.pop(ticket, None)

    async def edit(self, change: Callable[[Engine], T]) -> T:
        """Change something by hand; returns when that is durable.

        Args:
            change: Calls what it has to; what it returns is returned.
        """
        self._check_running()
        if self._is_store_failing:
            raise StoreError(
                "the data directory cannot be written to at the moment; nothing was changed"
            )
        ticket: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        outcome = change(self._engine)
        self._engine.notify(ticket)
        await self._stored(
            ticket,
            "the change could not be stored so far, and may be stored later; see whether it was "
            "made before you make it again",
        )
        return outcome

    async def idle(self) -> None:
        """Wait until no message waits and everything is durable. Timers may wait.

        Raises:
            RuntimeStoppedError: If the runtime stops before.
        """
        self._check_running()
        idler = asyncio.get_running_loop().create_future()
        self._idlers.append(idler)
        self._wake.set()
        await idler

    def add_egress(self, egress: Egress) -> None:
        """Hand records to a started egress from now on, first those that waited for it."""
        self._egresses[egress.typename] = egress
        stranded = self._stranded.pop(egress.typename, None)
        if stranded:
            egress.put(stranded)

    def hand_over(self, records: Iterable[OutboxRecord]) -> None:
        """Give durable records to their egresses."""
        sorted_out: dict[str, list[OutgoingRecord]] = {}
        for record in records:
            outgoing = OutgoingRecord(record.id, record.argument)
            sorted_out.setdefault(record.typename, []).append(outgoing)
        for typename, outgoing_records in sorted_out.items():
            egress = self._egresses.get(typename)
            if egress is not None:
                egress.put(outgoing_records)
                continue
            if typename not in self._stranded:
                logger.warning("records wait for the egress %s, which is not there", typename)
            self._stranded.setdefault(typename, []).extend(outgoing_records)

    def delivered(self, ids: Sequence[int]) -> None:
        """An egress has written these records out."""
        self._engine.egress_delivered(ids)
        self._wake.set()

    async def drain(self, within: timedelta) -> None:
        """Take in no more messages, begin no more calls, and let those under way end.

        Args:
            within: Calls that take longer are cancelled, and left behind if they are not over two
                seconds later; they are made again after a restart.
        """
        self._is_accepting = False
        self._is_draining = True
        if self._calls:
            _, late = await asyncio.wait(self._calls, timeout=within.total_seconds())
            for call in late:
                call.cancel()
            if late:
                _, stuck = await asyncio.wait(late, timeout=_CANCELLED_S)
                for call in stuck:
                    name = escaped(call.get_name())
                    logger.error("%s goes on though it was cancelled; left behind", name)

    def close(self) -> None:
        """Let `run` commit what is left, once, and end."""
        self._is_accepting = False
        self._is_draining = True
        self._is_closing = True
        self._wake.set()

    # --- the loop ---------------------------------------------------------------------------------

    async def run(self) -> None:
        """Drive the engine until `close`.

        Raises:
            StoreError: If the last commit failed, the data is damaged, or stored values could not
                be loaded.
            Exception: Whatever should not happen.
        """
        try:
            while not self._is_closing:
                self._step()
                await asyncio.sleep(0)  # calls that wait for nothing end here: one commit for all
                self._apply_outcomes()
                self._begin_commit()
                self._tell_idlers()
                await self._wake.wait()
                self._wake.clear()
            await self._last_commit()
        except BaseException as error:
            self._reason = error
            await self._settle_commit()
            raise
        finally:
            self._end()

    def _step(self) -> None:
        """Everything that can be done now."""
        engine, now_ms = self._engine, self._now_ms()
        self._apply_outcomes()
        self._finish_commit()
        engine.tick(now_ms)
        if not (self._is_draining or self._is_store_behind):
            self._make_calls(now_ms)
        if self._in_line and self._is_accepting and not engine.is_full:
            self._admit()
        for failed in engine.take_failed_attempts():
            self._take_note(failed)
        if engine.counters.expired_dead_letters > self._forgotten:
            self._log_forgotten(self._clock.uptime_ms())
        self._set_alarm()

    @property
    def _is_store_behind(self) -> bool:
        """Whether commits fail, or one takes very long."""
        if self._commit is None:
            return self._is_store_failing
        return self._is_store_failing or self._clock.uptime_ms() >= self._commit_late_ms

    def _now_ms(self) -> int:
        """The time. If the clock was set, the engine learns of it first."""
        now_ms = self._clock.now_ms()
        set_by_ms = now_ms - self._clock.uptime_ms() - self._epoch_ms
        if abs(set_by_ms) > _CLOCK_SET_MS:
            self._epoch_ms += set_by_ms
            self._engine.clock_set(set_by_ms)
        return now_ms

    def _admit(self) -> None:
        """Take in what waits for room, in the order of sending."""
        for target, line in list(self._in_line.items()):
            while line and self._engine.has_room(target):
                argument, ticket, reply = line.popleft()
                if not ticket.done():
                    now_ms = self._clock.now_ms()
                    self._engine.deliver(target, argument, ticket, reply=reply, now_ms=now_ms)
                    self._wake.set()
            if not line:
                del self._in_line[target]

    def _make_calls(self, now_ms: int) -> None:
        loads = True
        while loads:
            for batch in self._engine.take_batches(now_ms):
                call = _start(self._call(batch), f"the call of {batch.address}")
                if not call.done():
                    self._calls.add(call)
                    call.add_done_callback(self._calls.discard)
            loads = False
            for address in self._engine.take_loads():
                self._engine.loaded(address, self._store.load(address))
                loads = True

    async def _call(self, batch: Attempt) -> None:
        """Make one attempt and note how it ended."""
        outcome: bytes | Exception
        try:
            outcome = await self._invoke(batch.address.typename, batch.request)
        except asyncio.CancelledError:
            if self._is_draining:
                raise
            outcome = cancelled(batch.address)
        except Exception as error:  # noqa: BLE001 - it is one failed attempt
            outcome = error
        except KeyboardInterrupt as interrupt:
            address = escaped(str(batch.address))
            logger.info("the process is interrupted by %s; its messages are kept", address)
            asyncio.get_running_loop().call_soon(_leave_loop, interrupt)
            return
        except BaseException as error:
            if is_closing(error):
                raise
            outcome = broken_off(batch.address, error)
        self._outcomes.append((batch, outcome))
        self._wake.set()

    async def _invoke(self, typename: str, request: bytes) -> bytes:
        """Make an attempt, unless the function's endpoint is known to be out of reach."""
        transport = self._directory.transport(typename)
        breaker = self._directory.breaker(typename)
        if breaker is None:
            return await transport.invoke(request)
        if not breaker.lets_through(self._clock.uptime_ms()):
            raise TransportError(
                f"the endpoint of {typename} could not be reached, and is not tried again yet",
                connected=False,
            )
        is_connected = True
        try:
            return await transport.invoke(request)
        except TransportError as error:
            is_connected = is_counted(error)
            raise
        finally:
            if breaker.ended(self._clock.uptime_ms(), is_connected=is_connected):
                self._engine.retry_unreachable_now(
                    lambda other: self._directory.breaker(other) is breaker
                )

    def _apply_outcomes(self) -> None:
        outcomes, self._outcomes = self._outcomes, []
        if not outcomes:
            return
        now_ms = self._now_ms()
        for batch, outcome in outcomes:
            if isinstance(outcome, Exception):
                self._engine.failed(batch, outcome, now_ms)
            else:
                self._engine.replied(batch, outcome, now_ms)
                if self._unreachable:
                    self._log_reachable(batch.address.typename)

    def _set_alarm(self) -> None:
        """Have the loop woken when time brings something to do."""
        due_ms = self._engine.next_wake_ms()
        if self._is_store_failing and self._commit is None:
            commit_ms = self._clock.now_ms() + self._commit_after_ms - self._clock.uptime_ms()
            due_ms = commit_ms if due_ms is None else min(due_ms, commit_ms)
        if due_ms == self._alarm_ms:
            return
        if self._alarm is not None:
            self._alarm.cancel()
        self._alarm_ms = due_ms
        self._alarm = None if due_ms is None else self._clock.call_at(due_ms, self._ring)

    def _ring(self) -> None:
        self._alarm = self._alarm_ms = None
        self._wake.set()

    def _tell_idlers(self) -> None:
        if not self._idlers or self._wake.is_set():  # what woke the loop has not been looked at
            return
        if not self._engine.is_idle or self._engine.has_changes:
            return
        idlers, self._idlers = self._idlers, []
        for idler in idlers:
            if not idler.done():
                idler.set_result(None)

    # --- commits ----------------------------------------------------------------------------------

    def _begin_commit(self) -> None:
        """Write what has changed, unless a delta is being written or the store needs a pause."""
        if self._is_store_failing and self._clock.uptime_ms() < self._commit_after_ms:
            return
        delta = self._engine.begin_commit()
        if delta is None:
            return
        if self._writer is None or delta.is_empty:
            if not delta.is_empty:
                self._store.commit(delta)
            self._release(self._engine.committed())
            return
        loop = asyncio.get_running_loop()
        self._commit = loop.run_in_executor(self._writer, self._store.commit, delta)
        self._commit_late_ms = self._clock.uptime_ms() + _STORE_PATIENCE_MS
        self._commit.add_done_callback(lambda _: self._wake.set())

    def _finish_commit(self) -> None:
        """Take note of a delta that has been written, or could not be.

        Raises:
            StoreDamagedError: If it never can be.
        """
        commit = self._commit
        if commit is None or not commit.done():
            return
        self._commit = None
        try:
            commit.result()
        except StoreDamagedError:
            raise
        except StoreError as error:
            self._pause_commits(error)
            return
        if self._is_store_failing:
            self._is_store_failing = False
            logger.warning("commits succeed again")
        self._release(self._engine.committed())

    def _pause_commits(self, error: StoreError) -> None:
        self.failed_commits += 1
        self._engine.commit_failed()
        for ticket, advice in tuple(self._impatient.items()):
            if not ticket.done():
                ticket.set_exception(StoreError(f"{advice}: {error}"))
        self._commit_after_ms = self._clock.uptime_ms() + _STORE_PAUSE_MS
        if not self._is_store_failing:
            self._is_store_failing = True
            logger.error(
                "a commit failed, nothing is acknowledged until one succeeds; trying again every "
                "%d ms: %s",
                _STORE_PAUSE_MS,
                error,
            )

    def _release(self, released: Released) -> None:
        """Let out what has become durable."""
        self.commits += 1
        for ticket in released.tickets:
            assert isinstance(ticket, asyncio.Future)  # noqa: S101 - `deliver` made it
            if not ticket.done():
                ticket.set_result(None)
        if released.replies:
            self._replies.release(released.replies)
        if released.egress:
            self.hand_over(released.egress)

    async def _last_commit(self) -> None:
        """Make everything durable that is not."""
        self._apply_outcomes()
        await self._settle_commit()
        delta = self._engine.begin_commit()
        if delta is not None:
            loop = asyncio.get_running_loop()
            try:
                await loop.run_in_executor(self._writer, self._store.commit, delta)
            except StoreError as error:
                raise StoreError(
                    "not everything could be stored at the end; what was answered for is kept, and "
                    "what functions have done since the last commit is done again after a start: "
                    f"{error}"
                ) from error
            self._release(self._engine.committed())

    async def _settle_commit(self) -> None:
        """Let the delta in flight be written: whoever waits for it is answered for."""
        if self._commit is not None:
            await asyncio.wait([self._commit])
            self._finish_commit()

    def _end(self) -> None:
        """Leave nobody waiting."""
        if self._engine.counters.expired_dead_letters > self._forgotten:
            self._log_forgotten(self._forgotten_after_ms)
        self._is_accepting = False
        self._is_draining = True
        for call in self._calls:
            call.cancel()
        if self._alarm is not None:
            self._alarm.cancel()
        in_line = [each.ticket for line in self._in_line.values() for each in line]
        self._replies.end(self._reason)
        waiting = *self._engine.abandon(), *self._idlers, *in_line
        self._idlers = []
        self._in_line = {}
        for each in waiting:
            assert isinstance(each, asyncio.Future)  # noqa: S101 - they were made here
            if not each.done():
                error = RuntimeStoppedError("the runtime stopped before this was durable")
                error.__cause__ = self._reason
                each.set_exception(error)
        if self._writer is not None:
            self._writer.shutdown()

    # --- words ------------------------------------------------------------------------------------

    def _check_running(self) -> None:
        if not self._is_accepting:
            raise RuntimeStoppedError(
                "the runtime is stopping and takes no more messages: send again to the next one"
            ) from self._reason

    def _take_note(self, failed: FailedAttempt) -> None:
        """Log a failed attempt; stop if that is the policy.

        Raises:
            GivenUpError: If it is.
        """
        self._log_failed_attempt(failed)
        if failed.decision.next == "fail":
            whose = f"the policy of the topic {failed.topic!r}" if failed.topic else "its policy"
            sentence = (
                f"{failed.address} failed {failed.attempts} times, and {whose} is to stop: "
                f"{failed.error}. Mend the function and start again; the message is kept"
            )
            raise GivenUpError(escaped(sentence), address=failed.address) from failed.error

    def _log_failed_attempt(self, failed: FailedAttempt) -> None:
        """One line for each failed attempt; one for each function that cannot be reached."""
        address, decision = failed.address, failed.decision
        reason = escaped(str(failed.error))
        facts = {"statefun_typename": address.typename, "statefun_id": address.id}
        if not decision.is_counted:
            if address.typename not in self._unreachable:
                self._unreachable.add(address.typename)
                logger.warning(
                    "%s cannot be reached, trying again until it can: %s",
                    escaped(address.typename),
                    reason,
                    extra=facts,
                )
            return
        next_step = _NEXT_STEPS[decision.next]
        if decision.next == "retry":
            next_step = next_step % decision.delay_ms
        logger.log(
            logging.WARNING if decision.next in ("retry", "isolate") else logging.ERROR,
            "attempt %d at %s failed, %s: %s",
            failed.attempts,
            escaped(str(address)),
            next_step,
            reason,
            exc_info=failed.error if _has_trace(failed) else None,
            extra=facts,
        )

    def _log_forgotten(self, now_ms: int) -> None:
        """How many dead letters were forgotten since the last line."""
        if now_ms >= self._forgotten_after_ms:
            self._forgotten_after_ms = now_ms + _FORGOTTEN_PAUSE_MS
            count = self._engine.counters.expired_dead_letters - self._forgotten
            self._forgotten += count
            logger.warning(
                "%d dead letters were forgotten, because there were too many or they were too old",
                count,
            )

    def _log_reachable(self, typename: str) -> None:
        if typename in self._unreachable:
            self._unreachable.discard(typename)
            logger.warning("%s can be reached again", escaped(typename))


class _InLine(NamedTuple):
    """A message of this process that waits for room."""

    argument: bytes
    ticket: asyncio.Future[None]
    reply: PendingReply | None


def _has_trace(failed: FailedAttempt) -> bool:
    """Whether a traceback says more than the sentence: where in a function, the first time."""
    return failed.attempts == 1 and isinstance(failed.error, InvocationError)


def _leave_loop(interrupt: KeyboardInterrupt) -> None:
    """Raise it out of the event loop; a task that raises it can take the dispatcher along."""
    raise interrupt


def _start(call: Coroutine[object, object, None], name: str) -> asyncio.Task[None]:
    """A task for one call; where Python can, it runs at once up to its first wait."""
    if sys.version_info >= (3, 12):
        loop = asyncio.get_running_loop()
        return asyncio.Task(call, loop=loop, name=name, eager_start=True)
    return asyncio.get_running_loop().create_task(call, name=name)
