"""Messages: one to a function, one to an egress, and their value in the type that it has."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar, cast

from statefun.errors import InvalidMessageError, TypeMismatchError
from statefun.sdk import wire
from statefun.sdk.address import parse_typename
from statefun.sdk.primitives import (
    BoolType,
    DoubleType,
    FloatType,
    IntType,
    LongType,
    PrimitiveType,
    StringType,
)

if TYPE_CHECKING:
    from statefun.sdk.types import Type
    from statefun.sdk.wire import TypedValue

__all__ = [
    "EgressMessage",
    "Message",
    "check_id",
]

T = TypeVar("T")


@wire.adopted
class Message(wire.MessageCarrier):
    """A message to a function. Made by `message_builder`; a function gets one as its argument.

    Args:
        target_typename: The function's typename, `namespace/name`.
        target_id: The id.
        typed_value: A protobuf `TypedValue`, for example another message's `typed_value`; headers
            and unknown fields travel along.

    Raises:
        InvalidMessageError: If one of the three is missing or of the wrong type; it is a
            `ValueError` and a `TypeError`.
        InvalidTypenameError: If the typename is not `namespace/name`; a `ValueError`.
    """

    __slots__ = ()

    def __init__(self, target_typename: str, target_id: str, typed_value: TypedValue) -> None:
        parse_typename(target_typename)
        check_id(target_typename, target_id)
        self.target_typename = target_typename
        self.target_id = target_id
        self._held = _check_typed(typed_value)

    def as_int(self) -> int | None:
        """The value of a message of `IntType`, None if it has none."""
        return self.value_of(wire.INT)

    def as_bool(self) -> bool | None:
        """The value of a message of `BoolType`, None if it has none."""
        return self.value_of(wire.BOOL)

    def as_long(self) -> int | None:
        """The value of a message of `LongType`, None if it has none."""
        return self.value_of(wire.LONG)

    def as_string(self) -> str | None:
        """The value of a message of `StringType`, None if it has none."""
        return self.value_of(wire.STRING)

    def as_float(self) -> float | None:
        """The value of a message of `FloatType`, None if it has none."""
        return self.value_of(wire.FLOAT)

    def as_double(self) -> float | None:
        """The value of a message of `DoubleType`, None if it has none."""
        return self.value_of(wire.DOUBLE)

    def is_int(self) -> bool:
        """Whether the value is of `IntType`."""
        return self.is_type(IntType)

    def is_bool(self) -> bool:
        """Whether the value is of `BoolType`."""
        return self.is_type(BoolType)

    def is_long(self) -> bool:
        """Whether the value is of `LongType`."""
        return self.is_type(LongType)

    def is_string(self) -> bool:
        """Whether the value is of `StringType`."""
        return self.is_type(StringType)

    def is_float(self) -> bool:
        """Whether the value is of `FloatType`."""
        return self.is_type(FloatType)

    def is_double(self) -> bool:
        """Whether the value is of `DoubleType`."""
        return self.is_type(DoubleType)

    def is_type(self, tpe: Type[Any]) -> bool:
        """Whether the value carries the typename of `tpe`."""
        return self.is_of(tpe.typename)

    def as_type(self, tpe: Type[T]) -> T | None:
        """The value, None if the message has none.

        A built-in type must be the type of the value. A type of your own is applied to the bytes
        of any value.

        Raises:
            TypeMismatchError: If `tpe` is built in and the value is of another type; a `TypeError`.
            SerializationError: If the bytes do not fit a built-in type; a `ValueError`.
        """
        if type(tpe) is PrimitiveType:
            return self.value_of(tpe.scalar)
        data = self.received_bytes(tpe.typename)
        if data is None:
            data = self.raw_value()
        return None if data is None else tpe.serializer().deserialize(data)

    def expect(self, tpe: Type[T]) -> T:
        """The value of a message that has to be of a type.

        Unlike `as_type`, it looks at the typename for every type, and never gives None.

        Raises:
            TypeMismatchError: If the value is of another type, or there is none; a `TypeError`.
            SerializationError: If the bytes do not fit a built-in type; a `ValueError`.
        """
        if not self.is_type(tpe):
            raise TypeMismatchError("the message", tpe.typename, self.value_typename())
        if self.raw_value() is None:
            raise TypeMismatchError("the message without a value", tpe.typename, tpe.typename)
        return cast("T", self.as_type(tpe))

    def __repr__(self) -> str:
        value = self.raw_value()
        size = "no value" if value is None else f"{len(value)} bytes"
        target = f"{self.target_typename} {self.target_id!r}"
        return f"<Message to {target}: {self.value_typename()}, {size}>"


@wire.adopted
class EgressMessage(wire.EgressCarrier):
    """A message to an egress. Made by `egress_message_builder`, `kafka_egress_message`, ….

    Args:
        typename: The egress's typename, `namespace/name`.
        typed_value: A protobuf `TypedValue`.

    Raises:
        InvalidMessageError: If one of the two is missing; a `ValueError` and a `TypeError`.
        InvalidTypenameError: If the typename is not `namespace/name`; a `ValueError`.
    """

    __slots__ = ()

    def __init__(self, typename: str, typed_value: TypedValue) -> None:
        parse_typename(typename)
        self.typename = typename
        self._held = _check_typed(typed_value)

    def __repr__(self) -> str:
        return f"<EgressMessage to {self.typename}: {self.value_typename()}>"


def check_id(target_typename: str, target_id: str) -> None:
    """Refuse a missing id, and one that is not text.

    Raises:
        InvalidMessageError: If the id is missing.
        SerializationError: If it is not valid text.
    """
    if target_id is None or target_id == "":
        raise InvalidMessageError(
            f"target_id is missing for a message to {target_typename!r}", argument="target_id"
        )
    wire.utf8(target_id, "a target id")


def _check_typed(typed_value: TypedValue) -> TypedValue:
    if not typed_value:
        raise InvalidMessageError(
            "typed_value is missing: pass a protobuf TypedValue", argument="typed_value"
        )
    if not hasattr(typed_value, "SerializeToString"):
        raise InvalidMessageError(
            f"typed_value must be a protobuf TypedValue, got {type(typed_value).__name__}",
            argument="typed_value",
            given=type(typed_value).__name__,
        )
    return typed_value
