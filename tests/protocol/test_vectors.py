"""What engines really sent is understood, and answered as the old SDK answered it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from statefun import (
    Context,
    EgressMessage,
    Message,
    RequestReplyHandler,
    StatefulFunctions,
    StringType,
    egress_message_builder,
    kafka_egress_message,
    message_builder,
)
from statefun.sdk.address import Address
from statefun.sdk.wire import Invocation, StoredValue, encode_request
from statefun.sdk.wire._proto import FromFunction, KafkaProducerRecord, ToFunction, TypedValue
from tests.protocol.captured_functions import functions
from tests.protocol.exchanges import OLD_SDK, Exchange, bodies_with_headers, recorded

EXCHANGES = recorded()
BY_OLD_SDK = [exchange for exchange in EXCHANGES if exchange.by == OLD_SDK]
BODIES = bodies_with_headers()

Headers = list[tuple[str, bytes | None]]
TWO: Headers = [("trace", b"abc"), ("tenant", "žluť".encode())]
REPEATED: Headers = [("h", b"1"), ("other", b"\x00\xff"), ("h", b"2")]
NULL_AND_EMPTY: Headers = [("null", None), ("empty", b"")]


def meaning(reply: bytes) -> Any:
    """A reply without the two freedoms of the protocol: silence, and the order of names."""
    message = FromFunction.FromString(reply)
    match message.WhichOneof("response"):
        case None:
            message.invocation_result.SetInParent()
        case "invocation_result":
            message.invocation_result.state_mutations.sort(key=lambda value: value.state_name)
        case "incomplete_invocation_context":
            missing = message.incomplete_invocation_context.missing_values
            missing.sort(key=lambda value: value.state_name)
    return message


def address(of: Any) -> Address:
    return Address(f"{of.namespace}/{of.type}", of.id)


def stored_value(of: Any) -> StoredValue | None:
    value = of.state_value
    return StoredValue(value.typename, value.value) if of.HasField("state_value") else None


def invocation(of: Any) -> Invocation:
    caller = address(of.caller) if of.HasField("caller") else None
    return Invocation(caller, of.argument.SerializeToString())


def kafka_record(reply: bytes) -> tuple[Any, Any]:
    """The one Kafka record of a reply, and the reply without the record's bytes."""
    message = meaning(reply)
    argument = message.invocation_result.outgoing_egresses[0].argument
    record = KafkaProducerRecord.FromString(argument.value)
    argument.ClearField("value")
    return record, message


async def reply_of(*outgoing: Message | EgressMessage) -> bytes:
    """The reply of a function that sends what it is given here."""
    bound = StatefulFunctions()

    @bound.bind("t/headers")
    def send(context: Context, message: Message) -> None:
        for thing in outgoing:
            if isinstance(thing, Message):
                context.send(thing)
            else:
                context.send_egress(thing)

    return await RequestReplyHandler(bound).handle_async(BODIES["005-headers-none.request"])


async def received(request: bytes) -> Message:
    """The one message of a request to `t/headers`, as the function gets it."""
    bound = StatefulFunctions()
    messages: list[Message] = []

    @bound.bind("t/headers")
    def receive(context: Context, message: Message) -> None:
        messages.append(message)

    await RequestReplyHandler(bound).handle_async(request)
    [message] = messages
    return message


def test_no_recording_is_missing() -> None:
    """There are 94 exchanges, 51 of them answered by the old SDK, and 7 bodies with headers."""
    counted = (len(EXCHANGES), len(BY_OLD_SDK), len(BODIES))

    assert counted == (94, 51, 7)


@pytest.mark.parametrize("exchange", EXCHANGES, ids=str)
def test_a_recorded_request_holds_nothing_that_the_schema_does_not_name(exchange: Exchange) -> None:
    """A request decodes without unknown fields and re-encodes to an equal message."""
    decoded = ToFunction.FromString(exchange.request)

    known = ToFunction.FromString(exchange.request)
    known.DiscardUnknownFields()

    assert known == decoded
    assert ToFunction.FromString(decoded.SerializeToString()) == decoded


@pytest.mark.parametrize("exchange", EXCHANGES, ids=str)
def test_a_recorded_request_comes_out_of_our_own_engine_side(exchange: Exchange) -> None:
    """`encode_request` says what the engine said."""
    recorded_request = ToFunction.FromString(exchange.request)
    batch = recorded_request.invocation
    state = {each.state_name: stored_value(each) for each in batch.state}

    request = encode_request(address(batch.target), state, map(invocation, batch.invocations))

    assert ToFunction.FromString(request) == recorded_request


