"""Serdes: how arguments, results and state become bytes, and bytes become them again.

Law: `None` and no bytes at all are the same thing. A value is encoded by what it is, and decoded by
what its annotation says; an annotation that JSON alone can represent asks for nothing more.

JSON itself stands in `statefun.sdk.json_values`.
"""

from __future__ import annotations

import types
import typing
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, Generic, TypeAlias, cast

from google.protobuf.message import DecodeError, EncodeError, Message

from statefun.errors import SerializationError
from statefun.sdk.json_values import (
    is_model,
    is_plain,
    is_struct,
    json_bytes,
    json_reader,
    json_value,
    model_reader,
    shown,
    struct_codec,
    unwritable,
)
from statefun.sdk.types import Type

if TYPE_CHECKING:
    from typing_extensions import TypeVar

    T = TypeVar("T", default=Any)
else:
    T = typing.TypeVar("T")

__all__ = [
    "DEFAULT_SERDE",
    "BytesSerde",
    "DefaultSerde",
    "JsonSerde",
    "MsgspecJsonSerde",
    "ProtobufSerde",
    "PydanticJsonSerde",
    "Serde",
    "SerdeLike",
    "TypeSerde",
    "serde_of",
]


class Serde(ABC, Generic[T]):
    """Turns values into bytes and back. Subclass it for a format of your own.

    Attributes:
        media_type: What the bytes are, for a handler whose annotation chose this serde.
    """

    media_type: str = "application/json"

    @abstractmethod
    def deserialize(self, buf: bytes) -> T | None:
        """The value of some bytes, which may be empty; a new object each time."""

    @abstractmethod
    def serialize(self, obj: T | None) -> bytes:
        """The bytes of a value."""


class BytesSerde(Serde[bytes]):
    """Bytes as they are."""

    media_type = "application/octet-stream"

    def deserialize(self, buf: bytes) -> bytes | None:
        """The same bytes; None for none."""
        return buf or None

    def serialize(self, obj: bytes | None) -> bytes:
        """The same bytes; none for None."""
        if obj is None:
            return b""
        if not isinstance(obj, bytes | bytearray | memoryview):
            raise SerializationError(f"bytes are expected here, got {shown(obj)}: encode it first")
        return bytes(obj)


class JsonSerde(Serde[T]):
    """JSON without looking at any annotation: what comes back is what JSON has.

    Dataclasses, enums, dates, pydantic models and msgspec structs are written; they come back as
    objects, strings and numbers. NaN and the infinities, which JSON does not have, are refused.
    """

    def deserialize(self, buf: bytes) -> T | None:
        """The JSON value; None for no bytes."""
        return cast("T", json_value(buf)) if buf else None

    def serialize(self, obj: T | None) -> bytes:
        """The JSON text in ASCII; no bytes for None."""
        return b"" if obj is None else json_bytes(obj)


class DefaultSerde(Serde[T]):
    """JSON, guided by a type: what is used wherever no other serde is given.

    Args:
        type_hint: What is read: a pydantic model, a msgspec struct, a dataclass, a `TypedDict`, an
            enum, or a container or union of these; `bytes`; a class of protobuf messages; a `Type`
            of the SDK. None reads plain JSON.

    Raises:
        DefinitionError: If no serde reads that type.
    """

    def __init__(self, type_hint: type[T] | None = None) -> None:
        self.type_hint = type_hint
        self._serde: Serde[Any] = _serde_for(type_hint)
        self.media_type = self._serde.media_type

    def with_maybe_type(self, type_hint: type[T] | None = None) -> DefaultSerde[T]:
        """The default serde of another type; of the same if it is None."""
        return self if type_hint is None else DefaultSerde(type_hint)

    def deserialize(self, buf: bytes) -> T | None:
        """A value of the type."""
        return cast("T | None", self._serde.deserialize(buf))

    def serialize(self, obj: T | None) -> bytes:
        """The bytes of a value, by the value's own type."""
        return self._serde.serialize(obj)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, DefaultSerde) and self.type_hint == other.type_hint

    def __hash__(self) -> int:
        return hash(repr(self.type_hint))  # an annotation itself need not be hashable


class PydanticJsonSerde(Serde[T]):
    """JSON of one pydantic model, validated.

    Args:
        model: The class of the model.
    """

    def __init__(self, model: type[T]) -> None:
        self.model: Any = model
        self._read = model_reader(model)

    def deserialize(self, buf: bytes) -> T | None:
        """An instance of the model; None for no bytes."""
        return cast("T", self._read(buf)) if buf else None

    def serialize(self, obj: T | None) -> bytes:
        """The model's own JSON; no bytes for None."""
        return b"" if obj is None else json_bytes(obj)


