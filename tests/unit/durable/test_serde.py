"""Serdes: what becomes of values, and what is refused."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any, Literal, NewType, TypedDict
from uuid import UUID

import msgspec
import pydantic
import pytest
import typing_extensions

from statefun.durable.serde import (
    BytesSerde,
    DefaultSerde,
    JsonSerde,
    MsgspecJsonSerde,
    ProtobufSerde,
    PydanticJsonSerde,
    Serde,
    TypeSerde,
    serde_of,
)
from statefun.errors import DefinitionError, SerializationError
from statefun.sdk.primitives import IntType
from statefun.sdk.types import simple_type
from statefun.sdk.wire._proto import Address


class Colour(Enum):
    RED = "red"


@dataclass
class Line:
    sku: str
    quantity: int = 1


@dataclass
class Order:
    lines: list[Line] = field(default_factory=list)
    placed: datetime | None = None
    colour: Colour = Colour.RED


class Model(pydantic.BaseModel):
    name: str
    age: int = 0


Struct: Any = msgspec.defstruct("Struct", [("name", str), ("age", int, 0)])


class Plain(TypedDict):
    name: str
    tags: list[str]


class Dated(typing_extensions.TypedDict):  # pydantic needs it before Python 3.12
    day: date


UserId = NewType("UserId", str)
NUMBER = simple_type("t/number", str, int)


@pytest.mark.parametrize(
    ("hint", "value"),
    [
        (Line, Line("a", 2)),
        (Order, Order([Line("a")], datetime(2026, 1, 2, tzinfo=UTC))),
        (list[Line], [Line("a"), Line("b")]),
        (dict[str, Line], {"x": Line("a")}),
        (Line | None, Line("a")),
        (Model, Model(name="Ada", age=36)),
        (list[Model], [Model(name="Ada")]),
        (Struct, Struct("Ada", 36)),
        (list[Struct], [Struct("Ada")]),
        (Plain, {"name": "Ada", "tags": ["x"], "more": 1}),
        (Dated, {"day": date(2026, 1, 2)}),
        (Colour, Colour.RED),
        (UUID, UUID(int=7)),
        (Decimal, Decimal("1.50")),
        (tuple[int, str], (1, "a")),
        (set[int], {1, 2}),
        (UserId, "u-1"),
        (Literal["a", "b"], "a"),
        (bytes, b"\x00\xff"),
        (Address, Address(namespace="t", type="f", id="1")),
        (IntType, 7),
        (Annotated[int, NUMBER], 7),
        (int, 7),
        (Any, {"a": [1, 2.5, None, True, "é"]}),
        (None, [1, "a"]),
    ],
)
def test_what_is_written_is_read_back_as_its_annotation_says(hint: Any, value: Any) -> None:
    """Each kind of type makes the round trip."""
    serde: DefaultSerde[Any] = DefaultSerde(hint)

    assert serde.deserialize(serde.serialize(value)) == value


@pytest.mark.parametrize("hint", [None, int, Line, Model, Struct, list[Line], bytes])
def test_none_is_no_bytes(hint: Any) -> None:
    """Both ways, whatever the type."""
    serde: DefaultSerde[Any] = DefaultSerde(hint)

    assert serde.serialize(None) == b""
    assert serde.deserialize(b"") is None


def test_json_is_that_of_the_standard_library() -> None:
    """ASCII, spaces behind separators, and null is None."""
    serde: JsonSerde[Any] = JsonSerde()

    assert serde.serialize({"é": [1, 2]}) == b'{"\\u00e9": [1, 2]}'
    assert serde.deserialize(b"null") is None


def test_annotations_that_json_represents_by_itself_are_not_looked_at() -> None:
    """A number reaches a `str`, as it does elsewhere; nothing is lost of an open dict."""
    text: DefaultSerde[Any] = DefaultSerde(str)
    plain: DefaultSerde[Any] = DefaultSerde(Plain)

    assert text.deserialize(b"1") == 1
    assert plain.deserialize(b'{"other": 1}') == {"other": 1}


@pytest.mark.parametrize(
    ("hint", "given", "text"),
    [
        (None, b"{", "1 bytes are not JSON: Expecting property name"),
        (None, b"\xff", "1 bytes are not JSON: "),
        (None, b"NaN", "3 bytes are not JSON: JSON has no NaN"),
        (Line, b'{"sku": "a", "quantity": "2"}', "not of the type Line: quantity: "),
        (Line, b"[]", "the value is not of the type Line: "),
        (Model, b'{"age": 1}', "the value is not of the type Model: name: Field required"),
        (Struct, b'{"age": 1}', "the value is not of the type Struct: "),
        (Address, b"\xff", "1 bytes are not a io.statefun.sdk.reqreply.Address: "),
        (NUMBER, b"one", "3 bytes are not a t/number: "),
    ],
)
def test_bytes_that_do_not_fit_are_refused(hint: Any, given: bytes, text: str) -> None:
    """The sentence says what was expected and where it differs."""
    with pytest.raises(SerializationError) as caught:
        DefaultSerde(hint).deserialize(given)

    assert text in str(caught.value)


@pytest.mark.parametrize(
    ("hint", "value", "text"),
    [
        (None, float("nan"), "float nan cannot be written as JSON: "),
        (None, object, "cannot be written as JSON: "),
        (None, b"abc", "3 bytes are not JSON: keep them as bytes"),
        (bytes, "abc", "bytes are expected here, got str 'abc'"),
        (Address, "abc", "is expected here, got str 'abc'"),
    ],
)
def test_values_that_cannot_be_written_are_refused(hint: Any, value: Any, text: str) -> None:
    """The sentence shows the value and says what to do."""
    with pytest.raises(SerializationError) as caught:
        DefaultSerde(hint).serialize(value)

    assert text in str(caught.value)


def test_a_type_that_no_serde_reads_is_refused_at_once() -> None:
    """Not when the first value comes."""

    class Opaque:
        pass

    with pytest.raises(DefinitionError, match=r"no JSON is read as the type .*Opaque"):
        DefaultSerde(Opaque)


def test_a_serde_is_given_in_three_ways() -> None:
    """As one, as a `Type` of the SDK, or as the class of the values."""

    class Own(Serde[int]):
        def deserialize(self, buf: bytes) -> int:
            return len(buf)

        def serialize(self, obj: int | None) -> bytes:
            return b"x" * (obj or 0)

    own = Own()

    assert serde_of(own) is own
    assert isinstance(serde_of(IntType), TypeSerde)
    assert serde_of(Line) == DefaultSerde(Line)
    assert serde_of(None, Line) == DefaultSerde(Line)
    assert serde_of(DefaultSerde(Model), Line) == DefaultSerde(Model)


def test_the_named_serdes_do_what_the_default_one_does() -> None:
    """Who names them in an option gets the same bytes."""
    assert PydanticJsonSerde(Model).serialize(Model(name="a")) == b'{"name":"a","age":0}'
    assert MsgspecJsonSerde(Struct).deserialize(b'{"name":"a"}') == Struct("a")
    assert ProtobufSerde(Address).deserialize(b"") == Address()
    assert BytesSerde().serialize(b"a") == b"a"
