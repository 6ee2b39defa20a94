"""What records of a topic become: messages to functions.

Law: the key is the id, the value is the value. A record becomes one message for each target of its
topic, all of them or none; a record that cannot become messages is handled as its topic says.

Source:
    `RoutableKafkaIngressDeserializer` of Flink Stateful Functions 3.3; headers, and the kinds of
    handling but `fail`, from the documentation of kzm.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, NamedTuple, TypeAlias

from statefun.errors import ConfigurationError
from statefun.ports import IngressMessage
from statefun.sdk.address import Address, parse_typename
from statefun.sdk.wire import encode_typed_value

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Defect", "InvalidRecords", "KafkaTopic", "Record", "messages_of"]

Defect: TypeAlias = Literal["NULL_KEY", "NULL_VALUE", "TOO_LARGE"]

_PREFIX: Final = "statefun.invalid/"
_NO_KEY: Final = "none"
_LOG_LEVELS: Final = ("debug", "info", "warn", "error")


class Record(NamedTuple):
    """A record of a partition.

    Attributes:
        key: None for a null key, which an empty one is not.
        value: None for a null value, a tombstone.
        timestamp_ms: Milliseconds since 1970.
        headers: In order, duplicates kept; a value may be null.
    """

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    timestamp_ms: int
    headers: Sequence[tuple[str, bytes | None]]

    def __str__(self) -> str:
        """Where it is and how large, without its content."""
        size = -1 if self.value is None else len(self.value)
        return (
            f"topic [{self.topic}], partition [{self.partition}], offset [{self.offset}], "
            f"timestamp [{self.timestamp_ms}], key [{_text(self.key)}], value size [{size}]"
        )


@dataclass(frozen=True, slots=True)
class InvalidRecords:
    """What becomes of a record without a key or a value, or one longer than its function takes.

    Attributes:
        action: `fail`: its partition stands still; `skip`: it is logged and skipped; `forward`: it
            becomes a message to `target`.
        log_level: How it is logged: `debug`, `info`, `warn` or `error`.
        target: The typename of the function that gets it by `forward`; the id is the key, or
            `none`, and its headers say where it comes from and what is wrong with it.

    Raises:
        ConfigurationError: If these do not go together.
    """

    action: Literal["fail", "skip", "forward"] = "fail"
    log_level: str = "warn"
    target: str = ""

    def __post_init__(self) -> None:
        if self.log_level not in _LOG_LEVELS:
            raise ConfigurationError(
                f"there is no log level {self.log_level!r}: write one of {', '.join(_LOG_LEVELS)}"
            )
        if (self.action == "forward") is not bool(self.target):
            raise ConfigurationError(
                "invalid records are forwarded to a target: name one with 'forward', and only then"
            )
        if self.target:
            parse_typename(self.target)


@dataclass(frozen=True, slots=True)
class KafkaTopic:
    """A topic, and where its records go.

    Attributes:
        name: The name of the topic.
        value_type: The typename that values have as messages.
        targets: Typenames of functions; each gets every record, at the id that is the key.
            Without any, records are passed over.
        forward_headers: Whether headers reach functions, as headers of the message.
        invalid: What becomes of records that cannot become messages.

    Raises:
        ConfigurationError: If there is no name.
        InvalidTypenameError: If a target is not a typename.
    """

    name: str
    value_type: str
    targets: tuple[str, ...]
    forward_headers: bool = False
    invalid: InvalidRecords = InvalidRecords()

    def __post_init__(self) -> None:
        if not self.name:
            raise ConfigurationError("a topic needs a name, got an empty one")
        for target in self.targets:
            parse_typename(target)


def messages_of(topic: KafkaTopic, record: Record) -> tuple[IngressMessage, ...] | Defect:
    """Give the messages that a record becomes, or why it cannot become any."""
    key, value = record.key, record.value
    if key is None:
        return "NULL_KEY"
    if value is None:
        return "NULL_VALUE"
    headers = record.headers if topic.forward_headers and record.headers else None
    argument = encode_typed_value(topic.value_type, value, headers)
    target_id = key.decode(errors="replace")
    name = topic.name
    return tuple(
        [IngressMessage(Address(target, target_id), argument, "", name) for target in topic.targets]
    )


def forwarded(topic: KafkaTopic, record: Record, defect: Defect) -> tuple[IngressMessage, ...]:
    """Give the message to the function that takes invalid records of a topic."""
    facts = {
        "kafka.topic": record.topic,
        "kafka.partition": str(record.partition),
        "kafka.offset": str(record.offset),
        "kafka.timestamp": str(record.timestamp_ms),
        "defect": defect,
        "key": _text(record.key),
    }
    headers: list[tuple[str, bytes | None]] = [
        (name, value) for name, value in record.headers if not name.startswith(_PREFIX)
    ]
    headers += [(_PREFIX + name, text.encode()) for name, text in facts.items()]
    value = b"" if record.value is None or defect == "TOO_LARGE" else record.value
    argument = encode_typed_value(topic.value_type, value, headers)
    target = Address(topic.invalid.target, _text(record.key) or _NO_KEY)
    return (IngressMessage(target, argument, "", topic.name),)


def _text(key: bytes | None) -> str:
    return "" if key is None else key.decode(errors="replace")
