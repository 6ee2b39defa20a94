"""The simulation of workflows from the command line: `make simulate-workflows SEEDS=N`."""

from __future__ import annotations

import argparse
import os
import sys
import time
from concurrent.futures import ProcessPoolExecutor

from tests.tools.workflows.bugs import BUGS
from tests.tools.workflows.simulation import simulate

_MOST_REPORTS = 3
_MOST_SEEDS_FOR_A_BUG = 500


def main() -> int:
    """Run what the arguments say; 1 if a law was broken, or a bug not found."""
    parser = argparse.ArgumentParser(prog="python -m tests.tools.workflows", description=__doc__)
    parser.add_argument("--seeds", type=int, default=1000, help="how many seeds to run")
    parser.add_argument("--first", type=int, default=1, help="the first of them")
    parser.add_argument("--seed", type=int, help="run this one only, and tell what happens")
    parser.add_argument("--bugs", action="store_true", help="plant bugs; say which seed finds each")
    options = parser.parse_args()
    if options.bugs:
        return _hunt(options.first)
    if options.seed is not None:
        return _tell(options.seed)
    return _run(options.first, options.seeds)


def _run(first: int, count: int) -> int:
    began = time.monotonic()
    with ProcessPoolExecutor() as processes:
        seeds = range(first, first + count)
        broken = [each for each in processes.map(simulate, seeds, chunksize=25) if each.violation]
    for each in broken[:_MOST_REPORTS]:
        sys.stdout.write(
            f"seed {each.seed} breaks a law: {each.violation}\n"
            f"to see it again: make simulate-workflows SEED={each.seed}\n"
        )
    took_s = time.monotonic() - began
    sys.stdout.write(
        f"{count} seeds from {first} on, {len(broken)} broke a law; {took_s:.0f} s on "
        f"{os.cpu_count()} cores\n"
    )
    return int(bool(broken))


def _tell(seed: int) -> int:
    simulation = simulate(seed)
    sys.stdout.write("\n".join(simulation.trace))
    sys.stdout.write(f"\nseed {seed}: {simulation.violation or 'breaks no law'}\n")
    return int(bool(simulation.violation))


def _hunt(first: int) -> int:
    began = time.monotonic()
    with ProcessPoolExecutor() as processes:
        found = list(processes.map(_found, range(len(BUGS)), [first] * len(BUGS)))
    for bug, told in zip(BUGS, found, strict=True):
        sys.stdout.write(f"{bug.name}: {told or 'is not found'}\n")
    took_s = time.monotonic() - began
    sys.stdout.write(f"{len(BUGS)} bugs, {found.count('')} not found; {took_s:.0f} s\n")
    return int("" in found)


def _found(number: int, first: int) -> str:
    """Which seed finds a bug, and how; empty if none does."""
    with BUGS[number].planted():
        runs = map(simulate, range(first, first + _MOST_SEEDS_FOR_A_BUG))
        found = next((each for each in runs if each.violation), None)
    return "" if found is None else f"seed {found.seed}: {found.violation}"


if __name__ == "__main__":
    raise SystemExit(main())
