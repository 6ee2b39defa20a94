"""Effects, sleeps and what asyncio does with them."""

from __future__ import annotations

import asyncio
import os
from datetime import timedelta
from typing import Any

from statefun.durable import (
    Context,
    ObjectContext,
    RunOptions,
    Service,
    TerminalError,
    VirtualObject,
    as_completed,
    select,
)
from tests.tools.durable_scenarios.everywhere import CALM, EVERYWHERE, KIT
from tests.tools.durable_scenarios.scenario import (
    DurableScenario,
    Invoke,
    durable,
    perform,
    performed,
)
from tests.tools.scenarios.scenario import NotBefore

MOMENT = timedelta(milliseconds=50)
WHILE = timedelta(milliseconds=300)


def an_effect() -> DurableScenario:
    service = Service("OneEffect")

    @service.handler()
    async def work(ctx: Context, name: str) -> list[Any]:
        first = await perform(ctx, "effect")
        await ctx.sleep(MOMENT)
        return [name, first, await performed(ctx, "effect")]

    return durable(
        "an effect",
        "an effect whose result is recorded is not performed again, also when its handler replays",
        service,
        steps=(Invoke("effect", work, "Ada"),),
        records={"effect": ('["Ada", 1, 1]',)},
        places=CALM,
        is_exact=True,
    )


def an_effect_whose_reply_is_lost() -> DurableScenario:
    service = Service("LostEffect")

    @service.handler()
    async def work(ctx: Context) -> bool:
        await perform(ctx, "effect")
        return bool(await performed(ctx, "effect") > 1)

    return durable(
        "an effect whose reply is lost",
        "an effect is performed once though replies are lost, while its process lives",
        service,
        steps=(Invoke("lost effect", work),),
        records={"lost effect": ("false",)},
        places=(*CALM, "replies-lost", "engine-replies-lost"),
    )


def one_result() -> DurableScenario:
    service, keeper = Service("OneResult"), VirtualObject("KeepsTheResult")

    @keeper.handler()
    async def keep(ctx: ObjectContext, token: str) -> None:
        ctx.set("token", token)

    @keeper.handler()
    async def kept(ctx: ObjectContext) -> str | None:
        return await ctx.get("token", type_hint=str)

    @service.handler()
    async def work(ctx: Context) -> bool:
        key = ctx.request().id
        token = await ctx.run_typed("draw", _draw, RunOptions(type_hint=str))
        ctx.object_send(keep, key, token)
        await ctx.sleep(MOMENT)
        return bool(token == await ctx.object_call(kept, key, None))

    return durable(
        "one result",
        "however often an effect is performed, its handler and all that it tells see one result",
        *(service, keeper),
        steps=(Invoke("one result", work),),
        records={"one result": ("true",)},
        places=EVERYWHERE,
    )


def _draw() -> str:
    return os.urandom(8).hex()


def effects_in_turn() -> DurableScenario:
    service = Service("EffectsInTurn")

    @service.handler()
    async def work(ctx: Context, start: int) -> list[int]:
        results = [start]
        for number in range(4):
            results.append(
                await ctx.run_typed(f"step {number}", _double, RunOptions(), results[-1])
            )
        return results

    return durable(
        "effects one after another",
        "a later effect gets the recorded result of an earlier one",
        service,
        steps=(Invoke("in turn", work, 3),),
        records={"in turn": ("[3, 6, 12, 24, 48]",)},
        places=EVERYWHERE,
    )


def _double(number: int) -> int:
    return number * 2


def effects_side_by_side() -> DurableScenario:
    service = Service("EffectsSideBySide")

    @service.handler()
    async def work(ctx: Context) -> list[int]:
        asked = [ctx.run_typed(f"side {each}", _slowly, RunOptions(), each) for each in range(5)]
        return await asyncio.gather(*asked)

    return durable(
        "effects side by side",
        "effects that are asked for together are performed together",
        service,
        steps=(Invoke("side", work),),
        records={"side": ("[0, 2, 4, 6, 8]",)},
        places=EVERYWHERE,
    )


async def _slowly(number: int) -> int:
    await asyncio.sleep(0.02)
    return number * 2


def an_effect_that_fails() -> DurableScenario:
    service = Service("StumblingEffect")

    @service.handler()
    async def work(ctx: Context) -> str:
        return await ctx.run_typed(
            "stumble",
            _stumble,
            RunOptions(initial_retry_interval=timedelta(milliseconds=10)),
            ctx.request().id,
            3,
        )

    return durable(
        "an effect that fails at first",
        "an effect that raises is tried again, and its handler only sees the result",
        service,
        steps=(Invoke("stumble", work),),
        records={"stumble": ('"at last"',)},
        places=EVERYWHERE,
    )


