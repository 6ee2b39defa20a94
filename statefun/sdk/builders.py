"""Builders: messages to functions and to egresses, made of Python values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypedDict, TypeVar, overload

from statefun.errors import InvalidMessageError, MessageArgumentsError
from statefun.sdk.address import parse_typename
from statefun.sdk.messages import EgressMessage, Message, check_id
from statefun.sdk.primitives import (
    BoolType,
    DoubleType,
    FloatType,
    IntType,
    LongType,
    PrimitiveType,
    StringType,
    serialize,
)
from statefun.sdk.types import Type
from statefun.sdk.wire import (
    accelerated,
    encode_typed_value,
    outgoing_egress_message,
    outgoing_message,
    outgoing_text,
)

if TYPE_CHECKING:
    from statefun.sdk.wire import Headers

__all__ = ["SHORTHAND", "OneValue", "egress_message_builder", "message_builder"]

T = TypeVar("T")

SHORTHAND: dict[str, PrimitiveType[Any]] = {
    "int_value": IntType,
    "float_value": FloatType,
    "long_value": LongType,
    "str_value": StringType,
    "double_value": DoubleType,
    "bool_value": BoolType,
}


class OneValue(TypedDict, total=False):
    """The keywords of `message_builder`: exactly one of them, or `value` with `value_type`."""

    str_value: str
    int_value: int
    long_value: int
    float_value: float
    double_value: float
    bool_value: bool
    value: Any
    value_type: Type[Any]
    headers: Headers | None


_PAIR = {"value", "value_type"}
_ABSENT: Any = object()


@overload
def message_builder(
    target_typename: str, target_id: str, *, int_value: int, headers: Headers | None = None
) -> Message: ...
@overload
def message_builder(
    target_typename: str, target_id: str, *, float_value: float, headers: Headers | None = None
) -> Message: ...
@overload
def message_builder(
    target_typename: str, target_id: str, *, long_value: int, headers: Headers | None = None
) -> Message: ...
@overload
def message_builder(
    target_typename: str, target_id: str, *, str_value: str, headers: Headers | None = None
) -> Message: ...
@overload
def message_builder(
    target_typename: str, target_id: str, *, double_value: float, headers: Headers | None = None
) -> Message: ...
@overload
def message_builder(
    target_typename: str, target_id: str, *, bool_value: bool, headers: Headers | None = None
) -> Message: ...
@overload
def message_builder(
    target_typename: str,
    target_id: str,
    *,
    value: T,
    value_type: Type[T],
    headers: Headers | None = None,
) -> Message: ...


@accelerated
def message_builder(
    target_typename: str,
    target_id: str,
    *,
    str_value: Any = _ABSENT,  # by far the most frequent, so it has a shorter way
    headers: Headers | None = None,
    **values: Any,
) -> Message:
    """A message to a function, with exactly one value.

    Args:
        target_typename: The function's typename, `namespace/name`.
        target_id: The id; not empty.
        str_value: The value, if it is text.
        headers: Key → value, or pairs of both, in order and with duplicates; a value is bytes,
            text, or None for a null value. Engines that do not know headers ignore them.
        **values: Else one of `int_value`, `float_value`, `long_value`, `double_value`,
            `bool_value`; or `value` with `value_type`. The type is never guessed from the value.

    Raises:
        InvalidMessageError: If the target, the value or its type is missing; a `ValueError` and
            a `TypeError`.
        MessageArgumentsError: For any other keywords; a `KeyError` too.
        SerializationError: If the value does not fit its type; a `ValueError` and a `TypeError`.
    """
    if type(target_id) is not str or not target_id or not target_id.isascii():
        check_id(target_typename, target_id)
    parse_typename(target_typename)
    if type(str_value) is str and str_value.isascii() and headers is None and not values:
        return outgoing_text(Message, target_typename, target_id, str_value)
    value, value_type = _one_value(str_value, values)
    data = serialize(value_type, value)
    encoded = encode_typed_value(value_type.typename, data, headers)
    return outgoing_message(Message, target_typename, target_id, encoded)


@accelerated
def egress_message_builder(
    target_typename: str, value: T, value_type: Type[T], *, headers: Headers | None = None
) -> EgressMessage:
    """A message to an egress of any kind.

    For Kafka and Kinesis there are `kafka_egress_message` and `kinesis_egress_message`.

    Args:
        target_typename: The egress's typename, `namespace/name`.
        value: What to send; not None.
        value_type: Its type.
        headers: As for `message_builder`.

    Raises:
        InvalidMessageError: If the typename, the value or its type is missing; a `ValueError`
            and a `TypeError`.
    """
    parse_typename(target_typename)
    if value is None:
        raise InvalidMessageError(
            "an egress message needs a value, got None", argument="value", given="None"
        )
    if not isinstance(value_type, Type):
        raise InvalidMessageError(
            f"an egress message needs a value_type, got {value_type!r}: pass a Type",
            argument="value_type",
            given=repr(value_type),
        )
    encoded = encode_typed_value(value_type.typename, serialize(value_type, value), headers)
    return outgoing_egress_message(EgressMessage, target_typename, encoded)


def _one_value(str_value: Any, values: dict[str, Any]) -> tuple[Any, Type[Any]]:
    """The value and its type, from the keywords of `message_builder`."""
    if str_value is not _ABSENT:
        values["str_value"] = str_value
    value: Any = None
    value_type: Type[Any] | None = None
    if len(values) == 1:
        [(keyword, value)] = values.items()
        value_type = SHORTHAND.get(keyword)
    elif values.keys() == _PAIR:
        value, value_type = values["value"], values["value_type"]
    if value_type is None or not isinstance(value_type, Type):
        raise MessageArgumentsError(
            f"a message takes exactly one of {', '.join(SHORTHAND)}, or value with value_type, "
            f"which is a type like IntType; got {', '.join(values) or 'nothing'}",
            argument="value",
            given=", ".join(values),
        )
    if value is None:
        raise InvalidMessageError(
            "a message needs a value, got None: there is no null message",
            argument="value",
            given="None",
        )
    return value, value_type
