"""What records of a stream become: messages to functions.

Some producers (the KPL) put many records into one; these are taken apart again.

Source:
    aggregation-format.md of the Kinesis Producer Library: four bytes, a protobuf message
    `AggregatedRecord`, and the MD5 of that message.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from statefun.errors import ConfigurationError
from statefun.ports import IngressMessage
from statefun.sdk.address import Address, parse_typename
from statefun.sdk.wire import encode_typed_value

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from statefun.connectors.kinesis.service import StreamRecord

__all__ = ["KinesisStream", "messages_of", "taken_apart"]

_MAGIC: Final = b"\xf3\x89\x9a\xc2"
_DIGEST_BYTES: Final = 16
_VARINT, _BYTES = 0, 2


@dataclass(frozen=True, slots=True)
class KinesisStream:
    """A stream, and where its records go.

    Attributes:
        name: Its name or its ARN.
        value_type: The typename that values have as messages.
        targets: Typenames of functions; each gets every record, at the id that is the partition
            key.

    Raises:
        ConfigurationError: If there is no name.
        InvalidTypenameError: If a target is not a typename.
    """

    name: str
    value_type: str
    targets: tuple[str, ...]

    def __post_init__(self) -> None:
        if not self.name:
            raise ConfigurationError("a stream needs a name, got an empty one")
        for target in self.targets:
            parse_typename(target)


def messages_of(stream: KinesisStream, record: StreamRecord) -> list[IngressMessage]:
    """Give the messages that a record becomes, in order."""
    return [
        IngressMessage(
            Address(target, key), encode_typed_value(stream.value_type, data), "", stream.name
        )
        for key, data in taken_apart(record.key, record.data)
        for target in stream.targets
    ]


def taken_apart(key: str, data: bytes) -> Sequence[tuple[str, bytes]]:
    """Give the records inside a record with their partition keys, or the record itself."""
    body, digest = data[len(_MAGIC) : -_DIGEST_BYTES], data[-_DIGEST_BYTES:]
    if not data.startswith(_MAGIC) or hashlib.md5(body, usedforsecurity=False).digest() != digest:
        return [(key, data)]
    keys: list[str] = []
    found: list[tuple[int, bytes]] = []
    for number, value in _fields(body):
        if number == 1 and isinstance(value, bytes):
            keys.append(value.decode())
        elif number == 3 and isinstance(value, bytes):
            inner = dict(_fields(value))
            index, content = inner.get(1, 0), inner.get(3, b"")
            if isinstance(index, int) and isinstance(content, bytes):
                found.append((index, content))
    return [(keys[index], content) for index, content in found]


def _fields(message: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Yield the fields of a protobuf message that has varints and bytes only."""
    at = 0
    while at < len(message):
        tag, at = _varint(message, at)
        value, at = _varint(message, at)
        if tag & 7 == _BYTES:
            yield tag >> 3, message[at : at + value]
            at += value
        else:
            yield tag >> 3, value


def _varint(message: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = message[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at
