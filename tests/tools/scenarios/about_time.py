"""Scenarios about time: delayed messages, and values that expire."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

from statefun.sdk.builders import message_builder
from statefun.sdk.functions import StatefulFunctions
from statefun.sdk.primitives import IntType, StringType
from statefun.sdk.specs import ValueSpec
from tests.tools.scenarios.scenario import (
    Await,
    InTime,
    Mark,
    NotBefore,
    Pause,
    Scenario,
    Send,
    paced,
    tell,
)

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
        after(context, 1500, "third")
        after(context, 1000, "second")
        after(context, 2000, "fourth")
        after(context, 2000, "fifth")
        after(context, 0, "first")
        context.send(message_builder("s/listener", context.address.id, str_value="direct"))

    return functions


def cancelling(delay_ms: int) -> StatefulFunctions:
    functions = listening()

    @functions.bind("s/cancel")
    async def cancel(context: Context, message: Message) -> None:
        command = message.as_string()
        tell(context, "command", command)
        if command == "set":
            after(context, delay_ms, "cancelled", "T")
            after(context, delay_ms, "kept", "U")
        elif command == "cancel":
            context.cancel_delayed_message("T")
        elif command == "cancel what is not there":
            context.cancel_delayed_message("never set")
        elif command == "use again":
            after(context, 0, "used again", "T")

    return functions


def reusing(delay_ms: int) -> StatefulFunctions:
    functions = listening()

    @functions.bind("s/reuse")
    async def reuse(context: Context, message: Message) -> None:
        tell(context, "began", "now")
        for number in range(4):
            context.cancel_delayed_message("T")
            after(context, delay_ms, f"number {number}", "T")

    @functions.bind("s/other")
    async def other(context: Context, message: Message) -> None:
        tell(context, "other", context.address.id)
        context.cancel_delayed_message("T")

    return functions


def ticking() -> StatefulFunctions:
    functions = StatefulFunctions()

    @functions.bind("s/tick", specs=[ValueSpec("ticks", IntType)])
    async def tick(context: Context, message: Message) -> None:
        context.storage.ticks = (context.storage.ticks or 0) + 1
        caller = context.caller.typename if context.caller else "nobody"
        tell(context, "tick", f"{context.storage.ticks} by {caller}")
        if context.storage.ticks < 5:
            again = message_builder("s/tick", context.address.id, str_value="tick")
            context.send_after(timedelta(milliseconds=50), again, "tick")

    return functions


def reusing_later() -> StatefulFunctions:
    functions = listening()

    @functions.bind("s/token")
    async def token(context: Context, message: Message) -> None:
        after(context, 50, message.as_string() or "", "T")

    return functions


def waiting_for_a_busy_one() -> StatefulFunctions:
    functions = StatefulFunctions()

    @functions.bind("s/busy")
    async def busy(context: Context, message: Message) -> None:
        text = message.as_string()
        if text == "work":
            await asyncio.sleep(0.3)
        tell(context, "order", text)

    @functions.bind("s/remind")
    async def remind(context: Context, message: Message) -> None:
        for delay, text in ((20, "first"), (60, "second")):
            reminder = message_builder("s/busy", "b", str_value=text)
            context.send_after(timedelta(milliseconds=delay), reminder)
        context.send(message_builder("s/busy", "b", str_value="work"))

    return functions


def cancelling_others(delay_ms: int) -> StatefulFunctions:
    """The receiver of a delayed message, and a namesake of the sender with another id, cancel."""
    functions = listening()

    @functions.bind("s/owner")
    async def owner(context: Context, message: Message) -> None:
        text = message.as_string()
        if text == "set":
            later = message_builder("s/listener", "receiver", str_value="came")
            context.send_after(timedelta(milliseconds=delay_ms), later, "T")
        else:
            context.cancel_delayed_message("T")
        tell(context, context.address.id, text)

    @functions.bind("s/stranger")
    async def stranger(context: Context, message: Message) -> None:
        context.cancel_delayed_message("T")
        tell(context, context.address.id, "cancel")

    return functions


def mixing_tokens() -> StatefulFunctions:
    functions = listening()

    @functions.bind("s/mix")
    async def mix(context: Context, message: Message) -> None:
        after(context, 150, "without a token")
        after(context, 150, "kept", "A")
        after(context, 150, "cancelled", "B")
        context.cancel_delayed_message("B")
        after(context, 0, "cancelled before its turn", "C")
        context.cancel_delayed_message("C")
        after(context, 150, "also without")
        tell(context, "began", "now")

    return functions


def delaying_types() -> StatefulFunctions:
    functions = StatefulFunctions()

    @functions.bind("s/later")
    async def later(context: Context, message: Message) -> None:
        for number, value in enumerate((0, 7)):
            delayed = message_builder("s/shown", context.address.id, int_value=value)
            context.send_after(timedelta(milliseconds=20 * number), delayed)

    @functions.bind("s/shown")
    async def shown(context: Context, message: Message) -> None:
        tell(context, "shown", f"{context.address.id!r} {message.as_int()}")

    return functions


def refreshing(ttl_ms: int) -> StatefulFunctions:
    """One value is written by every message, one is only read, one only lies there."""
    functions = StatefulFunctions()
    ttl = timedelta(milliseconds=ttl_ms)
    specs = [
        ValueSpec("written", IntType, expire_after_write=ttl),
        ValueSpec("once", IntType, expire_after_write=ttl),
        ValueSpec("untouched", IntType, expire_after_call=ttl),
    ]

    @functions.bind("s/refresh", specs=specs)
    async def refresh(context: Context, message: Message) -> None:
        storage = context.storage
        if message.as_string() == "set":
            storage.once = storage.untouched = 1
        storage.written = (storage.written or 0) + 1
        if message.as_string() != "touch":
            tell(context, "seen", f"{storage.written} {storage.once} {storage.untouched}")
        else:
            tell(context, "touched", storage.written)

    return functions


def expiring_and_back(ttl_ms: int) -> StatefulFunctions:
    functions = StatefulFunctions()
    spec = ValueSpec("value", StringType, expire_after_write=timedelta(milliseconds=ttl_ms))

    @functions.bind("s/back_again", specs=[spec])
    async def back_again(context: Context, message: Message) -> None:
        tell(context, "before", context.storage.value)
        context.storage.value = message.as_string()

    return functions


def only_the_sender(pace: int) -> Scenario:
    delay_ms = 600 * pace
    return Scenario(
        "only the sender cancels",
        "neither the receiver nor another id can cancel a message",
        partial(cancelling_others, delay_ms),
        (
            Mark("set"),
            Send("s/owner", "o", "set"),
            Await(1),
            Send("s/owner", "other", "cancel"),
            Send("s/stranger", "receiver"),
            Await(3),
            InTime("set", delay_ms),
            Await(5),
        ),
        {
            "o": ("set",),
            "other": ("cancel",),
            "receiver": ("cancel",),
            "heard": ("came",),
            "from": ("s/owner o",),
        },
        timing=(NotBefore("heard", (delay_ms,)),),
    )


def what_keeps_a_value(pace: int) -> Scenario:
    ttl_ms = 1200 * pace
    return Scenario(
        "what keeps a value",
        "writing keeps what expires after writing, any call what expires after a call",
        partial(refreshing, ttl_ms),
        (
            Mark("set"),
            Send("s/refresh", "r", "set"),
            Await(1),
            Pause(750 * pace),
            Mark("touched"),
            Send("s/refresh", "r", "touch"),
            Await(2),
            InTime("set", ttl_ms),
            Pause(750 * pace),
            Send("s/refresh", "r", "look"),
            Await(3),
            InTime("touched", ttl_ms),
            Pause(1500 * pace),
        ),
        {"seen": ("1 1 1", "3 None 1"), "touched": ("2",)},
        {("s/refresh", "r"): {}},
    )


def an_expired_value(pace: int) -> Scenario:
    ttl_ms = 700 * pace
    return Scenario(
        "an expired value set again",
        "a value that has expired is absent, and may be set again, until it has expired again",
        partial(expiring_and_back, ttl_ms),
        (
            Send("s/back_again", "a", "one"),
            Await(1),
            Pause(ttl_ms + 300),
            Mark("set again"),
            Send("s/back_again", "a", "two"),
            Await(2),
            Send("s/back_again", "a", "three"),
            Await(3),
            InTime("set again", ttl_ms),
            Pause(ttl_ms + 300),
        ),
        {"before": ("None", "None", "two")},
        {("s/back_again", "a"): {}},
    )


def cancelled_messages(pace: int) -> Scenario:
    delay_ms = 800 * pace
    return Scenario(
        "cancelled messages",
        "a cancelled message never comes; cancelling an unknown one does nothing",
        partial(cancelling, delay_ms),
        (
            Mark("set"),
            Send("s/cancel", "a", "set"),
            Send("s/cancel", "a", "cancel"),
            Send("s/cancel", "a", "cancel what is not there"),
            Send("s/cancel", "a", "use again"),
            Await(6),
            InTime("set", delay_ms),
            Await(8),
            Pause(200),
        ),
        {
            "command": ("set", "cancel", "cancel what is not there", "use again"),
            "heard": ("used again", "kept"),
            "from": ("s/cancel a",) * 2,
        },
        timing=(NotBefore("heard", (0, delay_ms)),),
    )


def tokens(pace: int) -> Scenario:
    delay_ms = 500 * pace
    return Scenario(
        "tokens",
        "within one turn a token is freed and used in order; its scope is the sender's id",
        partial(reusing, delay_ms),
        (
            Mark("set"),
            Send("s/reuse", "a"),
            Send("s/reuse", "b"),
            Await(2),
            Send("s/other", "b"),
            Await(3),
            InTime("set", delay_ms),
            Await(5),
            Pause(300),
        ),
        {
            "began": ("now", "now"),
            "heard": ("number 3",),
            "from": ("s/reuse a",),
            "other": ("b",),
        },
        timing=(NotBefore("heard", (delay_ms,)),),
    )


SCENARIOS = (
    Scenario(
        "a timer that sets itself",
        "a function may send to itself again and again, each time later, under one token",
        ticking,
        (Send("s/tick", "t"),),
        {"tick": ("1 by nobody", *(f"{number} by s/tick" for number in range(2, 6)))},
        {("s/tick", "t"): {"ticks": 5}},
        (NotBefore("tick", (0, 50, 100, 150, 200)),),
    ),
    Scenario(
        "a token after its message",
        "once a message has come, its token may be used again",
        reusing_later,
        (
            Send("s/token", "t", "one"),
            Await(2),
            Pause(600),
            Send("s/token", "t", "two"),
            Await(4),
        ),
        {"heard": ("one", "two"), "from": ("s/token t",) * 2},
        timing=(NotBefore("heard", (50, 700)),),
    ),
    Scenario(
        "delayed to a busy address",
        "a delayed message that is due waits until the address has ended its turn",
        waiting_for_a_busy_one,
        (Send("s/remind", "r"),),
        {"order": ("work", "first", "second")},
    ),
    paced(only_the_sender),
    Scenario(
        "with and without a token",
        "only a token's message is cancelled, one without a delay too; others of one moment come "
        "as they were sent",
        mixing_tokens,
        (Send("s/mix", "m"),),
        {
            "began": ("now",),
            "heard": ("without a token", "kept", "also without"),
            "from": ("s/mix m",) * 3,
        },
        timing=(NotBefore("heard", (150, 150, 150)),),
    ),
    Scenario(
        "delayed values",
        "a delayed message carries its value like any other, a zero too, to any id",
        delaying_types,
        (Send("s/later", "a/b"), Await(2), Send("s/later", "é"), Await(4)),
        {"shown": ("'a/b' 0", "'a/b' 7", "'é' 0", "'é' 7")},
        timing=(NotBefore("shown", (0, 20, 20, 40)),),
    ),
    paced(what_keeps_a_value),
    paced(an_expired_value),
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
        timing=(NotBefore("heard", (0, 0, 1000, 1500, 2000, 2000)),),
    ),
    paced(cancelled_messages),
    paced(tokens),
)
