"""`statefun status`: what waits in a data directory, on one screen."""

from __future__ import annotations

import sys
from contextlib import closing
from threading import Event
from typing import TYPE_CHECKING, Any

from statefun.cli.arguments import add_data, parse_seconds, print_json, print_line
from statefun.cli.output import rfc3339, show_name, show_time
from statefun.runtime.admin.control import is_served
from statefun.runtime.stores.sqlite import SqliteReader

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from collections.abc import Iterator

    from statefun.runtime.stores.summary import StoreSummary

__all__ = ["add"]

_CLEAR = "\x1b[H\x1b[2J"
_EVERY_S = 2.0


def add(commands: Any, *parents: ArgumentParser) -> None:
    """Add the command."""
    text = "show what waits, what was given up and what is paused, runtime running or not"
    parser = commands.add_parser("status", parents=parents, help=text, description=text)
    parser.set_defaults(run=run)
    add_data(parser)
    parser.add_argument("--json", action="store_true", help="print JSON and nothing else")
    parser.add_argument(
        "--watch",
        metavar="SECONDS",
        nargs="?",
        type=parse_seconds,
        const=_EVERY_S,
        help="show it again every so many seconds, until Ctrl-C (default: %(const)s)",
    )


def run(arguments: Namespace) -> int:
    """Print it, once or again and again."""
    show_status(arguments)
    while arguments.watch is not None:
        Event().wait(arguments.watch)
        if sys.stdout.isatty() and not arguments.json:
            sys.stdout.write(_CLEAR)
        show_status(arguments)
    return 0


def show_status(arguments: Namespace) -> None:
    """Print it once."""
    with closing(SqliteReader(arguments.data)) as reader:
        summary = reader.summary()
    is_running = is_served(arguments.data)
    if arguments.json:
        print_json(_describe(summary, arguments.data, is_running=is_running))
    else:
        for line in _lines(summary, arguments.data, is_running=is_running):
            print_line(line)


def _describe(summary: StoreSummary, directory: str, *, is_running: bool) -> dict[str, Any]:
    due_ms = summary.next_due_ms
    return {
        "data": directory,
        "running": is_running,
        "messages": summary.messages,
        "busiest": [
            {"typename": each.typename, "id": each.id, "messages": each.messages}
            for each in summary.busiest
        ],
        "timers": summary.timers,
        "next_due": None if due_ms is None else rfc3339(due_ms),
        "dead_letters": summary.dead_letters,
        "paused": summary.paused,
        "egresses": summary.records,
        "functions": summary.addresses,
    }


def _lines(summary: StoreSummary, directory: str, *, is_running: bool) -> Iterator[str]:
    yield f"{directory}: {'a runtime is using it' if is_running else 'no runtime is using it'}"
    busy = [f"{each.typename} {show_name(each.id)}: {each.messages}" for each in summary.busiest]
    yield _line("messages waiting", summary.messages, ", ".join(busy))
    due = "" if summary.next_due_ms is None else f"next at {show_time(summary.next_due_ms)}"
    yield _line("delayed messages", summary.timers, due)
    yield _line("dead letters", summary.dead_letters, _hint(summary.dead_letters, "dead-letters"))
    yield _line("paused addresses", summary.paused, _hint(summary.paused, "paused"))
    taken = [f"{typename}: {count}" for typename, count in summary.records.items()]
    yield _line("egress records", sum(summary.records.values()), ", ".join(taken))
    for typename, count in summary.addresses.items():
        yield _line(f"state of {typename}", count, "1 address" if count == 1 else "addresses")


def _hint(count: int, command: str) -> str:
    return f"see statefun {command} list" if count else ""


def _line(name: str, count: int, more: str) -> str:
    return f"{name + ':':<24}{count:>8}  {more}".rstrip()
