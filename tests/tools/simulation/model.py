"""The reference: what a runtime must do, said a second time and in another way.

Law: nothing here knows how the engine works. What happens is a log of events; the state of the
world is what a replay of the log gives, and what is durable is a replay of its beginning, up to the
last commit that reached the store. A crash cuts the log there.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from statefun.runtime.engine.policy import WAITING_BYTES
from tests.tools.simulation.language import VALUE, Cancel, Delay, argument_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sized

    from statefun.runtime.engine.policy import Limits, Retention
    from statefun.sdk.address import Address
    from tests.tools.simulation.language import Effects, Spec

__all__ = [
    "Aged",
    "Attempts",
    "Came",
    "Cancelled",
    "Changed",
    "Delivered",
    "Dropped",
    "Event",
    "Failed",
    "Fired",
    "GivenUp",
    "Model",
    "Moved",
    "Read",
    "Released",
    "Replayed",
    "Restarted",
    "Resumed",
    "Slept",
    "Turn",
    "World",
    "mistake",
    "size_of",
]


HELD = {"pause": "failure", "hold": "unreadable-value"}
"""The fates that hold an address, and why it is then."""


class Came(NamedTuple):
    """A message came from outside, for the first time under its key."""

    target: Address
    message: str
    key: str
    now_ms: int


class Moved(NamedTuple):
    """The source has been read up to a position, together with what came just before."""

    position: int


class Turn(NamedTuple):
    """A function's reply was applied: so many of its messages are done.

    Attributes:
        specs: The values that it declares, by name.
    """

    address: Address
    done: int
    effects: Effects
    now_ms: int
    specs: Mapping[str, Spec]


class Fired(NamedTuple):
    """So many timers fired that were due."""

    now_ms: int
    fired: int


class Read(NamedTuple):
    """A request was built: so its address's values were looked at."""

    address: Address
    specs: tuple[Spec, ...]
    now_ms: int


class Delivered(NamedTuple):
    """The outside world has a record."""

    record: str


class GivenUp(NamedTuple):
    """The next message of an address was given up, after so many attempts.

    Attributes:
        number: The number of the message.
        first_ms: When the first attempt failed.
    """

    address: Address
    fate: str
    number: int
    attempts: int
    first_ms: int
    now_ms: int


class Attempts(NamedTuple):
    """What a process that takes over knows of a batch that failed; see `FailureState`.

    Attributes:
        size: How many messages the next request has; 0 if that is not known.
    """

    attempts: int
    apart: int
    cut: int
    parts: tuple[tuple[int, int], ...]
    first_ms: int | None
    deaths: int
    size: int


class Failed(NamedTuple):
    """The failed attempts at an address are others now, or (None) there are none."""

    address: Address
    attempts: Attempts | None


class Resumed(NamedTuple):
    """An address that is held because of a value is tried again."""

    address: Address


class Released(NamedTuple):
    """An address is held no more."""

    address: Address


class Replayed(NamedTuple):
    """A dead letter was sent again."""

    message: str


class Dropped(NamedTuple):
    """A dead letter was thrown away."""

    message: str


class Aged(NamedTuple):
    """Dead letters became too old."""

    now_ms: int


class Changed(NamedTuple):
    """Somebody set a value, or (None) deleted it."""

    address: Address
    name: str
    data: bytes | None
    now_ms: int
    ttl_ms: int
    typename: str = VALUE


class Cancelled(NamedTuple):
    """Somebody cancelled a delayed message."""

    message: str


class Slept(NamedTuple):
    """A delayed message was there before."""

    sender: Address
    delay: Delay
    now_ms: int


class Restarted(NamedTuple):
    """A process took over what another left."""


Event: TypeAlias = (
    Came
    | Moved
    | Turn
    | Failed
    | Fired
    | Read
    | Delivered
    | GivenUp
    | Resumed
    | Released
    | Replayed
    | Dropped
    | Aged
    | Changed
    | Cancelled
    | Slept
    | Restarted
)


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


class Letter(NamedTuple):
    """A dead letter."""

    number: int
    target: Address
    caller: Address | None
    attempts: int
    first_ms: int
    failed_ms: int


class Receipt(NamedTuple):
    """What was sent under a key."""

    message: str
    taken_ms: int


