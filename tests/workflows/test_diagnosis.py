"""Law: what waits for ever says so within seconds, and what to do about it."""

from __future__ import annotations

import asyncio
import logging
import time
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from statefun.workflows import activity, workflow
from statefun.workflows.client import Client, WorkflowFailureError
from statefun.workflows.exceptions import ApplicationError
from statefun.workflows.testing import WorkflowEnvironment
from statefun.workflows.worker import Worker
from tests.workflows.programs import ONCE, Desk, Named, greet, nothing

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from statefun.workflows.client import WorkflowHandle

SECOND = timedelta(seconds=1)


@workflow.defn
class Misspelt:
    """Calls an activity whose name has a typo."""

    @workflow.run
    async def run(self) -> None:
        """Main."""
        await workflow.execute_activity("grete", start_to_close_timeout=SECOND)


@activity.defn
async def blocks() -> None:
    """Computes and computes."""
    time.sleep(1.3)  # noqa: ASYNC251 - it is what is told


@workflow.defn
class Blocks:
    """Calls it."""

    @workflow.run
    async def run(self) -> None:
        """Main."""
        await workflow.execute_activity(blocks, start_to_close_timeout=10 * SECOND)


@workflow.defn
class Long:
    """Has a long history."""

    @workflow.run
    async def run(self, count: int) -> None:
        """Main."""
        for _ in range(count):
            await asyncio.sleep(0.001)


@workflow.defn
class Large:
    """Passes a large argument on."""

    @workflow.run
    async def run(self, size: int) -> None:
        """Main."""
        await workflow.execute_activity(
            nothing.__name__, "x" * size, start_to_close_timeout=SECOND, retry_policy=ONCE
        )


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    """A client of a service in this process."""
    async with await WorkflowEnvironment.start_time_skipping() as env:
        yield env.client


@asynccontextmanager
async def remote() -> AsyncIterator[Client]:
    """A client that reaches a service by its socket."""
    async with await WorkflowEnvironment.start_local() as env:
        assert env.service is not None
        listener = env.service.listener()
        await listener.start()
        client = await Client.connect(f"127.0.0.1:{listener.port}")
        yield client
        await client.close()
        await listener.stop()


async def problems_of(handle: WorkflowHandle[Any, Any]) -> list[str]:
    """The problems of a workflow, once there are some."""
    async with asyncio.timeout(20):
        while not (found := (await handle.describe()).problems):  # noqa: ASYNC110 - no event tells
            await asyncio.sleep(0.01)
    return found


async def test_a_task_queue_that_nobody_serves_is_told(client: Client) -> None:
    """With the queues that somebody serves: one may be meant."""
    async with Worker(client, task_queue="greetings", workflows=[Named]):
        handle = await client.start_workflow(Named.run, id="n", task_queue="greeting")
        [problem] = await problems_of(handle)
    assert "no worker with workflows serves the task queue 'greeting'" in problem
    assert "workers serve: greetings" in problem


async def test_a_forgotten_registration_is_told() -> None:
    """With the workflows that are registered; also by workers that are elsewhere."""
    async with remote() as client, Worker(client, task_queue="q", workflows=[Desk]):
        handle = await client.start_workflow(Named.run, id="n", task_queue="q")
        [problem] = await problems_of(handle)
    assert "has the workflow 'your-workflow-name'; they have: Desk" in problem


async def test_a_typo_in_the_name_of_an_activity_is_told(client: Client) -> None:
    """With the activities that are there; once somebody has it, the problem is gone."""
    async with Worker(client, task_queue="q", workflows=[Misspelt], activities=[greet]):
        handle = await client.start_workflow(Misspelt.run, id="m", task_queue="q")
        [problem] = await problems_of(handle)
    assert "Activity function grete for workflow m is not registered" in problem
    assert "available activities: greet" in problem

    @activity.defn(name="grete")
    async def mended() -> None:
        """Is there."""

    async with Worker(client, task_queue="q", workflows=[Misspelt], activities=[mended]):
        await handle.result()
        assert (await handle.describe()).problems == []


async def test_who_waits_for_the_result_is_told(
    client: Client, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By a warning, without asking for it."""
    monkeypatch.setattr("statefun.workflows.client.waiting._FIRST_LOOK_S", 0.01)
    handle = await client.start_workflow(Named.run, id="n", task_queue="nobody's")
    waiting = asyncio.create_task(handle.result())
    async with asyncio.timeout(20):
        while "the workflow 'n' may wait for ever" not in caplog.text:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    waiting.cancel()
    with suppress(asyncio.CancelledError):
        await waiting


async def test_workers_of_a_queue_that_have_different_types_are_told(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """To the second one, and by whoever asks for a workflow."""
    async with (
        remote() as client,
        remote_again(client) as other,
        Worker(client, task_queue="q", workflows=[Desk, Named]),
        Worker(other, task_queue="q", workflows=[Desk]),
    ):
        handle = await client.start_workflow(Desk.run, id="d", task_queue="q")
        [problem] = await problems_of(handle)
        await handle.terminate()
    assert "have different workflows: not all have your-workflow-name" in problem
    assert problem in caplog.text


@asynccontextmanager
async def remote_again(client: Client) -> AsyncIterator[Client]:
    """Another client of the same service."""
    connection = client.connection
    other = await Client.connect(f"127.0.0.1:{getattr(connection, '_port')}")  # noqa: B009
    yield other
    await other.close()


async def test_an_activity_that_blocks_its_worker_is_told(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """With its name, the line, and what to do."""
    async with (
        remote() as client,
        Worker(client, task_queue="q", workflows=[Blocks], activities=[blocks]),
    ):
        await client.execute_workflow(Blocks.run, id="b", task_queue="q")
    assert "blocks" in caplog.text
    assert "has held up the event loop" in caplog.text
    assert "make it a plain def, for the activity_executor" in caplog.text


async def test_a_history_that_grows_long_is_told_with_a_count(
    client: Client, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once for each time that it has doubled, and not by a replay."""
    monkeypatch.setattr("statefun.workflows.instance.LONG_HISTORY", 8)
    async with Worker(client, task_queue="q", workflows=[Long], max_cached_workflows=0):
        await client.execute_workflow(Long.run, 20, id="l", task_queue="q")
    told = [each.args for each in caplog.records if "has been told" in each.msg]
    assert told == [("l", 8), ("l", 16)]


async def test_a_large_argument_is_warned_of_and_one_too_large_refused(
    client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    """At the call, by an error that says the limit; no worker and no service fails by it."""
    caplog.set_level(logging.WARNING)
    async with Worker(client, task_queue="q", workflows=[Large], activities=[nothing]):
        with pytest.raises(WorkflowFailureError):
            await client.execute_workflow(Large.run, 700_000, id="l", task_queue="q")
        assert "an argument has 700002 bytes; the limit is 2000000" in caplog.text
        with pytest.raises(WorkflowFailureError) as refused:
            await client.execute_workflow(Large.run, 2_100_000, id="m", task_queue="q")
    cause = refused.value.cause
    assert isinstance(cause, ApplicationError)
    assert cause.type == "PayloadTooLarge"
    assert "an argument has 2100002 bytes, more than the limit of 2000000" in cause.message
