"""Functions that keep account of every message; run by the processes of the tests beside."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path

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
    make_json_type,
    message_builder,
    simple_type,
)

EGRESS = "io.statefun.playground/egress"
SEEN = make_json_type("com.example/seen")
RECORD = make_json_type("io.statefun.playground/EgressRecord")
RAW = simple_type("com.example/raw", bytes, bytes)
TYPES = (BoolType, IntType, LongType, FloatType, DoubleType, StringType, RAW)

functions = StatefulFunctions()


@functions.bind("com.example/account", specs=[ValueSpec("seen", SEEN)])
async def account(context: Context, message: Message) -> None:
    """Count how often each message came, tell the total, and write a record."""
    name = message.as_string()
    seen = context.storage.seen or {}
    seen[name] = seen.get(name, 0) + 1
    context.storage.seen = seen
    context.send(message_builder("com.example/total", "all", int_value=1))
    record = {"topic": "accounts", "payload": name}
    context.send_egress(egress_message_builder(EGRESS, record, RECORD))


@functions.bind("com.example/total", specs=[ValueSpec("total", IntType)])
def total(context: Context, message: Message) -> None:
    """Add up."""
    context.storage.total = (context.storage.total or 0) + (message.as_int() or 0)


@functions.bind(
    "com.example/types",
    specs=[ValueSpec(each.typename.rpartition("/")[2], each) for each in TYPES],
)
def types(context: Context, message: Message) -> None:
    """Keep the message under the name of its type."""
    for each in TYPES:
        if message.is_type(each):
            setattr(context.storage, each.typename.rpartition("/")[2], message.as_type(each))


@functions.bind(
    "com.example/short",
    specs=[ValueSpec("brief", StringType, expire_after_write=timedelta(milliseconds=1))],
)
def short(context: Context, message: Message) -> None:
    """Keep something for a moment."""
    context.storage.brief = "gone"


@functions.bind("com.example/later")
def later(context: Context, message: Message) -> None:
    """Send something in an hour, with a token."""
    reminder = message_builder("com.example/account", "later", str_value="reminder")
    context.send_after(timedelta(hours=1), reminder, "token")
    context.send_egress(kafka_egress_message(EGRESS, "accounts", b"\x00set", key="the key"))


@functions.bind("com.example/interrupted")
def interrupted(context: Context, message: Message) -> None:
    """Interrupt the process."""
    raise KeyboardInterrupt


@functions.bind("com.example/slow", specs=[ValueSpec("ended", BoolType)])
async def slow(context: Context, message: Message) -> None:
    """Say that it has begun, and go on until it is told to end; through two named pipes."""
    await asyncio.to_thread(Path("begun").write_text, "x")
    await asyncio.to_thread(Path("may_end").read_text)
    context.storage.ended = True