class Stored(NamedTuple):
    """A value, since when it is untouched, and how long it lives then; 0 for ever."""

    data: bytes
    touched_ms: int
    ttl_ms: int
    typename: str

    def is_expired(self, now_ms: int) -> bool:
        return bool(self.ttl_ms) and self.touched_ms + self.ttl_ms <= now_ms

    def declared(self, spec: Spec, now_ms: int) -> Stored:
        """The value as somebody sees it who declares it so; it has not expired before."""
        ends_ms = now_ms + spec.ttl_ms
        if self.ttl_ms and self.ttl_ms > spec.ttl_ms:
            ends_ms = min(ends_ms, self.touched_ms + self.ttl_ms)
        elif self.ttl_ms:
            ends_ms = self.touched_ms + spec.ttl_ms
        touched_ms = ends_ms - spec.ttl_ms if spec.ttl_ms else self.touched_ms
        return Stored(self.data, touched_ms, spec.ttl_ms, self.typename)


@dataclass
class World:
    """What a replay gives.

    Attributes:
        letters_kept: How long dead letters are kept.
        receipts_kept: How long keys are known.
        queues: The messages of each address, in order.
        values: The values of each address.
        alarms: The delayed messages, in no order.
        records: The records that the outside world does not have, in order.
        done: The messages that were worked on, in order.
        dropped: Those that were given up and forgotten.
        letters: Those that were given up and kept; those that go first come first.
        paused: The addresses that are held, with attempts, first and last failure, and why.
        receipts: The keys of messages from outside, oldest first.
        attempts: What failed at each address.
        position: How far the source has been read.
    """

    letters_kept: Retention
    receipts_kept: Retention
    queues: dict[Address, deque[Waiting]] = field(default_factory=dict)
    values: dict[Address, dict[str, Stored]] = field(default_factory=dict)
    alarms: list[Alarm] = field(default_factory=list)
    records: dict[str, int] = field(default_factory=dict)
    done: list[str] = field(default_factory=list)
    dropped: list[str] = field(default_factory=list)
    letters: dict[str, Letter] = field(default_factory=dict)
    paused: dict[Address, tuple[int, int, int, str]] = field(default_factory=dict)
    receipts: dict[tuple[Address, str], Receipt] = field(default_factory=dict)
    attempts: dict[Address, Attempts] = field(default_factory=dict)
    position: int = 0
    count: int = 0

    def apply(self, event: Event) -> None:
        match event:
            case Came():
                self._come(event)
            case Moved(position):
                self.position = position
            case Turn():
                self._turn(event)
            case Fired(now_ms, fired):
                for alarm in self.due(now_ms)[:fired]:
                    self.alarms.remove(alarm)
                    self._enqueue(alarm.target, alarm.message, alarm.sender)
            case Read(address, specs, now_ms):
                self._read(address, specs, now_ms)
            case GivenUp():
                self._give_up(event)
            case Aged(now_ms):
                self._forget_letters(now_ms)
            case Restarted():
                self.letters = dict(sorted(self.letters.items(), key=_goes_first))
            case _:
                self._apply_other(event)

    def _come(self, came: Came) -> None:
        self._enqueue(came.target, came.message, None)
        if came.key:
            self.receipts.pop((came.target, came.key), None)
            self.receipts[came.target, came.key] = Receipt(came.message, came.now_ms)
            self._forget_receipts(came.now_ms)

    def _apply_other(
        self,
        event: (
            Failed
            | Delivered
            | Resumed
            | Released
            | Replayed
            | Dropped
            | Changed
            | Cancelled
            | Slept
        ),
    ) -> None:
        match event:
            case Failed(address, attempts):
                self.attempts.pop(address, None)
                self.attempts |= {} if attempts is None else {address: attempts}
            case Slept(sender, delay, now_ms):
                self._delay(sender, delay, now_ms)
            case Delivered(record):
                self.records.pop(record, None)
            case Resumed(address):
                del self.paused[address]
            case Released(address):
                self.paused.pop(address, None)
                self._begin_anew(address)
            case Replayed(message):
                letter = self.letters.pop(message)
                self._enqueue(letter.target, message, letter.caller)
            case Dropped(message):
                del self.letters[message]
                self.dropped.append(message)
            case Changed():
                self._change(event)
            case Cancelled(message):
                self.alarms = [alarm for alarm in self.alarms if alarm.message != message]

    def _change(self, changed: Changed) -> None:
        address, name, data, now_ms, ttl_ms, typename = changed
        values = self.values.setdefault(address, {})
        if data is None:
            values.pop(name, None)
        else:
            values[name] = Stored(data, now_ms, ttl_ms, typename)
        if self.is_held(address):
            del self.paused[address]

    def _begin_anew(self, address: Address) -> None:
        known = self.attempts.pop(address, None)
        if known is not None and (known.parts or known.apart):
            parts = tuple((count, 0) for count, _ in known.parts)
            self.attempts[address] = known._replace(
                attempts=0, parts=parts, first_ms=None, deaths=0
            )

    def waiting_bytes(self, most: int) -> int:
        """What all that waits counts for; one address for a quarter of the limit at most."""
        return sum(min(_weight(queue), most // 4) for queue in self.queues.values())

    def answer(
        self, target: Address, message: str, key: str, now_ms: int, limits: Limits, most: int
    ) -> str:
        """What is to be said to a message from outside for a function that exists."""
        if size_of(message) > limits.max_message_bytes:
            return "too long"
        receipt = self.receipts.get((target, key)) if key else None
        if receipt is not None and not _is_old(receipt.taken_ms, now_ms, self.receipts_kept):
            return "repeat" if receipt.message == message else "conflict"
        queue = self.queues.get(target, deque())
        sizes = [size_of(each.message) for each in queue]
        is_full = len(sizes) >= limits.max_waiting or sum(sizes) >= limits.max_waiting_bytes
        is_heavy = _weight(queue) >= most // 4 or self.waiting_bytes(most) >= most
        return "busy" if is_full or is_heavy else "new"

    def has_old_letters(self, now_ms: int) -> bool:
        """Whether the dead letter that goes next is too old."""
        first = next(iter(self.letters.values()), None)
        return first is not None and _is_old(first.failed_ms, now_ms, self.letters_kept)

    def due(self, now_ms: int) -> list[Alarm]:
        """The delayed messages whose time has come, as they fire."""
        return sorted(alarm for alarm in self.alarms if alarm.due_ms <= now_ms)

    def seen(self, address: Address, specs: Iterable[Spec], now_ms: int) -> dict[str, bytes | None]:
        """The declared values as a function may see them."""
        values = self.values.get(address, {})
        seen: dict[str, bytes | None] = {}
        for spec in specs:
            stored = values.get(spec.name)
            is_there = stored and not stored.is_expired(now_ms)
            seen[spec.name] = stored.data if is_there and stored else None
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

    def is_held(self, address: Address) -> bool:
        """Whether an address waits because a value cannot be read."""
        return address in self.paused and self.paused[address][-1] == HELD["hold"]

    def unreadable(self, address: Address, specs: Iterable[Spec], now_ms: int) -> list[str]:
        """The values that a function cannot read as they are stored."""
        values = self.values.get(address, {})
        return [
            spec.name
            for spec in specs
            if (stored := values.get(spec.name)) is not None
            and not (stored.is_expired(now_ms) or spec.reads(stored.typename))
        ]

    def _enqueue(self, target: Address, message: str, caller: Address | None) -> None:
        self.queues.setdefault(target, deque()).append(Waiting(message, caller))

    def _give_up(self, lost: GivenUp) -> None:
        address, facts = lost.address, (lost.attempts, lost.first_ms, lost.now_ms)
        if lost.fate in HELD:
            self.paused[address] = (*facts, HELD[lost.fate])
            return
        message, caller = self.queues[address].popleft()
        if lost.fate == "drop":
            self.dropped.append(message)
        else:
            self.letters[message] = Letter(lost.number, address, caller, *facts)
            self._forget_letters(lost.now_ms)

    def _forget_letters(self, now_ms: int) -> None:
        while _are_many(self.letters, self.letters_kept) or self.has_old_letters(now_ms):
            message = next(iter(self.letters))
            del self.letters[message]
            self.dropped.append(message)

    def _forget_receipts(self, now_ms: int) -> None:
        kept = self.receipts_kept
        while self.receipts:
            key, receipt = next(iter(self.receipts.items()))
            is_old = _is_old(receipt.taken_ms, now_ms, kept)
            if not is_old and not _are_many(self.receipts, kept):
                return
            del self.receipts[key]

    def _turn(self, turn: Turn) -> None:
        address, done, effects, now_ms, specs = turn
        queue = self.queues[address]
        for _ in range(done):
            self.done.append(queue.popleft().message)
        values = self.values.setdefault(address, {})
        for name, data in effects.changes.items():
            if data is None:
                values.pop(name, None)
            else:
                values[name] = Stored(data, now_ms, specs[name].ttl_ms, specs[name].typename)
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
                or values[spec.name].ttl_ms != spec.ttl_ms
                or values[spec.name].is_expired(read.now_ms)
            )
            for spec in read.specs
        )

    def _read(self, address: Address, specs: tuple[Spec, ...], now_ms: int) -> None:
        values = self.values.get(address, {})
        for spec in specs:
            stored = values.get(spec.name)
            if stored is None:
                continue
            if stored.is_expired(now_ms):
                del values[spec.name]
            else:
                stored = stored.declared(spec, now_ms)
                touched_ms = now_ms if spec.used_ms else stored.touched_ms
                values[spec.name] = stored._replace(touched_ms=touched_ms)


