"""Old name of `statefun.sdk.egress`, and of what the old module imported."""

import struct
import typing

from statefun.sdk.egress import kafka_egress_message, kinesis_egress_message
from statefun.sdk.messages import EgressMessage
from statefun.sdk.types import Type
from statefun.sdk.wire._proto import KafkaProducerRecord, KinesisEgressRecord, TypedValue

__all__ = [
    "EgressMessage",
    "KafkaProducerRecord",
    "KinesisEgressRecord",
    "Type",
    "TypedValue",
    "kafka_egress_message",
    "kinesis_egress_message",
    "struct",
    "typing",
]
