"""Workflows, promises, awakeables and signals, sagas."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

from statefun.durable import (
    Context,
    ObjectContext,
    Service,
    TerminalError,
    VirtualObject,
    Workflow,
    WorkflowContext,
    WorkflowSharedContext,
)
from tests.tools.durable_scenarios.everywhere import EVERYWHERE
from tests.tools.durable_scenarios.scenario import (
    Attach,
    Complete,
    DurableScenario,
    Invoke,
    Signal,
    durable,
)
from tests.tools.scenarios.scenario import Await

MOMENT = timedelta(milliseconds=50)


def _approval(name: str) -> tuple[Workflow, Any, Any, Any]:
    workflow = Workflow(name)

    @workflow.main()
    async def run(ctx: WorkflowContext, what: str) -> str:
        ctx.set("status", f"{what} waits")
        try:
            by = await ctx.promise("approved", type_hint=str)
        except TerminalError as error:
            ctx.set("status", "rejected")
            return f"{what} was rejected: {error.status_code} {error.message}"
        await ctx.sleep(MOMENT)
        ctx.set("status", "approved")
        return f"{what} was approved by {by}"

    @workflow.handler()
    async def approve(ctx: WorkflowSharedContext, by: str) -> str:
        try:
            if by == "nobody":
                await ctx.promise("approved").reject("not today", 403)
            else:
                await ctx.promise("approved").resolve(by)
        except TerminalError as error:
            return f"{error.status_code}"
        return "ok"

    @workflow.handler()
    async def status(ctx: WorkflowSharedContext) -> list[Any]:
        return [await ctx.get("status"), await ctx.promise("approved").peek()]

    return workflow, run, approve, status


def a_workflow() -> DurableScenario:
    workflow, run, approve, _ = _approval("Approval")
    return durable(
        "a promise",
        "the main handler of a workflow waits for a promise that another handler keeps",
        workflow,
        steps=(
            Invoke("approval", run, "leave", "w"),
            Invoke("approving", approve, "Ann", "w"),
        ),
        records={"approval": ('"leave was approved by Ann"',), "approving": ('"ok"',)},
        places=EVERYWHERE,
    )


def a_promise_before_the_run() -> DurableScenario:
    workflow, run, approve, _ = _approval("EarlyApproval")
    return durable(
        "a promise before the run",
        "a promise that is kept before the main handler begins is kept",
        workflow,
        steps=(
            Invoke("early", approve, "Ann", "w"),
            Await(1),
            Invoke("approved early", run, "leave", "w"),
        ),
        records={"early": ('"ok"',), "approved early": ('"leave was approved by Ann"',)},
        places=EVERYWHERE,
    )


def a_rejected_promise() -> DurableScenario:
    workflow, run, approve, _ = _approval("Rejection")
    return durable(
        "a rejected promise",
        "who awaits a promise that is rejected gets a terminal error with its code",
        workflow,
        steps=(
            Invoke("rejection", run, "leave", "w"),
            Invoke("rejecting", approve, "nobody", "w"),
        ),
        records={
            "rejection": ('"leave was rejected: 403 not today"',),
            "rejecting": ('"ok"',),
        },
        places=EVERYWHERE,
    )


def a_promise_twice() -> DurableScenario:
    workflow, run, approve, _ = _approval("TwiceApproved")
    return durable(
        "a promise that is kept twice",
        "the first completion of a promise counts; who comes second is told so",
        workflow,
        steps=(
            Invoke("first", approve, "Ann", "w"),
            Await(1),
            Invoke("second", approve, "Bob", "w"),
            Await(2),
            Invoke("approved once", run, "leave", "w"),
        ),
        records={
            "first": ('"ok"',),
            "second": ('"409"',),
            "approved once": ('"leave was approved by Ann"',),
        },
        places=EVERYWHERE,
    )


def asking_a_workflow() -> DurableScenario:
    workflow, run, approve, status = _approval("Asked")
    return durable(
        "asking a workflow",
        "handlers of a workflow answer before, while and after its main handler runs",
        workflow,
        steps=(
            Invoke("asked", status, key="w"),
            Await(1),
            Invoke("asked main", run, "leave", "w"),
            Invoke("asked", status, key="w"),
            Await(2),
            Invoke("asked approving", approve, "Ann", "w"),
            Await(4),
            Invoke("asked", status, key="w"),
        ),
        records={
            "asked": ("[null, null]", '["leave waits", null]', '["approved", "Ann"]'),
            "asked main": ('"leave was approved by Ann"',),
            "asked approving": ('"ok"',),
        },
        places=EVERYWHERE,
    )


def once() -> DurableScenario:
    workflow, run, approve, _ = _approval("Once")
    again = "409 the workflow method was already invoked"
    return durable(
        "the main handler again",
        "the main handler of a workflow runs once for each key, also when it has ended",
        workflow,
        steps=(
            Invoke("once", run, "leave", "w"),
            Invoke("again", run, "other", "w"),
            Await(1),
            Invoke("approved", approve, "Ann", "w"),
            Await(3),
            Invoke("again", run, "other", "w"),
            Attach("attached to the workflow", of="once"),
        ),
        records={
            "once": ('"leave was approved by Ann"',),
            "again": (again, again),
            "approved": ('"ok"',),
            "attached to the workflow": ('"leave was approved by Ann"',),
        },
        places=EVERYWHERE,
    )


def an_awakeable() -> DurableScenario:
    service = Service("Awakened")

    @service.handler()
    async def wait(ctx: Context) -> list[Any]:
        got: list[Any] = [await ctx.awakeable()[1]]
        try:
            await ctx.awakeable()[1]
        except TerminalError as error:
            got.append(f"{error.status_code} {error.message}")
        return got

    return durable(
        "an awakeable",
        "what completes an awakeable from outside counts once, and may come late or twice",
        service,
        steps=(
            Invoke("awakened", wait),
            Complete("awakened", 0, '"first"'),
            Complete("awakened", 0, '"again"'),
            Invoke("between", wait),
            Complete("awakened", 1, rejection="no"),
            Complete("between", 0, "1"),
            Complete("between", 1, rejection="never"),
        ),
        records={"awakened": ('["first", "500 no"]',), "between": ('[1, "500 never"]',)},
        places=EVERYWHERE,
    )


def an_awakeable_between_handlers() -> DurableScenario:
    service = Service("Awakener")

    @service.handler()
    async def wait(ctx: Context) -> str:
        name, answer = ctx.awakeable(type_hint=str)
        ctx.service_send(wake, name)
        return await answer

    @service.handler()
    async def wake(ctx: Context, name: str) -> None:
        ctx.resolve_awakeable(name, "good morning")

    return durable(
        "an awakeable between handlers",
        "the id of an awakeable is enough for any handler to complete it",
        service,
        steps=(Invoke("woken", wait),),
        records={"woken": ('"good morning"',)},
        places=EVERYWHERE,
    )


def signals() -> DurableScenario:
    service = Service("Signalled")

    @service.handler()
    async def listen(ctx: Context) -> list[Any]:
        heard = [await ctx.signal("number", type_hint=int) for _ in range(3)]
        return [*heard, await ctx.signal("word", type_hint=str)]

    return durable(
        "signals",
        "signals of a name are heard in the order in which they came, also those that came early",
        service,
        steps=(
            Invoke("signalled", listen),
            Signal("signalled", "word", '"over"'),
            *(Signal("signalled", "number", str(each)) for each in range(3)),
        ),
        records={"signalled": ('[0, 1, 2, "over"]',)},
        places=EVERYWHERE,
    )


def signals_between_handlers() -> DurableScenario:
    service = Service("Signaller")

    @service.handler()
    async def listen(ctx: Context) -> str:
        ctx.service_send(speak, ctx.request().id)
        return await ctx.signal("greeting", type_hint=str)

    @service.handler()
    async def speak(ctx: Context, whom: str) -> None:
        ctx.resolve_signal(whom, "greeting", "hello")

    return durable(
        "signals between handlers",
        "a handler sends a signal to an invocation by its id",
        service,
        steps=(Invoke("greeted", listen),),
        records={"greeted": ('"hello"',)},
        places=EVERYWHERE,
    )


def a_saga() -> DurableScenario:
    service, stock = Service("Buyer"), VirtualObject("Stock")

    @stock.handler()
    async def take(ctx: ObjectContext, count: int) -> int:
        left = (await ctx.get("left", type_hint=int) or 10) - count
        ctx.set("left", left)
        return left

    @service.handler()
    async def buy(ctx: Context) -> list[int]:
        left, no_money = [], TerminalError("no money", 402)
        try:
            async with ctx.saga() as saga:
                for item in ("tea", "jam"):
                    left.append(await ctx.object_call(take, item, 3))
                    saga.undo(ctx.object_call, take, item, -3)
                await ctx.sleep(MOMENT)
                raise no_money
        except TerminalError as error:
            left.append(error.status_code)
        left += await asyncio.gather(*(ctx.object_call(take, item, 0) for item in ("tea", "jam")))
        return left

    return durable(
        "a saga",
        "when a saga fails for good, what was done is undone by durable steps, last first",
        *(service, stock),
        steps=(Invoke("saga", buy),),
        records={"saga": ("[7, 7, 402, 10, 10]",)},
        places=EVERYWHERE,
    )


SCENARIOS = tuple(
    make()
    for make in (
        *(a_workflow, a_promise_before_the_run, a_rejected_promise, a_promise_twice),
        *(asking_a_workflow, once, an_awakeable, an_awakeable_between_handlers, signals),
        *(signals_between_handlers, a_saga),
    )
)
