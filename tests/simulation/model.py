"""The reference: what a runtime must do, said a second time and in another way.

Law: nothing here knows how the engine works. What happens is a log of events; the state of the
world is what a replay of the log gives, and what is durable is a replay of its beginning, up to the
last commit that reached the store. A crash cuts the log there.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from tests.simulation.language import Cancel

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from statefun.sdk.address import Address
    from tests.simulation.language import Delay, Effects, Function, Spec

__all__ = [
    "Came",
    "Delivered",
    "Event",
    "Fired",
    "GivenUp",
    "Model",
    "Read",
    "Released",
    "Replayed",
    "Turn",
    "World",
]


class Came(NamedTuple):
    """A message came from outside, for the first time under its key."""

    target: Address
    message: str
    key: str


class Turn(NamedTuple):
    """A function's reply was applied: so many of its messages are done."""

    address: Address
    done: int
    effects: Effects
    now_ms: int


class Fired(NamedTuple):
    """Timers became due."""

    now_ms: int


class Read(NamedTuple):
    """A request was built: so its address's values were looked at."""

    address: Address
    specs: tuple[Spec, ...]
    now_ms: int


class Delivered(NamedTuple):
    """The outside world has a record."""

    record: str


class GivenUp(NamedTuple):
    """The next message of an address was given up."""

    address: Address
    fate: str


class Released(NamedTuple):
    """An address is held no more."""

    address: Address


class Replayed(NamedTuple):
    """A dead letter was sent again."""

    message: str


Event: TypeAlias = Came | Turn | Fired | Read | Delivered | GivenUp | Released | Replayed


class Waiting(NamedTuple):
    """A message in the queue of an address."""

    message: str
    caller: Address | None


class Alarm(NamedTuple):
    """A delayed message; sorts as it fires."""

    due_ms: int
    order: int
    sender: Address
    target: Address
    message: str
    token: str


class Stored(NamedTuple):
    """A value, and since when it is untouched."""

    data: bytes
    touched_ms: int


