"""What a scenario is: a small program as data, to be played at any place that runs functions.

A scenario tells everything through egress records. Each record belongs to a channel; within a
channel the order counts, between channels it does not. What a scenario expects holds wherever it is
played.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

from statefun.sdk.messages import Message, egress_message_builder, message_builder
from statefun.sdk.valuetypes import StringType

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from statefun.runtime.values import EgressValue
    from statefun.sdk.context import Context
    from statefun.sdk.functions import StatefulFunctions

TOLD = "s/told"
"""The egress of `tell`: texts of the form `channel|text`."""
RAW = "s/raw"
"""An egress for records of any type; one channel, compared byte by byte."""


@dataclass(frozen=True)
class Send:
    """Send a text to a function, as an ingress would; the next step begins when it is taken in."""

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


Step: TypeAlias = Send | Await | Pause


@dataclass(frozen=True)
class NotBefore:
    """The last record of a channel comes at least so long after the first step began."""

    channel: str
    milliseconds: int


@dataclass(frozen=True)
class Scenario:
    """One rule, and a program that shows it.

    Attributes:
        name: A short name.
        law: The rule, in a sentence.
        functions: Makes the functions, anew for each play; their namespace is `s`.
        steps: What happens from outside, in order.
        records: Channel → the texts told in it, in order.
        state: (Typename, id) → the values left at the end, for places that can look.
        timing: What has to hold between times of records.
    """

    name: str
    law: str
    functions: Callable[[], StatefulFunctions]
    steps: tuple[Step, ...]
    records: Mapping[str, tuple[str, ...]]
    state: Mapping[tuple[str, str], Mapping[str, Any]] = field(default_factory=dict)
    timing: tuple[NotBefore, ...] = ()


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
        channel, _, text = str(record.value).partition("|")
        return cls(channel, text, at_ms)


@dataclass(frozen=True)
class Outcome:
    """What a play came to."""

    records: Mapping[str, tuple[str, ...]]
    state: Mapping[tuple[str, str], Mapping[str, Any]]
    too_early: tuple[NotBefore, ...] = ()

    @classmethod
    def expected(cls, scenario: Scenario) -> Outcome:
        return cls(scenario.records, scenario.state)


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
    last = {each.channel: each.at_ms for each in heard}
    return tuple(
        rule
        for rule in scenario.timing
        if last.get(rule.channel, began_ms) - began_ms < rule.milliseconds - 1
    )
