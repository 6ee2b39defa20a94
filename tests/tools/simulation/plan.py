"""Plans: everything that is going to happen in one simulation, drawn from its seed.

Law: a plan is data. What it leaves open, such as how long one call takes, is drawn by a key from
the same seed, so taking one thing out of a plan leaves the rest as it was.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import timedelta
from random import Random
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar
from zlib import crc32

from statefun.runtime.engine.policy import FailurePolicy, Limits, Outcome, Retention
from statefun.runtime.engine.retry import Backoff
from statefun.runtime.engine.timers import Pages
from statefun.sdk.address import Address
from tests.tools.simulation.language import (
    OTHER,
    VALUE,
    Cancel,
    Delay,
    Emit,
    Fail,
    Forget,
    Function,
    Note,
    Send,
    Spec,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.tools.simulation.language import Step

__all__ = [
    "EDITS",
    "LONGEST_MS",
    "POINTS",
    "Arrival",
    "Blackout",
    "Crash",
    "Deployment",
    "Edit",
    "Jump",
    "Left",
    "Outage",
    "Plan",
    "Sleeper",
    "Weather",
    "plan_of",
]

POINTS = (
    "before a commit begins",
    "after a commit began",
    "before the write",
    "after the write",
    "before the release",
    "after a message was acknowledged",
    "after records were handed over",
    "after a record was delivered",
    "after requests were built",
    "before a reply is applied",
    "after a reply was applied",
    "after timers fired",
    "after a message came",
    "after an edit",
    "after recovery",
)
"""Where a process can end."""

_AFTER_COMMITS = (
    "after the write",
    "before the release",
    "after a message was acknowledged",
    "after records were handed over",
)

T = TypeVar("T")

_FUNCTIONS = ("s/a", "s/b", "s/c")
_TOKENS = ("", "x", "x", "y")
_VALUES = ("plain", "written", "used")
_MOST_MESSAGES = 60
_OUTCOMES: tuple[Outcome, ...] = (*("dead-letter", "pause") * 2, "drop", "fail")
_ENDING: tuple[Outcome, ...] = ("dead-letter", "drop")
"""These let an address go on without the message."""
_TOPICS = ("p", "q", "r")
LONGEST_MS = 400
"""The longest wait before an attempt."""
_BACKOFF = Backoff(first=timedelta(milliseconds=20), longest=timedelta(milliseconds=LONGEST_MS))
_HEAVY = 40
"""Bytes that are added to what is to be too long for some limits."""

EDITS = ("set", "set", "delete", "cancel", "replay", "drop", "release", "wait")
"""What an operator does; `wait` until nothing is to do."""

_A_DAY_MS = 24 * 3_600_000


class Arrival(NamedTuple):
    """A message from outside.

    Attributes:
        key: Its idempotency key; then it is sent again until it is acknowledged, and sometimes
            after that.
    """

    at_ms: int
    target: Address
    message: str
    key: str = ""


class Crash(NamedTuple):
    """The process ends when it is at a point for the so-manieth time, and comes back later."""

    point: str
    times: int
    down_ms: int


class Jump(NamedTuple):
    """The clock is set, forwards or backwards."""

    at_ms: int
    by_ms: int


class Edit(NamedTuple):
    """Somebody looks at what is stored, and changes it by hand a moment later.

    Attributes:
        kind: One of `EDITS`.
        which: From 0 up to 1: which of the things that are there; all of them from 0.8 on.
        hesitates_ms: How long after the look.
    """

    at_ms: int
    kind: str
    which: float
    hesitates_ms: int


class Deployment(NamedTuple):
    """What one process, and each before it, knows of the functions; the last knows all of them.

    Attributes:
        functions: Those that are there, which may declare other values than later.
        apart: Those that have an endpoint of their own.
        has_egress: Whether the egress is there.
    """

    functions: Mapping[str, Function]
    apart: tuple[str, ...] = ()
    has_egress: bool = True


class Left(NamedTuple):
    """A value that an earlier version of a function left."""

    address: Address
    name: str
    typename: str


class Sleeper(NamedTuple):
    """A delayed message that was there before."""

    sender: Address
    delay: Delay


class Blackout(NamedTuple):
    """A time in which no connection can be made."""

    from_ms: int
    to_ms: int


class Outage(NamedTuple):
    """A time in which no commit succeeds; some are stored nevertheless."""

    from_ms: int
    to_ms: int
    are_stored: bool


@dataclass(frozen=True)
class Weather:
    """How likely it is that a call goes another way than well, each from 0 to 1.

    Attributes:
        unreachable: No connection can be made.
        fails: The function raises.
        garbage: The reply is none.
        lost: The function runs, the reply does not come.
        late: The call fails, and its reply comes after all.
        twice: The reply comes twice.
        slow: The reply takes long.
        load_fails: Values cannot be loaded, which ends the process.
    """

    unreachable: float = 0
    fails: float = 0
    garbage: float = 0
    lost: float = 0
    late: float = 0
    twice: float = 0
    slow: float = 0
    load_fails: float = 0


@dataclass(frozen=True)
class Plan:
    """What is going to happen.

    Attributes:
        seed: What it was drawn from.
        functions: The functions by typename.
        programs: What a function does on a message, by the message's name.
        arrivals: The messages from outside.
        crashes: Where the processes end, one after another.
        stops: When a process is stopped in an orderly way.
        jumps: How the clock is set.
        outages: When the store fails.
        blackouts: When no function can be reached.
        weather: How calls go.
        max_resident: So many addresses an engine keeps in memory.
        max_resident_bytes: Values of so many bytes likewise.
        commit_ms: How long a commit takes, at most.
        is_blocking: Whether commits happen beside the event loop.
        then: What becomes of a message that used up its attempts, by function.
        topics: The policies of the topics of ingresses.
        origins: The topics of those messages from outside that have one.
        isolate_after: After so many failures a batch is taken apart.
        limits: How much there may be of anything.
        letters: How long dead letters are kept.
        receipts: How long idempotency keys are known.
        max_waiting_bytes: How much there may be for all addresses together.
        edits: What is changed by hand.
        deployments: What the processes know of the functions, one after another; those after them
            know what `functions` says.
        left: The values that were there before.
        sleepers: The delayed messages that were there before.
    """

    seed: int
    functions: Mapping[str, Function]
    programs: Mapping[str, tuple[Step, ...]]
    arrivals: tuple[Arrival, ...]
    crashes: tuple[Crash, ...]
    stops: tuple[int, ...]
    jumps: tuple[Jump, ...]
    outages: tuple[Outage, ...]
    blackouts: tuple[Blackout, ...]
    weather: Weather
    max_resident: int
    max_resident_bytes: int
    commit_ms: int
    is_blocking: bool
    then: Mapping[str, Outcome]
    isolate_after: int
    limits: Limits
    letters: Retention
    receipts: Retention
    max_waiting_bytes: int
    edits: tuple[Edit, ...]
    deployments: tuple[Deployment, ...]
    topics: Mapping[str, FailurePolicy] = field(default_factory=dict)
    origins: Mapping[str, str] = field(default_factory=dict)
    left: tuple[Left, ...] = ()
    sleepers: tuple[Sleeper, ...] = ()

    def draw(self, *key: object) -> float:
        """A number from 0 up to 1 for a key; always the same."""
        mixed = crc32(repr(key).encode(), self.seed & 0xFFFFFFFF) * 0x9E3779B1 & 0xFFFFFFFF
        mixed ^= mixed >> 15
        return (mixed * 0x85EBCA6B & 0xFFFFFFFF) / (1 << 32)

    def pick(self, most_ms: int, *key: object) -> int:
        """A duration for a key, in steps of 10 ms so that things coincide; often none."""
        return max(0, int((self.draw(*key) * 2 - 1) * (most_ms // 10 + 1))) * 10

    def is_local(self, arrival: Arrival) -> bool:
        """Whether a message is sent from the process itself."""
        return not arrival.key and self.draw("local", arrival.message) < 0.5

    def is_sourced(self, arrival: Arrival) -> bool:
        """Whether a message is a record of the source that has positions."""
        may_be = not (arrival.key or self.is_local(arrival))
        return may_be and self.draw("sourced", arrival.message) < 0.6

    def egress_room(self) -> int:
        """So many records the egress takes at a time before it pushes back."""
        return (1, 3, 1000, 1000)[int(self.draw("egress room") * 4)]

    def timer_pages(self) -> Pages:
        """How an engine reads the timers of the store."""
        size = (1, 2, 1000)[int(self.draw("timers at a time") * 3)]
        return Pages(size, (0, 50, 300_000)[int(self.draw("timers ahead") * 3)])

    def origin(self, message: str) -> str:
        """The topic that a message came from, empty for none."""
        return self.origins.get(message, "")

    def failure(self, typename: str) -> FailurePolicy:
        """The policy of a function."""
        return FailurePolicy(self.then[typename], _BACKOFF, self.isolate_after)

    def policy(self, typename: str, message: str) -> FailurePolicy:
        """The policy of a message to a function."""
        return self.topics.get(self.origin(message)) or self.failure(typename)

    def deployment(self, number: int) -> Deployment:
        """What a process knows of the functions; the first is 0."""
        if number < len(self.deployments):
            return self.deployments[number]
        return Deployment(self.functions)

    @property
    def end_ms(self) -> int:
        """When everything should long be done."""
        back = sum(-jump.by_ms for jump in self.jumps if jump.by_ms < 0)
        return 400_000 + back

    def reached(self) -> dict[str, tuple[Step, ...]]:
        """The programs of the messages that can come."""
        reached: dict[str, tuple[Step, ...]] = {}
        ahead = [arrival.message for arrival in self.arrivals]
        ahead += [sleeper.delay.message for sleeper in self.sleepers]
        while ahead:
            message = ahead.pop()
            steps = reached[message] = self.programs[message]
            ahead += [each.message for each in steps if isinstance(each, Send | Delay)]
        return reached

    def cuts(self) -> list[tuple[str, object]]:
        """What can be taken out, bigger things first; for `without`."""
        happenings = (
            "arrivals crashes stops jumps outages blackouts edits deployments left sleepers"
        )
        cuts: list[tuple[str, object]] = [
            (name, each) for name in happenings.split() for each in getattr(self, name)
        ]
        cuts += [("weather", kind) for kind, chance in vars(self.weather).items() if chance]
        cuts += [("commit_ms", 0)] if self.commit_ms else []
        reached = self.reached().items()
        return cuts + [
            ("programs", (message, step)) for message, steps in reached for step in steps
        ]

    def without(self, cut: tuple[str, Any]) -> Plan:
        """A plan with one thing less, or the same if it is not there."""
        name, what = cut
        if name == "weather":
            return replace(self, weather=replace(self.weather, **{what: 0}))
        if name == "commit_ms":
            return replace(self, commit_ms=0)
        if name == "programs":
            message, step = what
            steps = _without(self.programs[message], step)
            return replace(self, programs={**self.programs, message: steps})
        changed: dict[str, Any] = {name: _without(getattr(self, name), what)}
        return replace(self, **changed)


def _without(things: tuple[T, ...], thing: T) -> tuple[T, ...]:
    at = things.index(thing) if thing in things else len(things)
    return things[:at] + things[at + 1 :]


def plan_of(seed: int) -> Plan:
    """The plan of a seed."""
    chance = Random(seed)
    functions = {typename: _function(chance) for typename in _FUNCTIONS}
    ids = ("1", "2", "ü")[: chance.randint(1, 3)]
    addresses = [Address(typename, each) for typename in _FUNCTIONS for each in ids]
    then = _policies(chance)
    writer = _Writer(chance, addresses, functions, then)
    keyed = chance.choice((0, 0, 0.5, 1))
    has_topics = chance.random() < 0.4
    is_narrow = chance.random() < (0.5 if has_topics else 0.15)
    targets = [chance.choice(addresses)] if is_narrow else addresses
    arrivals = tuple(_arrival(chance, targets, writer, keyed) for _ in range(chance.randint(2, 14)))
    is_blocking = chance.random() < 0.85
    outages = _outages(chance) if is_blocking else ()
    plan = Plan(
        seed,
        functions,
        writer.programs,
        tuple(sorted(arrivals)),
        _crashes(chance, outages),
        tuple(chance.randrange(60) * 10 for _ in range(chance.random() < 0.2)),
        _jumps(chance),
        outages,
        _blackouts(chance),
        _weather(chance),
        chance.choice((1, 2, 100, 100)),
        chance.choice((0, 50, 1 << 20)),
        chance.choice((0, 10, 50)),
        is_blocking,
        then,
        chance.choice((1, 2, 4)),
        _limits(chance),
        Retention(chance.choice((1, 2, None, None)), _age(chance.choice((100, 1000, None, None)))),
        Retention(
            chance.choice((1, 3, 100_000)), _age(chance.choice((50, 500, _A_DAY_MS, _A_DAY_MS)))
        ),
        chance.choice((4_000, 10_000, 1 << 30, 1 << 30)),
        _edits(chance),
        _deployments(chance, functions),
    )
    plan = _with_sleepers(_with_types(plan), writer)
    return _with_topics(plan) if has_topics else plan


def _with_topics(plan: Plan) -> Plan:
    """Let most messages from outside come from topics, often several at once from the same.

    None that can never succeed is from one that would try it for ever.
    """
    chance = Random(plan.seed)
    topics = {topic: _topic_policy(chance) for topic in _TOPICS}
    ending = [topic for topic, policy in topics.items() if policy.on_exhausted in _ENDING]
    origins, latest = {}, ""
    for arrival in plan.arrivals:
        possible = ending if plan.then[arrival.target.typename] in _ENDING else _TOPICS
        if possible and not plan.is_local(arrival) and chance.random() < 0.8:
            is_same = latest in possible and chance.random() < 0.6
            latest = origins[arrival.message] = latest if is_same else chance.choice(possible)
    plan = replace(plan, topics=topics, origins=origins)
    return _crowded(plan, chance) if chance.random() < 0.5 else plan


def _crowded(plan: Plan, chance: Random) -> Plan:
    """Let all messages come at once, and more of them fail."""
    arrivals = tuple(each._replace(at_ms=plan.arrivals[0].at_ms) for each in plan.arrivals)
    failing = {each.message for each in arrivals if chance.random() < 0.3}
    programs = {
        message: (*steps, Fail(chance.random() < 0.5)) if message in failing else steps
        for message, steps in plan.programs.items()
    }
    return replace(plan, arrivals=arrivals, programs=programs)


def _topic_policy(chance: Random) -> FailurePolicy:
    attempts, isolate_after = chance.choice((1, 3, 8)), chance.choice((1, 2, 4))
    return FailurePolicy(
        chance.choice(_OUTCOMES), replace(_BACKOFF, attempts=attempts), isolate_after
    )


def _policies(chance: Random) -> dict[str, Outcome]:
    """One for all functions, or each its own."""
    if chance.random() < 0.5:
        return dict.fromkeys(_FUNCTIONS, chance.choice(_OUTCOMES))
    return {typename: chance.choice(_OUTCOMES) for typename in _FUNCTIONS}


class _Writer:
    """Writes programs; each message leads to others, up to a depth."""

    def __init__(
        self,
        chance: Random,
        addresses: list[Address],
        functions: Mapping[str, Function],
        then: Mapping[str, Outcome],
    ) -> None:
        self.programs: dict[str, tuple[Step, ...]] = {}
        self._chance = chance
        self._addresses = addresses
        self._functions = functions
        self._token = chance.random() * 0.8
        self._poison = chance.random() * 0.3 if chance.random() < 0.5 else 0
        self._careless = 0.7 if chance.random() < 0.4 else 0
        self._wrong = chance.choice((0, 0, 0, 0.1))
        self._heavy = chance.choice((0, 0, 0.1, 0.4))
        self._hopeless = [each for each, fate in then.items() if fate in _ENDING]
        self._count = 0

    def write(self, target: Address, depth: int = 0, sender: Address | None = None) -> str:
        """The name of a new message for `target`."""
        self._count += 1
        name = f"m{self._count}"
        may_be_heavy = sender is None or self._may_fail(sender)
        if may_be_heavy and self._may_fail(target) and self._chance.random() < self._heavy:
            name += "." * _HEAVY
        steps: list[Step] = []
        values = [spec.name for spec in self._functions[target.typename].specs]
        for _ in range(self._chance.choice((1, 1, 2, 3))):
            step = self._step(target, values, depth)
            is_careless = self._may_fail(target) and self._chance.random() < self._careless
            if isinstance(step, Delay) and step.token and not is_careless:
                steps.append(Cancel(step.token))  # a pending token would make the reply invalid
            if step is not None:
                steps.append(step)
        if self._may_fail(target) and self._chance.random() < self._wrong:
            wrong = Cancel(""), Delay(-1, target, self.write(target, 99, target))
            steps.append(self._chance.choice(wrong))
        if self._chance.random() < self._poison:
            steps.append(Fail(self._chance.random() < 0.5))
        self.programs[name] = tuple(steps)
        return name

    def _step(self, sender: Address, values: list[str], depth: int) -> Step | None:
        chance, drawn = self._chance, self._chance.random()
        if drawn < 0.5:
            return self._step_here(sender, values, drawn)
        if depth > 2 or self._count > _MOST_MESSAGES:
            return None
        target = sender if chance.random() < 0.25 else chance.choice(self._addresses)
        message = self.write(target, depth + 1, sender)
        if drawn < 0.75:
            condition = chance.choice(values) if values and chance.random() < 0.2 else ""
            return Send(target, message, condition)
        delay_ms = chance.choice((0, 0, 10, 20, 50, 100, 100, 200, 1000))
        token = chance.choice(_TOKENS) if chance.random() < self._token else ""
        return Delay(delay_ms, target, message, token)

    def _may_fail(self, address: Address) -> bool:
        """Whether what can never succeed comes to an end here."""
        return address.typename in self._hopeless

    def _step_here(self, sender: Address, values: list[str], drawn: float) -> Step:
        """A step that sends to no function."""
        value = self._chance.choice(values) if values else ""
        if value and drawn < 0.3:
            is_heavy = self._may_fail(sender) and self._chance.random() < self._heavy
            return Note(value, _HEAVY * is_heavy)
        if value and drawn < 0.34:
            return Forget(value)
        return Emit(value) if drawn < 0.45 else Cancel(self._chance.choice(_TOKENS[2:]))


def _arrival(chance: Random, addresses: list[Address], writer: _Writer, keyed: float) -> Arrival:
    target = chance.choice(addresses)
    message = writer.write(target)
    key = f"key of {message}" if chance.random() < keyed else ""
    if key and chance.random() < 0.2:
        key = "a key that others use"
    return Arrival(chance.randrange(40) * 10, target, message, key)


def _age(millis: int | None) -> timedelta | None:
    return None if millis is None else timedelta(milliseconds=millis)


def _limits(chance: Random) -> Limits:
    return Limits(
        max_batch=chance.choice((1, 2, 3, 1000, 1000)),
        max_batch_bytes=chance.choice((30, 36, 54, 100, 1 << 20, 1 << 20)),
        max_waiting=chance.choice((2, 10_000, 10_000)),
        max_waiting_bytes=chance.choice((36, 100, 1 << 20, 1 << 20)),
        max_message_bytes=chance.choice((57, 58, 1 << 20, 1 << 20)),
        max_value_bytes=chance.choice((40, 1 << 20)),
    )


def _edits(chance: Random) -> tuple[Edit, ...]:
    count = chance.choice((0, 0, 1, 3, 8))
    edits = (
        Edit(
            chance.randrange(100) * 10,
            chance.choice(EDITS),
            chance.random(),
            chance.choice((0, 0, 10, 50)),
        )
        for _ in range(count)
    )
    return tuple(sorted(edits))


def _deployments(chance: Random, functions: Mapping[str, Function]) -> tuple[Deployment, ...]:
    return tuple(
        Deployment(
            {
                typename: function if chance.random() < 0.5 else _other_function(chance)
                for typename, function in functions.items()
                if chance.random() < 0.8
            },
            tuple(each for each in _FUNCTIONS if chance.random() < 0.3),
            chance.random() < 0.8,
        )
        for _ in range(chance.choice((0, 0, 0, 1, 2)))
    )


def _function(chance: Random) -> Function:
    specs = {
        "plain": Spec("plain"),
        "written": Spec("written", written_ms=chance.choice((10, 50, 100, 300))),
        "used": Spec("used", used_ms=chance.choice((10, 50, 100, 300))),
    }
    names = chance.sample(_VALUES, chance.choice((0, 1, 2, 3)))
    return Function(tuple(specs[name] for name in names), chance.random() < 0.3)


def _other_function(chance: Random) -> Function:
    """An older version of a function."""
    return replace(_function(chance), asks_in_vain=chance.random() < 0.1)


def _typed(function: Function, chance: Random, *, reads_all: bool) -> Function:
    """A version of a function that declares its values as these or those types."""

    def typed(spec: Spec) -> Spec:
        typename, other = chance.sample((VALUE, OTHER), 2)
        return spec._replace(
            typename=typename, upgrades=(other,) if reads_all or chance.random() < 0.2 else ()
        )

    return replace(function, specs=tuple(map(typed, function.specs)))


def _with_types(plan: Plan) -> Plan:
    """Let deployments change the types of values; the last can read all of them."""
    chance = Random(plan.seed ^ 0xBAD)
    deployments = tuple(
        each._replace(
            functions={
                name: _typed(function, chance, reads_all=False)
                for name, function in each.functions.items()
            }
        )
        for each in plan.deployments
    )
    functions = {
        name: _typed(function, chance, reads_all=True) for name, function in plan.functions.items()
    }
    names = {typename: function.specs for typename, function in plan.functions.items()}
    for each in deployments[:1]:
        names |= {typename: function.specs for typename, function in each.functions.items()}
    targets = sorted({arrival.target for arrival in plan.arrivals})
    left = tuple(
        Left(target, spec.name, chance.choice((VALUE, OTHER)))
        for target in targets
        for spec in names[target.typename]
        if deployments and chance.random() < 0.3
    )
    return replace(plan, functions=functions, deployments=deployments, left=left)


def _with_sleepers(plan: Plan, writer: _Writer) -> Plan:
    """Let delayed messages be there from the start, more of them than an engine reads at once."""
    chance = Random(plan.seed ^ 0xBED)
    targets = sorted({arrival.target for arrival in plan.arrivals})
    sleepers: list[Sleeper] = []
    pending: set[tuple[str, str]] = set()
    for _ in range(chance.choice((0, 0, 0, 3, 8))):
        sender, target, token = chance.choice(targets), chance.choice(targets), chance.choice("xy")
        token = token if chance.random() < 0.7 and (sender.id, token) not in pending else ""
        pending.add((sender.id, token))
        delay_ms = chance.choice((0, 100, 100, 200, 300, 400, 1000, 5000))
        sleepers.append(Sleeper(sender, Delay(delay_ms, target, writer.write(target, 3), token)))
    return replace(plan, sleepers=tuple(sleepers))


def _crashes(chance: Random, outages: tuple[Outage, ...]) -> tuple[Crash, ...]:
    """Crashes anywhere; after an outage more often right after the commit that succeeded."""
    points = POINTS if not outages or chance.random() < 0.5 else _AFTER_COMMITS
    return tuple(
        Crash(chance.choice(points), min(chance.randint(1, 12), chance.randint(1, 12)), down_ms)
        for _ in range(chance.choice((0, 0, 1, 1, 2, 4)))
        for down_ms in [chance.choice((0, 0, 10, 100, 2000))]
    )


def _jumps(chance: Random) -> tuple[Jump, ...]:
    sizes = (-5000, -100, -10, 10, 100, 5000, 3_600_000)
    return tuple(
        Jump(chance.randrange(60) * 10, chance.choice(sizes))
        for _ in range(chance.choice((0, 0, 0, 1, 2)))
    )


def _outages(chance: Random) -> tuple[Outage, ...]:
    begins = sorted(chance.randrange(60) * 10 for _ in range(chance.choice((0, 0, 1, 2))))
    return tuple(
        Outage(begin, begin + chance.choice((10, 50, 1500, 2500)), chance.random() < 0.5)
        for begin in begins
    )


def _blackouts(chance: Random) -> tuple[Blackout, ...]:
    begins = sorted(chance.randrange(60) * 10 for _ in range(chance.choice((0, 0, 0, 0, 1, 2))))
    return tuple(Blackout(begin, begin + chance.choice((50, 500, 4000))) for begin in begins)


def _weather(chance: Random) -> Weather:
    def sometimes(most: float) -> float:
        return chance.random() * most if chance.random() < 0.35 else 0

    return Weather(
        unreachable=sometimes(0.4),
        fails=sometimes(0.4),
        garbage=sometimes(0.2),
        lost=sometimes(0.4),
        late=sometimes(0.4),
        twice=sometimes(0.5),
        slow=sometimes(0.5),
        load_fails=sometimes(0.1) if chance.random() < 0.3 else 0,
    )
