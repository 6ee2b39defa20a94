"""Old helpers around `TypedValue`, and two type makers of `statefun.sdk.types`."""

from __future__ import annotations

import json
import typing
from typing import Any

from statefun.errors import SerializationError, TypeMismatchError
from statefun.sdk.primitives import serialize
from statefun.sdk.types import Type, make_json_type, make_protobuf_type, simple_type
from statefun.sdk.wire._proto import TypedValue

__all__ = [
    "Type",
    "TypedValue",
    "from_typed_value",
    "json",
    "make_json_type",
    "make_protobuf_type",
    "simple_type",
    "to_typed_value",
    "to_typed_value_deduce",
    "typing",
]


def to_typed_value(type: Type[Any], value: Any) -> TypedValue:  # noqa: A002 - an old name
    """A `TypedValue` of `type`; without a value if `value` is None."""
    if value is None:
        return TypedValue(typename=type.typename, has_value=False)
    return TypedValue(typename=type.typename, has_value=True, value=serialize(type, value))


def from_typed_value(tpe: Type[Any], typed_value: TypedValue | None) -> Any:
    """The value inside, None if there is none.

    Raises:
        TypeMismatchError: If the typenames differ; a `TypeError`.
    """
    if not typed_value or not typed_value.has_value:
        return None
    if tpe.typename != typed_value.typename:
        raise TypeMismatchError("the value", tpe.typename, typed_value.typename)
    return tpe.serializer().deserialize(typed_value.value)


def to_typed_value_deduce(value: Any, value_type: Type[Any] | None = None) -> bytes:
    """Bytes of `value`, by its type if one is given, else of text or bytes."""
    if value_type is not None:
        return serialize(value_type, value)
    if isinstance(value, bytes | bytearray):
        return bytes(value)
    if isinstance(value, str):
        return value.encode()
    raise SerializationError(f"bytes or text expected, got {type(value).__name__}")
