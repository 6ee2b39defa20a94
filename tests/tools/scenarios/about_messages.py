"""Scenarios about messages: their order, their callers, and what goes out."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import timedelta
from typing import TYPE_CHECKING

from statefun.sdk.builders import egress_message_builder, message_builder
from statefun.sdk.egress import kafka_egress_message, kinesis_egress_message
from statefun.sdk.functions import StatefulFunctions
from statefun.sdk.primitives import IntType, LongType, StringType
from statefun.sdk.specs import ValueSpec
from statefun.sdk.types import make_json_type
from tests.tools.scenarios.scenario import RAW, Await, NotBefore, Scenario, Send, tell

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from statefun.sdk.context import Context
    from statefun.sdk.messages import Message

JSON = make_json_type("s.types/json")
IDS = ("", "Grüße 🌍", "a/b", "line\nbreak\ttab", " ", "%2F", "x" * 1000)


def slow() -> StatefulFunctions:
    functions = StatefulFunctions()

    @functions.bind("s/slow", specs=[ValueSpec("count", IntType)])
    async def slow_function(context: Context, message: Message) -> None:
        if message.as_string() == "0":
            await asyncio.sleep(0.2)
        context.storage.count = (context.storage.count or 0) + 1
        tell(
            context, context.address.id, f"{message.as_string()} is number {context.storage.count}"
        )

    return functions


def ordered() -> StatefulFunctions:
    functions = StatefulFunctions()

    @functions.bind("s/sender")
    async def sender(context: Context, message: Message) -> None:
        for number in range(10):
            text = f"{message.as_string()}{number}"
            context.send(message_builder("s/receiver", "r", str_value=text))

    @functions.bind("s/receiver")
    async def receiver(context: Context, message: Message) -> None:
        assert context.caller is not None
        tell(context, context.caller.id, message.as_string())

    return functions


def recursive() -> StatefulFunctions:
    functions = StatefulFunctions()

    @functions.bind("s/count_down", specs=[ValueSpec("calls", IntType)])
    async def count_down(context: Context, message: Message) -> None:
        context.storage.calls = (context.storage.calls or 0) + 1
        left = int(message.as_string() or 0)
        caller = f"{context.caller.typename} {context.caller.id}" if context.caller else "nobody"
        tell(context, "left", f"{left} by {caller}")
        if left:
            target = "b" if left == 1 else context.address.id
            context.send(message_builder("s/count_down", target, str_value=str(left - 1)))

    return functions


def fanning() -> StatefulFunctions:
    functions = StatefulFunctions()

    @functions.bind("s/split", specs=[ValueSpec("sum", LongType), ValueSpec("missing", IntType)])
    async def split(context: Context, message: Message) -> None:
        storage = context.storage
        if message.is_long():
            storage.sum += message.as_long()
            storage.missing -= 1
            if storage.missing == 0:
                tell(context, "sum", storage.sum)
            return
        parts = int(message.as_string() or 0)
        storage.sum, storage.missing = 0, parts
        for number in range(parts):
            context.send(message_builder("s/square", str(number), int_value=number))

    @functions.bind("s/square")
    async def square(context: Context, message: Message) -> None:
        assert context.caller is not None
        number = message.as_int() or 0
        answer = message_builder(
            context.caller.typename, context.caller.id, long_value=number * number
        )
        context.send(answer)

    return functions


def calling() -> StatefulFunctions:
    functions = StatefulFunctions()

    @functions.bind("s/front")
    async def front(context: Context, message: Message) -> None:
        caller = context.caller
        tell(context, "front", f"{caller.typename} {caller.id}" if caller else "nobody")
        if caller is None:
            context.send(message_builder("s/back", "b", str_value="question"))

    @functions.bind("s/back")
    async def back(context: Context, message: Message) -> None:
        assert context.caller is not None
        tell(context, "back", f"{context.caller.typename} {context.caller.id}")
        answer = message_builder(context.caller.typename, context.caller.id, str_value="answer")
        context.send(answer)

    return functions


def emitting() -> StatefulFunctions:
    functions = StatefulFunctions()

    @functions.bind("s/emit")
    async def emit(context: Context, message: Message) -> None:
        for record in (
            egress_message_builder(RAW, value="text", value_type=StringType),
            egress_message_builder(RAW, value=0, value_type=IntType),
            egress_message_builder(RAW, value={"a": 1}, value_type=JSON),
            kafka_egress_message(RAW, "topic", "value", key="key"),
            kafka_egress_message(RAW, "topic", 7),
            kinesis_egress_message(RAW, "stream", b"data", "partition"),
        ):
            context.send_egress(record)

    return functions


KAFKA = "type.googleapis.com/io.statefun.sdk.egress.KafkaProducerRecord"
KINESIS = "type.googleapis.com/io.statefun.sdk.egress.KinesisEgressRecord"


def field(tag: int, data: bytes) -> bytes:
    return bytes([tag, len(data)]) + data


def hexed(typename: str, data: bytes) -> str:
    return f"{typename} {data.hex()}"


def failing() -> StatefulFunctions:
    functions, attempts = StatefulFunctions(), Counter[str]()

    @functions.bind("s/flaky", specs=[ValueSpec("count", IntType)])
    async def flaky(context: Context, message: Message) -> None:
        context.storage.count = (context.storage.count or 0) + 1
        tell(context, "flaky", f"{message.as_string()} is number {context.storage.count}")
        attempts["flaky"] += 1
        if attempts["flaky"] <= 2:
            raise ValueError("not yet")

    @functions.bind("s/steady")
    async def steady(context: Context, message: Message) -> None:
        tell(context, "steady", message.as_string())

    return functions


def working_later() -> StatefulFunctions:
    """Its work is in its result: twice in one that nobody runs, and then in a coroutine."""
    functions, attempts = StatefulFunctions(), Counter[str]()

    async def work(context: Context, message: Message) -> None:
        context.storage.count = (context.storage.count or 0) + 1
        tell(context, "later", f"{message.as_string()} is number {context.storage.count}")

    def yielding(context: Context, message: Message) -> Iterator[object]:
        tell(context, "later", "never")
        yield message

    async def yielding_async(context: Context, message: Message) -> AsyncIterator[object]:
        tell(context, "later", "never")
        yield message

    @functions.bind("s/worked", specs=[ValueSpec("count", IntType)])
    def later(context: Context, message: Message) -> object:
        tell(context, "begun", message.as_string())
        attempts["later"] += 1
        ways = {1: yielding, 2: yielding_async}
        return ways.get(attempts["later"], work)(context, message)

    return functions


def heading() -> StatefulFunctions:
    functions = StatefulFunctions()

    @functions.bind("s/head")
    async def head(context: Context, message: Message) -> None:
        headers = (("a", "1"), ("a", b"\xff"), ("empty", b""), ("nothing", None))
        context.send(message_builder("s/read", "r", str_value="sent", headers=headers))
        later = message_builder("s/read", "r", str_value="delayed", headers=headers[:1])
        context.send_after(timedelta(milliseconds=500), later)

    @functions.bind("s/read")
    async def read(context: Context, message: Message) -> None:
        tell(context, "read", [tuple(header) for header in message.headers])

    return functions


def naming() -> StatefulFunctions:
    functions = StatefulFunctions()

    @functions.bind("s/name", specs=[ValueSpec("count", IntType)])
    async def name(context: Context, message: Message) -> None:
        context.storage.count = (context.storage.count or 0) + 1
        tell(context, "id", f"{context.address.id!r} {context.storage.count}")

    return functions


def growing() -> StatefulFunctions:
    functions = StatefulFunctions()

    @functions.bind("s/large", specs=[ValueSpec("text", StringType)])
    async def large(context: Context, message: Message) -> None:
        context.storage.text = (context.storage.text or "") + (message.as_string() or "")
        if len(context.storage.text) < 3_000_000:
            again = message_builder("s/large", context.address.id, str_value="ä" * 1_000_000)
            context.send(again)
        else:
            tell(context, "length", len(context.storage.text))

    return functions


SCENARIOS = (
    Scenario(
        "backlog",
        "messages that come while an address is busy wait, in order, and lose nothing",
        slow,
        (
            *(Send("s/slow", "a", str(number)) for number in range(6)),
            *(Send("s/slow", "b", str(number)) for number in (7, 8)),
        ),
        {
            "a": tuple(f"{number} is number {number + 1}" for number in range(6)),
            "b": ("7 is number 1", "8 is number 2"),
        },
        {("s/slow", "a"): {"count": 6}, ("s/slow", "b"): {"count": 2}},
    ),
    Scenario(
        "order per sender",
        "messages of one sender to one address arrive in the order of sending",
        ordered,
        tuple(Send("s/sender", sender, text) for text in "xy" for sender in "abc"),
        {
            sender: tuple(f"{text}{number}" for text in "xy" for number in range(10))
            for sender in "abc"
        },
    ),
    Scenario(
        "self-sends",
        "a function may send to itself, and to another id of its own; it sees the state it left, "
        "and who called",
        recursive,
        (Send("s/count_down", "a", "25"),),
        {
            "left": (
                "25 by nobody",
                *(f"{left} by s/count_down a" for left in range(24, -1, -1)),
            )
        },
        {("s/count_down", "a"): {"calls": 25}, ("s/count_down", "b"): {"calls": 1}},
    ),
    Scenario(
        "fan-out and fan-in",
        "a function may ask many others and gather what they answer",
        fanning,
        (Send("s/split", "a", "50"),),
        {"sum": (str(sum(number * number for number in range(50))),)},
        {("s/split", "a"): {"sum": sum(n * n for n in range(50)), "missing": 0}},
    ),
    Scenario(
        "callers",
        "a message from a function names its sender, one from an ingress nobody",
        calling,
        (Send("s/front", "f"),),
        {"front": ("nobody", "s/back b"), "back": ("s/front f",)},
    ),
    Scenario(
        "egress of every kind",
        "records arrive byte by byte as they were sent, in order",
        emitting,
        (Send("s/emit", "a"),),
        {
            "raw": (
                hexed("io.statefun.types/string", field(0x0A, b"text")),
                hexed("io.statefun.types/int", b""),
                hexed("s.types/json", b'{"a": 1}'),
                hexed(KAFKA, field(0x0A, b"key") + field(0x12, b"value") + field(0x1A, b"topic")),
                hexed(KAFKA, field(0x12, b"\0\0\0\7") + field(0x1A, b"topic")),
                hexed(
                    KINESIS,
                    field(0x0A, b"partition") + field(0x12, b"data") + field(0x1A, b"stream"),
                ),
            )
        },
    ),
    Scenario(
        "headers of messages",
        "a message from function to function carries its headers, in order, the same one twice too",
        heading,
        (Send("s/head", "h"),),
        {
            "read": (
                "[('a', b'1'), ('a', b'\\xff'), ('empty', b''), ('nothing', None)]",
                "[('a', b'1')]",
            )
        },
        timing=(NotBefore("read", (0, 500)),),
    ),
    Scenario(
        "a failing function",
        "a batch that fails leaves nothing behind and is tried again; others go on",
        failing,
        (
            Send("s/flaky", "a", "1"),
            Send("s/flaky", "a", "2"),
            Send("s/steady", "a", "1"),
            Send("s/steady", "a", "2"),
            Await(4),
            Send("s/flaky", "a", "3"),
        ),
        {
            "flaky": ("1 is number 1", "2 is number 2", "3 is number 3"),
            "steady": ("1", "2"),
        },
        {("s/flaky", "a"): {"count": 3}},
    ),
    Scenario(
        "work in a result",
        "a message is not done while work is left in the result of its function",
        working_later,
        (
            Send("s/worked", "a", "1"),
            Send("s/worked", "a", "2"),
            Await(4),
            Send("s/worked", "a", "3"),
        ),
        {
            "begun": ("1", "2", "3"),
            "later": ("1 is number 1", "2 is number 2", "3 is number 3"),
        },
        {("s/worked", "a"): {"count": 3}},
    ),
    Scenario(
        "any id",
        "an id is any text, the empty one too; each has state of its own",
        naming,
        tuple(
            step
            for number, each in enumerate(each for each in IDS for _ in range(2))
            for step in (Send("s/name", each), Await(number + 1))
        ),
        {"id": tuple(f"{each!r} {count}" for each in IDS for count in (1, 2))},
        {("s/name", each): {"count": 2} for each in IDS},
    ),
    Scenario(
        "large values",
        "messages and state of millions of bytes are carried like small ones",
        growing,
        (Send("s/large", "a", "x"),),
        {"length": ("3000001",)},
        {("s/large", "a"): {"text": "x" + "ä" * 3_000_000}},
    ),
)
