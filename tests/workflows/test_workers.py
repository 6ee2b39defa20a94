"""Law: a worker refuses what cannot go together, and ends what it has begun."""

from __future__ import annotations

import asyncio
import logging
import multiprocessing
import os
import warnings
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from statefun.workflows import activity, workflow
from statefun.workflows.exceptions import ApplicationError
from statefun.workflows.testing import ActivityEnvironment, WorkflowEnvironment
from statefun.workflows.worker import (
    ActivityInboundInterceptor,
    Interceptor,
    Worker,
    WorkflowInboundInterceptor,
    WorkflowInterceptorClassInput,
)
from tests.workflows.programs import TOKENS, Desk, Named, any_activity, greet, in_thread

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from statefun.workflows.client import Client
    from statefun.workflows.interceptors import ExecuteActivityInput, ExecuteWorkflowInput

SECOND = timedelta(seconds=1)


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    """A client of a service in this process."""
    async with await WorkflowEnvironment.start_time_skipping() as env:
        yield env.client


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({}, "At least one activity, Nexus service, or workflow must be specified"),
        ({"workflows": [Desk, Desk]}, "More than one workflow named Desk"),
        ({"activities": [greet, greet]}, "More than one activity named greet"),
        (
            {"activities": [in_thread]},
            "Activity in_thread is not async so an activity_executor must be present",
        ),
        ({"workflows": [int]}, "Workflow int missing attributes, was it decorated"),
    ],
)
async def test_what_does_not_go_together_is_refused(
    client: Client, given: dict[str, Any], sentence: str
) -> None:
    """When the worker is made."""
    with pytest.raises(ValueError, match=sentence):
        Worker(client, task_queue="q", **given)


async def test_a_function_that_was_not_decorated_is_refused(client: Client) -> None:
    """The reason names the decorator."""

    async def plain() -> None:
        """Not an activity."""

    with pytest.raises(TypeError, match=r"was it decorated with @activity.defn\?"):
        Worker(client, task_queue="q", activities=[plain])


@activity.defn
async def patient() -> str:
    """Waits until the worker stops."""
    TOKENS.queue.put_nowait(activity.info().task_token)
    await activity.wait_for_worker_shutdown()
    return "ended in time"


@workflow.defn
class Calls:
    """Calls an activity by its name."""

    @workflow.run
    async def run(self, name: str) -> Any:
        """Main."""
        return await workflow.execute_activity(name, start_to_close_timeout=timedelta(seconds=60))


async def test_activities_may_end_when_the_worker_stops(client: Client) -> None:
    """Within the time that it grants them."""
    TOKENS.queue = asyncio.Queue()
    worker = Worker(
        client,
        task_queue="q",
        workflows=[Calls],
        activities=[patient],
        graceful_shutdown_timeout=timedelta(seconds=5),
    )
    async with worker:
        handle = await client.start_workflow(Calls.run, "patient", id="p", task_queue="q")
        await TOKENS.queue.get()
    async with Worker(client, task_queue="q", workflows=[Calls], activities=[patient]):
        assert await handle.result() == "ended in time"


@activity.defn
def in_another_process() -> list[Any]:
    """What an activity in a process of its own knows, and that it cannot heartbeat."""
    try:
        activity.heartbeat(1)
    except RuntimeError as error:
        return [os.getpid(), activity.info().activity_type, str(error)]
    return []


