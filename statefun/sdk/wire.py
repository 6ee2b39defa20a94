"""The few pieces of protobuf's wire format that are written by hand because they are hot."""

from __future__ import annotations

__all__ = ["VARINTS", "delimited"]


def _encode(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


class _Varints(dict[int, bytes]):
    """A non-negative number → its bytes, seven bits a byte, lowest first; small ones are kept."""

    def __missing__(self, number: int) -> bytes:
        return _encode(number)


VARINTS = _Varints((number, _encode(number)) for number in range(1 << 12))


def delimited(tag: bytes, content: bytes) -> bytes:
    """A length-delimited field: tag, length, content."""
    return tag + VARINTS[len(content)] + content
