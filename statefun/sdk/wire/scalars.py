"""Scalars: the six built-in types of value, from Python values to bytes and back.

Law: an encoded value is the canonical form of its one-field message, which for zero, false and the
empty string is zero bytes. Decoding accepts all bytes that protobuf's own parser accepts.

Source:
    types.proto
"""

from __future__ import annotations

import operator
import struct
from math import copysign, inf
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from google.protobuf.message import DecodeError

from statefun.errors import SerializationError
from statefun.sdk.wire import _proto, tags
from statefun.sdk.wire.framing import VARINTS, PrefixByTotalLength, present_fields
from statefun.sdk.wire.text import utf8

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["BOOL", "DOUBLE", "FLOAT", "INT", "LONG", "SCALARS", "STRING", "Scalar"]

T = TypeVar("T")


class Scalar(Generic[T]):
    """The encoding of one built-in type.

    Attributes:
        typename: `io.statefun.types/…`.
        wrapper: The message class that defines the encoding.
        normalise: Any accepted value → the value that a read after a write returns.
        encode: A normalised value → its canonical bytes.
        dump: Any accepted value → its canonical bytes.
        decode: Bytes → the value.
        frame: The bytes before each length in a `TypedValue` whose value is not the default,
            outermost first; the content stands behind the last length.
        decode_content: That content → the value.
        argument_prefixes: For a serialized Invocation without a caller, up to that content.
    """

    __slots__ = (
        "argument_prefixes",
        "decode",
        "decode_content",
        "dump",
        "encode",
        "frame",
        "normalise",
        "typename",
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
        self.typename = typename
        self.wrapper = wrapper
        self.normalise = normalise
        self.encode = encode
        self.decode = decode
        self.dump = dump or (lambda value: encode(normalise(value)))
        present = present_fields(typename)
        self.frame = (present, tags.STRING_VALUE) if decode_delimited else (present,)
        self.decode_content = decode_delimited or decode
        self.argument_prefixes = PrefixByTotalLength(tags.INVOCATION_ARGUMENT, *self.frame)


def _index(value: object, bits: int, typename: str) -> int:
    try:
        number = operator.index(value)  # type: ignore[arg-type]  # the point is to find out
    except TypeError as error:
        raise SerializationError(
            f"{typename} takes an integer, got {type(value).__name__} {value!r}: convert it first",
            typename=typename,
        ) from error
    if not -(1 << bits - 1) <= number < 1 << bits - 1:
        wider = "use io.statefun.types/long"
        advice = wider if bits < 64 else "write it as text, or in a type of your own"
        raise SerializationError(
            f"{number} does not fit {typename} ({bits} bits, signed): {advice}",
            typename=typename,
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
[_TAG_32] = tags.INT_VALUE
[_TAG_64] = tags.LONG_VALUE


_TRUE = tags.BOOLEAN_VALUE + tags.TRUE


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
    return _TRUE if value else b""


def _encode_float(number: float) -> bytes:
    return b"" if _is_plus_zero(number) else _TAGGED_FLOAT.pack(_TAG_32, number)


def _encode_double(number: float) -> bytes:
    return b"" if _is_plus_zero(number) else _TAGGED_DOUBLE.pack(_TAG_64, number)


def _parse(wrapper: type[Any], data: bytes) -> Any:
    """The long way: any bytes that protobuf accepts."""
    try:
        return wrapper.FromString(data).value
    except (DecodeError, ValueError, TypeError, RecursionError) as error:
        typename = next(each.typename for each in SCALARS.values() if each.wrapper is wrapper)
        raise SerializationError(
            f"{len(data)} bytes are not a value of {typename}, which is a protobuf message and not "
            f"bare text: make it by message_builder, or by 'statefun send' ({error})",
            typename=typename,
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
    if data == _TRUE:
        return True
    return bool(_parse(_proto.BooleanWrapper, data))


# --- strings --------------------------------------------------------------------------------------

_A_STRING = "an io.statefun.types/string"
[_TAG_STRING] = tags.STRING_VALUE
_ONE_BYTE_SIZE = 0x82  # the tag, a length of one byte, and as many bytes as that can tell


def _normalise_string(value: Any) -> str:
    if type(value) is str and value.isascii():
        return value
    return utf8(value, _A_STRING).decode()


def _encode_string(text: str) -> bytes:
    data = text.encode()
    return tags.STRING_VALUE + VARINTS[len(data)] + data if data else b""


def _dump_string(value: Any) -> bytes:
    data = value.encode() if type(value) is str and value.isascii() else utf8(value, _A_STRING)
    return tags.STRING_VALUE + VARINTS[len(data)] + data if data else b""


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


BOOL: Scalar[bool] = Scalar(
    "io.statefun.types/bool", _proto.BooleanWrapper, _normalise_bool, _encode_bool, _decode_bool
)
INT: Scalar[int] = Scalar(
    "io.statefun.types/int",
    _proto.IntWrapper,
    _normalise_int,
    _encode_int,
    _fixed(_TAGGED_INT, _TAG_32, _proto.IntWrapper),
)
FLOAT: Scalar[float] = Scalar(
    "io.statefun.types/float",
    _proto.FloatWrapper,
    _normalise_float,
    _encode_float,
    _fixed_real(_TAGGED_FLOAT, _TAG_32, _proto.FloatWrapper),
)
LONG: Scalar[int] = Scalar(
    "io.statefun.types/long",
    _proto.LongWrapper,
    _normalise_long,
    _encode_long,
    _fixed(_TAGGED_LONG, _TAG_64, _proto.LongWrapper),
)
DOUBLE: Scalar[float] = Scalar(
    "io.statefun.types/double",
    _proto.DoubleWrapper,
    _normalise_double,
    _encode_double,
    _fixed_real(_TAGGED_DOUBLE, _TAG_64, _proto.DoubleWrapper),
)
STRING: Scalar[str] = Scalar(
    "io.statefun.types/string",
    _proto.StringWrapper,
    _normalise_string,
    _encode_string,
    _decode_string,
    _dump_string,
    _decode_text,
)

SCALARS: dict[str, Scalar[Any]] = {
    each.typename: each for each in (BOOL, INT, FLOAT, LONG, DOUBLE, STRING)
}
"""The six built-in types, by typename."""