@dataclass
class World:
    """What a replay gives.

    Attributes:
        specs: What the functions declare, by typename.
        queues: The messages of each address, in order.
        values: The values of each address.
        alarms: The delayed messages, in no order.
        records: The records that the outside world does not have, in order.
        done: The messages that were worked on, in order.
        dropped: Those that were given up and forgotten.
        letters: Those that were given up and kept, and whom they were for.
        parked: The addresses that are held.
        receipts: The keys of messages from outside.
    """

    specs: Mapping[str, Mapping[str, Spec]]
    queues: dict[Address, deque[Waiting]] = field(default_factory=dict)
    values: dict[Address, dict[str, Stored]] = field(default_factory=dict)
    alarms: list[Alarm] = field(default_factory=list)
    records: dict[str, int] = field(default_factory=dict)
    done: list[str] = field(default_factory=list)
    dropped: list[str] = field(default_factory=list)
    letters: dict[str, tuple[Address, Address | None]] = field(default_factory=dict)
    parked: set[Address] = field(default_factory=set)
    receipts: set[tuple[Address, str]] = field(default_factory=set)
    count: int = 0

    def apply(self, event: Event) -> None:
        match event:
            case Came(target, message, key):
                self._enqueue(target, message, None)
                if key:
                    self.receipts.add((target, key))
            case Turn(address, done, effects, now_ms):
                self._turn(address, done, effects, now_ms)
            case Fired(now_ms):
                for alarm in self.due(now_ms):
                    self.alarms.remove(alarm)
                    self._enqueue(alarm.target, alarm.message, alarm.sender)
            case Read(address, specs, now_ms):
                self._read(address, specs, now_ms)
            case Delivered(record):
                self.records.pop(record, None)
            case _:
                self._apply_failure(event)

    def _apply_failure(self, event: GivenUp | Released | Replayed) -> None:
        match event:
            case GivenUp(address, fate):
                self._give_up(address, fate)
            case Released(address):
                self.parked.discard(address)
            case Replayed(message):
                target, caller = self.letters.pop(message)
                self._enqueue(target, message, caller)

    def due(self, now_ms: int) -> list[Alarm]:
        """The delayed messages whose time has come, as they fire."""
        return sorted(alarm for alarm in self.alarms if alarm.due_ms <= now_ms)

    def seen(self, address: Address, names: Iterable[str], now_ms: int) -> dict[str, bytes | None]:
        """The named values as a function may see them."""
        values = self.values.get(address, {})
        seen: dict[str, bytes | None] = {}
        for name in names:
            stored = values.get(name)
            alive = stored is not None and not self._is_expired(address, name, stored, now_ms)
            seen[name] = stored.data if alive and stored else None
        return seen

    def collides(self, sender: Address, effects: Effects) -> bool:
        """Whether the effects use a token that waits, which no runtime accepts."""
        pending = {alarm.token for alarm in self.alarms if alarm.sender.id == sender.id}
        for each in effects.delayed:
            if isinstance(each, Cancel):
                pending.discard(each.token)
            elif each.token:
                if each.token in pending:
                    return True
                pending.add(each.token)
        return False

    def _enqueue(self, target: Address, message: str, caller: Address | None) -> None:
        self.queues.setdefault(target, deque()).append(Waiting(message, caller))

    def _give_up(self, address: Address, fate: str) -> None:
        if fate == "park":
            self.parked.add(address)
            return
        message, caller = self.queues[address].popleft()
        if fate == "drop":
            self.dropped.append(message)
        else:
            self.letters[message] = address, caller

    def _turn(self, address: Address, done: int, effects: Effects, now_ms: int) -> None:
        queue = self.queues[address]
        for _ in range(done):
            self.done.append(queue.popleft().message)
        values = self.values.setdefault(address, {})
        for name, data in effects.changes.items():
            if data is None:
                values.pop(name, None)
            else:
                values[name] = Stored(data, now_ms)
        for target, message in effects.messages:
            self._enqueue(target, message, address)
        for each in effects.delayed:
            self._delay(address, each, now_ms)
        for record in effects.egress:
            self.count += 1
            self.records[record] = self.count

    def _delay(self, sender: Address, step: Delay | Cancel, now_ms: int) -> None:
        if isinstance(step, Cancel):
            self.alarms = [
                alarm
                for alarm in self.alarms
                if (alarm.sender.id, alarm.token) != (sender.id, step.token)
            ]
            return
        self.count += 1
        self.alarms.append(
            Alarm(now_ms + step.delay_ms, self.count, sender, step.target, step.message, step.token)
        )

    def is_touched(self, read: Read) -> bool:
        """Whether building a request changes anything."""
        values = self.values.get(read.address, {})
        return any(
            spec.name in values
            and (
                spec.used_ms
                or self._is_expired(read.address, spec.name, values[spec.name], read.now_ms)
            )
            for spec in read.specs
        )

    def _read(self, address: Address, specs: tuple[Spec, ...], now_ms: int) -> None:
        values = self.values.get(address, {})
        for spec in specs:
            stored = values.get(spec.name)
            if stored is None:
                continue
            if self._is_expired(address, spec.name, stored, now_ms):
                del values[spec.name]
            elif spec.used_ms:
                values[spec.name] = Stored(stored.data, now_ms)

    def _is_expired(self, address: Address, name: str, stored: Stored, now_ms: int) -> bool:
        spec = self.specs[address.typename][name]
        expires_ms = spec.written_ms or spec.used_ms
        return bool(expires_ms) and stored.touched_ms + expires_ms <= now_ms


class Model:
    """The log, how much of it is durable, and the world as it is now.

    Args:
        functions: The functions by typename.

    Attributes:
        log: What happened and was not undone by a crash.
        durable: So many events of it are stored.
        covered: So many are in the commit that began last.
        world: What a replay of the log gives.
        origin: So long was the log when a message from outside had come, or a record had been sent.
    """

    def __init__(self, functions: Mapping[str, Function]) -> None:
        self.specs = {
            typename: {spec.name: spec for spec in function.specs}
            for typename, function in functions.items()
        }
        self.log: list[Event] = []
        self.durable = 0
        self.covered = 0
        self.world = World(self.specs)
        self.origin: dict[str, int] = {}

    def happen(self, event: Event) -> None:
        """Add to the log."""
        self.log.append(event)
        self.world.apply(event)
        if isinstance(event, Came):
            self.origin[event.message] = len(self.log)
        elif isinstance(event, Turn):
            for record in event.effects.egress:
                self.origin[record] = len(self.log)

    def is_durable(self, name: str) -> bool:
        """Whether a message from outside, or a record, is in the store or has been."""
        return self.origin.get(name, len(self.log) + 1) <= self.durable

    def crash(self) -> None:
        """Forget what is not durable."""
        del self.log[self.durable :]
        self.covered = self.durable
        self.origin = {name: at for name, at in self.origin.items() if at <= self.durable}
        self.world = self.replay(self.durable)

    def replay(self, events: int) -> World:
        """The world after so many events."""
        world = World(self.specs)
        for event in self.log[:events]:
            world.apply(event)
        return world
