"""Law: what a codec encodes is readable to clients and workers, and nowhere between them."""

from __future__ import annotations

import asyncio
import dataclasses
import logging
import os
import time
from collections.abc import Sequence  # noqa: TC003 - read where handlers are defined
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from statefun.workflows import activity, workflow
from statefun.workflows.client import (
    Client,
    Schedule,
    ScheduleActionStartWorkflow,
    ScheduleSpec,
    WorkflowFailureError,
    WorkflowUpdateFailedError,
)
from statefun.workflows.common import RawValue, RetryPolicy
from statefun.workflows.converter import (
    DefaultFailureConverterWithEncodedAttributes,
    PayloadCodec,
    default,
)
from statefun.workflows.exceptions import ActivityError, ApplicationError, ChildWorkflowError
from statefun.workflows.testing import WorkflowEnvironment
from statefun.workflows.worker import Replayer, Worker

if TYPE_CHECKING:
    from statefun.workflows import _proto

SECRET = "secret"
SECOND = timedelta(seconds=1)


class Masking(PayloadCodec):
    """Hides payloads behind chance, as encryption does; each value looks new every time."""

    async def encode(self, payloads: Sequence[_proto.Payload]) -> list[_proto.Payload]:
        """Payloads that nobody can read."""
        made = []
        for each in payloads:
            assert each.metadata["encoding"] != b"binary/masked", "it was encoded before"
            data = each.SerializeToString()
            key = os.urandom(len(data))
            masked = bytes(one ^ other for one, other in zip(data, key, strict=True))
            made.append(type(each)(metadata={"encoding": b"binary/masked"}, data=key + masked))
        return made

    async def decode(self, payloads: Sequence[_proto.Payload]) -> list[_proto.Payload]:
        """The payloads as they were."""
        made = []
        for each in payloads:
            assert each.metadata["encoding"] == b"binary/masked", "it was never encoded"
            half = len(each.data) // 2
            key, masked = each.data[:half], each.data[half:]
            data = bytes(one ^ other for one, other in zip(masked, key, strict=True))
            made.append(type(each).FromString(data))
        return made


class Waiting(Masking):
    """One that waits for something, as a service of keys makes it do."""

    async def encode(self, payloads: Sequence[_proto.Payload]) -> list[_proto.Payload]:
        """After some time."""
        await asyncio.sleep(0.001)
        return await super().encode(payloads)

    async def decode(self, payloads: Sequence[_proto.Payload]) -> list[_proto.Payload]:
        """In a thread."""
        await asyncio.get_running_loop().run_in_executor(None, time.sleep, 0.001)
        return await super().decode(payloads)


@activity.defn
async def shout(text: str) -> str:
    found = activity.info().heartbeat_details
    if not found:
        activity.heartbeat(f"{SECRET} beat")
        raise ApplicationError(f"{SECRET} failure", f"{SECRET} detail")
    assert found == [f"{SECRET} beat"]
    return text.upper()


@activity.defn
async def fail() -> None:
    raise ApplicationError(f"{SECRET} failure", f"{SECRET} detail", non_retryable=True)


@workflow.defn
class Child:
    @workflow.run
    async def run(self, text: str) -> str:
        if text == "fails":
            raise ApplicationError(f"{SECRET} failure", f"{SECRET} detail")
        return f"{text} {workflow.memo_value('note')}"


def told(error: BaseException | None) -> list[str]:
    """What is seen of a failure."""
    assert isinstance(error, ApplicationError)
    return [error.message, *error.details]


@workflow.defn
class Everything:
    def __init__(self) -> None:
        self.told: list[str] = []

    @workflow.run
    async def run(self, text: str) -> list[str]:
        seen = [text, workflow.memo_value("note")]
        seen.append(await workflow.execute_activity(shout, text, start_to_close_timeout=5 * SECOND))
        seen.append(
            await workflow.execute_local_activity(
                "echo", text, start_to_close_timeout=5 * SECOND, result_type=str
            )
        )
        seen.append(
            await workflow.execute_child_workflow(
                Child.run, text, id="child", memo={"note": f"{SECRET} note of a child"}
            )
        )
        try:
            await workflow.execute_activity(fail, start_to_close_timeout=5 * SECOND)
        except ActivityError as error:
            seen += told(error.cause)
        try:
            await workflow.execute_child_workflow(Child.run, "fails", id="failing")
        except ChildWorkflowError as error:
            seen += told(error.cause)
        await workflow.wait_condition(lambda: len(self.told) == 2)
        workflow.upsert_memo({"note": f"{SECRET} other note"})
        return [*seen, *self.told, workflow.memo_value("note")]

    @workflow.signal
    def tell(self, text: str) -> None:
        self.told.append(text)

    @workflow.signal(dynamic=True)
    def tell_anything(self, name: str, args: Sequence[RawValue]) -> None:
        [value] = args
        self.told.append(f"{name} {workflow.payload_converter().from_payload(value.payload, str)}")

    @workflow.query
    def ask(self, text: str) -> list[str]:
        return [text, *self.told]

    @workflow.update
    def put(self, text: str) -> str:
        if text == "fails":
            raise ApplicationError(f"{SECRET} failure", f"{SECRET} detail")
        return f"{text} is put"


@activity.defn
async def echo(text: str) -> str:
    return text


