"""Messages and egress messages: building, reading, headers."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from statefun.errors import (
    InvalidMessageError,
    InvalidTypenameError,
    MessageArgumentsError,
    SerializationError,
    TypeMismatchError,
)
from statefun.sdk.builders import egress_message_builder, message_builder
from statefun.sdk.messages import EgressMessage, Message
from statefun.sdk.primitives import BoolType, DoubleType, FloatType, IntType, LongType, StringType
from statefun.sdk.types import Type, make_json_type, simple_type
from statefun.sdk.wire import Header, _proto
from tests.builders import number, text, typed

if TYPE_CHECKING:
    from collections.abc import Callable

JSON = make_json_type("t/json")
EACH_TYPE: list[tuple[str, Type[Any], Any]] = [
    ("int", IntType, -7),
    ("long", LongType, 2**40),
    ("float", FloatType, 1.5),
    ("double", DoubleType, 0.1),
    ("bool", BoolType, True),
    ("string", StringType, "Žofie"),
]
KEYWORDS = {name: f"{'str' if name == 'string' else name}_value" for name, _, _ in EACH_TYPE}
TAKEN = "int_value, float_value, long_value, str_value, double_value, bool_value"


def build(**values: Any) -> Message:
    """A message with whatever keywords, right or wrong."""
    return message_builder("t/f", "1", **values)


# --- building -------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "value_type", "value"), EACH_TYPE)
def test_a_message_is_built_from_one_keyword(name: str, value_type: Type[Any], value: Any) -> None:
    """The keyword says the type; target and value are all a message is."""
    message = build(**{KEYWORDS[name]: value})

    assert (message.target_typename, message.target_id) == ("t/f", "1")
    assert message.typed_value == typed(value_type, value)


@pytest.mark.parametrize(("name", "value_type", "value"), EACH_TYPE)
def test_value_with_value_type_means_the_same(name: str, value_type: Type[Any], value: Any) -> None:
    """The short keywords are nothing but short."""
    short, long = build(**{KEYWORDS[name]: value}), build(value=value, value_type=value_type)

    assert short.argument() == long.argument()


@given(
    st.text(st.characters(exclude_categories=["Cs"])) | st.integers(0, 5000).map(lambda n: n * "x")
)
def test_protobuf_reads_a_text_message(value: str) -> None:
    """However long the text and whatever its alphabet."""
    assert _proto.TypedValue.FromString(build(str_value=value).argument()) == text(value)


def test_a_default_value_is_a_value() -> None:
    """Zero, false and the empty string are sent; only None cannot be."""
    messages = [build(int_value=0), build(bool_value=False), build(str_value="")]

    assert [message.raw_value() for message in messages] == [b"", b"", b""]
    assert [message.as_int() for message in messages[:1]] == [0]


@pytest.mark.parametrize(
    ("values", "got"),
    [
        ({}, "nothing"),
        ({"int_value": 1, "str_value": "a"}, "int_value, str_value"),
        ({"number": 1}, "number"),
        ({"value": 1}, "value"),
        ({"value_type": IntType}, "value_type"),
        ({"value": 1, "value_type": None}, "value, value_type"),
        ({"value": 1, "value_type": IntType, "int_value": 1}, "value, value_type, int_value"),
        ({"value": 1, "type": IntType}, "value, type"),
    ],
)
def test_a_message_takes_exactly_one_value(values: dict[str, Any], got: str) -> None:
    """The error lists what may be given and what was."""
    with pytest.raises(MessageArgumentsError) as caught:
        build(**values)

    assert str(caught.value) == (
        f"a message takes exactly one of {TAKEN}, or value with value_type, "
        f"which is a type like IntType; got {got}"
    )


@pytest.mark.parametrize(
    "values", [{"int_value": None}, {"str_value": None}, {"value": None, "value_type": JSON}]
)
def test_there_is_no_null_message(values: dict[str, Any]) -> None:
    """Not even of a type that could write one, such as JSON."""
    with pytest.raises(InvalidMessageError) as caught:
        build(**values)

    assert str(caught.value) == "a message needs a value, got None: there is no null message"


@pytest.mark.parametrize(
    "values", [{"int_value": "1"}, {"int_value": 2**31}, {"str_value": 1}, {"str_value": "\ud800"}]
)
def test_a_value_that_is_none_of_its_type_is_refused(values: dict[str, Any]) -> None:
    """It fails where it is built, not when the batch ends."""
    with pytest.raises(SerializationError):
        build(**values)


@pytest.mark.parametrize("typename", ["", "f", "/f", "t/", None])
def test_a_target_typename_is_namespace_and_name(typename: Any) -> None:
    """Messages and egress messages check it when they are made."""
    for make in (
        lambda: message_builder(typename, "1", int_value=1),
        lambda: Message(typename, "1", number(1)),
        lambda: egress_message_builder(typename, 1, IntType),
        lambda: EgressMessage(typename, number(1)),
    ):
        with pytest.raises(InvalidTypenameError) as caught:
            make()
        assert caught.value.name == typename


@pytest.mark.parametrize("target_id", ["", None])
def test_a_message_needs_an_id(target_id: Any) -> None:
    """An ingress may address the empty id; a function may not."""
    makers: list[Callable[[], Message]] = [
        lambda: message_builder("t/f", target_id, int_value=1),
        lambda: Message("t/f", target_id, number(1)),
    ]
    for make in makers:
        with pytest.raises(InvalidMessageError) as caught:
            make()
        assert str(caught.value) == "target_id is missing for a message to 't/f'"


@pytest.mark.parametrize("target_id", [5, "\ud800", b"\xff", ["1"]])
def test_an_id_is_text(target_id: Any) -> None:
    """What cannot be UTF-8 is no id."""
    with pytest.raises(SerializationError):
        message_builder("t/f", target_id, int_value=1)


@pytest.mark.parametrize(
    ("typed_value", "sentence"),
    [
        (None, "typed_value is missing: pass a protobuf TypedValue"),
        ("text", "typed_value must be a protobuf TypedValue, got str"),
    ],
)
def test_a_message_is_made_around_a_typed_value(typed_value: Any, sentence: str) -> None:
    """The class takes what a builder would have made."""
    for make in (
        lambda: Message("t/f", "1", typed_value),
        lambda: EgressMessage("t/e", typed_value),
    ):
        with pytest.raises(InvalidMessageError) as caught:
            make()
        assert str(caught.value) == sentence


# --- reading --------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "value_type", "value"), EACH_TYPE)
def test_a_message_is_read_as_what_it_is(name: str, value_type: Type[Any], value: Any) -> None:
    """One question and one reader answer for each built-in type; `as_type` does the same."""
    message = Message("t/f", "1", typed(value_type, value))

    answers = {other: getattr(message, f"is_{other}")() for other, _, _ in EACH_TYPE}

    assert answers == {other: other == name for other, _, _ in EACH_TYPE}
    assert getattr(message, f"as_{name}")() == value
    assert (message.is_type(value_type), message.as_type(value_type)) == (True, value)
    assert message.value_typename() == value_type.typename


@pytest.mark.parametrize(("name", "value_type", "value"), EACH_TYPE)
def test_a_message_is_not_read_as_what_it_is_not(
    name: str, value_type: Type[Any], value: Any
) -> None:
    """Bytes of one built-in type are never taken for another's, though they might parse."""
    message = Message("t/f", "1", typed(value_type, value))

    for other, other_type, _ in EACH_TYPE:
        if other == name:
            continue
        for read in (getattr(message, f"as_{other}"), lambda: message.as_type(other_type)):  # noqa: B023
            with pytest.raises(TypeMismatchError) as caught:
                read()
            assert str(caught.value) == (
                f"the message has the type {value_type.typename!r} and cannot be read as "
                f"{other_type.typename!r}: ask is_type() first, or read it as the type it has"
            )


