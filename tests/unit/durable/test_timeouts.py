"""Time-outs: what computes or takes too long is cut off, and tried again as its policy says."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from statefun.durable import Context, InvocationRetryPolicy, Service, TerminalError
from statefun.durable.exceptions import CutOffException
from tests.tools.durable.stage import Stage

SHORT = timedelta(seconds=0.05)
TWICE = InvocationRetryPolicy(SHORT, max_attempts=2, on_max_attempts="kill")

computing = Service(
    "Computing",
    inactivity_timeout=SHORT,
    abort_timeout=SHORT,
    invocation_retry_policy=TWICE,
)
log: list[str] = []


def spin() -> None:
    """Compute until somebody ends it."""
    while True:
        pass


@computing.handler()
async def forever(ctx: Context) -> None:
    log.append("began")
    try:
        spin()
    finally:
        log.append("cleaned up")


@computing.handler()
async def once(ctx: Context) -> str:
    log.append("began")
    before = await ctx.run_typed("effect", lambda: len(log))
    if len(log) == 1:
        spin()
    return f"{before} then {len(log)}"


@computing.handler()
async def stubborn(ctx: Context) -> str:
    try:
        spin()
    except CutOffException:
        log.append("caught")
    return "as if nothing had happened"


@computing.handler()
async def in_a_task(ctx: Context) -> None:
    async def child() -> None:
        spin()

    await asyncio.gather(child(), ctx.sleep(timedelta(hours=1)))


@computing.handler()
async def slow_effect(ctx: Context) -> None:
    async def slow() -> None:
        log.append("effect")
        await asyncio.sleep(60)

    await ctx.run_typed("slow", slow)


@computing.handler()
async def patient(ctx: Context) -> str:
    for _ in range(3):
        await ctx.sleep(timedelta(hours=1))
    return "done"


@pytest.fixture(params=[False, True], ids=["warm", "cold"])
def stage(request: pytest.FixtureRequest) -> Stage:
    log.clear()
    return Stage([computing], is_cold=request.param)


def failure(stage: Stage, handler: Any) -> TerminalError:
    name = stage.invoke(handler)
    stage.advance(timedelta(seconds=1))
    error = stage.answer(name)
    assert isinstance(error, TerminalError)
    return error


def test_a_handler_that_computes_for_ever_is_cut_off_and_tried_again(stage: Stage) -> None:
    """Its `finally` blocks run; after the last attempt the caller is told about the time-outs."""
    error = failure(stage, forever)

    assert log == ["began", "cleaned up"] * 2
    assert error.status_code == 500
    assert "has computed for 0.1 s" in error.message
    assert "abort timeout" in error.message


def test_an_attempt_after_one_that_was_cut_off_repeats_no_effect(stage: Stage) -> None:
    """The attempt has failed as any other: what was recorded stays."""
    name = stage.invoke(once)
    stage.advance(timedelta(seconds=1))

    assert stage.answer(name) == "1 then 2"


def test_who_catches_the_interruption_has_failed_all_the_same(stage: Stage) -> None:
    """The verdict is not the handler's."""
    assert "has computed for" in failure(stage, stubborn).message
    assert log == ["caught", "caught"]


def test_a_task_of_a_handler_is_cut_off_as_well(stage: Stage) -> None:
    """Whoever computes, the attempt is the handler's."""
    assert "has computed for" in failure(stage, in_a_task).message


def test_an_effect_that_takes_too_long_is_tried_again(stage: Stage) -> None:
    """Its attempt ends with the sum of both time-outs, and the sentence names the effect."""
    error = failure(stage, slow_effect)

    assert log == ["effect", "effect"]
    assert "the effect 'slow' took longer than the 0.1 s" in error.message


def test_a_handler_that_waits_is_not_affected(stage: Stage) -> None:
    """Only computing counts: a sleep may last for years."""
    name = stage.invoke(patient)
    stage.advance(timedelta(hours=4))

    assert stage.answer(name) == "done"
