"""Broken requests, made from good ones by seeded chance.

Law: the same seed gives the same bytes, whatever the Python or protobuf version.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from random import Random
from typing import Any

from tests.protocol.wiretree import (
    BYTES,
    END,
    FIXED32,
    FIXED64,
    GROUP,
    VARINT,
    Field,
    decode,
    encode,
    varint,
)

__all__ = ["NOT_UTF8", "Stock", "mutated", "texts_spoiled"]


NOT_UTF8 = {
    "lone continuation": b"\x80",
    "no such byte": b"\xff",
    "cut short": b"ab\xc3",
    "overlong": b"\xc0\x80",
    "surrogate": b"\xed\xa0\x80",
    "beyond Unicode": b"\xf4\x90\x80\x80",
}

LENGTHS = [0x7F, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF, 0x7FFFFFFFFFFFFFFF, 0xFFFFFFFFFFFFFFFF, 1 << 69]


@dataclass(frozen=True, slots=True)
class Stock:
    """Good bodies to break, and the message type they are of."""

    bodies: list[bytes]
    descriptor: Any

    def body(self, chance: Random) -> bytes:
        return chance.choice(self.bodies)

    def tree(self, chance: Random) -> list[Field]:
        return decode(self.body(chance), self.descriptor)

    def place(self, chance: Random) -> tuple[list[Field], list[Field], int, Field]:
        """A tree, and one of its fields with the list it stands in and its index there."""
        tree = self.tree(chance)
        siblings, index, field = chance.choice(list(_places(tree)))
        return tree, siblings, index, field


Mutator = Callable[[Random, Stock], bytes]


def mutated(stock: Stock, seed: int) -> tuple[str, bytes]:
    """The mutated body that belongs to `seed`, with the name of what was done to it."""
    chance = Random(seed)
    name, mutator = chance.choice(MUTATORS)
    return name, mutator(chance, stock)


def texts_spoiled(body: bytes, descriptor: Any) -> Iterator[tuple[str, bytes]]:
    """The body once for each text field in it and each way of not being UTF-8."""
    count = sum(field.is_text for _, _, field in _places(decode(body, descriptor)))
    for index in range(count):
        for name, content in NOT_UTF8.items():
            tree = decode(body, descriptor)
            texts = [field for _, _, field in _places(tree) if field.is_text]
            texts[index].content = content
            yield f"text field {index} is {name}", encode(tree)


def _places(fields: list[Field]) -> Iterator[tuple[list[Field], int, Field]]:
    """Every field of the tree, with the list it stands in and its index there."""
    for index, field in enumerate(fields):
        yield fields, index, field
        if isinstance(field.content, list):
            yield from _places(field.content)


def _cut(chance: Random, stock: Stock) -> bytes:
    body = stock.body(chance)
    return body[: chance.randrange(len(body))]


def _bits_flipped(chance: Random, stock: Stock) -> bytes:
    body = bytearray(stock.body(chance))
    for _ in range(chance.randint(1, 4)):
        body[chance.randrange(len(body))] ^= 1 << chance.randrange(8)
    return bytes(body)


def _bytes_replaced(chance: Random, stock: Stock) -> bytes:
    body = bytearray(stock.body(chance))
    at = chance.randrange(len(body))
    body[at : at + chance.randint(0, 4)] = chance.randbytes(chance.randint(0, 4))
    return bytes(body)


def _noise(chance: Random, stock: Stock) -> bytes:
    return chance.randbytes(chance.randint(0, 48))


def _spliced(chance: Random, stock: Stock) -> bytes:
    head, tail = stock.body(chance), stock.body(chance)
    return head[: chance.randint(0, len(head))] + tail[chance.randint(0, len(tail)) :]


def _joined(chance: Random, stock: Stock) -> bytes:
    """Two requests in one, which protobuf merges into one."""
    return stock.body(chance) + stock.body(chance)


def _length_lies(chance: Random, stock: Stock) -> bytes:
    tree = stock.tree(chance)
    field = chance.choice([field for _, _, field in _places(tree) if field.wire == BYTES])
    length = len(field.delimited())
    field.claimed = chance.choice([*LENGTHS, length + 1, max(length - 1, 0)])
    return encode(tree)


def _not_utf8(chance: Random, stock: Stock) -> bytes:
    tree = stock.tree(chance)
    texts = [field for _, _, field in _places(tree) if field.is_text]
    chance.choice(texts).content = chance.choice(list(NOT_UTF8.values()))
    return encode(tree)


def _wrong_wire_type(chance: Random, stock: Stock) -> bytes:
    tree, siblings, index, field = stock.place(chance)
    wire = chance.choice([wire for wire in range(6) if wire != field.wire])
    siblings[index] = _any_field(chance, field.number, wire)
    return encode(tree)


def _any_field(chance: Random, number: int, wire: int) -> Field:
    content: int | bytes | list[Field]
    match wire:
        case 0:
            content = chance.choice([0, 1, 127, 128, (1 << 64) - 1])
        case 1:
            content = chance.randbytes(8)
        case 2:
            content = chance.randbytes(chance.randint(0, 5))
        case 3:
            content = [Field(1, VARINT, 1)]
        case 4:
            content = b""
        case _:
            content = chance.randbytes(4)
    return Field(number, wire, content)


def _unknown_added(chance: Random, stock: Stock) -> bytes:
    tree, siblings, index, _ = stock.place(chance)
    number = chance.choice([0, 5, 15, 16, 99, 102, 19_000, (1 << 29) - 1, 1 << 29])
    wire = chance.choice([VARINT, FIXED64, BYTES, GROUP, END, FIXED32, 6, 7])
    siblings.insert(index, _any_field(chance, number, wire))
    return encode(tree)


def _nested(chance: Random, stock: Stock) -> bytes:
    tree, siblings, index, _ = stock.place(chance)
    depth = chance.choice([2, 50, 98, 101, 500, 5_000])
    if chance.random() < 0.5:
        ends = varint(15 << 3 | END) * (depth - chance.choice([0, 0, 1]))
        siblings.insert(index, Field(15, GROUP, varint(15 << 3 | GROUP) * depth + ends))
    else:
        content = b""
        for _ in range(min(depth, 500)):
            content = varint(15 << 3 | BYTES) + varint(len(content)) + content
        siblings.insert(index, Field(15, BYTES, content))
    return encode(tree)


def _dropped(chance: Random, stock: Stock) -> bytes:
    tree, siblings, index, _ = stock.place(chance)
    del siblings[index]
    return encode(tree)


def _doubled(chance: Random, stock: Stock) -> bytes:
    """A field twice, perhaps with other content: the last wins, and nested messages merge."""
    tree, siblings, _, field = stock.place(chance)
    again = copy.deepcopy(field)
    if isinstance(again.content, list) and again.content:
        del again.content[chance.randrange(len(again.content))]
    siblings.insert(chance.randint(0, len(siblings)), again)
    return encode(tree)


def _shuffled(chance: Random, stock: Stock) -> bytes:
    tree = stock.tree(chance)
    for fields in [tree, *(f.content for _, _, f in _places(tree) if isinstance(f.content, list))]:
        chance.shuffle(fields)
    return encode(tree)


MUTATORS: list[tuple[str, Mutator]] = [
    ("cut short", _cut),
    ("bits flipped", _bits_flipped),
    ("bytes replaced", _bytes_replaced),
    ("noise", _noise),
    ("two spliced", _spliced),
    ("two joined", _joined),
    ("length lies", _length_lies),
    ("not UTF-8", _not_utf8),
    ("wrong wire type", _wrong_wire_type),
    ("unknown field added", _unknown_added),
    ("deep nesting", _nested),
    ("field dropped", _dropped),
    ("field doubled", _doubled),
    ("fields shuffled", _shuffled),
]
