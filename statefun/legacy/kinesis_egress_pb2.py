"""The message of kinesis-egress.proto, in a private descriptor pool."""

from statefun.sdk.wire._proto import KinesisEgressRecord

DESCRIPTOR = KinesisEgressRecord.DESCRIPTOR.file

__all__ = ["DESCRIPTOR", "KinesisEgressRecord"]
