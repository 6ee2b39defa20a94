"""The message of kafka-egress.proto, in a private descriptor pool."""

from statefun.sdk.wire._proto import KafkaProducerRecord

DESCRIPTOR = KafkaProducerRecord.DESCRIPTOR.file

__all__ = ["DESCRIPTOR", "KafkaProducerRecord"]