_STUMBLED: dict[str, int] = {}


def _stumble(invocation: str, times: int) -> str:
    _STUMBLED[invocation] = _STUMBLED.get(invocation, 0) + 1
    if _STUMBLED[invocation] < times:
        raise OSError("not now")
    return "at last"


def an_effect_that_fails_for_good() -> DurableScenario:
    service = Service("DeclinedEffect")

    @service.handler()
    async def work(ctx: Context) -> str:
        try:
            await ctx.run_typed("pay", _decline)
        except TerminalError as error:
            return f"declined with {error.status_code}"
        return "paid"

    return durable(
        "an effect that fails for good",
        "a terminal error of an effect is recorded, and the handler may catch it",
        service,
        steps=(Invoke("declined", work),),
        records={"declined": ('"declined with 402"',)},
        places=EVERYWHERE,
    )


def _decline() -> None:
    raise TerminalError("no money", 402)


def attempts_of_an_effect() -> DurableScenario:
    service = Service("SpentEffect")

    @service.handler()
    async def work(ctx: Context) -> str:
        options: RunOptions[Any] = RunOptions(
            max_attempts=2, initial_retry_interval=timedelta(milliseconds=10)
        )
        try:
            await ctx.run_typed("never", _never, options)
        except TerminalError as error:
            return error.message
        return "done"

    return durable(
        "the attempts of an effect",
        "when the attempts of an effect are spent, its handler gets a terminal error",
        service,
        steps=(Invoke("spent", work),),
        records={"spent": ("\"OSError('never')\"",)},
        places=EVERYWHERE,
    )


def _never() -> None:
    raise OSError("never")


def a_sleep() -> DurableScenario:
    service = Service("Sleeper")

    @service.handler()
    async def nap(ctx: Context) -> bool:
        before = await ctx.time()
        await ctx.sleep(WHILE)
        return await ctx.time() >= before + WHILE.total_seconds()

    return durable(
        "a sleep",
        "a sleep ends no earlier than asked, by the clock of the handler and by that of others",
        service,
        steps=(Invoke("sleep", nap),),
        records={"sleep": ("true",)},
        places=EVERYWHERE,
        timing=(NotBefore("sleep", (300,)),),
    )


def sleeps_side_by_side() -> DurableScenario:
    service = Service("SleepersTogether")

    @service.handler()
    async def nap(ctx: Context) -> list[int]:
        order: list[int] = []

        async def one(number: int) -> None:
            await ctx.sleep(number * WHILE)
            order.append(number)

        await asyncio.gather(one(3), one(1), one(2))
        return order

    return durable(
        "sleeps side by side",
        "sleeps of tasks end in the order of their times, and a replay repeats that order",
        service,
        steps=(Invoke("sleeps", nap),),
        records={"sleeps": ("[1, 2, 3]",)},
        places=EVERYWHERE,
        timing=(NotBefore("sleeps", (900,)),),
    )


def a_month() -> DurableScenario:
    service = Service("LongSleeper")

    @service.handler()
    async def nap(ctx: Context) -> str:
        await ctx.sleep(timedelta(seconds=20))
        return "good morning"

    return durable(
        "a long sleep",
        "on the clock of a test a long sleep takes no time",
        service,
        steps=(Invoke("long sleep", nap),),
        records={"long sleep": ('"good morning"',)},
        places=KIT,
        timing=(NotBefore("long sleep", (20_000,)),),
    )


def a_timeout() -> DurableScenario:
    service = Service("TimeOut")

    @service.handler()
    async def wait(ctx: Context) -> str:
        _, answer = ctx.awakeable()
        try:
            async with asyncio.timeout(WHILE.total_seconds()):
                return str(await answer)
        except TimeoutError:
            return "nobody came"

    return durable(
        "a timeout",
        "asyncio.timeout is a durable timer",
        service,
        steps=(Invoke("timeout", wait),),
        records={"timeout": ('"nobody came"',)},
        places=EVERYWHERE,
        timing=(NotBefore("timeout", (300,)),),
    )


def the_first_of_two() -> DurableScenario:
    service = Service("FirstOfTwo")

    @service.handler()
    async def race(ctx: Context) -> list[Any]:
        won = await select(late=ctx.sleep(timedelta(seconds=9)), soon=ctx.sleep(MOMENT))
        await ctx.sleep(MOMENT)
        return won

    return durable(
        "the first of two",
        "who came first stands in the journal, so a race ends the same in every replay",
        service,
        steps=(Invoke("race", race),),
        records={"race": ('["soon", null]',)},
        places=EVERYWHERE,
    )


