"""The functions behind the recorded replies, as an application would write them.

Typenames and behaviour are those of the recording; neither time nor chance has a part in them.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from statefun import (
    BoolType,
    Context,
    DoubleType,
    FloatType,
    IntType,
    LongType,
    Message,
    StatefulFunctions,
    StringType,
    ValueSpec,
    egress_message_builder,
    kafka_egress_message,
    kinesis_egress_message,
    make_json_type,
    message_builder,
    simple_type,
)

__all__ = ["functions"]

functions = StatefulFunctions()

ORDER_TYPE = make_json_type("my.company/Order.v1")
RAW_TYPE = simple_type("my.company/raw", serialize_fn=bytes, deserialize_fn=bytes)


def milliseconds(count: int) -> timedelta:
    return timedelta(milliseconds=count)


def report(context: Context, text: str) -> None:
    """Say something to the outside."""
    context.send_egress(egress_message_builder("t/out", value=text, value_type=StringType))


@functions.bind("t/counter", specs=[ValueSpec("seen", IntType)])
def count(context: Context, message: Message) -> None:
    seen = (context.storage.seen or 0) + 1
    context.storage.seen = seen
    report(context, f"{context.address.id}:{seen}")


# ---------------------------------------------------------------------------------------- state

PRIMITIVES: dict[str, dict[str, Any]] = {
    "set": {
        "a_bool": True,
        "an_int": 42,
        "a_long": 1 << 40,
        "a_float": 1.5,
        "a_double": 2.5,
        "a_string": "hello",
    },
    "zero": {
        "a_bool": False,
        "an_int": 0,
        "a_long": 0,
        "a_float": 0.0,
        "a_double": 0.0,
        "a_string": "",
    },
    "extreme": {
        "a_bool": True,
        "an_int": -(1 << 31),
        "a_long": -(1 << 63),
        "a_float": -0.0,
        "a_double": float("-inf"),
        "a_string": "žluťoučký \0 🐿",
    },
}


@functions.bind(
    "t/primitives",
    specs=[
        ValueSpec("a_bool", BoolType),
        ValueSpec("an_int", IntType),
        ValueSpec("a_long", LongType),
        ValueSpec("a_float", FloatType),
        ValueSpec("a_double", DoubleType),
        ValueSpec("a_string", StringType),
    ],
)
def keep_primitives(context: Context, message: Message) -> None:
    match message.as_string():
        case "read":
            pass
        case "delete":
            for name in PRIMITIVES["set"]:
                delattr(context.storage, name)
        case order:
            assert order is not None
            for name, value in PRIMITIVES[order].items():
                setattr(context.storage, name, value)


@functions.bind(
    "t/custom", specs=[ValueSpec("order", ORDER_TYPE), ValueSpec("raw_bytes", RAW_TYPE)]
)
def keep_custom(context: Context, message: Message) -> None:
    first = context.storage.raw_bytes is None
    context.storage.order = {"id": 7, "lines": ["a", "ž"]}
    context.storage.raw_bytes = bytes(range(256)) if first else b""


@functions.bind(
    "t/expiring",
    specs=[
        ValueSpec("kept", StringType),
        ValueSpec("after_write", StringType, expire_after_write=timedelta(seconds=2)),
        ValueSpec("after_call", StringType, expire_after_call=timedelta(seconds=2)),
    ],
)
def keep_expiring(context: Context, message: Message) -> None:
    if message.as_string() == "set":
        context.storage.kept = "x"
        context.storage.after_write = "x"
        context.storage.after_call = "x"


@functions.bind("t/large", specs=[ValueSpec("blob", RAW_TYPE)])
def keep_large(context: Context, message: Message) -> None:
    context.storage.blob = message.raw_value()


@functions.bind("t/slow", specs=[ValueSpec("log", StringType)])
@functions.bind("t/durable", specs=[ValueSpec("log", StringType)])
async def append(context: Context, message: Message) -> None:
    context.storage.log = (context.storage.log or "") + (message.as_string() or "")


# ------------------------------------------------------------------------------------- messages


@functions.bind("t/fan")
def fan_out(context: Context, message: Message) -> None:
    for text in ("x", "y", "z"):
        context.send(message_builder("t/leaf", "leaf-1", str_value=text))


@functions.bind("t/leaf", specs=[ValueSpec("last", StringType)])
def answer_caller(context: Context, message: Message) -> None:
    context.storage.last = message.as_string()
    caller = context.caller
    assert caller is not None
    context.send(message_builder(f"{caller.typename}_sink", caller.id, str_value="done"))


@functions.bind("t/fan_sink")
@functions.bind("t/delayed_sink")
@functions.bind("t/quiet")
def ignore(context: Context, message: Message) -> None:
    pass


@functions.bind("t/delayed")
def delay(context: Context, message: Message) -> None:
    def later(text: str) -> Message:
        return message_builder("t/delayed_sink", context.address.id, str_value=text)

    match message.as_string():
        case "send":
            context.send_after(milliseconds(300), later("later"))
            context.send_after(milliseconds(0), later("zero"))
            context.send(later("direct"))
        case "token":
            context.send_after(milliseconds(700), later("never"), cancellation_token="tok-1")
            context.send_after(milliseconds(900), later("kept"), cancellation_token="tok-2")
        case "cancel":
            context.cancel_delayed_message("tok-1")
            context.cancel_delayed_message("unknown")
        case "resend":
            context.send_after(milliseconds(30_000), later("first"), cancellation_token="tok-3")
            context.cancel_delayed_message("tok-3")
            context.send_after(milliseconds(100), later("second"), cancellation_token="tok-3")


@functions.bind("t/everything", specs=[ValueSpec("n", LongType), ValueSpec("gone", StringType)])
def do_everything(context: Context, message: Message) -> None:
    context.storage.n = (context.storage.n or 0) + 1
    del context.storage.gone
    report(context, "egress")
    context.send(message_builder("t/quiet", "q", int_value=5))
    context.send_after(milliseconds(50), message_builder("t/quiet", "q", double_value=0.5))


# --------------------------------------------------------------------------------------- egress

KAFKA_RECORDS: list[dict[str, Any]] = [
    {"key": "k1", "value": "text ž"},
    {"value": b"\x00\xff"},
    {"key": "", "value": ""},
    {"key": "int", "value": 258},
    {"key": "float", "value": 1.5},
    {"key": "typed", "value": 7, "value_type": IntType},
]


@functions.bind("t/egress")
def emit(context: Context, message: Message) -> None:
    if message.as_string() == "generic":
        report(context, "hello")
        context.send_egress(egress_message_builder("t/out", {"k": 1}, ORDER_TYPE))
        return
    for record in KAFKA_RECORDS:
        context.send_egress(kafka_egress_message("t/kafka-out", "results", **record))


@functions.bind("t/from_kinesis")
def emit_to_kinesis(context: Context, message: Message) -> None:
    key = context.address.id
    context.send_egress(
        kinesis_egress_message(
            typename="t/kinesis-out", stream="out", value=f"re:{key}", partition_key=key
        )
    )
    context.send_egress(
        kinesis_egress_message(
            typename="t/kinesis-out",
            stream="out",
            value=b"\x00\xff",
            partition_key="žluť",
            explicit_hash_key="1",
        )
    )
