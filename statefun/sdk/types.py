"""Types: a typename, and a serializer between values and bytes."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from operator import methodcaller
from typing import TYPE_CHECKING, Any, Generic, TypeVar, overload

from google.protobuf.message import Message

from statefun.errors import DefinitionError, SerializationError
from statefun.sdk.json_values import is_instance, json_bytes, json_reader, name_of, shown
from statefun.sdk.wire import as_bytes

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = [
    "SimpleType",
    "Type",
    "TypeSerializer",
    "UserTypeSerializer",
    "make_json_type",
    "make_protobuf_type",
    "simple_type",
]

T = TypeVar("T")
M = TypeVar("M", bound=Message)


class TypeSerializer(ABC, Generic[T]):
    """Turns values of one type into bytes and back."""

    __slots__ = ()

    @abstractmethod
    def serialize(self, value: T) -> bytes:
        """The bytes of `value`."""

    @abstractmethod
    def deserialize(self, byte: bytes) -> T:
        """The value of these bytes; a fresh object each time."""


class Type(ABC, Generic[T]):
    """The type of messages and of state: a typename with a serializer.

    Subclass it, or use `simple_type`, `make_json_type` or `make_protobuf_type`.

    Args:
        typename: `namespace/name`; the same in every language that shares the type.

    Raises:
        ValueError: If `typename` is empty.
    """

    __slots__ = ("content_type", "typename")

    content_type: str
    """The media type of its bytes, `application/json` for JSON; empty if nothing is known."""

    def __init__(self, typename: str) -> None:
        if not typename:
            raise DefinitionError(
                "a type has no typename: give it one of the form 'namespace/name'"
            )
        self.typename = typename
        self.content_type = ""

    @abstractmethod
    def serializer(self) -> TypeSerializer[T]:
        """The serializer of this type."""

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.typename}>"


class SimpleType(Type[T]):
    """A type made of two functions."""

    __slots__ = ("_serializer",)

    def __init__(
        self,
        typename: str,
        serialize_fn: Callable[[T], bytes | str],
        deserialize_fn: Callable[[bytes], T],
    ) -> None:
        super().__init__(typename)
        for name, function in (("serialize_fn", serialize_fn), ("deserialize_fn", deserialize_fn)):
            if not function:
                raise DefinitionError(
                    f"the type {typename!r} has no {name}: pass a function", name=typename
                )
        self._serializer = UserTypeSerializer(serialize_fn, deserialize_fn)

    def serializer(self) -> TypeSerializer[T]:
        """The serializer made of the two functions."""
        return self._serializer


class UserTypeSerializer(TypeSerializer[T]):
    """The serializer of a `SimpleType`."""

    __slots__ = ("deserialize_fn", "serialize_fn")

    def __init__(
        self, serialize_fn: Callable[[T], bytes | str], deserialize_fn: Callable[[bytes], T]
    ) -> None:
        self.serialize_fn = serialize_fn
        self.deserialize_fn = deserialize_fn

    def serialize(self, value: T) -> bytes:
        """The result of `serialize_fn`; a `str` is encoded as UTF-8."""
        return as_bytes(self.serialize_fn(value), "serialize_fn")

    def deserialize(self, byte: bytes) -> T:
        """The result of `deserialize_fn`."""
        return self.deserialize_fn(byte)


def simple_type(
    typename: str | None = None,
    serialize_fn: Callable[[T], bytes | str] | None = None,
    deserialize_fn: Callable[[bytes], T] | None = None,
) -> Type[T]:
    """A type made of two functions.

    Args:
        typename: `namespace/name`.
        serialize_fn: A value → its bytes; a `str` is encoded as UTF-8.
        deserialize_fn: Bytes → a value.

    Raises:
        ValueError: If one of the three is missing.
    """
    return SimpleType(typename, serialize_fn, deserialize_fn)  # type: ignore[arg-type]


@overload
def make_json_type(typename: str) -> Type[Any]: ...
@overload
def make_json_type(typename: str, model: type[T]) -> Type[T]: ...


def make_json_type(typename: str, model: Any = None) -> Type[Any]:
    """Give a type of values that are stored as JSON in UTF-8.

    Args:
        typename: `namespace/name`.
        model: The class of the values, by which they are built and checked when they are read: a
            dataclass, a pydantic model, a msgspec struct, a `TypedDict`, an enum, a `datetime`, a
            `UUID`, a `Decimal`, or a container of these such as `list[Item]`. It takes the extra
            `serde`. Without it, values are whatever `json` reads and writes.

    Raises:
        DefinitionError: If nothing reads JSON as that class. Reading bytes that do not fit is a
            `SerializationError` that names each field, and so is writing another class.
    """
    if model is None:
        return _as_json(SimpleType(typename, _json_bytes, json.loads))

    def write(value: Any) -> bytes:
        if not is_instance(value, model):
            raise SerializationError(f"a {name_of(model)} is expected here, got {shown(value)}")
        return json_bytes(value)

    return _as_json(SimpleType(typename, write, json_reader(model)))


def _as_json(value_type: Type[T]) -> Type[T]:
    value_type.content_type = "application/json"
    return value_type


_JSON = json.JSONEncoder(ensure_ascii=False)  # `json.dumps` would make one for each value


def _json_bytes(value: Any) -> bytes:
    return _JSON.encode(value).encode()


def make_protobuf_type(cls: type[M], namespace: str | None = None) -> Type[M]:
    """A type for a protobuf message class, under `<namespace>/<full name of the message>`.

    Args:
        cls: A generated message class, of any descriptor pool.
        namespace: `type.googleapis.com` unless given, which is what the other SDKs use.

    Raises:
        ValueError: If `cls` is missing.
    """
    if not cls:
        raise DefinitionError("make_protobuf_type needs a generated message class, got none")
    typename = f"{namespace or 'type.googleapis.com'}/{cls.DESCRIPTOR.full_name}"
    return SimpleType(typename, methodcaller("SerializeToString"), cls.FromString)
