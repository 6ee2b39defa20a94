"""Requests are read from their bytes where these have the usual form, and by protobuf where not.

Nobody may see which of the two it was: every observation is compared with protobuf's objects.
"""

from __future__ import annotations

from collections import Counter
from functools import partial
from random import Random
from typing import TYPE_CHECKING, Any

from statefun import Context, Message, RequestReplyHandler, StatefulFunctions, ValueSpec
from statefun.errors import (
    IncompleteRequestError,
    RemoteProtocolError,
    SerializationError,
    StatefunError,
    TypeMismatchError,
    UnknownFunctionError,
)
from statefun.sdk.primitives import StringType
from statefun.sdk.types import simple_type
from statefun.sdk.wire import encode_typed_value
from statefun.sdk.wire._proto import Address as WireAddress
from statefun.sdk.wire._proto import FromFunction, ToFunction
from statefun.sdk.wire.framing import delimited
from tests.protocol.mutations import Stock, mutated
from tests.protocol.payloads import PRIMITIVES
from tests.protocol.wiretree import BYTES, END, Field, decode, varint

if TYPE_CHECKING:
    from collections.abc import Callable

REQUESTS = 8_000
OWN = simple_type("t/own", bytes, bytes)
TYPES = [value_type for value_type, _ in PRIMITIVES.values()] + [OWN]
SPECS = [
    ValueSpec(f"a_{value_type.typename.rpartition('/')[2]}", value_type) for value_type in TYPES
]
# Requests of the second are short, and so are cut into pieces by hand.
SPECS_OF = {"t/f": SPECS, "t/g": SPECS[1:2]}
VALUES: dict[str, list[Any]] = {
    "bool": [False, True],
    "int": [0, 5, -1],
    "float": [0.0, 1.5],
    "long": [0, 1 << 40],
    "double": [0.0, -2.25],
    "string": ["", "Bob", "ž" * 20, "x" * 94, "x" * 95, "x" * 125, "x" * 127, "x" * 300],
}


def payload(chance: Random, value_type: Any) -> bytes:
    if value_type is OWN:
        return chance.choice([b"", b"own", bytes(100), bytes(128)])
    name = value_type.typename.rpartition("/")[2]
    wrapper = PRIMITIVES[name][1]
    return bytes(wrapper(value=chance.choice(VALUES[name])).SerializeToString())


def request(seed: int) -> bytes:
    """A request as an engine sends it, with one message or some."""
    chance = Random(seed)
    built = ToFunction()
    target = built.invocation.target
    target.namespace, target.type = "t", chance.choice(["f", "g"])
    target.id = chance.choice(["", "1", "ž", "x" * 130])
    specs = SPECS_OF[f"t/{target.type}"]
    for spec in specs if chance.random() < 0.7 else chance.sample(specs, len(specs)):
        value = built.invocation.state.add(state_name=spec.name).state_value
        if chance.random() < 0.6:
            value.typename, value.has_value = spec.type.typename, True
            value.value = payload(chance, spec.type)
    for _ in range(chance.choice([1, 1, 1, 2, 9])):
        invocation = built.invocation.invocations.add()
        value_type = chance.choice(TYPES)
        invocation.argument.typename, invocation.argument.has_value = value_type.typename, True
        invocation.argument.value = payload(chance, value_type)
        if chance.random() < 0.5:
            invocation.caller.namespace, invocation.caller.type = "t", "caller"
            invocation.caller.id = chance.choice(["", "2", "x" * 130])
    if chance.random() < 0.1:
        del built.invocation.state[0]
    return built.SerializeToString()


def built(target: bytes, *invocations: bytes) -> bytes:
    """A request with these pieces."""
    messages = b"".join(delimited(b"\x1a", each) for each in invocations)
    return delimited(b"\xa2\x06", target + messages)


STOCK = Stock([request(seed) for seed in range(300)], ToFunction.DESCRIPTOR)


def overlong(fields: list[Field], chance: Random) -> bytes:
    """The fields with some lengths in more bytes than they need, which protobuf takes."""
    encoded = b""
    for field in fields:
        nested = field.content
        content = overlong(nested, chance) if isinstance(nested, list) else field.delimited()
        length = varint(len(content))
        if chance.random() < 0.1:
            length = (
                length[:-1] + bytes([length[-1] | 0x80]) + b"\x80" * chance.randint(0, 2) + b"\0"
            )
        assert field.wire != END
        encoded += varint(field.number << 3 | field.wire)
        encoded += length + content if field.wire == BYTES else content
    return encoded


# --- as protobuf reads them -----------------------------------------------------------------------


def parsed(name: str, data: bytes) -> str:
    """What a built-in type makes of its bytes."""
    try:
        return repr(PRIMITIVES[name][1].FromString(data).value)
    except Exception:  # noqa: BLE001 - the implementations of protobuf disagree about the class
        return "refused"


def reading(value: Any, value_type: Any, lenient: bool) -> str:  # noqa: FBT001
    """What reading a TypedValue as a type should give."""
    if not value.has_value:
        return "None"
    if value.typename != value_type.typename and not lenient:
        return "mismatch"
    if value_type is OWN:
        return repr(value.value)
    return parsed(value_type.typename.rpartition("/")[2], value.value)


