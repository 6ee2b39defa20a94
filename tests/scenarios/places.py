"""Places where scenarios are played; each gives a stage on which the steps are taken."""

from __future__ import annotations

import asyncio
import time
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from aiohttp.test_utils import TestServer

from statefun.runtime import Runtime
from statefun.runtime.remote import Endpoint
from statefun.serve import aiohttp_app
from statefun.testing import Harness
from tests.scenarios.scenario import (
    RAW,
    TOLD,
    Await,
    Heard,
    Outcome,
    Pause,
    Scenario,
    Send,
    by_channel,
    too_early,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path

    from statefun.runtime.values import Value
    from statefun.sdk.functions import StatefulFunctions

PATIENCE_S = 30
TICK = timedelta(milliseconds=10)


class Stage(Protocol):
    """Takes the steps of one play."""

    heard: list[Heard]

    def now_ms(self) -> float:
        """The time that `heard` goes by."""

    async def send(self, step: Send) -> None: ...

    async def hear(self, records: int) -> None:
        """Wait until so many records have been told."""

    async def pause(self, milliseconds: int) -> None: ...

    async def settle(self) -> None:
        """Wait until nothing is left to be told."""

    async def state(self, typename: str, target_id: str) -> Mapping[str, Value]: ...


Place: TypeAlias = "Callable[[StatefulFunctions, Path], AbstractAsyncContextManager[Stage]]"


async def play(scenario: Scenario, place: Place, directory: Path) -> Outcome:
    """Take the steps of a scenario at a place."""
    async with place(scenario.functions(), directory) as stage:
        began_ms = stage.now_ms()
        for step in scenario.steps:
            match step:
                case Send():
                    await stage.send(step)
                case Await(records):
                    await stage.hear(records)
                case Pause(milliseconds):
                    await stage.pause(milliseconds)
        await stage.hear(sum(map(len, scenario.records.values())))
        await stage.settle()
        state: dict[tuple[str, str], dict[str, Any]] = {}
        for address in scenario.state:
            values = await stage.state(*address)
            state[address] = {name: value.value for name, value in values.items()}
        return Outcome(by_channel(stage.heard), state, too_early(scenario, stage.heard, began_ms))


class HarnessStage:
    """The test kit: time is virtual, and nothing happens unless it is told to."""

    def __init__(self, functions: StatefulFunctions) -> None:
        self.heard: list[Heard] = []
        self._harness = Harness(functions, raise_failures=False, egresses=[TOLD, RAW])

    def now_ms(self) -> float:
        return self._harness.clock.now_ms()

    async def send(self, step: Send) -> None:
        self._harness.send(step.message())

    async def hear(self, records: int) -> None:
        self._harness.run()
        self._listen()
        while len(self.heard) < records and (
            self._harness.pending_timers or not self._harness.is_idle
        ):
            await self.pause(10)

    async def pause(self, milliseconds: int) -> None:
        for _ in range(milliseconds // 10):
            self._harness.advance(TICK)
            self._listen()

    async def settle(self) -> None:
        await self.hear(len(self.heard) + 1)

    async def state(self, typename: str, target_id: str) -> Mapping[str, Value]:
        return self._harness.state(typename, target_id)

    def _listen(self) -> None:
        told = [(TOLD, record) for record in self._harness.egress(TOLD)]
        raw = [(RAW, record) for record in self._harness.egress(RAW)]
        for egress, record in (told + raw)[len(self.heard) :]:
            self.heard.append(Heard.of(egress, record, self.now_ms()))


class RuntimeStage:
    """An embedded runtime, on the time of the machine."""

    def __init__(self, runtime: Runtime) -> None:
        self.heard: list[Heard] = []
        self._runtime = runtime
        self._news = asyncio.Condition()

    def now_ms(self) -> float:
        return time.monotonic() * 1000

    async def listen(self, egress: str) -> None:
        async for record in self._runtime.egress(egress):
            async with self._news:
                self.heard.append(Heard.of(egress, record, self.now_ms()))
                self._news.notify_all()

    async def send(self, step: Send) -> None:
        await self._runtime.send(step.message())

    async def hear(self, records: int) -> None:
        async with asyncio.timeout(PATIENCE_S), self._news:
            await self._news.wait_for(lambda: len(self.heard) >= records)

    async def pause(self, milliseconds: int) -> None:
        await asyncio.sleep(milliseconds / 1000)

    async def settle(self) -> None:
        async with asyncio.timeout(PATIENCE_S):
            await self._runtime.idle()
        await self.hear(self._runtime.metrics().counters.egress_records)

    async def state(self, typename: str, target_id: str) -> Mapping[str, Value]:
        return await self._runtime.state(typename, target_id)


@asynccontextmanager
async def harness(functions: StatefulFunctions, directory: Path) -> AsyncIterator[Stage]:
    """The test kit."""
    yield HarnessStage(functions)


@asynccontextmanager
async def memory(functions: StatefulFunctions, directory: Path) -> AsyncIterator[Stage]:
    """The embedded runtime in memory."""
    async with _stage(Runtime(functions, data=None, egresses=[TOLD, RAW])) as stage:
        yield stage


@asynccontextmanager
async def sqlite(functions: StatefulFunctions, directory: Path) -> AsyncIterator[Stage]:
    """The embedded runtime on disk."""
    async with _stage(Runtime(functions, data=directory, egresses=[TOLD, RAW])) as stage:
        yield stage


@asynccontextmanager
async def remote(functions: StatefulFunctions, directory: Path) -> AsyncIterator[Stage]:
    """The embedded runtime on disk, with the functions behind an HTTP endpoint."""
    async with AsyncExitStack() as exits:
        server = await exits.enter_async_context(TestServer(aiohttp_app(functions)))
        endpoint = Endpoint("s/*", str(server.make_url("/statefun")))
        runtime = Runtime(data=directory, endpoints=[endpoint], egresses=[TOLD, RAW])
        yield await exits.enter_async_context(_stage(runtime))


@asynccontextmanager
async def _stage(runtime: Runtime) -> AsyncIterator[Stage]:
    async with asyncio.TaskGroup() as listeners, runtime:
        stage = RuntimeStage(runtime)
        for egress in (TOLD, RAW):
            listeners.create_task(stage.listen(egress))
        yield stage


PLACES: Mapping[str, Place] = {
    "harness": harness,
    "memory": memory,
    "sqlite": sqlite,
    "remote": remote,
}
