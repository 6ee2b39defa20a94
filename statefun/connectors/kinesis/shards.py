"""Shards, and places in them as they are stored.

Law: a place does not move. What `latest` meant at the first start is stored as a time.
"""

from __future__ import annotations

import json
from typing import Literal, NamedTuple, Self, TypeAlias

__all__ = ["Place", "PlaceKind", "Shard"]

PlaceKind: TypeAlias = Literal["oldest", "latest", "time", "after", "end"]


class Shard(NamedTuple):
    """A shard as the service knows it.

    Attributes:
        shard_id: Its id.
        parents: The ids of those that were split or merged into it.
        is_closed: Whether nothing is written to it any more.
    """

    shard_id: str
    parents: tuple[str, ...] = ()
    is_closed: bool = False


class Place(NamedTuple):
    """A place in a shard.

    Attributes:
        kind: `oldest` for the oldest record, `latest` for behind the newest one, `time` for the
            first record of a time or later, `after` for behind a record, `end` for behind all.
        value: Milliseconds since 1970 for a time, the sequence number of the record for `after`.
    """

    kind: PlaceKind
    value: str = ""

    @classmethod
    def read(cls, stored: bytes) -> Self:
        """Give a place as it was stored."""
        [[kind, value]] = json.loads(stored).items()
        return cls(kind, value)

    def stored(self) -> bytes:
        """Give what is stored of it."""
        return json.dumps({self.kind: self.value}).encode()