def names(address: Any) -> tuple[str, str, str]:
    return address.namespace, address.type, address.id


def expected(body: bytes) -> Any:
    try:
        batch = ToFunction.FromString(body).invocation
    except Exception:  # noqa: BLE001 - as above
        return RemoteProtocolError
    target = names(batch.target)
    if not any(target):
        return IncompleteRequestError
    specs = SPECS_OF.get(f"{target[0]}/{target[1]}")
    if specs is None:
        return UnknownFunctionError
    state = {value.state_name: value.state_value for value in batch.state}
    missing = [spec.name for spec in specs if spec.name not in state]
    if missing:
        return missing
    values = [reading(state[spec.name], spec.type, lenient=False) for spec in specs]
    return [
        (
            target,
            names(each.caller) if any(names(each.caller)) else None,
            values,
            [each.argument.typename == value_type.typename for value_type in TYPES],
            [reading(each.argument, value_type, value_type is OWN) for value_type in TYPES],
            each.argument.SerializeToString(deterministic=True),
        )
        for each in batch.invocations
    ]


# --- as our functions see them --------------------------------------------------------------------


def read(reader: Callable[[], Any]) -> str:
    try:
        return repr(reader())
    except TypeMismatchError:
        return "mismatch"
    except SerializationError:
        return "refused"


def shown(address: Any) -> tuple[str, str, str]:
    return address.namespace, address.name, address.id


async def observed(body: bytes) -> Any:
    seen: list[Any] = []
    functions = StatefulFunctions()

    def observe(specs: list[ValueSpec], context: Context, message: Message) -> None:
        # What does not fit makes the message an object for good: each request begins elsewhere.
        begin = (len(body) + len(seen)) % len(TYPES)
        turns = [*TYPES[begin:], *TYPES[:begin]]
        is_first = message.is_type(turns[0])
        as_types = {each: read(partial(message.as_type, each)) for each in turns}
        seen.append(
            (
                shown(context.address),
                context.caller and shown(context.caller),
                [read(partial(getattr, context.storage, spec.name)) for spec in specs],
                [is_first if each is turns[0] else message.is_type(each) for each in TYPES],
                [as_types[each] for each in TYPES],
                message.typed_value.SerializeToString(deterministic=True),
            )
        )

    for typename, specs in SPECS_OF.items():
        functions.register(typename, partial(observe, specs), specs)
    try:
        reply = await RequestReplyHandler(functions).handle_async(body)
    except StatefunError as error:
        return type(error)
    missing = FromFunction.FromString(reply).incomplete_invocation_context.missing_values
    return [each.state_name for each in missing] or seen


async def test_usual_requests_are_read_as_protobuf_reads_them() -> None:
    """Whatever the lengths, with and without a caller, in any order of the values."""
    for seed in range(2_000):
        body = request(seed)

        assert await observed(body) == expected(body), f"seed {seed}: {body.hex()}"


async def test_unusual_requests_are_read_as_protobuf_reads_them() -> None:
    """Fields twice, in another order, unknown or broken: protobuf's word is the last."""
    outcomes: Counter[Any] = Counter()

    for seed in range(REQUESTS):
        kind, body = mutated(STOCK, seed)
        outcome = await observed(body)
        outcomes["ran" if isinstance(outcome, list) else outcome] += 1

        assert outcome == expected(body), f"seed {seed}, {kind}: {body.hex()}"

    assert min(outcomes["ran"], outcomes[RemoteProtocolError], outcomes[UnknownFunctionError]) > 50


async def test_overlong_lengths_are_read_as_protobuf_reads_them() -> None:
    """A length in more bytes than it needs is odd, and right."""
    for seed in range(2_000):
        chance = Random(seed)
        body = overlong(decode(STOCK.body(chance), ToFunction.DESCRIPTOR), chance)

        assert await observed(body) == expected(body), f"seed {seed}: {body.hex()}"


TARGET = delimited(b"\x0a", WireAddress(namespace="t", type="none", id="1").SerializeToString())
TEXT = delimited(b"\x12", encode_typed_value(StringType.typename, b"\x0a\x03Bob"))


async def test_an_argument_inside_an_argument_is_not_taken_for_it() -> None:
    """Not even where a caller with an odd length lets the inner one stand where one could begin."""
    caller = WireAddress(namespace="t", type="caller", id="2").SerializeToString()
    seen: list[bool] = []
    odd_caller = b"\x0a" + bytes([len(caller) | 0x80]) + b"\0" + caller
    inner_at = 2 + (len(caller) | 0x80)
    before_value = len(odd_caller) + len(encode_typed_value("t/own", bytes(128))) - 128 + 3
    filler = bytes(inner_at - before_value)
    outer = delimited(b"\x12", encode_typed_value("t/own", filler + TEXT))
    functions = StatefulFunctions()
    functions.register("t/none", lambda _, message: seen.append(message.is_type(StringType)))

    invocation = odd_caller + outer
    await RequestReplyHandler(functions).handle_async(built(TARGET, invocation))

    assert invocation[inner_at:] == TEXT
    assert seen == [False]
