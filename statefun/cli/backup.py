"""`statefun backup`: a copy of a data directory's file, while a runtime goes on using it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from statefun.cli.arguments import print_json, print_line
from statefun.runtime.stores.backup import back_up

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

__all__ = ["add"]


def add(commands: Any, *parents: ArgumentParser) -> None:
    """Add the command."""
    text = "copy a data directory into one file, at one moment, runtime running or not"
    parser = commands.add_parser("backup", parents=parents, help=text, description=text)
    parser.set_defaults(run=run)
    parser.add_argument("data", metavar="DIR", help="the data directory")
    parser.add_argument(
        "file", metavar="FILE", help="the copy; a file of that name is not replaced"
    )
    parser.add_argument("--json", action="store_true", help="print JSON and nothing else")


def run(arguments: Namespace) -> int:
    """Copy it."""
    size_bytes = back_up(Path(arguments.data), Path(arguments.file))
    if arguments.json:
        print_json({"file": arguments.file, "size_bytes": size_bytes})
    else:
        print_line(f"copied {arguments.data} to {arguments.file}, {size_bytes} bytes")
    return 0
