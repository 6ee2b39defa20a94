"""The service, as far as it is used: shards are listed, read by iterators, and written in batches.

Source:
    The reference of the Kinesis Data Streams API: ListShards, GetShardIterator, GetRecords,
    PutRecords.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from statefun.connectors.kinesis.shards import Place, Shard

__all__ = ["Batch", "Entry", "Service", "ServiceError", "StreamRecord"]

_THROTTLED = frozenset(
    {
        "ProvisionedThroughputExceededException",
        "LimitExceededException",
        "KMSThrottlingException",
        "ThrottlingException",
        "RequestLimitExceeded",
    }
)


class ServiceError(Exception):
    """The service has refused a call, or could not be reached.

    Args:
        code: The name of the error.
        text: What the service says.
    """

    def __init__(self, code: str, text: str) -> None:
        super().__init__(code, text)
        self.code = code
        self.text = text

    @property
    def is_throttled(self) -> bool:
        """Whether the same call works when it is made less often."""
        return self.code in _THROTTLED

    @property
    def is_expired(self) -> bool:
        """Whether an iterator is too old; it lives for five minutes."""
        return self.code == "ExpiredIteratorException"


class StreamRecord(NamedTuple):
    """A record of a shard.

    Attributes:
        sequence: Its sequence number, decimal digits; it grows within a shard.
        key: Its partition key.
        data: Its content.
    """

    sequence: str
    key: str
    data: bytes


class Batch(NamedTuple):
    """What one read gives.

    Attributes:
        records: In order.
        next_iterator: For the next read; None if the shard is closed and was read to its end.
        behind_ms: How far the read is behind the end of the shard, in milliseconds.
    """

    records: Sequence[StreamRecord]
    next_iterator: str | None
    behind_ms: int = 0


class Entry(NamedTuple):
    """A record to be written.

    Attributes:
        key: Its partition key, which chooses the shard.
        data: Its content.
        hash_key: Chooses the shard in place of the key; None for that of the key.
    """

    key: str
    data: bytes
    hash_key: str | None = None


class Service(Protocol):
    """Access to streams; a stream is called by its name or its ARN.

    Each method raises `ServiceError` if the service refuses the call or cannot be reached.
    """

    async def shards(self, stream: str) -> Sequence[Shard]:
        """Give all shards of a stream that have records, closed ones too."""
        ...

    async def iterator(self, stream: str, shard: str, place: Place) -> str:
        """Give an iterator that begins at a place of a shard."""
        ...

    async def records(self, stream: str, iterator: str, limit: int) -> Batch:
        """Read up to so many records."""
        ...

    async def put(self, stream: str, entries: Sequence[Entry]) -> Sequence[str]:
        """Write up to 500 records; give the code of an error for each, empty if it was written."""
        ...

    async def close(self) -> None:
        """Release every resource."""
        ...