def test_a_type_of_ones_own_reads_any_bytes() -> None:
    """The typename is not compared, as it never was."""
    loose: Type[bytes] = simple_type("t/loose", bytes, bytes)
    message = Message("t/f", "1", typed(JSON, {"a": 1}))

    assert message.as_type(loose) == b'{"a": 1}'
    assert (message.is_type(loose), message.is_type(JSON)) == (False, True)
    assert message.as_type(JSON) == {"a": 1}


@pytest.mark.parametrize("other", [IntType, StringType, make_json_type("t/other")])
def test_an_expected_value_is_of_its_type(other: Type[Any]) -> None:
    """`expect` gives the value, and refuses another typename, for types of one's own, too."""
    mine = make_json_type("t/mine", dict)
    message = message_builder("a/b", "1", value={"a": 1}, value_type=mine)

    assert message.expect(mine) == {"a": 1}
    with pytest.raises(TypeMismatchError, match="t/mine"):
        message.expect(other)


def test_a_message_without_a_value_is_not_what_is_expected() -> None:
    """So the value of `expect` is never None by accident."""
    empty = Message("a/b", "1", _proto.TypedValue(typename=IntType.typename))

    with pytest.raises(TypeMismatchError, match="without a value"):
        empty.expect(IntType)


def test_a_message_without_a_value_reads_as_none() -> None:
    """An engine may send a message that has no value; whatever it is read as, it is None."""
    message = Message("t/f", "1", _proto.TypedValue(typename="t/nothing"))

    assert [getattr(message, f"as_{name}")() for name, _, _ in EACH_TYPE] == [None] * 6
    assert (message.as_type(IntType), message.as_type(JSON), message.raw_value()) == (None,) * 3
    assert repr(message) == "<Message to t/f '1': t/nothing, no value>"


