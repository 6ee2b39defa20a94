"""The user's program both SDKs run: a script inside the message says what to do.

Written as users write: `from statefun import *`, no other import than the standard library and
protobuf, which the SDK brings. Everything a function sees goes out again as a trace, so that the
replies tell what was observed.
"""
# ruff: noqa: F403, F405

import asyncio
import functools
import json
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

from google.protobuf.wrappers_pb2 import StringValue

from statefun import *


class Boom(Exception):  # noqa: N818 - a user's own exception, named as users do
    """Something went wrong in the user's code."""


class Index:
    """Anything with `__index__`."""

    def __init__(self, number: int) -> None:
        self.number = number

    def __index__(self) -> int:
        return self.number


class Floating:
    """Anything with `__float__`."""

    def __init__(self, number: float) -> None:
        self.number = number

    def __float__(self) -> float:
        return self.number


def same(value: Any) -> Any:
    return value


def exploding(_: Any) -> bytes:
    raise Boom("in a serializer")


def as_text(value: Any) -> Any:
    return json.dumps(value)


JSON = make_json_type("fuzz/json")
RAW = simple_type("fuzz/raw", same, same)
TYPES: dict[str, Any] = {
    "bool": BoolType,
    "int": IntType,
    "long": LongType,
    "float": FloatType,
    "double": DoubleType,
    "string": StringType,
    "json": JSON,
    "raw": RAW,
    "proto": make_protobuf_type(StringValue),
    "proto-elsewhere": make_protobuf_type(StringValue, namespace="else.where"),
    "boom": simple_type("fuzz/boom", exploding, exploding),
    "text": simple_type("fuzz/json", as_text, json.loads),
}
PRIMITIVES = ("bool", "int", "long", "float", "double", "string")
SCRIPT = make_json_type("fuzz/script")
TRACE = make_json_type("fuzz/trace")

EXCEPTIONS: dict[str, type[Exception]] = {
    "Boom": Boom,
    "KeyError": KeyError,
    "RuntimeError": RuntimeError,
    "TypeError": TypeError,
    "ValueError": ValueError,
    "AttributeError": AttributeError,
}
MAKERS: dict[str, Callable[[Any], Any]] = {
    "bytes": bytes.fromhex,
    "bytearray": bytearray.fromhex,
    "memoryview": lambda text: memoryview(bytes.fromhex(text)),
    "decimal": Decimal,
    "fraction": Fraction,
    "index": Index,
    "floating": Floating,
    "complex": complex,
    "proto": lambda text: StringValue(value=text),
    "object": lambda _: object(),
}


def made(value: Any) -> Any:
    """A Python object from its description in JSON."""
    if isinstance(value, dict) and len(value) == 1:
        [(kind, argument)] = value.items()
        if kind in MAKERS:
            return MAKERS[kind](argument)
    return value


def seen(value: Any) -> Any:
    """What the function sees of a value, as JSON."""
    if hasattr(value, "SerializeToString"):
        return [type(value).__name__, value.SerializeToString(deterministic=True).hex()]
    return [type(value).__name__, repr(value)]


def classes(exc: BaseException | None) -> list[list[str]]:
    """The classes of an exception, then those of its causes."""
    chain = []
    while exc is not None:
        names = [f"{c.__module__}.{c.__qualname__}" for c in type(exc).__mro__]
        plain = [name.removeprefix("builtins.") for name in names]
        chain.append([name for name in plain if name not in ("object", "BaseException")])
        exc = exc.__cause__
    return chain


# -- the steps of a script --------------------------------------------------------------------


def read(context: Context, message: Message, name: str) -> Any:
    return seen(getattr(context.storage, name))


def write(context: Context, message: Message, name: str, value: Any) -> None:
    setattr(context.storage, name, made(value))


def delete(context: Context, message: Message, name: str) -> None:
    delattr(context.storage, name)


def write_then_change(context: Context, message: Message, name: str, value: Any) -> Any:
    setattr(context.storage, name, value)
    value["changed"] = "after the assignment"
    return seen(getattr(context.storage, name))


