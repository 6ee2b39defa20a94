"""`statefun dead-letters`: the messages that were given up."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Any

from statefun.cli.arguments import Actions, CommandError, print_json, print_line
from statefun.cli.editing import add_choice, chosen, make, parse_id
from statefun.cli.output import (
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
from statefun.runtime.engine.failures import untraced
from statefun.runtime.stores.sqlite import SqliteReader
from statefun.runtime.values import Value
from statefun.sdk.failures import escaped

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from statefun.runtime.engine.records import DeadLetter

__all__ = ["add"]


def add(commands: Any, *parents: ArgumentParser) -> None:
    """Add the command."""
    text = "look at the messages that were given up, send them again, or forget them"
    actions = Actions(commands, "dead-letters", text, parents)
    actions.add("list", run_list, "all of them, oldest first")
    show_parser = actions.add("show", run_show, "one of them, with everything that is known")
    show_parser.add_argument("id", type=parse_id, metavar="ID")
    add_choice(actions.add("replay", run_replay, "send them again, oldest first, as new messages"))
    add_choice(actions.add("drop", run_drop, "forget them"))


def run_list(arguments: Namespace) -> int:
    """Print all of them."""
    with closing(SqliteReader(arguments.data)) as reader:
        letters = list(reader.dead_letters())
    if arguments.json:
        print_json([_describe(letter) for letter in letters])
    else:
        for letter in letters:
            print_line(
                f"{letter.id}  {show_time(letter.last_failed_ms)}  to {letter.target}: "
                f"{show(Value.decode(letter.argument))}{show_topic(letter)}, "
                f"{show_attempts(letter.attempts)}: {show_error(letter.error)}"
            )
    return 0


def run_show(arguments: Namespace) -> int:
    """Print one of them."""
    with closing(SqliteReader(arguments.data)) as reader:
        letter = reader.dead_letter(arguments.id)
    if letter is None:
        raise CommandError(
            f"there is no dead letter {arguments.id} in {arguments.data}: "
            "'statefun dead-letters list' shows those there are"
        )
    if arguments.json:
        print_json(_describe(letter))
        return 0
    for name, content in (
        ("id", letter.id),
        ("address", letter.target),
        ("caller", letter.caller or "an ingress"),
        ("topic", letter.topic or "none"),
        ("message", show(Value.decode(letter.argument))),
        ("attempts", letter.attempts),
        ("first failed", show_time(letter.first_failed_ms)),
        ("last failed", show_time(letter.last_failed_ms)),
        ("error", show_error(letter.error)),
    ):
        print_line(f"{name}: {content}")
    for place in untraced(letter.error)[1]:
        print_line(f"  at {escaped(place)}")
    return 0


def run_replay(arguments: Namespace) -> int:
    """Send them again."""
    make(arguments, edits.Replay(chosen(arguments)), "replayed")
    return 0


def run_drop(arguments: Namespace) -> int:
    """Forget them."""
    make(arguments, edits.Drop(chosen(arguments)), "dropped")
    return 0


def _describe(letter: DeadLetter) -> dict[str, Any]:
    return {
        "id": letter.id,
        "address": describe_address(letter.target),
        "message": describe(Value.decode(letter.argument)),
        **describe_source(letter),
        **describe_failure(letter),
    }
