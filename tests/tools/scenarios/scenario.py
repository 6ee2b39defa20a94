"""What a scenario is: a small program as data, to be played at any place that runs functions.

A scenario tells everything through egress records. Each record belongs to a channel; within a
channel the order counts, between channels it does not. What a scenario expects holds wherever it is
played; where a place differs, that is part of the scenario too, with the reason.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeAlias

from statefun.durable._proto import Envelope
from statefun.durable.messages import ENVELOPE
from statefun.durable.outcomes import failure_of
from statefun.runtime.transports.options import HttpOptions
from statefun.sdk.builders import egress_message_builder, message_builder
from statefun.sdk.primitives import StringType
from tests.tools.lab.software import engine_places

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from statefun.runtime.values import EgressValue
    from statefun.sdk.context import Context
    from statefun.sdk.functions import StatefulFunctions
    from statefun.sdk.messages import Message

IN_PROCESS = ("harness", "memory", "sqlite")
ENGINES = tuple(engine_places())
REMOTE = ("memory-remote", "sqlite-remote", *ENGINES)
"""Places where a process of its own runs the functions."""
LEAVING = ("sqlite", *REMOTE)
"""Places where the functions can go away and come back."""
LASTING = tuple(place for place in LEAVING if place != "memory-remote")
"""Places where the runtime can do so."""
CONCURRENT = ("memory", "sqlite", *REMOTE)
"""Places where functions of several addresses run at the same time."""
EVERYWHERE = (*IN_PROCESS, *REMOTE)

DEFAULTS = HttpOptions(call=timedelta(milliseconds=60_000), connect=timedelta(milliseconds=1000))

TOLD = "s/told"
"""The egress of `tell`: texts of the form `channel|text`."""
RAW = "s/raw"
"""An egress for records of any type; one channel, compared byte by byte."""


class Arrival:
    """Something that comes from outside, and is taken in before the next step begins."""

    def message(self) -> Message:
        raise NotImplementedError


@dataclass(frozen=True)
class Send(Arrival):
    """Send a text to a function."""

    typename: str
    id: str
    text: str = ""

    def message(self) -> Message:
        message = message_builder(self.typename, "id", str_value=self.text)
        message.target_id = self.id  # also one that no builder takes
        return message


@dataclass(frozen=True)
class Await:
    """Wait until so many records have been told in all."""

    records: int


@dataclass(frozen=True)
class Pause:
    """Let time pass."""

    milliseconds: int


@dataclass(frozen=True)
class Down:
    """Stop the process that runs the functions; what is under way there is cut off."""


@dataclass(frozen=True)
class Up:
    """Start it again, with other functions if there are any here."""

    functions: Callable[[], StatefulFunctions] | None = None


@dataclass(frozen=True)
class Restart:
    """Stop the runtime in order, and start it again on what it kept.

    Attributes:
        away_ms: How long it is stopped at least.
        functions: What the functions are from then on; None for the same.
    """

    away_ms: int = 0
    functions: Callable[[], StatefulFunctions] | None = None


@dataclass(frozen=True)
class Keep:
    """Wait until nothing can be lost of what has happened so far."""


@dataclass(frozen=True)
class Mark:
    """From here a time counts, by the name of what it is for."""

    name: str


@dataclass(frozen=True)
class InTime:
    """No more than so long has gone by since a mark.

    Else the play came too late to show anything: it is not judged, but played again, more slowly.
    """

    since: str
    milliseconds: int


Step: TypeAlias = Arrival | Await | Pause | Keep | Mark | InTime | Down | Up | Restart


@dataclass(frozen=True)
class NotBefore:
    """Each record of a channel comes at least so long after the first step began."""

    channel: str
    milliseconds: tuple[int, ...]


@dataclass(frozen=True)
class Difference:
    """How it comes out at a place that differs, and why.

    Attributes:
        reason: Why, in a sentence for users.
        records: The texts told there; None for the same.
        state: The values left there; None for the same.
        given_up: Whose messages are given up there; None for the same.
        failures: How often the job fails there at least; what fails for ever fails twice, and
            shows no values.
    """

    reason: str
    records: Mapping[str, tuple[str, ...]] | None = None
    state: Mapping[tuple[str, str], Mapping[str, Any]] | None = None
    given_up: tuple[tuple[str, str], ...] | None = None
    failures: int = 0

    @property
    def for_ever(self) -> bool:
        """Whether the job never gets beyond its failure."""
        return self.failures > 1


@dataclass(frozen=True)
class Scenario:
    """One rule, and a program that shows it.

    Attributes:
        name: A short name.
        law: The rule, in a sentence.
        functions: Makes the functions, anew for each play; their namespace is `s`.
        steps: What happens from outside, in order.
        records: Channel → the texts told in it, in order.
        state: (Typename, id) → the values left at the end; these addresses are looked at.
        timing: What has to hold between times of records.
        given_up: (Typename, id) of each message that is given up, in the order of sending.
        options: How functions are called over HTTP.
        max_waiting: From how many messages waiting for one address on there is back pressure.
        places: The places where it can be played.
        differs_on: Place → how it comes out there, where that is not the same.
        at_pace: The same with every time so many times as long; None if no time can run out.
    """

    name: str
    law: str
    functions: Callable[[], StatefulFunctions]
    steps: tuple[Step, ...]
    records: Mapping[str, tuple[str, ...]]
    state: Mapping[tuple[str, str], Mapping[str, Any]] = field(default_factory=dict)
    timing: tuple[NotBefore, ...] = ()
    given_up: tuple[tuple[str, str], ...] = ()
    options: HttpOptions = DEFAULTS
    max_waiting: int = 1000
    places: tuple[str, ...] = EVERYWHERE
    differs_on: Mapping[str, Difference] = field(default_factory=dict)
    at_pace: Callable[[int], Scenario] | None = field(default=None, repr=False, compare=False)

    def paced(self, pace: int) -> Scenario:
        """The same with every time that can run out so many times as long."""
        return self.at_pace(pace) if self.at_pace else self

    def rule_at(self, place: str) -> str:
        """What holds there, in a sentence."""
        difference = self.differs_on.get(place)
        return f"here it differs: {difference.reason}" if difference else self.law

    def failures_at(self, place: str) -> int:
        """How often the job should fail there at least."""
        difference = self.differs_on.get(place)
        return difference.failures if difference else 0


@dataclass(frozen=True)
class Heard:
    """A record as it arrived."""

    channel: str
    text: str
    at_ms: float

    @classmethod
    def of(cls, egress: str, record: EgressValue, at_ms: float) -> Heard:
        if egress == RAW:
            return cls("raw", f"{record.typename} {record.data.hex()}", at_ms)
        if record.typename == ENVELOPE:
            return cls(*told_by(record.data), at_ms)
        channel, _, text = str(record.value).partition("|")
        return cls(channel, text, at_ms)


@dataclass(frozen=True)
class Outcome:
    """What a play came to; its state is None if nobody can look at it."""

    records: Mapping[str, tuple[str, ...]]
    state: Mapping[tuple[str, str], Mapping[str, Any]] | None
    given_up: tuple[tuple[str, str], ...] = ()
    failed: bool = False
    too_early: tuple[NotBefore, ...] = ()

    @classmethod
    def everywhere(cls, scenario: Scenario) -> Outcome:
        """What a scenario should come to where nothing differs."""
        return cls(scenario.records, scenario.state, scenario.given_up)

    @classmethod
    def expected(cls, scenario: Scenario, place: str) -> Outcome:
        """What a scenario should come to at a place."""
        same = cls.everywhere(scenario)
        difference = scenario.differs_on.get(place)
        if difference is None:
            return same
        state = same.state if difference.state is None else difference.state
        return cls(
            same.records if difference.records is None else difference.records,
            None if difference.for_ever else state,
            same.given_up if difference.given_up is None else difference.given_up,
            bool(difference.failures),
        )

    @property
    def told(self) -> int:
        """How many records there are."""
        return sum(map(len, self.records.values()))


def told_by(envelope: bytes) -> tuple[str, str]:
    """The channel and the text of the answer of a durable handler."""
    done = Envelope.FromString(envelope).done
    failure = failure_of(done.outcome)
    if failure is not None:
        return done.execution, f"{failure.status_code} {failure.message}"
    return done.execution, done.outcome.value.decode()


def tell(context: Context, channel: str, text: object) -> None:
    """Tell a text in a channel."""
    record = egress_message_builder(TOLD, value=f"{channel}|{text}", value_type=StringType)
    context.send_egress(record)


def by_channel(heard: list[Heard]) -> dict[str, tuple[str, ...]]:
    records: dict[str, tuple[str, ...]] = {}
    for each in heard:
        records[each.channel] = (*records.get(each.channel, ()), each.text)
    return records


def too_early(scenario: Scenario, heard: list[Heard], began_ms: float) -> tuple[NotBefore, ...]:
    """The timing relations that do not hold; engines count in whole milliseconds."""
    return tuple(rule for rule in scenario.timing if not _holds(rule, heard, began_ms))


def _holds(rule: NotBefore, heard: list[Heard], began_ms: float) -> bool:
    times = (each.at_ms - began_ms for each in heard if each.channel == rule.channel)
    return all(time >= least - 1 for time, least in zip(times, rule.milliseconds, strict=False))


def paced(make: Callable[[int], Scenario]) -> Scenario:
    """A scenario in which a time can run out, so that it may have to be played more slowly."""
    return replace(make(1), at_pace=make)
