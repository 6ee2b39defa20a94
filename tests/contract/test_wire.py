"""The door to bytes: every implementation reads and writes as protobuf does.

Every implementation of `statefun.sdk.wire` owes all of this; `STATEFUN_CORE` says which one runs.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from statefun.errors import IncompleteRequestError, RemoteProtocolError, TypeMismatchError
from statefun.sdk.address import Address, parse_typename
from statefun.sdk.builders import egress_message_builder, message_builder
from statefun.sdk.functions import StatefulFunctions
from statefun.sdk.handler import RequestReplyHandler
from statefun.sdk.messages import Message
from statefun.sdk.primitives import IntType, StringType
from statefun.sdk.specs import ValueSpec
from statefun.sdk.wire import (
    Cancellation,
    DelayedMessage,
    EgressRecord,
    Expiration,
    ExpireMode,
    Incomplete,
    Invocation,
    MissingValue,
    OutgoingMessage,
    Result,
    Scalar,
    SendAfter,
    StoredValue,
    UncheckedValue,
    _proto,
    python,
)
from statefun.sdk.wire.core import door
from statefun.sdk.wire.scalars import SCALARS
from tests.builders import number, text, to_function, typed, wire

if TYPE_CHECKING:
    from statefun.sdk.context import Context

IMPLEMENTATIONS = {python, door}  # the reference, and the core that runs


@pytest.fixture(
    scope="module", params=sorted(IMPLEMENTATIONS, key=str), ids=lambda each: each.__name__
)
def core(request: pytest.FixtureRequest) -> Any:
    """A module that offers the names of `statefun.sdk.wire.python`."""
    return request.param


TEXTS = st.text(st.characters(exclude_categories=["Cs"]))
WORDS = st.text(st.characters(exclude_characters="/", exclude_categories=["Cs"]), min_size=1)
TYPENAMES = st.builds("{}/{}".format, WORDS, WORDS)
ADDRESSES = st.builds(Address, TYPENAMES, TEXTS)
TYPED_VALUES = st.builds(
    lambda typename, data: _proto.TypedValue(
        typename=typename, has_value=data is not None, value=data or b""
    ),
    TEXTS,
    st.none() | st.binary(),
)
STORED = st.builds(StoredValue, TEXTS, st.binary())
STATES = st.dictionaries(TEXTS, st.none() | STORED)


# --- requests -------------------------------------------------------------------------------------


@given(
    target=ADDRESSES,
    state=STATES,
    messages=st.lists(st.tuples(st.none() | ADDRESSES, TYPED_VALUES)),
)
def test_an_encoded_request_is_what_protobuf_would_write(
    core: Any,
    target: Address,
    state: dict[str, StoredValue | None],
    messages: list[tuple[Address | None, _proto.TypedValue]],
) -> None:
    """An engine's request reads back field by field, whatever is in it."""
    expected = _proto.ToFunction()
    expected.invocation.target.CopyFrom(wire(target))
    for name, stored in state.items():
        value = stored and _proto.TypedValue(
            typename=stored.typename, has_value=True, value=stored.data
        )
        expected.invocation.state.add(state_name=name, state_value=value)
    for caller, argument in messages:
        expected.invocation.invocations.add(caller=caller and wire(caller), argument=argument)

    body = core.encode_request(
        target,
        state,
        [Invocation(caller, argument.SerializeToString()) for caller, argument in messages],
    )

    assert _proto.ToFunction.FromString(body) == expected
    batch = core.split_request(body)
    assert (batch.typename, batch.target_id) == target
    assert (
        [_proto.ToFunction.PersistedValue.FromString(each) for each in batch.state],
        [_proto.ToFunction.Invocation.FromString(each) for each in batch.invocations],
    ) == (list(expected.invocation.state), list(expected.invocation.invocations))


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_a_request_may_be_anything_like_bytes(core: Any, kind: Any) -> None:
    """Servers hand over whatever they read into."""
    batch = core.split_request(kind(to_function(Address("t/f", "1"), number(1))))

    assert (batch.typename, batch.target_id, len(batch.invocations)) == ("t/f", "1", 1)


