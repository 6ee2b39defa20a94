"""The simulation from the command line: `make simulate SEEDS=N`, `make simulate SEED=n`."""

from __future__ import annotations

import argparse
import os
import sys
import time
from concurrent.futures import ProcessPoolExecutor

from tests.tools.simulation.bugs import BUGS
from tests.tools.simulation.plan import plan_of
from tests.tools.simulation.report import run_seed
from tests.tools.simulation.simulation import simulate

_MOST_REPORTS = 3
_PROGRESS_EVERY = 1000


def main() -> int:
    """Run what the arguments say; 1 if a law was broken."""
    parser = argparse.ArgumentParser(prog="python -m tests.tools.simulation", description=__doc__)
    parser.add_argument("--seeds", type=int, default=1000, help="how many seeds to run")
    parser.add_argument("--first", type=int, default=1, help="the first of them")
    parser.add_argument("--seed", type=int, help="run this one only, and tell what happens")
    parser.add_argument("--bugs", action="store_true", help="plant bugs; say which seed finds each")
    options = parser.parse_args()
    if options.bugs:
        return _hunt(options.first, options.seeds)
    if options.seed is not None:
        return _tell(options.seed)
    return _run(options.first, options.seeds)


def _run(first: int, count: int) -> int:
    began = time.monotonic()
    reports: list[str] = []
    with ProcessPoolExecutor() as processes:
        seeds = range(first, first + count)
        for done, report in enumerate(processes.map(run_seed, seeds, chunksize=25), 1):
            if report is not None:
                reports.append(report)
            if done % _PROGRESS_EVERY == 0:
                took_s = time.monotonic() - began
                sys.stdout.write(f"{done:,} of {count:,} seeds after {took_s:.0f} s\n")
                sys.stdout.flush()
    took_s = time.monotonic() - began
    for report in reports[:_MOST_REPORTS]:
        sys.stdout.write(f"{report}\n")
    sys.stdout.write(
        f"{count} seeds from {first} on, {len(reports)} broke a law; {took_s:.0f} s on "
        f"{os.cpu_count()} cores\n"
    )
    return int(bool(reports))


def _tell(seed: int) -> int:
    report = run_seed(seed)
    if report is None:
        sys.stdout.write(f"{simulate(plan_of(seed)).trace()}\nseed {seed} breaks no law\n")
        return 0
    sys.stdout.write(report)
    return 1


def _hunt(first: int, count: int) -> int:
    is_missed = False
    for bug in BUGS:
        with bug.planted():
            seeds = range(first, first + count)
            violations = ((seed, simulate(plan_of(seed)).violation) for seed in seeds)
            found = next(((seed, law) for seed, law in violations if law), None)
        is_missed |= found is None
        seed, law = ("never", "") if found is None else (found[0] - first + 1, found[1].law)
        sys.stdout.write(f"{seed:>5}  {bug.name}  ->  {law}\n")
    return int(is_missed)


if __name__ == "__main__":
    sys.exit(main())
