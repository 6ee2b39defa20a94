"""Search attributes: typed values of a workflow by which it is found.

They travel as JSON that says its type, and no codec hides them: the service reads them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import IntEnum
from itertools import pairwise
from typing import Any, ClassVar, Generic, NamedTuple, TypeAlias, TypeVar, cast

from statefun.workflows import _proto

__all__ = [
    "SearchAttributeIndexedValueType",
    "SearchAttributeKey",
    "SearchAttributePair",
    "SearchAttributeUpdate",
    "SearchAttributeValue",
    "SearchAttributes",
    "TypedSearchAttributes",
    "decoded",
    "payload_of",
    "payloads_of",
    "typed",
    "untyped",
    "updates_of",
    "value_of",
]

T = TypeVar("T")

SearchAttributeValue: TypeAlias = str | int | float | bool | datetime | Sequence[str]
"""What a search attribute may be."""

SearchAttributes: TypeAlias = Mapping[str, Sequence[SearchAttributeValue]]
"""Search attributes by name, each a list of values of one type."""


class SearchAttributeIndexedValueType(IntEnum):
    """The type of a search attribute.

    A keyword is compared as a whole, and a text by its words.
    """

    TEXT = 1
    KEYWORD = 2
    INT = 3
    DOUBLE = 4
    BOOL = 5
    DATETIME = 6
    KEYWORD_LIST = 7


_Type = SearchAttributeIndexedValueType
_NAMES = {
    _Type.TEXT: b"Text",
    _Type.KEYWORD: b"Keyword",
    _Type.INT: b"Int",
    _Type.DOUBLE: b"Double",
    _Type.BOOL: b"Bool",
    _Type.DATETIME: b"Datetime",
    _Type.KEYWORD_LIST: b"KeywordList",
}
_TYPES = {name: kind for kind, name in _NAMES.items()}


@dataclass(frozen=True)
class SearchAttributeKey(Generic[T]):
    """The name of a search attribute, and its type; made by one of the `for_…` methods.

    Attributes:
        name: The name.
        indexed_value_type: The type.
        value_type: The type of its values in Python.
        origin_value_type: That type without what stands in brackets.
    """

    name: str
    indexed_value_type: SearchAttributeIndexedValueType

    @property
    def value_type(self) -> type[T]:
        """The type of its values in Python."""
        return cast("type[T]", _PYTHON[self.indexed_value_type])

    @property
    def origin_value_type(self) -> type:
        """That type without what stands in brackets."""
        kind = self.indexed_value_type
        return Sequence if kind is _Type.KEYWORD_LIST else cast("type", _PYTHON[kind])

    def value_set(self, value: T) -> SearchAttributeUpdate[T]:
        """An update that sets it."""
        return SearchAttributeUpdate(self, value)

    def value_unset(self) -> SearchAttributeUpdate[T]:
        """An update that removes it."""
        return SearchAttributeUpdate(self, None)

    @staticmethod
    def for_text(name: str) -> SearchAttributeKey[str]:
        """A text, compared by its words."""
        return SearchAttributeKey(name, _Type.TEXT)

    @staticmethod
    def for_keyword(name: str) -> SearchAttributeKey[str]:
        """A text, compared as a whole."""
        return SearchAttributeKey(name, _Type.KEYWORD)

    @staticmethod
    def for_int(name: str) -> SearchAttributeKey[int]:
        """A whole number."""
        return SearchAttributeKey(name, _Type.INT)

    @staticmethod
    def for_float(name: str) -> SearchAttributeKey[float]:
        """A number."""
        return SearchAttributeKey(name, _Type.DOUBLE)

    @staticmethod
    def for_bool(name: str) -> SearchAttributeKey[bool]:
        """True or false."""
        return SearchAttributeKey(name, _Type.BOOL)

    @staticmethod
    def for_datetime(name: str) -> SearchAttributeKey[datetime]:
        """A time, with its time zone."""
        return SearchAttributeKey(name, _Type.DATETIME)

    @staticmethod
    def for_keyword_list(name: str) -> SearchAttributeKey[Sequence[str]]:
        """Several texts, each compared as a whole."""
        return SearchAttributeKey(name, _Type.KEYWORD_LIST)


_PYTHON: dict[SearchAttributeIndexedValueType, Any] = {
    _Type.TEXT: str,
    _Type.KEYWORD: str,
    _Type.INT: int,
    _Type.DOUBLE: float,
    _Type.BOOL: bool,
    _Type.DATETIME: datetime,
    _Type.KEYWORD_LIST: Sequence[str],
}


@dataclass(frozen=True)
class SearchAttributeUpdate(Generic[T]):
    """A change of a search attribute.

    Attributes:
        key: Its name and type.
        value: Its value from now on; None to remove it.
    """

    key: SearchAttributeKey[T]
    value: T | None


class SearchAttributePair(NamedTuple, Generic[T]):
    """A search attribute with its value.

    Attributes:
        key: Its name and type.
        value: The value.
    """

    key: SearchAttributeKey[T]
    value: T


@dataclass(frozen=True)
class TypedSearchAttributes:
    """Search attributes, ordered by name.

    Attributes:
        search_attributes: The pairs of keys and values.
        empty: None of them.

    Raises:
        ValueError: If a name stands there twice.
    """

    search_attributes: Sequence[SearchAttributePair[Any]]
    empty: ClassVar[TypedSearchAttributes]

    def __post_init__(self) -> None:
        ordered = sorted(self.search_attributes, key=lambda pair: pair.key.name)
        object.__setattr__(self, "search_attributes", ordered)
        for left, right in pairwise(ordered):
            if left.key.name == right.key.name:
                name = left.key.name
                raise ValueError(f"Duplicate search attribute entries found for key {name}")

    def __len__(self) -> int:
        """How many there are."""
        return len(self.search_attributes)

    def __iter__(self) -> Iterator[SearchAttributePair[Any]]:
        """The pairs."""
        return iter(self.search_attributes)

    def __getitem__(self, key: SearchAttributeKey[T]) -> T:
        """The value of a key.

        Raises:
            KeyError: If there is none.
        """
        for pair in self.search_attributes:
            if pair.key == key:
                return cast("T", pair.value)
        raise KeyError(key)

    def __contains__(self, key: object) -> bool:
        """Whether a key has a value."""
        return any(pair.key == key for pair in self.search_attributes)

    def get(self, key: SearchAttributeKey[T], default: Any = None) -> Any:
        """The value of a key; the default if there is none."""
        return next((each.value for each in self if each.key == key), default)

    def updated(self, *search_attributes: SearchAttributePair[Any]) -> TypedSearchAttributes:
        """These, with some of them added or replaced."""
        pairs = {pair.key.name: pair for pair in (*self.search_attributes, *search_attributes)}
        return TypedSearchAttributes(list(pairs.values()))


TypedSearchAttributes.empty = TypedSearchAttributes([])


# --- as they travel -------------------------------------------------------------------------------


def payload_of(key: SearchAttributeKey[Any], value: Any) -> _proto.Payload:
    """The payload of a value.

    Raises:
        TypeError: If it is not of the type of its key.
        ValueError: If it is a time without a time zone.
    """
    kind = key.indexed_value_type
    is_fit = isinstance(value, key.origin_value_type)
    if not is_fit or (isinstance(value, bool) and kind is not _Type.BOOL):
        raise TypeError(f"Value of type {value} not suitable for indexed value type {int(kind)}")
    if kind is _Type.KEYWORD_LIST and isinstance(value, str):
        raise TypeError(f"Value of type {value} not suitable for indexed value type {int(kind)}")
    metadata = {"encoding": b"json/plain", "type": _NAMES[kind]}
    return _proto.Payload(metadata=metadata, data=_json(value))


def payloads_of(
    given: TypedSearchAttributes | SearchAttributes | None,
) -> dict[str, _proto.Payload]:
    """The payloads of search attributes, by their names.

    Raises:
        TypeError: If a value has a wrong type.
        ValueError: If it is a time without a time zone.
    """
    if isinstance(given, TypedSearchAttributes):
        return {pair.key.name: payload_of(pair.key, pair.value) for pair in given}
    return {name: _payload_of_list(values) for name, values in (given or {}).items()}


def updates_of(
    given: SearchAttributes | Sequence[SearchAttributeUpdate[Any]],
) -> dict[str, _proto.Payload]:
    """The payloads of a change, by names; one without metadata removes.

    Raises:
        TypeError: If a value has a wrong type.
        ValueError: If it is a time without a time zone.
    """
    if isinstance(given, Mapping):
        return {
            name: _payload_of_list(values) if values else _proto.Payload()
            for name, values in given.items()
        }
    return {
        each.key.name: _proto.Payload() if each.value is None else payload_of(each.key, each.value)
        for each in given
    }


def _payload_of_list(values: Sequence[SearchAttributeValue]) -> _proto.Payload:
    """The payload of a list of values whose type shows in them."""
    if isinstance(values, str) or not isinstance(values, Sequence):
        raise TypeError("Search attribute values must be lists")
    for value in values:
        if not isinstance(value, (str, int, float, bool, datetime)):
            name = type(value).__name__
            raise TypeError(
                f"Search attribute value of type {name} not one of str, int, float, bool, or "
                "datetime"
            )
        if type(value) is not type(values[0]):
            raise TypeError("Search attribute values must have the same type for the same key")
    metadata = {"encoding": b"json/plain"}
    if values and isinstance(values[0], datetime):
        metadata["type"] = _NAMES[_Type.DATETIME]
    return _proto.Payload(metadata=metadata, data=_json(list(values)))


def _json(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":"), default=_time).encode()


def _time(value: datetime) -> str:
    if value.tzinfo is None:
        raise ValueError("Timezone must be present on all search attribute dates")
    return value.isoformat()


# --- as they are read -----------------------------------------------------------------------------


def decoded(payload: _proto.Payload) -> tuple[SearchAttributeIndexedValueType, Any] | None:
    """The type and the value of a payload; None if there is none in it."""
    value = json.loads(payload.data)
    kind = _TYPES.get(payload.metadata.get("type", b""))
    if isinstance(value, list) and kind is not _Type.KEYWORD_LIST:
        if len(value) > 1 and all(isinstance(each, str) for each in value):
            return _Type.KEYWORD_LIST, value
        if len(value) != 1:
            return None
        [value] = value
    if kind is None:
        kind = _kind_of(value)
    return kind, datetime.fromisoformat(value) if kind is _Type.DATETIME else value


def _kind_of(value: Any) -> SearchAttributeIndexedValueType:
    match value:
        case bool():
            return _Type.BOOL
        case int():
            return _Type.INT
        case float():
            return _Type.DOUBLE
        case _:
            return _Type.KEYWORD


def typed(payloads: Mapping[str, _proto.Payload]) -> TypedSearchAttributes:
    """Search attributes that have travelled."""
    pairs = []
    for name, payload in payloads.items():
        found = decoded(payload)
        if found is not None:
            pairs.append(SearchAttributePair(SearchAttributeKey[Any](name, found[0]), found[1]))
    return TypedSearchAttributes(pairs)


def untyped(payloads: Mapping[str, _proto.Payload]) -> SearchAttributes:
    """Search attributes that have travelled, as lists by names."""
    return {
        pair.key.name: list(pair.value)
        if pair.key.indexed_value_type is _Type.KEYWORD_LIST
        else [pair.value]
        for pair in typed(payloads)
    }


def value_of(payload: _proto.Payload) -> Any:
    """The value of a payload as queries compare it: times are aware, in UTC."""
    found = decoded(payload)
    value = None if found is None else found[1]
    if isinstance(value, datetime):
        return value.replace(tzinfo=value.tzinfo or UTC)
    return value
