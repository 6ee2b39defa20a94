"""`statefun state`: the values in a data directory, whether a runtime is using it or not."""

from __future__ import annotations

from argparse import ArgumentTypeError
from contextlib import closing
from typing import TYPE_CHECKING, Any

from statefun.cli.arguments import (
    Actions,
    CommandError,
    UsageError,
    add_address,
    add_functions,
    parse_text,
    parse_type,
    print_hint,
    print_json,
    print_line,
    registry_of,
)
from statefun.cli.editing import make
from statefun.cli.output import describe, describe_address, show, show_error, show_name
from statefun.cli.send import encode_value
from statefun.runtime.admin import edits
from statefun.runtime.admin.control import make_edit
from statefun.runtime.admin.types import migrations
from statefun.runtime.clock import SystemClock
from statefun.runtime.stores.sqlite import SqliteReader
from statefun.runtime.values import visible_values
from statefun.sdk.address import Address
from statefun.sdk.primitives import StringType

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from collections.abc import Iterator

    from statefun.errors import UnreadableValueError

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
    text = "set one value of an address"
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
        help="the type of VALUE, which may be another than that of the value that is there "
        "(default: that one, or a string)",
    )
    text = "delete one value of an address, or all of them"
    delete_parser = actions.add("delete", run_delete, text)
    add_address(delete_parser)
    delete_parser.add_argument("name", nargs="?", type=parse_text, metavar="NAME")
    text = "store values as the types that functions declare now, by their upgrades"
    migrate_parser = actions.add("migrate", run_migrate, text)
    migrate_parser.add_argument("typename", nargs="?", type=parse_type, metavar="NS/TYPE")
    add_functions(migrate_parser, "the functions, as they declare their values now")


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
        pause = next((each for each in reader.paused() if each.address == address), None)
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
    if pause is not None:
        print_hint("state", f"{address} is paused: {show_error(pause.error)}")
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


def run_migrate(arguments: Namespace) -> int:
    """Migrate the values of all addresses; 1 if some cannot be read."""
    if not arguments.functions:
        raise UsageError("name the functions that declare the values: --functions MODULE:ATTR")
    functions = [registry_of(target) for target in arguments.functions]
    now_ms, migrated = SystemClock().now_ms(), 0
    unreadable: list[tuple[Address, UnreadableValueError]] = []
    with closing(SqliteReader(arguments.data)) as reader:
        for page in migrations(reader, functions, now_ms, arguments.typename):
            unreadable += page.unreadable
            if page.values:
                edit = edits.ReplaceValues(page.values)
                migrated += len(make_edit(arguments.data, edit, SystemClock().now_ms()))
    if arguments.json:
        reasons = [
            {"address": describe_address(address), "error": str(error)}
            for address, error in unreadable
        ]
        print_json({"migrated": migrated, "unreadable": reasons})
    else:
        print_line(f"migrated {migrated} values")
        for _, error in unreadable:
            print_hint("state", show_error(str(error)))
    return 1 if unreadable else 0


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
