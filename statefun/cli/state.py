"""`statefun state`: the values in a data directory, whether a runtime is using it or not."""

from __future__ import annotations

import base64
import math
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
from statefun.errors import SerializationError
from statefun.runtime.clock import SystemClock
from statefun.runtime.sqlite import SqliteReader
from statefun.runtime.values import Value, visible_values
from statefun.sdk.address import Address

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

__all__ = ["add", "describe", "show"]


def add(commands: Any, *parents: ArgumentParser) -> None:
    """Add the command."""
    text = "look at state, whether the runtime is running or not"
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
    for each in (list_parser, get_parser):
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


def describe(value: Value) -> dict[str, Any]:
    """A value for JSON: typename, and `value` if it is of a built-in type, else `base64`.

    Numbers that JSON does not have become "NaN", "Infinity" and "-Infinity".
    """
    try:
        content = value.value
    except SerializationError:
        content = value.data
    if isinstance(content, bytes):
        encoded = base64.b64encode(value.data).decode()
        return {"typename": value.typename, "base64": encoded}
    if isinstance(content, float) and not math.isfinite(content):
        content = "NaN" if math.isnan(content) else "Infinity" if content > 0 else "-Infinity"
    return {"typename": value.typename, "value": content}


def show(value: Value) -> str:
    """A value for a reader: the Python value, or the bytes as text if they are some."""
    try:
        return repr(value.value)
    except SerializationError:
        return repr(value.data)
