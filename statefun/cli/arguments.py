"""Kinds of arguments, and the way to print: the common part of all commands."""

from __future__ import annotations

import json
import re
import sys
from argparse import ArgumentTypeError
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TextIO

from statefun.errors import ConfigurationError, InvalidTypenameError, StatefunError
from statefun.sdk.address import parse_typename

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from collections.abc import Callable, Sequence

    from statefun.sdk.functions import StatefulFunctions

__all__ = [
    "LITERAL",
    "Actions",
    "CommandError",
    "UsageError",
    "add_address",
    "add_data",
    "add_dialect",
    "add_functions",
    "parse_count",
    "parse_directory",
    "parse_module_file",
    "parse_port",
    "parse_seconds",
    "parse_target",
    "parse_text",
    "parse_type",
    "print_hint",
    "print_json",
    "print_line",
    "registry_of",
]

DEFAULT_DATA = ".statefun"
_LONGEST_S = 86_400
_LONGEST_NUMBER = 12  # digits


class CommandError(StatefunError):
    """A command could not do what it was asked for. Never leaves this package."""


class UsageError(CommandError):
    """The arguments do not go together, or one of them makes no sense."""


LITERAL = "\0"
"""Stands before an argument that begins with a dash without being an option; see `program`."""


def parse_text(text: str) -> str:
    """An argument that is valid Unicode."""
    text = text.removeprefix(LITERAL)
    try:
        text.encode()
    except UnicodeError:
        raise ArgumentTypeError(f"{text!r} is not valid UTF-8") from None
    return text


def parse_type(text: str) -> str:
    """A typename, `namespace/name`."""
    try:
        parse_typename(parse_text(text))
    except InvalidTypenameError as error:
        raise ArgumentTypeError(str(error)) from None
    return text


def parse_target(text: str) -> str:
    """A `MODULE:ATTR`."""
    from statefun import loading  # noqa: PLC0415 - few commands name functions

    try:
        loading.parse_target(text)
    except ConfigurationError as error:
        raise ArgumentTypeError(str(error)) from None
    return text


def parse_module_file(text: str) -> str:
    """The path of a module file; a `MODULE:ATTR` is refused unless a file has that name."""
    if re.fullmatch(r"[\w.]+:[\w.]+", text) and not Path(text).exists():
        raise ArgumentTypeError(f"{text!r} is not a module file: write --functions {text}")
    return text


def parse_port(text: str) -> int:
    """A port; 0 stands for any free one."""
    from statefun.http.listening import LAST_PORT  # noqa: PLC0415 - few commands listen

    if not (text.isdecimal() and int(text) <= LAST_PORT):
        raise ArgumentTypeError(f"{text!r} is not a port: write a number from 0 to {LAST_PORT}")
    return int(text)


def parse_count(text: str) -> int:
    """A number of things, 1 or more."""
    if not (text.isascii() and text.isdecimal() and 0 < len(text) <= _LONGEST_NUMBER and int(text)):
        raise ArgumentTypeError(f"{text!r} is not a number of things: write 1 or more")
    return int(text)


def parse_directory(text: str) -> str:
    """The path of a data directory."""
    if not text:
        raise ArgumentTypeError("it is empty: name a directory, for example .statefun")
    return text


def parse_seconds(text: str) -> float:
    """A time in seconds, 0 or more."""
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds <= _LONGEST_S:
        raise ArgumentTypeError(
            f"{text!r} is not a time: write a number of seconds from 0 to {_LONGEST_S}"
        )
    return seconds


def add_functions(parser: ArgumentParser, text: str) -> None:
    """The option `--functions`, which may be given several times."""
    parser.add_argument(
        "--functions",
        action="append",
        default=[],
        type=parse_target,
        metavar="MODULE:ATTR",
        help=f"{text}; may be given several times",
    )


def registry_of(target: str) -> StatefulFunctions:
    """The functions that a `MODULE:ATTR` names.

    Raises:
        ConfigurationError: If there are none.
    """
    from statefun import loading  # noqa: PLC0415 - few commands name functions
    from statefun.sdk.handler import RequestReplyHandler  # noqa: PLC0415 - likewise

    found = loading.load_functions(target)
    return found.functions if isinstance(found, RequestReplyHandler) else found


def add_data(parser: ArgumentParser) -> None:
    """The option `--data`."""
    parser.add_argument(
        "--data",
        metavar="DIR",
        type=parse_directory,
        default=DEFAULT_DATA,
        help="the data directory of the runtime (default: %(default)s)",
    )


def add_dialect(parser: ArgumentParser, text: str) -> None:
    """The option `--dialect`."""
    from statefun.modulefiles.dialects import (  # noqa: PLC0415 - of few commands
        DEFAULT_DIALECT,
        DIALECTS,
    )

    parser.add_argument(
        "--dialect",
        choices=tuple(DIALECTS),
        default=DEFAULT_DIALECT,
        help=f"{text} (default: %(default)s)",
    )


def add_address(parser: ArgumentParser, nargs: Literal["?"] | None = None) -> None:
    """The two arguments of an address; with `?` as `nargs` they can be left out."""
    parser.add_argument("typename", nargs=nargs, type=parse_type, metavar="NS/TYPE")
    parser.add_argument("id", nargs=nargs, type=parse_text, metavar="ID")


class Actions:
    """The actions of a command about a data directory, such as `list`.

    Args:
        commands: Where the command is added.
        name: The command's.
        text: Its purpose.
        parents: Whose options every action has, besides `--data` and `--json`.
    """

    def __init__(
        self, commands: Any, name: str, text: str, parents: Sequence[ArgumentParser]
    ) -> None:
        parser = commands.add_parser(name, help=text, description=text)
        self._actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
        self._parents = parents

    def add(self, name: str, run: Callable[[Namespace], int], text: str) -> ArgumentParser:
        """Add an action; its own arguments are still to be added."""
        parser: ArgumentParser = self._actions.add_parser(
            name, parents=self._parents, help=text, description=text
        )
        parser.set_defaults(run=run)
        add_data(parser)
        parser.add_argument("--json", action="store_true", help="print JSON and nothing else")
        return parser


def print_line(line: str) -> None:
    """Print a line of what was asked for, at once; what a console cannot show is escaped."""
    out: TextIO | None = sys.stdout
    if out is None:  # it is closed: nobody wants to know
        return
    encoding = getattr(out, "encoding", None) or "utf-8"
    out.write(f"{line}\n".encode(encoding, "backslashreplace").decode(encoding))
    out.flush()


def print_hint(command: str, sentence: str) -> None:
    """Tell a reader more than the result; on stderr."""
    sys.stderr.write(f"statefun {command}: {sentence}\n")


def print_json(content: Any) -> None:
    """Print JSON."""
    print_line(json.dumps(content, indent=2, allow_nan=False))
