"""The few pieces of protobuf's wire format that are written by hand because they are hot."""

from __future__ import annotations

__all__ = ["VARINTS", "Heads", "HeadsOfWholes", "delimited"]


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


_KEPT = 1 << 10


class Heads(dict[int, bytes]):
    """The length of a content → the bytes before it: known fields around it, nested in each other.

    Args:
        tags: What stands before each length, outermost first.
    """

    __slots__ = ("_tags",)

    def __init__(self, *tags: bytes) -> None:
        super().__init__()
        self._tags = tags[::-1]

    def __missing__(self, length: int) -> bytes:
        head = b""
        for tag in self._tags:
            head = tag + VARINTS[len(head) + length] + head
        if length < _KEPT:
            self[length] = head
        return head


class HeadsOfWholes(dict[int, bytes]):
    """The length of the whole → the bytes before its content; see `Heads`.

    A whole that starts with them is them and the content, and nothing else: every length in them
    reaches to the end. Where no content gives that length, they are longer than the whole.
    """

    __slots__ = ("_heads",)

    def __init__(self, *tags: bytes) -> None:
        super().__init__()
        self._heads = Heads(*tags)

    def __missing__(self, whole: int) -> bytes:
        length = max(whole - len(self._heads[0]), 0)
        while length and length + len(self._heads[length]) > whole:
            length -= 1  # a few times at most: lengths take more bytes the more they say
        head = self._heads[length]
        if length + len(head) != whole:
            head = bytes(whole + 1)
        if whole < _KEPT:
            self[whole] = head
        return head
