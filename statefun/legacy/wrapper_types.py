"""Old name of `statefun.sdk.primitives`."""

from __future__ import annotations

from typing import Any

from statefun.legacy.types_pb2 import DESCRIPTOR
from statefun.sdk.primitives import (
    BoolType,
    DoubleType,
    FloatType,
    IntType,
    LongType,
    PrimitiveType,
    StringType,
)
from statefun.sdk.types import Type, TypeSerializer
from statefun.sdk.wire._proto import (
    BooleanWrapper,
    DoubleWrapper,
    FloatWrapper,
    IntWrapper,
    LongWrapper,
    StringWrapper,
)

__all__ = [
    "DESCRIPTOR",
    "PY_TYPE_TO_WRAPPER_TYPE",
    "WRAPPER_TYPE_TO_PY_TYPE",
    "BoolType",
    "BooleanWrapper",
    "DoubleType",
    "DoubleWrapper",
    "FloatType",
    "FloatWrapper",
    "IntType",
    "IntWrapper",
    "LongType",
    "LongWrapper",
    "ProtobufWrappingType",
    "ProtobufWrappingTypeSerializer",
    "StringType",
    "StringWrapper",
    "Type",
    "TypeSerializer",
]


class ProtobufWrappingTypeSerializer(TypeSerializer[Any]):
    """Serializes the one field, `value`, of a protobuf message class."""

    __slots__ = ("wrapper",)

    def __init__(self, wrapper: Any) -> None:
        self.wrapper = wrapper

    def serialize(self, value: Any) -> bytes:
        """A message with this value, as bytes."""
        data: bytes = self.wrapper(value=value).SerializeToString()
        return data

    def deserialize(self, byte: bytes) -> Any:
        """The value of the message."""
        return self.wrapper.FromString(byte).value


class ProtobufWrappingType(Type[Any]):
    """A type of one's own around a protobuf message class with one field; the built-in ones count.

    Args:
        typename: `namespace/name`.
        wrapper_message_type: The message class.
    """

    __slots__ = ("wrapper",)

    def __init__(self, typename: str, wrapper_message_type: Any) -> None:
        super().__init__(typename)
        self.wrapper = wrapper_message_type

    def serializer(self) -> TypeSerializer[Any]:
        """The serializer of the one field."""
        return ProtobufWrappingTypeSerializer(self.wrapper)


ProtobufWrappingType.register(PrimitiveType)

PY_TYPE_TO_WRAPPER_TYPE = {int: IntType, bool: BoolType, float: FloatType, str: StringType}
WRAPPER_TYPE_TO_PY_TYPE = {IntType: int, BoolType: bool, FloatType: float, StringType: str}
