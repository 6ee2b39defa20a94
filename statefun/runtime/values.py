"""Values as people look at them: a typename with bytes, decoded where the type is built in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self, TypeVar

from statefun.errors import RemoteProtocolError
from statefun.runtime.engine.declarations import is_expired
from statefun.sdk.primitives import BUILT_IN
from statefun.sdk.wire import decode_kafka_record, decode_typed_value

if TYPE_CHECKING:
    from collections.abc import Mapping

    from statefun.runtime.engine.records import StoredEntry
    from statefun.sdk.types import Type
    from statefun.sdk.wire import KafkaRecord

__all__ = ["EgressValue", "Value", "visible_values"]

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Value:
    """A value outside of any function.

    Attributes:
        typename: The typename of its type.
        data: Its bytes.
    """

    typename: str
    data: bytes

    @classmethod
    def decode(cls, argument: bytes) -> Self:
        """The value of a serialized `TypedValue`, for example of a dead letter's `argument`.

        Other bytes are a value themselves, with an empty typename.
        """
        try:
            value = decode_typed_value(argument)
        except RemoteProtocolError:
            return cls("", argument)
        return cls(value.typename, value.data)

    @property
    def is_built_in(self) -> bool:
        """Whether its type is one of the six built-in ones."""
        return self.typename in BUILT_IN

    @property
    def value(self) -> Any:
        """The Python value if the type is built in, else the bytes."""
        built_in = BUILT_IN.get(self.typename)
        return self.data if built_in is None else built_in.serializer().deserialize(self.data)

    def as_type(self, value_type: Type[T]) -> T:
        """The value as `value_type` reads it; the typename is not compared."""
        return value_type.serializer().deserialize(self.data)


@dataclass(frozen=True, slots=True)
class EgressValue(Value):
    """A record that a function sent to an egress.

    Attributes:
        id: Stable over restarts; 0 where records are not stored.
    """

    id: int = 0

    @property
    def kafka(self) -> KafkaRecord:
        """The record inside, if it was made by `kafka_egress_message`.

        Raises:
            InvalidMessageError: If it was not.
        """
        return decode_kafka_record(self.data)

    @classmethod
    def decode(cls, argument: bytes, record_id: int = 0) -> Self:
        """The record whose serialized `TypedValue` this is."""
        value = decode_typed_value(argument)
        return cls(value.typename, value.data, record_id)


def visible_values(values: Mapping[str, StoredEntry], now_ms: int) -> dict[str, Value]:
    """Stored values as a function would see them: without those that have expired."""
    return {
        name: Value(entry.typename, entry.data)
        for name, entry in values.items()
        if not is_expired(entry, now_ms)
    }