def _is_old(since_ms: int, now_ms: int, kept: Retention) -> bool:
    return kept.max_age_ms is not None and now_ms - since_ms >= kept.max_age_ms


def _are_many(things: Sized, kept: Retention) -> bool:
    return kept.max_count is not None and len(things) > kept.max_count


def _weight(queue: Iterable[Waiting]) -> int:
    return sum(WAITING_BYTES + size_of(each.message) for each in queue)


def _goes_first(item: tuple[str, Letter]) -> tuple[int, int]:
    """How a process that takes over sorts dead letters."""
    return item[1].failed_ms, item[1].number


def size_of(name: str) -> int:
    """How many bytes a message of this name has."""
    return len(argument_of(name))


def mistake(effects: Effects, known: Collection[str], limits: Limits) -> str:
    """What no runtime does of what a turn asks for, apart from tokens; empty if there is nothing.

    Args:
        effects: What it asks for.
        known: The typenames there are.
        limits: How much there may be of anything.
    """
    sent = [*effects.messages]
    sent += [(each.target, each.message) for each in effects.delayed if isinstance(each, Delay)]
    if any(target.typename not in known for target, _ in sent):
        return "a function that is not there"
    if any(not each.token for each in effects.delayed if isinstance(each, Cancel)):
        return "a cancellation without a token"
    if any(each.delay_ms < 0 for each in effects.delayed if isinstance(each, Delay)):
        return "a delay that is negative"
    names = [*(message for _, message in sent), *effects.egress]
    if any(size_of(name) > limits.max_message_bytes for name in names):
        return "a message that is too long"
    if any(data and len(data) > limits.max_value_bytes for data in effects.changes.values()):
        return "a value that is too long"
    return ""


