"""Law: a value is read back as the type that is wanted, or the reason says where it is not."""

from __future__ import annotations

import dataclasses
import pickle
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from enum import Enum, IntEnum, StrEnum
from typing import Any, Generic, Literal, NamedTuple, NewType, TypedDict, TypeVar
from uuid import UUID

import pytest

from statefun.workflows.converter import (
    AdvancedJSONEncoder,
    CompositePayloadConverter,
    DataConverter,
    DefaultFailureConverterWithEncodedAttributes,
    DefaultPayloadConverter,
    JSONPlainPayloadConverter,
    JSONTypeConverter,
    default,
)
from statefun.workflows.exceptions import (
    ActivityError,
    ApplicationError,
    CancelledError,
    RetryState,
    TimeoutError,  # noqa: A004 - the one of workflows
    TimeoutType,
)

T = TypeVar("T")


@dataclass
class Inner:
    """A dataclass inside of another."""

    n: int


@dataclass
class Outer:
    """A dataclass with another."""

    inner: Inner
    many: list[Inner] = dataclasses.field(default_factory=list)


@dataclass
class Box(Generic[T]):
    """A generic dataclass."""

    item: T


class Level(IntEnum):
    """Numbers."""

    LOW = 1


class Color(StrEnum):
    """Texts."""

    RED = "red"


class Plain(Enum):
    """Neither."""

    A = 1


class Named(NamedTuple):
    """A tuple with names."""

    a: int


class Typed(TypedDict):
    """A dict with types."""

    a: int


UserId = NewType("UserId", int)
ID = UUID("12345678-1234-5678-1234-567812345678")


def json_of(value: Any) -> str:
    """The JSON of a value."""
    payload = default().payload_converter.to_payload(value)
    assert payload.metadata["encoding"] == b"json/plain"
    return payload.data.decode()


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"b": 1, "a": [True, None, "ä"]}, '{"a":[true,null,"\\u00e4"],"b":1}'),
        ((1, 2), "[1,2]"),
        (Named(1), "[1]"),
        (deque([1]), "[1]"),
        ({1}, "[1]"),
        (range(2), "[0,1]"),
        (Outer(Inner(1)), '{"inner":{"n":1},"many":[]}'),
        (datetime(2026, 1, 2, tzinfo=UTC), '"2026-01-02T00:00:00+00:00"'),
        (ID, f'"{ID}"'),
        (Level.LOW, "1"),
        (Color.RED, '"red"'),
        (float("inf"), "Infinity"),
        ({1: "a", 2: "b"}, '{"1":"a","2":"b"}'),
        ([b"\x01"], "[[1]]"),
        (2**70, str(2**70)),
    ],
)
def test_a_value_is_written(value: Any, text: str) -> None:
    """JSON is short, with sorted keys."""
    assert json_of(value) == text


@pytest.mark.parametrize(
    "value", [date(2026, 1, 2), timedelta(1), Decimal(1), Plain.A, object(), ValueError("x")]
)
def test_what_has_no_json_is_refused(value: Any) -> None:
    """The reason names its type."""
    with pytest.raises(TypeError, match=f"Object of type {type(value).__name__} is not JSON"):
        json_of(value)


def read(hint: Any, value: Any) -> Any:
    """A value as it is read after it has travelled."""
    converter = default().payload_converter
    return converter.from_payload(converter.to_payload(value), hint)


@pytest.mark.parametrize(
    ("hint", "given", "expected"),
    [
        (Outer, {"inner": {"n": 1, "extra": 2}, "many": [{"n": 2}]}, Outer(Inner(1), [Inner(2)])),
        (Box[Inner], {"item": {"n": 1}}, Box(Inner(1))),
        (int, 1.9, 1),
        (float, 1, 1.0),
        (int, None, None),
        (int | None, 1, 1),
        (list[int], [1, 2], [1, 2]),
        (Sequence[int], [1], [1]),
        (set[int], [1], {1}),
        (tuple[int, str], [1, "a"], (1, "a")),
        (tuple[int, ...], [1, 2, 3], (1, 2, 3)),
        (dict[int, str], {1: "a"}, {1: "a"}),
        (dict[bool, str], {True: "a"}, {True: "a"}),
        (Mapping[str, Inner], {"a": {"n": 1}}, {"a": Inner(1)}),
        (Typed, {}, {}),
        (Named, [1], [1]),
        (datetime, "2026-01-02T00:00:00Z", datetime(2026, 1, 2, tzinfo=UTC)),
        (UUID, str(ID), ID),
        (Level, 1, Level.LOW),
        (Color, "red", Color.RED),
        (Literal["a", "b"], "a", "a"),
        (UserId, 1, 1),
        (Any, {"a": 1}, {"a": 1}),
        (None, {"a": 1}, {"a": 1}),
        (str, b"bytes", b"bytes"),
    ],
)
def test_a_value_is_read_as_its_type(hint: Any, given: Any, expected: Any) -> None:
    """As far as the type can be made of JSON."""
    assert read(hint, given) == expected


