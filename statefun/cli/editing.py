"""The common part of commands that edit."""

from __future__ import annotations

from argparse import ArgumentTypeError
from typing import TYPE_CHECKING, Any

from statefun.cli.arguments import UsageError, print_json, print_line
from statefun.cli.output import describe_address, show_name
from statefun.runtime.clock import SystemClock
from statefun.sdk.address import Address

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from statefun.runtime.admin.edits import Changed, Edit

__all__ = ["add_choice", "chosen", "make", "parse_id"]

_LAST_ID = (1 << 63) - 1


def parse_id(text: str) -> int:
    """The number of something."""
    is_number = text.isascii() and text.isdecimal() and len(text) <= len(str(_LAST_ID))
    if not (is_number and int(text) <= _LAST_ID):
        raise ArgumentTypeError(f"{text!r} is not an id: write a number that 'list' shows")
    return int(text)


def add_choice(parser: ArgumentParser) -> None:
    """Ids, or `--all`."""
    parser.add_argument("ids", nargs="*", type=parse_id, metavar="ID")
    parser.add_argument("--all", action="store_true", help="all there are")


def chosen(arguments: Namespace) -> list[int] | None:
    """The ids that were given, None for all.

    Raises:
        UsageError: If there are neither or both.
    """
    if bool(arguments.ids) == arguments.all:
        raise UsageError("name one or more ids that 'list' shows, or pass --all, and not both")
    return None if arguments.all else arguments.ids


def make(arguments: Namespace, edit: Edit, done: str) -> Changed:
    """Make an edit and say what was changed.

    Args:
        arguments: With `data` and `json`.
        edit: The edit.
        done: The word for it; the key in JSON.
    """
    from statefun.runtime.admin.control import make_edit  # noqa: PLC0415 - a read needs no engine

    changed = make_edit(arguments.data, edit, SystemClock().now_ms())
    if arguments.json:
        print_json({done: [_describe(each) for each in changed]})
    else:
        what = ", ".join(_show(each) for each in changed) or "nothing"
        print_line(f"{done} {what}")
    return changed


def _describe(changed: Any) -> Any:
    if isinstance(changed, Address):
        return describe_address(changed)
    return changed


def _show(changed: Any) -> str:
    if isinstance(changed, Address):
        typename, address_id = changed
        return f"{typename} {address_id!r}"
    return show_name(str(changed))
