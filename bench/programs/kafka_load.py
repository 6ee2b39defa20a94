"""Puts names into Kafka and waits for the greetings, as it is told on stdin.

Each line is JSON: `["open", topic…]` makes the topics of names, `["run", topic, keys, each, mixed]`
has so many greeted; the answer is one line of JSON.
"""

import json
import sys
import time
from typing import Any

from confluent_kafka import Consumer, Producer, TopicPartition

GREETINGS = "greetings"
PATIENCE_SECONDS = 60.0

servers = {"bootstrap.servers": sys.argv[1]}
producer = Producer(servers | {"linger.ms": 5, "queue.buffering.max.messages": 1_000_000})
# Few large answers, so that waiting costs next to nothing: the cores belong to who is measured.
consumer = Consumer(
    servers
    | {
        "group.id": "bench",
        "enable.auto.commit": False,
        "fetch.min.bytes": 1 << 17,
        "fetch.wait.max.ms": 20,
    }
)


def open_topics(*topics: str) -> bool:
    """Make the topics, which appear when they are first asked for."""
    for topic in (*topics, GREETINGS):
        producer.list_topics(topic, timeout=30)
    consumer.assign([TopicPartition(GREETINGS, 0, 0)])
    return True


def run(topic: str, keys: int, each: int, mixed: int) -> tuple[float, int]:
    """Have every key greeted `each` times: `mixed` keys in turns, then as many others, and so on.

    Returns:
        Seconds from the first name to the last greeting, and the number of the last request.
    """
    names = [f"user-{number}" for number in range(keys)]
    values = [b"\n" + bytes([len(name)]) + name.encode() for name in names]  # a StringValue each
    began = time.perf_counter()
    for first in range(0, keys, mixed):
        for _ in range(each):
            for key in range(first, min(first + mixed, keys)):
                producer.produce(topic, key=names[key], value=values[key])
            producer.poll(0)
    producer.flush()
    last_request, patience = 0, time.monotonic() + PATIENCE_SECONDS
    records = keys * each
    while records:
        for record in consumer.consume(1_000, 0.02):
            if record.error() is None:
                records -= 1
                last_request = max(last_request, request_of(record.value()))
        if time.monotonic() > patience:
            sys.exit(f"{records} greetings did not arrive within {PATIENCE_SECONDS:.0f} s")
    return time.perf_counter() - began, last_request


def request_of(greeting: bytes) -> int:
    """The number that a greeting ends with."""
    return int(greeting.rpartition(b" ")[2])


def main() -> None:
    """Do as told until stdin ends."""
    verbs: Any = {"open": open_topics, "run": run}
    for line in sys.stdin:
        verb, *arguments = json.loads(line)
        print(json.dumps(verbs[verb](*arguments)), flush=True)


main()
