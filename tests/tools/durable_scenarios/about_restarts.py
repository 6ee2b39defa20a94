"""What a restart, a worker that is away and other code do to handlers that wait."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import Any

from statefun.durable import (
    Context,
    ObjectContext,
    Service,
    VirtualObject,
    Workflow,
    WorkflowContext,
    WorkflowSharedContext,
)
from tests.tools.durable_scenarios.everywhere import LASTING, LEAVING
from tests.tools.durable_scenarios.scenario import (
    Command,
    Complete,
    DurableScenario,
    Invoke,
    application,
    durable,
    perform,
    performed,
    tell,
)
from tests.tools.scenarios.scenario import Await, Down, Keep, NotBefore, Pause, Restart, Up

WHILE = timedelta(milliseconds=300)
EXACT = tuple(each for each in LASTING if "lost" not in each)


def a_restart() -> DurableScenario:
    service = Service("Restarted")

    @service.handler()
    async def work(ctx: Context) -> list[Any]:
        first = await perform(ctx, "before")
        second = await perform(ctx, "also before")
        tell(ctx, "restarted", "waits")
        answer = await ctx.awakeable()[1]
        return [first, second, answer, await performed(ctx, "before")]

    return durable(
        "a restart",
        "a handler that waits goes on after a restart, and repeats no step that is recorded",
        service,
        steps=(
            Invoke("restart", work),
            Await(1),
            Keep(),
            Restart(),
            Complete("restart", 3, '"go"'),
        ),
        records={"restarted": ("waits",), "restart": ('[1, 1, "go", 1]',)},
        places=EXACT,
        is_exact=True,
    )


def due_while_nothing_runs() -> DurableScenario:
    service = Service("Overslept")

    @service.handler()
    async def nap(ctx: Context) -> str:
        tell(ctx, "oversleeping", "begins")
        await ctx.sleep(WHILE)
        return "awake"

    return durable(
        "a sleep that ends while nothing runs",
        "a sleep whose time comes while nothing runs ends when something does",
        service,
        steps=(Invoke("overslept", nap), Await(1), Keep(), Restart(away_ms=500)),
        records={"oversleeping": ("begins",), "overslept": ('"awake"',)},
        timing=(NotBefore("overslept", (300,)),),
        places=LASTING,
    )


def the_worker_is_away() -> DurableScenario:
    service = Service("AwayWorker")

    @service.handler()
    async def work(ctx: Context) -> str:
        tell(ctx, "away", "begins")
        return str(await ctx.awakeable()[1])

    @service.handler()
    async def greet(ctx: Context) -> str:
        return "hello"

    return durable(
        "the worker is away",
        "what arrives while the worker is away waits; what it had in memory is not missed",
        service,
        steps=(
            Invoke("left alone", work),
            Await(1),
            Down(),
            Invoke("greeted late", greet),
            Complete("left alone", 1, '"back"'),
            Pause(200),
            Up(),
        ),
        records={"away": ("begins",), "left alone": ('"back"',), "greeted late": ('"hello"',)},
        places=LEAVING,
    )


def other_code() -> DurableScenario:
    def version(name: str) -> tuple[Service, Any]:
        service = Service("Changed")

        @service.handler()
        async def work(ctx: Context) -> list[Any]:
            first = await ctx.run_typed(name, lambda: "charged")
            tell(ctx, "changed", "waits")
            return [first, await ctx.awakeable()[1]]

        return service, work

    old, work = version("charge")
    new, _ = version("bill")
    return durable(
        "other code",
        "code that does not do what the journal says waits, and goes on once it does again",
        old,
        steps=(
            Invoke("code", work),
            Await(1),
            Keep(),
            Restart(functions=partial(application, (new,))),
            Complete("code", 2, '"go"'),
            Pause(200),
            Keep(),
            Restart(),
            Command("resume", "code"),
        ),
        records={"changed": ("waits",), "code": ('["charged", "go"]',)},
        places=LASTING,
    )


def the_next_version() -> DurableScenario:
    def version(number: int) -> tuple[VirtualObject, Any]:
        counter = VirtualObject("Versioned")

        @counter.handler()
        async def add(ctx: ObjectContext, by: int) -> str:
            total = (await ctx.get("total", type_hint=int) or 0) + by
            ctx.set("total", total)
            return f"version {number}: {total}"

        return counter, add

    old, add = version(1)
    new, _ = version(2)
    return durable(
        "the next version",
        "a new version of the code finds the state that the old one left",
        old,
        steps=(
            Invoke("versions", add, 1, "k"),
            Await(1),
            Keep(),
            Restart(functions=partial(application, (new,))),
            Invoke("versions", add, 2, "k"),
        ),
        records={"versions": ('"version 1: 1"', '"version 2: 3"')},
        places=LASTING,
    )


def an_answer_that_is_kept() -> DurableScenario:
    counter = VirtualObject("KeptAnswers")

    @counter.handler()
    async def add(ctx: ObjectContext, by: int) -> int:
        total = (await ctx.get("total", type_hint=int) or 0) + by
        ctx.set("total", total)
        return total

    ask = Invoke("kept answer", add, 5, "k", idempotency_key="order 3")
    return durable(
        "an answer that is kept",
        "the answer to an idempotency key is kept over a restart",
        counter,
        steps=(ask, Await(1), Keep(), Restart(), ask),
        records={"kept answer": ("5", "5")},
        places=LASTING,
    )


def a_promise_over_a_restart() -> DurableScenario:
    workflow = Workflow("KeptPromise")

    @workflow.main()
    async def run(ctx: WorkflowContext) -> str:
        tell(ctx, "main of it", "waits")
        return str(await ctx.promise("word"))

    @workflow.handler()
    async def give(ctx: WorkflowSharedContext, word: str) -> None:
        await ctx.promise("word").resolve(word)

    return durable(
        "a promise over a restart",
        "a promise is kept over restarts, on both sides of it",
        workflow,
        steps=(
            Invoke("main", run, key="w"),
            Await(1),
            Keep(),
            Restart(),
            Invoke("given", give, "hello", "w"),
        ),
        records={"main of it": ("waits",), "main": ('"hello"',), "given": ("",)},
        places=LASTING,
    )


def an_order_over_a_restart() -> DurableScenario:
    desk = VirtualObject("OrderOver")

    @desk.handler()
    async def wait(ctx: ObjectContext) -> None:
        tell(ctx, "order over", "waits")
        await ctx.awakeable()[1]

    @desk.handler()
    async def serve(ctx: ObjectContext, name: str) -> None:
        tell(ctx, "order over", name)

    names = ("Ann", "Bob", "Cai")
    return durable(
        "a queue over a restart",
        "what waits for a key is still there in its order after a restart",
        desk,
        steps=(
            Invoke("holder", wait, key="k"),
            Await(1),
            *(Invoke("queued", serve, each, "k") for each in names),
            Pause(300),
            Keep(),
            Restart(),
            Complete("holder", 1, "null"),
        ),
        records={
            "order over": ("waits", *names),
            "holder": ("",),
            "queued": ("", "", ""),
        },
        places=LASTING,
    )


SCENARIOS = tuple(
    make()
    for make in (
        *(a_restart, due_while_nothing_runs, the_worker_is_away, other_code, the_next_version),
        *(an_answer_that_is_kept, a_promise_over_a_restart, an_order_over_a_restart),
    )
)