def change_what_was_read(context: Context, message: Message, name: str) -> Any:
    first = getattr(context.storage, name)
    if isinstance(first, dict):
        first["changed"] = "after the read"
    if isinstance(first, list):
        first.append("after the read")
    return seen(getattr(context.storage, name))


def look(context: Context, message: Message) -> Any:
    typed_value = message.typed_value
    return [
        seen(context.address),
        seen(context.caller),
        message.target_typename,
        message.target_id,
        message.value_typename(),
        seen(message.raw_value()),
        [getattr(message, "is_" + name)() for name in PRIMITIVES],
        [name for name, value_type in TYPES.items() if message.is_type(value_type)],
        [typed_value.typename, typed_value.has_value, seen(typed_value.value)],
    ]


def as_primitive(context: Context, message: Message, name: str) -> Any:
    return seen(getattr(message, "as_" + name)())


def as_its_type(context: Context, message: Message) -> Any:
    for name, value_type in TYPES.items():
        if message.is_type(value_type):
            again = as_primitive(context, message, name) if name in PRIMITIVES else None
            return [name, seen(message.as_type(value_type)), again]
    return None


def as_anything(context: Context, message: Message) -> Any:
    """A message without a value can be read as any type; one with a value only as its own."""
    if message.raw_value() is not None:
        return as_its_type(context, message)
    return [message.as_type(value_type) for value_type in TYPES.values()] + [
        getattr(message, "as_" + name)() for name in PRIMITIVES
    ]


def as_type(context: Context, message: Message, name: str) -> Any:
    return seen(message.as_type(TYPES[name]))


def built(typename: str, target_id: str, keywords: dict[str, Any]) -> Message:
    keywords = {name: made(value) for name, value in keywords.items()}
    if isinstance(keywords.get("value_type"), str):
        keywords["value_type"] = TYPES[keywords["value_type"]]
    return message_builder(typename, target_id, **keywords)


def send(context: Context, message: Message, *parts: Any) -> None:
    context.send(built(*parts))


def send_then_change(context: Context, message: Message, typename: str, value: Any) -> None:
    context.send(message_builder(typename, "1", value=value, value_type=JSON))
    value["changed"] = "after the send"


def send_twice(context: Context, message: Message, *parts: Any) -> None:
    made_once = built(*parts)
    context.send(made_once)
    context.send_after(timedelta(seconds=1), made_once)
    context.send(made_once)


def send_after(
    context: Context, message: Message, micros: int, token: list[Any], *parts: Any
) -> None:
    context.send_after(timedelta(microseconds=micros), built(*parts), *token)


def cancel(context: Context, message: Message, token: Any) -> None:
    context.cancel_delayed_message(token)


def forward(context: Context, message: Message, typename: str, target_id: str) -> None:
    context.send(Message(typename, target_id, message.typed_value))


def forward_to_egress(context: Context, message: Message, typename: str) -> None:
    context.send_egress(EgressMessage(typename, message.typed_value))


def reply(context: Context, message: Message, value: Any) -> Any:
    caller = context.caller
    if caller is None or not (caller.namespace and caller.name):
        return "nobody to reply to"
    context.send(message_builder(caller.typename, caller.id or "nobody", int_value=value))
    return None


def look_at_built(context: Context, message: Message, *parts: Any) -> Any:
    """A message that was built can be looked at like one that came in."""
    return [look(context, built(*parts)), as_its_type(context, built(*parts))]


def egress(context: Context, message: Message, typename: str, value: Any, name: str) -> Any:
    out = egress_message_builder(typename, made(value), TYPES[name])
    context.send_egress(out)
    return [out.typename, out.value_typename(), seen(out.raw_value())]


def kafka(context: Context, message: Message, typename: str, keywords: dict[str, Any]) -> Any:
    out = kafka_egress_message(typename, **_egress_keywords(keywords))
    context.send_egress(out)
    return [out.typename, out.value_typename()]


