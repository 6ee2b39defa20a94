"""The Kinesis ingress: records of streams become messages, each exactly once.

Laws:

1. The place in a shard is stored in the same commit as the messages of its records.
2. A shard is read when those that were split or merged into it have been read to their end, so
   the records of a partition key come in the order in which they were written.
3. A stream that was not read before begins where the start says, and that is stored before its
   first record is read. A shard that appears later is read from its beginning.

Source:
    `io.statefun.kinesis.v1/ingress` of Flink Stateful Functions 3.3.
"""
# ruff: noqa: SLF001 - a stream is a part of its ingress

from __future__ import annotations

import asyncio
import json
import logging
import time
from typing import TYPE_CHECKING

from statefun.connectors.kinesis.lane import Lane
from statefun.connectors.kinesis.pace import Pace
from statefun.connectors.kinesis.service import ServiceError
from statefun.connectors.kinesis.shards import Place
from statefun.connectors.reports import Reports
from statefun.errors import AddressBusyError, RuntimeStoppedError, StoreError
from statefun.ports import Position, Source

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from statefun.connectors.kinesis.records import KinesisStream
    from statefun.connectors.kinesis.service import Service
    from statefun.connectors.kinesis.shards import Shard
    from statefun.ports import Intake

__all__ = ["KinesisIngress"]

logger = logging.getLogger("statefun.connectors")


class KinesisIngress:
    """Reads streams of Kinesis: the partition key of a record is the id, its data the value.

    A service that cannot be reached, or refuses, is told in the log, and asked again.

    Args:
        ingress_id: Names it, and its positions: another name begins anew.
        streams: What to read.
        connect: Makes the access to the service when the ingress starts.
        start: Where to begin a stream that it has not read before.
        pace: How often the service is asked.
        unused: Properties of the module file that have no effect; the log names them.
        now_ms: The time, in milliseconds since 1970: `latest` is stored as the time of the start.
    """

    def __init__(
        self,
        ingress_id: str,
        streams: Sequence[KinesisStream],
        connect: Callable[[], Service],
        *,
        start: Place = Place("latest"),  # noqa: B008 - cannot change
        pace: Pace | None = None,
        unused: Sequence[str] = (),
        now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
    ) -> None:
        self.ingress_id = ingress_id
        self._streams = tuple(streams)
        self._connect = connect
        self._start = start
        self._pace = pace or Pace()
        self._now_ms = now_ms
        self._reports = Reports(f"ingress {ingress_id}, Kinesis")
        for name in unused:
            self._reports.tell(name, f"the property {name!r} has no effect here")
        self._lanes: dict[str, Lane] = {}  # by the name of the position
        self._looking: list[asyncio.Task[None]] = []
        self._news: dict[str, asyncio.Event] = {}
        self._service: Service | None = None
        self._is_paused = False

    # --- life -------------------------------------------------------------------------------------

    async def start(self, intake: Intake) -> None:
        """Begin to look for shards and to read them; see `Ingress`."""
        self._service = self._connect()
        for stream in self._streams:
            self._news[stream.name] = asyncio.Event()
            looking = self._look_again_and_again(_Streaming(self, stream, self._service, intake))
            self._looking.append(asyncio.create_task(looking))

    async def stop(self) -> None:
        """Read nothing more; see `Ingress`."""
        for task in self._looking:
            task.cancel()
        if self._looking:
            await asyncio.wait(self._looking)
        await asyncio.gather(*(lane.stop() for lane in self._lanes.values()))
        if self._service is not None:
            service, self._service = self._service, None
            await service.close()

    def pause(self) -> None:
        """Fetch nothing for now; see `Ingress`."""
        self._is_paused = True
        for lane in self._lanes.values():
            lane.pause()

    def resume(self) -> None:
        """Go on; see `Ingress`."""
        self._is_paused = False
        for lane in self._lanes.values():
            lane.resume()

    def sources(self) -> list[Source]:
        """The shards that are read, ordered; the service does not tell the end of one."""
        return [
            Source(
                name,
                int(lane.place.value or 0) if lane.place.kind == "after" else 0,
                is_paused=lane.is_held or self._is_paused,
                problem=lane.problem,
            )
            for name, lane in sorted(self._lanes.items())
            if lane.place.kind != "end"
        ]

    # --- shards -----------------------------------------------------------------------------------

    async def _look_again_and_again(self, streaming: _Streaming) -> None:
        backoff, news = self._pace.backoff(), self._news[streaming.stream.name]
        while True:
            wait_s = self._pace.look.total_seconds()
            try:
                await streaming.look()
                backoff.reset()
            except ServiceError as error:
                name = streaming.stream.name
                self._reports.tell(error.code, f"stream {name!r} cannot be read: {error.text}")
                wait_s = backoff.next_s()
            except (StoreError, AddressBusyError):
                wait_s = backoff.next_s()
            except RuntimeStoppedError:
                return
            except Exception:
                logger.exception("%s: the shards could not be looked up", self.ingress_id)
            news.clear()
            try:
                async with asyncio.timeout(wait_s):
                    await news.wait()  # a shard has ended, so that its children can be read
            except TimeoutError:
                pass


