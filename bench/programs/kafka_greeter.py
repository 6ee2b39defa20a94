"""A greeter on the way from Kafka to Kafka: one value read and written, one record sent.

Each greeting tells how many requests there have been: a request has a context of its own.
"""

from statefun import (
    Context,
    IntType,
    Message,
    StatefulFunctions,
    ValueSpec,
    kafka_egress_message,
)

functions = StatefulFunctions()
requests = 0
context_before: Context | None = None


@functions.bind("bench/greeter", specs=[ValueSpec("seen_count", IntType)])
async def greet(context: Context, message: Message) -> None:
    """Greet whom the message names."""
    global requests, context_before  # noqa: PLW0603 - there is one process
    if context is not context_before:
        requests += 1
        context_before = context
    seen = (context.storage.seen_count or 0) + 1
    context.storage.seen_count = seen
    greeting = f"Hello {message.as_string()} for the {seen}th time, in request {requests}"
    key = context.address.id
    context.send_egress(
        kafka_egress_message("bench/greetings", topic="greetings", key=key, value=greeting)
    )
