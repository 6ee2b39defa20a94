"""Protobuf bodies as trees of fields, so that a test can break exactly one of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = [
    "BYTES",
    "END",
    "FIXED32",
    "FIXED64",
    "GROUP",
    "VARINT",
    "Field",
    "decode",
    "encode",
    "varint",
]

VARINT, FIXED64, BYTES, GROUP, END, FIXED32 = range(6)


@dataclass(slots=True)
class Field:
    """One field as it stands on the wire.

    Attributes:
        content: A number for `VARINT`, fields for a nested message or a `GROUP`, bytes otherwise.
        is_text: Whether the schema says that the bytes are UTF-8.
        claimed: The length to write in front of the content, if not the true one.
    """

    number: int
    wire: int
    content: int | bytes | list[Field]
    is_text: bool = False
    claimed: int | None = None

    def delimited(self) -> bytes:
        """The content as bytes, without its length."""
        match self.content:
            case int(number):
                return varint(number)
            case bytes(content):
                return content
            case nested:
                return encode(nested)


def varint(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*out, number])


def encode(fields: list[Field]) -> bytes:
    return b"".join(_encode_one(field) for field in fields)


def _encode_one(field: Field) -> bytes:
    tag = varint(field.number << 3 | field.wire)
    content = field.delimited()
    match field.wire:
        case 2:  # BYTES
            length = len(content) if field.claimed is None else field.claimed
            return tag + varint(length) + content
        case 3:  # GROUP
            return tag + content + varint(field.number << 3 | END)
        case _:
            return tag + content


def decode(body: bytes, descriptor: Any) -> list[Field]:
    """The fields of a well-formed body without groups, nested as `descriptor` says."""
    return list(_decode(body, descriptor))


def _decode(body: bytes, descriptor: Any) -> Iterator[Field]:
    at = 0
    while at < len(body):
        tag, at = _read_varint(body, at)
        number, wire = tag >> 3, tag & 7
        if wire == VARINT:
            value, at = _read_varint(body, at)
            yield Field(number, wire, value)
            continue
        length = {FIXED64: 8, FIXED32: 4}.get(wire)
        if length is None:
            length, at = _read_varint(body, at)
        content, at = body[at : at + length], at + length
        known = descriptor.fields_by_number.get(number)
        if known is not None and known.message_type is not None:
            yield Field(number, wire, decode(content, known.message_type))
        else:
            yield Field(
                number, wire, content, known is not None and known.type == known.TYPE_STRING
            )


def _read_varint(body: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = body[at]
        at += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return value, at
