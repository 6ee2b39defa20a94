"""Messages to functions and messages to egresses, their headers, and the builders of both.

A message holds the bytes that came in, the bytes that a builder made, or a protobuf `TypedValue`
(what a caller handed over, or asked for). Bytes in the form that everybody writes are read as they
are (`wire.HeadsOfWholes`); for all others there is the object.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias, TypeVar, overload

from statefun.errors import (
    InvalidMessageError,
    MessageArgumentsError,
    TypeMismatchError,
)
from statefun.sdk import _proto
from statefun.sdk.address import parse_typename
from statefun.sdk.valuetypes import (
    BoolType,
    DoubleType,
    FloatType,
    IntType,
    LongType,
    PrimitiveType,
    StringType,
    Type,
    present_fields,
    serialize,
    utf8,
)
from statefun.sdk.wire import VARINTS, Heads, HeadsOfWholes, delimited

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from statefun.sdk.batch import Batch

__all__ = [
    "EgressMessage",
    "Header",
    "Headers",
    "Message",
    "egress_message_builder",
    "encode_headers",
    "encode_typed_value",
    "message_builder",
]

T = TypeVar("T")


class Header(NamedTuple):
    """One header: a key, and bytes or None. A null value (None) is not an empty one (`b""`)."""

    key: str
    value: bytes | None

    def as_text(self) -> str | None:
        """The value as UTF-8 text, with U+FFFD where it is none; None for a null value."""
        return None if self.value is None else self.value.decode(errors="replace")


if TYPE_CHECKING:
    HeaderValue: TypeAlias = bytes | str | None
    Headers: TypeAlias = Iterable[tuple[str, HeaderValue]] | Mapping[str, HeaderValue]
else:
    Headers = object


def encode_headers(tag: bytes, headers: Headers) -> bytes:
    """Headers as repeated fields under `tag`, in order, duplicates kept; text values as UTF-8.

    Source:
        request-reply.proto, TypedValue.Metadata; kafka-egress.proto, KafkaProducerRecord.Header.
    """
    encoded = b""
    for key, value in _pairs(headers):
        field = delimited(b"\x0a", utf8(key, "a header's key"))
        if value is not None:
            data = utf8(value, f"header {key!r}") if isinstance(value, str) else value
            if not isinstance(data, bytes | bytearray | memoryview):
                raise InvalidMessageError(
                    f"header {key!r} has a value of type {type(value).__name__}: "
                    "pass bytes, text, or None for a null value"
                )
            field += delimited(b"\x12", bytes(data)) + b"\x18\x01"
        encoded += delimited(tag, field)
    return encoded


def _pairs(headers: Any) -> list[tuple[Any, Any]]:
    try:
        pairs = headers.items() if hasattr(headers, "items") else headers
        return [(key, value) for key, value in pairs]
    except (TypeError, ValueError) as error:
        raise InvalidMessageError(
            f"headers must be a mapping or pairs of key and value, got {headers!r}"
        ) from error


@lru_cache(maxsize=4096)
def typename_fields(typename: str) -> bytes:
    """Fields 1 and 2 of an Address."""
    namespace, name = parse_typename(typename)
    return delimited(b"\x0a", namespace.encode()) + delimited(b"\x12", name.encode())


def encode_address(typename: str, target_id: str) -> bytes:
    """A serialized Address."""
    return typename_fields(typename) + delimited(b"\x1a", utf8(target_id, "an id"))


def encode_typed_value(typename: str, data: bytes, headers: Headers | None = None) -> bytes:
    """A serialized `TypedValue` that is present.

    Args:
        typename: The name of the value's type.
        data: The value's bytes; may be empty.
        headers: What travels along.
    """
    encoded = present_fields(typename) + VARINTS[len(data)] + data
    return encoded + encode_headers(b"\x22", headers) if headers else encoded


class _Carrier:
    """What messages and egress messages share: a `TypedValue`, as bytes or as an object.

    Once somebody has asked for the object, and so may change it, only the object counts.
    """

    __slots__ = ("_batch", "_encoded", "_held", "_position")

    _batch: Batch
    _position: int
    """Where it came in."""

    _encoded: bytes
    """What a builder made: a serialized `TypedValue`."""

    _held: bytes | _proto.TypedValue | None
    """What came in, a serialized Invocation; or the object; None: `_encoded` counts."""

    @property
    def typed_value(self) -> _proto.TypedValue:
        """The value as a protobuf `TypedValue`; changing it changes the message."""
        held = self._held
        if held is None:
            held = _proto.TypedValue.FromString(self._encoded)
        elif isinstance(held, bytes):
            held = self._batch.invocation(self._position).argument
        self._held = held
        return held

    @typed_value.setter
    def typed_value(self, typed: _proto.TypedValue) -> None:
        self._held = typed

    @property
    def headers(self) -> tuple[Header, ...]:
        """The headers, in order, duplicates kept; empty where the engine does not know them."""
        typed = self.typed_value
        if not isinstance(typed, _proto.TypedValue):  # of another copy of the schema
            typed = _proto.TypedValue.FromString(self.argument())
        return tuple(
            Header(each.key, each.value if each.has_value else None) for each in typed.metadata
        )

    def value_typename(self) -> str:
        """The typename of the value."""
        return self.typed_value.typename

    def raw_value(self) -> bytes | None:
        """The bytes of the value, None if there is none."""
        typed = self.typed_value
        return typed.value if typed.has_value else None

    def argument(self) -> bytes:
        """The serialized `TypedValue`, with headers and fields that nobody here knows."""
        return self._encoded if self._held is None else self.typed_value.SerializeToString()


def _after_caller(invocation: bytes) -> bytes:
    """A serialized Invocation from behind its caller on, if that stands first and is short."""
    if invocation[:1] == b"\x0a" and invocation[1] <= 0x7F:  # a length of one byte
        return invocation[2 + invocation[1] :]
    return invocation


def _content(invocation: bytes, heads: HeadsOfWholes) -> bytes | None:
    """What stands behind one of the heads in a serialized Invocation; None for any other."""
    argument = _after_caller(invocation)
    content = argument.removeprefix(heads[len(argument)])
    return content if len(content) < len(argument) else None


@lru_cache(maxsize=4096)
def _value_heads(typename: str) -> HeadsOfWholes:
    """For a serialized Invocation, after its caller, with a present value of this type."""
    return HeadsOfWholes(b"\x12", present_fields(typename))


@lru_cache(maxsize=16)
def _reader(primitive: PrimitiveType[T]) -> Callable[[Message], T | None]:
    """The method that reads the value of a message of a built-in type."""
    typename, decode = primitive.typename, primitive.decode
    heads = HeadsOfWholes(b"\x12", *primitive.frame)
    decode_content = primitive.decode_content

    def read(message: Message) -> T | None:
        held = message._held  # noqa: SLF001 - it becomes a method
        if type(held) is bytes:
            size = len(held)
            content = held.removeprefix(heads[size])
            if len(content) < size:
                return decode_content(content)
            behind_caller = _content(held, heads)
            if behind_caller is not None:
                return decode_content(behind_caller)
        typed = message.typed_value
        if not typed.has_value:
            return None
        if typed.typename != typename:
            raise TypeMismatchError("the message", typename, typed.typename)
        return decode(typed.value)

    read.__doc__ = f"The value of a message of type `{typename}`, None if it has none."
    return read


class Message(_Carrier):
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

    __slots__ = ("target_id", "target_typename")

    def __init__(
        self, target_typename: str, target_id: str, typed_value: _proto.TypedValue
    ) -> None:
        parse_typename(target_typename)
        _check_id(target_typename, target_id)
        self.target_typename = target_typename
        self.target_id = target_id
        self._held = _check_typed(typed_value)

    if TYPE_CHECKING:  # what the readers are, since lru_cache forgets the type of the value

        def as_int(self) -> int | None:
            """The value of a message of `IntType`, None if it has none."""

        def as_bool(self) -> bool | None:
            """The value of a message of `BoolType`, None if it has none."""

        def as_long(self) -> int | None:
            """The value of a message of `LongType`, None if it has none."""

        def as_string(self) -> str | None:
            """The value of a message of `StringType`, None if it has none."""

        def as_float(self) -> float | None:
            """The value of a message of `FloatType`, None if it has none."""

        def as_double(self) -> float | None:
            """The value of a message of `DoubleType`, None if it has none."""

    else:
        as_int = _reader(IntType)
        as_bool = _reader(BoolType)
        as_long = _reader(LongType)
        as_string = _reader(StringType)
        as_float = _reader(FloatType)
        as_double = _reader(DoubleType)

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
        return self._received(tpe.typename) is not None or self.typed_value.typename == tpe.typename

    def _received(self, typename: str) -> bytes | None:
        """The value as it came in; None unless it has this typename and everybody's encoding."""
        held = self._held
        return _content(held, _value_heads(typename)) if type(held) is bytes else None

    def as_type(self, tpe: Type[T]) -> T | None:
        """The value, None if the message has none.

        A built-in type must be the type of the value; a type of one's own is applied to whatever
        bytes there are.

        Raises:
            TypeMismatchError: If `tpe` is built in and the value is of another type; a `TypeError`.
            SerializationError: If the bytes are none of a built-in type; a `ValueError`.
        """
        if type(tpe) is PrimitiveType:
            return _reader(tpe)(self)
        data = self._received(tpe.typename)
        if data is None:
            data = self.raw_value()
        return None if data is None else tpe.serializer().deserialize(data)

    def __repr__(self) -> str:
        value = self.raw_value()
        size = "no value" if value is None else f"{len(value)} bytes"
        target = f"{self.target_typename} {self.target_id!r}"
        return f"<Message to {target}: {self.value_typename()}, {size}>"


