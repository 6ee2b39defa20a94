"""Delays: a delayed message, and the cancellation of another."""

from datetime import timedelta

from statefun import Context, Message, StatefulFunctions, message_builder

functions = StatefulFunctions()
SOON = timedelta(minutes=1)


@functions.bind("bench/delayed")
async def remind(context: Context, message: Message) -> None:
    """Remind later, and forget the reminder before."""
    name = message.as_string()
    reminder = message_builder(target_typename="bench/inbox", target_id="joe", str_value=name)
    context.send_after(SOON, reminder, "next")
    context.cancel_delayed_message("last")
