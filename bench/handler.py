"""The handler: invocations per CPU second, on each core of ours.

The native core is measured against flink-statefun, and pure Python against an earlier build. The
limit of a row is the CPU time that the text of the function costs without any SDK: with stubs that
do nothing, or with the codec of its value alone.
"""

from __future__ import annotations

import sys
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from statistics import median
from typing import TYPE_CHECKING

from bench.environment import BEFORE_PYTHON, python_of, upstream_python
from bench.figure import compared, in_turns
from bench.told_process import ToldProcess
from bench.workloads import (
    CALLED_GREETER,
    DELAYED,
    EGRESS_MESSAGES,
    FIVE_VALUES,
    GREETER,
    SUSPENDING,
    THREE_SENDS,
    VALUES,
)
from statefun.sdk.wire import CORE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from bench.figure import Row, Sample
    from bench.workloads import Workload

__all__ = ["CODECS", "FIGURE", "REFERENCE"]

# Each workload's batch sizes, and what the native core's ratios should reach.
CASES: tuple[tuple[Workload, dict[int, float | None]], ...] = (
    (GREETER, {1: 10, 10: None, 100: 14, 1000: None}),
    (CALLED_GREETER, {1: 10, 100: 14}),
    (FIVE_VALUES, {1: 8, 100: 12}),
    (EGRESS_MESSAGES, {1: 6, 100: 8}),
    (THREE_SENDS, {1: 6, 100: 8}),
    (DELAYED, {1: 6, 100: 8}),
    (SUSPENDING, {1: 4, 100: 6}),
)
REFERENCE_GOALS = {1: 2.5, 100: 3.5}  # of the greeter in pure Python, against flink-statefun
SHARE_OF_THE_CODEC = 0.8

# Long enough for the clock, short enough that both sides meet the same weather.
_SLICE_SECONDS = 0.1


class HandlerFigure:
    """How many invocations a second of CPU time is good for, in process."""

    name = "handler"

    def measure(self, rounds: int) -> Iterator[Row]:
        """Each workload in batches of each size."""
        peer = upstream_python()
        for workload, goals in CASES:
            with ExitStack() as stack:
                ours = stack.enter_context(_worker(sys.executable, workload))
                theirs = stack.enter_context(_worker(peer, workload))
                for batch_size in goals:
                    case = _Case(self.name, workload, batch_size, "flink-statefun")
                    row = case.row(rounds, ours, theirs, _goals(workload, goals).get(batch_size))
                    floor = case.seconds_each(ours, "floor")
                    yield replace(row, limit=_share(floor(), case.seconds_each(ours)()))


class CodecFigure:
    """How much of the time of an invocation the codec of its value takes."""

    name = "codecs"

    def measure(self, rounds: int) -> Iterator[Row]:
        """Each codec, in batches of each size; the goal is a share of the codec alone."""
        for workload in VALUES:
            with _worker(sys.executable, workload) as ours:
                for batch_size in (1, 100):
                    case = _Case(self.name, workload, batch_size, "the codec alone")
                    sides = case.seconds_each(ours), case.seconds_each(ours, "bare")
                    sample = in_turns(rounds, *sides)
                    yield replace(
                        case.compared(sample, SHARE_OF_THE_CODEC),
                        limit=_share(median(sample.peer), median(sample.ours)),
                    )


class ReferenceFigure:
    """What pure Python gained or lost since an earlier build (BEFORE in the Makefile)."""

    name = "reference"

    def measure(self, rounds: int) -> Iterator[Row]:
        """Each workload in batches of each size; nothing may get slower."""
        before = python_of(BEFORE_PYTHON)
        for workload in (*(workload for workload, _ in CASES), *VALUES):
            with ExitStack() as stack:
                ours = stack.enter_context(_worker(sys.executable, workload, "python"))
                theirs = stack.enter_context(_worker(before, workload))
                for batch_size in (1, 100):
                    case = _Case(self.name, workload, batch_size, "the build before")
                    yield case.row(rounds, ours, theirs, 1.0)


def _goals(
    workload: Workload, of_native_code: dict[int, float | None]
) -> Mapping[int, float | None]:
    if CORE == "native":
        return of_native_code
    return REFERENCE_GOALS if workload is GREETER else {}


class _Case:
    """A workload in batches of one size."""

    def __init__(self, figure: str, workload: Workload, batch_size: int, peer: str) -> None:
        self._figure = figure
        self._workload = workload
        self._batch_size = batch_size
        self._request = workload.request(batch_size).hex()
        self._peer = peer

    def row(self, rounds: int, ours: ToldProcess, theirs: ToldProcess, goal: float | None) -> Row:
        """The row of two sides, once it is sure that they do the same."""
        replies = [side.do("reply", self._request) for side in (ours, theirs)]
        if not theirs.do("equal", *replies):
            raise AssertionError(f"{self._workload.name}: the two sides do not reply the same")
        sample = in_turns(rounds, self.seconds_each(ours), self.seconds_each(theirs))
        return self.compared(sample, goal)

    def compared(self, sample: Sample, goal: float | None) -> Row:
        """The row of a sample."""
        return compared(
            self._figure,
            f"{self._workload.name}, batch {self._batch_size}",
            sample,
            unit=lambda each: f"{1 / each / 1000:.0f}k/s",
            peer=self._peer,
            goal=goal,
        )

    def seconds_each(self, side: ToldProcess, verb: str = "time") -> Callable[[], float]:
        """Measures the CPU time of an invocation, for long enough."""

        def seconds_each(count: int) -> float:
            seconds = float(side.do(verb, self._request, self._batch_size, count))
            return seconds / (count * self._batch_size)

        warm = seconds_each(10)
        return partial(seconds_each, max(1, int(_SLICE_SECONDS / (warm * self._batch_size))))


def _share(limit: float, ours: float) -> str:
    return f"{limit / ours:.0%}"


def _worker(python: str, workload: Workload, core: str | None = None) -> ToldProcess:
    """A process that runs one side's handler."""
    return ToldProcess(python, "handler_worker.py", workload.program, core=core)


FIGURE = HandlerFigure()
CODECS = CodecFigure()
REFERENCE = ReferenceFigure()
