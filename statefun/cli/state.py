"""`statefun state`: the values in a data directory, whether a runtime is using it or not."""

from __future__ import annotations

import json
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
from statefun.cli.listing import add_decoding, add_page, known_types, page_of
from statefun.cli.output import describe, describe_address, show, show_error, show_name
from statefun.cli.values import encode_value, parse_type_name, read_value
from statefun.runtime.clock import SystemClock
from statefun.runtime.stores.sqlite import SqliteReader
from statefun.runtime.values import visible_values
from statefun.sdk.address import Address
from statefun.sdk.failures import text_of
from statefun.sdk.primitives import StringType

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from collections.abc import Iterator

    from statefun.errors import UnreadableValueError
    from statefun.sdk.types import Type

__all__ = ["add"]

_JSON = "json"


def add(commands: Any, *parents: ArgumentParser) -> None:
    """Add the command."""
    text = "look at state and edit it, whether the runtime is running or not"
    actions = Actions(commands, "state", text, parents)
    text = "the ids of a function that have state, or the functions that have any"
    list_parser = actions.add("list", run_list, text)
    list_parser.add_argument("typename", nargs="?", type=parse_type, metavar="NS/TYPE")
    add_page(list_parser, parse_text)
    get_parser = actions.add("get", run_get, "the values of an address")
    add_address(get_parser)
    get_parser.add_argument(
        "name", nargs="?", type=parse_text, metavar="NAME", help="only this value"
    )
    add_decoding(get_parser)
    text = "set one value of an address"
    set_parser = actions.add("set", run_set, text)
    add_address(set_parser)
    set_parser.add_argument("name", type=_parse_name, metavar="NAME")
    set_parser.add_argument("value", type=parse_text, metavar="VALUE", help="- reads it from stdin")
    set_parser.add_argument(
        "--type",
        type=_parse_value_type,
        metavar="TYPENAME",
        help="the type of VALUE, which may be another than that of the value that is there; int, "
        "string, … are the built-in types, and json is the type that is there, or is declared, "
        "with a check that VALUE is JSON (default: the type that is declared or there)",
    )
    add_functions(set_parser, "the functions that declare the value")
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
    some: Iterator[str]
    with closing(SqliteReader(arguments.data)) as reader:
        if arguments.typename is None:
            some = (
                each for each in reader.typenames() if next(_ids(reader, each), None) is not None
            )
            absence = "no function has values"
        else:
            some = _ids(reader, arguments.typename)
            absence = f"no id of {arguments.typename} has values"
        found = page_of(arguments, some, str, "state")
    if arguments.json:
        print_json(found)
        return 0
    if not found and arguments.after is None:
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
    types = known_types(arguments)
    if arguments.json:
        print_json({"values": {name: describe(values[name], types) for name in sorted(values)}})
        return 0
    if not values:
        _note_absence(f"{address} has no values", arguments.data)
    for name in sorted(values):
        print_line(f"{show_name(name)}: {show(values[name], types)}")
    if pause is not None:
        print_hint("state", f"{address} is paused: {show_error(pause.error)}")
    return 0


def _note_absence(what: str, directory: str) -> None:
    print_hint(
        "state", f"{what} in {directory}. Check the spelling, and the name of the data directory"
    )


def run_set(arguments: Namespace) -> int:
    """Set a value."""
    from statefun.runtime.admin import edits  # noqa: PLC0415 - a read needs no edit

    address = Address(arguments.typename, arguments.id)
    text, declared = read_value(arguments.value), _declared_type(arguments)
    typename = arguments.type
    if typename in (None, _JSON):
        known = None if declared is None else declared.typename
        typename = known or _typename(arguments.data, address, arguments.name, typename)
    data = encode_value(text, typename)
    if arguments.type == _JSON:
        _check_json(text)
    if declared is not None and declared.typename == typename:
        _check_type(declared, data)
    make(arguments, edits.SetValue(address, arguments.name, typename, data), "set")
    return 0


def run_migrate(arguments: Namespace) -> int:
    """Migrate the values of all addresses; 1 if some cannot be read."""
    from statefun.runtime.admin import edits  # noqa: PLC0415 - a read needs no edit
    from statefun.runtime.admin.control import make_edit  # noqa: PLC0415 - likewise
    from statefun.runtime.admin.types import migrations  # noqa: PLC0415 - likewise

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


def _parse_value_type(text: str) -> str:
    """A typename, the short name of a built-in type, or `json`."""
    return _JSON if text == _JSON else parse_type_name(text)


def _declared_type(arguments: Namespace) -> Type[Any] | None:
    """The type that `--functions` declare for a value; None if none of them has the function.

    Raises:
        UsageError: If they have it, and it declares no such value.
    """
    for target in arguments.functions:
        registry = registry_of(target)
        if arguments.typename in registry.typenames:
            specs = registry.for_typename(arguments.typename).storage_spec.specs
            types = {spec.name: spec.type for spec in specs}
            if arguments.name not in types:
                raise UsageError(
                    f"{arguments.typename} declares no value {arguments.name!r}; values: "
                    f"{', '.join(types) or 'none'}"
                )
            return types[arguments.name]
    return None


def _typename(directory: str, address: Address, name: str, asked: str | None) -> str:
    """The type of a value that is there, here or at another id of the function.

    Raises:
        UsageError: If no id of the function has such a value, and others have values.
    """
    with closing(SqliteReader(directory)) as reader:
        here = reader.load(address).get(name)
        counts = [each for each in reader.value_counts() if each.typename == address.typename]
    if here is not None:
        return here.typename
    types = {each.name: each.value_typename for each in counts}
    if name in types:
        return types[name]
    if types or asked == _JSON:
        raise UsageError(
            f"no id of {address.typename} has a value {name!r}; values: "
            f"{', '.join(sorted(types)) or 'none'}. Correct the name, or say what it is with --type"
        )
    return StringType.typename


def _check_json(text: str) -> None:
    try:
        json.loads(text)
    except ValueError as error:
        raise UsageError(f"the value is not JSON: {error}") from error


def _check_type(declared: Type[Any], data: bytes) -> None:
    """Refuse bytes that the function could not read."""
    try:
        declared.serializer().deserialize(data)
    except Exception as error:
        raise UsageError(f"the value is not a {declared.typename}: {text_of(error)}") from error


def run_delete(arguments: Namespace) -> int:
    """Delete values."""
    from statefun.runtime.admin import edits  # noqa: PLC0415 - a read needs no edit

    address = Address(arguments.typename, arguments.id)
    names = None if arguments.name is None else [arguments.name]
    make(arguments, edits.DeleteValues(address, names), "deleted")
    return 0