@pytest.mark.parametrize(
    ("hint", "given", "kind", "sentence"),
    [
        (int, "1", TypeError, "Expected value to be int|float, was <class 'str'>"),
        (str, 1, TypeError, "Expected value to be str, was <class 'int'>"),
        (Inner, 1, TypeError, f"Cannot convert to dataclass {Inner}, value is <class 'int'>"),
        (Inner, {"n": "x"}, TypeError, f"Failed converting field n on dataclass {Inner}"),
        (Inner, {}, TypeError, "missing 1 required positional argument: 'n'"),
        (int | None, "a", TypeError, "Failed converting to int | None from a"),
        (list[int], 1, TypeError, "Expected list[int], value was <class 'int'>"),
        (list[int], ["a"], TypeError, "Failed converting list[int] index 0"),
        (datetime, "yesterday", TypeError, "Failed parsing datetime string: yesterday"),
        (datetime, 1, TypeError, "Expected datetime or ISO8601 string, got <class 'int'>"),
        (UUID, "x", ValueError, "badly formed hexadecimal UUID string"),
        (Level, 9, ValueError, "9 is not a valid Level"),
        (Literal["a", "b"], "c", TypeError, "Value c not in literal values ('a', 'b')"),
        (date, "2026-01-02", TypeError, f"Unserializable type during conversion: {date}"),
        (bytes, "x", TypeError, "string argument without an encoding"),
    ],
)
def test_what_is_of_another_type_is_refused(
    hint: Any, given: Any, kind: type[Exception], sentence: str
) -> None:
    """The reason says what was expected."""
    with pytest.raises(kind) as refused:
        read(hint, given)
    assert sentence in str(refused.value)


def test_an_encoding_that_nobody_knows_is_named() -> None:
    """So that one knows whose it is."""
    converter = default().payload_converter
    payload = converter.to_payload(1)
    payload.metadata["encoding"] = b"x/upside"
    with pytest.raises(KeyError, match="Unknown payload encoding x/upside"):
        converter.from_payload(payload)


class OwnEncoder(AdvancedJSONEncoder):
    """Writes decimals."""

    def default(self, o: Any) -> Any:
        """See `JSONEncoder`."""
        return str(o) if isinstance(o, Decimal) else super().default(o)


class OwnTypes(JSONTypeConverter):
    """Reads decimals."""

    def to_typed_value(self, hint: type, value: Any) -> Any:
        """See `JSONTypeConverter`."""
        return Decimal(value) if hint is Decimal else JSONTypeConverter.Unhandled


class OwnConverter(CompositePayloadConverter):
    """The default one, with decimals."""

    def __init__(self) -> None:
        json = JSONPlainPayloadConverter(encoder=OwnEncoder, custom_type_converters=[OwnTypes()])
        kept = DefaultPayloadConverter.default_encoding_payload_converters
        super().__init__(*(json if each.encoding == "json/plain" else each for each in kept))


def test_own_types_are_added() -> None:
    """By a converter of one's own."""
    converter = DataConverter(payload_converter_class=OwnConverter).payload_converter
    payload = converter.to_payload([Decimal("1.5")])
    assert converter.from_payload(payload, list[Decimal]) == [Decimal("1.5")]


def chained() -> ActivityError:
    """An error with a chain of causes."""
    error = ActivityError(
        "Activity task failed",
        scheduled_event_id=1,
        started_event_id=2,
        identity="me",
        activity_type="charge",
        activity_id="1",
        retry_state=RetryState.MAXIMUM_ATTEMPTS_REACHED,
    )
    error.__cause__ = ApplicationError("no", {"a": 1}, type="T", next_retry_delay=timedelta(1))
    error.__cause__.__cause__ = TimeoutError(
        "late", type=TimeoutType.HEARTBEAT, last_heartbeat_details=[1]
    )
    return error


async def test_an_exception_travels_with_its_causes() -> None:
    """Classes, facts and texts are the same."""
    for converter in (
        default(),
        DataConverter(failure_converter_class=DefaultFailureConverterWithEncodedAttributes),
    ):
        failure = _failure()
        await converter.encode_failure(chained(), failure)
        error = await converter.decode_failure(failure)
        assert isinstance(error, ActivityError)
        assert (error.message, error.activity_type) == ("Activity task failed", "charge")
        cause = error.cause
        assert isinstance(cause, ApplicationError)
        assert (str(cause), cause.details) == ("T: no", ({"a": 1},))
        assert cause.next_retry_delay == timedelta(1)
        assert isinstance(cause.cause, TimeoutError)
        assert cause.cause.type is TimeoutType.HEARTBEAT
        assert list(cause.cause.last_heartbeat_details) == [1]


def _failure() -> Any:
    from statefun.workflows import _proto  # noqa: PLC0415 - as it travels

    return _proto.Failure()


def test_exceptions_survive_pickling() -> None:
    """They may leave a process of activities."""
    again = pickle.loads(pickle.dumps(chained()))
    assert (again.message, again.retry_state) == (
        "Activity task failed",
        RetryState.MAXIMUM_ATTEMPTS_REACHED,
    )
    cancelled = pickle.loads(pickle.dumps(CancelledError("c", 1)))
    assert (cancelled.message, cancelled.details) == ("c", (1,))
