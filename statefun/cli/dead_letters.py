"""`statefun dead-letters`: the messages that were given up."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Any

from statefun.cli.arguments import (
    Actions,
    CommandError,
    UsageError,
    parse_text,
    print_json,
    print_line,
)
from statefun.cli.editing import add_choice, chosen, make, parse_id
from statefun.cli.listing import add_decoding, add_page, known_types, page_of
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
from statefun.cli.values import encode_value, parse_type_name, read_value
from statefun.runtime.admin import edits
from statefun.runtime.stores.sqlite import SqliteReader
from statefun.runtime.values import Value
from statefun.sdk.failures import escaped, untraced
from statefun.sdk.primitives import StringType
from statefun.sdk.wire import encode_typed_value

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from collections.abc import Mapping

    from statefun.runtime.engine.records import DeadLetter
    from statefun.sdk.types import Type

__all__ = ["add"]


def add(commands: Any, *parents: ArgumentParser) -> None:
    """Add the command."""
    text = "look at the messages that were given up, send them again, or forget them"
    actions = Actions(commands, "dead-letters", text, parents)
    list_parser = actions.add("list", run_list, "all of them, oldest first")
    add_page(list_parser, parse_id)
    add_decoding(list_parser)
    show_parser = actions.add("show", run_show, "one of them, with everything that is known")
    show_parser.add_argument("id", type=parse_id, metavar="ID")
    add_decoding(show_parser)
    replay_parser = actions.add(
        "replay", run_replay, "send them again, oldest first, as new messages"
    )
    add_choice(replay_parser)
    replay_parser.add_argument(
        "--value",
        type=parse_text,
        help="send this instead of what the message was; - reads it from stdin",
    )
    replay_parser.add_argument(
        "--type",
        type=parse_type_name,
        metavar="TYPENAME",
        help="the type of --value (default: that of the message)",
    )
    add_choice(actions.add("drop", run_drop, "forget them"))


def run_list(arguments: Namespace) -> int:
    """Print all of them."""
    with closing(SqliteReader(arguments.data)) as reader:
        found = reader.dead_letters()
        letters = page_of(arguments, found, lambda each: each.id, "dead-letters")
    types = known_types(arguments)
    if arguments.json:
        print_json([_describe(letter, types, LONGEST_JSON) for letter in letters])
    else:
        for letter in letters:
            message = show(Value.decode(letter.argument), types, LONGEST_LISTED)
            print_line(
                f"{letter.id}  {show_time(letter.last_failed_ms)}  to {letter.target}: "
                f"{message}{show_topic(letter)}, "
                f"{show_attempts(letter.attempts)}: {show_error(letter.error, LONGEST_LISTED)}"
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
    types = known_types(arguments)
    if arguments.json:
        print_json(_describe(letter, types))
        return 0
    for name, content in (
        ("id", letter.id),
        ("address", letter.target),
        ("caller", letter.caller or "an ingress"),
        ("topic", letter.topic or "none"),
        ("message", show(Value.decode(letter.argument), types)),
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
    """Send them again, or another value in their place."""
    ids, argument = chosen(arguments), None
    if arguments.value is not None:
        if ids is None or len(ids) != 1:
            raise UsageError("--value goes with one id: name the dead letter that it corrects")
        with closing(SqliteReader(arguments.data)) as reader:
            letter = reader.dead_letter(ids[0])
        known = "" if letter is None else Value.decode(letter.argument).typename
        typename = arguments.type or known or StringType.typename
        argument = encode_typed_value(typename, encode_value(read_value(arguments.value), typename))
    make(arguments, edits.Replay(ids, argument), "replayed")
    return 0


def run_drop(arguments: Namespace) -> int:
    """Forget them."""
    make(arguments, edits.Drop(chosen(arguments)), "dropped")
    return 0


def _describe(
    letter: DeadLetter, types: Mapping[str, Type[Any]], longest: int | None = None
) -> dict[str, Any]:
    return {
        "id": letter.id,
        "address": describe_address(letter.target),
        "message": describe(Value.decode(letter.argument), types, longest),
        **describe_source(letter),
        **describe_failure(letter),
    }
