"""Values on a command line: how they are written, by their type."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from statefun.cli.arguments import UsageError, parse_type
from statefun.errors import SerializationError
from statefun.sdk.primitives import (
    BUILT_IN,
    BoolType,
    DoubleType,
    FloatType,
    IntType,
    LongType,
    StringType,
    serialize,
)

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["encode_value", "parse_type_name", "read_value"]

_SHORT = {typename.rpartition("/")[2]: typename for typename in BUILT_IN}
"""`int`, `string`, … → the typename."""


def _parse_bool(text: str) -> bool:
    truths = {"true": True, "1": True, "false": False, "0": False}
    return truths[text.lower()]


_FORMS: dict[str, tuple[Callable[[str], Any], str]] = {
    StringType.typename: (str, "text"),
    IntType.typename: (int, "a whole number"),
    LongType.typename: (int, "a whole number"),
    FloatType.typename: (float, "a number"),
    DoubleType.typename: (float, "a number"),
    BoolType.typename: (_parse_bool, "true or false"),
}
"""A built-in type → how its value is written on a command line."""


def parse_type_name(text: str) -> str:
    """A typename, or the short name of a built-in type, such as `int`."""
    return _SHORT.get(text) or parse_type(text)


def read_value(text: str) -> str:
    """The value that an argument stands for: - is what comes from stdin."""
    return sys.stdin.read() if text == "-" else text


def encode_value(text: str, typename: str) -> bytes:
    """The bytes of a value: parsed if the type is built in, UTF-8 if not.

    Raises:
        UsageError: If the text is not of that type.
    """
    if typename not in BUILT_IN:
        return text.encode()
    parse, form = _FORMS[typename]
    try:
        return serialize(BUILT_IN[typename], parse(text))
    except SerializationError as error:
        raise UsageError(str(error)) from error
    except (ValueError, KeyError) as error:
        raise UsageError(f"{text!r} is not a value of {typename}: write {form}") from error
