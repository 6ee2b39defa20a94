"""One shard on its way into the runtime.

Law: records are delivered in order, each together with the place behind it. What is refused is
delivered again. When a closed shard was read to its end, that is stored, and only then its children
are read.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Final

from statefun.connectors.kinesis.pace import Backoff
from statefun.connectors.kinesis.records import messages_of
from statefun.connectors.kinesis.service import ServiceError
from statefun.connectors.kinesis.shards import Place
from statefun.errors import (
    AddressBusyError,
    InvalidMessageError,
    MessageTooLargeError,
    RuntimeStoppedError,
    StoreError,
    UnknownFunctionError,
)
from statefun.ports import Position

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from statefun.connectors.kinesis.pace import Pace
    from statefun.connectors.kinesis.records import KinesisStream
    from statefun.connectors.kinesis.service import Service, StreamRecord
    from statefun.connectors.reports import Reports
    from statefun.ports import IngressMessage, Intake

__all__ = ["Lane"]

logger = logging.getLogger("statefun.connectors")

_MOST_READ: Final = 1_000
_MOST_RECORDS: Final = 500


class Lane:
    """Reads one shard and delivers its records.

    Args:
        name: The name of its position.
        shard: The id of the shard.
        stream: What its records become.
        service: Where it is read.
        intake: Where records go.
        begin: Where this process begins.
        place: Where a restart begins, as it is stored.
        pace: How often it is read.
        reports: Told of trouble.
        ended: Called when the shard was read to its end.

    Attributes:
        place: Where a restart goes on.
        is_held: Whether nothing is fetched, since too much waits.
        problem: Why it stands still; empty if it does not.
    """

    def __init__(
        self,
        name: str,
        shard: str,
        stream: KinesisStream,
        service: Service,
        intake: Intake,
        begin: Place,
        place: Place,
        pace: Pace,
        reports: Reports,
        ended: Callable[[], None],
    ) -> None:
        self.name = name
        self.place = place
        self.is_held = False
        self.problem = ""
        self._shard = shard
        self._stream = stream
        self._service = service
        self._intake = intake
        self._begin: Place | None = begin
        self._pace = pace
        self._reports = reports
        self._ended = ended
        self._backoff = Backoff(pace)
        self._most = _MOST_RECORDS
        self._may_read = asyncio.Event()
        self._may_read.set()
        self._task: asyncio.Task[None] | None = None
        self._delivering: asyncio.Future[None] | None = None

    def start(self) -> None:
        """Begin to read."""
        self._task = asyncio.create_task(self._run(), name=f"statefun-kinesis-{self.name}")

    def pause(self) -> None:
        """Fetch nothing for now."""
        self._may_read.clear()

    def resume(self) -> None:
        """Go on."""
        self._may_read.set()

    async def stop(self) -> None:
        """Deliver nothing more; what is under way is waited for, though not for long."""
        if self._delivering is not None:
            await asyncio.wait([self._delivering], timeout=1.0)
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    def stand_still(self, problem: str) -> None:
        """Take no more records, for good: somebody has to decide."""
        self.problem = problem
        self._reports.tell(
            self.name,
            f"shard {self._shard} of {self._stream.name} stands still at {self.place}, others go "
            f"on: {problem}",
            logging.ERROR,
        )

    async def _run(self) -> None:
        iterator: str | None = None
        while not self.problem:
            await self._may_read.wait()
            try:
                if iterator is None:
                    iterator = await self._iterator()
                batch = await self._service.records(self._stream.name, iterator, _MOST_READ)
                await self._deliver_all(batch.records)
                if batch.next_iterator is None and not self.problem:
                    await self._deliver((), Place("end"))
                    self._ended()
                    return
            except ServiceError as error:
                iterator = iterator if error.is_throttled else None
                if not error.is_expired:
                    self._reports.tell(error.code, f"shard {self._shard}: {error.text}")
                    await asyncio.sleep(self._backoff.next_s())
            except (AddressBusyError, StoreError):
                await asyncio.sleep(self._backoff.next_s())
                iterator = None
            except RuntimeStoppedError:
                return
            except Exception as error:
                logger.exception("%s: an unexpected error", self.name)
                self.stand_still(f"an unexpected error, {error!r}; start again")
            else:
                self._backoff.reset()
                self._reports.clear()
                iterator = batch.next_iterator
                await asyncio.sleep(self._pace.read.total_seconds())

    async def _iterator(self) -> str:
        """Begin where this process begins, once, and later where a restart would."""
        place = self._begin or self.place
        iterator = await self._service.iterator(self._stream.name, self._shard, place)
        self._begin = None
        return iterator

    async def _deliver_all(self, records: Sequence[StreamRecord]) -> None:
        """Deliver records in order, as many together as are taken.

        Raises:
            StoreError: If nothing can be stored for now.
            RuntimeStoppedError: If the runtime stops.
        """
        at = 0
        while at < len(records) and not self.problem:
            some = records[at : at + self._most]
            messages = [each for record in some for each in messages_of(self._stream, record)]
            try:
                await self._deliver(messages, Place("after", some[-1].sequence))
            except (AddressBusyError, MessageTooLargeError) as error:
                if len(some) > 1:
                    self._most = len(some) // 2
                elif isinstance(error, MessageTooLargeError):
                    self.stand_still(f"{error}. Raise the limit of the function, and start again")
                else:
                    self.is_held = True
                    await asyncio.sleep(self._backoff.next_s())
            except (UnknownFunctionError, InvalidMessageError) as error:
                self.stand_still(f"{error}. Correct the targets of the stream, and start again")
            else:
                self.is_held = False
                self._most = min(2 * self._most, _MOST_RECORDS)
                at += len(some)

    async def _deliver(self, messages: Sequence[IngressMessage], place: Place) -> None:
        position = Position(self.name, place.stored())
        self._delivering = asyncio.ensure_future(self._intake.deliver(messages, position))
        try:
            await self._delivering
        finally:
            self._delivering = None
        self.place = place
