"""The Kafka ingress: records of topics become messages, each exactly once.

Laws:

1. The position of a partition is stored in the same commit as the messages of its records. What the
   group has committed decides nothing once there is a position.
2. A partition that has no position begins where the start says, and that is stored before the first
   record is read; if its topic is known, it is new, and is read from its beginning.
3. A partition whose place cannot be known any more stands still, and says so; others go on.

Source:
    `io.statefun.kafka.v1/ingress` of Flink Stateful Functions 3.3.
"""

from __future__ import annotations

import asyncio
import json
import logging
from typing import TYPE_CHECKING, Final

from confluent_kafka import KafkaException

from statefun.connectors.kafka.lane import Lane
from statefun.connectors.kafka.properties import described, translate
from statefun.connectors.kafka.reader import Found, Reader
from statefun.connectors.kafka.reports import Reports
from statefun.connectors.kafka.start import Start, resolved
from statefun.errors import AddressBusyError, ConfigurationError, RuntimeStoppedError, StoreError
from statefun.ports import Position, Source

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from statefun.connectors.kafka.reader import Partition
    from statefun.connectors.kafka.records import KafkaTopic, Record
    from statefun.ports import Intake

__all__ = ["KafkaIngress"]

logger = logging.getLogger("statefun.connectors")

_DISCOVERY_MS: Final = 10_000
_RETRY_S: Final = 1.0
_BY_HAND: Final = (
    "to go on elsewhere, give the ingress another id and a startupPosition, and start again"
)