def completion_order() -> DurableScenario:
    service = Service("AsCompleted")

    @service.handler()
    async def race(ctx: Context) -> list[int]:
        naps: dict[Any, int] = {ctx.sleep(each * WHILE): each for each in (2, 0, 1)}
        return [naps[each] async for each in as_completed(*naps)]

    return durable(
        "the order of completion",
        "as_completed gives what is done first, first",
        service,
        steps=(Invoke("completed", race),),
        records={"completed": ("[0, 1, 2]",)},
        places=EVERYWHERE,
    )


def chance() -> DurableScenario:
    service = Service("Chance")

    @service.handler()
    async def draw(ctx: Context) -> bool:
        drawn = [str(ctx.uuid()), ctx.random().random()]
        recorded = await ctx.run_typed("keep", _same, RunOptions(type_hint=list), drawn)
        await ctx.sleep(MOMENT)
        return bool(recorded == drawn) and str(ctx.uuid()) != drawn[0]

    return durable(
        "chance",
        "random numbers and UUIDs of a context are the same in every replay",
        service,
        steps=(Invoke("chance", draw),),
        records={"chance": ("true",)},
        places=EVERYWHERE,
    )


def _same(value: Any) -> Any:
    return value


def the_time() -> DurableScenario:
    service = Service("TheTime")

    @service.handler()
    async def look(ctx: Context) -> bool:
        seen = await ctx.time()
        recorded = await ctx.run_typed("keep", _same, RunOptions(type_hint=float), seen)
        await ctx.sleep(MOMENT)
        return bool(recorded == seen)

    return durable(
        "the time",
        "the time of a context is the same in every replay",
        service,
        steps=(Invoke("time", look),),
        records={"time": ("true",)},
        places=EVERYWHERE,
    )


def a_task_group() -> DurableScenario:
    service = Service("Tasks")

    @service.handler()
    async def work(ctx: Context) -> list[str]:
        done: list[str] = []

        async def one(name: str, pause: timedelta) -> None:
            try:
                await ctx.sleep(pause)
                done.append(name)
                if name == "b":
                    raise ValueError(name)
            except asyncio.CancelledError:
                done.append(f"{name} stopped")
                raise

        try:
            async with asyncio.TaskGroup() as group:
                for name, pause in (("a", MOMENT), ("b", WHILE), ("c", 100 * WHILE)):
                    group.create_task(one(name, pause))
        except ExceptionGroup as failures:
            done.append(str(failures.exceptions[0]))
        await ctx.sleep(MOMENT)
        return done

    return durable(
        "a task group",
        "the failure of a task stops the others of its group, in a replay as at first",
        service,
        steps=(Invoke("tasks", work),),
        records={"tasks": ('["a", "b", "c stopped", "b"]',)},
        places=EVERYWHERE,
    )


def a_queue_between_tasks() -> DurableScenario:
    service = Service("Queues")

    @service.handler()
    async def work(ctx: Context) -> list[int]:
        queue: asyncio.Queue[int] = asyncio.Queue(maxsize=1)
        taken: list[int] = []

        async def give() -> None:
            for number in range(4):
                await queue.put(
                    await ctx.run_typed(f"make {number}", _double, RunOptions(), number)
                )

        async def take() -> None:
            for _ in range(4):
                taken.append(await queue.get())
                await ctx.sleep(MOMENT)

        await asyncio.gather(give(), take())
        return taken

    return durable(
        "a queue between tasks",
        "queues of asyncio work between the tasks of a handler",
        service,
        steps=(Invoke("queue", work),),
        records={"queue": ("[0, 2, 4, 6]",)},
        places=EVERYWHERE,
    )


def many_steps() -> DurableScenario:
    service = Service("ManySteps")

    @service.handler()
    async def work(ctx: Context, count: int) -> int:
        total = 0
        for number in range(count):
            total += await ctx.run_typed(f"step {number}", _same, RunOptions(type_hint=int), number)
        await ctx.sleep(MOMENT)
        return total

    return durable(
        "many steps",
        "a handler takes as many steps as it needs, and a replay takes them all",
        service,
        steps=(Invoke("many steps", work, 40),),
        records={"many steps": ("780",)},
        places=EVERYWHERE,
    )


SCENARIOS = tuple(
    make()
    for make in (
        *(
            an_effect,
            an_effect_whose_reply_is_lost,
            one_result,
            effects_in_turn,
            effects_side_by_side,
            an_effect_that_fails,
        ),
        *(an_effect_that_fails_for_good, attempts_of_an_effect, a_sleep, sleeps_side_by_side),
        *(a_month, a_timeout, the_first_of_two, completion_order, chance, the_time),
        *(a_task_group, a_queue_between_tasks, many_steps),
    )
)
