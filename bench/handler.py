"""The handler: invocations per CPU second, against flink-statefun."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING

from bench.environment import upstream_python
from bench.figure import compared, in_turns
from bench.told_process import ToldProcess
from bench.workloads import CALLED_GREETER, FIVE_VALUES, GREETER

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from bench.figure import Row
    from bench.workloads import Workload

__all__ = ["FIGURE"]

# Each workload's batch sizes, and what their ratios should reach.
CASES: tuple[tuple[Workload, dict[int, float | None]], ...] = (
    (GREETER, {1: 2.5, 10: None, 100: 3.5, 1000: None}),
    (CALLED_GREETER, {1: 2.5, 100: 3.5}),
    (FIVE_VALUES, {1: None, 100: None}),
)

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
                for batch_size, goal in goals.items():
                    yield _row(rounds, workload, batch_size, (ours, theirs), goal)


def _row(
    rounds: int,
    workload: Workload,
    batch_size: int,
    sides: tuple[ToldProcess, ToldProcess],
    goal: float | None,
) -> Row:
    request = workload.request(batch_size).hex()
    ours, theirs = sides
    replies = [side.do("reply", request) for side in sides]
    if not theirs.do("equal", *replies):
        raise AssertionError(f"{workload.name}: the two sides do not reply the same")

    def measuring(side: ToldProcess) -> Callable[[], float]:
        def seconds_each(count: int) -> float:
            return float(side.do("time", request, count)) / (count * batch_size)

        warm = seconds_each(10)
        return partial(seconds_each, max(1, int(_SLICE_SECONDS / (warm * batch_size))))

    return compared(
        FIGURE.name,
        f"{workload.name}, batch {batch_size}",
        in_turns(rounds, measuring(ours), measuring(theirs)),
        unit=lambda each: f"{1 / each / 1000:.0f}k/s",
        peer="flink-statefun",
        goal=goal,
    )


def _worker(python: str, workload: Workload) -> ToldProcess:
    """A process that runs one side's handler."""
    return ToldProcess(python, "handler_worker.py", workload.program)


FIGURE = HandlerFigure()
