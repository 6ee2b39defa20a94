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
from itertools import islice
from operator import methodcaller
from random import Random
from typing import TYPE_CHECKING, Any, NoReturn, cast

from statefun.errors import (
    AddressBusyError,
    RemoteProtocolError,
    RuntimeStoppedError,
    StoreError,
)
from statefun.runtime.directory import FunctionDirectory
from statefun.runtime.dispatcher import Dispatcher
from statefun.runtime.engine import Engine
from statefun.runtime.memory import MemoryStore
from statefun.runtime.policy import FailurePolicy, Limits, Rules
from statefun.runtime.retry import Backoff
from tests.simulation.fakes import FakeClock, FakeEgress, FakeEndpoint, FakeStore, Witness
from tests.simulation.language import (
    EGRESS,
    Effects,
    Fail,
    argument_of,
    name_of,
    read_request,
)
from tests.simulation.loop import Halted, RestlessError, SimulatedLoop
from tests.simulation.model import (
    Came,
    Delivered,
    Fired,
    GivenUp,
    Model,
    Read,
    Released,
    Replayed,
    Turn,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from statefun.connectors.ports import OutgoingRecord
    from statefun.runtime.mailbox import Batch
    from statefun.runtime.records import DeadLetter, Delta
    from statefun.runtime.store import Store
    from statefun.sdk.address import Address
    from tests.simulation.language import Request, Spec
    from tests.simulation.plan import Arrival, Outage, Plan

__all__ = ["Process", "Simulation", "Violation", "simulate"]

_START_MS = 1_700_000_000_000
_POLICY = Backoff(first_ms=20, longest_ms=400)
_LATE_MS = 30_000
"""After the clock was set forwards, alarms may be late by so much."""

_MOST_PROCESSES = 500


@dataclass(frozen=True)
class Violation:
    """A law that was broken.

    Attributes:
        law: Which.
        what: What happened instead.
    """

    law: str
    what: str


class Process:
    """One process of the runtime, from its start to its end.

    Attributes:
        is_alive: Whether it has not crashed.
        is_stopping: Whether it is being stopped in an orderly way.
        may_end: Whether it is right that it ends by itself.
        is_mending: Whether somebody replays and releases what was given up.
        is_full: Whether its last commit failed; then functions wait.
        flying: The attempt that is in flight for an address.
        retry_by: When, by the clock, an address that failed is tried again at the latest.
        declared: The values that are known of a function, as its replies named them.
        batches: The latest batch with a request.
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
        self.flying: dict[Address, Batch] = {}
        self.retry_by: dict[Address, int] = {}
        self.declared: dict[str, dict[str, Spec]] = {}
        self.batches: dict[bytes, Batch] = {}
        self.handed: list[int] = []
        self.clients = 0
        self._commits = 0
        self._writing: asyncio.Future[Any] | None = None
        self._tasks: list[asyncio.Task[Any]] = []
        number = len(simulation.processes)
        self.loop = SimulatedLoop(now_ms, Random(simulation.plan.seed + number), self._write)
        self._egress = FakeEgress(self)
        self._clock = FakeClock(self)

    def start(self) -> None:
        """Begin where the last process ended."""
        simulation = self.simulation
        store = FakeStore(simulation.kept, self)
        directory = FunctionDirectory((), [FakeEndpoint(self)])
        recovered = store.recover()
        engine = Engine(
            directory,
            {EGRESS: self._egress.accept},
            recovered=recovered,
            rules=simulation.rules,
            random=Random(simulation.plan.seed).random,
            max_resident=simulation.plan.max_resident,
        )
        self._witness = Witness(engine, self)
        self._dispatcher = Dispatcher(
            cast("Engine", self._witness), cast("Store", store), directory, self._clock
        )
        self._running = self._task(self._dispatcher.run())
        self._running.add_done_callback(self._ended)
        self.loop.call_soon(self._open, recovered.egress)

    def _open(self, records: Any) -> None:
        self._task(self._egress.start(self._dispatcher.delivered))
        self._dispatcher.add_egress(self._egress)
        self._dispatcher.hand_over(records)
        self.simulation.point("after recovery")

    def send(self, arrival: Arrival) -> None:
        """Let a client send a message."""
        self.clients += 1
        self._task(self._send(arrival))

    async def _send(self, arrival: Arrival) -> None:
        argument = argument_of(arrival.message)
        try:
            if arrival.key:
                await self._dispatcher.deliver(arrival.target, argument, arrival.key)
            elif self.simulation.plan.draw("local", arrival.message) < 0.5:
                await self._dispatcher.send(arrival.target, argument)
            else:
                await self._dispatcher.deliver(arrival.target, argument)
        except (RuntimeStoppedError, StoreError, AddressBusyError) as error:
            if self.is_alive:
                self.simulation.refused(arrival, error)
        else:
            if self.is_alive:
                self.simulation.acknowledged(arrival)
        finally:
            self.clients -= 1

    def mend(self, letters: Sequence[DeadLetter], parked: Sequence[Address]) -> None:
        """Replay dead letters and release addresses."""
        self.is_mending = True
        self._task(self._mend(letters, parked))

    async def _mend(self, letters: Sequence[DeadLetter], parked: Sequence[Address]) -> None:
        with suppress(StoreError, RuntimeStoppedError):
            if letters:
                await self._dispatcher.edit(methodcaller("replay", letters))
            for address in parked:
                await self._dispatcher.edit(methodcaller("release", address))
        await asyncio.sleep(0.1)
        self.is_mending = False

    def reply_again(self, batch: Batch, reply: bytes) -> None:
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
        violation: The law that was broken first.
        is_mended: Whether functions that always failed do so no more.
        rules: What the engine is told about failures and limits.
    """

    plan: Plan
    kept: Store
    processes: list[Process] = field(default_factory=list)
    replies: dict[bytes, Effects] = field(default_factory=lambda: {b"": Effects()})
    violation: Violation | None = None
    is_mended: bool = False

    def __post_init__(self) -> None:
        plan = self.plan
        self.rules = Rules(
            FailurePolicy(plan.then, _POLICY, plan.isolate_after),
            Limits(max_batch=plan.max_batch, max_waiting=plan.max_waiting),
        )
        self.model = Model(self.plan.functions)
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
            ],
            key=lambda each: each[0],
        )
        self._acknowledged: set[str] = set()
        self._arrived: set[str] = set()
        self._owed: dict[str, Arrival] = {}  # those with a key that are not acknowledged
        self._down_ms = 0
        self._is_finished = False
        self._is_restarted = False

    # --- life -------------------------------------------------------------------------------------

    def run(self) -> Violation | None:
        """Carry out the plan; returns the law that was broken, None if none was."""
        now_ms = 0
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
            waiting = {arguments[0] for _, _, arguments in self._agenda if arguments}
            self._agenda += [
                (now_ms + 100, self._arrive, (arrival,))
                for arrival in self._owed.values()
                if arrival not in waiting
            ]
        return self.violation

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
        self._compare()
        if self._is_finished:
            world = self.model.world
            held = {each.message for at in world.parked for each in world.queues.get(at, ())}
            missing = self._acknowledged - {*world.done, *world.dropped, *world.letters, *held}
            if missing:
                self._break("what was acknowledged is not lost", f"nobody got {sorted(missing)}")

    def ended(self, process: Process, error: BaseException | None) -> None:
        """A process ended by itself, or after it was stopped."""
        self.note("the process has ended%s", f": {error!r}" if error else "")
        if isinstance(error, StoreError) and process.may_end:
            self._down_ms = 100
            return
        if error is not None or not process.is_stopping:
            self._break("a runtime does not end by itself", repr(error))
        elif self.model.durable < len(self.model.log):
            lost = self.model.log[self.model.durable :]
            self._break("an orderly stop makes everything durable", f"not durable: {lost}")
        elif self._is_done() and not self._is_to_mend():
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

    def _halt(self) -> NoReturn:
        process = self.processes[-1]
        process.is_alive = False
        process.loop.is_halted = True
        raise Halted

    def _arrive(self, arrival: Arrival) -> None:
        self._arrived.add(arrival.message)
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

    def came(self, target: Address, argument: bytes, key: str) -> None:
        """The engine took a message in."""
        name = name_of(argument)
        if key and (target, key) in self.model.world.receipts:
            self.note("%s comes again for %s", name, target)
        else:
            self.note("%s comes for %s", name, target)
            self.model.happen(Came(target, name, key))
        self.point("after a message came")

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

    def refused(self, arrival: Arrival, error: Exception) -> None:
        """A client was told that its message may not be durable."""
        self.note("%s is refused: %s", arrival.message, error)
        if arrival.key:
            self._later(100, self._arrive, arrival)

    def requested(self, process: Process, batch: Batch, now_ms: int) -> None:
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
        declared = process.declared.get(address.typename, {})
        seen = world.seen(address, declared, now_ms)
        if request.state != seen:
            self._fail(
                "a function sees the values that its turns left, unless they expired",
                f"{address} is sent {request.state} instead of {seen}",
            )
        read = Read(address, tuple(declared.values()), now_ms)
        if world.is_touched(read):
            self.model.happen(read)
        process.flying[address] = batch
        process.batches[batch.request] = batch

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

    def replied(self, process: Process, batch: Batch, reply: bytes, now_ms: int, fate: str) -> None:
        """The engine was given a reply."""
        if process.flying.get(batch.address) is not batch:
            self.note("%s has answered again", batch.address)
            return
        effects = self.replies.get(reply)
        if effects is None or self.model.world.collides(batch.address, effects):
            self.failed(process, batch, RemoteProtocolError("an invalid reply"), now_ms, fate)
            return
        del process.flying[batch.address]
        if effects.missing:
            self.note("%s asks for %s", batch.address, [spec.name for spec in effects.missing])
            declared = process.declared.setdefault(batch.address.typename, {})
            declared.update((spec.name, spec) for spec in effects.missing)
            return
        self.note("%s has answered: %s", batch.address, effects)
        self.model.happen(Turn(batch.address, len(batch.messages), effects, now_ms))
        self.point("after a reply was applied")

    def failed(
        self, process: Process, batch: Batch, error: Exception, now_ms: int, fate: str
    ) -> None:
        """An attempt failed."""
        self.note("%s fails: %s", batch.address, error)
        if process.flying.get(batch.address) is not batch:
            return
        del process.flying[batch.address]
        process.retry_by[batch.address] = now_ms + _POLICY.longest_ms
        if not fate:
            return
        message = self.model.world.queues[batch.address][0].message
        self.note("%s: %s", fate, message)
        is_to_blame = any(isinstance(step, Fail) for step in self.plan.programs[message])
        is_to_blame |= isinstance(error, RemoteProtocolError)
        if len(batch.messages) != 1 or not is_to_blame:
            self._fail("only what fails by itself is given up", f"{message} does not")
        self.model.happen(GivenUp(batch.address, fate))

    def replayed(self, letters: Sequence[DeadLetter]) -> None:
        """The engine was told to send dead letters again."""
        for letter in letters:
            name = name_of(letter.argument)
            self.note("%s is replayed", name)
            if name in self.model.world.letters:
                self.model.happen(Replayed(name))

    def released(self, address: Address, *, is_released: bool) -> None:
        """The engine was told to hold an address no more."""
        self.note("%s is released", address)
        if is_released != (address in self.model.world.parked):
            self._fail("what is parked can be released", f"{address}: {is_released}")
        if is_released:
            self.model.happen(Released(address))

    def ticked(self, now_ms: int) -> None:
        """The engine was told the time."""
        due = self.model.world.due(now_ms)
        if due:
            self.note("timers fire: %s", [alarm.message for alarm in due])
            self.model.happen(Fired(now_ms))
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

    def committed(self) -> None:
        """The engine is told that its delta is durable."""
        self.point("before the release")
        if self.model.durable != self.model.covered:
            self._fail("nothing is released before its commit is durable", "the commit is not")

    # --- laws -------------------------------------------------------------------------------------

    def _quiet(self) -> None:
        """Check what must be so whenever nothing happens before time goes on."""
        process = self.processes[-1]
        if not process.is_alive or process.may_end:
            return
        now_ms = self.now_ms()
        if process.loop.now_ms > self._jumped_ms + _LATE_MS:
            world = self.model.world
            if due := world.due(now_ms):
                self._break("no timer is late", f"{due[0]} is")
            for address, queue in world.queues.items() if not process.is_full else ():
                held = queue and address not in process.flying and address not in world.parked
                if held and process.retry_by.get(address, 0) < now_ms:
                    self._break("no address is held up by others", f"{address} has {queue}")
        if self._is_settled():
            self._operate(process)

    def _operate(self, process: Process) -> None:
        """Do what people do once nothing goes on by itself: mend what is broken, and stop."""
        if not self._is_to_mend():
            if self._is_done() and not process.clients:
                process.stop()
        elif not self._is_restarted and self.plan.draw("restart before mending") < 0.5:
            self._is_restarted = True
            process.stop()
        elif not process.is_mending:
            self.note("the functions are mended")
            letters = () if self.is_mended else tuple(self.kept.dead_letters())
            self.is_mended = True
            process.mend(letters, sorted(self.model.world.parked))

    def _is_to_mend(self) -> bool:
        """Whether something was given up and can be saved."""
        world = self.model.world
        return bool(world.parked or (world.letters and not self.is_mended))

    def _is_settled(self) -> bool:
        """Whether all messages of the plan have come, and only held ones wait."""
        world = self.model.world
        waiting = any(queue and at not in world.parked for at, queue in world.queues.items())
        have_come = len(self._arrived) == len(self.plan.arrivals)
        return have_come and not (waiting or world.alarms or world.records)

    def _is_done(self) -> bool:
        """Whether besides that nobody waits for an answer, or will ask again."""
        return self._is_settled() and not (self._agenda or self._owed)

    def _unfinished(self, process: Process) -> str:
        world = self.model.world
        queues = {str(address): list(queue) for address, queue in world.queues.items() if queue}
        return (
            f"messages {queues}, timers {world.alarms}, records {list(world.records)}, "
            f"clients without an answer: {process.clients}"
        )

    def _compare(self) -> None:
        """Compare what is stored with what a replay of the durable log gives."""
        world, recovered = self.model.world, self.kept.recover()
        queues: dict[Address, list[tuple[str, Address | None]]] = {}
        for each in recovered.messages:
            waiting = queues.setdefault(each.target, [])
            waiting.append((name_of(each.argument), each.caller))
        alarms = [
            (each.due_ms, each.sender, each.target, name_of(each.argument), each.token)
            for each in recovered.timers
        ]
        values = {
            address: {
                name: (entry.data, entry.touched_ms)
                for name, entry in self.kept.load(address).items()
            }
            for typename in self.plan.functions
            for address in self.kept.addresses(typename)
        }
        letters = {
            name_of(each.argument): (each.target, each.caller) for each in self.kept.dead_letters()
        }
        for what, stored, expected in (
            ("messages", queues, {at: list(queue) for at, queue in world.queues.items() if queue}),
            ("timers", alarms, [(each[0], *each[2:]) for each in sorted(world.alarms)]),
            ("records", [name_of(each.argument) for each in recovered.egress], [*world.records]),
            ("parked addresses", {each.address for each in recovered.parked}, world.parked),
            ("dead letters", letters, world.letters),
            ("idempotency keys", set(recovered.receipts), world.receipts),
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
