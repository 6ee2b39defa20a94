"""Records: the plain values that go through the door, in both directions.

Those that every message needs are named tuples, which take half the time of a frozen dataclass to
make.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING, NamedTuple, Protocol, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from statefun.sdk.address import Address

__all__ = [
    "AnyInvocation",
    "AnyValue",
    "Cancellation",
    "Delayed",
    "DelayedMessage",
    "EgressRecord",
    "Expiration",
    "ExpireMode",
    "Header",
    "HeaderValue",
    "Headers",
    "Incomplete",
    "Invocation",
    "KafkaRecord",
    "KinesisRecord",
    "MissingValue",
    "OutgoingMessage",
    "Reply",
    "Result",
    "SendAfter",
    "Sendable",
    "StoredValue",
    "UncheckedValue",
]


class ExpireMode(IntEnum):
    """The event from which an expiration is counted; the numbers are those of the wire."""

    NEVER = 0
    AFTER_WRITE = 1
    AFTER_CALL = 2


@dataclass(frozen=True, slots=True)
class Expiration:
    """When a value disappears by itself.

    Attributes:
        mode: The event from which it is counted.
        millis: The time in milliseconds; at least 1 unless the mode is `NEVER`.
    """

    mode: ExpireMode = ExpireMode.NEVER
    millis: int = 0


class Header(NamedTuple):
    """One header: a key, and bytes or None. A null value (None) is not an empty one (`b""`)."""

    key: str
    value: bytes | None

    def as_text(self) -> str | None:
        """The value as UTF-8 text, with U+FFFD for invalid bytes; None for a null value."""
        return None if self.value is None else self.value.decode(errors="replace")


if TYPE_CHECKING:
    HeaderValue: TypeAlias = bytes | str | None
    Headers: TypeAlias = Iterable[tuple[str, HeaderValue]] | Mapping[str, HeaderValue]
else:
    HeaderValue = Headers = object


class Sendable(Protocol):
    """A message with its target, as `write_reply` needs it."""

    target_typename: str
    target_id: str

    def argument(self) -> bytes:
        """The serialized `TypedValue`."""


class AnyValue(Protocol):
    """A value as `encode_request` needs it, for example a `StoredValue`."""

    @property
    def typename(self) -> str:
        """The typename of its type."""

    @property
    def data(self) -> bytes:
        """Its bytes."""


class AnyInvocation(Protocol):
    """A message of a batch as `encode_request` needs it, for example an `Invocation`."""

    @property
    def caller(self) -> Address | None:
        """The sender; None if the message came from an ingress."""

    @property
    def argument(self) -> bytes:
        """The serialized `TypedValue`."""


class StoredValue(NamedTuple):
    """A value of an address's state: its typename and its bytes."""

    typename: str
    data: bytes


@dataclass(frozen=True, slots=True)
class UncheckedValue:
    """A stored value whose typename was not yet compared with its declaration."""

    typename: str
    data: bytes


class Invocation(NamedTuple):
    """One message of a batch.

    Attributes:
        caller: The sender; None if the message came from an ingress.
        argument: A serialized `TypedValue`.
    """

    caller: Address | None
    argument: bytes


class OutgoingMessage(NamedTuple):
    """A message to a function; `argument` is a serialized `TypedValue`."""

    target: Address
    argument: bytes


class DelayedMessage(NamedTuple):
    """A message to a function after `delay_ms` (as received, maybe negative).

    `token` is empty if the message cannot be cancelled.
    """

    delay_ms: int
    target: Address
    argument: bytes
    token: str


class Cancellation(NamedTuple):
    """The cancellation of the delayed message with this token (as received, maybe empty)."""

    token: str


class SendAfter(NamedTuple):
    """A message to be sent after `delay_ms`; without a token it cannot be cancelled."""

    delay_ms: int
    message: Sendable
    token: str


Delayed: TypeAlias = SendAfter | Cancellation


class EgressRecord(NamedTuple):
    """A message to the egress `typename`; `argument` is a serialized `TypedValue`."""

    typename: str
    argument: bytes


class Result(NamedTuple):
    """The effects that a batch asks for.

    Attributes:
        messages: In the order they were sent.
        delayed: Delayed messages and cancellations, in order.
        egress: In the order they were sent.
        mutations: Value name → its new value, None to delete it.
    """

    messages: tuple[OutgoingMessage, ...] = ()
    delayed: tuple[DelayedMessage | Cancellation, ...] = ()
    egress: tuple[EgressRecord, ...] = ()
    mutations: Mapping[str, StoredValue | None] | None = None


@dataclass(frozen=True, slots=True)
class MissingValue:
    """A value that the function declares and that the request did not carry.

    Attributes:
        name: Its name.
        typename: The typename of its type.
        expiration: When it expires.
        upgrades: The typenames of other types that the function can upgrade to it.
    """

    name: str
    typename: str
    expiration: Expiration
    upgrades: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Incomplete:
    """The function did not run: it needs these values in the request too."""

    missing: tuple[MissingValue, ...]


Reply: TypeAlias = Result | Incomplete


class KafkaRecord(NamedTuple):
    """A Kafka record as an engine reads it.

    Attributes:
        topic: The topic.
        key: The key, empty if the record has none.
        value: The value's bytes; may be empty.
        headers: In order, duplicates kept.
    """

    topic: str
    key: str
    value: bytes
    headers: tuple[Header, ...] = ()


class KinesisRecord(NamedTuple):
    """A KinesisEgressRecord.

    Attributes:
        stream: The stream.
        partition_key: The partition key.
        value: The content.
        explicit_hash_key: Chooses the shard in place of the key; empty for none.
    """

    stream: str
    partition_key: str
    value: bytes
    explicit_hash_key: str
