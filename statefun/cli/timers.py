"""`statefun timers`: the delayed messages waiting in a data directory."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Any

from statefun.cli.arguments import Actions, print_json, print_line
from statefun.cli.editing import add_choice, chosen, make, parse_id
from statefun.cli.listing import add_decoding, add_page, known_types, page_of
from statefun.cli.output import (
    LONGEST_JSON,
    LONGEST_LISTED,
    describe,
    describe_address,
    rfc3339,
    show,
    show_time,
)
from statefun.runtime.admin import edits
from statefun.runtime.stores.sqlite import SqliteReader
from statefun.runtime.values import Value

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from collections.abc import Mapping

    from statefun.runtime.engine.records import Timer
    from statefun.sdk.types import Type

__all__ = ["add"]


def add(commands: Any, *parents: ArgumentParser) -> None:
    """Add the command."""
    text = "look at the delayed messages waiting, and cancel them, runtime running or not"
    actions = Actions(commands, "timers", text, parents)
    list_parser = actions.add(
        "list", run_list, "the delayed messages waiting, in the order in which they fire"
    )
    add_page(list_parser, parse_id)
    add_decoding(list_parser)
    text = "cancel delayed messages, by the ids that 'list' shows"
    add_choice(actions.add("cancel", run_cancel, text))


def run_list(arguments: Namespace) -> int:
    """Print the timers."""
    with closing(SqliteReader(arguments.data)) as reader:
        timers = page_of(arguments, reader.timers(), lambda each: each.seq, "timers")
    types = known_types(arguments)
    if arguments.json:
        print_json([_describe(timer, types) for timer in timers])
    else:
        for timer in timers:
            print_line(_line(timer, types))
    return 0


def run_cancel(arguments: Namespace) -> int:
    """Cancel timers."""
    make(arguments, edits.CancelTimers(chosen(arguments)), "cancelled")
    return 0


def _describe(timer: Timer, types: Mapping[str, Type[Any]]) -> dict[str, Any]:
    return {
        "id": timer.seq,
        "due": rfc3339(timer.due_ms),
        "due_ms": timer.due_ms,
        "target": describe_address(timer.target),
        "sender": describe_address(timer.sender),
        "token": timer.token or None,
        "message": describe(Value.decode(timer.argument), types, LONGEST_JSON),
    }


def _line(timer: Timer, types: Mapping[str, Type[Any]]) -> str:
    message = show(Value.decode(timer.argument), types, LONGEST_LISTED)
    token = f", token {timer.token!r}" if timer.token else ""
    due = show_time(timer.due_ms)
    return f"{timer.seq}  {due}  to {timer.target} from {timer.sender}: {message}{token}"
