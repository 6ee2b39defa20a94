"""Egress: one record for Kafka and one for Kinesis."""

from statefun import (
    Context,
    Message,
    StatefulFunctions,
    kafka_egress_message,
    kinesis_egress_message,
)

functions = StatefulFunctions()


@functions.bind("bench/egress-messages")
async def report(context: Context, message: Message) -> None:
    """Tell both sinks what came."""
    name = message.as_string()
    context.send_egress(
        kafka_egress_message(typename="bench/kafka", topic="greetings", value=name, key="joe")
    )
    context.send_egress(
        kinesis_egress_message(
            typename="bench/kinesis", stream="greetings", value=name, partition_key="joe"
        )
    )