def test_bytes_of_no_such_value_cannot_be_read() -> None:
    """Broken bytes under the right typename are an error of their own."""
    broken = _proto.TypedValue(typename=IntType.typename, has_value=True, value=b"\xff")

    with pytest.raises(SerializationError):
        Message("t/f", "1", broken).as_int()


def test_every_read_of_a_mutable_value_is_fresh() -> None:
    """Two functions of one process can be given the same message."""
    message = build(value=[1], value_type=JSON)

    read = message.as_type(JSON)
    assert read is not None
    read.append(2)

    assert message.as_type(JSON) == [1]


def test_a_changed_typed_value_changes_the_message() -> None:
    """Old code builds a message and then sets what is inside."""
    message = build(int_value=1)

    message.typed_value.CopyFrom(text("changed"))
    assert (message.as_string(), message.argument()) == (
        "changed",
        text("changed").SerializeToString(),
    )

    message.typed_value = number(2)
    assert message.as_int() == 2


def test_a_typed_value_is_carried_with_all_its_fields() -> None:
    """Fields that nobody here knows travel from a message to the next."""
    of_the_future = text("Ada").SerializeToString() + b"\x98\x06\x01"
    incoming = Message("t/f", "1", _proto.TypedValue.FromString(of_the_future))

    forwarded = Message("t/g", "2", incoming.typed_value)

    assert forwarded.argument() == of_the_future


def test_messages_show_where_they_go_and_not_what_they_say() -> None:
    """A repr lands in logs, so it has no content in it."""
    assert repr(build(str_value="secret")) == (
        "<Message to t/f '1': io.statefun.types/string, 8 bytes>"
    )
    assert repr(egress_message_builder("t/e", "secret", StringType)) == (
        "<EgressMessage to t/e: io.statefun.types/string>"
    )


# --- headers --------------------------------------------------------------------------------------

PAIRS: list[tuple[str, bytes | str | None]] = [
    ("trace", b"\x00\xff"),
    ("tag", "größe"),
    ("tag", "again"),
    ("null", None),
    ("empty", b""),
    ("empty", ""),
    ("", b"no name"),
]
HEADERS = (
    Header("trace", b"\x00\xff"),
    Header("tag", "größe".encode()),
    Header("tag", b"again"),
    Header("null", None),
    Header("empty", b""),
    Header("empty", b""),
    Header("", b"no name"),
)


def test_headers_keep_order_duplicates_and_the_difference_of_null_and_empty() -> None:
    """What is given is what is read, text as UTF-8."""
    message = build(int_value=1, headers=PAIRS)
    egress = egress_message_builder("t/e", 1, IntType, headers=iter(PAIRS))

    assert (message.headers, egress.headers) == (HEADERS, HEADERS)
    assert message.as_int() == 1


def test_headers_have_the_bytes_of_protobuf() -> None:
    """An engine reads them as they were meant."""
    message = build(str_value="Ada", headers=PAIRS)

    assert message.typed_value == typed(StringType, "Ada", HEADERS)
    assert message.argument() == typed(StringType, "Ada", HEADERS).SerializeToString()


