"""Primitives: the six built-in types that all languages share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from statefun.sdk import wire
from statefun.sdk.types import SimpleType, Type, TypeSerializer

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = [
    "BUILT_IN",
    "WIDER",
    "BoolType",
    "DoubleType",
    "FloatType",
    "IntType",
    "LongType",
    "PrimitiveType",
    "StringType",
    "serialize",
]

T = TypeVar("T")


class PrimitiveType(Type[T]):
    """A built-in type. Its values are immutable, so a decoded value can be kept.

    Attributes:
        scalar: The encoding.
        wrapper: The message class that defines it.
        dump: Any accepted value → its canonical bytes.
        decode: Bytes → the value.

    Source:
        types.proto
    """

    __slots__ = ("_serializer", "decode", "dump", "scalar", "wrapper")

    def __init__(self, scalar: wire.Scalar[T]) -> None:
        super().__init__(scalar.typename)
        self.scalar = scalar
        self.wrapper = scalar.wrapper
        self.dump = scalar.dump
        self.decode = scalar.decode
        self._serializer = PrimitiveSerializer(self)

    def serializer(self) -> TypeSerializer[T]:
        """The serializer of the built-in type."""
        return self._serializer


class PrimitiveSerializer(TypeSerializer[T]):
    """The serializer of a `PrimitiveType`."""

    __slots__ = ("_type",)

    def __init__(self, primitive: PrimitiveType[T]) -> None:
        self._type = primitive

    def serialize(self, value: T) -> bytes:
        """The canonical bytes of `value`."""
        return self._type.dump(value)

    def deserialize(self, byte: bytes) -> T:
        """The value, for any bytes that protobuf accepts."""
        return self._type.decode(byte)


BoolType = PrimitiveType(wire.BOOL)
"""`True` or `False`. `io.statefun.types/bool`."""
IntType = PrimitiveType(wire.INT)
"""A whole number of 32 bits, from -2³¹ to 2³¹ - 1. `io.statefun.types/int`."""
FloatType = PrimitiveType(wire.FLOAT)
"""A number of 32 bits after IEEE 754: about 7 exact decimal digits. `io.statefun.types/float`."""
LongType = PrimitiveType(wire.LONG)
"""A whole number of 64 bits, from -2⁶³ to 2⁶³ - 1. `io.statefun.types/long`."""
DoubleType = PrimitiveType(wire.DOUBLE)
"""A number of 64 bits after IEEE 754, which is Python's `float`. `io.statefun.types/double`."""
StringType = PrimitiveType(wire.STRING)
"""Text, which is UTF-8 in bytes. `io.statefun.types/string`."""

BUILT_IN: Mapping[str, PrimitiveType[Any]] = {
    each.typename: each for each in (BoolType, IntType, FloatType, LongType, DoubleType, StringType)
}
"""The built-in types, by typename."""


def _widening(narrow: PrimitiveType[Any], wide: PrimitiveType[Any]) -> Callable[[bytes], bytes]:
    def widen(data: bytes) -> bytes:
        return wide.dump(narrow.decode(data))

    return widen


WIDER: Mapping[tuple[str, str], Callable[[bytes], bytes]] = {
    (narrow.typename, wide.typename): _widening(narrow, wide)
    for narrow, wide in (
        (IntType, LongType),
        (IntType, DoubleType),
        (FloatType, DoubleType),
    )
}
"""The type of a stored value and the type it is declared as → the bytes it becomes.

For the types into which every value goes as it is: a deploy may change a declaration to them.
"""


def serialize(value_type: Type[T], value: T) -> bytes:
    """The bytes of `value`, by the serializer of `value_type`."""
    if type(value_type) is PrimitiveType:
        return value_type.dump(value)
    return wire.as_bytes(value_type.serializer().serialize(value), value_type.typename)


if wire.accelerator is not None:
    wire.accelerator.install_types(primitive=PrimitiveType, simple=SimpleType)
