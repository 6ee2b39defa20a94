"""Measure the figures and print one table: `python -m bench [figure…] [--rounds N]`."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from bench import (
    cold_keys,
    durable,
    engine,
    handler,
    ingress,
    reactive,
    request_memory,
    runtime,
    serve,
    workflows,
)
from bench.environment import Unavailable, described

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bench.figure import Figure, Row

# A new figure is a module with a `FIGURE`, and a place here.
FIGURES: dict[str, Figure] = {
    each.name: each
    for each in (
        handler.FIGURE,
        handler.CODECS,
        handler.REFERENCE,
        request_memory.FIGURE,
        serve.FIGURE,
        runtime.FIGURE,
        cold_keys.FIGURE,
        ingress.FIGURE,
        durable.FIGURE,
        workflows.FIGURE,
        engine.FIGURE,
        reactive.FIGURE,
    )
}

HEADINGS = ("figure", "case", "ours", "peer", "ratio", "rounds", "limit", "goal")


def main() -> None:
    """Measure what is asked for, everything by default."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("figures", nargs="*", metavar="figure", help=", ".join(FIGURES))
    parser.add_argument("--rounds", type=int, default=11, help="default: %(default)s")
    arguments = parser.parse_args()
    unknown = [name for name in arguments.figures if name not in FIGURES]
    if unknown:
        parser.error(f"there is no figure {unknown[0]!r}; there are: {', '.join(FIGURES)}")
    rows: list[Row] = []
    for name in arguments.figures or FIGURES:
        rows += _measured(FIGURES[name], arguments.rounds)
    _say("\n".join(["", *described(), "", *_table(rows)]))


def _measured(figure: Figure, rounds: int) -> Iterable[Row]:
    """The rows of a figure, told as they come; what cannot be measured is said."""
    try:
        for row in figure.measure(rounds):
            sys.stderr.write(f"{row.figure}: {row.case}: x{row.ratio:.2f} of {row.peer}\n")
            yield row
    except Unavailable as reason:
        sys.stderr.write(f"{figure.name}: not measured: {reason}\n")


def _table(rows: list[Row]) -> list[str]:
    lines = [HEADINGS, *map(_cells, rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(HEADINGS))]
    return ["  ".join(map(str.ljust, line, widths)).rstrip() for line in lines]


def _cells(row: Row) -> tuple[str, ...]:
    goal = "-"
    if row.goal is not None:
        goal = f">= x{row.goal:g} {'reached' if row.ratio >= row.goal else 'MISSED'}"
    spread = f"x{row.lowest:.2f} to x{row.highest:.2f}"
    ratio, limit = f"x{row.ratio:.2f}", row.limit or "-"
    return row.figure, row.case, row.ours, row.peer, ratio, spread, limit, goal


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")


if __name__ == "__main__":
    main()
