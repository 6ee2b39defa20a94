"""The thread that reads records from Kafka.

Law: what is read is handed to the event loop in order, partition by partition, and nothing is
committed. A record that was handed over and not taken is read again only after `seek` or a restart.
"""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias, TypeVar

from confluent_kafka import (
    Consumer,
    KafkaError,
    KafkaException,
    TopicCollection,
    TopicPartition,
)
from confluent_kafka.admin import AdminClient

from statefun.connectors.kafka.records import Record

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from confluent_kafka import Message

    from statefun.connectors.kafka.reports import Reports

__all__ = ["Found", "Partition", "Reader"]

T = TypeVar("T")

Partition: TypeAlias = tuple[str, int]
"""Topic and number."""

_MOST_RECORDS: Final = 500
_WAIT_S: Final = 0.05
_HANDED_OVER: Final = 4
"""So many fetches may wait for the event loop."""
_ANSWER_S: Final = 5.0
"""A broker that does not answer within so many seconds is asked again later."""
_ID_ANSWER_S: Final = 1.0
"""Without an answer the id of a topic is not known, and a topic made anew may go unnoticed."""
_ADMIN_SETTINGS: Final = ("bootstrap.", "client.", "security.", "sasl.", "ssl.", "socket.", "test.")


class Found(NamedTuple):
    """A topic as the broker knows it.

    Attributes:
        topic_id: Differs from that of a former topic of the name; empty if it is not known.
        partitions: Their numbers; none if there is no such topic.
        problem: Why there are none.
    """

    topic_id: str
    partitions: tuple[int, ...]
    problem: str = ""


