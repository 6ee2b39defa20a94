"""What a type checker makes of functions, contexts and handlers. Checked, never executed."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import assert_type

from statefun import (
    Context,
    IntType,
    LongType,
    Message,
    RequestReplyHandler,
    SdkAddress,
    StatefulFunctions,
    StringType,
    Type,
    TypeSerializer,
    ValueSpec,
    egress_message_builder,
    make_json_type,
    message_builder,
)
from statefun.sdk.state import State, Value

functions = StatefulFunctions()
NAMES = make_json_type("t/names", list[str])
SECOND = timedelta(seconds=1)


@functions.bind("t/plain")
def plain(context: Context, message: Message) -> int:
    return 1


@functions.bind("t/later", specs=[ValueSpec("seen", IntType)], blocking=False)
async def later(context: Context, message: Message) -> None:
    pass


@functions.bind(typename="t/more")
def more(context: Context, message: Message, times: int = 1) -> str:
    return "more"


class Service:
    def method(self, context: Context, message: Message) -> None:
        pass

    def __call__(self, context: Context, message: Message) -> None:
        pass


async def binding_keeps_what_a_function_is(context: Context, message: Message) -> None:
    assert_type(plain(context, message), int)
    assert_type(await later(context, message), None)
    assert_type(more(context, message, times=2), str)

    more(context, message, times="two")  # type: ignore[arg-type]
    plain(context)  # type: ignore[call-arg]
    later(context, message)  # type: ignore[unused-coroutine]


def whatever_takes_a_context_and_a_message_is_a_function() -> None:
    functions.register("t/method", Service().method)
    functions.register("t/object", Service())
    functions.register("t/lambda", lambda context, message: context.send(message))
    functions.register("t/partial", partial(more, times=3))
    functions.register("t/specs", plain, (ValueSpec("seen", IntType),), blocking=True)
    functions.register(typename="t/named", fun=plain, specs=None)

    functions.register("t/none", None)  # type: ignore[arg-type]
    functions.register("t/name", "plain")  # type: ignore[arg-type]
    functions.register("t/unbound", Service.method)  # type: ignore[arg-type]
    functions.register("t/specs", plain, ["seen"])  # type: ignore[list-item]
    functions.register("t/blocking", plain, None, True)  # type: ignore[call-arg]  # noqa: FBT003
    functions.bind("t/one")(lambda _: None)  # type: ignore[type-var]


@functions.bind("t/three")  # type: ignore[type-var]
def three(context: Context, message: Message, needed: int) -> None:
    pass


@functions.bind("t/numbers")  # type: ignore[type-var]
def numbers(context: Context, message: int) -> None:
    pass


def specs_take_types_and_times() -> None:
    ValueSpec("seen", IntType, expire_after_call=SECOND)
    ValueSpec("seen", StringType, expire_after_write=SECOND)
    ValueSpec("seen", type=IntType)
    assert_type(ValueSpec("seen", IntType).name, str)
    assert_type(ValueSpec("seen", IntType).duration, int)

    ValueSpec("seen")  # type: ignore[call-arg]
    ValueSpec("seen", int)  # type: ignore[arg-type]
    ValueSpec("seen", IntType, expire_after_call=60)  # type: ignore[arg-type]
    ValueSpec("seen", IntType, expire_after="1h")  # type: ignore[call-arg]


def a_context_says_where_and_takes_effects(context: Context, message: Message) -> None:
    assert_type(context.address, SdkAddress)
    assert_type(context.address.typename, str)
    assert_type(context.caller, SdkAddress | None)
    context.storage.seen = (context.storage.seen or 0) + 1
    del context.storage.seen
    context.send(message)
    context.send(message_builder("t/plain", context.address.id, int_value=1))
    context.send_after(SECOND, message)
    context.send_after(SECOND, message, "token")
    context.send_after(SECOND, message, cancellation_token="token")
    context.cancel_delayed_message("token")
    record = egress_message_builder("t/out", "v", StringType)
    context.send_egress(record)

    context.send("message")  # type: ignore[arg-type]
    context.send(record)  # type: ignore[arg-type]
    context.send_egress(message)  # type: ignore[arg-type]
    context.send_after(1, message)  # type: ignore[arg-type]
    context.send_after(message, SECOND)  # type: ignore[arg-type]
    context.cancel_delayed_message()  # type: ignore[call-arg]
    context.caller.id  # type: ignore[union-attr]  # noqa: B018
    context.address.id = "2"  # type: ignore[misc]
    context.adress  # type: ignore[attr-defined]  # noqa: B018
    Context()  # type: ignore[abstract]


class Cart(State):
    items = Value(LongType, default=0)
    names = Value(NAMES, default_factory=list[str])
    note = Value(StringType)


@functions.bind("t/cart", specs=Cart)
async def cart(context: Context[Cart], message: Message) -> None:
    assert_type(context.storage, Cart)
    assert_type(context.storage.items, int)
    assert_type(context.storage.names, list[str])
    assert_type(context.storage.note, str | None)
    assert_type(Cart.items, Value[int])
    context.storage.items += message.expect(IntType)
    context.storage.names.append("pear")
    context.storage.note.upper()  # type: ignore[union-attr]
    context.storage.note = "here"
    del context.storage.note

    context.storage.items = "two"  # type: ignore[assignment]
    context.storage.names.append(2)  # type: ignore[arg-type]
    context.storage.itmes = 2  # type: ignore[attr-defined]
    Value(LongType, default="0")  # type: ignore[misc]


async def a_handler_turns_bytes_into_bytes(handler: RequestReplyHandler) -> None:
    assert_type(RequestReplyHandler(functions), RequestReplyHandler)
    assert_type(handler.handle_sync(b""), bytes)
    assert_type(await handler.handle_async(b""), bytes)
    await handler.handle_async(memoryview(b""))

    handler.handle_sync("text")  # type: ignore[arg-type]
    RequestReplyHandler([plain])  # type: ignore[arg-type]
    RequestReplyHandler()  # type: ignore[call-arg]


class CelsiusSerializer(TypeSerializer[float]):
    def serialize(self, value: float) -> bytes:
        return str(value).encode()

    def deserialize(self, byte: bytes) -> float:
        return float(byte)


class Celsius(Type[float]):
    def serializer(self) -> TypeSerializer[float]:
        return CelsiusSerializer()


def a_type_of_ones_own_is_a_type(message: Message) -> None:
    assert_type(message.as_type(Celsius("t/celsius")), float | None)
    message_builder("a/b", "1", value=21.5, value_type=Celsius("t/celsius"))

    Celsius()  # type: ignore[call-arg]
    Type("t/celsius")  # type: ignore[abstract]
