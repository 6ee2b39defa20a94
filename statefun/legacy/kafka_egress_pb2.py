"""The message of kafka-egress.proto, in a private descriptor pool."""

from statefun.sdk._proto import KafkaProducerRecord

DESCRIPTOR = KafkaProducerRecord.DESCRIPTOR.file

__all__ = ["DESCRIPTOR", "KafkaProducerRecord"]
