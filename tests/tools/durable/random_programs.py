"""Random programs: handlers that do whatever a seed says, each turn also from its journal.

A program is a tree of steps: effects, sleeps, calls, signals, state that is changed in place, and
asyncio's own ways of doing several things at a time, giving up, and failing. An interpreter runs it
as a handler would. `DurableHarness` compares each turn with the same turn from the journal.
"""

from __future__ import annotations

import asyncio
import contextvars
import json
import logging
import random
import uuid
from dataclasses import dataclass, field
from datetime import timedelta
from random import Random
from typing import TYPE_CHECKING, Any, TypeAlias

from statefun.durable import (
    Context,
    ObjectContext,
    ObjectSharedContext,
    RunOptions,
    Service,
    TerminalError,
    VirtualObject,
    app,
    select,
    wait_completed,
)
from statefun.testing import DurableHarness

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable

__all__ = ["play"]

Step: TypeAlias = list[Any]
Steps: TypeAlias = list[Step]

KEYS = "abc"
TIMES_MS = (0, 1, 3, 5, 10, 10, 20, 50, 100)
STATE_CHANGES = 7
LEAVES = (
    *("effect", "effect", "sleep", "later", "chance", "state", "state", "send", "look", "race"),
    *("queue", "generate", "fail", "awakeable", "signal", "event", "forget"),
)
BRANCHES = (
    *("child", "thing", "gather", "group", "timeout", "wait_for", "shield", "first", "in_order"),
    *("lock", "variable", "attempt", "attempt", "attempt", "cancel_call", "cancel_task", "saga"),
)

GIVEN: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("chance", "fail"), ()),
    **dict.fromkeys(("race", "awakeable"), ("time_ms", "time_ms")),
    **dict.fromkeys(("child", "saga"), ("steps",)),
    **dict.fromkeys(("group", "first", "in_order", "lock", "variable"), ("parts",)),
    **dict.fromkeys(
        ("timeout", "wait_for", "shield", "cancel_call", "cancel_task"), ("time_ms", "steps")
    ),
    "effect": ("seldom",),
    "state": ("change",),
    "look": ("key",),
    "send": ("key", "time_ms"),
    "generate": ("few", "few"),
    "queue": ("few", "time_ms"),
    "thing": ("key", "steps"),
    "gather": ("parts", "seldom"),
    "attempt": ("steps", "rarely", "rarely"),
}
"""Kind of step → what its method is given; a time, if it is not here."""

depth: contextvars.ContextVar[int] = contextvars.ContextVar("depth", default=0)


@dataclass
class Shelf:
    count: int = 0
    items: list[Any] = field(default_factory=list)
    names: dict[str, int] = field(default_factory=dict)


shelves = VirtualObject("Shelves", state=Shelf)
works = Service("Works")


def _ms(milliseconds: int) -> timedelta:
    return timedelta(milliseconds=milliseconds)


def _perform(name: str, *, fails: bool) -> str:
    if fails:
        raise TerminalError(f"no {name}", 418)
    return f"<{name}>"


@works.handler()
async def work(ctx: Context, told: list[Any]) -> object:
    return await _Interpreter(ctx, told[0]).result(told[1])


@shelves.handler()
async def keep(ctx: ObjectContext[Shelf], told: list[Any]) -> object:
    return await _Interpreter(ctx, told[0]).result(told[1])


@shelves.handler(kind="shared")
async def look(ctx: ObjectSharedContext[Shelf]) -> list[Any]:
    before = [ctx.state.count, list(ctx.state.items)]
    await ctx.sleep(_ms(5))
    return [*before, ctx.state.count, ctx.state.items]


@works.handler()
async def answer(ctx: Context, told: list[Any]) -> None:
    """Complete an awakeable, or send a signal."""
    kind, target, after_ms = told
    await ctx.sleep(_ms(after_ms))
    if kind == "awakeable":
        ctx.resolve_awakeable(target, "answered")
    else:
        ctx.resolve_signal(target, "signal", "signalled")