class EgressMessage(_Carrier):
    """A message to an egress. Made by `egress_message_builder`, `kafka_egress_message`, ….

    Args:
        typename: The egress's typename, `namespace/name`.
        typed_value: A protobuf `TypedValue`.

    Raises:
        InvalidMessageError: If one of the two is missing; a `ValueError` and a `TypeError`.
        InvalidTypenameError: If the typename is not `namespace/name`; a `ValueError`.
    """

    __slots__ = ("typename",)

    def __init__(self, typename: str, typed_value: _proto.TypedValue) -> None:
        parse_typename(typename)
        self.typename = typename
        self._held = _check_typed(typed_value)

    def __repr__(self) -> str:
        return f"<EgressMessage to {self.typename}: {self.value_typename()}>"


def incoming_message(batch: Batch, position: int) -> Message:
    """A message of a batch: nothing is checked, and an empty id is an id."""
    message = _new(Message)
    message.target_typename = batch.typename
    message.target_id = batch.target_id
    message._held = batch.invocations[position]  # noqa: SLF001 - this is its constructor
    message._batch = batch  # noqa: SLF001
    message._position = position  # noqa: SLF001
    return message


def outgoing_egress_message(typename: str, encoded: bytes) -> EgressMessage:
    """An egress message around a serialized `TypedValue`."""
    parse_typename(typename)
    message = _new(EgressMessage)
    message.typename = typename
    message._held = None  # noqa: SLF001 - this is its constructor
    message._encoded = encoded  # noqa: SLF001
    return message


