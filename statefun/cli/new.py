"""`statefun new`: the files of a new project."""

from __future__ import annotations

import re
from argparse import ArgumentTypeError
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING, Any

from statefun.cli.arguments import CommandError, print_line

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

__all__ = ["add"]

_PLACES = {"ci.yml": ".github/workflows/ci.yml", "gitignore": ".gitignore"}


def add(commands: Any, *parents: ArgumentParser) -> None:
    """Add the command."""
    text = "make a folder with functions, tests, module files, compose file and CI"
    parser = commands.add_parser("new", parents=parents, help=text, description=text)
    parser.set_defaults(run=run)
    parser.add_argument("name", metavar="NAME", type=parse_name, help="the folder; it must be new")


def parse_name(text: str) -> str:
    """The name of a project, which is a folder and part of typenames."""
    if not re.fullmatch(r"[A-Za-z][\w-]*", text, re.ASCII) or text == "statefun":
        raise ArgumentTypeError(
            f"{text!r} is not a name for a project: write letters, digits, '-' and '_', with a "
            "letter in front, and not 'statefun'"
        )
    return text


def run(arguments: Namespace) -> int:
    """Write the files."""
    folder, name = Path(arguments.name), arguments.name
    try:
        folder.mkdir()
    except FileExistsError:
        raise CommandError(f"{name!r} is there already: choose another name") from None
    names = {"name": name, "namespace": name, "version": version("statefun")}
    for template in sorted(files("statefun.cli").joinpath("project").iterdir(), key=str):
        given = template.name.removesuffix(".txt")
        path = folder / _PLACES.get(given, given)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(Template(template.read_text("utf-8")).substitute(names), "utf-8")
        print_line(str(path))
    print_line(f"next: cd {name}, and do what README.md says")
    return 0
