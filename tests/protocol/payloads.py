"""Bytes that the reader of a built-in type may be given, and what two readers make of them."""

from __future__ import annotations

import struct
from random import Random
from typing import TYPE_CHECKING, Any

from statefun import (
    BoolType,
    DoubleType,
    FloatType,
    IntType,
    LongType,
    Message,
    StringType,
    Type,
)
from statefun.errors import SerializationError
from statefun.sdk.wire import _proto
from statefun.sdk.wire._proto import TypedValue
from tests.protocol.mutations import NOT_UTF8
from tests.protocol.wiretree import BYTES, END, FIXED32, FIXED64, GROUP, VARINT, varint

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["PRIMITIVES", "REFUSED", "payloads", "read_by_protobuf", "read_by_us"]

PRIMITIVES: dict[str, tuple[Type[Any], Any]] = {
    "bool": (BoolType, _proto.BooleanWrapper),
    "int": (IntType, _proto.IntWrapper),
    "float": (FloatType, _proto.FloatWrapper),
    "long": (LongType, _proto.LongWrapper),
    "double": (DoubleType, _proto.DoubleWrapper),
    "string": (StringType, _proto.StringWrapper),
}
FIXED_SIZES = {"int": 4, "float": 4, "long": 8, "double": 8}
REFUSED = "refused"


def payloads(seed: int, name: str, count: int) -> Iterator[bytes]:
    """`count` payloads for the type `name`: good, odd and broken ones."""
    chance = Random(seed)
    makers: list[Callable[[], bytes]] = [
        lambda: _good(chance, name),
        lambda: _odd(chance),
        lambda: _odd(chance) + _good(chance, name) + _odd(chance),
        lambda: _good(chance, name) + _good(chance, name),
        lambda: _cut(chance, _good(chance, name)) + chance.randbytes(chance.randint(0, 2)),
        lambda: _flipped(chance, _good(chance, name)),
        lambda: chance.randbytes(chance.randint(0, 12)),
    ]
    for number in range(count):
        yield makers[number % len(makers)]()


def _good(chance: Random, name: str) -> bytes:
    if name in FIXED_SIZES:
        size = FIXED_SIZES[name]
        lowest, highest = bytes(size - 1) + b"\x80", b"\xff" * (size - 1) + b"\x7f"
        edge = chance.choice([bytes(size), b"\xff" * size, lowest, highest])
        wire = FIXED32 if size == 4 else FIXED64
        return varint(1 << 3 | wire) + chance.choice([edge, chance.randbytes(size)])
    if name == "bool":
        return varint(1 << 3 | VARINT) + varint(chance.choice([0, 1, 2, 1 << 32, (1 << 64) - 1]))
    text = chance.choice([b"", b"hello", "žluť 🐿\0".encode(), b"x" * 200, *NOT_UTF8.values()])
    return varint(1 << 3 | BYTES) + varint(len(text)) + text


def _odd(chance: Random) -> bytes:
    """Nothing, or a field that the reader does not know, or knows with another wire type."""
    number = chance.choice([0, 1, 2, 15, 16, (1 << 29) - 1])
    depth = chance.choice([1, 3, 99, 5_000])
    texts = [b"\0", b"\x02ab", b"\x80\x01" + b"x" * 128]
    return chance.choice(
        [
            b"",
            varint(number << 3 | VARINT) + varint(chance.getrandbits(64)),
            varint(number << 3 | FIXED32) + chance.randbytes(4),
            varint(number << 3 | FIXED64) + chance.randbytes(8),
            varint(number << 3 | BYTES) + chance.choice(texts),
            varint(number << 3 | GROUP) * depth + varint(number << 3 | END) * depth,
            b"\x88\x00\x01",  # field 1 as a varint, its tag longer than needed
        ]
    )


def _cut(chance: Random, payload: bytes) -> bytes:
    return payload[: chance.randint(0, len(payload))]


def _flipped(chance: Random, payload: bytes) -> bytes:
    spoiled = bytearray(payload)
    for _ in range(chance.randint(1, 3)):
        spoiled[chance.randrange(len(spoiled))] ^= 1 << chance.randrange(8)
    return bytes(spoiled)


def read_by_us(name: str, payload: bytes) -> list[Any]:
    """What `as_<name>` and the type's serializer make of a payload; `REFUSED` if they raise."""
    value_type, _ = PRIMITIVES[name]
    typed = TypedValue(typename=value_type.typename, has_value=True, value=payload)
    message = Message("com.example/any", "1", typed)
    return [
        _outcome(getattr(message, f"as_{name}"), SerializationError),
        _outcome(lambda: value_type.serializer().deserialize(payload), SerializationError),
    ]


def read_by_protobuf(name: str, payload: bytes) -> Any:
    """What protobuf's own parser makes of it; its implementations disagree about the error."""
    _, wrapper = PRIMITIVES[name]
    return _outcome(lambda: wrapper.FromString(payload).value, Exception)


def _outcome(read: Callable[[], Any], refusal: type[Exception]) -> Any:
    """The value with its class, told apart to the last bit."""
    try:
        value = read()
    except refusal:
        return REFUSED
    if isinstance(value, float):
        return float, "nan" if value != value else struct.pack("<d", value)  # noqa: PLR0124
    return type(value), value
