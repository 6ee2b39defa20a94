"""What `neighbour` does once `statefun` and another user of protobuf share its process."""

from __future__ import annotations

import asyncio
import struct
from typing import Any

from google.protobuf import descriptor_pool, message_factory

from statefun import (
    EgressMessage,
    IntType,
    Message,
    RequestReplyHandler,
    StatefulFunctions,
    ValueSpec,
    kafka_egress_message,
    make_protobuf_type,
    message_builder,
)
from statefun.sdk.wire import _proto
from statefun.sdk.wire._proto import FromFunction, KafkaProducerRecord, ToFunction, TypedValue
from tests.protocol.engine_schema import ENUMS, MESSAGES
from tests.protocol.mutations import mutated
from tests.protocol.observer import (
    REPLY_STOCK,
    STOCK,
    Observer,
    decoding_of,
    expected,
    expected_decoding_of,
)
from tests.protocol.payloads import PRIMITIVES, payloads, read_by_protobuf, read_by_us

__all__ = ["find_nested_classes", "greet", "mix_copies", "survive_mutations", "use_colours"]

ZERO = (float, struct.pack("<d", 0.0))
MINUS_ZERO = (float, struct.pack("<d", -0.0))
REQREPLY = "io.statefun.sdk.reqreply"


def message_class(full_name: str) -> Any:
    """A message class of the default pool, as generated code would have made it."""
    described = descriptor_pool.Default().FindMessageTypeByName(full_name)
    return message_factory.GetMessageClass(described)


def handled(function: Any, request: bytes, specs: Any = ()) -> bytes:
    functions = StatefulFunctions()
    functions.register("com.example/greeter", function, specs=list(specs))
    return RequestReplyHandler(functions).handle_sync(request)


def a_request(argument: Any, *state: Any) -> bytes:
    """A request to the greeter, made with our own classes; the argument may be of any pool."""
    request = ToFunction()
    target = request.invocation.target
    target.namespace, target.type, target.id = "com.example", "greeter", "Ada"
    request.invocation.invocations.add().argument.MergeFromString(argument.SerializeToString())
    for name, value in state:
        stored = request.invocation.state.add(state_name=name)
        if value is not None:
            stored.state_value.MergeFromString(value.SerializeToString())
    return request.SerializeToString()


def greet() -> None:
    """The greeter: one value, one message, one egress message, in the bytes the engines expect."""

    async def greet_once(context: Any, message: Any) -> None:
        seen = (context.storage.seen or 0) + 1
        context.storage.seen = seen
        greeting = f"Hello {message.as_string()} for the {seen}th time!"
        context.send(message_builder("com.example/inbox", "Ada", str_value=greeting))
        context.send_egress(kafka_egress_message("com.example/out", "greets", greeting, key="Ada"))
        await asyncio.sleep(0)

    name = TypedValue(typename="io.statefun.types/string", has_value=True, value=b"\x0a\x03Ada")
    once = TypedValue(typename="io.statefun.types/int", has_value=True, value=b"\x0d\x01\0\0\0")
    request = a_request(name, ("seen", once))
    result = FromFunction.FromString(handled(greet_once, request, [ValueSpec("seen", IntType)]))
    [mutation] = result.invocation_result.state_mutations
    [sent] = result.invocation_result.outgoing_messages
    [egress] = result.invocation_result.outgoing_egresses
    greeting = b"Hello Ada for the 2th time!"
    assert mutation.state_value.value == b"\x0d\x02\0\0\0", mutation
    assert sent.argument.value == b"\x0a" + bytes([len(greeting)]) + greeting, sent
    record = KafkaProducerRecord.FromString(egress.argument.value)
    assert (record.key, record.topic, record.value_bytes) == ("Ada", "greets", greeting), record


