"""Lengths and the prefixes made of them: the hot part of protobuf's wire format, by hand."""

from __future__ import annotations

from functools import lru_cache

from statefun.sdk.wire import tags
from statefun.sdk.wire.text import utf8

__all__ = [
    "VARINTS",
    "PrefixByContentLength",
    "PrefixByTotalLength",
    "delimited",
    "present_fields",
]


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


@lru_cache(maxsize=4096)
def present_fields(typename: str) -> bytes:
    """The fields of a present `TypedValue` of this type, up to the length of its value."""
    return (
        delimited(tags.TYPED_VALUE_TYPENAME, utf8(typename, "a value's typename"))
        + tags.TYPED_VALUE_HAS_VALUE
        + tags.TRUE
        + tags.TYPED_VALUE_VALUE
    )


_CACHED = 1 << 10  # prefixes of longer contents are made each time, so memory stays bounded


class PrefixByContentLength(dict[int, bytes]):
    """The length of a content → the bytes to write before it.

    The bytes open one or more length-delimited fields, each inside the one before it, with other
    fields between them if need be.

    Args:
        tags: The bytes that stand before each length, outermost first.
    """

    __slots__ = ("_tags",)

    def __init__(self, *tags: bytes) -> None:
        super().__init__()
        self._tags = tags[::-1]

    def __missing__(self, length: int) -> bytes:
        prefix = b""
        for tag in self._tags:
            prefix = tag + VARINTS[len(prefix) + length] + prefix
        if length < _CACHED:
            self[length] = prefix
        return prefix


class PrefixByTotalLength(dict[int, bytes]):
    """The length of prefix and content together → the prefix; see `PrefixByContentLength`.

    Bytes that start with the prefix for their own length consist of the prefix and one content:
    every length in the prefix reaches exactly to the end. For a length that no content gives, the
    value is longer than that length, so no bytes start with it.
    """

    __slots__ = ("_prefixes",)

    def __init__(self, *tags: bytes) -> None:
        super().__init__()
        self._prefixes = PrefixByContentLength(*tags)

    def __missing__(self, total: int) -> bytes:
        length = max(total - len(self._prefixes[0]), 0)
        while length and length + len(self._prefixes[length]) > total:
            length -= 1  # a few times at most: longer contents need at most a few more length bytes
        prefix = self._prefixes[length]
        if length + len(prefix) != total:
            prefix = bytes(total + 1)
        if total < _CACHED:
            self[total] = prefix
        return prefix
