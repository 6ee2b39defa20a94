"""Figures: how a runtime is doing, in numbers.

Law: a figure is a number with a unit in its name where it has one; counters only grow.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from statefun.ports import WithSources

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from statefun.ports import Ingress, Source
    from statefun.runtime.engine.counters import Counters

__all__ = ["BOUNDS_S", "Durations", "FunctionFigures", "Metrics", "sources_of"]

BOUNDS_S: Final = (0.001, 0.005, 0.02, 0.1, 0.5, 2.0, 10.0)
"""The upper bounds of the buckets of durations, in seconds; the last bucket has none."""


@dataclass(slots=True)
class Durations:
    """How long things took.

    Attributes:
        counts: How many took up to each of `BOUNDS_S` and no less than the one before; the last is
            of those that took longer than all.
        total_s: All of them together, in seconds.
    """

    counts: list[int] = field(default_factory=lambda: [0] * (len(BOUNDS_S) + 1))
    total_s: float = 0.0

    def add(self, seconds: float) -> None:
        """Count one more."""
        self.total_s += seconds
        self.counts[bisect_left(BOUNDS_S, seconds)] += 1


@dataclass(slots=True)
class FunctionFigures:
    """The work of one function since the start.

    Attributes:
        messages: Messages in requests that were answered.
        failed_attempts: Attempts that failed, for whatever reason.
        given_up: Messages that became dead letters or were dropped, and pauses of addresses.
        calls: How long requests took, answered or not.
    """

    messages: int = 0
    failed_attempts: int = 0
    given_up: int = 0
    calls: Durations = field(default_factory=Durations)


@dataclass(frozen=True, slots=True)
class Metrics:
    """How a runtime is doing.

    Attributes:
        counters: Its work since it was started.
        commits: Commits since then that are durable, with those that had nothing to write.
        failed_commits: Commits since then that could not be stored.
        busy_addresses: Addresses with messages.
        resident_addresses: Addresses in memory.
        waiting_timers: Delayed messages waiting.
        calls_in_flight: Requests made and not answered.
        paused_addresses: Addresses that are paused.
        kept_dead_letters: Dead letters that can be replayed.
        commit_durations: How long commits took.
        functions: Typename → what the function has done; `other` is for all beyond a thousand.
        sources: The sources of the ingresses that can say how far they have come.
    """

    counters: Counters
    commits: int
    failed_commits: int
    busy_addresses: int
    resident_addresses: int
    waiting_timers: int
    calls_in_flight: int
    paused_addresses: int
    kept_dead_letters: int
    commit_durations: Durations = field(default_factory=Durations)
    functions: Mapping[str, FunctionFigures] = field(default_factory=dict)
    sources: Sequence[Source] = ()


def sources_of(ingresses: Iterable[Ingress]) -> list[Source]:
    """The sources of those ingresses that can say how far they have come."""
    return [
        source
        for ingress in ingresses
        if isinstance(ingress, WithSources)
        for source in ingress.sources()
    ]
