"""The simulation: requests to durable services in a world where everything goes wrong that can.

A seed decides what is asked for, how messages are batched, and what fails: lost replies, crashes
between effects and commit, cold caches, two workers whose clocks differ, user code that stumbles,
and rollbacks to a checkpoint. The laws are looked at after every step. Then all is healed, and
every request must have the one answer that it must have.
"""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING, Any

from statefun.durable import _proto
from statefun.durable.exceptions import TerminalError
from statefun.durable.handler import handler_from_callable
from statefun.durable.identity import InvocationId, derived
from statefun.durable.outcomes import failure_of
from tests.tools.durable.laws import Watch, check, same_replies
from tests.tools.durable.programs import Programs
from tests.tools.durable.world import LawBroken, World

if TYPE_CHECKING:
    from collections.abc import Callable

    from statefun.durable.effects import Ready
    from tests.tools.durable.world import Address, Attempt

__all__ = ["Simulation", "simulate"]

_STEPS = 60
_SOON_MS = 3_600_000
_ANSWERS = "d/answers"


@dataclass
class _Request:
    name: str
    answer_of: Callable[[Any], bool]
    invocation: str
    is_over: bool = False
    has_been_paused: bool = False


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


def simulate(seed: int) -> Simulation:
    """Run a seed."""
    simulation = Simulation(seed)
    logging.disable(logging.CRITICAL)
    try:
        _Play(simulation).play()
    except LawBroken as broken:
        simulation.violation = str(broken)
    except Exception as error:  # noqa: BLE001 - no turn ever raises
        simulation.violation = f"I7: {type(error).__name__}: {error}"
    finally:
        logging.disable(logging.NOTSET)
    return simulation


