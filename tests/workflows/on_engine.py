"""A real engine as a place for scenarios: a worker served as an endpoint, in one job for all.

Requests go in by the ingress of the job, and answers come out of an egress of it.
"""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from statefun.cli.module import endpoint_documents
from statefun.ports import OutgoingRecord
from statefun.sdk.messages import Message
from statefun.sdk.wire import TypedValue
from statefun.workflows.addresses import REPLIES
from statefun.workflows.client import Client
from statefun.workflows.connection import LocalConnection
from statefun.workflows.worker import Worker
from tests.tools.durable_scenarios.places import SETTINGS, SLOTS
from tests.tools.lab import SHORT_LIVED, Flink
from tests.tools.scenarios.engines import EngineStage, in_thread, whole_lines
from tests.tools.scenarios.scenario import Scenario as PlainScenario
from tests.workflows.programs import ACTIVITIES, WORKFLOWS
from tests.workflows.stage import Stage

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from pathlib import Path

    from statefun.ports import IngressMessage
    from statefun.workflows.testing import WorkflowEnvironment

QUEUE = "scenarios"
ANSWERS = "answers"
GLANCE_S = 0.02


@dataclass
class OwnIds(Stage):
    """A stage whose ids are those of no other: many scenarios share a job."""

    prefix: str = ""

    def new_id(self) -> str:
        """The id of a new workflow."""
        return f"{self.prefix}-{super().new_id()}"


class _Nobody:
    """Nobody attaches: the engine calls the endpoint."""

    def attach(self, functions: Any) -> None:
        raise NotImplementedError

    async def detach(self, functions: Any) -> None:
        raise NotImplementedError

    typenames = ()

    def offers(self, _: str) -> list[Any]:
        return []

    def close(self) -> None:
        pass


class _Job(EngineStage):
    """The job; it is an `Intake`, too."""

    def module(self, text: str) -> str:
        """The endpoints are those that `statefun module` prints for the worker."""
        _, others = text.split("\n---\n", 1)
        found = endpoint_documents(self._scenario.functions(), self._server.url)
        answers = f"kind: test/egress\nspec: {{id: {REPLIES}, file: {self._folder / ANSWERS}}}"
        return "\n---\n".join([*found, others.rstrip(), answers])

    async def deliver(self, messages: Sequence[IngressMessage], _: object = None) -> None:
        """See `Intake`."""
        for each in messages:
            typed = TypedValue.FromString(each.argument)
            await self._put(Message(each.target.typename, each.target.id, typed))

    async def answer(self, connection: LocalConnection) -> None:
        """Hand on the answers as they come."""
        known = 0
        while True:
            await asyncio.sleep(GLANCE_S)
            path = self._folder / ANSWERS
            lines = whole_lines(path.read_text()) if path.exists() else []
            records = []
            for line in lines[known:]:
                typename, _, value = line.partition(" ")
                typed = TypedValue(typename=typename, has_value=True, value=bytes.fromhex(value))
                records.append(OutgoingRecord(0, typed.SerializeToString()))
            known = len(lines)
            connection.replies.put(0, records)


@asynccontextmanager
async def on_engine(folder: Path) -> AsyncIterator[Client]:
    """A client of a job that runs the workflows of all scenarios."""
    async with AsyncExitStack() as stack:
        pool = stack.enter_context(ThreadPoolExecutor(8))
        worker = Worker(
            task_queue=QUEUE, workflows=WORKFLOWS, activities=ACTIVITIES, activity_executor=pool
        )
        flink = Flink(folder, slots=SLOTS, settings=SETTINGS, java_flags=SHORT_LIVED)
        whole = PlainScenario(
            name="all", law="as elsewhere", functions=lambda: worker.functions, steps=(), records={}
        )
        await in_thread(flink.__enter__)
        stack.push_async_callback(asyncio.to_thread, flink.stop)
        directory = folder / "workflows"
        directory.mkdir()
        (directory / ANSWERS).touch()
        job = _Job(flink, whole, directory)
        stack.push_async_callback(job.leave)
        await job.open()
        connection = LocalConnection(_Nobody(), lambda: time.time_ns() // 1_000_000)
        await connection.start(cast("Any", job))
        await connection.replies.start(lambda _: None)
        answering = asyncio.create_task(job.answer(connection))
        stack.callback(answering.cancel)
        yield Client(connection, identity="engine")


def stage_of(client: Client, number: int) -> Stage:
    """The stage of a scenario; there is no environment whose time could be skipped."""
    return OwnIds(client, cast("WorkflowEnvironment", None), QUEUE, prefix=f"s{number}")
