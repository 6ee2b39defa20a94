"""Mistakes of handlers: whatever they raise, return or pass, no turn fails and nothing is lost."""

from __future__ import annotations

import asyncio
import sys
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from statefun.durable import (
    Context,
    InvocationRetryPolicy,
    RunOptions,
    Service,
    TerminalError,
    app,
)
from statefun.durable.exceptions import RetryableError
from statefun.testing import DurableHarness

if TYPE_CHECKING:
    from collections.abc import Callable

ANY: Any = None
ONCE = InvocationRetryPolicy(max_attempts=1, on_max_attempts="kill")
service = Service("Mistakes", invocation_retry_policy=ONCE)
steps: list[Callable[[Context], Any]] = []


class UntoldError(TerminalError):
    """Its author has forgotten `super().__init__`."""

    def __init__(self) -> None:
        self.reason = "unknown"


class Mute(Exception):  # noqa: N818 - the test is about its text
    """Nobody can print it."""

    def __repr__(self) -> str:
        raise ValueError("no words")

    __str__ = __repr__


def wrong(given: object) -> Any:
    """What a type checker would not let pass."""
    return given


def fail(error: BaseException) -> None:
    raise error


def fail_with(make: Callable[[], BaseException]) -> None:
    raise make()


@service.handler()
async def take(ctx: Context, number: int) -> object:
    step = steps[number](ctx)
    return await step if hasattr(step, "__await__") else step


@service.handler()
async def one(ctx: Context, number: int) -> int:
    return number


def outcome(step: Callable[[Context], Any]) -> TerminalError:
    """The failure of a handler that takes a step; no batch has failed for it."""
    steps[:] = [step]
    harness = DurableHarness(app([service]), replay="always")
    asked = harness.invoke(take, 0)
    harness.advance(timedelta(seconds=1))
    assert harness.failed_batches == []
    with pytest.raises(TerminalError) as caught:
        asked.result()
    return caught.value


@pytest.mark.parametrize(
    ("step", "sentence"),
    [
        (lambda ctx: ctx.run_typed("a", fail, ANY), "the options of 'a' are RunOptions"),
        (
            lambda ctx: ctx.run_typed("a", fail, RunOptions(max_duration=wrong(3))),
            "max_duration of 'a' takes a timedelta, got 3",
        ),
        (
            lambda ctx: ctx.run_typed("a", fail, RunOptions(initial_retry_interval=wrong(0.5))),
            "initial_retry_interval of 'a' takes a timedelta",
        ),
        (
            lambda ctx: ctx.run_typed("a", fail, RunOptions(max_attempts=wrong("2"))),
            "max_attempts of 'a' is a number from 1 on, got '2'",
        ),
        (
            lambda ctx: ctx.service_call(one, 1, headers={"a": 3}),
            "headers and the idempotency key of a call are texts, got 3",
        ),
        (
            lambda ctx: ctx.service_send(one, 1, idempotency_key="\ud800"),
            "headers and the idempotency key of a call are texts",
        ),
        (
            lambda ctx: ctx.service_send(one, 1, send_delay=3),
            "a delay is a timedelta of zero or more, got 3",
        ),
    ],
)
def test_what_no_step_can_take_is_refused_before_it_is_recorded(
    step: Callable[[Any], Any], sentence: str
) -> None:
    """So that no later attempt believes it was taken."""
    told = outcome(step)

    assert told.status_code == 400
    assert sentence in told.message


@pytest.mark.parametrize(
    ("error", "code", "sentence"),
    [
        (lambda: SystemExit(3), 500, "SystemExit(3)"),
        (Mute, 500, "Mute"),
        (UntoldError, 500, "UntoldError, which cannot be told"),
        (lambda: TerminalError("\ud800 half", 409), 409, "? half"),
        (lambda: TerminalError("x" * 5_000_000, 409), 409, "… (5000000 characters)"),
        (lambda: TerminalError("odd", 1 << 40), 500, "odd"),
        (lambda: TerminalError("odd", -5), 500, "odd"),
        (lambda: OSError("x" * 5_000_000), 500, "characters)"),
        (lambda: RetryableError("later", retry_after=wrong(3)), 500, "retry_after takes"),
        (lambda: RetryableError("later", retry_after=timedelta.max), 500, "RetryableError"),
    ],
)
@pytest.mark.parametrize("place", ["handler", "effect"])
def test_whatever_is_raised_is_the_failure_of_its_invocation(
    error: Callable[[], BaseException], code: int, sentence: str, place: str
) -> None:
    """In a handler and in an effect, and no failure is too long to be kept."""
    spent = RunOptions[Any](max_attempts=1)
    told = outcome(
        (lambda _: fail_with(error))
        if place == "handler"
        else (lambda ctx: ctx.run_typed("fails", fail_with, spent, error))
    )

    assert told.status_code == code
    assert sentence in told.message


def test_a_callback_that_ends_the_process_ends_nothing() -> None:
    """Nor does it fail the turn."""

    async def step(ctx: Context) -> None:
        asyncio.get_running_loop().call_soon(sys.exit, 3)
        await ctx.sleep(timedelta(milliseconds=1))
        raise TerminalError("went on", 409)

    assert outcome(step).message == "went on"


def test_a_sleep_beyond_all_time_waits() -> None:
    """An engine would refuse a delay of thousands of years."""
    steps[:] = [lambda ctx: ctx.sleep(timedelta.max)]
    harness = DurableHarness(app([service]))
    asked = harness.invoke(take, 0)
    harness.advance(timedelta(days=365))

    assert harness.failed_batches == []
    assert not asked.is_done


def test_an_argument_that_nobody_can_read_is_the_failure_of_its_call() -> None:
    """A generic call may send anything."""
    told = outcome(lambda ctx: ctx.generic_call("Mistakes", "one", b"{"))

    assert told.status_code == 400
