"""JSON by type hints: what a value that was read from JSON is as a type."""

from __future__ import annotations

import collections.abc
import dataclasses
import inspect
import types
import typing
import uuid
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from datetime import datetime
from enum import Enum, IntEnum
from typing import Any, ClassVar, Literal, NewType, TypeAlias, TypeVar

__all__ = ["JSONTypeConverter", "value_to_type"]


class _Unhandled:
    def __repr__(self) -> str:
        return "JSONTypeConverter.Unhandled"


class JSONTypeConverter(ABC):
    """Reads JSON as a type of one's own."""

    Unhandled: ClassVar[_Unhandled] = _Unhandled()
    """What `to_typed_value` returns for a type that is not its own."""

    @abstractmethod
    def to_typed_value(self, hint: type, value: Any) -> Any:
        """The value that JSON stands for, or `Unhandled`.

        Args:
            hint: The type that is wanted.
            value: What the JSON says.
        """


_Custom: TypeAlias = Sequence[JSONTypeConverter]
_Reader: TypeAlias = Callable[[Any, Any, Any, _Custom], Any]


def value_to_type(hint: Any, value: Any, custom_converters: _Custom = ()) -> Any:
    """What JSON says, as a type.

    Args:
        hint: The type.
        value: What the JSON says.
        custom_converters: Read types of one's own; they are asked first.

    Raises:
        TypeError: If the value is not of that type.
        ValueError: If it is not one of its values.
    """
    for converter in custom_converters:
        converted = converter.to_typed_value(hint, value)
        if converted is not JSONTypeConverter.Unhandled:
            return converted
    hint = _bare(hint)
    if hint is Any:
        return value
    origin = typing.get_origin(hint) or hint
    read = _FORMS.get(hint) or _FORMS.get(origin)
    if read is None and inspect.isclass(origin):
        read = next((each for is_for, each in _CLASSES if is_for(origin)), None)
    if read is None:
        raise TypeError(f"Unserializable type during conversion: {hint}")
    return read(hint, origin, value, custom_converters)


def _bare(hint: Any) -> Any:
    """A type without its names and annotations."""
    while True:
        if isinstance(hint, NewType):
            hint = hint.__supertype__
        elif typing.get_origin(hint) is typing.Annotated:
            hint = typing.get_args(hint)[0]
        else:
            return hint


def _as_none(_: Any, __: Any, value: Any, ___: _Custom) -> None:
    if value is not None:
        raise TypeError(f"Expected None, got value of type {type(value)}")


def _as_number(hint: Any, _: Any, value: Any, __: _Custom) -> Any:
    if not isinstance(value, (int, float)):
        raise TypeError(f"Expected value to be int|float, was {type(value)}")
    return hint(value)


def _as_itself(hint: Any, _: Any, value: Any, __: _Custom) -> Any:
    if not isinstance(value, hint):
        raise TypeError(f"Expected value to be {hint.__name__}, was {type(value)}")
    return value


def _as_uuid(_: Any, __: Any, value: Any, ___: _Custom) -> uuid.UUID:
    return value if isinstance(value, uuid.UUID) else uuid.UUID(value)


def _as_datetime(_: Any, __: Any, value: Any, ___: _Custom) -> datetime:
    if isinstance(value, datetime):
        return value
    if not isinstance(value, str):
        raise TypeError(f"Expected datetime or ISO8601 string, got {type(value)}")
    try:
        return datetime.fromisoformat(value)
    except ValueError as error:
        raise TypeError(f"Failed parsing datetime string: {value}") from error


def _as_literal(hint: Any, _: Any, value: Any, __: _Custom) -> Any:
    known = typing.get_args(hint)
    if value not in known:
        raise TypeError(f"Value {value} not in literal values {known}")
    return value


def _as_union(hint: Any, _: Any, value: Any, custom_converters: _Custom) -> Any:
    for each in typing.get_args(hint):
        try:
            return value_to_type(each, value, custom_converters)
        except Exception:  # noqa: BLE001, S112 - the next one may take it
            continue
    raise TypeError(f"Failed converting to {hint} from {value}")


def _as_dataclass(hint: Any, origin: Any, value: Any, custom_converters: _Custom) -> Any:
    if not isinstance(value, dict):
        raise TypeError(f"Cannot convert to dataclass {origin}, value is {type(value)} not dict")
    hints = _fields_of(hint, origin)
    fields = {}
    for each in dataclasses.fields(origin):
        if each.init and each.name in value:
            try:
                fields[each.name] = value_to_type(
                    hints[each.name], value[each.name], custom_converters
                )
            except Exception as error:
                raise TypeError(
                    f"Failed converting field {each.name} on dataclass {origin}"
                ) from error
    return origin(**fields)


def _fields_of(hint: Any, origin: type) -> dict[str, Any]:
    """Field → type, with the variables of a generic dataclass filled in."""
    hints = typing.get_type_hints(origin, include_extras=True)
    given = dict(zip(getattr(origin, "__parameters__", ()), typing.get_args(hint), strict=False))
    if not given:
        return hints
    return {name: _filled(each, given) for name, each in hints.items()}