_new = object.__new__

SHORTHAND: dict[str, PrimitiveType[Any]] = {
    "int_value": IntType,
    "float_value": FloatType,
    "long_value": LongType,
    "str_value": StringType,
    "double_value": DoubleType,
    "bool_value": BoolType,
}

_PAIR = {"value", "value_type"}
_ABSENT: Any = object()


_STRING_HEADS = Heads(*StringType.frame)
_STRING_HEADS[0] = StringType.present + b"\x00"  # in its message the empty string takes no field


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


def message_builder(
    target_typename: str,
    target_id: str,
    *,
    str_value: Any = _ABSENT,  # by far the most used, so it gets a shorter way
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
        SerializationError: If the value is none of its type; a `ValueError` and a `TypeError`.
    """
    if type(str_value) is str and str_value.isascii() and not values:
        encoded = _STRING_HEADS[len(str_value)] + str_value.encode()
    else:
        value, value_type = _one_value(str_value, values)
        encoded = encode_typed_value(value_type.typename, serialize(value_type, value))
    if headers is not None:
        encoded += encode_headers(b"\x22", headers)
    if type(target_id) is not str or not target_id or not target_id.isascii():
        _check_id(target_typename, target_id)
    parse_typename(target_typename)

    message = _new(Message)
    message.target_typename = target_typename
    message.target_id = target_id
    message._held = None  # noqa: SLF001 - this is its constructor
    message._encoded = encoded  # noqa: SLF001
    return message


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
        raise InvalidMessageError("an egress message needs a value, got None")
    if not isinstance(value_type, Type):
        raise InvalidMessageError(
            f"an egress message needs a value_type, got {value_type!r}: pass a Type"
        )
    encoded = encode_typed_value(value_type.typename, serialize(value_type, value), headers)
    return outgoing_egress_message(target_typename, encoded)


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
            f"which is a type like IntType; got {', '.join(values) or 'nothing'}"
        )
    if value is None:
        raise InvalidMessageError("a message needs a value, got None: there is no null message")
    return value, value_type


def _check_id(target_typename: str, target_id: str) -> None:
    if target_id is None or target_id == "":
        raise InvalidMessageError(f"target_id is missing for a message to {target_typename!r}")
    utf8(target_id, "a target id")


def _check_typed(typed_value: _proto.TypedValue) -> _proto.TypedValue:
    if not typed_value:
        raise InvalidMessageError("typed_value is missing: pass a protobuf TypedValue")
    if not hasattr(typed_value, "SerializeToString"):
        raise InvalidMessageError(
            f"typed_value must be a protobuf TypedValue, got {type(typed_value).__name__}"
        )
    return typed_value
