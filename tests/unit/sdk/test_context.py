"""The context: what a function knows, and what it may ask for."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeAlias

import pytest

from statefun.errors import (
    InvalidMessageError,
    SerializationError,
    TurnEndedError,
)
from statefun.sdk.address import Address, SdkAddress
from statefun.sdk.builders import egress_message_builder, message_builder
from statefun.sdk.context import Context
from statefun.sdk.primitives import StringType
from tests.builders import Asked, asked, number, text, to_function

if TYPE_CHECKING:
    from collections.abc import Callable

    from statefun.sdk.functions import StatefulFunctions
    from statefun.sdk.handler import RequestReplyHandler
    from statefun.sdk.messages import Message

    Run: TypeAlias = Callable[[Callable[[Context], object]], Asked]

ADA = Address("t/f", "Ada")
GRACE = Address("t/g", "Grace")
SECOND = timedelta(seconds=1)
HELLO = message_builder(*GRACE, str_value="hello")
RECORD = egress_message_builder("t/out", "record", StringType)

EFFECTS: dict[str, Callable[[Context], None]] = {
    "send": lambda context: context.send(HELLO),
    "send_after": lambda context: context.send_after(SECOND, HELLO),
    "cancel_delayed_message": lambda context: context.cancel_delayed_message("token"),
    "send_egress": lambda context: context.send_egress(RECORD),
}


@pytest.fixture
def run(functions: StatefulFunctions, handler: RequestReplyHandler) -> Run:
    """Runs something with a context, and tells what was asked for."""

    def run(act: Callable[[Context], object]) -> Asked:
        functions.register("t/f", lambda context, _: act(context))
        return asked(handler.handle_sync(to_function(ADA, number(1))))

    return run


# --- what it knows --------------------------------------------------------------------------------


def test_a_function_knows_its_address_and_its_caller(
    functions: StatefulFunctions, handler: RequestReplyHandler
) -> None:
    """The caller is of the message; the address is of the batch."""
    seen: list[Any] = []
    functions.register("t/f", lambda context, _: seen.append((context.address, context.caller)))

    handler.handle_sync(to_function(ADA, number(1), caller=GRACE))
    handler.handle_sync(to_function(ADA, number(1)))
    handler.handle_sync(to_function(ADA, number(1), caller=Address("a/b/c", "")))

    address = SdkAddress("t", "f", "Ada", "t/f")
    assert seen == [
        (address, SdkAddress("t", "g", "Grace", "t/g")),
        (address, None),
        (address, SdkAddress("a/b", "c", "", "a/b/c")),
    ]


def test_a_message_knows_whom_it_is_for(
    functions: StatefulFunctions, handler: RequestReplyHandler
) -> None:
    """Also where the id is empty, as an ingress may make it."""
    seen: list[Message] = []
    functions.register("t/f", lambda _, message: seen.append(message))

    handler.handle_sync(to_function(Address("t/f", ""), text("Ada")))

    [message] = seen
    assert (message.target_typename, message.target_id, message.as_string()) == ("t/f", "", "Ada")


# --- what it asks for -----------------------------------------------------------------------------


def test_effects_keep_the_order_of_asking(run: Run) -> None:
    """Each kind in its own list, delays and cancellations in one."""

    def act(context: Context) -> None:
        context.send_after(SECOND, HELLO, "first")
        context.send(HELLO)
        context.cancel_delayed_message("first")
        context.send_egress(RECORD)
        context.send(message_builder("t/h", "1", int_value=2))
        context.send_after(timedelta(0), HELLO)
        context.send_egress(egress_message_builder("u/out", "more", StringType))

    assert run(act) == Asked(
        messages=[(GRACE, "hello"), (Address("t/h", "1"), 2)],
        delayed=[(1000, GRACE, "hello", "first"), "first", (0, GRACE, "hello", "")],
        egress=[("t/out", "record"), ("u/out", "more")],
    )


@pytest.mark.parametrize(
    ("duration", "millis"),
    [
        (timedelta(0), 0),
        (timedelta(microseconds=999), 0),
        (timedelta(milliseconds=1, microseconds=999), 1),
        (timedelta(milliseconds=2006), 2006),
        (timedelta(days=3650), 315_360_000_000),
        (timedelta.max, 86_399_999_999_999_999),
    ],
)
def test_a_delay_is_rounded_down_to_milliseconds(
    run: Run, duration: timedelta, millis: int
) -> None:
    """Every delay that Python can write arrives exactly."""
    assert run(lambda context: context.send_after(duration, HELLO)).delayed == [
        (millis, GRACE, "hello", "")
    ]


@pytest.mark.parametrize("duration", [timedelta(microseconds=-1), -SECOND, 1, 1.5, None, "1s"])
def test_a_delay_is_a_timedelta_of_zero_or_more(run: Run, duration: Any) -> None:
    """A number has no unit, and nothing can be sent yesterday."""
    with pytest.raises(InvalidMessageError) as caught:
        run(lambda context: context.send_after(duration, HELLO))

    assert str(caught.value) == f"send_after takes a timedelta of zero or more, got {duration!r}"


@pytest.mark.parametrize("token", ["", None])
def test_a_cancellation_needs_a_token(run: Run, token: Any) -> None:
    """The engines would take an empty one and cancel nothing."""
    with pytest.raises(InvalidMessageError) as caught:
        run(lambda context: context.cancel_delayed_message(token))

    assert str(caught.value) == (
        f"cancel_delayed_message needs the token that was given to send_after, got {token!r}: "
        "a message sent without a token cannot be cancelled"
    )


def test_none_for_a_token_means_without(run: Run) -> None:
    """Such a delayed message cannot be cancelled."""
    nothing: Any = None

    assert run(lambda context: context.send_after(SECOND, HELLO, nothing)).delayed == [
        (1000, GRACE, "hello", "")
    ]


@pytest.mark.parametrize("token", [5, "\ud800", b"\xff"])
def test_a_token_is_text(run: Run, token: Any) -> None:
    """It fails where it is given, not when the batch ends."""

    def act(context: Context) -> None:
        with pytest.raises(SerializationError):
            context.send_after(SECOND, HELLO, token)
        with pytest.raises(SerializationError):
            context.cancel_delayed_message(token)

    assert run(act) == Asked()


@pytest.mark.parametrize(
    ("act", "sentence"),
    [
        (
            lambda context: context.send("hello"),
            "send takes a Message, got str: build one with message_builder",
        ),
        (
            lambda context: context.send(RECORD),
            "send takes a Message, got an EgressMessage: use send_egress",
        ),
        (
            lambda context: context.send_after(SECOND, None),
            "send_after takes a Message, got NoneType: build one with message_builder",
        ),
        (
            lambda context: context.send_after(SECOND, RECORD),
            "send_after takes a Message, got an EgressMessage: use send_egress",
        ),
        (
            lambda context: context.send_egress(HELLO),
            (
                "send_egress takes an EgressMessage, got Message: build one with "
                "kafka_egress_message, kinesis_egress_message or egress_message_builder"
            ),
        ),
    ],
)
def test_what_is_no_message_is_refused(run: Run, act: Callable[[Any], None], sentence: str) -> None:
    """The error says which method and what to use."""
    with pytest.raises(InvalidMessageError) as caught:
        run(act)

    assert str(caught.value) == sentence


def test_a_message_changed_after_it_was_sent_goes_out_changed(run: Run) -> None:
    """Nothing is copied before the batch ends, as it never was."""

    def act(context: Context) -> None:
        message = message_builder(*GRACE, str_value="before")
        context.send(message)
        message.typed_value.CopyFrom(text("after"))

    assert run(act).messages == [(GRACE, "after")]


def test_one_message_can_be_sent_twice(run: Run) -> None:
    """Sending takes nothing from a message."""

    def act(context: Context) -> None:
        context.send(HELLO)
        context.send(HELLO)

    assert run(act).messages == [(GRACE, "hello")] * 2


@pytest.mark.parametrize("effect", EFFECTS)
def test_an_effect_after_the_batch_is_refused(run: Run, effect: str) -> None:
    """A task or a thread that outlives its batch is told that nobody listens any more."""
    kept: list[Context] = []
    run(kept.append)

    with pytest.raises(TurnEndedError) as caught:
        EFFECTS[effect](kept[0])

    assert (caught.value.effect, caught.value.address) == (
        effect,
        SdkAddress("t", "f", "Ada", "t/f"),
    )


# --- contexts of one's own ------------------------------------------------------------------------


class ReadOnly(Context):
    """A context that someone wrote for a test, before there was `send_after`."""

    address = SdkAddress("t", "f", "1", "t/f")
    storage = None
    caller = None


@pytest.mark.parametrize("effect", EFFECTS)
def test_a_context_of_ones_own_says_what_it_leaves_out(effect: str) -> None:
    """A method that is not overridden raises, and nothing is lost in silence."""
    with pytest.raises(NotImplementedError) as caught:
        EFFECTS[effect](ReadOnly())

    assert str(caught.value) == (
        f"ReadOnly does not override Context.{effect}: what was to be sent would be lost"
    )


def test_a_context_needs_address_storage_and_caller() -> None:
    """These three are abstract, as they always were."""
    with pytest.raises(TypeError):
        Context()  # type: ignore[abstract]