class _Interpreter:
    """Runs steps; each kind of step has a method of its name."""

    def __init__(self, ctx: Any, name: str) -> None:
        self.ctx = ctx
        self.name = name
        self.left: list[Any] = []

    async def result(self, steps: Steps) -> object:
        return json.loads(json.dumps(await self.run(steps), default=repr))

    async def run(self, steps: Steps) -> object:
        last: object = None
        for kind, number, *given in steps:
            last = await getattr(self, kind)(f"{self.name}{number}", *given)
        return last

    def all(self, parts: list[Steps]) -> list[Awaitable[object]]:
        return [self.run(each) for each in parts]

    def performed(self, name: str, *, fails: bool = False) -> Awaitable[str]:
        done: Awaitable[str] = self.ctx.run_typed(name, _perform, RunOptions(), name, fails=fails)
        return done

    # --- single steps ---

    async def effect(self, name: str, is_failing: bool) -> object:  # noqa: FBT001 - data
        return await self.performed(name, fails=is_failing)

    async def sleep(self, _: str, time_ms: int) -> None:
        await self.ctx.sleep(_ms(time_ms))

    async def later(self, _: str, time_ms: int) -> object:
        return await asyncio.sleep(time_ms / 1000, "later")

    async def chance(self, _: str) -> object:
        drawn = [self.ctx.random().random(), random.random(), await self.ctx.time()]
        return [*drawn, str(self.ctx.uuid()), str(uuid.uuid4())]

    async def state(self, name: str, change: int) -> object:
        ctx = self.ctx
        if not isinstance(ctx, ObjectContext):
            return None
        held: Shelf = ctx.state
        match change:
            case 0:
                held.count += 1
            case 1:
                held.items.append(held.count)
            case 2:
                held.names[name] = len(held.names)
            case 3:
                ctx.set("other", (await ctx.get("other", type_hint=int) or 0) + 1)
                held.count += 1
            case 4:
                held.items.clear()
            case 5:
                ctx.clear("names")
            case _:
                ctx.state = Shelf(7, [held.count])
        return [ctx.state.count, ctx.state.items, ctx.state.names, await ctx.state_keys()]

    async def send(self, name: str, key: str, time_ms: int) -> None:
        self.ctx.object_send(keep, key, [f"{name}/", []], send_delay=_ms(time_ms) or None)

    async def look(self, _: str, key: str) -> object:
        return await self.ctx.object_call(look, key, None)

    async def race(self, name: str, one_ms: int, other_ms: int) -> object:
        one, other = self.ctx.sleep(_ms(one_ms)), self.ctx.sleep(_ms(other_ms))
        first = await select(effect=self.performed(name), one=one, other=other)  # type: ignore[arg-type]
        done, pending = await wait_completed(one, other)
        return [first[0], len(done), len(pending)]

    async def queue(self, name: str, count: int, time_ms: int) -> object:
        queue: asyncio.Queue[int | None] = asyncio.Queue(1)
        taken = []

        async def fill() -> None:
            for each in (*range(count), None):
                await queue.put(each)
                await asyncio.sleep(time_ms / 1000)

        async def empty() -> None:
            while (each := await queue.get()) is not None:
                taken.append(await self.performed(f"{name}.{each}"))

        await asyncio.gather(fill(), empty())
        return taken

    async def generate(self, name: str, count: int, taken: int) -> object:
        async def numbers() -> AsyncIterator[str]:
            try:
                for each in range(count):
                    yield await self.performed(f"{name}.{each}")
            finally:
                await self.ctx.sleep(_ms(1))

        found = []
        async for each in numbers():
            found.append(each)
            if len(found) == taken:
                break
        return found

    async def fail(self, name: str) -> object:
        raise TerminalError(f"{name} fails", 499)

    async def awakeable(self, _: str, answered_ms: int, given_up_ms: int) -> object:
        name, future = self.ctx.awakeable(type_hint=str)
        self.ctx.service_send(answer, ["awakeable", name, answered_ms])
        try:
            async with asyncio.timeout(given_up_ms / 1000):
                return await future
        except TimeoutError:
            return "too late"

    async def signal(self, _: str, time_ms: int) -> object:
        self.ctx.service_send(answer, ["signal", self.ctx.request().id, time_ms])
        return await self.ctx.signal("signal", type_hint=str)

    async def event(self, _: str, time_ms: int) -> None:
        event = asyncio.Event()
        asyncio.get_running_loop().call_later(time_ms / 1000, event.set)
        await event.wait()

    async def forget(self, name: str, time_ms: int) -> None:
        """Begin what nobody ever awaits."""
        self.left += [self.ctx.sleep(_ms(time_ms)), self.performed(name)]

    # --- steps of steps ---

    async def child(self, name: str, steps: Steps) -> object:
        return await self.ctx.service_call(work, [f"{name}/", steps])

    async def thing(self, name: str, key: str, steps: Steps) -> object:
        return await self.ctx.object_call(keep, key, [f"{name}/", steps])

    async def gather(self, _: str, parts: list[Steps], is_forgiving: bool) -> object:  # noqa: FBT001 - data
        return await asyncio.gather(*self.all(parts), return_exceptions=is_forgiving)

    async def group(self, _: str, parts: list[Steps]) -> object:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(self.run(each)) for each in parts]
        return [task.result() for task in tasks]

    async def timeout(self, _: str, time_ms: int, steps: Steps) -> object:
        async with asyncio.timeout(time_ms / 1000):
            return await self.run(steps)

    async def wait_for(self, _: str, time_ms: int, steps: Steps) -> object:
        return await asyncio.wait_for(self.run(steps), time_ms / 1000)

    async def shield(self, _: str, time_ms: int, steps: Steps) -> object:
        inner = asyncio.ensure_future(self.run(steps))
        try:
            return await asyncio.wait_for(asyncio.shield(inner), time_ms / 1000)
        except TimeoutError:
            return ["too late", await inner]

    async def first(self, _: str, parts: list[Steps]) -> object:
        tasks = [asyncio.ensure_future(each) for each in self.all(parts)]
        done, pending = await asyncio.wait(set(tasks), return_when=asyncio.FIRST_COMPLETED)
        for task in pending:
            task.cancel()
        order = [tasks.index(task) for task in pending]
        return [order, repr(await asyncio.gather(*done, *pending, return_exceptions=True))]

    async def in_order(self, _: str, parts: list[Steps]) -> object:
        found: list[object] = []
        for each in asyncio.as_completed(self.all(parts)):
            try:
                found.append(await each)
            except Exception as error:  # noqa: BLE001 - whatever a program raises
                found.append(repr(error))
        return found

    async def lock(self, _: str, parts: list[Steps]) -> object:
        lock, order = asyncio.Lock(), []

        async def one(number: int, steps: Steps) -> None:
            async with lock:
                order.append(number)
                await self.run(steps)

        waiting = (one(number, steps) for number, steps in enumerate(parts))
        await asyncio.gather(*waiting, return_exceptions=True)
        return order

    async def variable(self, _: str, parts: list[Steps]) -> object:
        depth.set(depth.get() + 1)

        async def inside(steps: Steps) -> int:
            depth.set(depth.get() * 2)
            await self.run(steps)
            return depth.get()

        seen = await asyncio.gather(*map(inside, parts), return_exceptions=True)
        return [depth.get(), repr(seen)]

    async def attempt(self, _: str, steps: Steps, instead: Steps, at_last: Steps) -> object:
        try:
            return await self.run(steps)
        except Exception as error:  # noqa: BLE001 - whatever a program raises
            return [repr(error), await self.run(instead)]
        finally:
            await self.run(at_last)

    async def cancel_call(self, name: str, time_ms: int, steps: Steps) -> object:
        call = self.ctx.service_call(work, [f"{name}/", steps])
        await self.ctx.sleep(_ms(time_ms))
        await call.cancel_invocation()
        try:
            return await call
        except TerminalError as error:
            return [error.status_code, error.message]

    async def cancel_task(self, _: str, time_ms: int, steps: Steps) -> object:
        task = asyncio.ensure_future(self.run(steps))
        await asyncio.sleep(time_ms / 1000)
        task.cancel()
        try:
            return await task
        except asyncio.CancelledError:
            return "cancelled"

    async def saga(self, name: str, steps: Steps) -> object:
        async with self.ctx.saga() as saga:
            saga.undo(self.performed, f"undo {name}")
            return await self.run(steps)


