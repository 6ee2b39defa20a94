"""The Kinesis egress: records of functions become records of streams.

Laws:

1. A record that this runtime has forgotten is in its stream. After a crash the last ones may come
   again.
2. Records of a partition key are written in order: none of them is sent before the one before it
   was taken, whichever the service has refused in between.

Source:
    `io.statefun.kinesis.v1/egress` of Flink Stateful Functions 3.3; `KinesisEgressRecord` in
    kinesis-egress.proto; the limits of PutRecords in the reference of the API.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Final, NamedTuple

from statefun.connectors.backlog import Backlog
from statefun.connectors.kinesis.pace import Pace
from statefun.connectors.kinesis.service import Entry, ServiceError
from statefun.connectors.reports import Reports
from statefun.errors import InvalidMessageError
from statefun.sdk.egress import KINESIS_RECORD
from statefun.sdk.wire import decode_kinesis_record, decode_typed_value

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from statefun.connectors.kinesis.service import Service
    from statefun.ports import OutgoingRecord

__all__ = ["KinesisEgress"]

logger = logging.getLogger("statefun.connectors")

_MOST_RECORDS: Final = 500
_MOST_BYTES: Final = 5 << 20
_MOST_RECORD_BYTES: Final = 1 << 20
_LONGEST_KEY: Final = 256
_LARGEST_HASH: Final = 1 << 128


class _Outgoing(NamedTuple):
    """A record on its way."""

    record_id: int
    stream: str
    entry: Entry
    size: int


class KinesisEgress:
    """Writes records to streams of Kinesis, from `kinesis_egress_message`; at least once.

    A service that cannot be reached, or refuses, is told in the log, and tried again.

    Args:
        egress_id: The egress typename that functions send to.
        connect: Makes the access to the service when the egress starts.
        max_outstanding: It has room as long as fewer records wait for the service.
        pace: How long it waits after a refusal.
        unused: Properties of the module file that have no effect; the log names them.
    """

    def __init__(
        self,
        egress_id: str,
        connect: Callable[[], Service],
        *,
        max_outstanding: int = 1_000,
        pace: Pace | None = None,
        unused: Sequence[str] = (),
    ) -> None:
        self._typename = egress_id
        self._connect = connect
        self._max_outstanding = max_outstanding
        self._backoff = (pace or Pace()).backoff()
        self._reports = Reports(f"egress {egress_id}, Kinesis")
        for name in unused:
            self._reports.tell(name, f"the property {name!r} has no effect here")
        self._backlog = Backlog(egress_id, self._parse)
        self._tell: Callable[[Sequence[int]], None] | None = None
        self._service: Service | None = None
        self._task: asyncio.Task[None] | None = None

    @property
    def typename(self) -> str:
        """The egress typename that functions send to."""
        return self._typename

    @property
    def has_room(self) -> bool:
        """Whether not too many records wait for the service."""
        return len(self._backlog.items) < self._max_outstanding

    def accept(self, argument: bytes) -> None:
        """Check a record; see `Egress`."""
        self._parse(0, argument)

    async def start(self, delivered: Callable[[Sequence[int]], None]) -> None:
        """Begin to write; see `Egress`."""
        self._tell = delivered
        self._service = self._connect()
        self._task = asyncio.create_task(self._run(self._service), name="statefun-kinesis-egress")

    def put(self, epoch: int, records: Sequence[OutgoingRecord]) -> None:  # noqa: ARG002 - no transactions
        """Take over records; see `Egress`. One that it cannot write stays in the store."""
        self._backlog.put(records)

    async def flush(self) -> None:
        """Wait until the service has every record; see `Egress`."""
        await self._backlog.wait_until_empty()

    async def stop(self) -> None:
        """Write nothing more; see `Egress`."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
        if self._service is not None:
            service, self._service = self._service, None
            await service.close()

    # --- writing ----------------------------------------------------------------------------------

    async def _run(self, service: Service) -> None:
        while True:
            await self._backlog.wait_for_items()
            try:
                is_well = await self._write(service, self._batch())
            except ServiceError as error:
                self._reports.tell(error.code, f"records could not be written: {error.text}")
                is_well = False
            except Exception:
                logger.exception("%s: records could not be written", self._typename)
                is_well = False
            if is_well:
                self._backoff.reset()
                self._reports.clear()
            else:
                await asyncio.sleep(self._backoff.next_s())

    def _batch(self) -> list[_Outgoing]:
        """Give the first records of one stream that may go together: one of each key."""
        stream, size = self._backlog.items[0].stream, 0
        found: dict[str, _Outgoing] = {}
        for each in self._backlog.items:
            if each.stream != stream or each.entry.key in found:
                continue
            size += each.size
            if len(found) == _MOST_RECORDS or size > _MOST_BYTES:
                break
            found[each.entry.key] = each
        return list(found.values())

    async def _write(self, service: Service, batch: Sequence[_Outgoing]) -> bool:
        """Write records; whether all were taken. Those that were not wait on, at their place."""
        codes = await service.put(batch[0].stream, [each.entry for each in batch])
        done = {each.record_id for each, code in zip(batch, codes, strict=True) if not code}
        self._backlog.keep([each for each in self._backlog.items if each.record_id not in done])
        if self._tell is not None and done:
            self._tell(sorted(done))
        refused = sorted({code for code in codes if code})
        if refused:
            text = f"{len(batch) - len(done)} of {len(batch)} records were refused: {refused[0]}"
            self._reports.tell(refused[0], f"{text}; they are sent again")
        return not refused

    def _parse(self, record_id: int, argument: bytes) -> _Outgoing:
        """Read a record.

        Raises:
            InvalidMessageError: If it is not one that Kinesis could take.
            RemoteProtocolError: If the bytes are not a value.
        """
        typed = decode_typed_value(argument)
        if typed.typename != KINESIS_RECORD:
            raise InvalidMessageError(
                f"the Kinesis egress {self._typename} cannot write a {typed.typename!r}: use "
                "kinesis_egress_message",
                argument="record",
                given=typed.typename,
            )
        stream, key, data, hash_key = decode_kinesis_record(typed.data)
        if not 1 <= len(key) <= _LONGEST_KEY:
            raise InvalidMessageError(
                f"a partition key of Kinesis has 1 to {_LONGEST_KEY} characters, got {len(key)}",
                argument="partition_key",
                given=key,
            )
        if hash_key and not (
            hash_key.isascii() and hash_key.isdigit() and int(hash_key) < _LARGEST_HASH
        ):
            raise InvalidMessageError(
                f"{hash_key!r} cannot be a hash key: write a decimal number below 2**128",
                argument="explicit_hash_key",
                given=hash_key,
            )
        size = len(key.encode()) + len(data)
        if size > _MOST_RECORD_BYTES:
            raise InvalidMessageError(
                f"a record for stream {stream!r} has {size} bytes with its key, and Kinesis takes "
                f"at most {_MOST_RECORD_BYTES}: send less, or send where it lies",
                argument="record",
                given=f"{size} bytes",
            )
        return _Outgoing(record_id, stream, Entry(key, data, hash_key or None), size)