def _filled(hint: Any, given: dict[Any, Any]) -> Any:
    if isinstance(hint, TypeVar):
        return given.get(hint, Any)
    parameters = getattr(hint, "__parameters__", ())
    if parameters:
        return hint[tuple(given.get(each, Any) for each in parameters)]
    return hint


def _as_typed_dict(hint: Any, _: Any, value: Any, custom_converters: _Custom) -> Any:
    if not isinstance(value, dict):
        raise TypeError(f"Expected {hint}, value was {type(value)}")
    fields = typing.get_type_hints(hint)
    return {
        key: value_to_type(fields[key], each, custom_converters) if key in fields else each
        for key, each in value.items()
    }


def _as_mapping(hint: Any, origin: Any, value: Any, custom_converters: _Custom) -> Any:
    if not isinstance(value, collections.abc.Mapping):
        raise TypeError(f"Expected {hint}, value was {type(value)}")
    key_hint, value_hint = typing.get_args(hint) or (Any, Any)
    made: dict[Any, Any] = {}
    for key, each in value.items():
        try:
            name = _as_key(key_hint, key, custom_converters)
        except Exception as error:
            raise TypeError(f"Failed converting {hint} key {key!r}") from error
        try:
            made[name] = value_to_type(value_hint, each, custom_converters)
        except Exception as error:
            raise TypeError(f"Failed converting {hint} value for key {key!r}") from error
    return made if origin is dict or inspect.isabstract(origin) else origin(made)


_KEYS: dict[Any, Callable[[str], Any]] = {
    int: int,
    float: float,
    bool: {"true": True, "false": False}.__getitem__,
    type(None): {"null": None}.__getitem__,
}


def _as_key(hint: Any, key: Any, custom_converters: _Custom) -> Any:
    """A key, which JSON has as text."""
    read = _KEYS.get(hint) if isinstance(key, str) else None
    return value_to_type(hint, key, custom_converters) if read is None else read(key)


def _as_model(_: Any, origin: Any, value: Any, __: _Custom) -> Any:
    read = getattr(origin, "model_validate", None) or origin.parse_obj
    return read(value)


def _as_enum(_: Any, origin: Any, value: Any, __: _Custom) -> Any:
    wanted, word = (int, "an integer") if issubclass(origin, int) else (str, "a string")
    if not isinstance(value, wanted):
        raise TypeError(f"Cannot convert to enum {origin}, value not {word}, got {type(value)}")
    return origin(value)


def _as_bytes(_: Any, origin: Any, value: Any, __: _Custom) -> Any:
    if isinstance(value, str):
        raise TypeError("string argument without an encoding")
    return origin(value)


def _as_iterable(hint: Any, origin: Any, value: Any, custom_converters: _Custom) -> Any:
    if not isinstance(value, list):
        raise TypeError(f"Expected {hint}, value was {type(value)}")
    if hasattr(origin, "_fields"):
        return value  # a named tuple stays a list
    given = typing.get_args(hint)
    items = []
    for index, each in enumerate(value):
        wanted = _item_hint(origin, given, index, hint)
        try:
            items.append(value_to_type(wanted, each, custom_converters))
        except Exception as error:
            raise TypeError(f"Failed converting {hint} index {index}") from error
    if inspect.isabstract(origin):
        return set(items) if issubclass(origin, collections.abc.Set) else items
    return items if origin is list else origin(items)


def _item_hint(origin: type, given: tuple[Any, ...], index: int, hint: Any) -> Any:
    if not given:
        return Any
    if not issubclass(origin, tuple) or given[-1] is Ellipsis:
        return given[0]
    if index >= len(given):
        raise TypeError(f"Type {hint} only expecting {len(given)} values, got at least {index + 1}")
    return given[index]


def _is_a(*bases: Any) -> Callable[[Any], bool]:
    return lambda origin: issubclass(origin, bases)


def _is_enum(origin: Any) -> bool:
    return issubclass(origin, IntEnum) or (issubclass(origin, Enum) and issubclass(origin, str))


def _has_parser(origin: Any) -> bool:
    return hasattr(origin, "parse_obj")


_FORMS: dict[Any, _Reader] = {
    None: _as_none,
    type(None): _as_none,
    int: _as_number,
    float: _as_number,
    bool: _as_itself,
    str: _as_itself,
    uuid.UUID: _as_uuid,
    datetime: _as_datetime,
    Literal: _as_literal,
    typing.Union: _as_union,
    types.UnionType: _as_union,
}
_CLASSES: list[tuple[Callable[[Any], bool], _Reader]] = [
    (dataclasses.is_dataclass, _as_dataclass),
    (typing.is_typeddict, _as_typed_dict),
    (_is_a(collections.abc.Mapping), _as_mapping),
    (_has_parser, _as_model),
    (_is_enum, _as_enum),
    (_is_a(bytes, bytearray), _as_bytes),
    (
        lambda origin: (
            issubclass(origin, collections.abc.Iterable) and not issubclass(origin, (str, Enum))
        ),
        _as_iterable,
    ),
]
