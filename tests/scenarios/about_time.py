"""Scenarios about delayed messages."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from statefun.sdk.functions import StatefulFunctions
from statefun.sdk.messages import message_builder
from tests.scenarios.scenario import Await, NotBefore, Pause, Scenario, Send, tell

if TYPE_CHECKING:
    from statefun.sdk.context import Context
    from statefun.sdk.messages import Message


def after(context: Context, milliseconds: int, text: str, token: str = "") -> None:
    """A delayed message to the listener with the sender's id."""
    message = message_builder("s/listener", context.address.id, str_value=text)
    context.send_after(timedelta(milliseconds=milliseconds), message, token)


def listening() -> StatefulFunctions:
    functions = StatefulFunctions()

    @functions.bind("s/listener")
    async def listener(context: Context, message: Message) -> None:
        assert context.caller is not None
        tell(context, "heard", message.as_string())
        tell(context, "from", f"{context.caller.typename} {context.caller.id}")

    return functions


def delaying() -> StatefulFunctions:
    functions = listening()

    @functions.bind("s/delay")
    async def delay(context: Context, message: Message) -> None:
        tell(context, "began", "now")
        after(context, 300, "third")
        after(context, 100, "second")
        after(context, 500, "fourth")
        after(context, 500, "fifth")
        after(context, 0, "first")
        context.send(message_builder("s/listener", context.address.id, str_value="direct"))

    return functions


def cancelling() -> StatefulFunctions:
    functions = listening()

    @functions.bind("s/cancel")
    async def cancel(context: Context, message: Message) -> None:
        command = message.as_string()
        tell(context, "command", command)
        if command == "set":
            after(context, 800, "cancelled", "T")
            after(context, 800, "kept", "U")
        elif command == "cancel":
            context.cancel_delayed_message("T")
        elif command == "cancel what is not there":
            context.cancel_delayed_message("never set")
        elif command == "use again":
            after(context, 100, "used again", "T")

    return functions


def reusing() -> StatefulFunctions:
    functions = listening()

    @functions.bind("s/reuse")
    async def reuse(context: Context, message: Message) -> None:
        tell(context, "began", "now")
        for number in range(4):
            context.cancel_delayed_message("T")
            after(context, 200, f"number {number}", "T")

    @functions.bind("s/other")
    async def other(context: Context, message: Message) -> None:
        tell(context, "other", context.address.id)
        context.cancel_delayed_message("T")

    return functions


SCENARIOS = (
    Scenario(
        "delays",
        "delayed messages come in the order of their times, none too early, after direct ones",
        delaying,
        (Send("s/delay", "a"),),
        {
            "began": ("now",),
            "heard": ("direct", "first", "second", "third", "fourth", "fifth"),
            "from": ("s/delay a",) * 6,
        },
        timing=(NotBefore("heard", 500),),
    ),
    Scenario(
        "cancelled messages",
        "a cancelled message never comes; cancelling an unknown one does nothing",
        cancelling,
        (
            Send("s/cancel", "a", "set"),
            Send("s/cancel", "a", "cancel"),
            Send("s/cancel", "a", "cancel what is not there"),
            Send("s/cancel", "a", "use again"),
            Await(8),
            Pause(200),
        ),
        {
            "command": ("set", "cancel", "cancel what is not there", "use again"),
            "heard": ("used again", "kept"),
            "from": ("s/cancel a",) * 2,
        },
    ),
    Scenario(
        "tokens",
        "within one turn a token is freed and used in order; its scope is the sender's id",
        reusing,
        (
            Send("s/reuse", "a"),
            Send("s/reuse", "b"),
            Await(2),
            Send("s/other", "b"),
            Await(5),
            Pause(300),
        ),
        {
            "began": ("now", "now"),
            "heard": ("number 3",),
            "from": ("s/reuse a",),
            "other": ("b",),
        },
    ),
)
