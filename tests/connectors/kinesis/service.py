"""Kinesis as it is documented, in memory: ranges of keys, iterators, partial failures."""
# ruff: noqa: ARG002 - there is one stream

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from statefun.connectors.kinesis.service import Batch, ServiceError, StreamRecord
from statefun.connectors.kinesis.shards import Shard

if TYPE_CHECKING:
    from collections import deque
    from collections.abc import Callable, Sequence

    from statefun.connectors.kinesis.service import Entry
    from statefun.connectors.kinesis.shards import Place

__all__ = ["FakeKinesis"]

_KEYS: Final = 1 << 128
_FIRST_SEQUENCE: Final = 10**55  # sequence numbers have 56 digits


@dataclass
class _Shard:
    facts: Shard
    first: int
    behind: int
    records: list[tuple[int, StreamRecord]] = field(default_factory=list)


class FakeKinesis:
    """One stream; see `Service`.

    Attributes:
        now_ms: The time; records are written at it.
        faults: Verb → codes of errors that its next calls raise.
        refuse: Gives the code of an error for a record that is not taken, empty for none.
        puts: The records of each call that was taken, by their keys.
        reads: The shards that were read, in order.
        calls: The verbs, in order.
    """

    def __init__(self, shards: int = 1) -> None:
        self.now_ms = 1_000
        self.faults: dict[str, deque[str]] = {}
        self.refuse: Callable[[Entry], str] = lambda _: ""
        self.puts: list[list[str]] = []
        self.reads: list[str] = []
        self.calls: list[str] = []
        self._shards: dict[str, _Shard] = {}
        self._sequence = _FIRST_SEQUENCE
        self._age = 0
        for number in range(shards):
            self._add((), number * _KEYS // shards, (number + 1) * _KEYS // shards)

    # --- what happens to the stream ---------------------------------------------------------------

    def write(self, key: str, data: bytes) -> None:
        """Write a record."""
        place = int.from_bytes(hashlib.md5(key.encode(), usedforsecurity=False).digest())
        [shard] = [
            each
            for each in self._shards.values()
            if each.first <= place < each.behind and not each.facts.is_closed
        ]
        self._sequence += 7
        shard.records.append((self.now_ms, StreamRecord(str(self._sequence), key, data)))

    def split(self, name: str) -> None:
        """Close a shard and divide its keys between two new ones."""
        shard = self._close(name)
        middle = (shard.first + shard.behind) // 2
        self._add((name,), shard.first, middle)
        self._add((name,), middle, shard.behind)

    def merge(self, one: str, other: str) -> None:
        """Close two shards and make one of them."""
        first, second = self._close(one), self._close(other)
        self._add((one, other), first.first, second.behind)

    def delete(self, name: str) -> None:
        """Let a shard go, as the service does when its records are too old."""
        del self._shards[name]

    def expire(self) -> None:
        """Make all iterators too old."""
        self._age += 1

    def _close(self, name: str) -> _Shard:
        shard = self._shards[name]
        shard.facts = shard.facts._replace(is_closed=True)
        return shard

    def _add(self, parents: tuple[str, ...], first: int, behind: int) -> None:
        name = f"shardId-{len(self._shards):012d}"
        self._shards[name] = _Shard(Shard(name, parents), first, behind)

    # --- the service ------------------------------------------------------------------------------

    def _called(self, verb: str) -> None:
        self.calls.append(verb)
        if codes := self.faults.get(verb):
            code = codes.popleft()
            raise ServiceError(code, f"{code}: as the test wants it")

    async def shards(self, stream: str) -> list[Shard]:
        """Give the shards, the newest first: their order means nothing."""
        self._called("shards")
        return [each.facts for each in reversed(self._shards.values())]

    async def iterator(self, stream: str, shard: str, place: Place) -> str:
        """Give an iterator."""
        self._called("iterator")
        records = self._shards[shard].records
        match place.kind:
            case "oldest":
                at = 0
            case "latest":
                at = len(records)
            case "time":
                at = sum(written < int(place.value) for written, _ in records)
            case _:
                at = sum(int(each.sequence) <= int(place.value) for _, each in records)
        return f"{shard} {at} {self._age}"

    async def records(self, stream: str, iterator: str, limit: int) -> Batch:
        """Read some."""
        self._called("records")
        name, at, age = iterator.split()
        if int(age) < self._age:
            raise ServiceError("ExpiredIteratorException", "it is too old")
        self.reads.append(name)
        shard, behind = self._shards[name], int(at) + min(limit, 2)
        found = [record for _, record in shard.records[int(at) : behind]]
        is_over = shard.facts.is_closed and behind >= len(shard.records)
        return Batch(found, None if is_over else f"{name} {int(at) + len(found)} {age}")

    async def put(self, stream: str, entries: Sequence[Entry]) -> list[str]:
        """Write some."""
        self._called("put")
        codes = [self.refuse(each) for each in entries]
        taken = [each for each, code in zip(entries, codes, strict=True) if not code]
        for each in taken:
            self.write(each.key, each.data)
        self.puts.append([each.key for each in taken])
        return codes

    def written(self) -> list[tuple[str, bytes]]:
        """All records, in the order in which they were written."""
        found = [record for each in self._shards.values() for _, record in each.records]
        return [
            (each.key, each.data) for each in sorted(found, key=lambda each: int(each.sequence))
        ]

    async def close(self) -> None:
        """Nothing to release."""
