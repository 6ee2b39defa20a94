"""A function that reads what it gets, and does nothing."""

from statefun import Context, Message, StatefulFunctions

functions = StatefulFunctions()


@functions.bind("bench/reading")
async def read(_: Context, message: Message) -> None:
    """Read the message."""
    message.as_string()
