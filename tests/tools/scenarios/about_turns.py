"""Scenarios about turns: what of a batch becomes visible, when, and in which order."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

from statefun.sdk.builders import message_builder
from statefun.sdk.functions import StatefulFunctions
from statefun.sdk.primitives import BoolType, DoubleType, FloatType, IntType, LongType, StringType
from statefun.sdk.specs import ValueSpec
from statefun.sdk.types import make_json_type, simple_type
from tests.tools.scenarios.scenario import (
    CONCURRENT,
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
    from collections.abc import Callable

    from statefun.sdk.context import Context
    from statefun.sdk.messages import Message
    from statefun.sdk.types import Type

JSON = make_json_type("s.types/json")
BYTES = simple_type("s.types/bytes", bytes, bytes)
VALUES: tuple[tuple[Type[Any], object], ...] = (
    (BoolType, True),
    (BoolType, False),
    (IntType, -7),
    (IntType, 0),
    (LongType, 2**40),
    (LongType, 0),
    (FloatType, 1.5),
    (FloatType, 0.0),
    (DoubleType, -1e300),
    (DoubleType, 0.0),
    (StringType, "Grüße"),
    (StringType, ""),
    (JSON, {"a": [None]}),
    (BYTES, b"\x00\xff"),
    (BYTES, b""),
)
MANY = 2500
RECORDS = 500
HOPS = 60


def forwarding() -> StatefulFunctions:
    functions = StatefulFunctions()

    @functions.bind("s/forward")
    async def forward(context: Context, message: Message) -> None:
        for value_type, value in VALUES:
            context.send(message_builder("s/print", "p", value=value, value_type=value_type))

    @functions.bind("s/print")
    async def print_(context: Context, message: Message) -> None:
        for value_type in {value_type.typename: value_type for value_type, _ in VALUES}.values():
            if message.is_type(value_type):
                tell(context, "value", f"{value_type.typename} {message.as_type(value_type)!r}")

    return functions


def waiting(glances: int) -> StatefulFunctions:
    functions, marks = StatefulFunctions(), list[bool]()

    @functions.bind("s/wait")
    async def wait(context: Context, message: Message) -> None:
        text = message.as_string()
        if text == "first":
            await _until(lambda: bool(marks), glances)
            context.send(message_builder("s/wait", context.address.id, str_value="to itself"))
        tell(context, "order", text)

    @functions.bind("s/mark")
    async def mark(context: Context, message: Message) -> None:
        marks.append(True)

    return functions


async def _until(is_so: Callable[[], bool], glances: int) -> None:
    """Wait until something is so; not for ever, since it may never be where one waits for all."""
    for _ in range(glances):
        if is_so():
            break
        await asyncio.sleep(0.01)


def remembering(kept_ms: int) -> StatefulFunctions:
    """Everything that a turn can do, and fails to do on its first two attempts."""
    functions, attempts = StatefulFunctions(), Counter[str]()

    @functions.bind("s/try", specs=[ValueSpec("n", IntType), ValueSpec("old", StringType)])
    async def attempt(context: Context, message: Message) -> None:
        if message.as_string() == "prepare":
            context.storage.old = "kept"
            later = message_builder("s/hear", "h", str_value="set before")
            context.send_after(timedelta(milliseconds=kept_ms), later, "T")
            tell(context, "prepared", "yes")
            return
        attempts["try"] += 1
        context.storage.n = (context.storage.n or 0) + 1
        context.send(message_builder("s/hear", "h", str_value=f"sent by {context.storage.n}"))
        later = message_builder("s/hear", "h", str_value=f"delayed by {context.storage.n}")
        context.send_after(timedelta(milliseconds=50), later)
        tell(context, "egress", context.storage.n)
        if attempts["try"] <= 2:
            del context.storage.old
            context.cancel_delayed_message("T")
            raise ValueError("not yet")
        tell(context, "old", context.storage.old)

    @functions.bind("s/hear")
    async def hear(context: Context, message: Message) -> None:
        tell(context, "heard", message.as_string())

    return functions


def counting() -> StatefulFunctions:
    functions = StatefulFunctions()

    @functions.bind("s/many")
    async def many(context: Context, message: Message) -> None:
        for number in range(MANY):
            context.send(message_builder("s/count", "c", int_value=number))

    @functions.bind("s/count", specs=[ValueSpec("next", IntType), ValueSpec("jumps", IntType)])
    async def count(context: Context, message: Message) -> None:
        storage, number = context.storage, message.as_int()
        if number != (storage.next or 0):
            storage.jumps = (storage.jumps or 0) + 1
        storage.next = (number or 0) + 1
        if storage.next == MANY:
            tell(context, "jumps", storage.jumps)

    return functions


def recording() -> StatefulFunctions:
    functions = StatefulFunctions()

    @functions.bind("s/record")
    async def record(context: Context, message: Message) -> None:
        for number in range(RECORDS):
            tell(context, "record", number)

    return functions


def ping_pong() -> StatefulFunctions:
    functions = StatefulFunctions()

    def hit(context: Context, message: Message) -> None:
        hops = (message.as_int() or 0) if message.is_int() else 0
        context.storage.hits = (context.storage.hits or 0) + 1
        if hops == HOPS:
            tell(context, "over", context.address.typename)
            return
        target = context.caller.typename if context.caller else "s/pong"
        context.send(message_builder(target, context.address.id, int_value=hops + 1))

    for name in ("s/ping", "s/pong"):
        functions.register(name, hit, [ValueSpec("hits", IntType)])

    @functions.bind("s/serve")
    def serve(context: Context, message: Message) -> None:
        for name, table in (("s/ping", "1"), ("s/pong", "2")):
            context.send(message_builder(name, table, int_value=HOPS))
            tell(context, "served", name)

    return functions


def naming_types() -> StatefulFunctions:
    functions = StatefulFunctions()

    async def named(context: Context, message: Message) -> None:
        caller = context.caller
        context.storage.n = (context.storage.n or 0) + 1
        tell(context, "name", f"{context.address.typename} {caller.typename if caller else '-'}")

    for name in TYPENAMES:
        functions.register(name, named, [ValueSpec("n", IntType)])

    return functions


TYPENAMES = ("s/with-dash", "s/with.dots", "s/UPPER", "s/under_score", "s/1", "s/s")


def asking() -> StatefulFunctions:
    """Answers come back to whoever asked, though all ask one function."""
    functions = StatefulFunctions()

    @functions.bind("s/ask", specs=[ValueSpec("answers", StringType)])
    async def ask(context: Context, message: Message) -> None:
        if context.caller is None:
            context.send(message_builder("s/oracle", "o", str_value=message.as_string() or ""))
            return
        context.storage.answers = message.as_string()
        tell(context, context.address.id, message.as_string())

    @functions.bind("s/oracle", specs=[ValueSpec("asked", IntType)])
    async def oracle(context: Context, message: Message) -> None:
        assert context.caller is not None
        context.storage.asked = (context.storage.asked or 0) + 1
        answer = f"{message.as_string()} is known to {context.caller.id}"
        context.send(message_builder(context.caller.typename, context.caller.id, str_value=answer))

    return functions


def silent() -> StatefulFunctions:
    functions = StatefulFunctions()

    @functions.bind("s/silent", specs=[ValueSpec("never", StringType)])
    async def silent_function(context: Context, message: Message) -> None:
        if message.as_string() == "speak":
            tell(context, "spoken", context.storage.never)

    return functions


def overwriting() -> StatefulFunctions:
    functions = StatefulFunctions()

    @functions.bind("s/overwrite", specs=[ValueSpec("text", StringType)])
    async def overwrite(context: Context, message: Message) -> None:
        for step in range(5):
            context.storage.text = f"{message.as_string()}{step}"
        tell(context, "text", context.storage.text)

    return functions


def gathering(glances: int) -> StatefulFunctions:
    """What waits together delays a message first, and then sends one."""
    functions, marks, seen = StatefulFunctions(), list[bool](), list[bool]()

    @functions.bind("s/gather", specs=[ValueSpec("texts", StringType)])
    async def gather(context: Context, message: Message) -> None:
        text = message.as_string() or ""
        context.storage.texts = f"{context.storage.texts or ''} {text}"
        gathered = message_builder("s/gathered", "g", str_value=text)
        if text == "hold":
            await _until(lambda: bool(marks), glances)
        elif text == "delayed":
            context.send_after(timedelta(0), gathered)
        elif text == "direct":
            context.send(gathered)
            await _until(lambda: bool(seen), 30)
            tell(context, "seen before its end", bool(seen))
        tell(context, "order", text)

    @functions.bind("s/mark")
    async def mark(context: Context, message: Message) -> None:
        marks.append(True)

    @functions.bind("s/gathered")
    async def gathered(context: Context, message: Message) -> None:
        seen.append(True)
        tell(context, "gathered", message.as_string())

    return functions


def blocking() -> StatefulFunctions:
    """One address blocks a thread until another one is called."""
    functions, other = StatefulFunctions(), threading.Event()

    @functions.bind("s/block", specs=[ValueSpec("calls", IntType)], blocking=True)
    def block(context: Context, message: Message) -> None:
        context.storage.calls = (context.storage.calls or 0) + 1
        if message.as_string() == "hold":
            tell(context, "the other was called", other.wait(20))
        else:
            other.set()

    return functions


def to_oneself(pace: int) -> Scenario:
    return Scenario(
        "to oneself, behind what waits",
        "a message to the own address comes after those that wait there already",
        partial(waiting, 200 * pace),
        (
            Send("s/wait", "a", "before"),
            Await(1),
            *(Send("s/wait", "a", text) for text in ("first", "x", "y")),
            Send("s/mark", "m"),
        ),
        {"order": ("before", "first", "x", "y", "to itself")},
    )


def one_turn(pace: int) -> Scenario:
    return Scenario(
        "one turn for all that waits",
        "what waits for a busy address is one turn: nothing of it is seen before its end, and then "
        "messages come before delayed ones",
        partial(gathering, 200 * pace),
        (
            Send("s/gather", "a", "first"),
            Await(1),
            *(Send("s/gather", "a", text) for text in ("hold", "delayed", "direct")),
            Send("s/mark", "m"),
        ),
        {
            "order": ("first", "hold", "delayed", "direct"),
            "seen before its end": ("False",),
            "gathered": ("direct", "delayed"),
        },
        {("s/gather", "a"): {"texts": " first hold delayed direct"}},
    )


def all_or_nothing(pace: int) -> Scenario:
    kept_ms = 1000 * pace
    return Scenario(
        "all or nothing",
        "of a turn that fails nothing is left: no value, message, delay, cancellation or record",
        partial(remembering, kept_ms),
        (
            Mark("prepared"),
            Send("s/try", "t", "prepare"),
            Await(1),
            Send("s/try", "t", "go"),
            Await(5),
            InTime("prepared", kept_ms),
            Await(6),
            Pause(100),
        ),
        {
            "prepared": ("yes",),
            "egress": ("1",),
            "old": ("kept",),
            "heard": ("sent by 1", "delayed by 1", "set before"),
        },
        {("s/try", "t"): {"n": 1, "old": "kept"}},
        timing=(NotBefore("heard", (0, 50, kept_ms)),),
    )


SCENARIOS = (
    Scenario(
        "every type of message",
        "a message of any type and value arrives as it was sent, an empty one too",
        forwarding,
        (Send("s/forward", "f"),),
        {"value": tuple(f"{each.typename} {value!r}" for each, value in VALUES)},
    ),
    paced(to_oneself),
    paced(one_turn),
    Scenario(
        "a blocking function",
        "a function that blocks a thread of its own holds up no other address",
        blocking,
        (Send("s/block", "a", "hold"), Send("s/block", "b", "other")),
        {"the other was called": ("True",)},
        {("s/block", "a"): {"calls": 1}, ("s/block", "b"): {"calls": 1}},
        places=CONCURRENT,
    ),
    paced(all_or_nothing),
    Scenario(
        "a long backlog",
        "thousands of messages to one address arrive all, once, and in order",
        counting,
        (Send("s/many", "m"),),
        {"jumps": ("None",)},
        {("s/count", "c"): {"next": MANY}},
    ),
    Scenario(
        "many records of a turn",
        "the records of one turn come out in the order in which they were sent",
        recording,
        (Send("s/record", "r"),),
        {"record": tuple(map(str, range(RECORDS)))},
    ),
    Scenario(
        "back and forth",
        "two functions may send to one another for long; each keeps its own values",
        ping_pong,
        (Send("s/ping", "p"),),
        {"over": ("s/ping",)},
        {("s/ping", "p"): {"hits": HOPS // 2 + 1}, ("s/pong", "p"): {"hits": HOPS // 2}},
    ),
    Scenario(
        "several targets of a turn",
        "one turn may send to several functions; each gets its message",
        ping_pong,
        (Send("s/serve", "s"),),
        {"served": ("s/ping", "s/pong"), "over": ("s/ping", "s/pong")},
        {("s/ping", "1"): {"hits": 1}, ("s/pong", "2"): {"hits": 1}},
    ),
    Scenario(
        "names of functions",
        "the name of a function may have dots, dashes, digits and capitals",
        naming_types,
        tuple(
            step
            for number, name in enumerate(TYPENAMES, 1)
            for step in (Send(name, "n"), Await(number))
        ),
        {"name": tuple(f"{name} -" for name in TYPENAMES)},
        {(name, "n"): {"n": 1} for name in TYPENAMES},
    ),
    Scenario(
        "answers to whoever asked",
        "a function answers its caller, whoever that is, and keeps no two of them apart by itself",
        asking,
        tuple(Send("s/ask", each, f"what {each} asks") for each in "abcd"),
        {each: (f"what {each} asks is known to {each}",) for each in "abcd"},
        {
            ("s/oracle", "o"): {"asked": 4},
            **{
                ("s/ask", each): {"answers": f"what {each} asks is known to {each}"}
                for each in "abcd"
            },
        },
    ),
    Scenario(
        "nothing to say",
        "a function may do nothing at all; a value that was never set is none",
        silent,
        (Send("s/silent", "a"), Send("s/silent", "a"), Send("s/silent", "a", "speak")),
        {"spoken": ("None",)},
        {("s/silent", "a"): {}},
    ),
    Scenario(
        "the last value counts",
        "a value that is set several times in a turn is the one that was set last",
        overwriting,
        (Send("s/overwrite", "a", "x"), Send("s/overwrite", "a", "y")),
        {"text": ("x4", "y4")},
        {("s/overwrite", "a"): {"text": "y4"}},
    ),
)
