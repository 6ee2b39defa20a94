"""Programs test their functions with the old SDK's own storage and context: they still can."""

from __future__ import annotations

import importlib
from datetime import timedelta
from typing import Any, NamedTuple

import pytest

from statefun import (
    Context,
    IntType,
    Message,
    SdkAddress,
    StatefulFunctions,
    StringType,
    ValueSpec,
    kafka_egress_message,
    message_builder,
)

storage: Any = importlib.import_module("statefun.storage")
handler: Any = importlib.import_module("statefun.request_reply_v3")
utils: Any = importlib.import_module("statefun.utils")

SEEN = ValueSpec("seen", IntType)
NAME = ValueSpec("name", StringType, expire_after_call=timedelta(seconds=1))
LAST = ValueSpec("last", StringType, expire_after_write=timedelta(seconds=2))
ADDRESS = SdkAddress("example", "f", "1", "example/f")


class Received(NamedTuple):
    """A value as it stands in a request."""

    state_name: str
    state_value: Any


def received(spec: ValueSpec, value: Any) -> Received:
    return Received(spec.name, utils.to_typed_value(spec.type, value))


def resolved(*values: Received) -> Any:
    return storage.resolve(storage.make_address_storage_spec([SEEN, NAME]), "example/f", values)


def test_a_storage_is_made_of_the_values_of_a_request() -> None:
    """Each value is an attribute, and a cell that says whether it was written."""
    found = resolved(received(SEEN, 1), received(NAME, None))

    found.storage.seen += 1
    cells = found.storage._cells

    assert (found.missing_specs, found.storage.seen, found.storage.name) == (None, 2, None)
    assert [cells[name].dirty for name in ("seen", "name")] == [True, False]
    del found.storage.seen
    assert (found.storage.seen, cells["seen"].dirty) == (None, True)
    with pytest.raises(AttributeError, match="no value 'other'"):
        found.storage.other = 1
    with pytest.raises(ValueError, match="None cannot be stored"):
        found.storage.seen = None


def test_values_that_a_request_lacks_are_told_in_the_order_of_declaration() -> None:
    """There is no storage then, and the answer of old asks for them."""
    found = resolved()
    asked = handler.collect_failure([*found.missing_specs, LAST])

    missing = asked.incomplete_invocation_context.missing_values
    modes = handler.FromFunction.ExpirationSpec
    assert (found.storage, found.missing_specs) == (None, [SEEN, NAME])
    assert [(each.state_name, each.type_typename) for each in missing] == [
        ("seen", "io.statefun.types/int"),
        ("name", "io.statefun.types/string"),
        ("last", "io.statefun.types/string"),
    ]
    assert [
        (each.expiration_spec.mode, each.expiration_spec.expire_after_millis) for each in missing
    ] == [(modes.NONE, 0), (modes.AFTER_INVOKE, 1000), (modes.AFTER_WRITE, 2000)]


def test_two_values_of_one_name_are_refused() -> None:
    """As ever, with a ValueError."""
    with pytest.raises(ValueError, match="duplicate registered value name: seen"):
        storage.make_address_storage_spec([SEEN, SEEN])


def test_the_values_of_a_function_are_a_list_that_a_storage_can_be_made_of() -> None:
    """`for_typename(…).storage_spec` is taken by `resolve` too."""
    functions = StatefulFunctions()
    functions.register("example/f", lambda _context, _message: None, [SEEN])
    declared: Any = functions.for_typename("example/f")

    found = storage.resolve(declared.storage_spec, "example/f", [received(SEEN, 3)])

    assert (declared.storage_spec.specs, found.storage.seen) == ([SEEN], 3)


def test_a_context_collects_what_a_function_asks_for() -> None:
    """Its lists hold the messages, and `collect_success` gives the answer of the protocol."""
    context = handler.UserFacingContext(
        ADDRESS, resolved(received(SEEN, 1), received(NAME, "x")).storage
    )
    context._caller = SdkAddress("example", "g", "2", "example/g")

    greet(context, message_builder("example/f", "1", int_value=4))
    result = handler.collect_success(context).invocation_result

    assert [each.target_id for each in context._outgoing_messages] == ["2"]
    assert context._outgoing_delayed_messages == [
        handler.DelayedMessage(
            is_cancellation=False,
            duration=1500,
            message=context._outgoing_delayed_messages[0].message,
            cancellation_token="later",
        ),
        handler.DelayedMessage(is_cancellation=True, cancellation_token="later"),
    ]
    assert [each.typename for each in context._outgoing_egress_messages] == ["example/out"]
    assert [(each.target.type, each.target.id) for each in result.outgoing_messages] == [("g", "2")]
    assert [
        (each.delay_in_ms, each.cancellation_token, each.is_cancellation_request)
        for each in result.delayed_invocations
    ] == [(1500, "later", False), (0, "later", True)]
    assert [each.egress_type for each in result.outgoing_egresses] == ["out"]
    assert [(each.state_name, each.mutation_type) for each in result.state_mutations] == [
        ("seen", handler.FromFunction.PersistedValueMutation.MODIFY),
        ("name", handler.FromFunction.PersistedValueMutation.DELETE),
    ]


def greet(context: Context, message: Message) -> None:
    context.storage.seen += message.as_int()
    del context.storage.name
    assert context.caller is not None
    context.send(message_builder("example/g", context.caller.id, str_value="hi"))
    later = message_builder("example/g", "3", str_value="later")
    context.send_after(timedelta(seconds=1.5), later, "later")
    context.cancel_delayed_message("later")
    context.send_egress(kafka_egress_message(typename="example/out", topic="t", value="v"))


def test_an_empty_address_is_none() -> None:
    """As for a message that came from an ingress."""
    assert handler.sdk_address_from_pb(handler.Address()) is None
    assert (
        handler.sdk_address_from_pb(handler.Address(namespace="example", type="f", id="1"))
        == ADDRESS
    )
