"""Scenarios about state."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

from statefun.sdk.functions import StatefulFunctions
from statefun.sdk.primitives import BoolType, DoubleType, FloatType, IntType, LongType, StringType
from statefun.sdk.specs import ValueSpec
from statefun.sdk.types import make_json_type, simple_type
from tests.tools.scenarios.scenario import Await, InTime, Mark, Pause, Scenario, Send, paced, tell

if TYPE_CHECKING:
    from statefun.sdk.context import Context
    from statefun.sdk.messages import Message

JSON = make_json_type("s.types/json")
BYTES = simple_type("s.types/bytes", bytes, bytes)

ALL = [
    ValueSpec("a_bool", BoolType),
    ValueSpec("an_int", IntType),
    ValueSpec("a_long", LongType),
    ValueSpec("a_float", FloatType),
    ValueSpec("a_double", DoubleType),
    ValueSpec("a_string", StringType),
    ValueSpec("some_json", JSON),
    ValueSpec("some_bytes", BYTES),
]
EXTREMES = {
    "a_bool": True,
    "an_int": -(2**31),
    "a_long": 2**63 - 1,
    "a_float": -0.5,
    "a_double": float("-inf"),
    "a_string": "Grüße\n\0🌍",
    "some_json": {"ä": [1, None]},
    "some_bytes": b"\x00\xff",
}
OTHER_EXTREMES = {
    "a_bool": True,
    "an_int": 2**31 - 1,
    "a_long": -(2**63),
    "a_float": -0.0,
    "a_double": 5e-324,
    "a_string": "\x7f\u2028'\"\\",
    "some_json": [[[]], "", 0.1],
    "some_bytes": bytes(range(256)),
}
ZEROS = {
    "a_bool": False,
    "an_int": 0,
    "a_long": 0,
    "a_float": 0.0,
    "a_double": 0.0,
    "a_string": "",
    "some_json": {},
    "some_bytes": b"",
}
STORED_ZEROS = ZEROS | {"some_json": b"{}"}
"""A type that is not built in shows its bytes."""

SETS: dict[str, dict[str, object]] = {
    "extremes": EXTREMES,
    "other extremes": OTHER_EXTREMES,
    "zeros": ZEROS,
}


def every_type() -> StatefulFunctions:
    functions = StatefulFunctions()

    @functions.bind("s/values", specs=ALL)
    async def values(context: Context, message: Message) -> None:
        for name in EXTREMES:
            tell(context, name, repr(getattr(context.storage, name)))
        for name, value in SETS.get(message.as_string() or "", {}).items():
            setattr(context.storage, name, value)

    return functions


def deleting() -> StatefulFunctions:
    functions = StatefulFunctions()

    @functions.bind("s/delete", specs=[ValueSpec("text", StringType), ValueSpec("n", IntType)])
    async def delete(context: Context, message: Message) -> None:
        command = message.as_string()
        if command == "set":
            context.storage.text = "here"
        elif command == "delete":
            del context.storage.text
        elif command == "delete and set":
            del context.storage.text
            context.storage.text = "again"
        elif command == "set and delete":
            context.storage.text = "never seen"
            del context.storage.text
        context.storage.n = (context.storage.n or 0) + 1
        tell(context, "text", f"{command}: {context.storage.text}")

    return functions


def expiring(ttl_ms: int) -> StatefulFunctions:
    functions = StatefulFunctions()
    ttl = timedelta(milliseconds=ttl_ms)
    specs = [
        ValueSpec("written", IntType, expire_after_write=ttl),
        ValueSpec("called", IntType, expire_after_call=ttl),
        ValueSpec("kept", IntType),
    ]

    @functions.bind("s/expire", specs=specs)
    async def expire(context: Context, message: Message) -> None:
        storage = context.storage
        if message.as_string() == "set":
            storage.written = storage.called = storage.kept = 1
        tell(context, "seen", f"{storage.written} {storage.called} {storage.kept}")

    return functions


def late_values() -> StatefulFunctions:
    """Two functions share an id; each has values of its own, under the same name."""
    functions = StatefulFunctions()

    @functions.bind("s/one", specs=[ValueSpec("n", IntType)])
    async def one(context: Context, message: Message) -> None:
        context.storage.n = (context.storage.n or 0) + 1
        tell(context, f"one {context.address.id}", context.storage.n)

    @functions.bind("s/two", specs=[ValueSpec("n", StringType)])
    async def two(context: Context, message: Message) -> None:
        context.storage.n = (context.storage.n or "") + "+"
        tell(context, f"two {context.address.id}", context.storage.n)

    return functions


def asked_for() -> StatefulFunctions:
    functions, calls = StatefulFunctions(), list[str]()
    specs = [ValueSpec("n", IntType), ValueSpec("last", StringType)]

    @functions.bind("s/asked", specs=specs)
    async def asked(context: Context, message: Message) -> None:
        calls.append(context.address.id)
        storage = context.storage
        storage.n = (storage.n or 0) + 1
        tell(context, context.address.id, f"call {calls.count(context.address.id)} {storage.last}")
        storage.last = message.as_string()

    return functions


def expiration(pace: int) -> Scenario:
    ttl_ms = 1200 * pace
    return Scenario(
        "expiration",
        "one value lives on by being called, another only by being written, a third for ever",
        partial(expiring, ttl_ms),
        (
            Mark("written"),
            Send("s/expire", "a", "set"),
            Await(1),
            Pause(750 * pace),
            Mark("called"),
            Send("s/expire", "a", "look"),
            Await(2),
            InTime("written", ttl_ms),
            Pause(750 * pace),
            Send("s/expire", "a", "look"),
            Await(3),
            InTime("called", ttl_ms),
            Pause(1500 * pace),
            Send("s/expire", "a", "look"),
        ),
        {"seen": ("1 1 1", "1 1 1", "None 1 1", "None None 1")},
        {("s/expire", "a"): {"kept": 1}},
    )


SCENARIOS = (
    Scenario(
        "every type",
        "a value of any type comes back as it was set; zero and empty are values",
        every_type,
        (
            *(Send("s/values", "a", command) for command in (*SETS, "look")),
            Await(32),
            Send("s/values", "b", "look"),
        ),
        {
            name: ("None", *(repr(values[name]) for values in SETS.values()), "None")
            for name in EXTREMES
        },
        {("s/values", "a"): STORED_ZEROS, ("s/values", "b"): {}},
    ),
    Scenario(
        "values before the call",
        "a function is called when its values are there: once for a message, the first one too",
        asked_for,
        tuple(Send("s/asked", each, text) for text in ("x", "y") for each in "ab"),
        dict.fromkeys("ab", ("call 1 None", "call 2 x")),
        {("s/asked", each): {"n": 2, "last": "y"} for each in "ab"},
    ),
    Scenario(
        "deleted values",
        "a deleted value is absent; deleting an absent one does nothing; the last change counts",
        deleting,
        tuple(
            Send("s/delete", "a", command)
            for command in ("set", "delete", "delete", "set", "delete and set", "set and delete")
        ),
        {
            "text": (
                "set: here",
                "delete: None",
                "delete: None",
                "set: here",
                "delete and set: again",
                "set and delete: None",
            )
        },
        {("s/delete", "a"): {"n": 6}},
    ),
    paced(expiration),
    Scenario(
        "isolated values",
        "values belong to one function and one id",
        late_values,
        (
            Send("s/one", "a"),
            Send("s/two", "a"),
            Send("s/one", "a"),
            Send("s/two", "b"),
            Send("s/two", "a"),
        ),
        {"one a": ("1", "2"), "two a": ("+", "++"), "two b": ("+",)},
        {("s/one", "a"): {"n": 2}, ("s/two", "a"): {"n": "++"}, ("s/two", "b"): {"n": "+"}},
    ),
)
