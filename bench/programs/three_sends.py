"""Sends: three messages to other functions."""

from statefun import Context, Message, StatefulFunctions, message_builder

functions = StatefulFunctions()


@functions.bind("bench/three-sends")
async def spread(context: Context, message: Message) -> None:
    """Tell three functions what came."""
    name = message.as_string()
    context.send(message_builder(target_typename="bench/one", target_id="joe", str_value=name))
    context.send(message_builder(target_typename="bench/two", target_id="joe", str_value=name))
    context.send(message_builder(target_typename="bench/three", target_id="joe", str_value=name))