class Model:
    """The log, how much of it is durable, and the world as it is now.

    Args:
        letters_kept: How long dead letters are kept.
        receipts_kept: How long keys are known.

    Attributes:
        log: What happened and was not undone by a crash.
        durable: So many events of it are stored.
        covered: So many are in the commit that began last.
        world: What a replay of the log gives.
        origin: So long was the log when a message from outside had come, or a record had been sent.
    """

    def __init__(self, letters_kept: Retention, receipts_kept: Retention) -> None:
        self._kept = letters_kept, receipts_kept
        self.log: list[Event] = []
        self.durable = 0
        self.covered = 0
        self.world = World(*self._kept)
        self.origin: dict[str, int] = {}
        self._stored, self._stored_at = World(*self._kept), 0

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

    def stored(self) -> World:
        """The world as it is in the store; not to be changed."""
        for event in self.log[self._stored_at : self.durable]:
            self._stored.apply(event)
        self._stored_at = self.durable
        return self._stored

    def crash(self) -> None:
        """Forget what is not durable."""
        self.log[self.durable :] = [Restarted()]
        self.durable = self.covered = len(self.log)
        self.origin = {name: at for name, at in self.origin.items() if at < self.durable}
        self.world = World(*self._kept)
        for event in self.log:
            self.world.apply(event)
