"""The simulation: one plan, carried out process after process, with the laws checked on the way.

Law: the same plan gives the same trace. What happens is told to the model as it happens; a law is
broken as soon as runtime and model disagree.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from itertools import islice
from random import Random
from typing import TYPE_CHECKING, Any, NoReturn, cast

from statefun.errors import (
    AddressBusyError,
    EditError,
    GivenUpError,
    IdempotencyConflictError,
    InvocationError,
    MessageTooLargeError,
    ProcessEndedError,
    RemoteProtocolError,
    RuntimeStoppedError,
    StatefunError,
    StoreError,
    TransportError,
    UnknownEgressError,
    UnknownFunctionError,
)
from statefun.ports import IngressMessage, Position
from statefun.runtime.admin import edits
from statefun.runtime.dispatcher import Dispatcher
from statefun.runtime.engine.engine import Engine
from statefun.runtime.engine.policy import Rules
from statefun.runtime.engine.records import Delta, StoredEntry, Timer, ValueCount
from statefun.runtime.stores.memory import MemoryStore
from statefun.runtime.transports.routing import FunctionRouter
from tests.tools.simulation.fakes import FakeClock, FakeEgress, FakeEndpoint, FakeStore, Witness
from tests.tools.simulation.language import (
    EGRESS,
    OTHER,
    VALUE,
    Effects,
    argument_of,
    name_of,
    read_request,
)
from tests.tools.simulation.loop import Halted, RestlessError, SimulatedLoop
from tests.tools.simulation.model import (
    Aged,
    Attempts,
    Came,
    Cancelled,
    Changed,
    Delivered,
    Dropped,
    Failed,
    Fired,
    GivenUp,
    Model,
    Moved,
    Read,
    Released,
    Replayed,
    Resumed,
    Slept,
    Turn,
    mistake,
    size_of,
)
from tests.tools.simulation.plan import EDITS, LONGEST_MS, Edit

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from statefun.ports import OutgoingRecord
    from statefun.runtime.admin.edits import Edit as WantedEdit
    from statefun.runtime.engine.failures import FailedAttempt
    from statefun.runtime.engine.mailbox import Attempt
    from statefun.runtime.engine.records import DeadLetter, Recovered, Trial
    from statefun.runtime.engine.retry import Backoff
    from statefun.runtime.stores.base import Store
    from statefun.sdk.address import Address
    from tests.tools.simulation.language import Request, Spec
    from tests.tools.simulation.model import Event, World
    from tests.tools.simulation.plan import Arrival, Outage, Plan

__all__ = ["Process", "Simulation", "Violation", "simulate"]

_START_MS = 1_700_000_000_000
_LATE_MS = 30_000
"""After the clock was set forwards, alarms may be late by so much."""

_UNSEEN_JUMP_MS = 100
"""A clock that was set by so much goes unnoticed."""

_MOST_PROCESSES = 500
_STOPS_BEFORE_MENDING = 2
_ANSWERS: dict[str, type[Exception]] = {
    "unknown": UnknownFunctionError,
    "conflict": IdempotencyConflictError,
    "too long": MessageTooLargeError,
    "busy": AddressBusyError,
}
"""What a message from outside meets, unless it is new or a repeat."""


_ALL = 0.8
_OFFLINE = 0.2
_DEADLY = 0.15
_FEWEST_DEATHS = 3
_LOOK_AGAIN_MS = 100
_LAST_LOOK_MS = 1500
_SOURCE = "simulated/0"
"""The name of the position of the source."""
_EDITS: dict[str, Callable[[Any], WantedEdit]] = {
    "cancel": edits.CancelTimers,
    "replay": edits.Replay,
    "drop": edits.Drop,
    "release": edits.Release,
}


@dataclass(frozen=True)
class Violation:
    """A law that was broken.

    Attributes:
        law: Which.
        what: What happened instead.
    """

    law: str
    what: str


@dataclass
class FailureState:
    """What a batch that failed has behind it.

    Attributes:
        attempts: How many attempts failed, of those that count.
        apart: How many messages are to be taken apart next; 0 if none.
        parts: How many messages each part behind this one has, and how many of its attempts failed
            before; the next part is the last.
        not_before_ms: When it may be tried again, by the uptime.
        by_ms: When it is tried again at the latest.
        first_ms: When the first attempt failed, by the clock; None if none has that counts.
        cut: How many of those that are taken apart are tried first.
        deaths: How often a process ended while its first message was tried alone.
    """

    attempts: int = 0
    apart: int = 0
    parts: list[tuple[int, int]] = field(default_factory=list)
    not_before_ms: int = 0
    by_ms: int = 0
    first_ms: int | None = None
    cut: int = 0
    deaths: int = 0

    def try_first(self, count: int, size: int) -> None:
        """Of a batch that is known only the first messages are tried."""
        self.parts.append((size - count, self.attempts))

    def recorded(self, size: int) -> Attempts | None:
        """What the store has of it, None for nothing."""
        if not (self.attempts or self.apart or self.parts or self.deaths):
            return None
        parts, size = tuple(self.parts), 0 if self.apart else size
        return Attempts(
            self.attempts, self.apart, self.cut, parts, self.first_ms, self.deaths, size
        )

    @classmethod
    def of(cls, known: Attempts) -> FailureState:
        parts, apart, cut = list(known.parts), known.apart, known.cut
        state = cls(known.attempts, apart, parts, first_ms=known.first_ms, cut=cut)
        state.deaths = known.deaths
        return state


class Process:
    """One process of the runtime, from its start to its end.

    Attributes:
        is_alive: Whether it has not crashed.
        is_stopping: Whether it is being stopped in an orderly way.
        may_end: Whether it is right that it ends by itself.
        is_mending: Whether somebody replays and releases what was given up.
        is_full: Whether its last commit failed; then functions wait.
        flying: The attempt that is in flight for an address.
        tried_again: The addresses that were held because of a value and are not any more; with the
            first turn of one, the others of its function are tried again.
        asked_anew: The addresses that are asked, until they answer, which values they declare.
        loading: Addresses whose values the engine waits for.
        is_reading: Whether the engine waits for timers of the store.
        next_batch: The messages that the next request of an address has, if that is known.
        failures: What an address that failed has behind it.
        lines: The messages of this process that wait for room, in order.
        is_failing: Whether its policy is to stop now.
        idle_ms: When it had nothing to do last, by the uptime.
        deployment: What it knows of the functions.
        declared: The values that are known of a function, as its replies named them.
        batches: The latest batch with a request.
        tried: The messages that were tried when the last process ended.
        is_careful: Whether the last process ended without a word.
        handed: The ids of records handed over, in order.
        clients: How many wait for an answer.
    """

    def __init__(self, simulation: Simulation, now_ms: int) -> None:
        self.simulation = simulation
        self.is_alive = True
        self.is_stopping = False
        self.may_end = False
        self.is_mending = False
        self.is_full = False
        self.flying: dict[Address, Attempt] = {}
        self.tried_again: set[Address] = set()
        self.asked_anew: set[Address] = set()
        self.loading: set[Address] = set()
        self.is_reading = False
        self.next_batch: dict[Address, list[str]] = {}
        self.failures: dict[Address, FailureState] = {}
        self.lines: dict[Address, list[str]] = {}
        self.is_failing = False
        self.idle_ms = -1
        self.declared: dict[str, dict[str, Spec]] = {}
        self.batches: dict[bytes, Attempt] = {}
        self.handed: list[int] = []
        self.clients = 0
        self.tried: tuple[Trial, ...] = ()
        self.is_careful = False
        self._commits = 0
        self._writing: asyncio.Future[Any] | None = None
        self._tasks: list[asyncio.Task[Any]] = []
        self._is_reading = False  # the source
        number = len(simulation.processes)
        self.deployment = simulation.plan.deployment(number)
        self.loop = SimulatedLoop(now_ms, Random(simulation.plan.seed + number), self._write)
        self._egress = FakeEgress(self)
        self._clock = FakeClock(self)

    def start(self) -> None:
        """Begin where the last process ended."""
        simulation = self.simulation
        store = FakeStore(simulation.kept, self)
        endpoints = [FakeEndpoint(self, each) for each in ("s/*", *self.deployment.apart)]
        directory = FunctionRouter((), endpoints)
        recovered = store.recover()
        self._take_over(recovered)
        is_blocking = simulation.plan.is_blocking
        if is_blocking:
            store.mark_running()
        engine = Engine(
            directory,
            {EGRESS: self._egress.accept} if self.deployment.has_egress else {},
            recovered=recovered,
            rules=simulation.rules,
            random=Random(simulation.plan.seed).random,
            max_resident=simulation.plan.max_resident,
            max_resident_bytes=simulation.plan.max_resident_bytes,
            timer_pages=simulation.plan.timer_pages(),
            can_end_process=(lambda _: True) if is_blocking else None,
        )
        self.engine = engine
        engine.retry_held()
        for address in simulation.model.world.paused.copy():
            if simulation.model.world.is_held(address):
                simulation.note("%s is tried again", address)
                simulation.model.happen(Resumed(address))
                self.tried_again.add(address)
        self._witness = Witness(engine, self)
        self._dispatcher = Dispatcher(
            *(cast("Engine", self._witness), cast("Store", store), directory, self._clock),
            positions=recovered.positions,
        )
        self._running = self._task(self._dispatcher.run())
        self._running.add_done_callback(self._ended)
        self.loop.call_soon(self._open, recovered.egress)

    def _take_over(self, recovered: Recovered) -> None:
        """Know what the process before knew of batches that failed."""
        world = self.simulation.model.world
        self.tried = recovered.trials if recovered.was_running else ()
        self.is_careful = recovered.was_running
        for address, known in world.attempts.items():
            self.failures[address] = FailureState.of(known)
            if known.size:
                names = [each.message for each in islice(world.queues[address], known.size)]
                self.next_batch[address] = names

    def _open(self, records: Any) -> None:
        if self.deployment.has_egress:
            self._task(self._egress.start(self._dispatcher.delivered))
            self._dispatcher.add_egress(self._egress)
        self._dispatcher.hand_over(records)
        self.read_source()
        self.simulation.point("after recovery")

    def send(self, arrival: Arrival) -> None:
        """Let a client send a message."""
        self.clients += 1
        self._task(self._send(arrival))

    async def _send(self, arrival: Arrival) -> None:
        simulation, argument = self.simulation, argument_of(arrival.message)
        try:
            if arrival.key and simulation.is_forgotten(arrival):
                return
            if simulation.plan.is_local(arrival):
                self.lines.setdefault(arrival.target, []).append(arrival.message)
                await self._dispatcher.intake.send(arrival.target, argument)
            else:
                topic = simulation.plan.origin(arrival.message)
                message = IngressMessage(arrival.target, argument, arrival.key, topic)
                await self._dispatcher.intake.deliver((message,))
        except StatefunError as error:
            if self.is_alive:
                self.simulation.refused(self, arrival, error)
        else:
            if self.is_alive:
                self.simulation.acknowledged(arrival)
        finally:
            self.clients -= 1

    def read_source(self) -> None:
        """Take in the records of the source that have not been read, one delivery after another."""
        if not self._is_reading:
            self._is_reading = True
            self.clients += 1
            self._task(self._read_source())

    async def _read_source(self) -> None:
        simulation, intake = self.simulation, self._dispatcher.intake
        at = int(intake.position(_SOURCE) or b"0")
        count = 0
        try:
            while at < len(simulation.source):
                count = 1 if count else 1 + simulation.plan.pick(20, "records at a time", at) // 10
                some = simulation.source[at : at + count]
                try:
                    await self._deliver_records(some, at + len(some))
                except (AddressBusyError, StoreError):
                    await asyncio.sleep(0.1)
                    continue
                except StatefunError:
                    if len(some) > 1:
                        continue  # find the one that cannot be taken in
                    await intake.deliver((), Position(_SOURCE, b"%d" % (at + 1)))
                else:
                    for arrival in some if self.is_alive else ():
                        simulation.acknowledged(arrival)
                at, count = at + len(some), 0
        except (RuntimeStoppedError, StoreError) as error:
            simulation.note("the source is read no more: %s", error)
        finally:
            self._is_reading = False
            self.clients -= 1

    async def _deliver_records(self, records: Sequence[Arrival], position: int) -> None:
        origin = self.simulation.plan.origin
        messages = [
            IngressMessage(each.target, argument_of(each.message), "", origin(each.message))
            for each in records
        ]
        await self._dispatcher.intake.deliver(messages, Position(_SOURCE, b"%d" % position))

    def edit(self, edit: Edit) -> None:
        """Let an operator change something."""
        self.clients += 1
        self._task(self._edit(edit))

    async def _edit(self, edit: Edit) -> None:
        simulation, at = self.simulation, [0]
        try:
            if edit.kind == "wait":
                await self._dispatcher.idle()
                simulation.idle(self)
                return
            wanted = simulation.wanted(edit)
            if wanted is None:
                simulation.look_again(edit)
                return
            if edit.hesitates_ms:
                await asyncio.sleep(edit.hesitates_ms / 1000)

            def change(engine: Engine) -> list[Any]:
                changed = edits.apply(
                    wanted, engine, edits.find(wanted, simulation.kept), simulation.now_ms()
                )
                at[0] = len(simulation.model.log)
                return changed

            changed = await self._dispatcher.intake.edit(change)
        except (RuntimeStoppedError, StoreError, EditError, UnknownFunctionError) as error:
            if self.is_alive:
                simulation.note("the edit fails: %s", error)
        else:
            if self.is_alive:
                simulation.edited(changed, at[0])
        finally:
            self.clients -= 1

    def mend(self, letters: Sequence[DeadLetter], paused: Sequence[Address]) -> None:
        """Replay dead letters and release addresses."""
        self.is_mending = True
        self._task(self._mend(letters, paused))

    async def _mend(self, letters: Sequence[DeadLetter], paused: Sequence[Address]) -> None:
        with suppress(StoreError, RuntimeStoppedError):
            if letters:
                await self._dispatcher.intake.edit(lambda engine: engine.edits.replay(letters))
            for address in paused:
                await self._dispatcher.intake.edit(partial(_release, address))
        await asyncio.sleep(0.1)
        self.is_mending = False

    def reply_again(self, batch: Attempt, reply: bytes) -> None:
        """Give the engine a reply that it did not wait for."""
        if self.is_alive:
            self._witness.replied(batch, reply, self.simulation.now_ms())

    def stop(self) -> None:
        """Stop in an orderly way."""
        if not self.is_stopping:
            self.is_stopping = self.may_end = True
            self.simulation.note("the process is stopped")
            self._task(self._stop())

    async def _stop(self) -> None:
        await self._dispatcher.drain(timedelta(milliseconds=100))
        await self._egress.stop()
        self._dispatcher.close()

    def _ended(self, running: asyncio.Task[None]) -> None:
        if not self.is_alive:
            return
        self.is_alive = False
        self.loop.is_halted = True
        error = running.exception()
        self.simulation.ended(self, error)

    def bury(self) -> None:
        """Let what is left of it come to nothing."""
        self.is_alive = False
        if self._writing is not None and not self._writing.done():
            self._writing.set_exception(StoreError("the process is dead"))
        self.loop.bury(self._tasks)

    def _task(self, coroutine: Any) -> asyncio.Task[Any]:
        task = self.loop.create_task(coroutine)
        self._tasks.append(task)
        return task

    def _write(self, function: Callable[[], Any], future: asyncio.Future[Any]) -> None:
        """Do what a writer's thread would do, some time later."""
        plan = self.simulation.plan
        self._writing = future
        self._commits += 1
        delay_ms = plan.pick(
            plan.commit_ms, "commit", len(self.simulation.processes), self._commits
        )
        self.loop.after(delay_ms, self._do_write, function, future)

    def _do_write(self, function: Callable[[], Any], future: asyncio.Future[Any]) -> None:
        if not self.is_alive:
            return
        try:
            result = function()
        except StoreError as error:
            future.set_exception(error)
        else:
            future.set_result(result)


