"""Old name of `statefun.sdk.egress`."""

from statefun.sdk.egress import kafka_egress_message, kinesis_egress_message

__all__ = ["kafka_egress_message", "kinesis_egress_message"]