async def test_activities_run_in_processes(client: Client) -> None:
    """They know what they are; a heartbeat is refused by a sentence that says where it works."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        async with Worker(
            client,
            task_queue="q",
            workflows=[Calls],
            activities=[in_another_process],
            activity_executor=pool,
        ):
            process, name, refusal = await client.execute_workflow(
                Calls.run, "in_another_process", id="p", task_queue="q"
            )
    assert process != os.getpid()
    assert name == "in_another_process"
    assert "run it in threads" in refusal


@activity.defn
async def halfway() -> list[Any]:
    """Fails behind a heartbeat; the next attempt tells the details of that."""
    details = list(activity.info().heartbeat_details)
    if not details:
        activity.heartbeat({"row": 7}, "half")
        raise ValueError("not yet")
    return details


async def test_heartbeat_details_outlive_an_attempt_that_fails(client: Client) -> None:
    """All of the last heartbeat, as plain values."""
    async with Worker(client, task_queue="q", workflows=[Calls], activities=[halfway]):
        result = await client.execute_workflow(Calls.run, "halfway", id="p", task_queue="q")
    assert result == [{"row": 7}, "half"]


async def test_a_dynamic_activity_takes_every_type(client: Client) -> None:
    """It knows which one it is for."""
    async with Worker(client, task_queue="q", workflows=[Calls], activities=[any_activity]):
        result = await client.execute_workflow(Calls.run, "what", id="p", task_queue="q")
    assert result == "what got []"


class Counting(Interceptor):
    """Notes what passes."""

    def __init__(self) -> None:
        self.seen: list[str] = []

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:  # noqa: A002
        """See `Interceptor`."""
        seen = self.seen

        class Around(ActivityInboundInterceptor):
            async def execute_activity(self, input: ExecuteActivityInput) -> Any:  # noqa: A002
                seen.append(f"activity {input.fn.__name__}")
                return await super().execute_activity(input)

        return Around(next)

    def workflow_interceptor_class(
        self,
        input: WorkflowInterceptorClassInput,  # noqa: A002
    ) -> type[WorkflowInboundInterceptor]:
        """See `Interceptor`."""
        del input
        seen = self.seen

        class Around(WorkflowInboundInterceptor):
            async def execute_workflow(self, input: ExecuteWorkflowInput) -> Any:  # noqa: A002
                seen.append(f"workflow {input.type.__name__}")
                return f"around {await super().execute_workflow(input)}"

        return Around


async def test_interceptors_stand_around_workflows_and_activities(client: Client) -> None:
    """They see what comes in, and may change what goes out."""
    counting = Counting()
    worker = Worker(
        client,
        task_queue="q",
        workflows=[Calls],
        activities=[any_activity],
        interceptors=[counting],
    )
    async with worker:
        result = await client.execute_workflow(Calls.run, "what", id="p", task_queue="q")
    assert result == "around what got []"
    assert counting.seen == ["workflow Calls", "activity any_activity"]


@workflow.defn
class Logs:
    """Logs before and after a wait."""

    @workflow.run
    async def run(self) -> None:
        """Main."""
        workflow.logger.warning("before")
        await workflow.sleep(1)
        workflow.logger.warning("after")


async def test_a_replay_logs_nothing_again(
    client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    """The text says which workflow logs."""
    with caplog.at_level(logging.WARNING, "statefun.workflows.workflow"):
        async with Worker(client, task_queue="q", workflows=[Logs], max_cached_workflows=0):
            await client.execute_workflow(Logs.run, id="l", task_queue="q")
    texts = [each.getMessage() for each in caplog.records if each.name.endswith(".workflow")]
    assert [text.partition(" (")[0] for text in texts] == ["before", "after"]
    assert "'workflow_id': 'l'" in texts[0]


async def test_handlers_that_still_run_at_the_end_are_warned_of(client: Client) -> None:
    """Unless they may be abandoned."""
    async with Worker(client, task_queue="q", workflows=[Desk]):
        handle = await client.start_workflow(Desk.run, id="d", task_queue="q")
        await handle.query(Desk.read)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            await handle.signal(Desk.note_later, "x")
            await handle.signal(Desk.done)
            await handle.result()
    told = [each for each in caught if "handlers are still running" in str(each.message)]
    assert [each.category for each in told] == [workflow.UnfinishedSignalHandlersWarning]


@workflow.defn
class Broken:
    """Fails by its code until that is mended."""

    is_mended = False

    @workflow.run
    async def run(self) -> str:
        """Main."""
        if not Broken.is_mended:
            raise KeyError("a fault")
        return "mended"


async def test_a_fault_of_the_code_waits_until_it_is_mended(client: Client) -> None:
    """The workflow does not fail by it."""
    Broken.is_mended = False
    async with Worker(client, task_queue="q", workflows=[Broken]):
        handle = await client.start_workflow(Broken.run, id="b", task_queue="q")
        assert (await handle.describe()).status == 1
        Broken.is_mended = True
        assert await handle.result() == "mended"


async def test_a_type_that_no_worker_has_waits_for_one(client: Client) -> None:
    """So does a forgotten registration."""
    async with Worker(client, task_queue="q", workflows=[Desk]):
        handle = await client.start_workflow(Named.run, id="n", task_queue="q")
        assert (await handle.describe()).status == 1
    async with Worker(client, task_queue="q", workflows=[Named]):
        assert await handle.result() == "your-workflow-name"


async def test_a_workflow_has_random_numbers_time_and_no_sockets(client: Client) -> None:
    """What is refused names what to do."""
    async with Worker(client, task_queue="q", workflows=[Guarded]):
        assert await client.execute_workflow(Guarded.run, id="g", task_queue="q") == [
            True,
            "NotDeterministicError",
        ]


@workflow.defn
class Guarded:
    """Tries what a workflow may not do."""

    @workflow.run
    async def run(self) -> list[Any]:
        """Main."""
        import socket  # noqa: PLC0415 - for this test alone
        import time  # noqa: PLC0415 - for this test alone

        seen: list[Any] = [time.time() == workflow.time()]
        try:
            socket.create_connection(("127.0.0.1", 1))
        except Exception as error:  # noqa: BLE001 - its class is what is seen
            seen.append(type(error).__name__)
        return seen


async def test_an_activity_is_tested_alone() -> None:
    """With what it finds around it."""
    env = ActivityEnvironment()
    beats: list[Any] = []
    env.on_heartbeat = lambda *details: beats.append(details)

    @activity.defn
    async def beating() -> str:
        activity.heartbeat(1, "a")
        return activity.info().activity_id

    assert await env.run(beating) == "test"
    assert beats == [(1, "a")]

    @activity.defn
    async def waiting() -> str:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            return f"cancelled {activity.is_cancelled()}"
        return "slept"

    running = asyncio.ensure_future(env.run(waiting))
    await asyncio.sleep(0.01)
    env.cancel()
    assert await running == "cancelled True"

    @activity.defn
    def failing() -> None:
        raise ApplicationError("as raised")

    with pytest.raises(ApplicationError, match="as raised"):
        ActivityEnvironment().run(failing)


@activity.defn
def in_a_thread_until_cancelled() -> str:
    """Beats until a cancel is raised in its thread."""
    while True:
        activity.heartbeat()
        activity.wait_for_cancelled_sync(0.01)


@workflow.defn
class CancelsThread:
    """Cancels an activity that runs in a thread."""

    @workflow.run
    async def run(self) -> str:
        """Main."""
        handle = workflow.start_activity(
            in_a_thread_until_cancelled,
            start_to_close_timeout=timedelta(seconds=30),
            heartbeat_timeout=timedelta(seconds=5),
            cancellation_type=workflow.ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
        )
        await asyncio.sleep(0.1)
        handle.cancel()
        try:
            await handle
        except Exception as error:  # noqa: BLE001 - it is what is seen
            return str(error)
        return "ended"


async def test_a_cancel_is_raised_in_the_thread_of_an_activity(client: Client) -> None:
    """At its next step."""
    with ThreadPoolExecutor(1) as pool:
        worker = Worker(
            client,
            task_queue="q",
            workflows=[CancelsThread],
            activities=[in_a_thread_until_cancelled],
            activity_executor=pool,
        )
        async with worker:
            result = await client.execute_workflow(CancelsThread.run, id="c", task_queue="q")
    assert result == "Activity cancelled"