@pytest.mark.parametrize("body", ["text", None, 5, [b""]])
def test_a_request_that_is_not_bytes_is_refused(core: Any, body: Any) -> None:
    """The error names what came instead."""
    with pytest.raises(TypeError) as caught:
        core.split_request(body)

    assert isinstance(caught.value, RemoteProtocolError)
    assert str(caught.value) == (
        f"the body of a request must be bytes, got {type(body).__name__}: pass the body unchanged"
    )


def test_bytes_of_no_request_are_refused(core: Any) -> None:
    """They are the sender's fault."""
    with pytest.raises(RemoteProtocolError) as caught:
        core.split_request(b"\xff\xff")

    assert str(caught.value).startswith("2 bytes are not a ToFunction: ")
    assert caught.value.http_status == 400


@pytest.mark.parametrize(
    ("body", "what"),
    [
        (b"", "invocation"),
        (b"\xa2\x06\x00", "invocation"),
        (b"\x08\x01", "invocation"),
        (b"\xa2\x06\x02\x1a\x00", "target"),
    ],
)
def test_a_request_without_its_parts_is_refused(core: Any, body: bytes, what: str) -> None:
    """An engine always sends an invocation, and says for whom."""
    with pytest.raises(IncompleteRequestError) as caught:
        core.split_request(body)

    assert str(caught.value) == (
        f"a request of {len(body)} bytes has no {what}: an engine always sends one"
    )


# --- replies --------------------------------------------------------------------------------------

DELAYED = st.builds(
    DelayedMessage,
    st.integers(-(2**63), 2**63 - 1),
    ADDRESSES,
    TYPED_VALUES.map(lambda value: value.SerializeToString()),
    TEXTS,
)
ARGUMENTS = TYPED_VALUES.map(lambda value: value.SerializeToString())
RESULTS = st.builds(
    Result,
    st.lists(st.builds(OutgoingMessage, ADDRESSES, ARGUMENTS)).map(tuple),
    st.lists(DELAYED | st.builds(Cancellation, TEXTS)).map(tuple),
    st.lists(st.builds(EgressRecord, TYPENAMES, ARGUMENTS)).map(tuple),
    STATES,
)


def written_by_protobuf(result: Result) -> bytes:
    """A FromFunction with this result."""
    reply = _proto.FromFunction()
    response = reply.invocation_result
    response.SetInParent()
    for sent in result.messages:
        argument = _proto.TypedValue.FromString(sent.argument)
        response.outgoing_messages.add(target=wire(sent.target), argument=argument)
    for delayed in result.delayed:
        if isinstance(delayed, Cancellation):
            response.delayed_invocations.add(
                is_cancellation_request=True, cancellation_token=delayed.token
            )
        else:
            response.delayed_invocations.add(
                delay_in_ms=delayed.delay_ms,
                target=wire(delayed.target),
                argument=_proto.TypedValue.FromString(delayed.argument),
                cancellation_token=delayed.token,
            )
    for record in result.egress:
        namespace, name = parse_typename(record.typename)
        response.outgoing_egresses.add(
            egress_namespace=namespace,
            egress_type=name,
            argument=_proto.TypedValue.FromString(record.argument),
        )
    for state_name, stored in (result.mutations or {}).items():
        value = stored and _proto.TypedValue(
            typename=stored.typename, has_value=True, value=stored.data
        )
        response.state_mutations.add(
            mutation_type=0 if stored is None else 1, state_name=state_name, state_value=value
        )
    return reply.SerializeToString()


@given(RESULTS)
def test_a_reply_reads_as_protobuf_wrote_it(core: Any, result: Result) -> None:
    """Decoding loses nothing and keeps every order."""
    assert core.decode_reply(written_by_protobuf(result)) == result


@pytest.mark.parametrize("body", [b"", b"\xa2\x06\x00", b"\x08\x01"])
def test_a_reply_that_says_nothing_asks_for_nothing(core: Any, body: bytes) -> None:
    """Zero bytes, an empty result and fields of the future are all an empty result."""
    assert core.decode_reply(body) == Result(mutations={})


