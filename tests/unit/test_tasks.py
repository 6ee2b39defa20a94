"""Shared tasks: a coroutine cannot tell that it shares its task with others."""

from __future__ import annotations

import asyncio
import gc
from contextvars import ContextVar

from statefun.tasks import SharedTasks

variable: ContextVar[str] = ContextVar("variable", default="unset")


async def some_steps() -> None:
    """Let the event loop go round a few times."""
    for _ in range(20):
        await asyncio.sleep(0)


async def test_coroutines_that_wait_for_nothing_run_in_one_task_in_order() -> None:
    """They are run one after another by the same task, as they were started."""
    shared, ran = SharedTasks("the call of"), []

    async def work(number: int) -> None:
        ran.append((number, asyncio.current_task()))

    for number in range(3):
        shared.start(work(number), number)
    assert len(shared) == 3
    await some_steps()
    assert [number for number, _ in ran] == [0, 1, 2]
    assert len({task for _, task in ran}) == 1
    assert len(shared) == 0


async def test_a_coroutine_that_waits_holds_up_nobody() -> None:
    """Others begin while it waits, however many of them wait, too."""
    shared, begun, go = SharedTasks("the call of"), [], asyncio.Event()

    async def work(number: int) -> None:
        begun.append(number)
        await go.wait()

    for number in range(20):
        shared.start(work(number), number)
    await some_steps()
    assert begun == list(range(20))
    assert len(shared) == 20
    go.set()
    await some_steps()
    assert len(shared) == 0


async def test_a_coroutine_that_waits_has_a_task_of_its_own_with_a_name() -> None:
    """`asyncio.timeout` and everything else that keeps the current task goes on working."""
    shared, ended = SharedTasks("the call of"), asyncio.get_running_loop().create_future()

    async def work() -> None:
        try:
            async with asyncio.timeout(0.001):
                await asyncio.Event().wait()
        except TimeoutError as error:
            task = asyncio.current_task()
            ended.set_result((error, task and task.get_name()))

    shared.start(work(), "a cat")
    error, name = await ended
    assert isinstance(error, TimeoutError)
    assert name == "the call of a cat"


async def test_variables_that_a_coroutine_sets_are_its_own() -> None:
    """Neither the others nor whoever started it see them, and it keeps them over its waits."""
    shared, seen = SharedTasks("the call of"), []

    async def work(value: str) -> None:
        seen.append(variable.get())
        variable.set(value)
        await asyncio.sleep(0)
        seen.append(variable.get())

    async def set_only() -> None:
        variable.set("set only")

    shared.start(set_only(), 0)
    shared.start(work("first"), 1)
    shared.start(work("second"), 2)
    await some_steps()
    assert len(shared) == 0
    assert sorted(seen) == ["first", "second", "unset", "unset"]
    assert variable.get() == "unset"


async def test_a_coroutine_that_cancels_its_task_cancels_nobody_else() -> None:
    """Those behind it get another task."""
    shared, ran = SharedTasks("the call of"), []

    async def cancel_and_return() -> None:
        task = asyncio.current_task()
        assert task is not None
        task.cancel()

    async def work() -> None:
        await asyncio.sleep(0)
        ran.append(True)

    shared.start(cancel_and_return(), 0)
    shared.start(work(), 1)
    await some_steps()
    assert len(shared) == 0
    assert ran == [True]


async def test_an_error_of_a_coroutine_is_its_own() -> None:
    """Its task ends by it, and the others are run all the same."""
    shared, ran = SharedTasks("the call of"), []
    told: list[str] = []
    asyncio.get_running_loop().set_exception_handler(
        lambda _, context: told.append(str(context["exception"]))
    )

    async def fail() -> None:
        raise RuntimeError("mine")

    async def work() -> None:
        ran.append(True)

    shared.start(fail(), 0)
    shared.start(work(), 1)
    await some_steps()
    assert len(shared) == 0
    gc.collect()  # asyncio tells when it lets go of the task
    assert ran == [True]
    assert told == ["mine"]


async def test_cancelling_ends_what_has_begun_and_lets_nothing_else_begin() -> None:
    """A coroutine that waits may clean up; one that has not begun never does."""
    shared, told = SharedTasks("the call of"), []

    async def wait() -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            told.append("cancelled")
            raise

    async def never() -> None:
        told.append("begun")

    shared.start(wait(), 0)
    await asyncio.sleep(0)
    shared.start(never(), 1)
    shared.cancel()
    await some_steps()
    assert len(shared) == 0
    assert told == ["cancelled"]


async def test_a_coroutine_can_be_thrown_errors_into_while_it_waits() -> None:
    """What it awaits may fail, and it may go on after that."""
    shared, told = SharedTasks("the call of"), []
    failing = asyncio.get_running_loop().create_future()

    async def work() -> None:
        try:
            await failing
        except ValueError as error:
            told.append(str(error))
        await asyncio.sleep(0)
        told.append("went on")

    shared.start(work(), 0)
    await asyncio.sleep(0)
    failing.set_exception(ValueError("no"))
    await some_steps()
    assert len(shared) == 0
    assert told == ["no", "went on"]