class _Streaming:
    """One stream: which of its shards are known, and which are read."""

    def __init__(
        self, ingress: KinesisIngress, stream: KinesisStream, service: Service, intake: Intake
    ) -> None:
        self.stream = stream
        self._ingress = ingress
        self._service = service
        self._intake = intake

    async def look(self) -> None:
        """Begin to read the shards that can be read now; forget those that are gone."""
        shards = {each.shard_id: each for each in await self._service.shards(self.stream.name)}
        marker = self._intake.position(self._name())
        known: list[str] = [] if marker is None else json.loads(marker)
        begins = await self._store_new(shards.values(), known, is_first=marker is None)
        gone = [each for each in known if each not in shards]
        for name in gone:
            await self._forget(name)
        kept = [*(each for each in known if self._place(each)), *begins]
        if marker is None or kept != known:
            await self._deliver(Position(self._name(), json.dumps(kept).encode()))
        for shard in shards.values():
            self._read(shard, begins.get(shard.shard_id), kept)

    async def _store_new(
        self, shards: Iterable[Shard], known: Sequence[str], *, is_first: bool
    ) -> dict[str, Place]:
        """Store where shards begin that are not known yet; give where this process begins."""
        begins = {}
        for shard in shards:
            if shard.shard_id in known:
                continue
            begin = stored = self._ingress._start if is_first else Place("oldest")
            if begin.kind == "latest":
                stored = Place("time", str(self._ingress._now_ms()))
                if shard.is_closed:
                    begin = stored = Place("end")
            if (place := self._place(shard.shard_id)) is None:  # else it was stored before a crash
                await self._deliver(Position(self._name(shard.shard_id), stored.stored()))
            else:
                begin = place
            begins[shard.shard_id] = begin
        return begins

    async def _forget(self, shard: str) -> None:
        """Forget the place in a shard that has gone, unless there was more to read."""
        place, name = self._place(shard), self._name(shard)
        if place is not None and place.kind == "end":
            await self._deliver(Position(name, None))
            self._ingress._lanes.pop(name, None)
        else:
            lane = self._ingress._lanes.get(name) or self._lane(shard, Place("end"))
            if not lane.problem:
                lane.stand_still(
                    "the service has deleted it before it was read to its end; to go on with its "
                    "children, give the ingress another id and a startupPosition"
                )

    def _read(self, shard: Shard, begin: Place | None, known: Sequence[str]) -> None:
        """Begin to read a shard, if it is its turn."""
        name, place = self._name(shard.shard_id), self._place(shard.shard_id)
        if name in self._ingress._lanes or place is None or place.kind == "end":
            return
        for parent in shard.parents:
            if parent in known and self._place(parent) != Place("end"):
                return
        self._lane(shard.shard_id, begin or place).start()

    def _lane(self, shard: str, begin: Place) -> Lane:
        name, ingress = self._name(shard), self._ingress
        lane = ingress._lanes[name] = Lane(
            name,
            shard,
            self.stream,
            self._service,
            self._intake,
            begin,
            self._place(shard) or begin,
            ingress._pace,
            ingress._reports,
            ingress._news[self.stream.name].set,
        )
        if ingress._is_paused:
            lane.pause()
        return lane

    def _place(self, shard: str) -> Place | None:
        stored = self._intake.position(self._name(shard))
        return None if stored is None else Place.read(stored)

    def _name(self, *place: str) -> str:
        """The name of a position: of the stream, or of a shard of it."""
        return "/".join((self._ingress.ingress_id, self.stream.name, *place))

    async def _deliver(self, position: Position) -> None:
        await self._intake.deliver((), position)