class KafkaIngress:
    """Reads topics of Kafka: the key of a record is the id, its value the value.

    A broker that cannot be reached, or does not let it in, is told in the log, and asked again.

    Args:
        ingress_id: Names it, and its positions: another name begins anew.
        topics: What to read.
        address: Addresses of brokers, `host:port`, with commas between them; None if
            `bootstrap.servers` is among the properties.
        group_id: The consumer group, which it tells how far it has come; None if `group.id` is
            among the properties.
        start: Where to begin a topic that it has not read before.
        properties: Further properties of Java's consumer.

    Raises:
        ConfigurationError: If these do not go together, or a property is not one.
    """

    def __init__(
        self,
        ingress_id: str,
        topics: Sequence[KafkaTopic],
        *,
        address: str | None = None,
        group_id: str | None = None,
        start: Start | None = None,
        properties: Mapping[str, str] | None = None,
    ) -> None:
        given = dict(properties or {})
        for name, value in (("bootstrap.servers", address), ("group.id", group_id)):
            if value is not None:
                given[name] = value
            elif not given.get(name):
                raise ConfigurationError(f"the ingress {ingress_id} needs {name!r}: name it")
        translation = translate(given, "consumer")
        settings = {"isolation.level": "read_uncommitted", **translation.settings}
        self.ingress_id = ingress_id
        self._settings = settings
        self._topics = {topic.name: topic for topic in topics}
        self._start = start or Start()
        self._discovery_s = (translation.discovery_ms or _DISCOVERY_MS) / 1000
        self._reports = Reports(f"ingress {ingress_id}, Kafka at {given['bootstrap.servers']}")
        for line in described(translation.without_effect):
            self._reports.tell(line, line)
        self._lanes: dict[Partition, Lane] = {}
        self._intake: Intake | None = None
        self._reader: Reader | None = None
        self._looking: asyncio.Task[None] | None = None
        self._is_paused = False
        self._told: dict[Partition, int] = {}  # what the group knows
        self._ends: dict[Partition, int] = {}

    # --- life -------------------------------------------------------------------------------------

    async def start(self, intake: Intake) -> None:
        """Begin to look for partitions and to read them; see `Ingress`."""
        self._intake = intake
        try:
            self._reader = Reader(self._settings, self._reports, self._arrived, self._lost)
        except (KafkaException, ValueError) as error:
            raise ConfigurationError(
                f"the ingress {self.ingress_id} cannot be made: {_reason(error)}; correct its "
                "properties"
            ) from error
        self._reader.start()
        self._looking = asyncio.create_task(self._look_again_and_again())

    async def stop(self) -> None:
        """Read nothing more; see `Ingress`."""
        if self._looking is not None:
            self._looking.cancel()
            await asyncio.wait([self._looking])
        await asyncio.gather(*(lane.stop() for lane in self._lanes.values()))
        if self._reader is not None:
            await self._tell_group(self._reader)
            await self._reader.stop()
            self._reader = None

    def pause(self) -> None:
        """Fetch nothing for now; see `Ingress`."""
        self._is_paused = True
        if self._reader is not None:
            self._reader.pause(self._lanes)

    def resume(self) -> None:
        """Go on; see `Ingress`."""
        self._is_paused = False
        if self._reader is not None:
            self._reader.resume(
                each for each, lane in self._lanes.items() if not (lane.is_held or lane.problem)
            )

    def sources(self) -> list[Source]:
        """The partitions, ordered; how far the broker is was looked up some seconds ago."""
        return [
            Source(
                self._name(*partition),
                lane.position,
                self._ends.get(partition),
                is_paused=lane.is_held or self._is_paused,
                problem=lane.problem,
            )
            for partition, lane in sorted(self._lanes.items())
        ]

    # --- records ----------------------------------------------------------------------------------

    def _arrived(self, by_partition: Mapping[Partition, Sequence[Record]]) -> None:
        if self._reader is None:
            return
        self._reader.taken()
        for partition, records in by_partition.items():
            self._lanes[partition].put(records)

    def _lost(self, partition: Partition) -> None:
        self._lanes[partition].stand_still(
            "the broker does not have that offset any more: records there were deleted, or the "
            f"topic was made anew; {_BY_HAND}"
        )

    def _hold(self, partition: Partition, is_held: bool) -> None:  # noqa: FBT001 - the one argument
        if self._reader is None or self._is_paused:
            return
        if is_held:
            self._reader.pause([partition])
        else:
            self._reader.resume([partition])

    # --- partitions -------------------------------------------------------------------------------

    async def _look_again_and_again(self) -> None:
        while True:
            assert self._reader is not None  # noqa: S101 - it was started
            wait_s = self._discovery_s
            try:
                await self._look(self._reader)
            except KafkaException as error:
                self._reports.trouble("the topics could not be looked up", error.args[0])
                wait_s = _RETRY_S
            except (StoreError, AddressBusyError):
                wait_s = _RETRY_S
            except RuntimeStoppedError:
                return
            except Exception:
                logger.exception("%s: the topics could not be looked up", self.ingress_id)
            await asyncio.sleep(wait_s)

    async def _look(self, reader: Reader) -> None:
        """Look for partitions that are not read yet, and begin to read them."""
        topics = await reader.topics(self._topics)
        is_well = True
        for name, found in topics.items():
            if found.problem:
                is_well = False
                text = f"topic {name!r} cannot be read: {found.problem}; it goes on trying"
                self._reports.tell(f"topic {name}", text)
            else:
                await self._look_at(reader, name, found)
        if is_well:
            self._reports.clear()
        await self._tell_group(reader)
        self._ends |= await reader.ends(self._lanes)

    async def _look_at(self, reader: Reader, topic: str, found: Found) -> None:
        """Begin to read the partitions of a topic that are not read yet."""
        new = [(topic, each) for each in found.partitions if (topic, each) not in self._lanes]
        marker = self._position_of(self._name(topic))
        offsets = {each: int(at) for each in new if (at := self._position_of(self._name(*each)))}
        if marker is None:
            without = [each for each in new if each not in offsets]
            offsets |= await self._stored(await resolved(self._start, reader, without))
            marker = json.dumps({"topic id": found.topic_id}).encode()
            await self._deliver(Position(self._name(topic), marker))
        elif without := [each for each in new if each not in offsets]:
            offsets |= await self._stored(await reader.beginnings(without))
        self._add_lanes(topic, {each: offsets[each] for each in new})
        known_id = json.loads(marker)["topic id"]
        if known_id and found.topic_id and known_id != found.topic_id:
            for (name, _), lane in self._lanes.items():
                if name == topic and not lane.problem:
                    lane.stand_still(f"the topic was deleted and made anew; {_BY_HAND}")
        elif new:
            reader.assign({each: offsets[each] for each in new})
            if self._is_paused:
                reader.pause(new)

    def _add_lanes(self, topic: str, offsets: Mapping[Partition, int]) -> None:
        assert self._intake is not None  # noqa: S101 - it was started
        for partition, offset in offsets.items():
            lane = self._lanes[partition] = Lane(
                self.ingress_id,
                self._name(*partition),
                partition,
                self._topics[topic],
                self._intake,
                offset,
                self._hold,
            )
            lane.start()

    async def _stored(self, offsets: Mapping[Partition, int]) -> Mapping[Partition, int]:
        """Store where partitions begin, before anything of them is read."""
        for partition, offset in offsets.items():
            await self._deliver(Position(self._name(*partition), b"%d" % offset))
        return offsets

    async def _deliver(self, position: Position) -> None:
        assert self._intake is not None  # noqa: S101 - it was started
        await self._intake.deliver((), position)

    def _position_of(self, name: str) -> bytes | None:
        assert self._intake is not None  # noqa: S101 - it was started
        return self._intake.position(name)

    def _name(self, *place: object) -> str:
        """The name of a position: of a topic, or of a partition of it."""
        return "/".join(map(str, (self.ingress_id, *place)))

    async def _tell_group(self, reader: Reader) -> None:
        """Let those who watch the group know how far it has come; nothing depends on it."""
        positions = {partition: lane.position for partition, lane in self._lanes.items()}
        news = {each: at for each, at in positions.items() if self._told.get(each) != at}
        if news:
            try:
                await reader.tell_group(news)
            except KafkaException as error:
                self._reports.trouble("the group could not be told of positions", error.args[0])
            else:
                self._told |= news


def _reason(error: Exception) -> str:
    """Why the client does not take its settings, without their values: one may be a password."""
    first = error.args[0] if error.args else error
    return first.str() if hasattr(first, "str") else str(first)
