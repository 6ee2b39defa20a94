"""`statefun state`: the values in a data directory, whether a runtime is using it or not."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Any

from statefun.cli.arguments import (
    CommandError,
    add_data,
    add_json,
    parse_text,
    parse_type,
    say,
    say_json,
)
from statefun.cli.editing import make
from statefun.cli.send import encode_value
from statefun.cli.wording import describe, show
from statefun.runtime import edits
from statefun.runtime.clock import SystemClock
from statefun.runtime.sqlite import SqliteReader
from statefun.runtime.values import visible_values
from statefun.sdk.address import Address
from statefun.sdk.valuetypes import StringType

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

__all__ = ["add"]


def add(commands: Any, *parents: ArgumentParser) -> None:
    """Add the command."""
    text = "look at state and edit it, whether the runtime is running or not"
    parser = commands.add_parser("state", help=text, description=text)
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    text = "the ids of a function that have state"
    list_parser = actions.add_parser("list", parents=parents, help=text, description=text)
    list_parser.add_argument("typename", type=parse_type, metavar="NS/TYPE")
    list_parser.set_defaults(run=run_list)
    text = "the values of an address"
    get_parser = actions.add_parser("get", parents=parents, help=text, description=text)
    get_parser.add_argument("typename", type=parse_type, metavar="NS/TYPE")
    get_parser.add_argument("id", type=parse_text, metavar="ID")
    get_parser.add_argument("name", nargs="?", metavar="NAME", help="only this value")
    get_parser.set_defaults(run=run_get)
    text = "set one value of an address; a value that is there keeps its type"
    set_parser = actions.add_parser("set", parents=parents, help=text, description=text)
    set_parser.add_argument("typename", type=parse_type, metavar="NS/TYPE")
    set_parser.add_argument("id", type=parse_text, metavar="ID")
    set_parser.add_argument("name", type=parse_text, metavar="NAME")
    set_parser.add_argument(
        "value", type=parse_text, metavar="VALUE", help="put -- before one that begins with -"
    )
    set_parser.add_argument(
        "--type",
        type=parse_type,
        metavar="TYPENAME",
        help="the type of VALUE (default: that of the value that is there, or a string)",
    )
    set_parser.set_defaults(run=run_set)
    text = "delete one value of an address, or all of them"
    delete_parser = actions.add_parser("delete", parents=parents, help=text, description=text)
    delete_parser.add_argument("typename", type=parse_type, metavar="NS/TYPE")
    delete_parser.add_argument("id", type=parse_text, metavar="ID")
    delete_parser.add_argument("name", nargs="?", type=parse_text, metavar="NAME")
    delete_parser.set_defaults(run=run_delete)
    for each in (list_parser, get_parser, set_parser, delete_parser):
        add_data(each)
        add_json(each)


def run_list(arguments: Namespace) -> int:
    """Print the ids, ordered."""
    now_ms = SystemClock().now_ms()
    with closing(SqliteReader(arguments.data)) as reader:
        ids = [
            address.id
            for address in reader.addresses(arguments.typename)
            if visible_values(reader.load(address), now_ms)
        ]
    if arguments.json:
        say_json(ids)
    else:
        for each in ids:
            say(each if each.isprintable() and each else repr(each))
    return 0


def run_get(arguments: Namespace) -> int:
    """Print the values, ordered by name."""
    address = Address(arguments.typename, arguments.id)
    with closing(SqliteReader(arguments.data)) as reader:
        values = visible_values(reader.load(address), SystemClock().now_ms())
    if arguments.name is not None:
        if arguments.name not in values:
            known = ", ".join(sorted(values)) or "none"
            raise CommandError(f"{address} has no value {arguments.name!r}; values: {known}")
        values = {arguments.name: values[arguments.name]}
    if arguments.json:
        say_json({"values": {name: describe(values[name]) for name in sorted(values)}})
    else:
        for name in sorted(values):
            say(f"{name}: {show(values[name])} ({values[name].typename})")
    return 0


def run_set(arguments: Namespace) -> int:
    """Set a value."""
    address = Address(arguments.typename, arguments.id)
    typename = arguments.type or _typename(arguments.data, address, arguments.name)
    data = encode_value(arguments.value, typename)
    make(arguments, edits.set_value(address, arguments.name, typename, data), "set")
    return 0


def _typename(directory: str, address: Address, name: str) -> str:
    """The type of a value that is there, or a string's."""
    with closing(SqliteReader(directory)) as reader:
        known = reader.load(address).get(name)
    return StringType.typename if known is None else known.typename


def run_delete(arguments: Namespace) -> int:
    """Delete values."""
    address = Address(arguments.typename, arguments.id)
    names = None if arguments.name is None else [arguments.name]
    make(arguments, edits.delete_values(address, names), "deleted")
    return 0
