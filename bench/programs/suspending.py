"""A function that gives the event loop a turn."""

import asyncio

from statefun import Context, Message, StatefulFunctions, message_builder

functions = StatefulFunctions()


@functions.bind("bench/suspending")
async def greet(context: Context, message: Message) -> None:
    """Wait for everybody else, then greet."""
    name = message.as_string()
    await asyncio.sleep(0)
    context.send(message_builder(target_typename="bench/inbox", target_id="joe", str_value=name))