class Reader:
    """Reads partitions that are assigned by hand.

    Args:
        settings: Those of librdkafka.
        reports: Told of trouble.
        arrived: Called on the event loop with the records of a fetch, by partition.
        lost: Called on the event loop with a partition whose position is gone.

    Raises:
        KafkaException: If the settings do not go together.
    """

    def __init__(
        self,
        settings: Mapping[str, str],
        reports: Reports,
        arrived: Callable[[Mapping[Partition, Sequence[Record]]], None],
        lost: Callable[[Partition], None],
    ) -> None:
        self._reports = reports
        self._arrived = arrived
        self._lost = lost
        quiet: dict[str, Any] = {"log_level": 0, "error_cb": self._report}
        fixed = {
            "enable.auto.commit": "false",
            "enable.auto.offset.store": "false",
            "auto.offset.reset": "error",
        }
        self._consumer = Consumer({**settings, **fixed, **quiet})
        # A consumer that is being polled keeps other threads waiting, so questions have their own.
        self._questions = Consumer({**settings, **fixed, **quiet})
        admin = {key: value for key, value in settings.items() if key.startswith(_ADMIN_SETTINGS)}
        self._admin = AdminClient({**admin, **quiet})
        self._loop = asyncio.get_running_loop()
        self._asking = ThreadPoolExecutor(1, "statefun-kafka-metadata")
        self._slots = threading.Semaphore(_HANDED_OVER)
        self._orders: SimpleQueue[tuple[Callable[..., object], list[TopicPartition]]] = (
            SimpleQueue()
        )
        self._is_stopped = threading.Event()
        self._thread = threading.Thread(target=self._read, name="statefun-kafka", daemon=True)

    def start(self) -> None:
        """Begin to read."""
        self._thread.start()

    async def stop(self) -> None:
        """End the threads and leave the broker; takes as long as the broker's last answer."""
        self._is_stopped.set()
        self._slots.release()
        await asyncio.to_thread(self._close)

    def _close(self) -> None:
        if self._thread.is_alive():
            self._thread.join()
        self._asking.shutdown(cancel_futures=True)
        self._consumer.close()
        self._questions.close()

    # --- what the event loop asks for -------------------------------------------------------------

    async def topics(self, names: Iterable[str]) -> dict[str, Found]:
        """Give topics as the broker knows them.

        Raises:
            KafkaException: If it does not answer.
        """
        return await self._ask(self._topics, tuple(names))

    async def beginnings(self, partitions: Iterable[Partition]) -> dict[Partition, int]:
        """Give the first offset of partitions.

        Raises:
            KafkaException: If the broker does not answer.
        """
        return await self._ask(self._watermarks, tuple(partitions), 0)

    async def ends(self, partitions: Iterable[Partition]) -> dict[Partition, int]:
        """Give the offset behind the last record of partitions.

        Raises:
            KafkaException: If the broker does not answer.
        """
        return await self._ask(self._watermarks, tuple(partitions), 1)

    async def committed(self, partitions: Iterable[Partition]) -> dict[Partition, int | None]:
        """Give the offsets that the group has committed, None for none.

        Raises:
            KafkaException: If the broker does not answer.
        """
        return await self._ask(self._committed, tuple(partitions))

    async def at_time(
        self, partitions: Iterable[Partition], timestamp_ms: int
    ) -> dict[Partition, int | None]:
        """Give the first offset from a time on, None if all records are older.

        Raises:
            KafkaException: If the broker does not answer.
        """
        return await self._ask(self._at_time, tuple(partitions), timestamp_ms)

    def assign(self, offsets: Mapping[Partition, int]) -> None:
        """Read further partitions, from these offsets on."""
        places = [TopicPartition(*each, offset) for each, offset in offsets.items()]
        self._orders.put((self._consumer.incremental_assign, places))

    def pause(self, partitions: Iterable[Partition]) -> None:
        """Fetch no more of some partitions; what was fetched may still arrive."""
        self._orders.put((self._consumer.pause, [TopicPartition(*each) for each in partitions]))

    def resume(self, partitions: Iterable[Partition]) -> None:
        """Go on behind the last record that arrived."""
        self._orders.put((self._consumer.resume, [TopicPartition(*each) for each in partitions]))

    async def tell_group(self, offsets: Mapping[Partition, int]) -> None:
        """Commit positions to the group, for those who watch its lag; nothing depends on it.

        Raises:
            KafkaException: If it cannot be asked.
        """
        await self._ask(
            self._commit, [TopicPartition(*each, offset) for each, offset in offsets.items()]
        )

    def taken(self) -> None:
        """Tell that the records of a fetch were taken over."""
        self._slots.release()

    async def _ask(self, question: Callable[..., T], *arguments: Any) -> T:
        return await self._loop.run_in_executor(self._asking, question, *arguments)

    # --- in the thread that asks ------------------------------------------------------------------

    def _topics(self, names: Sequence[str]) -> dict[str, Found]:
        known = self._questions.list_topics(timeout=_ANSWER_S).topics
        ids = self._topic_ids([each for each in names if each in known])
        found = {}
        for name in names:
            topic = known.get(name)
            if topic is None or not topic.partitions:
                error = topic.error if topic is not None else None
                found[name] = Found("", (), error.str() if error else "there is no such topic")
            else:
                found[name] = Found(ids.get(name, ""), tuple(sorted(topic.partitions)))
        return found

    def _topic_ids(self, names: Sequence[str]) -> dict[str, str]:
        """Ask for the ids of topics; old brokers, and those that hide them, give none."""
        if not names:
            return {}
        asked = self._admin.describe_topics(
            TopicCollection(list(names)), request_timeout=_ID_ANSWER_S
        )
        ids = {}
        for name, answer in asked.items():
            with suppress(KafkaException):
                ids[name] = str(answer.result().topic_id or "")
        return ids

    def _watermarks(self, partitions: Sequence[Partition], side: int) -> dict[Partition, int]:
        return {
            each: self._questions.get_watermark_offsets(TopicPartition(*each), timeout=_ANSWER_S)[
                side
            ]
            for each in partitions
        }

    def _committed(self, partitions: Sequence[Partition]) -> dict[Partition, int | None]:
        places = [TopicPartition(*each) for each in partitions]
        return _offsets(self._questions.committed(places, timeout=_ANSWER_S))

    def _commit(self, places: list[TopicPartition]) -> None:
        self._questions.commit(offsets=places, asynchronous=True)

    def _at_time(
        self, partitions: Sequence[Partition], timestamp_ms: int
    ) -> dict[Partition, int | None]:
        places = [TopicPartition(*each, timestamp_ms) for each in partitions]
        return _offsets(self._questions.offsets_for_times(places, timeout=_ANSWER_S))

    # --- in the thread that reads -----------------------------------------------------------------

    def _read(self) -> None:
        while not self._is_stopped.is_set():
            self._obey()
            first = self._consumer.poll(_WAIT_S)
            if first is None:
                continue
            by_partition: dict[Partition, list[Record]] = {}
            for message in (first, *self._consumer.consume(_MOST_RECORDS - 1, 0)):
                error = message.error()
                if error is None:
                    record = _record(message)
                    by_partition.setdefault(record[:2], []).append(record)
                else:
                    self._failed(message, error)
            if by_partition:
                self._slots.acquire()
                self._hand_over(self._arrived, by_partition)

    def _obey(self) -> None:
        """Do what the event loop has ordered since the last fetch."""
        while not self._orders.empty():
            order, places = self._orders.get()
            try:
                order(places)
            except KafkaException as error:
                self._reports.trouble("a partition could not be read", error.args[0])

    def _failed(self, message: Message, error: KafkaError) -> None:
        topic, partition = message.topic(), message.partition()
        is_lost = error.code() in (KafkaError._AUTO_OFFSET_RESET, KafkaError.OFFSET_OUT_OF_RANGE)  # noqa: SLF001 - that is its name
        if is_lost and topic is not None and partition is not None:
            self._hand_over(self._lost, (topic, partition))
        else:
            self._reports.trouble(f"topic {topic!r} could not be read", error)

    def _hand_over(self, function: Callable[[T], None], argument: T) -> None:
        if not self._is_stopped.is_set():
            self._loop.call_soon_threadsafe(function, argument)

    def _report(self, error: KafkaError) -> None:
        self._reports.trouble("the broker", error)


def _record(message: Message) -> Record:
    headers = message.headers() or ()
    return Record(
        message.topic() or "",
        message.partition() or 0,
        message.offset() or 0,
        message.key(),
        message.value(),
        message.timestamp()[1],
        headers,  # type: ignore[arg-type] # bytes, since nothing was deserialized
    )


def _offsets(places: Iterable[TopicPartition]) -> dict[Partition, int | None]:
    """Offsets by partition; special ones stand for none.

    Raises:
        KafkaException: If one could not be found out.
    """
    found: dict[Partition, int | None] = {}
    for each in places:
        if each.error is not None:
            raise KafkaException(each.error)
        found[each.topic, each.partition] = each.offset if each.offset >= 0 else None
    return found
