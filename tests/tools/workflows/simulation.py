"""The simulation: workflows in a world where everything goes wrong that can.

A seed decides which workflows are started, signalled, updated, queried, cancelled and terminated;
how attempts of activities end, go on, fall silent or take their worker with them; which replies are
lost, which runs are replayed, and how wrong the clocks of two workers are. The laws are looked at
after every step. Then all is healed, and every workflow must end as it must.
"""

from __future__ import annotations

import json
import logging
import warnings
from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING, Any

from statefun.durable import _proto as durable
from statefun.durable.outcomes import failure_of
from statefun.workflows import _proto
from statefun.workflows.activity_turn import timed_out
from statefun.workflows.addresses import REPLIES, command
from statefun.workflows.common import WorkflowIDReusePolicy
from statefun.workflows.facts import ParentClosePolicy
from statefun.workflows.status import WorkflowExecutionStatus as Status
from statefun.workflows.visibility import WORKFLOW_VALUE
from tests.tools.durable.laws import Watch, same_replies
from tests.tools.durable.world import Attempt as PlayedTurn
from tests.tools.durable.world import LawBroken
from tests.tools.workflows.laws import Attempts, check, look
from tests.tools.workflows.world import (
    ACTIVITY,
    QUEUE,
    WORKFLOW,
    Running,
    WorkflowWorld,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from statefun.durable.effects import Ready
    from statefun.workflows.activity_turn import Attempt
    from tests.tools.durable.world import Address
    from tests.tools.workflows.world import Crew, Ended

__all__ = ["Simulation", "simulate"]

_STEPS = 80
_MOST_STEPS = 3000
_SOON_MS = 3_600_000
_HOLD_MS = 1000
_MOST_WORKFLOWS = 6
_CLOSED_WELL = (Status.COMPLETED, Status.CONTINUED_AS_NEW)


@dataclass
class Simulation:
    """One seed.

    Attributes:
        seed: The seed.
        trace: What has happened, a line each.
        violation: The law that was broken; None if none was.
    """

    seed: int
    trace: list[str] = field(default_factory=list)
    violation: str | None = None


@dataclass
class _Flow:
    """A workflow that was started, and what was done to it.

    Attributes:
        result_of: Whether a result is one that it may have.
        is_disturbed: Whether somebody has cancelled or terminated it.
    """

    id: str
    kind: str
    arguments: tuple[Any, ...]
    result_of: Callable[[_Flow, Any], bool]
    total: int = 0
    adds: int = 0
    is_disturbed: bool = False
    is_closed: bool = False


@dataclass
class _Asked:
    """A request of a client."""

    name: str
    flow: _Flow
    kind: str
    fits: Callable[[Any], bool]


def simulate(seed: int) -> Simulation:
    """Run a seed."""
    simulation = Simulation(seed)
    logging.disable(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            _Play(simulation).play()
    except LawBroken as broken:
        simulation.violation = str(broken)
    except Exception as error:  # noqa: BLE001 - no turn ever raises
        simulation.violation = f"W0: {type(error).__name__}: {error}"
    finally:
        logging.disable(logging.NOTSET)
    return simulation


def _payloads(*values: Any) -> _proto.Payloads:
    payloads = _proto.Payloads()
    for each in values:
        payloads.payloads.add(metadata={"encoding": b"json/plain"}, data=json.dumps(each).encode())
    return payloads


def _value(payloads: _proto.Payloads) -> Any:
    [payload] = payloads.payloads
    return json.loads(payload.data) if payload.data else None


def _failure(message: str, *, is_final: bool = False) -> _proto.Failure:
    failure = _proto.Failure(message=message)
    failure.application_failure_info.type = message
    failure.application_failure_info.non_retryable = is_final
    return failure


class _Play:
    def __init__(self, simulation: Simulation) -> None:
        self.simulation = simulation
        self.random = Random(simulation.seed)
        self.world = WorkflowWorld(self.random, self._run_local)
        self.watch = Watch()
        self.attempts = Attempts()
        self.flows: list[_Flow] = []
        self.asked: list[_Asked] = []
        self.output = 0
        self.is_healed = False
        self.replayed: list[bytes | BaseException] | None = None
        self.trouble = self.random.random() * 0.6
        self.failing = self.random.choice([0.0, 0.2, 0.5])
        self.dawdling = self.random.choice([0.0, 0.3, 0.7])
        self.disturbs = self.random.random() < 0.6
        self.repeating = self.random.choice([0.0, 0.3])

    def note(self, line: str) -> None:
        self.simulation.trace.append(line)

    # --- activities -------------------------------------------------------------------------------

    def _run_local(self, task: _proto.Task, number: int) -> bytes:
        del number
        ending = _proto.Ending(result=_payloads(_value(task.arguments)))
        return bytes(ending.SerializeToString())

    def _run(self, crew: Crew, attempt: Attempt) -> Ended | None:
        """Begin an attempt or find it again; how it ended, None if it goes on."""
        key = attempt.target_id, attempt.number
        if key in crew.endings:
            return crew.endings[key]
        running = crew.running.get(key)
        now_ms = self.world.now_ms
        if running is None:
            self.note(f"  {attempt.target_id} begins attempt {attempt.number}")
            self.attempts.begin(attempt)
            running = crew.running[key] = Running(now_ms, now_ms)
        ending = self._ending(running, attempt)
        if ending is None:
            return None
        self.note(f"  attempt {attempt.number} ends: {ending.WhichOneof('ending')}")
        ended = ending, running.heartbeat
        del crew.running[key]
        crew.endings[key] = ended
        return ended

    def _ending(self, running: Running, attempt: Attempt) -> _proto.Ending | None:
        """How an attempt ends by now; None if it goes on."""
        late = self._time_out(running, attempt)
        if late:
            return _proto.Ending(failure=timed_out(late))
        kind, random = attempt.task.activity_type, self.random
        if kind == "slow" and (self.is_healed or random.random() < 0.7):
            running.heard_ms = self.world.now_ms
            running.heartbeat = _payloads(running.heard_ms)
            if attempt.is_cancelled:
                ending = _proto.Ending()
                ending.canceled.canceled_failure_info.SetInParent()
                return ending
        dawdling = max(self.dawdling, 0.8) if kind == "slow" else self.dawdling
        if not self.is_healed and random.random() < dawdling:
            return None
        return self._outcome(attempt.task)

    def _time_out(self, running: Running, attempt: Attempt) -> int:
        """Which time-out has run out; 0 for none."""
        now_ms, silence_ms = self.world.now_ms, attempt.task.heartbeat_ms
        if attempt.limit_ms and now_ms >= running.began_ms + attempt.limit_ms:
            return attempt.limit_kind
        return 4 if silence_ms and now_ms >= running.heard_ms + silence_ms else 0

    def _outcome(self, task: _proto.Task) -> _proto.Ending:
        """How an attempt ends that ends now."""
        if task.activity_type == "outside":
            return _proto.Ending(completes_later=True)
        if task.activity_type == "fatal":
            return _proto.Ending(failure=_failure("fatal", is_final=True))
        if not self.is_healed and self.random.random() < self.failing:
            return _proto.Ending(failure=_failure("not now"))
        self.output += 1
        if task.activity_type == "step":
            self.attempts.given[self.output] = _value(task.arguments)
        return _proto.Ending(result=_payloads(self.output))

    def _turn_of_activity(self, target_id: str, count: int, worker: int) -> None:
        world, random = self.world, self.random
        address = ACTIVITY, target_id
        crew = world.crews[worker]
        turn = world.turn_of_activity(target_id, worker)
        for envelope in world.read(address, count):
            turn.receive(envelope)
        attempt, ended = turn.attempt(), None
        fault = "none"
        if not self.is_healed and random.random() < self.trouble:
            fault = random.choice(["lost", "crash"])
        if attempt is not None:
            ended = self._run(crew, attempt)
            if fault == "crash":
                self.note(f"  {crew.name} crashes")
                world.crews[worker] = world.new_crew()
                return
            if ended is None:
                world.now_ms += _HOLD_MS
                turn.advance_to(world.now_ms)
                beat = crew.running[target_id, attempt.number].heartbeat
                turn.goes_on(beat)
            else:
                turn.ended(*ended)
        reply = turn.end()
        if attempt is not None and not reply.has_acted:
            raise LawBroken(f"W6: an attempt of {target_id} may be followed before it is durable")
        if fault == "lost":
            return
        world.commit(address, count, reply)
        if ended is not None and attempt is not None:
            self.attempts.end(attempt, ended[1], is_over=turn.is_over)
        elif attempt is not None:
            self.attempts.heard(attempt, crew.running[target_id, attempt.number].heartbeat)

    # --- what clients do --------------------------------------------------------------------------

    def _ask_for(
        self, flow: _Flow, name: str, message: Any, fits: Callable[[Any], bool], identity: str = ""
    ) -> None:
        asked = _Asked(f"request {len(self.asked)}", flow, name, fits)
        self.asked.append(asked)
        route = durable.Route(typename=REPLIES, id=asked.name, is_egress=True)
        envelope = command(name, message.SerializeToString(), identity, route)
        self.note(f"{asked.name}: {name} {flow.kind} {flow.id}")
        self.world.put((WORKFLOW, flow.id), envelope)
        if (
            not self.is_healed
            and name in ("start", "signal", "update")
            and (self.random.random() < self.repeating)
        ):
            self.note("  and again, since the client has lost its connection")
            envelope.invoke.reply.id = f"{asked.name} again"
            self.world.put((WORKFLOW, flow.id), envelope)

    def _start(self) -> None:
        random = self.random
        number = len(self.flows)
        count = random.randrange(1, 5)
        kind, arguments, result_of = random.choice(
            [
                ("Chain", (count,), self._is_chain),
                ("Fan", (count,), self._is_fan),
                ("Desk", (0, count), self._is_sum),
                ("Waiter", (), lambda _, result: result == "went"),
                (
                    "Parent",
                    (count % 3 + 1,),
                    lambda _, result: result in ("went", "was stopped"),
                ),
                ("Cleanup", (random.choice([1, 4, 600]),), self._is_cleanup),
                ("Cautious", (), self._is_cautious),
                ("Retried", (), lambda _, result: result == 3),
                ("Regular", (), lambda _, result: isinstance(result, int)),
            ]
        )
        flow = _Flow(f"flow {number}", kind, arguments, result_of)
        self.flows.append(flow)
        start = self._start_of(flow)
        if kind == "Desk" and random.random() < 0.5:
            request = _proto.Request(start=start)
            request.told.signal.name = "add"
            request.told.signal.arguments.CopyFrom(_payloads(2))
            self._add(flow, 2)
            self._ask_for(flow, "signal", request, _is_started, f"with start {number}")
        else:
            self._ask_for(flow, "start", start, _is_started)

    def _start_of(self, flow: _Flow) -> _proto.Start:
        start = _proto.Start(
            workflow_id=flow.id,
            run_id=f"{flow.id} run",
            workflow_type=flow.kind,
            task_queue=QUEUE,
            namespace="default",
            arguments=_payloads(*flow.arguments),
        )
        if flow.kind == "Retried":
            start.retry_policy.initial_interval_ms = 1000
            start.retry_policy.backoff_coefficient = 2
        if flow.kind == "Regular":
            start.cron_schedule = "*/5 * * * *"
        if not start.cron_schedule and self.random.random() < 0.2:
            start.start_delay_ms = 5000
        return start

    def _add(self, flow: _Flow, number: int) -> None:
        flow.total += number
        flow.adds += 1

    def _act(self) -> None:
        """Do something to a workflow that was started."""
        flow = self.random.choice(self.flows)
        chance = self.random.random()
        if self.disturbs and chance < 0.15 and flow.kind != "Regular":
            self._disturb(flow)
        elif chance < 0.25:
            self._ask_for(flow, "result", _proto.Request(), _is_ending)
        elif chance < 0.35:
            start = self._start_of(flow)
            start.run_id = f"{flow.id} other run {len(self.asked)}"
            start.id_reuse_policy = WorkflowIDReusePolicy.REJECT_DUPLICATE
            self._ask_for(flow, "start", start, _is_refused)
        elif flow.kind == "Desk" and not flow.is_closed:
            self._act_on_desk(flow)
        elif flow.kind == "Waiter":
            self._signal(flow, "go")

    def _act_on_desk(self, flow: _Flow) -> None:
        number = self.random.randrange(1, 9)
        match self.random.randrange(4):
            case 0:
                self._add(flow, number)
                self._signal(flow, "add", number)
            case 1 | 2:
                request = _proto.Request(wait_stage=3)
                request.told.update.id = f"update {len(self.asked)}"
                request.told.update.name = "put"
                request.told.update.arguments.CopyFrom(_payloads(number))
                if number % 2 == 0:
                    self._add(flow, number)
                self._ask_for(flow, "update", request, lambda data: _is_put(data, number))
            case _:
                request = _proto.Request()
                request.query.name = "total"
                self._ask_for(flow, "query", request, lambda _: True)

    def _signal(self, flow: _Flow, name: str, *arguments: Any) -> None:
        request = _proto.Request()
        request.told.signal.name = name
        request.told.signal.arguments.CopyFrom(_payloads(*arguments))
        self._ask_for(flow, "signal", request, lambda data: data == b"", f"s{len(self.asked)}")

    def _disturb(self, flow: _Flow) -> None:
        flow.is_disturbed = True
        request = _proto.Request()
        if self.random.random() < 0.6:
            request.told.cancel.reason = "a client"
            self._ask_for(flow, "cancel", request, lambda data: data == b"")
        else:
            self._ask_for(flow, "terminate", request, lambda data: data == b"")

    # --- results ----------------------------------------------------------------------------------

    def _is_given(self, output: Any, seen: int) -> bool:
        return self.attempts.given.get(output) == seen

    def _is_chain(self, flow: _Flow, result: Any) -> bool:
        pairs = zip(result[1:], result, strict=False)
        return len(result) == flow.arguments[0] + 1 and all(
            self._is_given(output, seen) for output, seen in pairs
        )

    def _is_fan(self, _: _Flow, result: Any) -> bool:
        first, *others = result
        return first == 1 and all(
            self._is_given(output, -number - 1) for number, output in enumerate(others)
        )

    def _is_sum(self, flow: _Flow, result: Any) -> bool:
        return bool(result == flow.total)

    @staticmethod
    def _is_cleanup(_: _Flow, result: Any) -> bool:
        return result in (["ended", "1 of 2"], ["too slow", "1 of 2"])

    @staticmethod
    def _is_cautious(flow: _Flow, result: Any) -> bool:
        errors = ["ApplicationError", "TimeoutError", *(["CancelledError"] * flow.is_disturbed)]
        return not isinstance(result[1], int) and all(
            isinstance(each, int) or each in errors for each in result
        )

    # --- steps ------------------------------------------------------------------------------------

    def play(self) -> None:
        """Start and disturb; then heal, and see that all ends well."""
        for _ in range(_STEPS):
            if len(self.flows) < _MOST_WORKFLOWS and self.random.random() < 0.15:
                self._start()
            if self.flows and self.random.random() < 0.2:
                self._act()
            self._step()
        self.is_healed = True
        self.note("all is healed")
        self.world.skews_ms = [0, 0]
        self._end()

    def _step(self) -> None:
        world, random = self.world, self.random
        waiting = sorted(address for address, mail in world.kept.mail.items() if mail)
        if world.is_due_within(0) and random.random() < 0.5:
            world.elapse()
            return
        if not waiting or (random.random() < 0.1 and world.is_due_within(_SOON_MS)):
            if world.is_due_within(_SOON_MS):
                world.elapse()
            return
        address = random.choice(waiting)
        count = random.randrange(1, len(world.kept.mail[address]) + 1)
        worker = random.randrange(2)
        if not self.is_healed and random.random() < 0.05:
            world.skews_ms[worker] = random.choice([-5000, -300, 0, 300, 5000])
        self.note(f"{world.now_ms} {address}: {count} messages on {world.crews[worker].name}")
        if address[0] == ACTIVITY:
            self._turn_of_activity(address[1], count, worker)
        elif address[0] == WORKFLOW:
            self._turn_of_workflow(address, count, worker)
        else:
            self._turn_of_run(address, count, worker)
        check(world)
        look(world, address)

    def _turn_of_workflow(self, address: Address, count: int, worker: int) -> None:
        played = self.world.attempt(address, count, worker, self._never)
        if played.reply is not None:
            self.world.commit(address, count, played.reply)

    def _turn_of_run(self, address: Address, count: int, worker: int) -> None:
        world, random = self.world, self.random
        trouble = not self.is_healed and random.random() < self.trouble
        fault = random.choice(["cold", "lost", "crash", "twin"]) if trouble else "none"
        if fault == "none" and random.random() < 0.3:
            fault = "twin"
        cache = world.crews[worker].cache
        if fault == "cold":
            cache.clear()
        self.note(f"  {fault}")
        played = world.attempt(
            address,
            count,
            worker,
            self._run_effect,
            may_crash=fault == "crash",
            cached=cache.take(*address),
        )
        if played.reply is None:
            world.crews[worker] = world.new_crew()
            return
        if fault == "twin":
            self._compare(address, count, worker, played)
        if played.reply.cached is not None:
            cache.put(*address, played.reply.cached)
        if fault != "lost":
            world.commit(address, count, played.reply)
            self.watch.look(world, address)

    def _compare(self, address: Address, count: int, worker: int, played: PlayedTurn) -> None:
        """Without memory the turn gives the same."""
        self.replayed = list(played.outcomes)
        try:
            twin = self.world.attempt(address, count, worker, self._repeat_effect)
        finally:
            left, self.replayed = self.replayed, None
        if left:
            raise LawBroken(f"I1: {len(left)} effects are not asked for from the journal")
        if twin.reply is None or played.reply is None:
            raise LawBroken("I1: there is no reply from the journal")
        same_replies(played.reply, twin.reply)
        if twin.reply.cached is not None:
            twin.reply.cached.close()

    def _repeat_effect(self, _: Ready) -> bytes | BaseException:
        if not self.replayed:
            raise LawBroken("I1: an effect is asked for from the journal alone")
        return self.replayed.pop(0)

    def _run_effect(self, ready: Ready) -> bytes | BaseException:
        return ready.effect.encode(ready.effect.begin())

    @staticmethod
    def _never(_: Ready) -> bytes | BaseException:
        raise LawBroken("a workflow's address has no effects")

    # --- the end ----------------------------------------------------------------------------------

    def _end(self) -> None:
        self._until_quiet()
        self._children()
        for flow in self.flows:
            if flow.kind == "Desk":
                flow.is_closed = True
                self._signal(flow, "close")
            if flow.kind == "Regular":
                self._ask_for(flow, "terminate", _proto.Request(), lambda data: data == b"")
        for name in self._open():
            if name not in {each.id for each in self.flows if each.kind == "Desk"}:
                self._let_go(name)
        self._until_quiet()
        self._results()
        self._answers()
        self._forgotten()

    def _children(self) -> None:
        """Of a parent that has ended, only a child that is to go on is there."""
        still = set(self._open())
        for flow in self.flows:
            left = f"{flow.id}-left"
            policy = flow.arguments[0] if flow.kind == "Parent" else ParentClosePolicy.ABANDON
            if policy != ParentClosePolicy.ABANDON and flow.id not in still and left in still:
                raise LawBroken(f"W8: {left} goes on, though its parent has ended")

    def _let_go(self, name: str) -> None:
        request = _proto.Request()
        request.told.signal.name = "go"
        self.world.put((WORKFLOW, name), command("signal", request.SerializeToString(), "go"))

    def _open(self) -> list[str]:
        return [
            address[1]
            for address, values in self.world.kept.state.items()
            if address[0] == WORKFLOW
            and _proto.Workflow.FromString(values[WORKFLOW_VALUE]).status == Status.RUNNING
        ]

    def _until_quiet(self) -> None:
        """Let everything happen that will happen soon, without what a schedule begins."""
        world = self.world
        for _ in range(_MOST_STEPS):
            if any(world.kept.mail.values()):
                self._step()
            elif not self._report_outside():
                if not world.is_due_within(3 * _SOON_MS) or self._only_schedules():
                    return
                world.elapse()
        raise LawBroken("W7: it does not come to an end")

    def _only_schedules(self) -> bool:
        regular = {each.id for each in self.flows if each.kind == "Regular"}
        soon = self.world.now_ms + 3 * _SOON_MS
        return all(
            each.target[0] == WORKFLOW and each.target[1] in regular
            for each in self.world.kept.delayed
            if each.due_ms <= soon
        )

    def _report_outside(self) -> bool:
        """Complete from outside what waits for that."""
        found = False
        for address, values in tuple(self.world.kept.state.items()):
            if address[0] != ACTIVITY:
                continue
            state = _proto.Activity.FromString(values["activity"])
            if state.completes_later:
                found = True
                self.output += 1
                report = _proto.Report(ending=_proto.Ending(result=_payloads(self.output)))
                update = durable.Update(argument=report.SerializeToString())
                update.reply.typename, update.reply.is_egress = REPLIES, True
                update.reply.id = f"report of {address[1]}"
                self.world.put(address, durable.Envelope(update=update))
        return found

    def _results(self) -> None:
        kept = self.world.kept
        for flow in self.flows:
            values = kept.state.get((WORKFLOW, flow.id))
            if values is None:
                raise LawBroken(f"W7: {flow.id} is forgotten")
            state = _proto.Workflow.FromString(values[WORKFLOW_VALUE])
            self._judge(flow, state)
        for name in self._open():
            raise LawBroken(f"W7: {name} is still open")

    def _judge(self, flow: _Flow, state: _proto.Workflow) -> None:
        kind = state.ending.WhichOneof("ending")
        if kind == "result":
            result = _value(state.ending.result)
            if not flow.result_of(flow, result) and not (flow.kind == "Desk" and flow.is_disturbed):
                raise LawBroken(f"W8: {flow.kind} {flow.id} gave {result}, {flow.total} expected")
            return
        may_stop = flow.is_disturbed or flow.kind == "Regular"
        stops = ("canceled", "terminated", *(("failure",) if flow.kind == "Parent" else ()))
        if kind not in stops or not may_stop:
            raise LawBroken(f"W8: {flow.kind} {flow.id} ended as {kind}: {state.ending}")

    def _answers(self) -> None:
        for asked in self.asked:
            found = self.world.kept.answers.get(asked.name, [])
            if len(found) != 1:
                raise LawBroken(f"W9: {len(found)} answers to {asked.name}")
            outcome = durable.Outcome.FromString(found[0])
            failure = failure_of(outcome)
            if failure is not None:
                if not self._may_fail(asked, failure.status_code):
                    raise LawBroken(f"W9: {asked.kind} of {asked.flow.id}: {failure}")
            elif not asked.flow.is_disturbed and not asked.fits(outcome.value):
                raise LawBroken(f"W9: the answer to {asked.name} is {outcome.value!r}")

    @staticmethod
    def _may_fail(asked: _Asked, code: int) -> bool:
        if asked.kind == "query" and (code == 9 or (code == 404 and asked.flow.is_disturbed)):
            return True  # it has not begun, or never will
        if asked.fits is _is_refused:
            return code == 6
        ends_by_itself = asked.flow.kind in ("Waiter", "Chain", "Fan", "Cleanup", "Cautious")
        return code == 5 and (
            asked.flow.is_disturbed or ends_by_itself or asked.flow.kind in ("Parent", "Retried")
        )

    def _forgotten(self) -> None:
        """In the end nothing is left."""
        for _ in range(_MOST_STEPS):
            if any(self.world.kept.mail.values()):
                self._step()
            elif not self.world.elapse():
                break
        left = [address for address, values in self.world.kept.state.items() if values]
        if left:
            raise LawBroken(f"W10: something is left at {left}")


def _is_started(data: bytes) -> bool:
    return bool(_proto.Started.FromString(data).run_id)


def _is_refused(data: bytes) -> bool:
    del data
    return False


def _is_ending(data: bytes) -> bool:
    return _proto.Ending.FromString(data).WhichOneof("ending") is not None


def _is_put(data: bytes, number: int) -> bool:
    answer = _proto.UpdateAnswer.FromString(data)
    if number % 2:
        return answer.failure.message == "odd"
    return bool(_value(answer.result) == number)
