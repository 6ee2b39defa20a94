"""What stands in for the world behind the runtime's seams: clock, store, functions, sinks.

Law: everything goes through the public methods of the seams; what a dead process still does in its
last breath reaches nothing. `Witness` stands between dispatcher and engine, changes nothing, and
tells the simulation what went by.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from statefun.errors import InvocationError, StatefunError, StoreError, TransportError
from tests.tools.simulation.language import EGRESS, read_request, run, will_fail

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from statefun.ports import OutgoingRecord
    from statefun.runtime.clock import Alarm
    from statefun.runtime.engine.attempts import Attempts
    from statefun.runtime.engine.edits import Edits
    from statefun.runtime.engine.engine import Engine
    from statefun.runtime.engine.failures import FailedAttempt
    from statefun.runtime.engine.intake import Intake
    from statefun.runtime.engine.mailbox import Attempt
    from statefun.runtime.engine.records import (
        DeadLetter,
        Delta,
        FoundTimers,
        Released,
        StoredEntry,
        WantedTimers,
    )
    from statefun.runtime.engine.timers import Timers
    from statefun.runtime.stores.base import Store
    from statefun.sdk.address import Address
    from tests.tools.simulation.language import Request
    from tests.tools.simulation.plan import Plan
    from tests.tools.simulation.simulation import Process

__all__ = ["FakeClock", "FakeEgress", "FakeEndpoint", "FakeStore", "Witness"]

_LONGEST_SLEEP_MS = 30_000
_MISSES = 5
_PAUSE_MS = 1000
"""After so many calls in a row without a connection there is one only now and then."""

_FAULTY_CALLS = 3
"""So many calls about one message may go wrong; then they go well."""


class FakeClock:
    """A wall clock that can be set, and alarms that know only how much time passes."""

    def __init__(self, process: Process) -> None:
        self._process = process

    def now_ms(self) -> int:
        return self._process.simulation.now_ms()

    def uptime_ms(self) -> int:
        return self._process.loop.now_ms

    def call_at(self, due_ms: int, callback: Callable[[], object]) -> Alarm:
        delay_ms = min(due_ms - self.now_ms(), _LONGEST_SLEEP_MS)
        return self._process.loop.after(delay_ms, callback)


class FakeStore:
    """A store that a crash leaves with what was committed, and that may fail.

    Args:
        kept: What survives processes.
        process: Whose store it is.
    """

    def __init__(self, kept: Store, process: Process) -> None:
        self.is_blocking = process.simulation.plan.is_blocking
        self._kept = kept
        self._process = process
        self._loads = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._kept, name)

    def commit(self, delta: Delta) -> None:
        process, simulation = self._process, self._process.simulation
        if not process.is_alive:
            raise StoreError("the process is dead")
        simulation.point("before the write")
        outage = simulation.outage()
        if outage is None or outage.are_stored:
            self._kept.commit(delta)
            simulation.stored(delta)
        process.is_full = outage is not None
        if outage is not None:
            simulation.note("the commit fails%s", ", but is stored" * outage.are_stored)
            raise StoreError("the disk is full")
        simulation.point("after the write")

    def find_timers(self, wanted: WantedTimers) -> FoundTimers:
        process = self._process
        if process.is_alive:
            process.simulation.note("timers are read: %s", wanted)
        return self._kept.find_timers(wanted)

    def load_many(self, addresses: Sequence[Address]) -> dict[Address, Mapping[str, StoredEntry]]:
        return {address: self.load(address) for address in addresses}

    def load(self, address: Address) -> Mapping[str, StoredEntry]:
        simulation = self._process.simulation
        self._loads += 1
        key = "load", len(simulation.processes), self._loads
        if simulation.plan.draw(*key) < simulation.plan.weather.load_fails:
            self._process.may_end = True
            simulation.note("loading %s fails", address)
            raise StoreError("the disk cannot be read")
        return dict(self._kept.load(address))


class FakeEgress:
    """A sink that takes its time, and pushes back when it has too much to do."""

    typename = EGRESS

    def __init__(self, process: Process) -> None:
        self._process = process
        self._delivered: Callable[[Sequence[int]], None] | None = None
        self._under_way: set[int] = set()

    def accept(self, argument: bytes) -> None:
        """Any record will do."""

    async def start(self, delivered: Callable[[Sequence[int]], None]) -> None:
        self._delivered = delivered

    @property
    def has_room(self) -> bool:
        return len(self._under_way) < self._process.simulation.plan.egress_room()

    async def flush(self) -> None:
        """What is put goes out by itself."""

    def put(self, epoch: int, records: Sequence[OutgoingRecord]) -> None:  # noqa: ARG002
        process = self._process
        if not process.is_alive:
            return
        if not self.has_room:
            process.simulation.crowded(len(self._under_way))
        for record in records:
            self._under_way.add(record.id)
            name = process.simulation.handed_over(process, record)
            delay_ms = process.simulation.plan.pick(300, "deliver", name, len(process.handed))
            process.loop.after(delay_ms, self._deliver, record.id)
        process.simulation.point("after records were handed over")

    def _deliver(self, record_id: int) -> None:
        process = self._process
        if process.is_alive and self._delivered is not None:
            self._under_way.discard(record_id)
            self._delivered([record_id])
            process.simulation.point("after a record was delivered")

    async def stop(self) -> None:
        self._delivered = None


class FakeEndpoint:
    """Where functions are, and the transport that leads there.

    Args:
        process: Who calls.
        functions: Which: one typename, or `s/*` for all that the process knows.
    """

    failure = limits = None

    def __init__(self, process: Process, functions: str) -> None:
        self.functions = functions
        self.is_specific = functions != "s/*"
        self._process = process
        self._misses = 0  # calls in a row without a connection
        self._missed_ms = 0

    def matches(self, typename: str) -> bool:
        is_meant = typename == self.functions or not self.is_specific
        return is_meant and typename in self._process.deployment.functions

    def transport(self, _typename: str) -> FakeEndpoint:
        return self

    async def close(self) -> None: ...

    async def invoke(self, body: bytes) -> bytes:
        """Make a call; the weather decides how it goes."""
        simulation = self._process.simulation
        batch, request = self._process.batches[body], read_request(body)
        simulation.called(self._process, request.target, self.functions)
        fate = _Fate(simulation.plan, simulation.call_key(request))
        self._look(fate)
        try:
            return await self._connected(batch, request, fate)
        finally:
            self._misses = 0

    def _look(self, fate: _Fate) -> None:
        """Be out of reach, if that is so."""
        simulation, now_ms = self._process.simulation, self._process.loop.now_ms
        if self._misses >= _MISSES and now_ms < self._missed_ms + _PAUSE_MS:
            simulation.bothered(self.functions)
        blackouts = simulation.plan.blackouts
        is_dark = any(each.from_ms <= now_ms < each.to_ms for each in blackouts)
        if is_dark or fate.happens("unreachable"):
            self._misses += 1
            self._missed_ms = now_ms
            raise TransportError("connection refused", connected=False)

    async def _connected(self, batch: Attempt, request: Request, fate: _Fate) -> bytes:
        simulation = self._process.simulation
        latency_ms = fate.pick(3000 if fate.happens("slow") else 30, "latency")
        if latency_ms:
            await asyncio.sleep(latency_ms / 1000)
        self._fail(request, fate)
        function = self._process.deployment.functions[request.target.typename]
        reply, effects = run(function, simulation.plan.programs, request)
        simulation.replies[reply] = effects
        return self._answer(batch, reply, fate)

    def _fail(self, request: Request, fate: _Fate) -> None:
        """Raise what the function raises, if it does."""
        if fate.happens("fails"):
            raise ValueError("the function failed")
        simulation = self._process.simulation
        poison = None if simulation.is_mended else will_fail(simulation.plan.programs, request)
        is_alive = self._process.is_alive
        if is_alive and poison and simulation.kills(request.messages[poison[0] - 1][0]):
            simulation.killed()
        if poison is not None and poison[1].says_where:
            size = len(request.messages)
            raise InvocationError(request.target, "s/message", poison[0], size, "it always does")
        if poison is not None:
            raise ValueError("the function always does")

    def _answer(self, batch: Attempt, reply: bytes, fate: _Fate) -> bytes:
        """Give the reply back, or not, or more than once."""
        process = self._process
        if fate.happens("garbage"):
            return b"\xff"
        if fate.happens("lost"):
            raise TransportError("no reply came")
        if fate.happens("late"):
            process.loop.after(10 + fate.pick(500, "late"), process.reply_again, batch, reply)
            raise TransportError("no reply came in time")
        if fate.happens("twice"):
            process.loop.after(fate.pick(500, "twice"), process.reply_again, batch, reply)
        return reply


class _Fate:
    """How one call goes.

    Args:
        plan: Whose weather decides.
        key: The first message, and how often it was called about.
    """

    def __init__(self, plan: Plan, key: tuple[str, int]) -> None:
        self._plan = plan
        self._key = key

    def happens(self, kind: str) -> bool:
        likely: float = getattr(self._plan.weather, kind)
        may_be = self._key[1] <= _FAULTY_CALLS and likely > 0
        return may_be and self._plan.draw(kind, *self._key) < likely

    def pick(self, most_ms: int, what: str) -> int:
        return self._plan.pick(most_ms, what, *self._key)


class WitnessOfIntake:
    """The intake of an engine, with somebody who watches what it takes in."""

    def __init__(self, intake: Intake, process: Process) -> None:
        self._intake = intake
        self._process = process
        self._simulation = process.simulation

    def __getattr__(self, name: str) -> Any:
        return getattr(self._intake, name)

    def deliver(
        self,
        target: Address,
        argument: bytes,
        ticket: object,
        *,
        key: str = "",
        topic: str = "",
        now_ms: int = 0,
        reply: object | None = None,
    ) -> None:
        process = self._process
        answer = self._simulation.answer(process, target, argument, key, now_ms)
        try:
            self._intake.deliver(
                target, argument, ticket, key=key, topic=topic, now_ms=now_ms, reply=reply
            )
        except StatefunError as error:
            if process.is_alive:
                self._simulation.turned_away(process, target, argument, answer, error)
            raise
        if process.is_alive:
            self._simulation.came(process, target, argument, key, now_ms, answer)

    def deliver_all(
        self,
        messages: Sequence[tuple[Address, bytes, str, str]],
        ticket: object,
        *,
        position: tuple[str, bytes | None] | None = None,
        now_ms: int = 0,
    ) -> None:
        process, simulation = self._process, self._simulation
        answers = [
            simulation.answer(process, target, argument, key, now_ms)
            for target, argument, key, _ in messages
        ]
        try:
            self._intake.deliver_all(messages, ticket, position=position, now_ms=now_ms)
        except StatefunError as error:
            if process.is_alive:
                simulation.all_turned_away(answers, error)
            raise
        if process.is_alive:
            simulation.all_came(process, messages, position, now_ms, answers)


class WitnessOfAttempts:
    """Notes the attempts that an engine makes.

    Args:
        attempts: Makes them.
        process: Who is told.
        told: What the engine says about failures.
    """

    def __init__(
        self, attempts: Attempts, process: Process, told: Callable[[], list[FailedAttempt]]
    ) -> None:
        self._attempts = attempts
        self._process = process
        self._told = told

    def __getattr__(self, name: str) -> Any:
        return getattr(self._attempts, name)

    def take_loads(self) -> list[Address]:
        addresses = self._attempts.take_loads()
        self._process.loading.update(addresses)
        return addresses

    def loaded(self, address: Address, values: Mapping[str, StoredEntry]) -> None:
        self._process.loading.discard(address)
        self._attempts.loaded(address, values)

    def take(self, now_ms: int) -> list[Attempt]:
        attempts = self._attempts.take(now_ms)
        simulation = self._process.simulation
        for held in self._told():
            if self._process.is_alive:
                simulation.held(self._process, held, now_ms)
        if attempts and self._process.is_alive:
            for attempt in attempts:
                simulation.requested(self._process, attempt, now_ms)
            simulation.point("after requests were built")
        return attempts


class WitnessOfEdits:
    """The edits of an engine, with somebody who watches what they change."""

    def __init__(self, edits: Edits, process: Process) -> None:
        self._edits = edits
        self._process = process
        self._simulation = process.simulation

    def __getattr__(self, name: str) -> Any:
        return getattr(self._edits, name)

    def replay(self, letters: Iterable[DeadLetter]) -> None:
        letters = tuple(letters)
        self._edits.replay(letters)
        if self._process.is_alive:
            self._simulation.replayed(letters)

    def release(self, address: Address) -> bool:
        is_released = self._edits.release(address)
        if self._process.is_alive:
            self._simulation.released(self._process, address, is_released=is_released)
        return is_released

    def forget_dead_letter(self, letter_id: int) -> bool:
        is_forgotten = self._edits.forget_dead_letter(letter_id)
        if self._process.is_alive:
            self._simulation.letter_dropped(letter_id, is_forgotten=is_forgotten)
        return is_forgotten

    def cancel_timer(self, seq: int) -> bool:
        is_cancelled = self._edits.cancel_timer(seq)
        if self._process.is_alive:
            self._simulation.timer_cancelled(seq, is_cancelled=is_cancelled)
        return is_cancelled

    def set_value(self, address: Address, name: str, entry: StoredEntry | None) -> None:
        self._edits.set_value(address, name, entry)
        if self._process.is_alive:
            self._simulation.changed(address, name, entry)


class WitnessOfTimers:
    """The timers of an engine, with somebody who knows when it waits for those of the store."""

    def __init__(self, timers: Timers, process: Process) -> None:
        self._timers = timers
        self._process = process

    def __getattr__(self, name: str) -> Any:
        return getattr(self._timers, name)

    def take_wanted(self, now_ms: int) -> WantedTimers | None:
        wanted = self._timers.take_wanted(now_ms)
        self._process.is_reading |= wanted is not None
        return wanted

    def found(self, found: FoundTimers) -> list[tuple[Attempt, bytes]]:
        self._process.is_reading = False
        return self._timers.found(found)


class Witness:
    """The engine, with somebody who watches what goes in and comes out.

    Args:
        engine: The engine.
        process: Who is told.
    """

    def __init__(self, engine: Engine, process: Process) -> None:
        self.intake = WitnessOfIntake(engine.intake, process)
        self.edits = WitnessOfEdits(engine.edits, process)
        self.timers = WitnessOfTimers(engine.timers, process)
        self.attempts = WitnessOfAttempts(engine.attempts, process, self.told)
        self._engine = engine
        self._process = process
        self._simulation = process.simulation
        self._failed_attempts: list[FailedAttempt] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._engine, name)

    def replied(self, batch: Attempt, reply: bytes, now_ms: int) -> None:
        if self._process.is_alive:
            self._simulation.point("before a reply is applied")
        self._engine.replied(batch, reply, now_ms)
        failed_attempts = self.told()
        if not self._process.is_alive:
            return
        if self._is_put_off(batch):
            self._simulation.put_off(self._process, batch, reply)
        else:
            self._simulation.replied(self._process, batch, reply, now_ms, failed_attempts)

    def _is_put_off(self, batch: Attempt) -> bool:
        """Whether the engine still waits for the reply that it got."""
        mailbox = self._engine.residency.find(batch.address)
        return mailbox is not None and mailbox.attempt is batch

    def failed(self, batch: Attempt, error: Exception, now_ms: int) -> None:
        self._engine.failed(batch, error, now_ms)
        failed_attempts = self.told()
        if self._process.is_alive:
            self._simulation.failed(self._process, batch, now_ms, failed_attempts)

    def told(self) -> list[FailedAttempt]:
        """What the engine says about failures, kept for the dispatcher."""
        failed_attempts = self._engine.take_failed_attempts()
        self._failed_attempts += failed_attempts
        return failed_attempts

    def take_failed_attempts(self) -> list[FailedAttempt]:
        failed_attempts, self._failed_attempts = self._failed_attempts, []
        return failed_attempts + self._engine.take_failed_attempts()

    def tick(self, now_ms: int) -> None:
        fired = self._engine.counters.timers_fired
        self._engine.tick(now_ms)
        fired = self._engine.counters.timers_fired - fired
        for failed_attempt in self.told():
            if self._process.is_alive:
                self._simulation.convicted(self._process, failed_attempt, now_ms)
        if self._process.is_alive:
            self._simulation.ticked(now_ms, fired)

    def egress_delivered(self, ids: Sequence[int]) -> None:
        self._engine.egress_delivered(ids)
        if self._process.is_alive:
            self._simulation.delivered(ids)

    @property
    def has_changes(self) -> bool:
        has_changes = self._engine.has_changes
        if self._process.is_alive and self._engine.is_idle and not has_changes:
            self._simulation.is_idle(self._process)
        return has_changes

    def begin_commit(self) -> Delta | None:
        if self._process.is_alive:
            self._simulation.point("before a commit begins")
        delta = self._engine.begin_commit()
        if delta is not None and self._process.is_alive:
            self._simulation.began(delta)
        return delta

    def committed(self) -> Released:
        if self._process.is_alive:
            self._simulation.committed()
        return self._engine.committed()
