"""The loop: the same steps in the same order, wherever objects lie in memory."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import random
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from statefun.durable.loop import DeterministicLoop
from statefun.errors import NotDeterministicError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine


class Driver:
    """Runs one coroutine; timers fire when they are due first."""

    def __init__(self) -> None:
        self.timers: list[tuple[int, int, asyncio.TimerHandle]] = []
        self.loop = DeterministicLoop(  # type: ignore[abstract]
            1 << 20, b"seed", self._start, self._stop
        )

    def _start(self, due_ms: int, handle: asyncio.TimerHandle) -> None:
        self.timers.append((due_ms, len(self.timers), handle))

    def _stop(self, handle: asyncio.TimerHandle) -> None:
        self.timers = [timer for timer in self.timers if timer[2] is not handle]

    def run(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        task = self.loop.create_task(coroutine)
        self.loop.drain()
        while self.timers and not task.done():
            self.timers.remove(first := min(self.timers, key=lambda timer: timer[:2]))
            self.loop.now_ms = first[0]
            self.loop.fire(first[2])
            self.loop.drain()
        return task.result()


async def fails_in_a_group(trace: list[str]) -> None:
    async def worker(name: int) -> None:
        try:
            await asyncio.sleep(name)
            if name == 3:
                raise ValueError
            await asyncio.sleep(100)
        except asyncio.CancelledError:
            trace.append(f"cancelled {name}")
            raise

    try:
        async with asyncio.TaskGroup() as group:
            for name in range(9):
                group.create_task(worker(name))
    except* ValueError:
        trace.append("group failed")


async def waits_for_the_first(trace: list[str]) -> None:
    async def worker(name: int) -> int:
        await asyncio.sleep(5 if name % 2 else 1)
        return name

    tasks = [asyncio.ensure_future(worker(name)) for name in range(9)]
    done, pending = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    trace += [str(task.result()) for task in done]
    trace += [str(tasks.index(task)) for task in pending]
    for completed in asyncio.as_completed([worker(name) for name in range(9)]):
        trace.append(str(await completed))


async def uses_queues_and_locks(trace: list[str]) -> None:
    queue: asyncio.Queue[int] = asyncio.Queue(2)
    lock = asyncio.Lock()

    async def consume() -> None:
        while (item := await queue.get()) < 4:
            async with lock:
                await asyncio.sleep(0.1)
                trace.append(str(item))

    async def numbers() -> AsyncIterator[int]:
        for number in range(9):
            yield number

    consumers = [asyncio.ensure_future(consume()) for _ in range(2)]
    async for number in numbers():
        if number < 6:
            await queue.put(number)
    await asyncio.gather(*consumers)


@pytest.mark.parametrize("program", [fails_in_a_group, waits_for_the_first, uses_queues_and_locks])
def test_every_run_takes_the_same_steps(
    program: Callable[[list[str]], Coroutine[Any, Any, None]],
) -> None:
    """Also of what asyncio keeps in sets; between the runs memory is disturbed."""
    traces, litter = [], []
    for run in range(20):
        litter.append([object() for _ in range(run * 37)])
        trace: list[str] = []
        Driver().run(program(trace))
        traces.append(trace)

    assert traces[0]
    assert all(trace == traces[0] for trace in traces)


def test_it_runs_inside_a_task_of_another_loop() -> None:
    """And leaves that as it was."""

    async def outside() -> tuple[int, bool]:
        inner = Driver().run(asyncio.sleep(5, 7))
        return inner, asyncio.current_task() is not None

    assert asyncio.run(outside()) == (7, True)


def test_time_is_that_of_the_journal_inside_and_the_real_one_outside() -> None:
    """The standard library is replaced only while handlers run."""
    driver, before = Driver(), time.time

    async def look() -> tuple[float, float]:
        await asyncio.sleep(5)
        return time.time(), random.random()

    assert driver.run(look()) == Driver().run(look())
    assert driver.run(look())[0] == 10.0
    assert time.time is before


async def start_thread() -> None:
    threading.Thread(target=print).start()


@pytest.mark.parametrize(
    "reach",
    [
        lambda: asyncio.to_thread(print),
        start_thread,
        lambda: asyncio.open_connection("localhost", 1),
        lambda: asyncio.create_subprocess_exec("true"),
    ],
)
def test_the_world_outside_is_refused_with_a_hint(
    reach: Callable[[], Coroutine[Any, Any, object]],
) -> None:
    """Threads, sockets and processes belong into effects."""
    with pytest.raises(NotDeterministicError, match=r"ctx\.run_typed"):
        Driver().run(reach())


def test_sleeping_for_real_is_refused() -> None:
    """Where the interpreter tells of it."""

    async def sleeps() -> None:
        time.sleep(0)  # noqa: ASYNC251 - the test is about that

    with pytest.raises(NotDeterministicError, match=r"await ctx\.sleep"):
        Driver().run(sleeps())


def test_what_is_put_away_runs_its_finally_blocks_at_once() -> None:
    """The newest coroutine first, async generators too; nothing is left for the collector."""
    trace: list[str] = []

    async def numbers() -> AsyncIterator[int]:
        try:
            yield 1
        finally:
            trace.append("generator")

    async def waits(name: str) -> None:
        try:
            async for _ in numbers():
                await asyncio.sleep(5)
        finally:
            trace.append(name)

    driver = Driver()
    for name in ("first", "second"):
        driver.loop.create_task(waits(name))
    driver.loop.drain()
    driver.loop.close()

    assert trace == ["second", "first", "generator", "generator"]


def test_what_is_awaited_in_a_finally_block_does_not_keep_a_coroutine() -> None:
    """It is ended there as well, as its own task and in its own context, without a word."""
    trace: list[str] = []
    depth: contextvars.ContextVar[int] = contextvars.ContextVar("depth", default=0)

    async def numbers() -> AsyncIterator[int]:
        try:
            await asyncio.sleep(5)
            yield 1
        finally:
            trace.append("generator")

    async def waits() -> None:
        token = depth.set(1)
        helper = asyncio.ensure_future(asyncio.sleep(5))
        try:
            async for _ in numbers():
                pass
        finally:
            try:
                await helper
            finally:
                depth.reset(token)
                task = asyncio.current_task()
                trace.append(task.get_name() if task else "nobody")

    driver = Driver()
    driver.loop.create_task(waits(), name="mine")
    driver.loop.drain()
    driver.loop.close()

    assert trace == ["generator", "mine"]


def test_a_handler_that_does_not_end_is_told(caplog: pytest.LogCaptureFixture) -> None:
    """It cannot be put away, and whoever wrote it can see why."""

    async def stays() -> None:
        for _ in range(150):
            with contextlib.suppress(BaseException):  # the mistake that the test is about
                await asyncio.sleep(5)

    driver = Driver()
    task = driver.loop.create_task(stays())
    driver.loop.drain()
    driver.loop.close()

    assert "a durable handler goes on while it leaves memory" in caplog.text
    with driver.loop.entered(), contextlib.suppress(StopIteration):
        while True:
            task.get_coro().throw(ValueError())


def test_generators_that_have_ended_are_let_go() -> None:
    """A loop over many of them does not grow."""

    async def one() -> AsyncIterator[int]:
        yield 1

    async def many() -> None:
        for _ in range(1_000):
            async for _ in one():
                pass

    driver = Driver()
    driver.run(many())

    assert len(driver.loop._generators) < 200