class _Author:
    """Writes a program."""

    def __init__(self, seed: int) -> None:
        self.chance = Random(seed)
        self.written = 0

    def steps(self, levels: int) -> Steps:
        return [self.step(levels) for _ in range(self.chance.randrange(1, 5))]

    def step(self, levels: int) -> Step:
        self.written += 1
        is_branch = levels > 0 and self.chance.random() < 0.6
        kind = self.chance.choice(BRANCHES if is_branch else LEAVES)
        return [kind, self.written, *self.given(kind, levels - 1)]

    def given(self, kind: str, levels: int) -> list[Any]:
        """What a kind of step is given; see its method."""
        return [getattr(self, each)(levels) for each in GIVEN.get(kind, ("time_ms",))]

    def time_ms(self, _: int) -> int:
        return self.chance.choice(TIMES_MS)

    def key(self, _: int) -> str:
        return self.chance.choice(KEYS)

    def few(self, _: int) -> int:
        return self.chance.randrange(1, 4)

    def change(self, _: int) -> int:
        return self.chance.randrange(STATE_CHANGES)

    def seldom(self, _: int) -> bool:
        return self.chance.randrange(5) == 0

    def parts(self, levels: int) -> list[Steps]:
        return [self.steps(levels) for _ in range(self.chance.randrange(1, 4))]

    def rarely(self, levels: int) -> Steps:
        return [self.step(levels)] if self.chance.random() < 0.5 else []


_APP = app([shelves, works])


def play(seed: int, *, faults: float = 0.0) -> str:
    """Run a program, and cancel it now and then.

    Args:
        seed: Says which program, and when it is cancelled.
        faults: So often the process dies between a turn and its reply.

    Returns:
        How a replay differed, or by what a turn failed; empty if neither happened.
    """
    author = _Author(seed)
    steps = author.steps(3)
    cancelled_ms = author.chance.choice([None, None, None, 0, 2, 7, 30])
    logging.disable(logging.CRITICAL)
    harness = DurableHarness(_APP, replay="always", faults=faults, seed=seed)
    try:
        if author.chance.random() < 0.5:
            asked = harness.invoke(keep, ["", steps], key="a")
        else:
            asked = harness.invoke(work, ["", steps])
        if cancelled_ms is not None:
            harness.advance(_ms(cancelled_ms))
            harness.cancel(asked)
        harness.advance(timedelta(seconds=5))
    except AssertionError as error:
        return str(error)
    finally:
        logging.disable(logging.NOTSET)
    return "; ".join(map(str, harness.failed_batches))