MODES = {
    ExpireMode.NEVER: _proto.FromFunction.ExpirationSpec.NONE,
    ExpireMode.AFTER_WRITE: _proto.FromFunction.ExpirationSpec.AFTER_WRITE,
    ExpireMode.AFTER_CALL: _proto.FromFunction.ExpirationSpec.AFTER_INVOKE,
}


MISSING = st.builds(
    MissingValue,
    TEXTS,
    TEXTS,
    st.just(Expiration())
    | st.builds(
        Expiration,
        st.sampled_from([ExpireMode.AFTER_WRITE, ExpireMode.AFTER_CALL]),
        st.integers(1, 2**63 - 1),
    ),
    st.lists(TEXTS).map(tuple),
)


@given(st.lists(MISSING))
def test_what_a_function_lacks_reads_as_protobuf_wrote_it(
    core: Any, missing: list[MissingValue]
) -> None:
    """An incomplete reply stays one also when it names nothing."""
    reply = _proto.FromFunction()
    reply.incomplete_invocation_context.SetInParent()
    for value in missing:
        spec = reply.incomplete_invocation_context.missing_values.add(
            state_name=value.name,
            type_typename=value.typename,
            upgraded_typenames=value.upgrades,
        )
        spec.expiration_spec.mode = MODES[value.expiration.mode]
        spec.expiration_spec.expire_after_millis = value.expiration.millis

    assert core.decode_reply(reply.SerializeToString()) == Incomplete(tuple(missing))


def test_an_expiration_of_an_unknown_kind_means_never(core: Any) -> None:
    """A value that is kept too long is better than one that is lost."""
    expiration = b"\x08\x07\x10\x05"
    spec = b"\x0a\x01v" + b"\x12\x04" + expiration + b"\x1a\x03t/t"
    body = b"\xaa\x06" + bytes([len(spec) + 2]) + b"\x0a" + bytes([len(spec)]) + spec

    assert core.decode_reply(body) == Incomplete((MissingValue("v", "t/t", Expiration()),))


def test_a_mutation_of_an_unknown_kind_is_refused(core: Any) -> None:
    """Guessing would lose state."""
    mutation = b"\x08\x07\x12\x04seen"
    body = b"\xa2\x06" + bytes([len(mutation) + 2]) + b"\x0a" + bytes([len(mutation)]) + mutation

    with pytest.raises(RemoteProtocolError) as caught:
        core.decode_reply(body)

    assert str(caught.value) == (
        "value 'seen' has the unknown mutation type 7: expected DELETE (0) or MODIFY (1)"
    )


@pytest.mark.parametrize("body", [b"\xff", b"<html>404</html>", b"\xa2\x06\x05"])
def test_bytes_of_no_reply_are_refused(core: Any, body: bytes) -> None:
    """What a proxy says in place of the function is no reply."""
    with pytest.raises(RemoteProtocolError) as caught:
        core.decode_reply(body)

    assert str(caught.value).startswith(f"{len(body)} bytes are not a FromFunction: ")


def test_an_argument_stays_one_piece_of_bytes(core: Any) -> None:
    """Headers and fields of the future pass through an engine untouched."""
    argument = typed(StringType, "Ada", [("a", None)]).SerializeToString() + b"\x98\x06\x01"
    body = core.encode_request(Address("t/f", "1"), {}, [Invocation(None, argument)])
    functions = StatefulFunctions()

    @functions.bind("t/f")
    def forward(context: Context, message: Message) -> None:
        context.send(Message("t/g", "2", message.typed_value))

    reply = core.decode_reply(RequestReplyHandler(functions).handle_sync(body))

    assert reply == Result((OutgoingMessage(Address("t/g", "2"), argument),), mutations={})


def test_a_typed_value_reads_as_typename_and_bytes(core: Any) -> None:
    """One that has no value reads as one of no bytes."""
    assert [
        core.decode_typed_value(text("").SerializeToString()),
        core.decode_typed_value(number(1).SerializeToString()),
        core.decode_typed_value(b""),
    ] == [
        StoredValue("io.statefun.types/string", b""),
        StoredValue("io.statefun.types/int", b"\x0d\x01\0\0\0"),
        StoredValue("", b""),
    ]
    with pytest.raises(RemoteProtocolError):
        core.decode_typed_value(b"\xff")


