"""The state manager: CPU time of an operation and memory of a leaf, against `restate` 0.11.6."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from functools import partial
from statistics import median
from typing import TYPE_CHECKING

from bench.environment import ROOT, Unavailable
from bench.figure import Row, Sample, compared, in_turns
from bench.told_process import ToldProcess

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["FIGURE"]

PEER_PYTHON = ROOT / ".venv-reactive-peer" / "bin" / "python"
PEER = "restate 0.11.6"

CASES = (
    "set, no subscribers",
    "set, 100 subscribers, 99 elsewhere",
    "get",
    "set, a chain of 10 derived values",
    "set, 1000 tracked callbacks, 1 touched",
)
CASE_GOAL = 5.0

# A set and a get of a large tree may cost twice what they cost in a small one.
SIZES = (10**3, 10**4, 10**5, 10**6)
SIZE_GOAL = 0.5

MEMORY_LEAVES = 100_000
MEMORY_GOAL = 2.0

_SLICE_SECONDS = 0.05
_WIDTH = 40


class ReactiveFigure:
    """What an operation costs, how that grows with the tree, and what a leaf takes."""

    name = "reactive"

    def measure(self, rounds: int) -> Iterator[Row]:
        """Each case against the peer, then the growth of our own, then the memory."""
        if not PEER_PYTHON.exists():
            raise Unavailable("there is no peer: run `make .venv-reactive-peer/.done`")
        with ExitStack() as stack:
            ours = stack.enter_context(_worker(sys.executable, "statefun.reactive"))
            theirs = stack.enter_context(_worker(str(PEER_PYTHON), "restate"))
            for case in CASES:
                yield _case(rounds, case, ours, theirs)
            yield _memory(ours, theirs)
        yield from _growth(rounds)


def _case(rounds: int, case: str, ours: ToldProcess, theirs: ToldProcess) -> Row:
    def measuring(side: ToldProcess) -> Callable[[], float]:
        side.do("open", case)
        warm = float(side.do("time", 100)) / 100
        count = max(1, int(_SLICE_SECONDS / warm))
        return lambda: float(side.do("time", count)) / count

    sample = in_turns(rounds, measuring(ours), measuring(theirs))
    microseconds = "{:.2f} µs".format
    return compared(
        FIGURE.name,
        case,
        sample,
        unit=lambda each: microseconds(each * 1e6),
        peer=PEER,
        goal=CASE_GOAL,
    )


def _memory(ours: ToldProcess, theirs: ToldProcess) -> Row:
    path = "/leaves/7/0007777"
    sample = Sample(*([float(side.do("memory", MEMORY_LEAVES))] for side in (ours, theirs)))
    return compared(
        FIGURE.name,
        f"memory of a leaf beyond its value, paths of {len(path)} characters",
        sample,
        unit="{:.0f} bytes".format,
        peer=PEER,
        goal=MEMORY_GOAL,
    )


def _growth(rounds: int) -> Iterator[Row]:
    """How much more an operation costs in a larger tree, with a plot on stderr."""
    costs: dict[int, list[list[float]]] = {}
    for size in SIZES:
        with _worker(sys.executable, "statefun.reactive") as side:
            costs[size] = [side.do("leaves", size, 10_000) for _ in range(min(rounds, 3))]
    for index, verb in enumerate(("set", "get")):
        typical = {size: median(each[index] for each in costs[size]) for size in SIZES}
        sys.stderr.write("\n".join(_plot(verb, typical)) + "\n")
        small, large = (typical[size] for size in (SIZES[0], SIZES[-1]))
        yield compared(
            FIGURE.name,
            f"{verb} of one leaf among {SIZES[-1]:,}",
            Sample([large], [small]),
            unit=lambda each: f"{each * 1e6:.2f} µs",
            peer=f"ours among {SIZES[0]:,}",
            goal=SIZE_GOAL,
        )


def _plot(verb: str, typical: dict[int, float]) -> Iterator[str]:
    """A bar for each size of the tree."""
    longest = max(typical.values())
    yield f"{verb} of one leaf, CPU time by the number of leaves"
    for size, cost in typical.items():
        bar = "#" * round(_WIDTH * cost / longest)
        yield f"{size:>10,} {bar:<{_WIDTH}} {cost * 1e6:.2f} µs"


_worker = partial(lambda python, module: ToldProcess(python, "reactive_worker.py", module))

FIGURE = ReactiveFigure()
