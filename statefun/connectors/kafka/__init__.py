"""Kafka: topics as ingresses and egresses; needs `pip install 'statefun[kafka]'`."""

try:
    import confluent_kafka as _  # noqa: F401 - is it installed
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(
        "Kafka needs confluent-kafka: pip install 'statefun[kafka]'", name=error.name
    ) from error

from statefun.connectors.kafka.egress import Delivery, KafkaEgress
from statefun.connectors.kafka.ingress import KafkaIngress
from statefun.connectors.kafka.records import InvalidRecords, KafkaTopic
from statefun.connectors.kafka.start import Start

__all__ = ["Delivery", "InvalidRecords", "KafkaEgress", "KafkaIngress", "KafkaTopic", "Start"]
