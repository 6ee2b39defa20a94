"""A broker inside this process: the mock cluster that comes with librdkafka."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from confluent_kafka import Consumer, Message, Producer, TopicPartition

if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import TracebackType

PARTITIONS = 4
"""Of each topic, which appears when it is first asked for."""
Header = tuple[str, str | bytes | None]


class Broker:
    """One broker; what it does not do is tested with a real one, in `tests/engines`."""

    def __init__(self) -> None:
        self._producer = Producer(
            {"test.mock.num.brokers": 1, "bootstrap.servers": "ignored", "log_level": 0}
        )
        brokers = self._producer.list_topics(timeout=10).brokers.values()
        self.address = ",".join(f"{each.host}:{each.port}" for each in brokers)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._producer.flush(1)

    def make(self, topic: str) -> None:
        self._producer.list_topics(topic, timeout=10)

    def produce(
        self,
        topic: str,
        records: Iterable[tuple[bytes | None, bytes | None]],
        *,
        partition: int = 0,
        headers: list[Header] | None = None,
        timestamp_ms: int = 0,
    ) -> None:
        """Write records, key and value."""
        for key, value in records:
            self._producer.produce(
                topic,
                value,
                key,
                partition,
                headers=headers,
                timestamp=timestamp_ms,
            )
        assert self._producer.flush(10) == 0

    def records(self, topic: str, count: int) -> list[Message]:
        """So many records of a topic, partition by partition."""
        settings: dict[str, Any] = {"bootstrap.servers": self.address, "group.id": "reader"}
        consumer = Consumer({**settings, "auto.offset.reset": "earliest"})
        try:
            consumer.assign([TopicPartition(topic, each, 0) for each in range(PARTITIONS)])
            found: list[Message] = []
            while len(found) < count:
                found += consumer.consume(count - len(found), 10)
            return sorted(found, key=lambda each: (each.partition() or 0, each.offset() or 0))
        finally:
            consumer.close()