class _Play:
    def __init__(self, simulation: Simulation) -> None:
        self.simulation = simulation
        self.random = Random(simulation.seed)
        self.programs = Programs(self._perform, self._stumble)
        self.world = World(self.programs.declarations, self.random)
        self.watch = Watch()
        self.requests: list[_Request] = []
        self.sums: dict[str, int] = {}
        self.performed: dict[str, dict[str, set[int]]] = {}
        self.output = 0
        self.is_healed = False
        self.replayed: list[bytes | BaseException] | None = None
        self.running: Ready | None = None
        self.trouble = self.random.random() * 0.6
        self.stumbling = self.random.choice([0.0, 0.0, 0.05, 0.2])
        self.failing = self.random.choice([0.0, 0.1, 0.4])
        self.rolls_back = self.random.random() < 0.2
        self.operates = self.random.random() < 0.4
        self.cancels = self.operates and self.random.random() < 0.5
        self.checkpoint = self.world.checkpoint()

    def note(self, line: str) -> None:
        self.simulation.trace.append(line)

    # --- user code ---

    def _perform(self, name: str, given: int) -> int:
        self.output += 1
        if self.running is not None:
            made = self.performed.setdefault(self.running.execution.id, {})
            made.setdefault(name, set()).add(given)
        return self.output

    def _stumble(self) -> None:
        if not self.is_healed and self.replayed is None and self.random.random() < self.stumbling:
            self.world.stumbled = True
            raise OSError("stumbled")

    # --- requests ---

    def _ask(self) -> None:
        by = self.random.randrange(1, 5)
        key = self.random.choice(["called", "own"])
        match self.random.randrange(10):
            case 0:
                self._request(self.programs.add, by, key, lambda answer: isinstance(answer, int))
                self._expect(key, by)
            case 1:
                self._request(self.programs.slow, by, key, lambda answer: self._chain(answer, by))
                self._expect(key, by)
            case 2:
                self._request(self.programs.look, None, key, lambda answer: answer is True)
            case 3:
                self._request(
                    self.programs.order, by, None, lambda answer: self._ordered(answer, by)
                )
                self._expect("called", 2 * by)
                self._expect("sent", 2 * by)
                self.sums["once"] = self.sums.get("once", 0) | 1 << by
            case 4:
                key = self.random.choice("ab")
                self._request(
                    self.programs.run, by, key, lambda answer: answer in (7 + by, 409), once=True
                )
            case 5:
                self._request(self.programs.listen, None, None, lambda answer: answer == [0, 1, 2])
            case 6:
                self._request(
                    self.programs.race, None, None, lambda answer: answer == ["early", "late"]
                )
            case 7:
                self._request(self.programs.ask_twice, by, None, self._same)
            case 8:
                self._request(self.programs.doomed, None, None, lambda answer: answer == 500)
            case _:
                key = self.random.choice("ab")
                self._request(self.programs.give, 7, key, lambda answer: isinstance(answer, bool))

    def _expect(self, key: str, by: int) -> None:
        self.sums[key] = self.sums.get(key, 0) + by

    @staticmethod
    def _same(answer: Any) -> bool:
        return isinstance(answer, list) and answer[0] == answer[1]

    @staticmethod
    def _chain(answer: Any, by: int) -> bool:
        return isinstance(answer, list) and answer[0] == by and answer[2] > answer[1]

    @staticmethod
    def _ordered(answer: Any, by: int) -> bool:
        return isinstance(answer, list) and answer[4:] == [by, "waited", "late", by]

    def _request(
        self,
        function: Any,
        argument: Any,
        key: str | None,
        answer_of: Callable[[Any], bool],
        *,
        once: bool = False,
    ) -> None:
        handler = handler_from_callable(function)
        service = handler.service_tag.name
        name = f"request {len(self.requests)}"
        unique = derived(self.simulation.seed, len(self.requests))
        identity = self.world.directory.invocation_id(service, handler.name, key or "", unique)
        invoke = _proto.Invoke(
            id=str(identity),
            handler=handler.name,
            argument=b"" if argument is None else json.dumps(argument).encode(),
            reply=_proto.Route(typename=_ANSWERS, id=name, is_egress=True),
        )
        self.note(f"{name}: {service}/{key}.{handler.name}({argument})")
        self.requests.append(_Request(name, answer_of, invoke.id))
        if not once:
            self.world.kept.invoked.append((f"d/{service}", invoke.id))
        self.world.put(self.world.directory.home_of(identity), _proto.Envelope(invoke=invoke))

    # --- operators ---

    def _operate(self) -> None:
        """Pause or resume an invocation; where the seed says so, cancel or kill it."""
        if not self.requests:
            return
        request = self.random.choice(self.requests)
        words = ["pause", "resume"] + (["cancel", "kill"] if self.cancels else [])
        word = self.random.choice(words)
        self._command(request, word)
        request.is_over = request.is_over or word in ("cancel", "kill")
        request.has_been_paused = request.has_been_paused or word == "pause"

    def _command(self, request: _Request, word: str) -> None:
        self.note(f"{word} {request.name}")
        envelope = _proto.Envelope()
        setattr(envelope, word, request.invocation)
        home = self.world.directory.home_of(InvocationId.parse(request.invocation))
        self.world.put(home, envelope)

    # --- steps ---

    def play(self) -> None:
        """Ask and let things go wrong; then heal, and see that all ends well."""
        for _ in range(_STEPS):
            if self.random.random() < 0.2 and len(self.requests) < 12:
                self._ask()
            self._step()
            if self.operates and self.random.random() < 0.1:
                self._operate()
            if self.rolls_back and self.random.random() < 0.1:
                self._roll_back()
        self.is_healed = True
        self.note("all is healed")
        self.world.skews_ms = [0, 0]
        for request in self.requests:
            if request.has_been_paused:
                self._command(request, "resume")
        self._end()

    def _roll_back(self) -> None:
        if self.random.random() < 0.5:
            self.checkpoint = self.world.checkpoint()
            self.checkpointed = len(self.requests), dict(self.sums)
            return
        if not hasattr(self, "checkpointed"):
            return
        self.note("all is rolled back to the checkpoint")
        self.world.kept = self.checkpoint
        self.checkpoint = self.world.checkpoint()
        count, self.sums = self.checkpointed[0], dict(self.checkpointed[1])
        del self.requests[count:]
        self.performed.clear()
        self.watch.forget()

    def _step(self) -> None:
        world, random = self.world, self.random
        waiting = sorted(address for address, mail in world.kept.mail.items() if mail)
        if not waiting or (random.random() < 0.15 and world.is_due_within(_SOON_MS)):
            if self.is_healed or world.is_due_within(_SOON_MS):
                world.elapse()
            else:
                self._ask()
            return
        address = random.choice(waiting)
        count = random.randrange(1, len(world.kept.mail[address]) + 1)
        worker = random.randrange(2)
        if not self.is_healed and random.random() < 0.1:
            world.skews_ms[worker] = random.choice([-5000, -300, 0, 300, 5000])
        self._turn(address, count, worker)

    def _turn(self, address: Address, count: int, worker: int) -> None:
        world, random = self.world, self.random
        trouble = not self.is_healed and random.random() < self.trouble
        fault = random.choice(["cold", "lost", "crash", "twin"]) if trouble else "none"
        if random.random() < 0.3 and fault == "none":
            fault = "twin"
        cache = world.caches[worker]
        if fault == "cold":
            cache.clear()
        cached = cache.take(*address)
        self.note(f"{address}: {count} messages on worker {worker}, {fault}")
        attempt = world.attempt(
            address, count, worker, self._run_effect, may_crash=fault == "crash", cached=cached
        )
        if attempt.waves > 1:
            raise LawBroken(f"I6: {attempt.waves} waves in a turn")
        if attempt.reply is None:
            return
        if fault == "twin" and not attempt.has_stumbled:
            self._compare(address, count, worker, attempt)
        if attempt.reply.cached is not None:
            cache.put(*address, attempt.reply.cached)
        if fault == "lost":
            return
        world.commit(address, count, attempt.reply)
        self.watch.look(world, address)
        check(world)

    def _compare(self, address: Address, count: int, worker: int, attempt: Attempt) -> None:
        """I1 and I2: without memory the turn gives the same."""
        self.replayed = list(attempt.outcomes)
        try:
            twin = self.world.attempt(address, count, worker, self._repeat_effect)
        finally:
            left, self.replayed = self.replayed, None
        if left:
            raise LawBroken(f"I1: {len(left)} effects are not asked for from the journal")
        if twin.reply is None or attempt.reply is None:
            raise LawBroken("I1: there is no reply from the journal")
        same_replies(attempt.reply, twin.reply)
        if twin.reply.cached is not None:
            twin.reply.cached.close()

    def _repeat_effect(self, _: Ready) -> bytes | BaseException:
        if not self.replayed:
            raise LawBroken("I1: an effect is asked for from the journal alone")
        return self.replayed.pop(0)

    def _run_effect(self, ready: Ready) -> bytes | BaseException:
        self.running = ready
        try:
            if not self.is_healed and self.random.random() < self.failing:
                return OSError("the effect failed")
            return ready.effect.encode(ready.effect.begin())
        except TerminalError as error:
            return error
        finally:
            self.running = None

    # --- the end ---

    def _end(self) -> None:
        for _ in range(1500):
            self._approve()
            if not any(self.world.kept.mail.values()) and not self.world.kept.delayed:
                break
            self._step()
        else:
            raise LawBroken("it does not come to an end")
        self._answers()
        if not self.cancels:  # who was cancelled has added something or nothing
            self._sums()
        self._leftovers()
        if not self.rolls_back:
            self._chains()

    def _approve(self) -> None:
        """Complete what only waits for an approval, so that everything can end."""
        if any(self.world.kept.mail.values()) or len(self.world.kept.delayed) > 2:
            return
        for address, values in tuple(self.world.kept.state.items()):
            if address[0] == "d/Approval" and "promises" not in values and "journal0" in values:
                self._request(
                    self.programs.give, 7, address[1], lambda answer: isinstance(answer, bool)
                )

    def _answers(self) -> None:
        for request in self.requests:
            found = self.world.kept.answers.get(request.name, [])
            if len(found) != 1:
                raise LawBroken(f"I8: {len(found)} answers to {request.name}")
            outcome = _proto.Outcome.FromString(found[0])
            failure = failure_of(outcome)
            answer = failure.status_code if failure else json.loads(outcome.value or b"null")
            if not request.answer_of(answer) and not (self.cancels and answer == 409):
                raise LawBroken(f"the answer to {request.name} is {answer or failure}")

    def _sums(self) -> None:
        for key, expected in self.sums.items():
            values = self.world.kept.state.get(("d/Counter", key), {})
            entries = _proto.Entries.FromString(values.get("entries", b"")).entries
            total = int(entries.get("total", b"0"))
            wanted = expected
            if key == "once":
                wanted = sum(by for by in range(8) if expected >> by & 1)
            if total != wanted:
                raise LawBroken(f"I3: {key} has {total}, and {wanted} was added")

    def _leftovers(self) -> None:
        for address, values in self.world.kept.state.items():
            stays = {"d/Approval": {"promises"}, "d/Counter": {"entries"}}
            if left := values.keys() - stays.get(address[0], set()):
                raise LawBroken(f"I8: {sorted(left)} are left at {address}")

    def _chains(self) -> None:
        """Strict effects: no effect has ever acted on a result that was superseded."""
        for execution, made in self.performed.items():
            for name in ("second", "side"):
                if len(made.get(name, ())) > 1:
                    raise LawBroken(f"strict: {name} of {execution} was given {made[name]}")
