"""`Runtime.call`: sending a message and waiting for the reply."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from statefun.errors import (
    CallFailedError,
    CallTimeoutError,
    ConfigurationError,
    InvalidMessageError,
    RuntimeStoppedError,
    UnknownFunctionError,
)
from statefun.runtime import Backoff, FailurePolicy, Limits, ManualClock, Runtime
from statefun.runtime.engine.replies import CALLER
from statefun.sdk.builders import message_builder
from statefun.sdk.functions import StatefulFunctions
from tests.runtime.driver import until

if TYPE_CHECKING:
    from pathlib import Path

    from statefun.runtime import Value
    from statefun.sdk.context import Context
    from statefun.sdk.messages import Message

SECOND = timedelta(seconds=1)


def functions() -> StatefulFunctions:
    """`t/echo` replies; `t/silent` does not; `t/broken` fails; `t/later` replies by another."""
    registry = StatefulFunctions()

    @registry.bind("t/echo")
    async def echo(context: Context, message: Message) -> None:
        assert context.caller is not None
        reply = message_builder(
            context.caller.typename, context.caller.id, str_value=message.as_string() or ""
        )
        context.send(reply)

    @registry.bind("t/silent")
    async def silent(context: Context, message: Message) -> None:
        pass

    @registry.bind("t/broken")
    async def broken(context: Context, message: Message) -> None:
        raise ValueError(message.as_string())

    @registry.bind("t/slow")
    async def slow(context: Context, message: Message) -> None:
        assert context.caller is not None
        context.send_after(
            SECOND, message_builder(context.caller.typename, context.caller.id, str_value="late")
        )

    return registry


def to(typename: str, value: str = "x", target_id: str = "1") -> Message:
    return message_builder(typename, target_id, str_value=value)


def runtime(data: Path | None = None, **options: Any) -> Runtime:
    return Runtime(functions(), data=data, **options)


async def waiting_call(running: Runtime, message: Message) -> asyncio.Task[Value]:
    """A call whose message has been worked on, and whose reply does not come."""
    call = asyncio.create_task(running.call(message))
    await until(lambda: running.metrics().counters.invocations)
    return call


async def test_a_call_returns_the_reply_of_the_function(tmp_path: Path) -> None:
    """The first message to the caller is the reply."""
    async with runtime(tmp_path) as running:
        reply = await running.call(to("t/echo", "hello"))

    assert reply.value == "hello"


async def test_calls_at_the_same_time_get_their_own_replies() -> None:
    """Also those to one address, whose messages share a batch."""
    async with runtime() as running:
        replies = await asyncio.gather(
            *(running.call(to("t/echo", str(number), str(number % 3))) for number in range(100))
        )

    assert [reply.value for reply in replies] == [str(number) for number in range(100)]


async def test_a_reply_may_come_in_a_later_turn() -> None:
    """A function may reply when a timer fires."""
    clock = ManualClock()
    async with runtime(clock=clock) as running:
        call = await waiting_call(running, to("t/slow"))
        await running.idle()
        assert not call.done()

        clock.advance(SECOND)

        assert (await call).value == "late"


async def test_a_call_ends_with_its_time_out_and_the_message_stays_accepted() -> None:
    """The reply that comes then is a dead letter."""
    clock = ManualClock()
    async with runtime(clock=clock) as running:
        call = asyncio.create_task(running.call(to("t/slow"), timeout=SECOND / 2))
        await until(lambda: running.metrics().waiting_timers)
        await running.idle()

        clock.advance(SECOND / 2)
        with pytest.raises(CallTimeoutError) as caught:
            await call
        clock.advance(SECOND)
        await running.idle()

        assert caught.value.is_accepted
        assert [letter.target.typename for letter in await running.dead_letters()] == [CALLER]


async def test_a_call_that_waits_for_room_is_not_accepted_after_its_time_out() -> None:
    """What still waits for room is not taken in any more."""
    clock = ManualClock()
    policy = FailurePolicy("pause", Backoff(attempts=1))
    async with runtime(failure=policy, clock=clock, limits=Limits(max_waiting=1)) as running:
        await running.send(to("t/broken"))
        await until(lambda: running.metrics().paused_addresses)
        call = asyncio.create_task(running.call(to("t/broken"), timeout=SECOND))
        await asyncio.sleep(0)

        clock.advance(SECOND)
        with pytest.raises(CallTimeoutError) as caught:
            await call

        assert not caught.value.is_accepted
        assert running.metrics().counters.ingress_messages == 1


async def test_a_call_ends_with_the_failure_of_its_message() -> None:
    """Once it is given up; the error says where the message is."""
    policy = FailurePolicy(retry=Backoff(attempts=1))
    async with runtime(failure=policy) as running:
        with pytest.raises(CallFailedError) as caught:
            await running.call(to("t/broken", "no way"))

        [letter] = await running.dead_letters()
        assert caught.value.dead_letter_id == letter.id
        assert "no way" in caught.value.reason


async def test_a_cancelled_call_leaves_its_message_accepted() -> None:
    """Nobody waits for the reply then."""
    clock = ManualClock()
    async with runtime(clock=clock) as running:
        call = await waiting_call(running, to("t/slow"))
        await running.idle()

        call.cancel()
        await asyncio.gather(call, return_exceptions=True)
        clock.advance(SECOND)
        await running.idle()

        assert len(await running.dead_letters()) == 1


async def test_a_call_ends_when_the_runtime_stops() -> None:
    """Who waits is told; nothing hangs."""
    async with runtime() as running:
        call = await waiting_call(running, to("t/silent"))

    with pytest.raises(RuntimeStoppedError, match="before the reply came"):
        await call


async def test_after_a_restart_the_message_is_worked_on_and_its_reply_is_a_dead_letter(
    tmp_path: Path,
) -> None:
    """The message and its caller are durable; who waited is not."""
    clock = ManualClock()
    async with runtime(tmp_path, clock=clock) as running:
        call = await waiting_call(running, to("t/slow"))
    with pytest.raises(RuntimeStoppedError):
        await call

    async with runtime(tmp_path, clock=clock) as running:
        clock.advance(SECOND)
        await running.idle()

        [letter] = await running.dead_letters()

    assert (letter.target.typename, letter.attempts) == (CALLER, 0)


@pytest.mark.parametrize("wrong", [-SECOND, 3])
async def test_a_time_out_is_a_positive_duration(wrong: Any) -> None:
    """Seconds and milliseconds are not guessed."""
    async with runtime() as running:
        with pytest.raises(ConfigurationError, match="time-out"):
            await running.call(to("t/echo"), timeout=wrong)


async def test_what_cannot_be_sent_cannot_be_called() -> None:
    """The errors are those of `send`."""
    nothing: Any = "a text"
    async with runtime() as running:
        with pytest.raises(InvalidMessageError):
            await running.call(nothing)
        with pytest.raises(UnknownFunctionError):
            await running.call(to("t/nobody"))
        with pytest.raises(UnknownFunctionError):
            await running.call(to(CALLER))
