"""`statefun topics`: how far ingresses have come in their sources, such as partitions of topics."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Any

from statefun.cli.arguments import add_data, print_json, print_line
from statefun.ports import Source
from statefun.runtime.admin.control import ask_sources
from statefun.runtime.stores.sqlite import SqliteReader

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

__all__ = ["add"]


def add(commands: Any, *parents: ArgumentParser) -> None:
    """Add the command."""
    text = (
        "show where ingresses go on in each partition of a topic; while the runtime runs, also "
        "how far they are behind, and what is paused or stands still"
    )
    parser = commands.add_parser("topics", parents=parents, help=text, description=text)
    parser.set_defaults(run=run)
    add_data(parser)
    parser.add_argument("--json", action="store_true", help="print JSON and nothing else")


def run(arguments: Namespace) -> int:
    """Print them."""
    with closing(SqliteReader(arguments.data)) as reader:
        sources = ask_sources(arguments.data) or _stored(reader.positions())
    if arguments.json:
        print_json([{**each._asdict(), "lag": each.lag} for each in sources])
    else:
        for each in sources:
            print_line(_line(each))
    return 0


def _stored(positions: dict[str, bytes]) -> list[Source]:
    """The positions in the data directory; one that is not a number is for its connector alone."""
    return [Source(name, int(at)) for name, at in positions.items() if at.isdigit()]


def _line(source: Source) -> str:
    parts = [f"{source.name}  at {source.position}"]
    if source.lag is not None:
        parts.append(f"{source.lag} behind")
    if source.is_paused and not source.problem:
        parts.append("paused: too much waits")
    if source.problem:
        parts.append(f"stands still: {source.problem}")
    return ", ".join(parts)
