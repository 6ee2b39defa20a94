"""Types of one's own: two functions, JSON, protobuf, or a subclass."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from statefun.errors import DefinitionError, SerializationError
from statefun.sdk.primitives import (
    BoolType,
    DoubleType,
    FloatType,
    IntType,
    LongType,
    StringType,
    serialize,
)
from statefun.sdk.types import Type, TypeSerializer, make_json_type, make_protobuf_type, simple_type
from statefun.sdk.wire import _proto

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


def test_a_simple_type_is_made_of_two_functions() -> None:
    """Text that the first returns is encoded as UTF-8."""
    colour: Type[str] = simple_type("t/colour", str.upper, lambda data: data.decode().lower())

    assert serialize(colour, "grün") == "GRÜN".encode()
    assert colour.serializer().deserialize("GRÜN".encode()) == "grün"
    assert (colour.typename, repr(colour)) == ("t/colour", "<SimpleType t/colour>")


@pytest.mark.parametrize("data", [b"ab", bytearray(b"ab"), memoryview(b"ab"), "ab"])
def test_a_serializer_may_return_anything_like_bytes(data: Any) -> None:
    """What counts is the content, as `bytes`."""
    raw = simple_type("t/raw", lambda value: value, bytes)

    assert serialize(raw, data) == b"ab"
    assert type(serialize(raw, data)) is bytes


class NumberSerializer(TypeSerializer[int]):
    def serialize(self, value: int) -> bytes:
        return str(value)  # type: ignore[return-value]

    def deserialize(self, byte: bytes) -> int:
        return int(byte)


class NumberType(Type[int]):
    def serializer(self) -> TypeSerializer[int]:
        return NumberSerializer()


def test_a_type_can_be_a_subclass() -> None:
    """A type of one's own is a typename and a serializer; it may return text too."""
    decimal = NumberType("t/decimal")

    assert serialize(decimal, 42) == b"42"
    assert (decimal.serializer().deserialize(b"42"), repr(decimal)) == (
        42,
        "<NumberType t/decimal>",
    )


def test_a_serializer_that_returns_no_bytes_is_named() -> None:
    """The error says which function returned what."""
    broken: Type[Any] = simple_type("t/broken", lambda value: value, bytes)

    with pytest.raises(SerializationError) as caught:
        serialize(broken, 5)

    assert str(caught.value) == (
        "serialize_fn returned int where bytes were expected: "
        "let the serializer return bytes, or text to be encoded as UTF-8"
    )


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (
            (None, str.encode, bytes.decode),
            "a type has no typename: give it one of the form 'namespace/name'",
        ),
        (
            ("", str.encode, bytes.decode),
            "a type has no typename: give it one of the form 'namespace/name'",
        ),
        (
            ("t/a", None, bytes.decode),
            "the type 't/a' has no serialize_fn: pass a function",
        ),
        (
            ("t/a", str.encode, None),
            "the type 't/a' has no deserialize_fn: pass a function",
        ),
    ],
)
def test_a_simple_type_needs_all_three_parts(arguments: Any, sentence: str) -> None:
    """What is missing is found when the type is made."""
    with pytest.raises(DefinitionError) as caught:
        simple_type(*arguments)

    assert str(caught.value) == sentence


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXTS,
        lambda inner: st.lists(inner) | st.dictionaries(TEXTS, inner),
        max_leaves=5,
    )
)
def test_json_survives_the_way_there_and_back(value: Any) -> None:
    """Whatever JSON can say can be a value."""
    json_type = make_json_type("t/json")

    assert json_type.serializer().deserialize(serialize(json_type, value)) == value


def test_json_is_stored_as_readable_utf8() -> None:
    """No escapes: the bytes are the text."""
    assert serialize(make_json_type("t/json"), {"name": "Žofie"}) == '{"name": "Žofie"}'.encode()


@pytest.mark.parametrize(
    ("namespace", "typename"),
    [
        (None, "type.googleapis.com/io.statefun.sdk.reqreply.Address"),
        ("t", "t/io.statefun.sdk.reqreply.Address"),
    ],
)
def test_a_protobuf_message_is_a_type(namespace: str | None, typename: str) -> None:
    """The typename is the namespace and the full name of the message."""
    message_type = make_protobuf_type(_proto.Address, namespace)
    message = _proto.Address(id="Ada")

    data = serialize(message_type, message)

    assert (message_type.typename, data) == (typename, message.SerializeToString())
    assert message_type.serializer().deserialize(data) == message


def test_a_protobuf_type_needs_a_message_class() -> None:
    """None makes no type."""
    nothing: Any = None

    with pytest.raises(DefinitionError) as caught:
        make_protobuf_type(nothing)

    assert str(caught.value) == "make_protobuf_type needs a generated message class, got none"


def test_every_read_gives_a_fresh_object() -> None:
    """Changing what one reader got changes nothing for the next."""
    json_type = make_json_type("t/json")
    data = serialize(json_type, [1])

    json_type.serializer().deserialize(data).append(2)

    assert json_type.serializer().deserialize(data) == [1]
