"""Topics of a Kafka broker, from outside: made, written to, read from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from confluent_kafka import OFFSET_BEGINNING, Consumer, Message, Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from types import TracebackType

MOMENT_S = 0.2


def make_topics(bootstrap: str, topics: Mapping[str, int]) -> None:
    """Make topics; name → number of partitions."""
    admin = AdminClient({"bootstrap.servers": bootstrap})
    new = [NewTopic(name, partitions) for name, partitions in topics.items()]
    for made in admin.create_topics(new).values():
        made.result(30)


def produce(bootstrap: str, topic: str, records: Iterable[tuple[str, bytes]]) -> None:
    """Write records, key and value; returns when the broker has all of them."""
    producer = Producer({"bootstrap.servers": bootstrap, "linger.ms": 5})
    for key, value in records:
        producer.produce(topic, key=key, value=value)
        producer.poll(0)
    left = producer.flush(30)
    assert left == 0, f"{left} records were not taken"


class Reader:
    """Reads what is committed in a topic, from its beginning."""

    def __init__(self, bootstrap: str, topic: str) -> None:
        settings: dict[str, Any] = {
            "bootstrap.servers": bootstrap,
            "group.id": "reader",  # asked for, and not used: there is nobody to share with
            "enable.auto.commit": False,
            "isolation.level": "read_committed",
        }
        self._consumer = Consumer(settings)
        partitions = self._consumer.list_topics(topic, timeout=30).topics[topic].partitions
        self._consumer.assign(
            [TopicPartition(topic, each, OFFSET_BEGINNING) for each in partitions]
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._consumer.close()

    def records(self) -> list[Message]:
        """The next ones; empty when there are none for a moment."""
        found = self._consumer.consume(1000, MOMENT_S)
        assert [each.error() for each in found if each.error()] == []
        return found
