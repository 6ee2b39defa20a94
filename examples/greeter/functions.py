"""The greeter: a function that counts a person's visits, and one that greets."""

from statefun import (
    Context,
    IntType,
    Message,
    StatefulFunctions,
    ValueSpec,
    kafka_egress_message,
    make_json_type,
    message_builder,
)

VISIT = make_json_type("com.example/Visit")

functions = StatefulFunctions()


@functions.bind("com.example/person", specs=[ValueSpec("visits", IntType)])
async def person(context: Context, message: Message) -> None:
    """One instance a person: counts the visits, and asks the greeter to say hello."""
    name = message.expect(VISIT)["name"]
    context.storage.visits = (context.storage.visits or 0) + 1
    visit = {"name": name, "visits": context.storage.visits}
    context.send(message_builder("com.example/greeter", name, value=visit, value_type=VISIT))


@functions.bind("com.example/greeter")
async def greeter(context: Context, message: Message) -> None:
    """Says hello through the egress; it keeps no state."""
    visit = message.expect(VISIT)
    greeting = f"Hello {visit['name']}, this is visit number {visit['visits']}."
    context.send_egress(
        kafka_egress_message(
            "com.example/greetings", topic="greetings", key=visit["name"], value=greeting
        )
    )
