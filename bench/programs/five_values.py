"""Five texts of 100 characters read, one written, one sent."""

from statefun import Context, Message, StatefulFunctions, StringType, ValueSpec, message_builder

functions = StatefulFunctions()


@functions.bind(
    "bench/five-values", specs=[ValueSpec(f"value_{number}", StringType) for number in range(5)]
)
async def rotate(context: Context, message: Message) -> None:
    """Read all, write one, send one."""
    storage = context.storage
    read = (storage.value_0, storage.value_1, storage.value_2, storage.value_3, storage.value_4)
    storage.value_0 = f"{message.as_string():x<100}"
    context.send(message_builder("bench/inbox", "joe", str_value=read[4]))
