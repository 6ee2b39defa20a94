"""Retention: outcomes are kept as long as their options say, to the millisecond, and no longer."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from statefun.durable import (
    Context,
    ObjectContext,
    RunOptions,
    Service,
    TerminalError,
    VirtualObject,
    Workflow,
    WorkflowContext,
    WorkflowSharedContext,
    _proto,
)
from statefun.durable.identity import InvocationId
from statefun.durable.visibility import InvocationView, describe_journal, invocations_at
from statefun.sdk.address import Address
from tests.tools.durable.stage import ANSWERS, Stage

MINUTE = timedelta(minutes=1)
INSTANT = timedelta(milliseconds=1)

service = Service("S")
kept = Service("Kept", journal_retention=MINUTE)
counter = VirtualObject("C")
flow = Workflow("W")


@service.handler(idempotency_retention=MINUTE)
async def greet(ctx: Context, name: str) -> str:
    return f"hello {name}"


@service.handler(idempotency_retention=MINUTE)
async def refuse(ctx: Context) -> None:
    raise TerminalError("no", 418)


@kept.handler(name="greet")
async def greet_kept(ctx: Context, name: str) -> str:
    return f"kept {name}"


@counter.handler(idempotency_retention=MINUTE)
async def add(ctx: ObjectContext, by: int) -> int:
    total = (await ctx.get("total", int) or 0) + by
    ctx.set("total", total)
    return total


@counter.handler(journal_retention=MINUTE)
async def add_kept(ctx: ObjectContext, by: int) -> int:
    return await add(ctx, by)


@flow.main(workflow_retention=MINUTE)
async def run(ctx: WorkflowContext, text: str) -> str:
    ctx.set("text", text)
    return text


@flow.handler()
async def text(ctx: WorkflowSharedContext) -> str | None:
    return await ctx.get("text", str)


@pytest.fixture(params=[False, True], ids=["warm", "cold"])
def stage(request: pytest.FixtureRequest) -> Stage:
    return Stage([service, kept, counter, flow], is_cold=request.param)


def peeked(stage: Stage, name: str) -> Any:
    """What is known of an invocation: its value, or the code of a failure."""
    invocation = stage.ids[name]
    before = len(stage.answers("peek"))
    route = _proto.Route(typename=ANSWERS, id="peek", is_egress=True)
    home = stage.application.directory.home_of(InvocationId.parse(invocation))
    attach = _proto.Attach(id=invocation, reply=route, peek=True)
    stage.send(home, _proto.Envelope(attach=attach))
    [answer] = stage.answers("peek")[before:]
    return answer.status_code if isinstance(answer, TerminalError) else answer


@pytest.mark.parametrize(
    ("handler", "argument", "options", "expected"),
    [
        (greet, "ada", {"idempotency_key": "k"}, "hello ada"),
        (refuse, None, {"idempotency_key": "k"}, 418),
        (greet_kept, "ada", {}, "kept ada"),
        (add, 1, {"key": "c", "idempotency_key": "k"}, 1),
        (add_kept, 1, {"key": "c"}, 1),
        (run, "text", {"key": "w"}, "text"),
    ],
    ids=["idempotent", "failed", "service", "object", "kept object", "workflow"],
)
def test_an_outcome_is_kept_for_its_time_and_no_longer(
    stage: Stage, handler: Any, argument: Any, options: dict[str, Any], expected: Any
) -> None:
    """Before its time is over it is there, a millisecond later it is not."""
    name = stage.invoke(handler, argument, **options)
    at_once = peeked(stage, name)
    stage.advance(MINUTE - INSTANT)
    late = peeked(stage, name)
    stage.advance(INSTANT)

    assert (at_once, late, peeked(stage, name)) == (expected, expected, 404)


@pytest.mark.parametrize("handler", [greet, add])
def test_what_nobody_asked_to_keep_is_gone_at_once(stage: Stage, handler: Any) -> None:
    """A call without an idempotency key leaves nothing behind."""
    options = {} if handler is greet else {"key": "c"}
    name = stage.invoke(handler, 1 if options else "ada", **options)

    assert peeked(stage, name) == 404


def test_an_idempotency_key_is_free_again_after_its_time(stage: Stage) -> None:
    """Within it a repeat gets the stored answer; later it is a new invocation."""
    options = {"key": "c", "idempotency_key": "k"}
    answers = [stage.call(add, 1, **options), stage.call(add, 1, **options)]
    stage.advance(MINUTE)

    assert [*answers, stage.call(add, 1, **options)] == [1, 1, 2]


def test_a_workflow_keeps_its_key_and_its_state_for_its_time(stage: Stage) -> None:
    """Then both are free: it may run again, and begins with nothing."""
    stage.call(run, "first", key="w")
    again = stage.call(run, "second", key="w")
    within = stage.call(text, key="w")
    stage.advance(MINUTE)
    gone = stage.call(text, key="w")

    assert (again.status_code, within, gone) == (409, "first", None)
    assert stage.call(run, "third", key="w") == "third"


# --- journals -------------------------------------------------------------------------------------


@service.handler(idempotency_retention=MINUTE)
async def fail(ctx: Context, name: str) -> str:
    await ctx.run_typed("look up", name.upper)
    raise TerminalError("not there", 404)


@kept.handler()
async def look_up(ctx: Context, name: str) -> str:
    return await ctx.run_typed("look up", str.upper, RunOptions(type_hint=str), name)


def view(stage: Stage, name: str) -> list[InvocationView]:
    """What an operator sees of it."""
    invocation = stage.ids[name]
    home = stage.application.directory.home_of(InvocationId.parse(invocation))
    values = {each: value.data for each, value in stage.harness.state(*home).items()}
    return list(invocations_at(Address(*home), values))


@pytest.mark.parametrize(
    ("handler", "options", "status"),
    [(fail, {"idempotency_key": "k"}, "failed"), (look_up, {}, "succeeded")],
)
def test_the_journal_of_what_failed_is_kept_and_that_of_others_by_option(
    stage: Stage, handler: Any, options: dict[str, Any], status: str
) -> None:
    """As long as the outcome, so that somebody can see how it came to that."""
    name = stage.invoke(handler, "ada", **options)
    [ended] = view(stage, name)
    stage.forget()
    peeked(stage, name)
    [later] = view(stage, name)
    stage.advance(MINUTE)

    events = [event for _, event, _ in describe_journal(ended.journal)]
    assert (ended.status, ended.handler) == (status, handler.__name__)
    assert events == [f'begun: {handler.__name__}, argument "ada"', 'run look up: "ADA"']
    assert later == ended
    assert view(stage, name) == []


def test_the_journal_of_what_succeeded_is_not_kept(stage: Stage) -> None:
    """Unless its handler says so."""
    [ended] = view(stage, stage.invoke(greet, "ada", idempotency_key="k"))

    assert (ended.status, ended.journal) == ("succeeded", ())


def test_the_journal_of_what_was_killed_is_kept(stage: Stage) -> None:
    """It says how far it had come."""
    name = stage.invoke(rest, idempotency_key="k")
    stage.command(name, "kill")
    [ended] = view(stage, name)

    assert (ended.status, ended.failure) == ("failed", "409 killed")
    assert [steps for _, _, steps in describe_journal(ended.journal)] == [["sleep"]]


@service.handler(idempotency_retention=MINUTE)
async def rest(ctx: Context) -> None:
    await ctx.sleep(timedelta(hours=1))
