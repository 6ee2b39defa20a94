"""`statefun paused`: the addresses that are held by the policy `pause`."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Any

from statefun.cli.arguments import Actions, UsageError, add_address, print_json, print_line
from statefun.cli.editing import make
from statefun.cli.output import (
    LONGEST_JSON,
    LONGEST_LISTED,
    describe,
    describe_address,
    describe_failure,
    describe_source,
    show,
    show_attempts,
    show_error,
    show_time,
    show_topic,
)
from statefun.runtime.admin import edits
from statefun.runtime.stores.sqlite import SqliteReader
from statefun.runtime.values import Value
from statefun.sdk.address import Address

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from statefun.runtime.engine.records import PausedAddress, PendingMessage

__all__ = ["add"]


def add(commands: Any, *parents: ArgumentParser) -> None:
    """Add the command."""
    text = (
        "look at the addresses that are held because a message failed there, or because a value "
        "cannot be read, and release them"
    )
    actions = Actions(commands, "paused", text, parents)
    actions.add("list", run_list, "all of them, with the message that failed")
    text = "go on with an address, or with all; the message that failed is tried again"
    release_parser = actions.add("release", run_release, text)
    add_address(release_parser, "?")
    release_parser.add_argument("--all", action="store_true", help="all there are")


def run_list(arguments: Namespace) -> int:
    """Print all of them."""
    with closing(SqliteReader(arguments.data)) as reader:
        paused = [(each, list(reader.messages(each.address))) for each in reader.paused()]
    if arguments.json:
        print_json([_describe(pause, messages) for pause, messages in paused])
    else:
        for pause, messages in paused:
            failed = f" on {_show(messages[0])}" if messages else ""
            why = f"{show_attempts(pause.attempts)}{failed}"
            if pause.cause == "unreadable-value":
                why = "held until the value can be read"
            print_line(
                f"{pause.address}  {show_time(pause.last_failed_ms)}  {len(messages)} waiting, "
                f"{why}: {show_error(pause.error, LONGEST_LISTED)}"
            )
    return 0


def run_release(arguments: Namespace) -> int:
    """Go on with one or all of them."""
    named = [each for each in (arguments.typename, arguments.id) if each is not None]
    if len(named) != (0 if arguments.all else len(Address._fields)):
        raise UsageError("name one address as NS/TYPE ID, or pass --all, and not both")
    addresses = None if arguments.all else [Address(*named)]
    make(arguments, edits.Release(addresses), "released")
    return 0


def _show(message: PendingMessage) -> str:
    return f"{show(Value.decode(message.argument), None, LONGEST_LISTED)}{show_topic(message)}"


def _describe(pause: PausedAddress, messages: list[PendingMessage]) -> dict[str, Any]:
    first = messages[0] if messages else None
    return {
        "address": describe_address(pause.address),
        "message": None
        if first is None
        else describe(Value.decode(first.argument), None, LONGEST_JSON),
        **({"caller": None} if first is None else describe_source(first)),
        "waiting": len(messages),
        "cause": pause.cause,
        **describe_failure(pause),
    }
