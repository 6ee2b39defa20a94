"""`statefun replay`: recorded invocations against the code as it is now."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from statefun.cli.arguments import CommandError, parse_target, parse_text, print_json, print_line
from statefun.durable.application import Application
from statefun.durable.recording import Recording, differences
from statefun.errors import ConfigurationError
from statefun.loading import load_functions

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from collections.abc import Iterator

__all__ = ["add"]


def add(commands: Any, *parents: ArgumentParser) -> None:
    """Add the command."""
    text = "let recorded invocations of durable handlers run against the code as it is now"
    parser = commands.add_parser("replay", parents=parents, help=text, description=text)
    parser.add_argument("files", nargs="+", type=parse_text, metavar="FILE")
    parser.add_argument("target", type=parse_target, metavar="MODULE:ATTR")
    parser.add_argument("--json", action="store_true", help="print JSON and nothing else")
    parser.set_defaults(run=run)


def run(arguments: Namespace) -> int:
    """Replay all; 1 if the code differs from one of them."""
    app: Any = load_functions(arguments.target)
    if not isinstance(app, Application):
        raise ConfigurationError(
            f"{arguments.target} is not an app of durable handlers: name what app([...]) returns",
            given=str(arguments.target),
        )
    told = [
        {
            "file": where,
            "invocation": recording.invocation_id,
            "differs": differences(recording, app),
        }
        for where, recording in _read(arguments.files)
    ]
    wrong = [each for each in told if each["differs"]]
    if arguments.json:
        print_json([each | {"differs": each["differs"] or None} for each in told])
    else:
        for each in wrong:
            print_line(f"{each['file']}: {each['differs']}")
        print_line(f"{len(told)} replayed, {len(wrong)} differ")
    return 1 if wrong else 0


def _read(files: list[str]) -> Iterator[tuple[str, Recording]]:
    """The recordings of all files, each with where it stands."""
    for file in files:
        try:
            lines = Path(file).read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise CommandError(f"{file} cannot be read: {error}") from error
        for number, line in enumerate(lines, 1):
            if line.strip():
                where = f"{file}, line {number}"
                yield where, Recording.from_json(line, where)
