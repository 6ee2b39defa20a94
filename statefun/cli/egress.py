"""`statefun egress`: the records that wait for an egress, in a data directory."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Any

from statefun.cli.arguments import (
    Actions,
    CommandError,
    parse_type,
    print_json,
    print_line,
)
from statefun.cli.editing import add_choice, chosen, make, parse_id
from statefun.cli.listing import add_decoding, add_page, known_types, page_of
from statefun.cli.output import LONGEST_JSON, LONGEST_LISTED, LONGEST_SHOWN, describe, show
from statefun.runtime.admin import edits
from statefun.runtime.admin.control import is_served, make_edit
from statefun.runtime.clock import SystemClock
from statefun.runtime.stores.sqlite import SqliteReader
from statefun.runtime.values import EgressValue
from statefun.sdk.egress import KAFKA_RECORD

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from collections.abc import Mapping

    from statefun.runtime.engine.records import OutboxRecord
    from statefun.sdk.types import Type

__all__ = ["add"]


def add(commands: Any, *parents: ArgumentParser) -> None:
    """Add the command."""
    text = "look at the records that wait for an egress; take them out, or forget them"
    actions = Actions(commands, "egress", text, parents)
    list_parser = actions.add("list", run_list, "all of them, oldest first")
    list_parser.add_argument("typename", nargs="?", type=parse_type, metavar="NS/EGRESS")
    add_page(list_parser, parse_id)
    add_decoding(list_parser)
    text = "print records and forget them; no runtime may be using the directory"
    take_parser = actions.add("take", run_take, text)
    add_choice(take_parser)
    add_decoding(take_parser)
    text = "forget records; no runtime may be using the directory"
    add_choice(actions.add("drop", run_drop, text))


def run_list(arguments: Namespace) -> int:
    """Print them."""
    with closing(SqliteReader(arguments.data)) as reader:
        wanted = (each for each in reader.records() if arguments.typename in (None, each.typename))
        records = page_of(arguments, wanted, lambda each: each.id, "egress")
    types = known_types(arguments)
    if arguments.json:
        print_json([_describe(each, types, LONGEST_JSON) for each in records])
    else:
        for each in records:
            print_line(_line(each, types, LONGEST_LISTED))
    return 0


def run_take(arguments: Namespace) -> int:
    """Print them, and forget them then: what is cut off in between is there still."""
    ids = _checked(arguments)
    with closing(SqliteReader(arguments.data)) as reader:
        records = [each for each in reader.records() if ids is None or each.id in ids]
    types = known_types(arguments)
    if arguments.json:
        print_json([_describe(each, types) for each in records])
    else:
        for each in records:
            print_line(_line(each, types, LONGEST_SHOWN))
    edit = edits.ForgetRecords([each.id for each in records] if ids is None else ids)
    make_edit(arguments.data, edit, SystemClock().now_ms())
    return 0


def run_drop(arguments: Namespace) -> int:
    """Forget them."""
    make(arguments, edits.ForgetRecords(_checked(arguments)), "dropped")
    return 0


def _checked(arguments: Namespace) -> list[int] | None:
    """The ids that were given, once it is sure that nobody else hands these records out."""
    ids = chosen(arguments)
    if is_served(arguments.data):
        raise CommandError(
            f"a runtime is using {arguments.data}, and its egresses hand these records out: read "
            "them there, for example by GET /<topic>, or stop it first"
        )
    return ids


def _content(record: OutboxRecord) -> tuple[EgressValue, dict[str, str]]:
    """The value of a record, and topic and key of one that is for Kafka."""
    value = EgressValue.decode(record.argument, record.id)
    if value.typename != KAFKA_RECORD:
        return value, {}
    kafka = value.kafka
    about = {"topic": kafka.topic, **({"key": kafka.key} if kafka.key else {})}
    return EgressValue("", kafka.value, record.id), about


def _describe(
    record: OutboxRecord, types: Mapping[str, Type[Any]], longest: int | None = None
) -> dict[str, Any]:
    value, about = _content(record)
    return {
        "id": record.id,
        "egress": record.typename,
        **about,
        "message": describe(value, types, longest),
    }


def _line(record: OutboxRecord, types: Mapping[str, Type[Any]], longest: int) -> str:
    value, about = _content(record)
    told = "".join(f", {name} {content!r}" for name, content in about.items())
    return f"{record.id}  to {record.typename}{told}: {show(value, types, longest)}"
