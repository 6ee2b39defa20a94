"""`statefun check`: what is wrong in module files."""

from __future__ import annotations

import sys
from contextlib import closing
from typing import TYPE_CHECKING, Any

from statefun.cli.arguments import (
    UsageError,
    add_data,
    add_dialect,
    add_functions,
    print_line,
    registry_of,
)
from statefun.cli.output import show_error
from statefun.runtime.admin.types import type_changes
from statefun.runtime.stores.sqlite import SqliteReader

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

__all__ = ["add", "run"]


def add(commands: Any, *parents: ArgumentParser) -> None:
    """Add the command."""
    text = (
        "say what is wrong in module files, with file, line and what to write; and which stored "
        "values functions declare as another type"
    )
    parser = commands.add_parser("check", parents=parents, help=text, description=text)
    parser.add_argument("files", nargs="*", metavar="FILE")
    add_functions(parser, "functions whose declarations are compared with the values of --data")
    add_data(parser)
    parser.add_argument("--strict", action="store_true", help="take no unknown keys")
    add_dialect(parser, "whose files these are; 'embedded' is this runtime")
    parser.set_defaults(run=run)


def run(arguments: Namespace) -> int:
    """Print every problem on stderr; 1 if there is an error among them."""
    if not arguments.files and not arguments.functions:
        raise UsageError("nothing to check: pass module files, or --functions MODULE:ATTR, or both")
    is_wrong = bool(arguments.files) and _check_files(arguments)
    has_held = bool(arguments.functions) and _check_values(arguments)
    return int(is_wrong or has_held)


def _check_values(arguments: Namespace) -> bool:
    """Print which values are of another type than is declared; whether some hold addresses."""
    functions = [registry_of(target) for target in arguments.functions]
    with closing(SqliteReader(arguments.data)) as reader:
        changes = list(type_changes(reader.value_counts(), functions))
    held = [change for change in changes if change.way == "held"]
    for change in held:
        sys.stderr.write(f"{arguments.data}: {show_error(str(change))}\n")
    for change in changes:
        if change.way != "held":
            print_line(f"{arguments.data}: {show_error(str(change))}")
    if not changes:
        print_line(f"{arguments.data}: every value is of the type that is declared")
    return bool(held)


def _check_files(arguments: Namespace) -> bool:
    """Print the problems of module files; whether there is an error among them."""
    from statefun.cli.connectors import connectors, kinds_of  # noqa: PLC0415 - needs an extra
    from statefun.modulefiles.module import read_modules  # noqa: PLC0415 - likewise

    reading = read_modules(
        arguments.files,
        strict=arguments.strict,
        dialect=arguments.dialect,
        connectors=kinds_of(connectors()),
    )
    lines = [(problem, str(problem)) for problem in reading.errors]
    lines += [(problem, f"{problem} (warning)") for problem in reading.warnings]
    for _, line in sorted(lines):
        sys.stderr.write(f"{line}\n")
    if reading.errors:
        return True
    module = reading.module
    parts = (
        _count(len(module.endpoints), "endpoint"),
        _count(len(module.ingresses), "ingress"),
        _count(len(module.egresses), "egress"),
    )
    print_line(f"{', '.join(arguments.files)}: {', '.join(parts)}")
    return False


def _count(number: int, noun: str) -> str:
    plural = noun if number == 1 else f"{noun}es" if noun.endswith("s") else f"{noun}s"
    return f"{number} {plural}"
