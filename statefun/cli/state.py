"""`statefun state`: the values in a data directory, whether a runtime is using it or not."""

from __future__ import annotations

from argparse import ArgumentTypeError
from contextlib import closing
from typing import TYPE_CHECKING, Any

from statefun.cli.arguments import (
    Actions,
    CommandError,
    add_address,
    parse_text,
    parse_type,
    print_hint,
    print_json,
    print_line,
)
from statefun.cli.editing import make
from statefun.cli.output import describe, show, show_name
from statefun.cli.send import encode_value
from statefun.runtime.admin import edits
from statefun.runtime.clock import SystemClock
from statefun.runtime.stores.sqlite import SqliteReader
from statefun.runtime.values import visible_values
from statefun.sdk.address import Address
from statefun.sdk.primitives import StringType

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from collections.abc import Iterator

__all__ = ["add"]


def add(commands: Any, *parents: ArgumentParser) -> None:
    """Add the command."""
    text = "look at state and edit it, whether the runtime is running or not"
    actions = Actions(commands, "state", text, parents)
    text = "the ids of a function that have state, or the functions that have any"
    list_parser = actions.add("list", run_list, text)
    list_parser.add_argument("typename", nargs="?", type=parse_type, metavar="NS/TYPE")
    get_parser = actions.add("get", run_get, "the values of an address")
    add_address(get_parser)
    get_parser.add_argument(
        "name", nargs="?", type=parse_text, metavar="NAME", help="only this value"
    )
    text = "set one value of an address; a value that is there keeps its type"
    set_parser = actions.add("set", run_set, text)
    add_address(set_parser)
    set_parser.add_argument("name", type=_parse_name, metavar="NAME")
    set_parser.add_argument(
        "value", type=parse_text, metavar="VALUE", help="put -- before one that begins with -"
    )
    set_parser.add_argument(
        "--type",
        type=parse_type,
        metavar="TYPENAME",
        help="the type of VALUE (default: that of the value that is there, or a string)",
    )
    text = "delete one value of an address, or all of them"
    delete_parser = actions.add("delete", run_delete, text)
    add_address(delete_parser)
    delete_parser.add_argument("name", nargs="?", type=parse_text, metavar="NAME")


def _parse_name(text: str) -> str:
    """The name of a value that a function can have."""
    if not text:
        raise ArgumentTypeError("it is empty, and no value has such a name: write one")
    return parse_text(text)


def run_list(arguments: Namespace) -> int:
    """Print the ids of a function, or the functions, ordered."""
    with closing(SqliteReader(arguments.data)) as reader:
        if arguments.typename is None:
            found = [
                each for each in reader.typenames() if next(_ids(reader, each), None) is not None
            ]
            absence = "no function has values"
        else:
            found = list(_ids(reader, arguments.typename))
            absence = f"no id of {arguments.typename} has values"
    if arguments.json:
        print_json(found)
        return 0
    if not found:
        _note_absence(absence, arguments.data)
    for each in found:
        print_line(show_name(each))
    return 0


def _ids(reader: SqliteReader, typename: str) -> Iterator[str]:
    """The ids of a function that have values which have not expired."""
    now_ms = SystemClock().now_ms()
    addresses = reader.addresses(typename)
    return (each.id for each in addresses if visible_values(reader.load(each), now_ms))


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
        print_json({"values": {name: describe(values[name]) for name in sorted(values)}})
        return 0
    if not values:
        _note_absence(f"{address} has no values", arguments.data)
    for name in sorted(values):
        print_line(f"{show_name(name)}: {show(values[name])}")
    return 0


def _note_absence(what: str, directory: str) -> None:
    print_hint(
        "state", f"{what} in {directory}. Check the spelling, and the name of the data directory"
    )


def run_set(arguments: Namespace) -> int:
    """Set a value."""
    address = Address(arguments.typename, arguments.id)
    typename = arguments.type or _typename(arguments.data, address, arguments.name)
    data = encode_value(arguments.value, typename)
    make(arguments, edits.SetValue(address, arguments.name, typename, data), "set")
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
    make(arguments, edits.DeleteValues(address, names), "deleted")
    return 0
