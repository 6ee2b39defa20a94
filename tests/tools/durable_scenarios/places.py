"""Places where durable scenarios are played, beside those of all scenarios.

Some make trouble by themselves: replies are lost, workers and runtimes start again, a TaskManager
is killed. What a scenario expects holds there too.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from typing import TYPE_CHECKING

from aiohttp import web

from statefun.runtime import Backoff, FailurePolicy
from tests.tools.durable_scenarios.scenario import DurableScenario, application, channels
from tests.tools.lab import SHORT_LIVED, Flink
from tests.tools.lab.errors import LabError
from tests.tools.scenarios.engines import AT_ONCE_OUT, QUIET_S, EngineStage
from tests.tools.scenarios.engines import job as own_job
from tests.tools.scenarios.function_server import FunctionServer
from tests.tools.scenarios.places import (
    HarnessStage,
    RemoteStage,
    RuntimeStage,
)
from tests.tools.scenarios.scenario import Down, Restart, Up

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
    from pathlib import Path

    from statefun.durable.endpoint import App
    from statefun.runtime.values import Value
    from statefun.sdk.address import Address
    from statefun.sdk.functions import StatefulFunctions
    from tests.tools.scenarios.places import MakeFunctions, Place, Stage
    from tests.tools.scenarios.scenario import Arrival, Heard, Scenario

NAP_S = 0.06
"""How long a play waits for records before its process is restarted once more."""
RESTARTS = 6
TICK_MS = 10
LONGEST_MS = 30_000
"""No play waits longer for its records in the test kit."""
SLOTS = 4
SETTINGS = {
    **AT_ONCE_OUT,
    # RocksDB flushes each value of each function at each checkpoint; one job has hundreds here.
    "state.backend": "hashmap",
    # So that a worker that is killed is missed soon.
    "heartbeat.interval": "500",
    "heartbeat.timeout": "5000",
}
KILLS_OF_A_PLAY = 3
GLANCE_S = 0.1
"""Many plays look at one job; together they still look often."""


# --- in this process ------------------------------------------------------------------------------


class KitStage(HarnessStage):
    """The test kit. Outcomes are kept for a day, which no play waits for."""

    async def hear(self, records: int) -> None:
        await self.pause(0)
        for _ in range(LONGEST_MS // TICK_MS):
            if len(self.heard) >= records:
                return
            await self.pause(TICK_MS)

    async def settle(self) -> None:
        await self.pause(int(QUIET_S * 1000))

    async def pause(self, milliseconds: int) -> None:
        for _ in range(max(milliseconds // TICK_MS, 1)):
            self.let_pass(timedelta(milliseconds=TICK_MS if milliseconds else 0))


@asynccontextmanager
async def kit(
    scenario: Scenario, directory: Path, *, is_cold: bool = False
) -> AsyncIterator[Stage]:
    """The test kit; if it is cold, every turn begins with a replay."""
    assert isinstance(scenario, DurableScenario)
    yield KitStage((scenario.cold() if is_cold else scenario).functions())


PATIENT = FailurePolicy(
    retry=Backoff(
        first=timedelta(milliseconds=20), longest=timedelta(milliseconds=50), attempts=100
    )
)
"""Of a connection that breaks off again and again nobody makes a dead letter here."""


class Restarting(RuntimeStage):
    """An embedded runtime that starts again after each step and while something is awaited."""

    failure = PATIENT

    def __init__(self, scenario: Scenario, data: Path | None) -> None:
        super().__init__(scenario, data)
        self._make: MakeFunctions = scenario.functions

    async def send(self, step: Arrival) -> None:
        await super().send(step)
        await self._again()

    async def hear(self, records: int) -> None:
        for _ in range(RESTARTS):
            if len(self.heard) >= records:
                return
            with suppress(TimeoutError):
                async with asyncio.timeout(NAP_S), self._news:
                    await self._news.wait_for(lambda: len(self.heard) >= records)
            await self._again()
        await super().hear(records)

    async def restart(self, away_ms: int, functions: MakeFunctions | None) -> None:
        self._make = functions or self._make
        await super().restart(away_ms, self._make)

    async def _again(self) -> None:
        await self.restart(0, None)


class RestartingWorker(RemoteStage):
    """An embedded runtime beside a worker that starts again with nothing in memory, as above."""

    failure = PATIENT

    def __init__(self, scenario: Scenario, data: Path | None) -> None:
        super().__init__(scenario, data)
        self._make: MakeFunctions = scenario.functions
        self._is_down = False

    async def send(self, step: Arrival) -> None:
        await super().send(step)
        await self._again()

    async def hear(self, records: int) -> None:
        for _ in range(RESTARTS):
            if len(self.heard) >= records:
                return
            with suppress(TimeoutError):
                async with asyncio.timeout(NAP_S), self._news:
                    await self._news.wait_for(lambda: len(self.heard) >= records)
            await self._again()
        await super().hear(records)

    async def restart(self, away_ms: int, functions: MakeFunctions | None) -> None:
        self._make = functions or self._make
        await super().restart(away_ms, self._make)

    async def down(self) -> None:
        self._is_down = True
        await super().down()

    async def up(self, functions: StatefulFunctions) -> None:
        self._is_down = False
        await super().up(functions)

    async def _again(self) -> None:
        if not self._is_down:
            await super().down()
            await super().up(self._make())


class LosingReplies(RemoteStage):
    """An embedded runtime that does not get every other reply of a function, but asks again."""

    failure = PATIENT

    def __init__(self, scenario: Scenario, data: Path | None) -> None:
        super().__init__(scenario, data)
        self._server = FunctionServer([losing_replies()])


def losing_replies() -> Callable[..., Awaitable[web.StreamResponse]]:
    """Cut the connection in place of every other reply; the function has run by then."""
    asked: Counter[str] = Counter()

    @web.middleware
    async def lose(
        request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        answer = await handler(request)
        asked[request.path] += 1
        if asked[request.path] % 2 and request.transport is not None:
            request.transport.abort()
        return answer

    return lose


# --- on an engine ---------------------------------------------------------------------------------


class SharedStage:
    """The part of one scenario in a job that runs the functions of all."""

    def __init__(self, whole: EngineStage, scenario: Scenario, killer: Killer | None) -> None:
        self._whole = whole
        self._channels = channels(scenario)
        self._killer = killer
        self._kills_left = KILLS_OF_A_PLAY

    @property
    def heard(self) -> list[Heard]:
        return [each for each in self._whole.heard if each.channel in self._channels]

    def now_ms(self) -> float:
        return self._whole.now_ms()

    async def send(self, step: Arrival) -> None:
        if self._killer is None:
            await self._whole.send(step)
            return
        async with self._killer.gate:
            await self._whole.send(step)
        if self._kills_left:
            self._kills_left -= 1
            await self._killer.next_kill()

    async def hear(self, records: int) -> None:
        """Where the worker is killed, until that cannot be taken back any more."""
        is_lasting = False
        while not is_lasting:
            await self._whole.until(
                f"{records} records are told", lambda: len(self.heard) >= records, GLANCE_S
            )
            is_lasting = self._killer is None or await self._last()

    async def _last(self) -> bool:
        """Whether a checkpoint holds what was told; not if the worker was killed before it."""
        assert self._killer is not None
        kills = self._killer.kills
        await self._whole.keep()
        return kills == self._killer.kills

    async def pause(self, milliseconds: int) -> None:
        await self._whole.pause(milliseconds)

    async def keep(self) -> None:
        await self._whole.keep()

    async def down(self) -> None:
        raise NotImplementedError("others run in the same job")

    async def up(self, functions: StatefulFunctions) -> None:
        raise NotImplementedError("others run in the same job")

    async def restart(self, away_ms: int, functions: MakeFunctions | None) -> None:
        raise NotImplementedError("others run in the same job")

    async def settle(self) -> None:
        known = None
        while known != self.heard:
            known = self.heard
            await self._whole.settled_once()

    async def state(self, typename: str, target_id: str) -> Mapping[str, Value]:
        return await self._whole.state(typename, target_id)

    async def given_up(self) -> list[Address]:
        return []

    async def fails(self, times: int) -> None:
        """The job fails when others want it to."""

    async def failed(self) -> bool:
        return self._killer is None and await self._whole.failed()


class Killer:
    """Kills the worker of an engine, as often as plays wait for it.

    Attributes:
        kills: How often it was killed.
        gate: Whoever holds it is not disturbed: nobody knows whether what was cut off was taken in.
    """

    def __init__(self, flink: Flink, whole: EngineStage) -> None:
        self.kills = 0
        self.gate = asyncio.Lock()
        self._flink = flink
        self._whole = whole
        self._wanted = asyncio.Event()
        self._news = asyncio.Condition()

    async def next_kill(self) -> None:
        """Until the worker has been killed once more."""
        async with self._news:
            goal = self.kills + 1
            self._wanted.set()
            await self._news.wait_for(lambda: self.kills >= goal)

    async def work(self) -> None:
        """Kill it whenever somebody waits."""
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            await asyncio.sleep(QUIET_S)  # more plays come to where they wait
            async with self.gate, self._news:
                self.kills += 1
                await asyncio.to_thread(self._kill)
                self._news.notify_all()

    def _kill(self) -> None:
        failures = len(self._whole.job.failures())
        self._flink.kill_worker()
        self._flink.start_worker()
        self._whole.job.wait_until(
            "the job fails and runs again",
            lambda: len(self._whole.job.failures()) > failures and self._whole.job.runs(),
        )


def is_alone(scenario: Scenario) -> bool:
    """Whether its process goes away, so that no other scenario can be played in it."""
    return any(isinstance(each, Down | Up | Restart) for each in scenario.steps)


@asynccontextmanager
async def engine(
    directory: Path,
    *,
    mode: str,
    scenarios: tuple[DurableScenario, ...],
    loses: bool = False,
    kills: bool = False,
) -> AsyncIterator[Place]:
    """A session of the engine with one job for all scenarios that need none of their own."""
    flink = Flink(directory, mode=mode, slots=SLOTS, settings=SETTINGS, java_flags=SHORT_LIVED)
    together = tuple(each for each in scenarios if not is_alone(each))
    whole = DurableScenario(
        name="all of them",
        law="each as by itself",
        functions=lambda: _application_of(together),
        steps=(),
        records={},
    )
    folder = directory / "together"
    folder.mkdir()

    def server() -> FunctionServer:
        return FunctionServer([losing_replies()] if loses else [])

    stage = EngineStage(flink, whole, folder, server())
    killing: asyncio.Task[None] | None = None
    try:
        await asyncio.to_thread(flink.__enter__)
        await stage.open()
        killer = Killer(flink, stage) if kills else None
        if killer is not None:
            killing = asyncio.create_task(killer.work())

        @asynccontextmanager
        async def opened(scenario: Scenario, folder: Path) -> AsyncIterator[Stage]:
            if is_alone(scenario):
                async with own_job(flink, scenario, folder, server()) as alone:
                    yield alone
            else:
                yield SharedStage(stage, scenario, killer)

        yield opened
    finally:
        if killing is not None:
            killing.cancel()
        with suppress(LabError):
            await stage.close()
        await stage.leave()
        await asyncio.to_thread(flink.stop)


def _application_of(scenarios: tuple[DurableScenario, ...]) -> App:
    app = application(tuple(each for one in scenarios for each in one.services))
    for scenario in scenarios:
        if scenario.bind is not None:
            scenario.bind(app)
    return app
