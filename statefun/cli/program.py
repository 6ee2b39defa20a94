"""The program `statefun`: its commands, and what becomes of an error.

Law: an error is one line on stderr that says what happened, where and what to do. The exit code is
2 for wrong usage and 1 for a failure; a traceback comes with `--debug` only.
"""

from __future__ import annotations

import importlib
import logging
import os
import re
import sys
import traceback
from argparse import SUPPRESS, Action, ArgumentParser
from threading import Event, Thread
from typing import TYPE_CHECKING, NoReturn

from statefun.cli.arguments import LITERAL, UsageError, print_line
from statefun.errors import StatefunError
from statefun.sdk.wire import CORE

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Sequence

__all__ = ["main"]

logger = logging.getLogger("statefun.cli")

_COMMANDS = (
    *("new", "dev", "run", "serve", "module", "send", "status", "state", "timers", "dead-letters"),
    *("paused", "egress", "invocations", "workflows", "topics", "replay", "check", "backup"),
)
"""Each is a module of this package."""

_WITH_ADDRESS = frozenset({"send", "state", "paused"})
_INTERRUPTED = 130
_EXIT_S = 3.0


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command.

    Args:
        argv: The arguments behind the program's name; None for those of this process, which then
            ends within three seconds after the command, whatever threads are left.

    Returns:
        The exit code: 0, 1 for a failure, 2 for wrong usage, 130 if it was interrupted.
    """
    try:
        arguments = _parse(argv)
    except SystemExit as exit_:  # how argparse ends after --help, --version and wrong usage
        return exit_.code if isinstance(exit_.code, int) else 1
    logging.basicConfig(
        level=logging.DEBUG if arguments.debug else logging.WARNING,
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
    )
    if logger.isEnabledFor(logging.INFO):
        logger.info("%s", _version())
    code = _run(arguments)
    if argv is None:
        Thread(target=_leave, args=(code,), name="statefun-exit", daemon=True).start()
    return code


def _leave(code: int) -> None:
    """End the process if the interpreter still waits for threads that functions have left."""
    Event().wait(_EXIT_S)
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            stream.flush()
    os._exit(code)


def _parse(argv: Sequence[str] | None) -> Namespace:
    """The arguments. Files may stand before and behind options, which argparse alone forbids."""
    parser = _parser(sys.argv[1:] if argv is None else argv)
    if not (sys.argv[1:] if argv is None else argv):
        parser.print_help()
        parser.exit()
    argv = _literals(sys.argv[1:] if argv is None else argv)
    arguments, rest = parser.parse_known_args(argv)
    if getattr(arguments, "options", None):
        arguments, rest = _with_file(parser, arguments, argv)
    if rest and ("files" not in arguments or any(each.startswith("-") for each in rest)):
        parser.error(f"unrecognized arguments: {' '.join(rest)}")
    if rest:
        arguments.files += rest
    return arguments


def _literals(argv: Sequence[str]) -> list[str]:
    """Mark ids and values that begin with a dash: argparse would take them for options.

    They have one dash, and come behind the typename of a function; no option of these commands
    does.
    """
    marked, is_behind = [], False
    for each in argv:
        is_dashed = len(each) > 1 and each[0] == "-" and each[1] != "-" and each != "-h"
        marked.append(f"{LITERAL}{each}" if is_behind and is_dashed else each)
        is_behind = is_behind or bool(re.fullmatch(r"[^-/][^/]*/.+", each))
    return marked if argv and argv[0] in _WITH_ADDRESS else list(argv)


def _with_file(
    parser: ArgumentParser, arguments: Namespace, argv: Sequence[str]
) -> tuple[Namespace, list[str]]:
    """The arguments behind those of the file that they name."""
    from statefun.cli.options import file_arguments  # noqa: PLC0415 - of one command alone

    command, path = arguments.command, arguments.options
    try:
        given = file_arguments(path)
    except UsageError as error:
        parser.exit(2, f"statefun {command}: {error}\n")
    _, unknown = parser.parse_known_args([command, *given])
    for each in unknown:
        name = each.removeprefix("--").partition("=")[0]
        parser.exit(
            2, f"statefun {command}: {path!r} has the option {name!r}, which does not exist\n"
        )
    begin = argv.index(command) + 1
    return parser.parse_known_args([*argv[:begin], *given, *argv[begin:]])


def _run(arguments: Namespace) -> int:
    try:
        return int(arguments.run(arguments))
    except KeyboardInterrupt:
        return _INTERRUPTED
    except BrokenPipeError:  # whoever read the output has seen enough
        if sys.stdout is not None:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (StatefunError, ModuleNotFoundError, OSError) as error:
        return _report(arguments, str(error), 2 if isinstance(error, UsageError) else 1)
    except Exception as error:  # noqa: BLE001 - the last place that can say anything
        sentence = f"unexpected {type(error).__name__}: {error}; --debug shows where it comes from"
        return _report(arguments, sentence, 1)


def _report(arguments: Namespace, sentences: str, code: int) -> int:
    if arguments.debug:
        traceback.print_exc()
    for sentence in sentences.splitlines():
        sys.stderr.write(f"statefun {arguments.command}: {sentence}\n")
    return code


class _Parser(ArgumentParser):
    """A parser whose errors are one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message}; '{self.prog} --help' shows the usage\n")


class _ShowVersion(Action):
    """`--version`; looking it up takes longer than many commands do."""

    def __call__(self, parser: ArgumentParser, *_: object) -> NoReturn:
        print_line(_version())
        parser.exit()


def _version() -> str:
    from importlib import metadata  # noqa: PLC0415 - takes longer than many commands

    return f"statefun {metadata.version('statefun')}, {CORE} core"


def _parser(argv: Sequence[str]) -> ArgumentParser:
    """The parser of the command that is called; of all of them if there is no such command.

    Their modules take longer to import than most commands to run.
    """
    debug = ArgumentParser(add_help=False)
    debug.add_argument("--debug", action="store_true", default=SUPPRESS, help="show tracebacks")
    parser = _Parser(prog="statefun", description="Stateful functions for Python.")
    parser.add_argument(
        "--version", action=_ShowVersion, nargs=0, help="show program's version number and exit"
    )
    parser.add_argument("--debug", action="store_true", help="show tracebacks")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    called = next((each for each in argv if not each.startswith("-")), "")
    for name in (called,) if called in _COMMANDS else _COMMANDS:
        module = importlib.import_module(f"statefun.cli.{name.replace('-', '_')}")
        module.add(commands, debug)
    return parser
