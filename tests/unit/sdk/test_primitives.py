"""The built-in types: values to bytes and back."""

from __future__ import annotations

import ast
import inspect
import struct
from itertools import pairwise
from math import copysign, inf, isnan, nan
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from statefun.errors import SerializationError
from statefun.sdk import primitives
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
from statefun.sdk.wire import _proto
from tests.builders import typed

if TYPE_CHECKING:
    from statefun.sdk.types import Type

INTS = st.integers(-(2**31), 2**31 - 1)
LONGS = st.integers(-(2**63), 2**63 - 1)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]))


def values(primitive: Type[Any], strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.tuples(st.just(primitive), strategy)


BUILT_IN = st.one_of(
    values(BoolType, st.booleans()),
    values(IntType, INTS),
    values(LongType, LONGS),
    values(FloatType, st.floats(width=32, allow_nan=False)),
    values(DoubleType, st.floats(allow_nan=False)),
    values(StringType, TEXTS),
)


@given(BUILT_IN)
@example((DoubleType, -0.0))
@example((FloatType, -0.0))
@example((StringType, "x" * 127))
@example((StringType, "x" * 128))
@example((StringType, "ž" * 64))
def test_a_built_in_value_has_the_bytes_that_protobuf_gives_it(value: tuple[Any, Any]) -> None:
    """The encoding is the canonical one, to the last bit."""
    value_type, plain_value = value

    data = serialize(value_type, plain_value)

    assert data == typed(value_type, plain_value).value
    assert value_type.serializer().serialize(plain_value) == data


@given(BUILT_IN)
def test_a_built_in_value_survives_the_way_there_and_back(value: tuple[Any, Any]) -> None:
    """Value, class and sign of zero are the same again."""
    value_type, plain_value = value

    back = value_type.serializer().deserialize(serialize(value_type, plain_value))

    assert (type(back), back) == (type(plain_value), plain_value)
    if isinstance(back, float):
        assert copysign(1, back) == copysign(1, plain_value)


@pytest.mark.parametrize("value_type", [FloatType, DoubleType])
def test_not_a_number_stays_not_a_number(value_type: Type[float]) -> None:
    """NaN is a value like any other."""
    assert isnan(value_type.serializer().deserialize(serialize(value_type, nan)))


@pytest.mark.parametrize(
    ("value_type", "empty"),
    [
        (BoolType, False),
        (IntType, 0),
        (LongType, 0),
        (FloatType, 0.0),
        (DoubleType, 0.0),
        (StringType, ""),
    ],
)
def test_the_default_of_a_built_in_type_is_zero_bytes(value_type: Type[Any], empty: Any) -> None:
    """Zero, false and the empty string take no room, and no room reads as them."""
    back = value_type.serializer().deserialize(b"")

    assert (serialize(value_type, empty), back, type(back)) == (b"", empty, type(empty))


class Index:
    def __index__(self) -> int:
        return 5


@pytest.mark.parametrize(
    ("value_type", "given_value", "read_back"),
    [
        (IntType, True, 1),
        (LongType, Index(), 5),
        (BoolType, 2, True),
        (BoolType, 0, False),
        (DoubleType, 3, 3.0),
        (DoubleType, True, 1.0),
        (FloatType, 0.1, struct.unpack("<f", struct.pack("<f", 0.1))[0]),
        (FloatType, 1e300, inf),
        (FloatType, -1e300, -inf),
        (StringType, b"Ada", "Ada"),
    ],
)
def test_what_protobuf_takes_is_taken_and_normalised(
    value_type: Type[Any], given_value: Any, read_back: Any
) -> None:
    """What is read back is of the type's own class, whatever was given."""
    back = value_type.serializer().deserialize(serialize(value_type, given_value))

    assert (type(back), back) == (type(read_back), read_back)


@pytest.mark.parametrize(
    ("value_type", "value", "sentence"),
    [
        (
            IntType,
            2**31,
            (
                "2147483648 does not fit io.statefun.types/int (32 bits, signed): "
                "use io.statefun.types/long"
            ),
        ),
        (
            IntType,
            -(2**31) - 1,
            (
                "-2147483649 does not fit io.statefun.types/int (32 bits, signed): "
                "use io.statefun.types/long"
            ),
        ),
        (
            LongType,
            2**63,
            (
                "9223372036854775808 does not fit io.statefun.types/long (64 bits, signed): "
                "write it as text, or in a type of your own"
            ),
        ),
        (IntType, 1.0, "io.statefun.types/int takes an integer, got float 1.0: convert it first"),
        (LongType, "1", "io.statefun.types/long takes an integer, got str '1': convert it first"),
        (
            BoolType,
            None,
            "io.statefun.types/bool takes an integer, got NoneType None: convert it first",
        ),
        (DoubleType, "1.5", "a float or double takes a number, got str '1.5': convert it first"),
        (FloatType, None, "a float or double takes a number, got NoneType None: convert it first"),
        (
            StringType,
            5,
            ("an io.statefun.types/string must be str or UTF-8 bytes, got int: convert it first"),
        ),
        (
            StringType,
            b"\xff",
            (
                "an io.statefun.types/string is not valid Unicode: "
                "'utf-8' codec can't decode byte 0xff in position 0: invalid start byte"
            ),
        ),
        (
            StringType,
            "\ud800",
            (
                "an io.statefun.types/string is not valid Unicode: "
                "'utf-8' codec can't encode character '\\ud800' in position 0: "
                "surrogates not allowed"
            ),
        ),
    ],
)
def test_a_value_that_its_type_cannot_carry_is_refused(
    value_type: Type[Any], value: Any, sentence: str
) -> None:
    """Nothing is cut, rounded or guessed to make it fit."""
    with pytest.raises(SerializationError) as caught:
        serialize(value_type, value)

    assert str(caught.value) == sentence


@pytest.mark.parametrize(
    ("value_type", "data"),
    [
        (IntType, b"\x0d\x01"),
        (LongType, b"\x09"),
        (BoolType, b"\x08"),
        (FloatType, b"\x0d\0"),
        (DoubleType, b"\xff"),
        (StringType, b"\x0a\x05Ada"),
        (StringType, b"\x0a\x01\xff"),
    ],
)
def test_bytes_of_no_such_value_are_refused(value_type: Type[Any], data: bytes) -> None:
    """Broken bytes are an error, never a value."""
    with pytest.raises(SerializationError):
        value_type.serializer().deserialize(data)


@pytest.mark.parametrize(
    "data", [b"\x0a\x03Ada\x10\x07", b"\x0a\x01x\x0a\x03Ada", b"\x0a\x83\0Ada"]
)
def test_bytes_that_only_protobuf_would_write_are_read(data: bytes) -> None:
    """Unknown fields, repeated fields and long lengths come from other SDKs, maybe newer ones."""
    assert StringType.serializer().deserialize(data) == "Ada"


@pytest.mark.parametrize(
    "primitive", [BoolType, IntType, LongType, FloatType, DoubleType, StringType]
)
def test_a_built_in_type_names_itself_and_its_wrapper(primitive: PrimitiveType[Any]) -> None:
    """The wrapper is the message that defines the encoding."""
    assert primitive.wrapper is _proto.__dict__[primitive.wrapper.DESCRIPTOR.name]
    assert repr(primitive) == f"<PrimitiveType {primitive.typename}>"


@pytest.mark.parametrize(
    ("value_type", "name"), [(StringType, "string"), (LongType, "long"), (BoolType, "bool")]
)
def test_text_in_place_of_a_built_in_value_is_told_what_makes_one(
    value_type: Type[Any], name: str
) -> None:
    """`curl -d hello` sends it, and the ingress does not look into values."""
    with pytest.raises(SerializationError) as caught:
        value_type.serializer().deserialize(b"hello")

    assert str(caught.value).startswith(
        f"5 bytes are not a value of io.statefun.types/{name}, which is a protobuf message and not "
        "bare text: make it by message_builder, or by 'statefun send' ("
    )


# --- in an editor ---------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["Bool", "Int", "Float", "Long", "Double", "String"])
def test_an_editor_shows_a_text_about_a_built_in_type(name: str) -> None:
    """Editors show the text below an assignment; it says what the values are, and the typename."""
    body = ast.parse(inspect.getsource(primitives)).body
    texts = {
        each.targets[0].id: below.value.value
        for each, below in pairwise(body)
        if isinstance(each, ast.Assign) and isinstance(each.targets[0], ast.Name)
        if isinstance(below, ast.Expr) and isinstance(below.value, ast.Constant)
    }

    assert f"io.statefun.types/{name.lower()}" in str(texts[f"{name}Type"])