@dataclass
class Simulation:
    """Carries out a plan.

    Attributes:
        plan: The plan.
        kept: What survives processes.
        model: The reference.
        processes: All processes so far.
        replies: What is in a reply, by its bytes.
        source: The records of the source so far; it survives processes.
        violation: The law that was broken first.
        is_mended: Whether functions that always failed do so no more.
        rules: What the engine is told about failures and limits.
    """

    plan: Plan
    kept: Store
    processes: list[Process] = field(default_factory=list)
    replies: dict[bytes, Effects] = field(default_factory=lambda: {b"": Effects()})
    source: list[Arrival] = field(default_factory=list)
    violation: Violation | None = None
    is_mended: bool = False

    def __post_init__(self) -> None:
        plan = self.plan
        self.rules = Rules(
            {typename: plan.failure(typename) for typename in plan.then},
            plan.limits,
            plan.letters,
            plan.receipts,
            plan.max_waiting_bytes,
            topic_failure=plan.topics,
        )
        self.model = Model(plan.letters, plan.receipts)
        self._trace: list[tuple[int, str, tuple[object, ...]]] = []
        self._skew_ms = 0
        self._jumped_ms = -_LATE_MS
        self._points: Counter[str] = Counter()
        self._crashes = list(self.plan.crashes)
        self._calls: Counter[str] = Counter()
        self._records: dict[int, str] = {}
        self._numbers: dict[int, object] = {}
        self._agenda: list[tuple[int, Callable[..., object], tuple[Any, ...]]] = sorted(
            [
                *((each.at_ms, self._arrive, (each,)) for each in self.plan.arrivals),
                *((each.at_ms, self._jump, (each.by_ms,)) for each in self.plan.jumps),
                *((at_ms, self._stop, ()) for at_ms in self.plan.stops),
                *((each.at_ms, self._edit, (each,)) for each in self.plan.edits),
            ],
            key=lambda each: each[0],
        )
        self._acknowledged: set[str] = set()
        self._arrived: set[str] = set()
        self._owed: dict[str, Arrival] = {}  # those with a key that are not acknowledged
        self._down_ms = 0
        self._is_finished = False
        self._is_restarted = False
        self._is_replayed = False
        self._failures = 0  # how many processes ended because of their policy

    # --- life -------------------------------------------------------------------------------------

    def run(self) -> Violation | None:
        """Carry out the plan; returns the law that was broken, None if none was."""
        now_ms = 0
        self._leave()
        while not self._is_finished and self.violation is None:
            process = Process(self, now_ms)
            self.processes.append(process)
            self._points.clear()
            self.note("process %d starts", len(self.processes))
            try:
                process.loop.call_soon(process.start)
                for at_ms, callback, arguments in self._agenda:
                    process.loop.after(at_ms - now_ms, self._due, at_ms, callback, arguments)
                process.loop.run(self._quiet, self.plan.end_ms)
                self._look_at_end(process)
            except RestlessError:
                self._break("a runtime with nothing to do rests", f"busy at {process.loop.now_ms}")
            finally:
                process.bury()
            if len(self.processes) > _MOST_PROCESSES:
                self._break("everything comes to an end", "one process follows another")
            now_ms = process.loop.now_ms + self._down_ms
            self._down_ms = 0
            waiting = [arguments[0] for _, _, arguments in self._agenda if arguments]
            self._agenda += [
                (now_ms + 100, self._arrive, (arrival,))
                for arrival in self._owed.values()
                if arrival not in waiting
            ]
        return self.violation

    def _leave(self) -> None:
        """Let the values and timers be there that are of before."""
        values: dict[tuple[Address, str], StoredEntry | None] = {}
        for address, name, typename in self.plan.left:
            data = b"left"
            values[address, name] = StoredEntry(typename, data, _START_MS, 0)
            self.model.happen(Changed(address, name, data, _START_MS, 0, typename))
        timers: list[Timer] = []
        for sender, delay in self.plan.sleepers:
            seq, argument = 1 + len(timers), argument_of(delay.message)
            due_ms = _START_MS + delay.delay_ms
            timer = Timer(seq, due_ms, sender, delay.target, argument, delay.token)
            self._numbers[seq] = timer
            timers.append(timer)
            self.model.happen(Slept(sender, delay, _START_MS))
        if values or timers:
            self.kept.commit(Delta(1 + len(timers), values, timers=tuple(timers)))
            self.model.durable = self.model.covered = len(self.model.log)

    def _due(self, at_ms: int, callback: Callable[..., object], arguments: tuple[Any, ...]) -> None:
        self._agenda.remove((at_ms, callback, arguments))
        callback(*arguments)

    def _look_at_end(self, process: Process) -> None:
        if self.violation is not None:
            return
        if process.is_alive:
            self._break("everything comes to an end", self._unfinished(process))
            return
        self.model.crash()
        self._compare(self.model.world)
        if not self._is_finished:
            self._edit_offline()
        if self._is_finished:
            world = self.model.world
            held = {each.message for at in world.paused for each in world.queues.get(at, ())}
            missing = self._acknowledged - {*world.done, *world.dropped, *world.letters, *held}
            if missing:
                self._break("what was acknowledged is not lost", f"nobody got {sorted(missing)}")

    def ended(self, process: Process, error: BaseException | None) -> None:
        """A process ended by itself, or after it was stopped."""
        self.note("the process has ended%s", f": {error!r}" if error else "")
        if isinstance(error, StoreError) and process.may_end:
            self._down_ms = 100
            return
        if isinstance(error, GivenUpError) and process.is_failing:
            self._failures += 1
            self.is_mended |= self._failures >= _STOPS_BEFORE_MENDING
            self._down_ms = 100
            return
        if error is not None or not process.is_stopping:
            self._break("a runtime does not end by itself", repr(error))
        elif self.model.durable < len(self.model.log):
            lost = self.model.log[self.model.durable :]
            self._break("an orderly stop makes everything durable", f"not durable: {lost}")
        elif self._is_final() and self._is_done() and not self._is_to_mend():
            self._is_finished = True

    def now_ms(self) -> int:
        """What the clock says."""
        return _START_MS + self.processes[-1].loop.now_ms + self._skew_ms

    def outage(self) -> Outage | None:
        """Why commits fail now, if they do."""
        now_ms = self.processes[-1].loop.now_ms
        for each in self.plan.outages:
            if each.from_ms <= now_ms < each.to_ms:
                return each
        return None

    def point(self, name: str) -> None:
        """The process is at a point where it may crash."""
        process = self.processes[-1]
        if not process.is_alive:
            return
        self._points[name] += 1
        if self._crashes and self._crashes[0][:2] == (name, self._points[name]):
            self.note("the process crashes %s", name)
            self._down_ms = self._crashes.pop(0).down_ms
            self._halt()

    def kills(self, message: str) -> bool:
        """Whether a message that always fails ends the process instead."""
        return self.plan.is_blocking and self.plan.draw("kills", message) < _DEADLY

    def killed(self) -> NoReturn:
        """A function ends the process."""
        self.note("the process is killed by a function")
        self._halt()

    def _halt(self) -> NoReturn:
        process = self.processes[-1]
        process.is_alive = False
        process.loop.is_halted = True
        raise Halted

    def _arrive(self, arrival: Arrival) -> None:
        self._arrived.add(arrival.message)
        if self.plan.is_sourced(arrival):
            self.source.append(arrival)
            self.processes[-1].read_source()
            return
        if arrival.key and arrival.message not in self._acknowledged:
            self._owed[arrival.message] = arrival
        self.processes[-1].send(arrival)

    def _later(self, delay_ms: int, callback: Callable[..., object], *arguments: Any) -> None:
        loop = self.processes[-1].loop
        at_ms = loop.now_ms + delay_ms
        self._agenda.append((at_ms, callback, arguments))
        loop.after(delay_ms, self._due, at_ms, callback, arguments)

    def _jump(self, by_ms: int) -> None:
        self.note("the clock is set by %d ms", by_ms)
        self._skew_ms += by_ms
        self._jumped_ms = self.processes[-1].loop.now_ms

    def _edit(self, edit: Edit) -> None:
        self.processes[-1].edit(edit)

    def _stop(self) -> None:
        self.processes[-1].stop()

    # --- what happens -----------------------------------------------------------------------------

    def note(self, text: str, *facts: object) -> None:
        """Write into the trace."""
        self._trace.append((self.processes[-1].loop.now_ms, text, facts))

    def call_key(self, request: Request) -> tuple[str, int]:
        """What to draw the fate of a call by: its first message, and how often that was called."""
        name = request.messages[0][0]
        self._calls[name] += 1
        return name, self._calls[name]

    def answer(
        self, process: Process, target: Address, argument: bytes, key: str, now_ms: int
    ) -> str:
        """What has to be said to a message from outside."""
        if target.typename not in process.deployment.functions:
            return "unknown"
        return self._answer(target, name_of(argument), key, now_ms)

    def _answer(self, target: Address, message: str, key: str, now_ms: int) -> str:
        limits, most = self.plan.limits, self.plan.max_waiting_bytes
        return self.model.world.answer(target, message, key, now_ms, limits, most)

    def came(
        self, process: Process, target: Address, argument: bytes, key: str, now_ms: int, answer: str
    ) -> None:
        """The engine took a message in."""
        name = name_of(argument)
        if answer in _ANSWERS:
            self._fail("what cannot be taken in is refused", f"{name} is not, though {answer}")
        line = process.lines.get(target, [])
        if name in line and line.pop(0) != name:
            self._fail("messages of this process come in order", f"{name} comes before others")
        if answer == "repeat":
            self.note("%s comes again for %s", name, target)
        else:
            self.note("%s comes for %s", name, target)
            self.model.happen(Came(target, name, key, now_ms))
        self.point("after a message came")

    def all_came(
        self,
        process: Process,
        messages: Sequence[tuple[Address, bytes, str, str]],
        position: tuple[str, bytes | None] | None,
        now_ms: int,
        answers: Sequence[str],
    ) -> None:
        """The engine took messages of the source in, with its position."""
        for (target, argument, key, _), answer in zip(messages, answers, strict=True):
            name = name_of(argument)
            if name in self.model.origin:
                self._fail("a record of a source is taken in once", f"{name} comes again")
            self.came(process, target, argument, key, now_ms, answer)
        assert position is not None
        self.note("the source is read up to %s", position[1])
        self.model.happen(Moved(int(position[1] or b"0")))

    def all_turned_away(self, answers: Sequence[str], error: Exception) -> None:
        """The engine did not take messages of the source in, none of them."""
        self.note("records are not taken in: %s", answers)
        if not any(isinstance(error, _ANSWERS.get(answer, ())) for answer in answers):
            self._fail("only what cannot be taken in is refused", f"{answers}: {error}")

    def turned_away(
        self, process: Process, target: Address, argument: bytes, answer: str, error: Exception
    ) -> None:
        """The engine did not take a message in."""
        name = name_of(argument)
        line = process.lines.get(target, [])
        if name in line and answer != "busy":  # then it goes on waiting
            line.remove(name)
        self.note("%s is not taken in for %s: %s", name, target, answer)
        if not isinstance(error, _ANSWERS.get(answer, ())):
            self._fail("only what cannot be taken in is refused", f"{name} ({answer}): {error}")

    def is_forgotten(self, arrival: Arrival) -> bool:
        """Whether a message came before and its key is known no more; then nobody sends it."""
        answer = self._answer(arrival.target, arrival.message, arrival.key, self.now_ms())
        is_forgotten = arrival.message in self.model.origin and answer not in ("repeat", "conflict")
        if is_forgotten:
            self.note("the key of %s is forgotten", arrival.message)
            self._owed.pop(arrival.message, None)
        return is_forgotten

    def acknowledged(self, arrival: Arrival) -> None:
        """A client was told that its message is durable."""
        name = arrival.message
        self.note("%s is acknowledged", name)
        if not self.model.is_durable(name):
            self._fail("nothing is acknowledged that is not stored", f"{name} is not")
        is_first = name not in self._acknowledged
        self._acknowledged.add(name)
        self._owed.pop(name, None)
        if is_first and arrival.key and self.plan.draw("repeat", name) < 0.3:
            self._later(self.plan.pick(500, "repeat after", name), self._arrive, arrival)
        self.point("after a message was acknowledged")

    def refused(self, process: Process, arrival: Arrival, error: Exception) -> None:
        """A client was told that its message may not be durable."""
        self.note("%s is refused: %s", arrival.message, error)
        line = process.lines.get(arrival.target, [])
        if arrival.message in line:
            line.remove(arrival.message)
        if isinstance(error, RuntimeStoppedError | StoreError | AddressBusyError):
            if arrival.key:
                self._later(100, self._arrive, arrival)
        else:
            self._owed.pop(arrival.message, None)

    # --- edits ------------------------------------------------------------------------------------

    def wanted(self, edit: Edit) -> WantedEdit | None:
        """What an operator wants to do after a look at the store; None if there is nothing."""
        self.note("somebody looks what there is to %s", edit.kind)
        if edit.kind in ("set", "delete"):
            return self._wanted_value(edit)
        kept, make = self.kept, _EDITS[edit.kind]
        there: list[Any]
        if edit.kind == "cancel":
            there = [each.seq for each in kept.timers()]
        elif edit.kind == "release":
            there = [each.address for each in kept.paused()]
        else:
            there = [each.id for each in kept.dead_letters()]
        if not there:
            return None
        if edit.which >= _ALL:
            return make(None)
        return make([there[int(edit.which / _ALL * len(there))]])

    def look_again(self, edit: Edit) -> None:
        """There was nothing to edit; perhaps there is a little later."""
        later = edit._replace(at_ms=edit.at_ms + _LOOK_AGAIN_MS)
        if later.at_ms < _LAST_LOOK_MS:
            self._later(_LOOK_AGAIN_MS, self._edit, later)

    def is_idle(self, process: Process) -> None:
        """The engine says that nothing waits and all is durable."""
        world = self.model.world
        waiting = [at for at, queue in world.queues.items() if queue and at not in world.paused]
        if waiting or self.model.durable < len(self.model.log):
            self._fail("idle means that all is done and durable", f"waiting: {waiting}")
        process.idle_ms = process.loop.now_ms

    def idle(self, process: Process) -> None:
        """Somebody was told that nothing is to do."""
        self.note("nothing is to do")
        if process.is_alive and process.idle_ms != process.loop.now_ms:
            self._fail("idle means that all is done and durable", "there was something to do")

    def bothered(self, functions: str) -> None:
        """A call was made though it was known to be in vain."""
        self._fail("what is out of reach is called now and then", f"{functions} is called again")

    def _edit_offline(self) -> None:
        """Let somebody change something while no process has the store."""
        number = len(self.processes)
        kind = EDITS[int(self.plan.draw("offline", number) * len(EDITS))]
        if kind == "wait" or self.plan.draw("is offline", number) > _OFFLINE:
            return
        which = self.plan.draw("which offline", number)
        wanted = self.wanted(Edit(0, kind, which, 0))
        if wanted is None:
            return
        changed = edits.apply_to_store(wanted, self.kept, self.now_ms())
        self.note("the edit is done while nothing runs: %s", changed)
        for each in changed:
            self.model.happen(self._event(wanted, each))
        self.model.durable = self.model.covered = len(self.model.log)
        self._compare(self.model.stored())

    def _event(self, wanted: WantedEdit, changed: Any) -> Event:
        """What an edit has done to one of the things it changed."""
        match wanted:
            case edits.SetValue(at, _, typename, data):
                ttl_ms = self._ttl_ms(at, changed, {})
                return Changed(at, changed, data, self.now_ms(), ttl_ms, typename)
            case edits.DeleteValues(at):
                return Changed(at, changed, None, self.now_ms(), self._ttl_ms(at, changed, {}))
            case edits.CancelTimers():
                return Cancelled(name_of(cast("Any", self._numbers[changed]).argument))
            case edits.Release():
                is_held = self.model.world.is_held(changed)
                return Resumed(changed) if is_held else Released(changed)
        letters = self.model.world.letters.items()
        name = next(name for name, letter in letters if letter.number == changed)
        return Replayed(name) if isinstance(wanted, edits.Replay) else Dropped(name)

    def _ttl_ms(
        self, address: Address, name: str, declared: Mapping[str, Mapping[str, Spec]]
    ) -> int:
        """How long a value lives that is set by hand: as declared, or as it did before."""
        spec = declared.get(address.typename, {}).get(name)
        if spec is not None:
            return spec.ttl_ms
        stored = self.model.world.values.get(address, {}).get(name)
        return 0 if stored is None else stored.ttl_ms

    def _wanted_value(self, edit: Edit) -> WantedEdit | None:
        where = sorted(
            (arrival.target, spec.name)
            for arrival in self.plan.arrivals
            for spec in self.plan.functions[arrival.target.typename].specs
            if edit.kind == "set" or spec.name in self.kept.load(arrival.target)
        )
        if not where:
            return None
        address, name = where[int(edit.which * len(where))]
        if edit.kind == "set":
            typename = VALUE if self.plan.draw("type", edit.at_ms, edit.which) < 0.7 else OTHER
            return edits.SetValue(address, name, typename, b"by hand at %d" % edit.at_ms)
        return edits.DeleteValues(address, [name] if edit.which < _ALL else None)

    def edited(self, changed: list[Any], at: int) -> None:
        """An operator was told that a change is durable."""
        self.note("the edit is done: %s", changed)
        if self.model.durable < at:
            self._fail("an edit is durable when it is answered", f"the one of {changed} is not")

    def changed(self, address: Address, name: str, entry: StoredEntry | None) -> None:
        """The engine was told to set or delete a value."""
        self.note("value %s of %s is changed by hand", name, address)
        data = None if entry is None else entry.data
        ttl_ms = self._ttl_ms(address, name, self.processes[-1].declared)
        typename = VALUE if entry is None else entry.typename
        if self.model.world.is_held(address):
            self.processes[-1].tried_again.add(address)
        self.model.happen(Changed(address, name, data, self.now_ms(), ttl_ms, typename))
        self.point("after an edit")

    def timer_cancelled(self, seq: int, *, is_cancelled: bool) -> None:
        """The engine was told to cancel a delayed message."""
        name = name_of(cast("Any", self._numbers[seq]).argument)
        self.note("%s is cancelled by hand", name)
        waits = any(alarm.message == name for alarm in self.model.world.alarms)
        if is_cancelled != waits:
            self._fail("what waits can be cancelled", f"{name}: {is_cancelled}")
        if is_cancelled:
            self.model.happen(Cancelled(name))
        self.point("after an edit")

    def letter_dropped(self, letter_id: int, *, is_forgotten: bool) -> None:
        """The engine was told to forget a dead letter."""
        letters = self.model.world.letters.items()
        names = [name for name, letter in letters if letter.number == letter_id]
        self.note("dead letters are dropped: %s", names)
        if is_forgotten != bool(names):
            self._fail("a dead letter can be dropped", f"{letter_id}: {is_forgotten}")
        for name in names:
            self.model.happen(Dropped(name))
        self.point("after an edit")

    # --- turns ------------------------------------------------------------------------------------

    def called(self, process: Process, address: Address, functions: str) -> None:
        """A call reached an endpoint."""
        apart = process.deployment.apart
        right = address.typename if address.typename in apart else "s/*"
        if functions != right:
            self._fail("a function is called where it is", f"{address} was at {functions}")

    def requested(self, process: Process, batch: Attempt, now_ms: int) -> None:
        """The engine built a request."""
        request = read_request(batch.request)
        address, world = request.target, self.model.world
        names = ", ".join(name for name, _ in request.messages)
        self.note("%s is asked about %s, attempt %d", address, names, batch.attempt)
        if address != batch.address or address in process.flying:
            self._fail("an address has one request at a time", f"{address} has two")
        queue = world.queues.get(address, ())
        expected = tuple(islice(queue, len(request.messages)))
        if not request.messages or expected != request.messages:
            self._fail(*self._explain(request))
        self._check_batch(process, batch, [name for name, _ in request.messages])
        process.flying[address] = batch
        process.batches[batch.request] = batch
        declared = process.declared.get(address.typename, {})
        unreadable = world.unreadable(address, declared.values(), now_ms)
        if not request.state and (unreadable or address in process.asked_anew):
            self.note("%s is asked which values it declares", address)
            process.asked_anew.add(address)
            return
        if unreadable:
            self._fail(
                "a function is sent what it can read",
                f"{address} is sent {unreadable} all the same",
            )
        seen = world.seen(address, declared.values(), now_ms)
        if request.state != seen:
            self._fail(
                "a function sees the values that its turns left, unless they expired",
                f"{address} is sent {request.state} instead of {seen}",
            )
        values = world.values.get(address, {})
        types = {name: values[name].typename for name, data in seen.items() if data is not None}
        if request.types != types:
            self._fail("a value is sent as it is stored", f"{request.types} instead of {types}")
        read = Read(address, tuple(declared.values()), now_ms)
        if world.is_touched(read):
            self.model.happen(read)

    def held(self, process: Process, failed_attempt: FailedAttempt, now_ms: int) -> None:
        """The engine holds an address because of a value."""
        address, world = failed_attempt.address, self.model.world
        self.note("%s is held: %s", address, failed_attempt.error)
        declared = process.declared.get(address.typename, {})
        is_held = failed_attempt.decision.next == "hold"
        if not is_held or not world.unreadable(address, declared.values(), now_ms):
            self._fail(
                "only a value that cannot be read holds an address, and it does nothing else",
                f"{address}: {failed_attempt}",
            )
        failures = process.failures.get(address, FailureState())
        first_ms = now_ms if failures.first_ms is None else failures.first_ms
        self.model.happen(GivenUp(address, "hold", 0, failures.attempts, first_ms, now_ms))

    def _explain(self, request: Request) -> tuple[str, str]:
        """Which law a request breaks that does not have the next messages of its address."""
        world, names = self.model.world, [name for name, _ in request.messages]
        queue = [message for message, _ in world.queues.get(request.target, ())]
        what = f"{request.target} is asked about {names}, waiting are {queue}"
        if set(names) & set(world.done):
            return "nothing is applied twice", what
        if set(names) & {alarm.message for alarm in world.alarms}:
            return "no timer is early", what
        return "messages come in order, every one of them, and no others", what

    def _check_batch(self, process: Process, batch: Attempt, names: list[str]) -> None:
        """Check which messages a request has, and when it comes."""
        address, limits = batch.address, self.plan.limits
        size = sum(map(size_of, names))
        if len(names) > limits.max_batch or (len(names) > 1 and size > limits.max_batch_bytes):
            self._fail("a batch keeps to its limits", f"{len(names)} messages, {size} bytes")
        expected = process.next_batch.setdefault(address, names)
        is_tried = process.is_careful or process.failures.get(address, FailureState()).deaths
        if is_tried and len(names) < len(expected):
            failures = process.failures.setdefault(address, FailureState())
            failures.try_first(len(names), len(expected))
            expected = process.next_batch[address] = expected[: len(names)]
        if names != expected:
            self._fail(
                "a batch has what fits, and is tried again as it was",
                f"{address} is asked about {names} instead of {expected}",
            )
        failures = process.failures.get(address, FailureState())
        if failures.apart:
            if len(names) >= failures.apart:
                self._fail("a batch that fails is taken apart", f"{address} is asked about {names}")
            self._take_apart(process, failures, len(names))
        if batch.attempt != failures.attempts + 1:
            self._fail(
                "attempts are counted", f"{failures.attempts} failed, this is {batch.attempt}"
            )
        slack_ms = _UNSEEN_JUMP_MS if self.plan.jumps else 0
        if process.loop.now_ms < failures.not_before_ms - slack_ms:
            self._fail("a retry waits as long as was said", f"{address} is asked again too early")

    def _take_apart(self, process: Process, failures: FailureState, size: int) -> None:
        """So many messages of a batch that failed are tried first."""
        is_tried = process.is_careful and size < failures.cut
        cut = failures.cut if is_tried else size
        failures.parts.append((failures.apart - cut, failures.attempts))
        failures.apart = 0
        if is_tried:
            failures.try_first(size, cut)

    def put_off(self, process: Process, batch: Attempt, reply: bytes) -> None:
        """The engine looks the tokens of a reply up before it does anything with it."""
        self.note("the answer of %s waits", batch.address)
        effects = self.replies.get(reply)
        if process.flying.get(batch.address) is not batch or not (effects and effects.delayed):
            self._fail("only a reply with tokens waits", f"{batch.address}: {effects}")

    def replied(
        self,
        process: Process,
        batch: Attempt,
        reply: bytes,
        now_ms: int,
        failed_attempts: Sequence[FailedAttempt],
    ) -> None:
        """The engine was given a reply."""
        if process.flying.get(batch.address) is not batch:
            self.note("%s has answered again", batch.address)
            if failed_attempts:
                self._fail(
                    "a reply to an attempt that is over changes nothing", str(failed_attempts)
                )
            return
        effects = self.replies.get(reply)
        mistaken = self._mistake(process, batch.address, effects)
        if bool(mistaken) != bool(failed_attempts):
            self._fail("a reply is refused if something in it cannot be", mistaken or "nothing")
        if mistaken:
            is_bytes = effects is None
            self.failed(process, batch, now_ms, failed_attempts, worth=3 if is_bytes else None)
            return
        assert effects is not None
        process.asked_anew.discard(batch.address)
        del process.flying[batch.address]
        if effects.missing:
            self.note("%s asks for %s", batch.address, [spec.name for spec in effects.missing])
            declared = process.declared.setdefault(batch.address.typename, {})
            declared.update((spec.name, spec) for spec in effects.missing)
            return
        self.note("%s has answered: %s", batch.address, effects)
        self._go_on(process, batch.address, len(batch.messages))
        declared = process.declared.get(batch.address.typename, {})
        specs = dict(declared)
        self.model.happen(Turn(batch.address, len(batch.messages), effects, now_ms, specs))
        self._try_others(process, batch.address)
        self.point("after a reply was applied")

    def _try_others(self, process: Process, address: Address) -> None:
        """An address that was held got through, so the others of its function are tried again."""
        if address not in process.tried_again:
            return
        process.tried_again.remove(address)
        world = self.model.world
        for each in list(world.paused):
            if each.typename == address.typename and world.is_held(each):
                self.note("%s is tried again", each)
                process.tried_again.add(each)
                self.model.happen(Resumed(each))

    def _mistake(self, process: Process, address: Address, effects: Effects | None) -> str:
        """What cannot be of a reply; empty if there is nothing."""
        if effects is None:
            return "it is none"
        if self.model.world.collides(address, effects):
            return "a token that waits"
        if effects.egress and not process.deployment.has_egress:
            return "an egress that is not there"
        sent = read_request(process.flying[address].request).state
        if effects.missing and all(spec.name in sent for spec in effects.missing):
            return "values that were sent"
        return mistake(effects, process.deployment.functions, self.plan.limits)

    def _go_on(self, process: Process, address: Address, done: int) -> None:
        """So many messages of an address end: work out what the next request has."""
        process.next_batch.pop(address, None)
        failures = process.failures.get(address)
        if failures is not None and failures.parts:
            count, failures.attempts = failures.parts.pop()
            failures.not_before_ms = failures.by_ms = failures.deaths = 0
            part = islice(self.model.world.queues[address], done, done + count)
            process.next_batch[address] = [waiting.message for waiting in part]
            self._note_attempts(address, failures.recorded(count))
            return
        if process.failures.pop(address, None) is not None:
            self._note_attempts(address, None)
        limits, size = self.plan.limits, 0
        names: list[str] = []
        for waiting in islice(self.model.world.queues[address], done, None):
            size += size_of(waiting.message)
            if names and (len(names) == limits.max_batch or size > limits.max_batch_bytes):
                break
            names.append(waiting.message)
        if names:
            process.next_batch[address] = names

    def _note_attempts(self, address: Address, attempts: Attempts | None) -> None:
        """The failed attempts at an address may be others now."""
        if self.model.world.attempts.get(address) != attempts:
            self.model.happen(Failed(address, attempts))

    def failed(
        self,
        process: Process,
        batch: Attempt,
        now_ms: int,
        failed_attempts: Sequence[FailedAttempt],
        worth: int | None = None,
    ) -> None:
        """An attempt failed; so many are worth while, None for what the error says."""
        if process.flying.get(batch.address) is not batch:
            return
        del process.flying[batch.address]
        if len(failed_attempts) != 1:
            self._fail("a failure is told once", f"{batch.address}: {failed_attempts}")
        names = [name for name, _ in read_request(batch.request).messages]
        self._batch_failed(process, failed_attempts[0], names, batch.messages[0], now_ms, worth)

    def convicted(self, process: Process, failed_attempt: FailedAttempt, now_ms: int) -> None:
        """The engine counts the attempt that ended the last process."""
        address, error = failed_attempt.address, failed_attempt.error
        if [each.address for each in process.tried] != [address]:
            self._fail("only what was tried alone is to blame", f"{address}, not {process.tried}")
        assert isinstance(error, ProcessEndedError)
        process.tried = ()
        queue = self.model.world.queues[address]
        batch = process.next_batch.setdefault(address, [queue[0].message])
        failures = process.failures.setdefault(address, FailureState())
        if failures.apart:
            self._take_apart(process, failures, 1)
        elif len(batch) > 1:
            failures.try_first(1, len(batch))
        process.next_batch[address] = names = [queue[0].message]
        failures.deaths += 1
        self._batch_failed(process, failed_attempt, names, error.number, now_ms, None)

    def _batch_failed(
        self,
        process: Process,
        failed_attempt: FailedAttempt,
        names: list[str],
        number: int,
        now_ms: int,
        worth: int | None,
    ) -> None:
        """An attempt with these messages failed, of which the first has this number."""
        self.note("%s fails: %s", failed_attempt.address, failed_attempt.error)
        address, fate = failed_attempt.address, failed_attempt.decision.next
        failures = process.failures.setdefault(address, FailureState())
        expected = self._fate(failures, failed_attempt, names, worth)
        if failures.first_ms is None and failures.attempts:
            failures.first_ms = now_ms
        if fate != expected:
            self._fail("failures have the consequence that was chosen", f"{fate}, not {expected}")
        if fate == "retry":
            self._put_off(process, failures, failed_attempt)
        elif fate == "isolate":
            failures.attempts -= 1
            failures.apart = len(names)
            failures.cut = _cut(failed_attempt.error, len(names))
            process.next_batch.pop(address, None)
        elif fate == "fail":
            self.note("the process is to stop")
            process.is_failing = True
            failures.attempts = failures.deaths = 0
            failures.parts = [(count, 0) for count, _ in failures.parts]
            failures.first_ms = None
        else:
            message = self.model.world.queues[address][0].message
            self.note("%s: %s", fate, message)
            facts = failures.attempts, failures.first_ms or now_ms, now_ms
            if fate != "pause":
                self._go_on(process, address, 1)
            self.model.happen(GivenUp(address, fate, number, *facts))
        if fate in ("retry", "isolate", "fail", "pause"):
            self._note_attempts(address, failures.recorded(len(names)))

    def _fate(
        self,
        failures: FailureState,
        failed_attempt: FailedAttempt,
        names: Sequence[str],
        worth: int | None,
    ) -> str:
        """What has to become of a batch that failed."""
        error = failed_attempt.error
        if isinstance(error, TransportError) and not error.connected:
            return "retry"
        policies = {self.plan.policy(failed_attempt.address.typename, name) for name in names}
        failures.attempts += 1
        if len(policies) > 1:
            return "isolate"
        [policy] = policies
        is_final = isinstance(error, UnknownFunctionError | RemoteProtocolError)
        if worth is None:
            may_begin_to_exist = isinstance(error, UnknownEgressError)
            worth = (
                1 if is_final and not may_begin_to_exist else cast("Backoff", policy.retry).attempts
            )
        most = cast("Backoff", policy.retry).attempts
        is_over = failures.attempts >= min(worth, most)
        if isinstance(error, ProcessEndedError) and failures.deaths < _FEWEST_DEATHS:
            is_over = False
        if len(names) == 1 or policy.on_exhausted == "fail":
            was_tried = policy.on_exhausted != "drop" or not isinstance(error, UnknownFunctionError)
            on_exhausted = policy.on_exhausted if was_tried else "dead-letter"
            return on_exhausted if is_over else "retry"
        return "isolate" if is_over or failures.attempts >= policy.isolate_after else "retry"

    def _put_off(
        self, process: Process, failures: FailureState, failed_attempt: FailedAttempt
    ) -> None:
        """A batch is to be tried again later."""
        now_ms, delay_ms = process.loop.now_ms, failed_attempt.decision.delay_ms
        slack_ms = _UNSEEN_JUMP_MS if self.plan.jumps else 0
        if not 0 < delay_ms <= LONGEST_MS:
            self._fail("a retry waits as long as the policy says", f"{delay_ms} ms")
        failures.not_before_ms = now_ms + delay_ms if failed_attempt.decision.is_counted else 0
        failures.by_ms = now_ms + delay_ms + slack_ms

    def replayed(self, letters: Sequence[DeadLetter]) -> None:
        """The engine was told to send dead letters again."""
        for letter in letters:
            name = name_of(letter.argument)
            known = self.model.world.letters.get(name)
            if known is not None and known.number == letter.id:
                self.note("%s is replayed", name)
                self.model.happen(Replayed(name))
        self.point("after an edit")

    def released(self, process: Process, address: Address, *, is_released: bool) -> None:
        """The engine was told to hold an address no more."""
        self.note("%s is released", address)
        if is_released != (address in self.model.world.paused):
            self._fail("what is paused can be released", f"{address}: {is_released}")
        if self.model.world.is_held(address):
            process.tried_again.add(address)
            self.model.happen(Resumed(address))
            self.point("after an edit")
            return
        if is_released:
            self.model.happen(Released(address))
        failures = process.failures.get(address)
        if is_released and failures is not None:
            failures.attempts = failures.not_before_ms = failures.by_ms = failures.deaths = 0
            failures.parts = [(count, 0) for count, _ in failures.parts]
            failures.first_ms = None
            size = len(process.next_batch.get(address, ()))
            self._note_attempts(address, failures.recorded(size))
        self.point("after an edit")

    def ticked(self, now_ms: int, fired: int) -> None:
        """The engine was told the time, and let so many timers fire."""
        if self.model.world.has_old_letters(now_ms):
            self.note("dead letters are too old")
            self.model.happen(Aged(now_ms))
        due = self.model.world.due(now_ms)
        if fired > len(due):
            self._fail("no timer is early", f"{fired} fire, and {due} are due")
        if fired:
            self.note("timers fire: %s", [alarm.message for alarm in due[:fired]])
            self.model.happen(Fired(now_ms, fired))
            self.point("after timers fired")

    def handed_over(self, process: Process, record: OutgoingRecord) -> str:
        """An egress got a record; returns its name."""
        name = name_of(record.argument)
        self.note("record %d is handed over: %s", record.id, name)
        if not self.model.is_durable(name):
            self._fail("nothing is released before its commit is durable", f"{name} is not")
        if name not in self.model.world.records:
            self._fail("what was delivered and forgotten does not come again", f"{name} does")
        if self._records.setdefault(record.id, name) != name:
            known = self._records[record.id]
            self._fail("an id means one record", f"{record.id} was {known} and is {name}")
        if process.handed and process.handed[-1] >= record.id:
            self._fail(
                "records are handed over in order, once by each process",
                f"{record.id} comes after {process.handed[-1]}",
            )
        process.handed.append(record.id)
        return name

    def crowded(self, count: int) -> None:
        """The egress got records though it had no room."""
        self._fail(
            "an egress that pushes back is given nothing",
            f"it gets more while it has {count} to write out",
        )

    def delivered(self, ids: Sequence[int]) -> None:
        """The engine was told that records were delivered."""
        for each in ids:
            self.note("record %d is delivered", each)
            self.model.happen(Delivered(self._records[each]))

    # --- commits ----------------------------------------------------------------------------------

    def began(self, delta: Delta) -> None:
        """The engine gave out a delta."""
        self.model.covered = len(self.model.log)
        if delta.is_empty:  # nothing to write: what came has gone again
            self.model.durable = self.model.covered
        self.point("after a commit began")

    def stored(self, delta: Delta) -> None:
        """A delta reached the store."""
        self.model.durable = self.model.covered
        numbered: list[tuple[int, object]] = [(each.seq, each) for each in delta.messages]
        numbered += [(each.seq, each) for each in delta.timers]
        numbered += [(each.id, each) for each in delta.egress]
        for number, each in numbered:
            if self._numbers.setdefault(number, each) != each or number >= delta.next_seq:
                known = self._numbers[number]
                self._fail("no number is given twice", f"{number} was {known} and is {each}")
        self._compare(self.model.stored())

    def committed(self) -> None:
        """The engine is told that its delta is durable."""
        self.point("before the release")
        if self.model.durable != self.model.covered:
            self._fail("nothing is released before its commit is durable", "the commit is not")

    # --- laws -------------------------------------------------------------------------------------

    def _quiet(self) -> None:
        """Check what must be so whenever nothing happens before time goes on."""
        process = self.processes[-1]
        if not process.is_alive or process.may_end or process.is_failing:
            return
        now_ms, uptime_ms = self.now_ms(), process.loop.now_ms
        world = self.model.world
        is_patient = process.is_reading or uptime_ms <= self._jumped_ms + _LATE_MS
        if not is_patient and (due := world.due(now_ms)):
            self._break("no timer is late", f"{due[0]} is")
        trials = process.engine._trials
        is_held = process.is_full or (trials is not None and trials.is_active)
        for address, queue in world.queues.items() if not is_held else ():
            is_busy = address in process.flying or address in process.loading
            held = queue and not is_busy and address not in world.paused
            if held and process.failures.get(address, FailureState()).by_ms < uptime_ms:
                self._break("no address is held up by others", f"{address} has {queue}")
        self._count(process)
        if self._is_settled():
            self._operate(process)

    def _count(self, process: Process) -> None:
        """Compare what the engine has in memory."""
        engine, world = process.engine, self.model.world
        busy = [at for at, queue in world.queues.items() if queue and at not in world.paused]
        known = [len(engine.timers), len(engine.dead_letters), engine.paused_addresses]
        known += [engine.backlog.busy, engine.is_idle, engine.backlog.waiting_bytes]
        expected = [len(world.alarms), len(world.letters), len(world.paused)]
        is_idle = not busy and (engine.is_idle or not process.is_reading)  # timers may be due
        expected += [len(busy), is_idle, world.waiting_bytes(self.plan.max_waiting_bytes)]
        held = [entry for each in engine.residency for entry in (each.values or {}).values()]
        known.append(engine.residency.value_bytes)
        expected.append(sum(len(entry.data) for entry in held))
        if known != expected:
            self._break("the engine knows what there is", f"{known} instead of {expected}")
        for address, values in world.values.items():
            known_values = engine.residency.values_of(address, self.kept.load(address))
            if {
                name: (each.data, each.touched_ms, each.ttl_ms, each.typename)
                for name, each in known_values.items()
            } != values:
                self._break("the engine knows all values", f"{known_values} instead of {values}")

    def _operate(self, process: Process) -> None:
        """Do what people do once nothing goes on by itself: mend what is broken, and stop."""
        if not self._is_final():
            process.stop()
        elif not self._is_to_mend():
            if self._is_done() and not process.clients:
                process.stop()
        elif not self._is_restarted and self.plan.draw("restart before mending") < 0.5:
            self._is_restarted = True
            process.stop()
        elif not process.is_mending:
            self.note("the functions are mended")
            letters = () if self._is_replayed else tuple(self.kept.dead_letters())
            self.is_mended = self._is_replayed = True
            process.mend(letters, sorted(self.model.world.paused))

    def _is_to_mend(self) -> bool:
        """Whether something was given up and can be saved."""
        world = self.model.world
        return bool(world.paused or (world.letters and not self._is_replayed))

    def _is_final(self) -> bool:
        """Whether the last deployment is there."""
        return len(self.processes) > len(self.plan.deployments)

    def _is_settled(self) -> bool:
        """Whether all messages of the plan have come, and only held ones wait."""
        world = self.model.world
        waiting = any(queue and at not in world.paused for at, queue in world.queues.items())
        have_come = len(self._arrived) == len(self.plan.arrivals)
        records = world.records and self.processes[-1].deployment.has_egress
        return have_come and not (waiting or world.alarms or records)

    def _is_done(self) -> bool:
        """Whether besides that nobody waits for an answer, or will ask again."""
        is_read = self.model.world.position == len(self.source)
        return self._is_settled() and is_read and not (self._agenda or self._owed)

    def _unfinished(self, process: Process) -> str:
        world = self.model.world
        queues = {str(address): list(queue) for address, queue in world.queues.items() if queue}
        return (
            f"messages {queues}, timers {world.alarms}, records {list(world.records)}, "
            f"clients without an answer: {process.clients}"
        )

    def _compare(self, world: World) -> None:
        """Compare what is stored with what a replay of the durable log gives."""
        recovered = self.kept.recover()
        queues: dict[Address, list[tuple[str, Address | None]]] = {}
        for each in recovered.messages:
            waiting = queues.setdefault(each.target, [])
            waiting.append((name_of(each.argument), each.caller))
        alarms = [
            (each.due_ms, each.sender, each.target, name_of(each.argument), each.token)
            for each in self.kept.timers()
        ]
        values = {
            address: {
                name: (entry.data, entry.touched_ms, entry.ttl_ms, entry.typename)
                for name, entry in self.kept.load(address).items()
            }
            for typename in self.plan.functions
            for address in self.kept.addresses(typename)
        }
        letters = {
            name_of(each.argument): (
                *(each.id, each.target, each.caller),
                *(each.attempts, each.first_failed_ms, each.last_failed_ms),
            )
            for each in self.kept.dead_letters()
        }
        paused = {
            each.address: (
                *(each.attempts, each.first_failed_ms, each.last_failed_ms),
                each.cause,
            )
            for each in recovered.paused
        }
        receipts = {key: each.taken_ms for key, each in recovered.receipts.items()}
        attempts = {
            each.address: (each.parts[0][1], each.first_failed_ms, each.deaths)
            for each in recovered.failures
        }
        topics = {name_of(each.argument): each.topic for each in recovered.messages}
        topics |= {name_of(each.argument): each.topic for each in self.kept.dead_letters()}
        counts = Counter(
            (at.typename, name, each.typename)
            for at, known in world.values.items()
            for name, each in known.items()
        )
        for what, stored, expected in (
            (
                "counts of values",
                self.kept.value_counts(),
                sorted(ValueCount(*key, count) for key, count in counts.items()),
            ),
            ("number of dead letters", recovered.dead_letters, len(world.letters)),
            ("messages", queues, {at: list(queue) for at, queue in world.queues.items() if queue}),
            ("timers", alarms, [(each[0], *each[2:]) for each in sorted(world.alarms)]),
            ("records", [name_of(each.argument) for each in recovered.egress], [*world.records]),
            ("positions", int(recovered.positions.get(_SOURCE, b"0")), world.position),
            ("paused addresses", paused, world.paused),
            ("dead letters", letters, world.letters),
            ("topics", topics, {name: self.plan.origin(name) for name in topics}),
            (
                "idempotency keys",
                receipts,
                {key: each.taken_ms for key, each in world.receipts.items()},
            ),
            (
                "failed attempts",
                attempts,
                {
                    at: (each.attempts, each.first_ms, each.deaths)
                    for at, each in world.attempts.items()
                },
            ),
            ("values", values, {at: each for at, each in world.values.items() if each}),
        ):
            if stored != expected:
                self._break(
                    f"the {what} in the store are a replay of the turns",
                    f"stored: {stored}\nexpected: {expected}",
                )

    def _break(self, law: str, what: str) -> None:
        if self.violation is None:
            self.violation = Violation(law, what)
            self.note("BROKEN: %s: %s", law, what)
        process = self.processes[-1]
        process.is_alive = False
        process.loop.is_halted = True

    def _fail(self, law: str, what: str) -> NoReturn:
        self._break(law, what)
        self._halt()

    def trace(self) -> str:
        """What happened, a line each: time in milliseconds, event."""
        return "\n".join(f"{at_ms:7} {text % facts}" for at_ms, text, facts in self._trace)


def _cut(error: Exception, size: int) -> int:
    """How many messages of a batch that failed are tried first."""
    if isinstance(error, InvocationError) and error.batch_size == size:
        return max(1, error.position - 1)
    return size // 2


def simulate(plan: Plan, kept: Store | None = None) -> Simulation:
    """Carry out a plan, without a word in the log.

    Args:
        plan: The plan.
        kept: The store that survives the processes; one in memory if it is None.
    """
    logger = logging.getLogger("statefun.runtime")
    simulation, was_disabled = Simulation(plan, kept or MemoryStore()), logger.disabled
    logger.disabled = True
    try:
        simulation.run()
    finally:
        logger.disabled = was_disabled
    return simulation


def _release(address: Address, engine: Engine) -> bool:
    return engine.edits.release(address)
