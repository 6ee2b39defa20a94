"""`statefun check`: what is wrong in module files."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from statefun.cli.arguments import add_dialect, print_line

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

__all__ = ["add", "run"]


def add(commands: Any, *parents: ArgumentParser) -> None:
    """Add the command."""
    text = "say what is wrong in module files, with file, line and what to write"
    parser = commands.add_parser("check", parents=parents, help=text, description=text)
    parser.add_argument("files", nargs="+", metavar="FILE")
    parser.add_argument("--strict", action="store_true", help="take no unknown keys")
    add_dialect(parser, "whose files these are; 'embedded' is this runtime")
    parser.set_defaults(run=run)


def run(arguments: Namespace) -> int:
    """Print every problem on stderr; 1 if there is an error among them."""
    from statefun.modulefiles.module import read_modules  # noqa: PLC0415 - needs an extra

    reading = read_modules(arguments.files, strict=arguments.strict, dialect=arguments.dialect)
    lines = [(problem, str(problem)) for problem in reading.errors]
    lines += [(problem, f"{problem} (warning)") for problem in reading.warnings]
    for _, line in sorted(lines):
        sys.stderr.write(f"{line}\n")
    if reading.errors:
        return 1
    nouns = ("endpoint", "ingress", "egress")
    parts = map(_count, reading.module.counts, nouns)
    print_line(f"{', '.join(arguments.files)}: {', '.join(parts)}")
    return 0


def _count(number: int, noun: str) -> str:
    plural = noun if number == 1 else f"{noun}es" if noun.endswith("s") else f"{noun}s"
    return f"{number} {plural}"