def test_an_implementation_offers_every_name(core: Any) -> None:
    """The reference says which names there are."""
    assert set(core.__all__) == set(python.__all__)


# --- an endpoint's side ---------------------------------------------------------------------------


@given(target=ADDRESSES, callers=st.lists(st.none() | ADDRESSES, min_size=1, max_size=3))
def test_a_batch_names_its_target_and_its_callers(
    core: Any, target: Address, callers: list[Address | None]
) -> None:
    """Namespace and name are split as the sender split them, at any length."""
    argument = text("Ada").SerializeToString()

    batch = core.split_request(
        core.encode_request(target, {}, [Invocation(each, argument) for each in callers])
    )

    assert (batch.typename, batch.target_id) == target
    assert (batch.address.typename, batch.address.id) == target
    assert [
        caller and Address(caller.typename, caller.id)
        for caller in (batch.caller(position) for position in range(len(callers)))
    ] == callers
    assert batch.value_typename(len(callers) - 1) == StringType.typename


@given(state=STATES, declared=st.dictionaries(WORDS, TYPENAMES))
def test_state_is_read_by_name(
    core: Any, state: dict[str, StoredValue | None], declared: dict[str, str]
) -> None:
    """Undeclared values are ignored, absent ones absent, other types told from declared ones."""
    declared |= {name: value.typename for name, value in list(state.items())[::2] if value}
    layout = core.StateLayout([core.StateField(*each) for each in declared.items()])
    batch = core.split_request(core.encode_request(Address("t/f", "1"), state, [ONE]))

    cells = [layout.read(batch.state) for _ in range(2)]  # the second time in the known order

    assert cells[0].keys() == cells[1].keys() == declared.keys() & state.keys()
    for name, cell in [*cells[0].items(), *cells[1].items()]:
        sent = state[name]
        if isinstance(cell, UncheckedValue):
            assert sent == StoredValue(cell.typename, cell.data)
        else:
            assert sent == (None if cell is None else StoredValue(declared[name], cell))


ONE = Invocation(None, text("").SerializeToString())


@given(RESULTS)
def test_a_reply_is_what_protobuf_would_write(core: Any, result: Result) -> None:
    """Messages, delayed messages, cancellations, egress messages and mutations, each in order."""
    messages = [
        core.outgoing_message(core.MessageCarrier, *each.target, each.argument)
        for each in result.messages
    ]
    delayed = [
        each
        if isinstance(each, Cancellation)
        else SendAfter(
            abs(each.delay_ms) % 2**63,
            core.outgoing_message(core.MessageCarrier, *each.target, each.argument),
            each.token,
        )
        for each in result.delayed
    ]
    egress = [
        core.outgoing_egress_message(core.EgressCarrier, each.typename, each.argument)
        for each in result.egress
    ]
    fields = {
        name: core.StateField(name, value.typename if value else "t/t")
        for name, value in (result.mutations or {}).items()
    }
    mutations = [
        fields[name].modification(value.data) if value else fields[name].deletion
        for name, value in (result.mutations or {}).items()
    ]

    reply = core.write_reply(messages, delayed, egress, mutations)

    expected = result._replace(
        delayed=tuple(
            each._replace(delay_ms=abs(each.delay_ms) % 2**63)
            if isinstance(each, DelayedMessage)
            else each
            for each in result.delayed
        ),
    )
    assert _proto.FromFunction.FromString(reply).invocation_result == (
        _proto.FromFunction.FromString(written_by_protobuf(expected)).invocation_result
    )


@given(st.lists(MISSING))
def test_missing_values_read_as_they_were_written(core: Any, missing: list[MissingValue]) -> None:
    """The engine learns name, type and expiration of each, and the types it is upgraded from."""
    assert core.decode_reply(core.write_missing(missing)) == Incomplete(tuple(missing))


