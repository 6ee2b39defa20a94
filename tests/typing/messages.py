"""What a type checker makes of messages. Checked, never executed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, assert_type

from statefun import (
    EgressMessage,
    IntType,
    LongType,
    Message,
    StringType,
    Type,
    egress_message_builder,
    kafka_egress_message,
    kinesis_egress_message,
    make_json_type,
    make_protobuf_type,
    message_builder,
    simple_type,
)
from statefun.sdk.wire import Header
from statefun.sdk.wire._proto import Address, TypedValue

if TYPE_CHECKING:
    from collections.abc import Mapping


class Order:
    pass


def to_bytes(order: Order) -> bytes:
    return b""


def from_bytes(data: bytes) -> Order:
    return Order()


ORDER = simple_type("t/order", to_bytes, from_bytes)
JSON = make_json_type("t/json")
ORDERS_AS_JSON = make_json_type("t/orders", list[Order])
ADDRESS = make_protobuf_type(Address)


def types_know_their_values() -> None:
    assert_type(ORDER, Type[Order])
    assert_type(JSON, Type[Any])
    assert_type(make_json_type("t/order", Order), Type[Order])
    assert_type(ORDERS_AS_JSON, Type[list[Order]])
    assert_type(ADDRESS, Type[Address])
    assert_type(simple_type(typename="t/n", serialize_fn=str, deserialize_fn=int), Type[int])
    assert_type(ORDER.serializer().serialize(Order()), bytes)
    assert_type(ORDER.serializer().deserialize(b""), Order)
    assert_type(IntType.serializer().deserialize(b""), int)

    ORDER.serializer().serialize("an order")  # type: ignore[arg-type]
    simple_type("t/n", to_bytes, len(b""))  # type: ignore[arg-type]


def reading_gives_the_value_or_none(message: Message) -> None:
    assert_type(message.as_int(), int | None)
    assert_type(message.as_long(), int | None)
    assert_type(message.as_bool(), bool | None)
    assert_type(message.as_string(), str | None)
    assert_type(message.as_float(), float | None)
    assert_type(message.as_double(), float | None)
    assert_type(message.as_type(ORDER), Order | None)
    assert_type(message.as_type(ADDRESS), Address | None)
    assert_type(message.as_type(LongType), int | None)
    assert_type(message.as_type(StringType), str | None)
    assert_type(message.expect(ORDER), Order)
    assert_type(message.expect(LongType), int)
    assert_type(message.is_type(ORDER), bool)
    assert_type(message.is_string(), bool)
    assert_type(message.headers, tuple[Header, ...])
    assert_type(message.headers[0].value, bytes | None)
    assert_type(message.headers[0].as_text(), str | None)
    assert_type(message.raw_value(), bytes | None)
    assert_type(message.typed_value, TypedValue)
    assert_type((message.target_typename, message.target_id), tuple[str, str])

    message.as_int() + 1  # type: ignore[operator]  # there may be no value
    message.as_type(int)  # type: ignore[arg-type]
    message.as_int(1)  # type: ignore[call-arg]


def a_message_is_built_from_one_value_of_its_type(headers: Mapping[str, str]) -> None:
    assert_type(message_builder("a/b", "1", int_value=1), Message)
    message_builder("a/b", "1", long_value=1)
    message_builder("a/b", "1", bool_value=True)
    message_builder("a/b", "1", str_value="yes")
    message_builder("a/b", "1", float_value=1.5)
    message_builder("a/b", "1", double_value=1)
    message_builder("a/b", "1", value=Order(), value_type=ORDER)
    message_builder("a/b", "1", value={"any": "thing"}, value_type=JSON)
    message_builder(target_typename="a/b", target_id="1", int_value=1, headers=headers)
    message_builder("a/b", "1", int_value=1, headers=[("a", b""), ("a", "b"), ("c", None)])

    message_builder("a/b", "1")  # type: ignore[call-overload]
    message_builder("a/b", "1", 1)  # type: ignore[call-overload]
    message_builder("a/b", "1", int_value="no")  # type: ignore[call-overload]
    message_builder("a/b", "1", int_value=1.5)  # type: ignore[call-overload]
    message_builder("a/b", "1", str_value=b"no")  # type: ignore[call-overload]
    message_builder("a/b", "1", str_value=None)  # type: ignore[call-overload]
    message_builder("a/b", "1", int_value=1, str_value="two")  # type: ignore[call-overload]
    message_builder("a/b", "1", number=1)  # type: ignore[call-overload]
    message_builder("a/b", "1", value=1)  # type: ignore[call-overload]
    message_builder("a/b", "1", value_type=IntType)  # type: ignore[call-overload]
    message_builder("a/b", "1", value=1, value_type=int)  # type: ignore[call-overload]
    message_builder("a/b", 1, int_value=1)  # type: ignore[call-overload]
    message_builder("a/b", int_value=1)  # type: ignore[call-overload]
    message_builder("a/b", "1", int_value=1, headers={"a": 5})  # type: ignore[arg-type]
    message_builder("a/b", "1", value="no", value_type=IntType)  # type: ignore[misc]


def egress_messages_are_messages_of_another_kind(message: Message, order: Order) -> None:
    assert_type(egress_message_builder("a/b", order, ORDER), EgressMessage)
    assert_type(egress_message_builder("a/b", value=1, value_type=IntType), EgressMessage)
    assert_type(kafka_egress_message("a/b", "topic", "v"), EgressMessage)
    kafka_egress_message("a/b", topic="t", value=order, value_type=ORDER, key="k")
    kafka_egress_message("a/b", "topic", b"", headers={"a": None})
    assert_type(kinesis_egress_message("a/b", "stream", "v", "key"), EgressMessage)
    kinesis_egress_message("a/b", stream="s", value=b"", partition_key="k", explicit_hash_key="1")
    assert_type(egress_message_builder("a/b", 1, IntType).typename, str)

    egress_message_builder("a/b", order)  # type: ignore[call-arg]
    egress_message_builder("a/b", order, str)  # type: ignore[arg-type]
    kafka_egress_message("a/b", "topic", "v", key=b"k")  # type: ignore[arg-type]
    kafka_egress_message("a/b", "topic", "v", None, "k", {})  # type: ignore[call-arg]
    kinesis_egress_message("a/b", "stream", "v")  # type: ignore[call-arg]
    egress_message_builder("a/b", 1, IntType).as_int()  # type: ignore[attr-defined]