class MsgspecJsonSerde(Serde[T]):
    """JSON of a msgspec struct, or of another type that msgspec reads, validated.

    Args:
        model: The type.
    """

    def __init__(self, model: type[T]) -> None:
        self.model = model
        self._write, self._read = struct_codec(model)

    def deserialize(self, buf: bytes) -> T | None:
        """A value of the type; None for no bytes."""
        return cast("T", self._read(buf)) if buf else None

    def serialize(self, obj: T | None) -> bytes:
        """What msgspec writes; no bytes for None."""
        return b"" if obj is None else self._write(obj)


class ProtobufSerde(Serde[T]):
    """The bytes of protobuf messages of one class. No bytes are an empty message.

    Args:
        message: The class of the messages.
    """

    media_type = "application/protobuf"

    def __init__(self, message: type[T]) -> None:
        self.message: Any = message

    def deserialize(self, buf: bytes) -> T | None:
        """The message."""
        try:
            return cast("T", self.message.FromString(buf))
        except DecodeError as error:
            raise SerializationError(
                f"{len(buf)} bytes are not a {self.message.DESCRIPTOR.full_name}: {error}"
            ) from error

    def serialize(self, obj: T | None) -> bytes:
        """The bytes of the message; none for None."""
        if obj is None:
            return b""
        if not isinstance(obj, self.message):
            expected = self.message.DESCRIPTOR.full_name
            raise SerializationError(f"a message {expected} is expected here, got {shown(obj)}")
        try:
            return cast("bytes", obj.SerializeToString())
        except EncodeError as error:
            raise unwritable(obj, error) from error


class TypeSerde(Serde[T]):
    """A `Type` of the SDK, such as one that plain functions share.

    Args:
        value_type: The type. Its typename does not travel, so both sides name the same type.
    """

    media_type = "application/octet-stream"

    def __init__(self, value_type: Type[T]) -> None:
        self.value_type = value_type
        self._serializer = value_type.serializer()

    def deserialize(self, buf: bytes) -> T | None:
        """What the type makes of the bytes."""
        try:
            return self._serializer.deserialize(buf)
        except Exception as error:
            raise SerializationError(
                f"{len(buf)} bytes are not a {self.value_type.typename}: {error}"
            ) from error

    def serialize(self, obj: T | None) -> bytes:
        """The bytes of the type; none for None."""
        return b"" if obj is None else self._serializer.serialize(obj)


class _BuiltSerde(Serde[Any]):
    """JSON of a type that is not a model itself."""

    def __init__(self, hint: Any) -> None:
        self._read = json_reader(hint)

    def deserialize(self, buf: bytes) -> Any:
        return self._read(buf) if buf else None

    def serialize(self, obj: Any) -> bytes:
        return b"" if obj is None else json_bytes(obj)


SerdeLike: TypeAlias = Serde[T] | Type[T] | type[T]
"""How a serde is given: as one, as a `Type` of the SDK, or as the class of the values."""


def serde_of(serde: SerdeLike[T] | None, type_hint: Any = None) -> Serde[T]:
    """The serde that is meant.

    Args:
        serde: A serde, a `Type` of the SDK, or a type; None is the default serde.
        type_hint: The type of the values, for the default serde alone; None if it is not known.

    Raises:
        DefinitionError: If no serde reads that type.
    """
    if serde is None or isinstance(serde, DefaultSerde):
        known = serde or DEFAULT_SERDE
        return known if known.type_hint is not None else known.with_maybe_type(type_hint)
    if isinstance(serde, Serde):
        return serde
    return TypeSerde(serde) if isinstance(serde, Type) else DefaultSerde(serde)


# --- which serde reads a type ---------------------------------------------------------------------


def _serde_for(hint: Any) -> Serde[Any]:
    if named := next((each for each in _named(hint) if isinstance(each, Type | Serde)), None):
        return serde_of(named)
    wanted = _without_none(hint)
    if wanted is bytes:
        return BytesSerde()
    if isinstance(wanted, type) and issubclass(wanted, Message):
        return ProtobufSerde(wanted)
    if is_model(wanted):
        return PydanticJsonSerde(wanted)
    if is_struct(wanted):
        return MsgspecJsonSerde(wanted)
    return JsonSerde() if is_plain(hint) else _BuiltSerde(hint)


def _named(hint: Any) -> tuple[Any, ...]:
    """What names a serde by itself: a `Type`, also as in `Annotated[User, USER_TYPE]`."""
    return (hint, *getattr(hint, "__metadata__", ()))


def _without_none(hint: Any) -> Any:
    """`M` of `M | None`; everything else as it is."""
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        others = [part for part in typing.get_args(hint) if part is not type(None)]
        if len(others) == 1:
            return others[0]
    return hint


DEFAULT_SERDE: DefaultSerde[Any] = DefaultSerde()
"""The default serde of a type that is not known."""
