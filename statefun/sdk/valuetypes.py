"""Types: a typename, and how a value becomes bytes and bytes a value.

Law: an encoded built-in value is the canonical form of its one-field message, which for zero, false
and the empty string is zero bytes; decoding accepts whatever protobuf's own parser accepts.
"""

from __future__ import annotations

import json
import operator
import struct
from abc import ABC, abstractmethod
from functools import lru_cache
from math import copysign, inf
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from google.protobuf.message import DecodeError, Message

from statefun.errors import DefinitionError, SerializationError
from statefun.sdk import _proto
from statefun.sdk.wire import VARINTS, delimited

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = [
    "BoolType",
    "DoubleType",
    "FloatType",
    "IntType",
    "LongType",
    "PrimitiveType",
    "SimpleType",
    "StringType",
    "Type",
    "TypeSerializer",
    "as_bytes",
    "make_json_type",
    "make_protobuf_type",
    "present_fields",
    "serialize",
    "simple_type",
    "utf8",
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
        """The value that `byte` stands for; a fresh object each time."""


class Type(ABC, Generic[T]):
    """The type of messages and of state: a typename with a serializer.

    Subclass it, or use `simple_type`, `make_json_type` or `make_protobuf_type`.

    Args:
        typename: `namespace/name`; the same in every language that shares the type.

    Raises:
        ValueError: If `typename` is empty.
    """

    __slots__ = ("typename",)

    def __init__(self, typename: str) -> None:
        if not typename:
            raise DefinitionError(
                "a type has no typename: give it one of the form 'namespace/name'"
            )
        self.typename = typename

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
                raise DefinitionError(f"the type {typename!r} has no {name}: pass a function")
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
        """What `serialize_fn` returns; a `str` is encoded as UTF-8."""
        return as_bytes(self.serialize_fn(value), "serialize_fn")

    def deserialize(self, byte: bytes) -> T:
        """What `deserialize_fn` returns for the bytes."""
        return self.deserialize_fn(byte)


class PrimitiveType(Type[T]):
    """A built-in type. Its values are immutable, so a value once decoded can be kept.

    Attributes:
        wrapper: The message class that defines the encoding.
        normalise: Any accepted value → the value that reading it back would give.
        encode: A normalised value → its canonical bytes.
        dump: Any accepted value → its canonical bytes.
        decode: Bytes → the value.
        present: The fields of a present `TypedValue` of this type, up to the length of the value.
        frame: What stands around the content of a value that is not the default, as tags for
            `wire.Heads`, from the `TypedValue` on.
        decode_content: The content → the value.

    Source:
        types.proto
    """

    __slots__ = (
        "_serializer",
        "decode",
        "decode_content",
        "dump",
        "encode",
        "frame",
        "normalise",
        "present",
        "wrapper",
    )

    def __init__(
        self,
        typename: str,
        wrapper: type[Any],
        normalise: Callable[[Any], T],
        encode: Callable[[T], bytes],
        decode: Callable[[bytes], T],
        dump: Callable[[Any], bytes] | None = None,
        decode_delimited: Callable[[bytes], T] | None = None,
    ) -> None:
        super().__init__(typename)
        self.wrapper = wrapper
        self.normalise = normalise
        self.encode = encode
        self.decode = decode
        self.dump = dump or (lambda value: encode(normalise(value)))
        self.present = present_fields(typename)
        self.frame = (self.present, b"\x0a") if decode_delimited else (self.present,)
        self.decode_content = decode_delimited or decode
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


@lru_cache(maxsize=4096)
def present_fields(typename: str) -> bytes:
    """The fields of a present `TypedValue` up to the length of its value."""
    return delimited(b"\x0a", utf8(typename, "a value's typename")) + b"\x10\x01\x1a"


def serialize(value_type: Type[T], value: T) -> bytes:
    """The bytes of `value`, by the serializer of `value_type`."""
    if type(value_type) is PrimitiveType:
        return value_type.dump(value)
    return as_bytes(value_type.serializer().serialize(value), value_type.typename)


def as_bytes(data: object, source: str) -> bytes:
    """What a serializer returned, as bytes; text is encoded as UTF-8.

    Raises:
        SerializationError: If it is neither bytes-like nor text.
    """
    if type(data) is bytes:
        return data
    if isinstance(data, str):
        return utf8(data, f"the text that {source} returned")
    if isinstance(data, bytes | bytearray | memoryview):
        return bytes(data)
    raise SerializationError(
        f"{source} returned {type(data).__name__} where bytes were expected: "
        "let the serializer return bytes, or text to be encoded as UTF-8"
    )


def utf8(text: object, what: str) -> bytes:
    """UTF-8 for a protobuf string: a `str`, or `bytes` that are UTF-8 already.

    Raises:
        SerializationError: For any other type, invalid UTF-8, or a lone surrogate.
    """
    try:
        if isinstance(text, str):
            return text.encode()
        if isinstance(text, bytes):
            text.decode()
            return bytes(text)
    except UnicodeError as error:
        raise SerializationError(f"{what} is not valid Unicode: {error}") from error
    raise SerializationError(
        f"{what} must be str or UTF-8 bytes, got {type(text).__name__}: convert it first"
    )


# --- numbers --------------------------------------------------------------------------------------


def _index(value: object, bits: int, typename: str) -> int:
    try:
        number = operator.index(value)  # type: ignore[arg-type]  # the point is to find out
    except TypeError as error:
        raise SerializationError(
            f"{typename} takes an integer, got {type(value).__name__} {value!r}: convert it first"
        ) from error
    if not -(1 << bits - 1) <= number < 1 << bits - 1:
        wider = "use io.statefun.types/long"
        advice = wider if bits < 64 else "write it as text, or in a type of your own"
        raise SerializationError(
            f"{number} does not fit {typename} ({bits} bits, signed): {advice}"
        )
    return int(number)


def _normalise_int(value: Any) -> int:
    if type(value) is int and -0x80000000 <= value <= 0x7FFFFFFF:
        return value
    return _index(value, 32, "io.statefun.types/int")


def _normalise_long(value: Any) -> int:
    if type(value) is int and -0x8000000000000000 <= value <= 0x7FFFFFFFFFFFFFFF:
        return value
    return _index(value, 64, "io.statefun.types/long")


def _normalise_bool(value: Any) -> bool:
    if type(value) is bool:
        return value
    return _index(value, 64, "io.statefun.types/bool") != 0


_DOUBLE = struct.Struct("<d")
_TAGGED_DOUBLE = struct.Struct("<Bd")
_TAGGED_FLOAT = struct.Struct("<Bf")
_TAGGED_INT = struct.Struct("<Bi")
_TAGGED_LONG = struct.Struct("<Bq")
_TAG_32 = 0x0D  # field 1, four bytes
_TAG_64 = 0x09  # field 1, eight bytes
_PLUS_ZERO = _DOUBLE.pack(0.0)


def _normalise_double(value: Any) -> float:
    if type(value) is float:
        return value
    try:
        number: float = _DOUBLE.unpack(_DOUBLE.pack(value))[0]
    except (struct.error, OverflowError, TypeError, ValueError) as error:
        raise SerializationError(
            f"a float or double takes a number, got {type(value).__name__} {value!r}: "
            "convert it first"
        ) from error
    return number


def _normalise_float(value: Any) -> float:
    number = _normalise_double(value)
    try:
        rounded: float = _TAGGED_FLOAT.unpack(_TAGGED_FLOAT.pack(_TAG_32, number))[1]
    except OverflowError:  # too large for single precision: infinity, as everywhere in protobuf
        return copysign(inf, number)
    return rounded


def _is_plus_zero(number: float) -> bool:
    return number == 0.0 and copysign(1.0, number) > 0


def _encode_int(number: int) -> bytes:
    return _TAGGED_INT.pack(_TAG_32, number) if number else b""


def _encode_long(number: int) -> bytes:
    return _TAGGED_LONG.pack(_TAG_64, number) if number else b""


def _encode_bool(value: bool) -> bytes:  # noqa: FBT001
    return b"\x08\x01" if value else b""


def _encode_float(number: float) -> bytes:
    return b"" if _is_plus_zero(number) else _TAGGED_FLOAT.pack(_TAG_32, number)


def _encode_double(number: float) -> bytes:
    return b"" if _is_plus_zero(number) else _TAGGED_DOUBLE.pack(_TAG_64, number)


def _parse(wrapper: type[Any], data: bytes) -> Any:
    """The long way: any bytes that protobuf accepts."""
    try:
        return wrapper.FromString(data).value
    except (DecodeError, ValueError, TypeError, RecursionError) as error:
        built_in = (BoolType, IntType, FloatType, LongType, DoubleType, StringType)
        typename = next(each.typename for each in built_in if each.wrapper is wrapper)
        raise SerializationError(
            f"{len(data)} bytes are no {typename}, which is a protobuf message, not bare text: "
            f"make it by message_builder, or by 'statefun send' ({error})"
        ) from error


def _fixed(layout: struct.Struct, tag: int, wrapper: type[Any]) -> Callable[[bytes], Any]:
    size = layout.size

    def decode(data: bytes) -> Any:
        if not data:
            return 0
        if len(data) == size and data[0] == tag:
            return layout.unpack(data)[1]
        return _parse(wrapper, data)

    return decode


def _fixed_real(layout: struct.Struct, tag: int, wrapper: type[Any]) -> Callable[[bytes], float]:
    decode_number = _fixed(layout, tag, wrapper)
    return lambda data: decode_number(data) if data else 0.0


def _decode_bool(data: bytes) -> bool:
    if not data:
        return False
    if data == b"\x08\x01":
        return True
    return bool(_parse(_proto.BooleanWrapper, data))


# --- strings --------------------------------------------------------------------------------------

_A_STRING = "an io.statefun.types/string"
_TAG_STRING = 0x0A
_ONE_BYTE_SIZE = 0x82  # the tag, a length of one byte, and as many bytes as that can tell


def _normalise_string(value: Any) -> str:
    if type(value) is str and value.isascii():
        return value
    return utf8(value, _A_STRING).decode()


def _encode_string(text: str) -> bytes:
    data = text.encode()
    return b"\x0a" + VARINTS[len(data)] + data if data else b""


def _dump_string(value: Any) -> bytes:
    data = value.encode() if type(value) is str and value.isascii() else utf8(value, _A_STRING)
    return b"\x0a" + VARINTS[len(data)] + data if data else b""


def _decode_text(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise SerializationError(f"a string is not valid UTF-8: {error}") from error


def _decode_string(data: bytes) -> str:
    size = len(data)
    if not size:
        return ""
    if 1 < size == data[1] + 2 < _ONE_BYTE_SIZE and data[0] == _TAG_STRING:
        return _decode_text(data[2:])
    return str(_parse(_proto.StringWrapper, data))


BoolType: PrimitiveType[bool] = PrimitiveType(
    "io.statefun.types/bool", _proto.BooleanWrapper, _normalise_bool, _encode_bool, _decode_bool
)
IntType: PrimitiveType[int] = PrimitiveType(
    "io.statefun.types/int",
    _proto.IntWrapper,
    _normalise_int,
    _encode_int,
    _fixed(_TAGGED_INT, _TAG_32, _proto.IntWrapper),
)
FloatType: PrimitiveType[float] = PrimitiveType(
    "io.statefun.types/float",
    _proto.FloatWrapper,
    _normalise_float,
    _encode_float,
    _fixed_real(_TAGGED_FLOAT, _TAG_32, _proto.FloatWrapper),
)
LongType: PrimitiveType[int] = PrimitiveType(
    "io.statefun.types/long",
    _proto.LongWrapper,
    _normalise_long,
    _encode_long,
    _fixed(_TAGGED_LONG, _TAG_64, _proto.LongWrapper),
)
DoubleType: PrimitiveType[float] = PrimitiveType(
    "io.statefun.types/double",
    _proto.DoubleWrapper,
    _normalise_double,
    _encode_double,
    _fixed_real(_TAGGED_DOUBLE, _TAG_64, _proto.DoubleWrapper),
)
StringType: PrimitiveType[str] = PrimitiveType(
    "io.statefun.types/string",
    _proto.StringWrapper,
    _normalise_string,
    _encode_string,
    _decode_string,
    _dump_string,
    _decode_text,
)


# --- types of one's own ---------------------------------------------------------------------------


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


def _json_bytes(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode()


def make_json_type(typename: str) -> Type[Any]:
    """A type whose values are whatever `json` can write, stored as UTF-8 without escapes."""
    return SimpleType(typename, _json_bytes, json.loads)


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
    name = cls.DESCRIPTOR.full_name

    def parse(data: bytes) -> M:
        message = cls()
        message.ParseFromString(data)
        return message

    return SimpleType(
        f"{namespace or 'type.googleapis.com'}/{name}",
        lambda message: message.SerializeToString(),
        parse,
    )
