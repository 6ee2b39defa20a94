#!/usr/bin/env bash
# confluent-kafka 2.16.1 takes a header's name as bytes and sends its Python notation: b"trace" arrives as the
# text "b'trace'". A timestamp of 0 (1970) is sent as now; 1 is sent as 1. An empty key stays an empty key, which
# Java's StateFun egress would have made null. Runs on librdkafka's own mock broker. Exits non-zero when this changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check confluent-kafka==2.16.1

found=$("$folder/venv/bin/python" - 2>/dev/null <<'PYTHON'
import time

from confluent_kafka import Consumer, Producer, TopicPartition

producer = Producer({"test.mock.num.brokers": 1, "bootstrap.servers": "mock"})
brokers = ",".join(f"{broker.host}:{broker.port}" for broker in producer.list_topics(timeout=10).brokers.values())
producer.produce("t", b"1", b"", partition=0, headers=[(b"trace", b"7")], timestamp=0)
producer.produce("t", b"2", None, partition=0, timestamp=1)
producer.flush(10)

consumer = Consumer({"bootstrap.servers": brokers, "group.id": "g", "enable.auto.commit": False})
consumer.assign([TopicPartition("t", 0, 0)])
records = []
while len(records) < 2:
    records += [record for record in consumer.consume(2, 1) if not record.error()]
for record in records:
    milliseconds = record.timestamp()[1]
    when = "now" if abs(time.time() - milliseconds / 1000) < 60 else milliseconds
    print(record.key(), record.headers(), when)
consumer.close()
PYTHON
)
echo "$found"
[ "$found" = "b'' [(\"b'trace'\", b'7')] now
None None 1" ]
