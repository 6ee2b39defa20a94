"""Both cores under random requests: `make fuzz REQUESTS=N`."""

from __future__ import annotations

import argparse
import sys
import time

from tests.tools.fuzz.compare import differences
from tests.tools.fuzz.worker import GROUP

_MOST_REPORTS = 3
_PROGRESS_EVERY = 100_000


def main() -> int:
    """Compare them; 1 if they differ."""
    parser = argparse.ArgumentParser(prog="python -m tests.tools.fuzz", description=__doc__)
    parser.add_argument("--first", type=int, default=1, help="the first seed")
    parser.add_argument("--requests", type=int, default=20_000, help="how many seeds")
    parser.add_argument("--core", default="native", help="what is compared with pure Python")
    options = parser.parse_args()
    began, reports = time.monotonic(), []
    groups = differences(options.first, options.requests, options.core)
    for number, report in enumerate(groups, 1):
        if report is not None:
            reports.append(report)
            sys.stdout.write(f"{report}\n")
            if len(reports) == _MOST_REPORTS:
                break
        if number * GROUP % _PROGRESS_EVERY == 0:
            took_s = time.monotonic() - began
            sys.stdout.write(f"{number * GROUP:,} requests after {took_s:.0f} s\n")
            sys.stdout.flush()
    took_s = time.monotonic() - began
    sys.stdout.write(
        f"{options.requests:,} requests from seed {options.first} on: pure Python and the "
        f"{options.core} core differ in {len(reports)} groups of {GROUP}; {took_s:.0f} s\n"
    )
    return int(bool(reports))


if __name__ == "__main__":
    raise SystemExit(main())
