"""One shard on its way into the runtime.

Law: records are delivered in order, each together with the place behind it. What is refused is
delivered again. When a closed shard was read to its end, that is stored, and only then its children
are read.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Final

from statefun.connectors.delivery import Deliverer, Unit
from statefun.connectors.kinesis.records import messages_of
from statefun.connectors.kinesis.service import ServiceError
from statefun.connectors.kinesis.shards import Place
from statefun.errors import AddressBusyError, RuntimeStoppedError, StoreError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from statefun.connectors.kinesis.pace import Pace
    from statefun.connectors.kinesis.records import KinesisStream
    from statefun.connectors.kinesis.service import Service, StreamRecord
    from statefun.connectors.reports import Reports
    from statefun.ports import Intake

__all__ = ["Lane"]

logger = logging.getLogger("statefun.connectors")

_MOST_READ: Final = 1_000


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
        name: The name of its position.
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
        self._place = place
        self.problem = ""
        self._shard = shard
        self._stream = stream
        self._service = service
        self._begin: Place | None = begin
        self._pace = pace
        self._reports = reports
        self._ended = ended
        self._backoff = pace.backoff()
        self._deliverer = Deliverer(name, intake, self._backoff)
        self._may_read = asyncio.Event()
        self._may_read.set()
        self._task: asyncio.Task[None] | None = None

    @property
    def place(self) -> Place:
        """Where a restart goes on."""
        stored = self._deliverer.position
        return self._place if stored is None else Place.read(stored)

    @property
    def is_held(self) -> bool:
        """Whether nothing is fetched, since too much waits."""
        return self._deliverer.is_held

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
        await self._deliverer.settle()
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
                    await self._deliverer.deliver((), Place("end").stored())
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
        """Deliver records in order.

        Raises:
            StoreError: If nothing can be stored for now.
            RuntimeStoppedError: If the runtime stops.
        """
        units = [
            Unit(messages_of(self._stream, each), Place("after", each.sequence).stored())
            for each in records
        ]
        problem = await self._deliverer.deliver_all(units)
        if problem:
            self.stand_still(problem)