@pytest.mark.parametrize("codec", [Masking(), Waiting()], ids=["at once", "waiting"])
@pytest.mark.parametrize("cached", [100, 0], ids=["in memory", "replayed"])
async def test_values_and_failures_are_hidden_on_every_way(
    codec: PayloadCodec, cached: int
) -> None:
    """Arguments, results, heartbeats, details, memo, messages and answers; a replay reads them."""
    converter = dataclasses.replace(
        default(),
        payload_codec=codec,
        failure_converter_class=DefaultFailureConverterWithEncodedAttributes,
    )
    async with await WorkflowEnvironment.start_time_skipping(data_converter=converter) as env:
        client = env.client
        worker = Worker(
            client,
            task_queue="q",
            workflows=[Everything, Child],
            activities=[shout, fail, echo],
            max_cached_workflows=cached,
        )
        async with worker:
            handle = await client.start_workflow(
                Everything.run,
                f"{SECRET} text",
                id="all",
                task_queue="q",
                memo={"note": f"{SECRET} note"},
            )
            await handle.signal(Everything.tell, f"{SECRET} signal")
            assert await handle.query(Everything.ask, f"{SECRET} query") == [
                f"{SECRET} query",
                f"{SECRET} signal",
            ]
            assert await handle.execute_update(Everything.put, SECRET) == f"{SECRET} is put"
            with pytest.raises(WorkflowUpdateFailedError) as refused:
                await handle.execute_update(Everything.put, "fails")
            failed = [f"{SECRET} failure", f"{SECRET} detail"]
            assert told(refused.value.cause) == failed
            await handle.signal("anything", f"{SECRET} raw")
            assert await handle.result() == [
                f"{SECRET} text",
                f"{SECRET} note",
                f"{SECRET} text".upper(),
                f"{SECRET} text",
                f"{SECRET} text {SECRET} note of a child",
                *failed,
                *failed,
                f"{SECRET} signal",
                f"anything {SECRET} raw",
                f"{SECRET} other note",
            ]
            with pytest.raises(WorkflowFailureError) as ended:
                await client.execute_workflow(Child.run, "fails", id="failing-2", task_queue="q")
            assert told(ended.value.cause) == failed
            history = await handle.fetch_history()
            [run] = [each async for each in client.list_workflows("WorkflowId = 'all'")]
            assert await run.memo() == {"note": f"{SECRET} other note"}
        kept = [str(each) for each in history.events]
        assert env.service is not None
        kept += [
            str(value.data)
            for typename in ("workflow", "schedule", "q/run", "q/activity")
            async for _, values in env.service.states(f"workflows.default/{typename}")
            for value in values.values()
        ]
        assert len(kept) > len(history.events)
        assert not [each for each in kept if SECRET in each]
    await Replayer(workflows=[Everything], data_converter=converter).replay_workflow(history)


async def test_a_schedule_hides_the_arguments_of_its_workflows() -> None:
    """What is described may be given back: it is not encoded again."""
    converter = dataclasses.replace(default(), payload_codec=Masking())
    async with await WorkflowEnvironment.start_time_skipping(data_converter=converter) as env:
        action = ScheduleActionStartWorkflow(
            Child.run, SECRET, id="child", task_queue="q", memo={"note": SECRET}
        )
        handle = await env.client.create_schedule("s", Schedule(action, ScheduleSpec()))
        described = await handle.describe()
        again = await env.client.create_schedule("again", described.schedule)
        async with Worker(env.client, task_queue="q", workflows=[Child]):
            await again.trigger()
            found = await again.describe()
            [result] = found.info.recent_actions
            started: Any = result.action
            run = env.client.get_workflow_handle(started.workflow_id)
            assert await run.result() == f"{SECRET} {SECRET}"


async def test_a_worker_without_the_codec_says_so(caplog: pytest.LogCaptureFixture) -> None:
    """The workflow waits for one that has it."""
    converter = dataclasses.replace(default(), payload_codec=Masking())
    async with await WorkflowEnvironment.start_time_skipping() as env:
        knowing = Client(env.client.connection, data_converter=converter)
        caplog.set_level(logging.WARNING)
        async with Worker(
            env.client, task_queue="q", workflows=[Child], activities=[echo], identity="poor"
        ):
            handle = await knowing.start_workflow(
                Child.run, SECRET, id="w", task_queue="q", memo={"note": "n"}
            )
            async with asyncio.timeout(10):
                while "Unknown payload encoding binary/masked" not in caplog.text:  # noqa: ASYNC110
                    await asyncio.sleep(0.01)
        async with Worker(knowing, task_queue="q", workflows=[Child]):
            assert await handle.result() == f"{SECRET} n"


@workflow.defn
class Calls:
    @workflow.run
    async def run(self, text: str) -> str:
        return await workflow.execute_activity(
            echo,
            text,
            task_queue="poor",
            start_to_close_timeout=5 * SECOND,
            retry_policy=RetryPolicy(maximum_attempts=1),
        )


async def test_an_activity_of_a_worker_without_the_codec_fails_with_the_reason() -> None:
    """The chain of causes names the encoding."""
    converter = dataclasses.replace(default(), payload_codec=Masking())
    async with await WorkflowEnvironment.start_time_skipping() as env:
        knowing = Client(env.client.connection, data_converter=converter)
        async with (
            Worker(knowing, task_queue="q", workflows=[Calls]),
            Worker(env.client, task_queue="poor", activities=[echo]),
        ):
            with pytest.raises(WorkflowFailureError) as failed:
                await knowing.execute_workflow(Calls.run, SECRET, id="c", task_queue="q")
    chain: list[str] = []
    error = failed.value.__cause__
    while error is not None:
        chain.append(str(getattr(error, "message", error)))
        error = error.__cause__
    assert chain == [
        "Activity task failed",
        "Failed decoding arguments",
        "'Unknown payload encoding binary/masked'",
    ]
