"""The real engines as places: a job for each scenario, in a session that all of them share."""

from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from functools import partial
from itertools import takewhile
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import quote

import aiohttp
from yarl import URL

from statefun.runtime.values import EgressValue, Value
from statefun.sdk.address import Address
from statefun.sdk.builders import message_builder
from statefun.sdk.functions import StatefulFunctions
from statefun.sdk.types import simple_type
from tests.tools.lab import SHORT_LIVED, Flink
from tests.tools.lab.errors import LabError
from tests.tools.lab.server import filled, free_port
from tests.tools.lab.software import engine_places
from tests.tools.scenarios.function_server import FunctionServer
from tests.tools.scenarios.places import PATIENCE_S, Place
from tests.tools.scenarios.scenario import RAW, TOLD, Arrival, Heard, Scenario

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping
    from pathlib import Path

    from statefun.sdk.context import Context
    from statefun.sdk.messages import Message
    from statefun.sdk.specs import ValueSpec
    from tests.tools.lab import Job
    from tests.tools.scenarios.places import House, MakeFunctions, Stage

T = TypeVar("T")

AT_ONCE = 4
"""How many jobs a session runs at the same time."""
AT_ONCE_OUT = {"execution.buffer-timeout": "5ms"}
"""Flink gathers what goes from part to part for 100 ms otherwise."""
GLANCE_S = 0.01
QUIET_S = 0.3
"""A job that tells nothing for so long has nothing to tell: longer waits are in the steps."""

MODULE = "module.yaml"
INGRESS = "ingress"
FILES = {TOLD: "told", RAW: "raw"}


class Probe:
    """Looks at state from inside: an engine shows it to nobody but the function."""

    LOOK = simple_type("s.probe/look", bytes, bytes)

    def __init__(self) -> None:
        self.seen: dict[Address, dict[str, Value]] = {}

    def inside(self, functions: StatefulFunctions) -> StatefulFunctions:
        """The same functions, which also answer to the probe."""
        probed = StatefulFunctions()
        for typename in functions.typenames:
            function = functions.for_typename(typename)
            specs = list(function.storage_spec.specs)
            probe = partial(self._call, function.fun, specs)
            probed.register(typename, probe, specs, blocking=function.is_blocking)
        return probed

    def message(self, address: Address) -> Message:
        message = message_builder(address.typename, "id", value=b"", value_type=self.LOOK)
        message.target_id = address.id  # also one that no builder takes
        return message

    def _call(
        self,
        fun: Callable[[Context, Message], object],
        specs: list[ValueSpec],
        context: Context,
        message: Message,
    ) -> object:
        if not message.is_type(self.LOOK):
            return fun(context, message)
        address = Address(context.address.typename, context.address.id)
        self.seen[address] = _present(context, specs)
        return None


def _present(context: Context, specs: list[ValueSpec]) -> dict[str, Value]:
    values = {spec: getattr(context.storage, spec.name) for spec in specs}
    return {
        spec.name: Value(spec.type.typename, spec.type.serializer().serialize(value))
        for spec, value in values.items()
        if value is not None
    }