@pytest.mark.parametrize("exchange", BY_OLD_SDK, ids=str)
async def test_a_reply_of_the_old_sdk_comes_out_again(exchange: Exchange) -> None:
    """The same functions give the old SDK's reply to every recorded request."""
    handler = RequestReplyHandler(functions)

    reply = await handler.handle_async(exchange.request)

    assert meaning(reply) == meaning(exchange.reply)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("001-headers", TWO),
        ("002-headers-repeated-key-in-order", REPEATED),
        ("003-headers-null-and-empty-value", NULL_AND_EMPTY),
        ("004-headers-from-function", TWO),
        ("005-headers-none", []),
    ],
)
async def test_headers_are_read_as_they_were_sent(name: str, expected: Headers) -> None:
    """Order and duplicates are kept, and a null value is not an empty one."""
    message = await received(BODIES[f"{name}.request"])

    assert [(header.key, header.value) for header in message.headers] == expected
    assert isinstance(message.headers, tuple)


async def test_headers_do_not_disturb_the_value() -> None:
    """A message with headers reads like the same message without."""
    plain = await received(BODIES["005-headers-none.request"])
    adorned = await received(BODIES["001-headers.request"])

    assert (adorned.value_typename(), adorned.as_string()) == (StringType.typename, "hello")
    assert (adorned.value_typename(), adorned.raw_value()) == (
        plain.value_typename(),
        plain.raw_value(),
    )


@pytest.mark.parametrize("name", [name for name in sorted(BODIES) if name.endswith("request")])
async def test_a_forwarded_message_keeps_its_headers(name: str) -> None:
    """A message made from another message's `typed_value` says all that the other one said."""
    sent = ToFunction.FromString(BODIES[name]).invocation.invocations[0].argument
    message = await received(BODIES[name])

    reply = await reply_of(Message("t/other", "1", message.typed_value))

    [forwarded] = meaning(reply).invocation_result.outgoing_messages
    assert forwarded.argument == sent


async def test_a_built_message_carries_headers_as_the_engine_reads_them() -> None:
    """`message_builder(headers=...)` gives the constructed reply."""
    message = message_builder("t/other", "1", str_value="hello", headers=TWO)

    reply = await reply_of(message)

    assert meaning(reply) == meaning(BODIES["006-message-with-headers.reply"])


async def test_a_kafka_record_carries_headers_as_the_engine_reads_them() -> None:
    """`kafka_egress_message(headers=...)` gives the constructed record and envelope."""
    headers = [*REPEATED, *NULL_AND_EMPTY]
    record = kafka_egress_message("t/kafka-out", "results", "text", key="k1", headers=headers)

    reply = await reply_of(record)

    assert kafka_record(reply) == kafka_record(BODIES["007-kafka-record-with-headers.reply"])


async def test_a_generic_egress_message_carries_headers() -> None:
    """`egress_message_builder(headers=...)` puts them where a message has them."""
    expected = TypedValue(typename=StringType.typename, has_value=True, value=b"\x0a\x02hi")
    expected.metadata.add(key="h", value=b"1", has_value=True)
    expected.metadata.add(key="null")
    expected.metadata.add(key="empty", has_value=True)
    message = egress_message_builder(
        "t/out", "hi", StringType, headers=[("h", b"1"), *NULL_AND_EMPTY]
    )

    reply = await reply_of(message)

    [outgoing] = meaning(reply).invocation_result.outgoing_egresses
    assert outgoing.argument == expected


async def test_a_delayed_message_carries_headers() -> None:
    """Headers travel on messages that wait, too."""
    bound = StatefulFunctions()
    message = message_builder("t/other", "1", str_value="hello", headers=TWO)

    @bound.bind("t/headers")
    def wait(context: Context, _: Message) -> None:
        context.send_after(timedelta(milliseconds=5), message)

    reply = await RequestReplyHandler(bound).handle_async(BODIES["005-headers-none.request"])

    [direct] = meaning(BODIES["006-message-with-headers.reply"]).invocation_result.outgoing_messages
    [delayed] = meaning(reply).invocation_result.delayed_invocations
    assert (delayed.target, delayed.argument) == (direct.target, direct.argument)
