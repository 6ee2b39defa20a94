"""Places where scenarios are played; each gives a stage on which the steps are taken."""

from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from statefun.runtime import Backoff, FailurePolicy, Limits, Runtime
from statefun.runtime.transports.http import HttpEndpoint
from statefun.testing import Harness
from tests.tools.lab.errors import LabError
from tests.tools.scenarios.function_server import FunctionServer
from tests.tools.scenarios.scenario import (
    ENGINES,
    RAW,
    TOLD,
    Arrival,
    Await,
    Down,
    Heard,
    InTime,
    Keep,
    Mark,
    Outcome,
    Pause,
    Restart,
    Scenario,
    Up,
    by_channel,
    too_early,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path

    from statefun.runtime.values import Value
    from statefun.sdk.address import Address
    from statefun.sdk.functions import StatefulFunctions
    from tests.tools.scenarios.scenario import Step

PACES = dict.fromkeys(ENGINES, 3)
"""How many times as long as elsewhere the times of a scenario are at first."""
TRIES = 3
"""How often a play is begun that comes too late; each time its times are twice as long."""
PATIENCE_S = 30
LONGEST_S = 120
"""No play takes so long; others go on when one does."""
TICK = timedelta(milliseconds=10)
CUT_OFF = timedelta(0)
"""How long a call goes on while its runtime stops."""
GIVES_UP = FailurePolicy(
    retry=Backoff(
        first=timedelta(milliseconds=50), longest=timedelta(milliseconds=100), attempts=4
    ),
    isolate_after=2,
)


class Stage(Protocol):
    """Takes the steps of one play."""

    @property
    def heard(self) -> list[Heard]: ...

    def now_ms(self) -> float:
        """The time that `heard` goes by."""

    async def send(self, step: Arrival) -> None: ...

    async def hear(self, records: int) -> None:
        """Wait until so many records have been told."""

    async def pause(self, milliseconds: int) -> None: ...

    async def keep(self) -> None:
        """Wait until nothing can be lost of what has happened so far."""

    async def down(self) -> None:
        """Stop the process that runs the functions."""

    async def up(self, functions: StatefulFunctions) -> None:
        """Start it again."""

    async def restart(self, away_ms: int, functions: MakeFunctions | None) -> None:
        """Stop the runtime, and start it again on what it kept."""

    async def settle(self) -> None:
        """Wait until nothing is left to be told."""

    async def state(self, typename: str, target_id: str) -> Mapping[str, Value]: ...

    async def given_up(self) -> list[Address]: ...

    async def fails(self, times: int) -> None:
        """Wait until the job has failed so often."""

    async def failed(self) -> bool:
        """Whether the job has failed."""


Action: TypeAlias = "Arrival | Await | Pause | Keep | Down | Up | Restart"
MakeFunctions: TypeAlias = "Callable[[], StatefulFunctions]"
Place: TypeAlias = "Callable[[Scenario, Path], AbstractAsyncContextManager[Stage]]"
"""Where a scenario can be played, in a folder of its own."""
House: TypeAlias = "Callable[[Path], AbstractAsyncContextManager[Place]]"
"""What is started once for all plays at a place, in a folder of its own."""


class StuckError(Exception):
    """A play did not go on; says what it waited for, and what was told until then."""


async def play(scenario: Scenario, name: str, place: Place, directory: Path) -> Outcome:
    """Take the steps of a scenario at a place; again, more slowly, if that came too late.

    Raises:
        StuckError: If what a step waits for does not happen, or always too late.
    """
    pace = PACES.get(name, 1)
    for number in range(TRIES):
        folder = directory / f"{directory.name}-{number}"  # jobs are called like their folders
        folder.mkdir()
        outcome = await _play_once(scenario.paced(pace << number), name, place, folder)
        if outcome is not None:
            return outcome
    raise StuckError(f"it came too late {TRIES} times, however slowly it was played")


async def _play_once(
    scenario: Scenario, name: str, place: Place, directory: Path
) -> Outcome | None:
    heard: list[Heard] = []
    steps: list[Step] = []
    try:
        async with asyncio.timeout(LONGEST_S), place(scenario, directory) as stage:
            try:
                return await _play(scenario, name, stage, steps)
            finally:
                heard = stage.heard
    except (LabError, TimeoutError) as error:
        why = str(error) or "it took too long"
        last = f"after {steps[-1]}" if steps else "at the start"
        raise StuckError(f"{last}: {why}; told until then: {by_channel(heard)}") from error


async def _play(scenario: Scenario, name: str, stage: Stage, begun: list[Step]) -> Outcome | None:
    """Take the steps; each is added to `begun` before it is taken. None if it came too late."""
    expected = Outcome.expected(scenario, name)
    began_ms = stage.now_ms()
    marks: dict[str, float] = {}
    for step in scenario.steps:
        begun.append(step)
        if isinstance(step, Mark):
            marks[step.name] = stage.now_ms()
        elif not isinstance(step, InTime):
            await _take(step, scenario, stage)
        elif stage.now_ms() - marks[step.since] > step.milliseconds:
            return None
    await stage.hear(expected.told)
    await stage.fails(scenario.failures_at(name))
    await stage.settle()
    state = None if expected.state is None else await _state(scenario, stage)
    return Outcome(
        by_channel(stage.heard),
        state,
        tuple((each.typename, each.id) for each in await stage.given_up()),
        await stage.failed(),
        too_early(scenario, stage.heard, began_ms),
    )


async def _state(scenario: Scenario, stage: Stage) -> Mapping[tuple[str, str], Mapping[str, Any]]:
    """The values of the scenario's addresses."""
    state: dict[tuple[str, str], Mapping[str, Any]] = {}
    for address in scenario.state:
        values = await stage.state(*address)
        state[address] = {name: value.value for name, value in values.items()}
    return state


async def _take(step: Action, scenario: Scenario, stage: Stage) -> None:
    match step:
        case Arrival():
            await stage.send(step)
        case Await(records):
            await stage.hear(records)
        case Pause(milliseconds):
            await stage.pause(milliseconds)
        case Keep():
            await stage.keep()
        case Down():
            await stage.down()
        case Up(functions):
            await stage.up((functions or scenario.functions)())
        case Restart(away_ms, functions):
            await stage.restart(away_ms, functions)


class HarnessStage:
    """The test kit: time is virtual, and nothing happens unless it is told to."""

    def __init__(self, functions: StatefulFunctions) -> None:
        self.heard: list[Heard] = []
        self._known = {TOLD: 0, RAW: 0}
        self._harness = Harness(
            functions, raise_failures=False, egresses=[TOLD, RAW], failure=GIVES_UP
        )

    def now_ms(self) -> float:
        return self._harness.clock.now_ms()

    async def send(self, step: Arrival) -> None:
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
            self.let_pass(TICK)

    def let_pass(self, time: timedelta) -> None:
        """Let time pass, and hear what is told on the way."""
        self._harness.advance(time)
        self._listen()

    async def keep(self) -> None:
        """There is nothing to be lost."""

    async def down(self) -> None:
        raise NotImplementedError("nothing outlives a test")

    async def up(self, functions: StatefulFunctions) -> None:
        raise NotImplementedError("nothing outlives a test")

    async def restart(self, away_ms: int, functions: MakeFunctions | None) -> None:
        raise NotImplementedError("nothing outlives a test")

    async def settle(self) -> None:
        await self.hear(len(self.heard) + 1)

    async def state(self, typename: str, target_id: str) -> Mapping[str, Value]:
        return self._harness.state(typename, target_id)

    async def given_up(self) -> list[Address]:
        return [letter.target for letter in self._harness.dead_letters]

    async def fails(self, times: int) -> None:
        """Nothing here is a job."""

    async def failed(self) -> bool:
        return False

    def _listen(self) -> None:
        for egress in (TOLD, RAW):
            records = self._harness.egress(egress)
            for record in records[self._known[egress] :]:
                self.heard.append(Heard.of(egress, record, self.now_ms()))
            self._known[egress] = len(records)


class RuntimeStage:
    """An embedded runtime, on the time of the machine; the functions run in its process.

    Attributes:
        failure: What becomes of messages that functions fail on.
    """

    failure = GIVES_UP

    def __init__(self, scenario: Scenario, data: Path | None) -> None:
        self.heard: list[Heard] = []
        self._scenario = scenario
        self._data = data
        self._news = asyncio.Condition()
        self._listeners: list[asyncio.Task[None]] = []
        self._known: set[tuple[str, int]] = set()
        self._sent_before = 0

    def now_ms(self) -> float:
        return time.monotonic() * 1000

    async def send(self, step: Arrival) -> None:
        await self._runtime.send(step.message())

    async def hear(self, records: int) -> None:
        try:
            async with asyncio.timeout(PATIENCE_S), self._news:
                await self._news.wait_for(lambda: len(self.heard) >= records)
        except TimeoutError as error:
            raise TimeoutError(f"{records} records were not told in {PATIENCE_S} s") from error

    async def pause(self, milliseconds: int) -> None:
        await asyncio.sleep(milliseconds / 1000)

    async def open(self, functions: StatefulFunctions) -> None:
        limits = Limits(max_waiting=self._scenario.max_waiting)
        await self._start(
            Runtime(
                functions,
                data=self._data,
                egresses=[TOLD, RAW],
                failure=self.failure,
                limits=limits,
                drain=CUT_OFF,
            )
        )

    async def close(self) -> None:
        self._sent_before += self._runtime.metrics().counters.egress_records
        await self._runtime.stop()
        await asyncio.gather(*self._listeners)

    async def keep(self) -> None:
        """What has been told is kept."""

    async def down(self) -> None:
        await self.close()

    async def up(self, functions: StatefulFunctions) -> None:
        await self.open(functions)

    async def restart(self, away_ms: int, functions: MakeFunctions | None) -> None:
        await self.down()
        await self.pause(away_ms)
        await self.up((functions or self._scenario.functions)())

    async def settle(self) -> None:
        async with asyncio.timeout(PATIENCE_S):
            await self._runtime.idle()
        sent = self._sent_before + self._runtime.metrics().counters.egress_records
        await self.hear(sent)

    async def state(self, typename: str, target_id: str) -> Mapping[str, Value]:
        return await self._runtime.state(typename, target_id)

    async def given_up(self) -> list[Address]:
        return [letter.target for letter in await self._runtime.dead_letters()]

    async def fails(self, times: int) -> None:
        """Nothing here is a job."""

    async def failed(self) -> bool:
        return False

    async def _start(self, runtime: Runtime) -> None:
        self._runtime = runtime
        await runtime.start()
        self._listeners = [asyncio.create_task(self._listen(each)) for each in (TOLD, RAW)]

    async def _listen(self, egress: str) -> None:
        async for record in self._runtime.egress(egress):
            if (egress, record.id) in self._known:
                continue  # it was given out, and the runtime stopped before it knew that
            self._known.add((egress, record.id))
            async with self._news:
                self.heard.append(Heard.of(egress, record, self.now_ms()))
                self._news.notify_all()


class RemoteStage(RuntimeStage):
    """An embedded runtime; a server runs the functions."""

    def __init__(self, scenario: Scenario, data: Path | None) -> None:
        super().__init__(scenario, data)
        self._server = FunctionServer()

    async def open(self, functions: StatefulFunctions) -> None:
        await self._server.start(functions)
        endpoint = HttpEndpoint(
            "s/*",
            self._server.url,
            options=self._scenario.options,
            max_batch=self._scenario.max_waiting,
        )
        await self._start(
            Runtime(
                data=self._data,
                endpoints=[endpoint],
                egresses=[TOLD, RAW],
                failure=self.failure,
                drain=CUT_OFF,
            )
        )

    async def close(self) -> None:
        await super().close()
        await self._server.stop()

    async def down(self) -> None:
        await self._server.stop()

    async def up(self, functions: StatefulFunctions) -> None:
        await self._server.start(functions)

    async def restart(self, away_ms: int, functions: MakeFunctions | None) -> None:
        await self.close()
        await self.pause(away_ms)
        await self.open((functions or self._scenario.functions)())


@asynccontextmanager
async def harness(scenario: Scenario, directory: Path) -> AsyncIterator[Stage]:
    """The test kit."""
    yield HarnessStage(scenario.functions())


@asynccontextmanager
async def embedded(
    scenario: Scenario,
    directory: Path,
    *,
    stage: type[RuntimeStage] = RuntimeStage,
    keeps: bool = True,
) -> AsyncIterator[Stage]:
    """The embedded runtime in memory, or on disk."""
    opened = stage(scenario, directory if keeps else None)
    await opened.open(scenario.functions())
    try:
        yield opened
    finally:
        await opened.close()


def house(place: Place) -> House:
    """For a place that needs nothing but the scenario."""

    @asynccontextmanager
    async def opened(directory: Path) -> AsyncIterator[Place]:
        yield place

    return opened


PLACES: Mapping[str, House] = {
    "harness": house(harness),
    "memory": house(partial(embedded, keeps=False)),
    "sqlite": house(embedded),
    "memory-remote": house(partial(embedded, stage=RemoteStage, keeps=False)),
    "sqlite-remote": house(partial(embedded, stage=RemoteStage)),
}
