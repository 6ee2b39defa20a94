"""The durable simulation from the command line: `make simulate-durable SEEDS=N`, or `SEED=n`."""

from __future__ import annotations

import argparse
import os
import sys
import time
from concurrent.futures import ProcessPoolExecutor

from tests.tools.durable.bugs import BUGS
from tests.tools.durable.random_programs import play
from tests.tools.durable.simulation import simulate

_MOST_REPORTS = 3
_MOST_SEEDS_FOR_A_BUG = 500
_SEEDS_FOR_A_PROGRAM = 10
"""One random program is played for so many seeds."""


def main() -> int:
    """Run what the arguments say; 1 if a law was broken, or a bug not found."""
    parser = argparse.ArgumentParser(prog="python -m tests.tools.durable", description=__doc__)
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
        programs = range(first, first + count // _SEEDS_FOR_A_PROGRAM)
        differing = zip(programs, processes.map(play, programs, chunksize=5), strict=True)
        different = [(seed, told) for seed, told in differing if told]
    for each in broken[:_MOST_REPORTS]:
        sys.stdout.write(
            f"seed {each.seed} breaks a law: {each.violation}\n"
            f"to see it again: make simulate-durable SEED={each.seed}\n"
        )
    for seed, told in different[:_MOST_REPORTS]:
        sys.stdout.write(f"random program {seed} differs in a replay: {told}\n")
    took_s = time.monotonic() - began
    sys.stdout.write(
        f"{count} seeds from {first} on, {len(broken)} broke a law; {len(programs)} random "
        f"programs, {len(different)} differed in a replay; {took_s:.0f} s on "
        f"{os.cpu_count()} cores\n"
    )
    return int(bool(broken or different))


def _tell(seed: int) -> int:
    simulation = simulate(seed)
    sys.stdout.write("\n".join(simulation.trace))
    sys.stdout.write(f"\nseed {seed}: {simulation.violation or 'breaks no law'}\n")
    return int(bool(simulation.violation))


def _hunt(first: int) -> int:
    missed = 0
    for bug in BUGS:
        with bug.planted():
            runs = map(simulate, range(first, first + _MOST_SEEDS_FOR_A_BUG))
            found = next((each for each in runs if each.violation), None)
        missed += found is None
        told = "is not found" if found is None else f"seed {found.seed}: {found.violation}"
        sys.stdout.write(f"{bug.name}: {told}\n")
    return int(bool(missed))


if __name__ == "__main__":
    raise SystemExit(main())