@pytest.mark.parametrize("mapping", [dict, MappingProxyType])
def test_headers_can_be_a_mapping(mapping: Any) -> None:
    """Names that stand once may be keys."""
    headers = mapping({"a": b"1", "b": None})

    assert build(int_value=1, headers=headers).headers == (Header("a", b"1"), Header("b", None))


@pytest.mark.parametrize("headers", [None, (), [], {}])
def test_no_headers_are_no_bytes(headers: Any) -> None:
    """An engine that knows no headers gets the message it always got."""
    assert build(int_value=1, headers=headers).argument() == build(int_value=1).argument()
    assert build(int_value=1, headers=headers).headers == ()


def test_a_header_reads_as_text() -> None:
    """What is no UTF-8 is shown as far as it goes."""
    header_texts = [header.as_text() for header in build(int_value=1, headers=PAIRS).headers]

    assert header_texts == ["\x00\ufffd", "größe", "again", None, "", "", "no name"]


def test_a_header_value_is_bytes_text_or_none() -> None:
    """The error names the header."""
    with pytest.raises(InvalidMessageError) as caught:
        build(int_value=1, headers=[("trace", 5)])

    assert str(caught.value) == (
        "header 'trace' has a value of type int: pass bytes, text, or None for a null value"
    )


@pytest.mark.parametrize("headers", [[(None, b"")], [(5, b"")], [("\ud800", b"")]])
def test_the_key_of_a_header_is_text(headers: Any) -> None:
    """There is no header without a name."""
    with pytest.raises(SerializationError):
        build(int_value=1, headers=headers)


@pytest.mark.parametrize("value", [bytearray(b"ab"), memoryview(b"ab")])
def test_a_header_value_may_be_anything_like_bytes(value: Any) -> None:
    """It is copied when the message is built."""
    assert build(int_value=1, headers=[("a", value)]).headers == (Header("a", b"ab"),)


def test_headers_travel_with_the_typed_value() -> None:
    """Forwarding a message forwards its headers."""
    incoming = Message("t/f", "1", typed(IntType, 1, HEADERS))

    assert Message("t/g", "2", incoming.typed_value).headers == HEADERS


# --- egress messages ------------------------------------------------------------------------------


def test_an_egress_message_carries_any_type() -> None:
    """Typename of the egress, and a value of a type."""
    message = egress_message_builder("t/e", {"a": 1}, JSON)

    assert (message.typename, message.typed_value) == ("t/e", typed(JSON, {"a": 1}))
    assert (message.value_typename(), message.raw_value()) == ("t/json", b'{"a": 1}')


def test_an_egress_message_needs_a_value() -> None:
    """None is no value."""
    with pytest.raises(InvalidMessageError) as caught:
        egress_message_builder("t/e", None, JSON)

    assert str(caught.value) == "an egress message needs a value, got None"


def test_an_egress_message_needs_a_type() -> None:
    """The type is never guessed from the value."""
    nothing: Any = None

    with pytest.raises(InvalidMessageError) as caught:
        egress_message_builder("t/e", 1, nothing)

    assert str(caught.value) == "an egress message needs a value_type, got None: pass a Type"


def test_a_value_type_that_is_no_type_is_refused() -> None:
    """The Python type `int` is not the type `IntType`."""
    with pytest.raises(MessageArgumentsError, match="which is a type like IntType"):
        message_builder("t/f", "1", value=1, value_type=int)  # type: ignore[call-overload]


def test_a_header_that_is_no_unicode_is_refused() -> None:
    """A lone surrogate in a header's value has no bytes."""
    with pytest.raises(SerializationError, match="header 'k' is not valid Unicode"):
        message_builder("t/f", "1", int_value=1, headers=[("k", "\ud800")])


@pytest.mark.parametrize("headers", [5, ["abc"], [("k", b"v", 1)]])
def test_headers_that_are_no_pairs_are_refused(headers: Any) -> None:
    """A mapping, or pairs of key and value."""
    with pytest.raises(InvalidMessageError, match="must be a mapping or pairs of key and value"):
        message_builder("t/f", "1", int_value=1, headers=headers)