class EngineStage:
    """A job of the real engine; a server runs the functions."""

    def __init__(
        self,
        flink: Flink,
        scenario: Scenario,
        folder: Path,
        server: FunctionServer | None = None,
    ) -> None:
        self._flink = flink
        self._scenario = scenario
        self._folder = folder
        self._port = free_port()
        self._probe = Probe()
        self._server = server or FunctionServer()
        self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(PATIENCE_S))
        self._told: dict[str, list[tuple[str, Heard]]] = {TOLD: [], RAW: []}  # by line of the file
        self._read_at: dict[str, tuple[int, int]] = {}
        self._failed = False
        self._running: Job | None = None

    @property
    def heard(self) -> list[Heard]:
        return [heard for told in self._told.values() for _, heard in told]

    @property
    def job(self) -> Job:
        """The job as it runs now."""
        assert self._running is not None
        return self._running

    def now_ms(self) -> float:
        return time.monotonic() * 1000

    async def open(self) -> None:
        await self.up(self._scenario.functions())
        for file in (INGRESS, *FILES.values()):
            (self._folder / file).touch()
        await self._submit()

    async def close(self) -> None:
        """End the job, if there is one."""
        if self._running is not None:
            await asyncio.to_thread(self._running.cancel)

    async def leave(self) -> None:
        await self._session.close()
        await self._server.stop()

    async def send(self, step: Arrival) -> None:
        await self._put(step.message())

    async def hear(self, records: int) -> None:
        await self.until(f"{records} records are told", lambda: len(self.heard) >= records)

    async def pause(self, milliseconds: int) -> None:
        await asyncio.sleep(milliseconds / 1000)

    async def keep(self) -> None:
        known = await asyncio.to_thread(self.job.checkpoints)
        await asyncio.to_thread(
            self.job.wait_until, "a checkpoint", lambda: self.job.checkpoints() >= known + 2
        )

    async def down(self) -> None:
        await self._server.stop()

    async def up(self, functions: StatefulFunctions) -> None:
        await self._server.start(self._probe.inside(functions))

    async def restart(self, away_ms: int, functions: MakeFunctions | None) -> None:
        self._failed = await self.failed()
        savepoint = await in_thread(self._end_for_now)
        await self._server.stop()
        await self.pause(away_ms)
        await self.up((functions or self._scenario.functions)())
        await self._submit(savepoint)

    async def settle(self) -> None:
        """Until nothing new is told for a while: one in which the job ran, or failed once more."""
        known = None
        while known != self.heard:
            known = self.heard
            await self.settled_once()

    async def settled_once(self) -> None:
        """A while in which the job ran, or failed once more."""
        await asyncio.to_thread(self._wait_while_it_restarts)
        await asyncio.sleep(QUIET_S)
        self._listen()

    async def state(self, typename: str, target_id: str) -> Mapping[str, Value]:
        address = Address(typename, target_id)
        await self._put(self._probe.message(address))
        await self.until(f"{address} is looked at", lambda: address in self._probe.seen)
        return self._probe.seen[address]

    async def given_up(self) -> list[Address]:
        return []

    async def fails(self, times: int) -> None:
        job = self.job
        await asyncio.to_thread(
            job.wait_until, f"{times} failures", lambda: len(job.failures()) >= times
        )
        self._listen()

    async def failed(self) -> bool:
        return self._failed or bool(await asyncio.to_thread(self.job.failures))

    async def _submit(self, savepoint: str = "") -> None:
        options = self._scenario.options
        values = {
            "url": self._server.url,
            "max_waiting": self._scenario.max_waiting,
            "call_ms": options.call // timedelta(milliseconds=1),
            "connect_ms": options.connect // timedelta(milliseconds=1),
            "payload_max_bytes": options.payload_max_bytes,
            "port": self._port,
            **{file: self._folder / file for file in (INGRESS, *FILES.values())},
        }
        module = self.module(filled(self._flink.software.files[MODULE], values))

        def submit() -> None:
            self._running = self._flink.submit(self._folder.name, module, savepoint=savepoint)

        await in_thread(submit)

    def module(self, text: str) -> str:
        """The module file of its job, made from that of all."""
        return text

    def _wait_while_it_restarts(self) -> None:
        job, latest = self.job, self.job.failures()[:1]
        job.wait_until(
            "the job goes on, or fails once more",
            lambda: job.runs() or job.failures()[:1] != latest,
        )

    def _end_for_now(self) -> str:
        savepoint = self.job.cancel_with_savepoint()
        self._running = None
        return savepoint

    async def _put(self, message: Message) -> None:
        value = message.typed_value
        path = f"{message.target_typename}/{quote(message.target_id, safe='')}"
        url = URL(f"http://127.0.0.1:{self._port}/{path}", encoded=True)
        headers = {"X-Type": value.typename}
        async with self._session.put(url, data=value.value, headers=headers) as answer:
            answer.raise_for_status()

    async def until(self, what: str, is_so: Callable[[], bool], glance_s: float = GLANCE_S) -> None:
        """Wait until something is so; what is told is read meanwhile."""
        deadline = time.monotonic() + PATIENCE_S
        while not is_so():
            if time.monotonic() > deadline:
                report = await asyncio.to_thread(self.job.report)
                raise LabError(f"not so after {PATIENCE_S} s: {what}; {report}")
            await asyncio.sleep(glance_s)
            self._listen()

    def _listen(self) -> None:
        """Read on; a job that went back to a checkpoint has taken back what it told since."""
        for egress, file in FILES.items():
            path = self._folder / file
            state = path.stat()
            if self._read_at.get(file) == (state.st_mtime_ns, state.st_size):
                continue  # many plays may look at one file
            self._read_at[file] = (state.st_mtime_ns, state.st_size)
            lines = whole_lines(path.read_text())
            told = self._told[egress]
            pairs = zip(lines, told, strict=False)
            same = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1][0], pairs))
            del told[same:]
            for line in lines[same:]:
                typename, _, value = line.partition(" ")
                record = EgressValue(typename, bytes.fromhex(value))
                told.append((line, Heard.of(egress, record, self.now_ms())))


def whole_lines(text: str) -> list[str]:
    """The lines of a file to which somebody may just be writing."""
    return text.split("\n")[:-1]


async def in_thread(call: Callable[[], T]) -> T:
    """Unlike `asyncio.to_thread`, waits for the thread also when it is cut off."""
    running = asyncio.ensure_future(asyncio.to_thread(call))
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError:
        await asyncio.gather(running, return_exceptions=True)
        raise


@asynccontextmanager
async def job(
    flink: Flink, scenario: Scenario, directory: Path, server: FunctionServer | None = None
) -> AsyncIterator[Stage]:
    """A job of its own; it gives its slot back however the play ends."""
    stage = EngineStage(flink, scenario, directory, server)
    try:
        await stage.open()
        yield stage
    except BaseException:
        with suppress(LabError):  # what came first is what to tell
            await stage.close()
        raise
    else:
        await stage.close()
    finally:
        await stage.leave()


@asynccontextmanager
async def session(directory: Path, *, software: str, mode: str) -> AsyncIterator[Place]:
    """A session of an engine, in one JVM or as a manager and a worker."""
    flink = Flink(
        directory,
        software=software,
        mode=mode,
        slots=AT_ONCE,
        settings=AT_ONCE_OUT,
        java_flags=SHORT_LIVED,
    )
    try:
        await asyncio.to_thread(flink.__enter__)
        yield partial(job, flink)
    finally:
        await asyncio.to_thread(flink.stop)


ENGINES: Mapping[str, House] = {
    place: partial(session, software=software, mode=mode)
    for place, (software, mode) in engine_places().items()
}