@pytest.mark.parametrize("scalar", SCALARS.values(), ids=SCALARS)
@given(data=st.data(), caller=st.none() | ADDRESSES)
def test_a_built_in_value_reads_alike_by_bytes_and_by_object(
    core: Any, scalar: Scalar[Any], data: st.DataObject, caller: Address | None
) -> None:
    """Whether protobuf wrote the message, a builder, or the value is of another type."""
    value = data.draw(VALUES[scalar.typename])
    typed_value = _proto.TypedValue(
        typename=scalar.typename,
        has_value=True,
        value=scalar.wrapper(value=value).SerializeToString(),
    )
    built = _proto.ToFunction.Invocation(caller=caller and wire(caller), argument=typed_value)
    came_in = core.incoming_message(core.MessageCarrier, "t/f", "1", built.SerializeToString())
    goes_out = core.outgoing_message(
        core.MessageCarrier,
        "t/f",
        "1",
        core.encode_typed_value(scalar.typename, scalar.dump(value)),
    )

    read = [came_in.value_of(scalar), goes_out.value_of(scalar)]

    assert read == [scalar.wrapper.FromString(typed_value.value).value] * 2
    assert came_in.typed_value == goes_out.typed_value == typed_value
    for other in SCALARS.values():
        if other is not scalar:
            with pytest.raises(TypeMismatchError):
                came_in.value_of(other)


VALUES: dict[str, st.SearchStrategy[Any]] = {
    "io.statefun.types/bool": st.booleans(),
    "io.statefun.types/int": st.integers(-(2**31), 2**31 - 1),
    "io.statefun.types/float": st.floats(width=32, allow_nan=False),
    "io.statefun.types/long": st.integers(-(2**63), 2**63 - 1),
    "io.statefun.types/double": st.floats(allow_nan=False),
    "io.statefun.types/string": TEXTS,
}


# --- back to back ---------------------------------------------------------------------------------


def test_an_engine_and_an_endpoint_understand_each_other(core: Any) -> None:
    """An engine with nothing but these four functions carries a conversation with a function."""
    functions = StatefulFunctions()
    specs = [ValueSpec("seen", IntType, expire_after_write=timedelta(hours=1))]

    @functions.bind("t/greeter", specs)
    def greet(context: Context, message: Message) -> None:
        context.storage.seen = (context.storage.seen or 0) + 1
        greeting = f"Hello {message.as_string()}, {context.storage.seen}"
        context.send(message_builder("t/inbox", context.address.id, str_value=greeting))
        reminder = message_builder("t/greeter", context.address.id, str_value="still there?")
        context.cancel_delayed_message("reminder")
        context.send_after(timedelta(seconds=2), reminder, "reminder")
        context.send_egress(egress_message_builder("t/out", greeting, StringType))

    target, handler = Address("t/greeter", "Ada"), RequestReplyHandler(functions)
    batch = [Invocation(None, text("Ada").SerializeToString())]
    first = core.decode_reply(handler.handle_sync(core.encode_request(target, {}, batch)))
    state: dict[str, StoredValue | None] = {"seen": None}
    replies = []
    for _ in range(2):
        reply = core.decode_reply(handler.handle_sync(core.encode_request(target, state, batch)))
        assert isinstance(reply, Result)
        state |= reply.mutations or {}
        replies.append(reply)

    missing = MissingValue("seen", IntType.typename, Expiration(ExpireMode.AFTER_WRITE, 3_600_000))
    assert first == Incomplete((missing,))
    assert replies == [
        Result(
            (OutgoingMessage(Address("t/inbox", "Ada"), greeting),),
            (
                Cancellation("reminder"),
                DelayedMessage(2000, target, text("still there?").SerializeToString(), "reminder"),
            ),
            (EgressRecord("t/out", greeting),),
            {"seen": StoredValue(IntType.typename, seen)},
        )
        for greeting, seen in [
            (text("Hello Ada, 1").SerializeToString(), b"\x0d\x01\0\0\0"),
            (text("Hello Ada, 2").SerializeToString(), b"\x0d\x02\0\0\0"),
        ]
    ]
