"""Lists: a page of them at a time, and the types by which values are shown."""

from __future__ import annotations

from collections.abc import Generator
from itertools import islice
from typing import TYPE_CHECKING, Any, TypeVar

from statefun.cli.arguments import add_functions, parse_count, print_hint, registry_of

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from collections.abc import Callable, Iterable

    from statefun.sdk.types import Type

__all__ = ["add_decoding", "add_page", "known_types", "page_of"]

T = TypeVar("T")

_PAGE = 1000


def add_page(parser: ArgumentParser, parse: Callable[[str], Any]) -> None:
    """The options `--limit` and `--after`.

    Args:
        parser: The parser of a list.
        parse: Reads what a line of the list begins with.
    """
    parser.add_argument(
        "--limit",
        type=parse_count,
        default=_PAGE,
        metavar="N",
        help="show so many at most (default: %(default)s)",
    )
    parser.add_argument(
        "--after", type=parse, metavar="ID", help="begin behind this one, the last that was shown"
    )


def page_of(
    arguments: Namespace, found: Iterable[T], key: Callable[[T], object], command: str
) -> list[T]:
    """A page of a list; a hint says how to see more.

    Args:
        arguments: With `limit` and `after`.
        found: All of it, in order.
        key: What `--after` names of each.
        command: The command, for the hint.
    """
    rest = iter(found)
    if arguments.after is not None:
        for each in rest:
            if key(each) == arguments.after:
                break
    page = list(islice(rest, arguments.limit + 1))
    if isinstance(rest, Generator):
        rest.close()  # before the file that it reads is closed
    if len(page) > arguments.limit:
        page.pop()
        behind = f" --after {key(page[-1])}" if page else ""
        print_hint(command, f"there are more: see them with --limit {arguments.limit}{behind}")
    return page


def add_decoding(parser: ArgumentParser) -> None:
    """The option `--functions`, whose types read what nothing else can."""
    add_functions(parser, "functions whose types decode the values")


def known_types(arguments: Namespace) -> dict[str, Type[Any]]:
    """The types that functions declare for values and messages, by typename."""
    types: dict[str, Type[Any]] = {}
    for target in arguments.functions:
        registry = registry_of(target)
        for typename in registry.typenames:
            function = registry.for_typename(typename)
            for spec in function.storage_spec.specs:
                types[spec.type.typename] = spec.type
            types.update({each.typename: each for each in function.accepts})
    return types
