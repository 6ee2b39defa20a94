"""A greeter: one value read and written, one message sent."""

from statefun import Context, IntType, Message, StatefulFunctions, ValueSpec, message_builder

functions = StatefulFunctions()


@functions.bind("bench/greeter", specs=[ValueSpec("seen_count", IntType)])
async def greet(context: Context, message: Message) -> None:
    """Greet whom the message names."""
    name = message.as_string()
    seen = (context.storage.seen_count or 0) + 1
    context.storage.seen_count = seen
    greeting = f"Hello {name} for the {seen}th time"
    context.send(message_builder("bench/inbox", "joe", str_value=greeting))