def kinesis(context: Context, message: Message, typename: str, keywords: dict[str, Any]) -> Any:
    out = kinesis_egress_message(typename, **_egress_keywords(keywords))
    context.send_egress(out)
    return [out.typename, out.value_typename()]


def _egress_keywords(keywords: dict[str, Any]) -> dict[str, Any]:
    keywords = {name: made(value) for name, value in keywords.items()}
    if isinstance(keywords.get("value_type"), str):
        keywords["value_type"] = TYPES[keywords["value_type"]]
    return keywords


def send_nonsense(context: Context, message: Message, method: str, value: Any) -> None:
    """Something that is no message, given to one of the context's four methods."""
    if method == "send_after":
        context.send_after(timedelta(seconds=1), made(value))
    else:
        getattr(context, method)(made(value))


def send_egress_message_as_message(context: Context, message: Message) -> None:
    context.send(egress_message_builder("fuzz/out", 1, IntType))  # type: ignore[arg-type]


def fail(context: Context, message: Message, name: str) -> None:
    raise EXCEPTIONS[name]("the script says so")


STEPS: dict[str, Callable[..., Any]] = {
    step.__name__: step
    for step in (
        *(read, write, delete, write_then_change, change_what_was_read),
        *(look, as_primitive, as_its_type, as_anything, as_type, look_at_built),
        *(send, send_then_change, send_twice, send_after, cancel, forward, reply),
        *(egress, kafka, kinesis, forward_to_egress),
        *(send_nonsense, send_egress_message_as_message, fail),
    )
}


def play(context: Context, message: Message) -> None:
    """Do what the message's script says; what was seen and what was caught goes out at the end."""
    trace = []
    script = message.as_type(SCRIPT) if message.is_type(SCRIPT) else None
    for step in script or [{"do": ["look"]}, {"do": ["as_anything"]}]:
        name, *parts = step["twin"] if plays_twins and "twin" in step else step["do"]
        try:
            trace.append(STEPS[name](context, message, *parts))
        except Exception as exc:
            if not step.get("caught"):
                raise
            trace.append({"raised": classes(exc)})
    context.send_egress(egress_message_builder("fuzz/trace", trace, TRACE))


plays_twins = False
"""Whether a step with a twin is replaced by it; see `generate.py`."""

# -- the functions ----------------------------------------------------------------------------

functions = StatefulFunctions()

EVERYTHING = [
    *(ValueSpec(name + "_value", TYPES[name]) for name in (*PRIMITIVES, "json", "raw", "proto")),
    ValueSpec("get", IntType),
    ValueSpec("items", JSON),
    ValueSpec("_values", StringType),
    ValueSpec("größe", StringType),
]


@functions.bind("fuzz/sync", specs=EVERYTHING)
def sync(context: Context, message: Message) -> None:
    play(context, message)


@functions.bind("fuzz/async", specs=EVERYTHING)
async def later(context: Context, message: Message) -> None:
    await asyncio.sleep(0)
    play(context, message)
    await asyncio.sleep(0)


@functions.bind("fuzz/stateless")
def stateless(context: Context, message: Message) -> None:
    play(context, message)


@functions.bind(
    "fuzz/name/with/slashes",
    specs=[
        ValueSpec("int_value", IntType, expire_after_write=timedelta(seconds=1)),
        ValueSpec("json_value", JSON, expire_after_call=timedelta(days=30)),
        ValueSpec("string_value", StringType),
    ],
)
def expiring(context: Context, message: Message) -> None:
    play(context, message)


async def with_prefix(prefix: str, context: Context, message: Message) -> None:
    await later(context, message)


functions.register(
    "fuzz/partial", functools.partial(with_prefix, "p"), [ValueSpec("long_value", LongType)]
)

FUNCTIONS: dict[str, list[str]] = {
    "fuzz/sync": [spec.name for spec in EVERYTHING],
    "fuzz/async": [spec.name for spec in EVERYTHING],
    "fuzz/stateless": [],
    "fuzz/name/with/slashes": ["int_value", "json_value", "string_value"],
    "fuzz/partial": ["long_value"],
}
handler = RequestReplyHandler(functions)