def find_nested_classes() -> None:
    """`FromFunction.Invocation` and its like are attributes, as they are of generated classes."""
    for full_name in MESSAGES:
        package, names = full_name.split(".")[:4], full_name.split(".")[4:]
        found: Any = _proto
        for name in names:
            found = getattr(found, name)
        assert found.DESCRIPTOR.full_name == ".".join([*package, *names])
    for full_name, members in ENUMS.items():
        outer, inner, enum = full_name.split(".")[4:]
        message = getattr(getattr(_proto, outer), inner)
        assert {name: getattr(message, name) for name in members} == members
        assert dict(getattr(message, enum).items()) == members


def use_colours() -> None:
    """Their message is a value of our types, on the way in, in the state, and on the way out."""
    colour = message_class("com.example.paint.Colour")
    colour_type = make_protobuf_type(colour)

    def paint(context: Any, message: Any) -> None:
        received = message.as_type(colour_type)
        assert isinstance(received, colour)
        context.storage.colour = received
        assert context.storage.colour == received
        context.send(
            message_builder("com.example/wall", "1", value=received, value_type=colour_type)
        )

    green = colour(name="green").SerializeToString()
    typename = "type.googleapis.com/com.example.paint.Colour"
    argument = TypedValue(typename=typename, has_value=True, value=green)
    request = a_request(argument, ("colour", None))
    result = FromFunction.FromString(handled(paint, request, [ValueSpec("colour", colour_type)]))
    [mutation] = result.invocation_result.state_mutations
    [sent] = result.invocation_result.outgoing_messages
    assert (mutation.state_value, sent.argument) == (argument, argument), result


def mix_copies() -> None:
    """Their values go through our messages, ours through theirs, and nothing is lost on the way."""
    theirs = message_class(f"{REQREPLY}.TypedValue")
    their_reply = message_class(f"{REQREPLY}.FromFunction")
    ours = TypedValue(typename="io.statefun.types/string", has_value=True, value=b"\x0a\x02hi")
    ours.metadata.add(key="trace", value=b"abc", has_value=True)
    foreign = theirs.FromString(ours.SerializeToString())

    def forward(context: Any, message: Any) -> None:
        built = Message("com.example/inbox", "1", foreign)
        assert (built.as_string(), built.value_typename()) == ("hi", ours.typename)
        assert [(each.key, each.value) for each in built.headers] == [("trace", b"abc")]
        context.send(built)
        context.send(Message("com.example/inbox", "2", message.typed_value))
        context.send_egress(EgressMessage("com.example/out", foreign))

    reply = handled(forward, a_request(foreign))
    result = their_reply.FromString(reply).invocation_result
    [first, second], [egress] = result.outgoing_messages, result.outgoing_egresses
    assert (first.target.namespace, first.target.type, first.target.id) == (
        "com.example",
        "inbox",
        "1",
    )
    assert first.argument == foreign, first
    assert second.argument == foreign, second
    assert egress.argument == foreign, egress
    their_type = make_protobuf_type(theirs)
    assert their_type.typename == f"type.googleapis.com/{REQREPLY}.TypedValue"
    assert their_type.serializer().deserialize(ours.SerializeToString()) == foreign


def survive_mutations() -> None:
    """Broken requests, replies and values are taken as this implementation takes them."""

    async def observe() -> None:
        observer = Observer()
        for seed in range(1_500):
            kind, body = mutated(STOCK, seed)
            outcome = await observer.outcome(body)
            assert outcome == expected(body), f"seed {seed}, {kind}: {body.hex()}: {outcome}"

    asyncio.run(observe())
    for seed in range(1_500):
        kind, body = mutated(REPLY_STOCK, seed)
        assert decoding_of(body) == expected_decoding_of(body), f"{seed}, {kind}: {body.hex()}"
    for name in PRIMITIVES:
        for payload in payloads(11, name, 500):
            theirs = unsigned(read_by_protobuf(name, payload))
            ours = [unsigned(outcome) for outcome in read_by_us(name, payload)]
            assert ours == [theirs, theirs], f"{name}: {payload.hex()}"


def unsigned(outcome: Any) -> Any:
    """What was read, without the sign of zero, which protobuf 4 drops where it is not compiled."""
    return ZERO if outcome == MINUS_ZERO else outcome
