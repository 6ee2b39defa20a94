"""Law: every request of a client goes through its interceptors, outermost first."""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from statefun.workflows import activity, workflow
from statefun.workflows.client import (
    Client,
    Interceptor,
    OutboundInterceptor,
    RPCError,
    Schedule,
    ScheduleActionStartWorkflow,
    ScheduleBackfill,
    ScheduleSpec,
    WithStartWorkflowOperation,
    WorkflowUpdateStage,
)
from statefun.workflows.common import WorkflowIDConflictPolicy
from statefun.workflows.converter import default
from statefun.workflows.testing import WorkflowEnvironment
from statefun.workflows.worker import (
    ActivityInboundInterceptor,
    Worker,
    WorkflowInboundInterceptor,
    WorkflowInterceptorClassInput,
    WorkflowOutboundInterceptor,
)
from statefun.workflows.worker import Interceptor as WorkerInterceptor

if TYPE_CHECKING:
    from statefun.workflows.client import SignalWorkflowInput, StartWorkflowInput
    from statefun.workflows.interceptors import (
        ContinueAsNewInput,
        ExecuteActivityInput,
        ExecuteWorkflowInput,
        HandleSignalInput,
        StartActivityInput,
        StartChildWorkflowInput,
        StartLocalActivityInput,
    )


@activity.defn
async def outside() -> None:
    activity.raise_complete_async()


@workflow.defn
class Desk:
    def __init__(self) -> None:
        self.notes: list[str] = []

    @workflow.run
    async def run(self) -> list[str]:
        await workflow.wait_condition(lambda: "end" in self.notes)
        await workflow.execute_activity(
            outside, activity_id="outside", start_to_close_timeout=timedelta(minutes=1)
        )
        return self.notes

    @workflow.signal
    def note(self, text: str) -> None:
        self.notes.append(text)

    @workflow.query
    def count(self) -> int:
        return len(self.notes)

    @workflow.update
    def put(self, text: str) -> int:
        self.notes.append(text)
        return len(self.notes)


class Telling(Interceptor):
    """Tells which requests pass."""

    def __init__(self, name: str, told: list[str]) -> None:
        self.name = name
        self.told = told

    def intercept_client(self, next: OutboundInterceptor) -> OutboundInterceptor:  # noqa: A002
        """Around every method."""
        around = self

        class Around(OutboundInterceptor):
            def __getattribute__(self, name: str) -> Any:
                if name.startswith("_") or name == "next":
                    return super().__getattribute__(name)
                around.told.append(f"{around.name} {name}")
                return super().__getattribute__(name)

        return Around(next)


async def test_each_request_passes_every_interceptor() -> None:
    """The list of requests is that of the methods of an interceptor."""
    told: list[str] = []
    around = [Telling("outer", told), Telling("inner", told)]
    async with await WorkflowEnvironment.start_time_skipping(interceptors=around) as env:
        client = env.client
        async with Worker(client, task_queue="q", workflows=[Desk], activities=[outside]):
            await _use_everything(client)
    outer = [each.split()[1] for each in told if each.startswith("outer")]
    inner = [each.split()[1] for each in told if each.startswith("inner")]
    assert outer == inner
    methods = {each for each in vars(OutboundInterceptor) if not each.startswith("_")}
    assert set(outer) == methods
    first = told.index("outer start_workflow")
    assert told[first + 1] == "inner start_workflow"


async def _use_everything(client: Client) -> None:
    handle = await client.start_workflow(Desk.run, id="desk", task_queue="q")
    await handle.signal(Desk.note, "a")
    assert await handle.execute_update(Desk.put, "b") == 2
    assert await handle.query(Desk.count) == 2
    operation = WithStartWorkflowOperation(
        Desk.run,
        id="desk",
        task_queue="q",
        id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
    )
    await client.start_update_with_start_workflow(
        Desk.put,
        "end",
        start_workflow_operation=operation,
        wait_for_stage=WorkflowUpdateStage.COMPLETED,
    )
    outside_handle = client.get_async_activity_handle(workflow_id="desk", activity_id="outside")
    while True:
        try:
            await outside_handle.heartbeat("goes on")
        except RPCError:  # it has not begun
            continue
        break
    await outside_handle.fail(RuntimeError("again"))
    while True:
        try:
            await outside_handle.complete(None)
        except RPCError:  # its next attempt has not begun
            await handle.describe()
            continue
        break
    assert await handle.result() == ["a", "b", "end"]
    other = await client.start_workflow(Desk.run, id="other", task_queue="q")
    await other.cancel()
    await other.describe()
    assert (await other.fetch_history()).events
    with suppress(RPCError):  # it has ended
        await outside_handle.report_cancellation()
    assert (await client.count_workflows()).count == 2
    assert [each.id async for each in client.list_workflows("WorkflowId = 'desk'")] == ["desk"]
    last = await client.start_workflow(Desk.run, id="last", task_queue="q")
    await last.terminate()
    await _use_schedules(client)


async def _use_schedules(client: Client) -> None:
    action = ScheduleActionStartWorkflow(Desk.run, id="desk", task_queue="q")
    schedule = await client.create_schedule("s", Schedule(action, ScheduleSpec()))
    described = await schedule.describe()
    created = described.info.created_at
    await schedule.pause()
    await schedule.unpause()
    await schedule.trigger()
    await schedule.backfill(ScheduleBackfill(created, created))
    await schedule.update(lambda _: None)
    assert [each.id async for each in await client.list_schedules()] == ["s"]
    await schedule.delete()


class Headers(Interceptor, WorkerInterceptor):
    """Carries a header from clients to workflows, and from there to everything they call."""

    def __init__(self) -> None:
        self.seen: list[str] = []

    def intercept_client(self, next: OutboundInterceptor) -> OutboundInterceptor:  # noqa: A002
        """Adds the header."""

        class Around(OutboundInterceptor):
            async def start_workflow(self, input: StartWorkflowInput) -> Any:  # noqa: A002
                input.headers = headers("start")
                return await super().start_workflow(input)

            async def signal_workflow(self, input: SignalWorkflowInput) -> None:  # noqa: A002
                input.headers = headers("signal")
                await super().signal_workflow(input)

        return Around(next)

    def workflow_interceptor_class(
        self,
        input: WorkflowInterceptorClassInput,  # noqa: A002, ARG002
    ) -> type[WorkflowInboundInterceptor] | None:
        """Passes it on."""
        around = self

        class Outbound(WorkflowOutboundInterceptor):
            def start_activity(self, input: StartActivityInput) -> Any:  # noqa: A002
                input.headers = headers("activity")
                return super().start_activity(input)

            def start_local_activity(self, input: StartLocalActivityInput) -> Any:  # noqa: A002
                input.headers = headers("local activity")
                return super().start_local_activity(input)

            async def start_child_workflow(self, input: StartChildWorkflowInput) -> Any:  # noqa: A002
                input.headers = headers("child")
                return await super().start_child_workflow(input)

            def continue_as_new(self, input: ContinueAsNewInput) -> Any:  # noqa: A002
                input.headers = headers("continued")
                super().continue_as_new(input)

        class Inbound(WorkflowInboundInterceptor):
            def init(self, outbound: WorkflowOutboundInterceptor) -> None:
                super().init(Outbound(outbound))

            async def execute_workflow(self, input: ExecuteWorkflowInput) -> Any:  # noqa: A002
                around.tell("run", input.headers)
                return await super().execute_workflow(input)

            async def handle_signal(self, input: HandleSignalInput) -> None:  # noqa: A002
                around.tell("signal", input.headers)
                await super().handle_signal(input)

        return Inbound

    def intercept_activity(
        self,
        next: ActivityInboundInterceptor,  # noqa: A002
    ) -> ActivityInboundInterceptor:
        """Tells what came."""
        around = self

        class Inbound(ActivityInboundInterceptor):
            async def execute_activity(self, input: ExecuteActivityInput) -> Any:  # noqa: A002
                around.tell("activity", input.headers)
                return await super().execute_activity(input)

        return Inbound(next)

    def tell(self, where: str, given: Any) -> None:
        """Tell a header."""
        values = [default().payload_converter.from_payload(each) for each in given.values()]
        self.seen.append(f"{where}: {', '.join(values)}")


def headers(text: str) -> dict[str, Any]:
    """A header."""
    return {"trace": default().payload_converter.to_payload(text)}


@activity.defn
async def nothing() -> None:
    pass


@workflow.defn
class Caller:
    def __init__(self) -> None:
        self.is_told = False

    @workflow.run
    async def run(self, depth: int) -> None:
        if depth == 0:
            return
        await workflow.wait_condition(lambda: self.is_told or depth == 1)
        await workflow.execute_activity(nothing, start_to_close_timeout=timedelta(seconds=5))
        await workflow.execute_local_activity(nothing, start_to_close_timeout=timedelta(seconds=5))
        await workflow.execute_child_workflow(Caller.run, 0, id=f"child-{depth}")
        if depth == 2:
            workflow.continue_as_new(1)

    @workflow.signal
    def tell(self) -> None:
        self.is_told = True


async def test_an_interceptor_of_a_client_that_is_one_of_workers_is_around_them_too() -> None:
    """So a header gets from a client through workflows to activities, as tracing needs it."""
    around = Headers()
    async with (
        await WorkflowEnvironment.start_time_skipping(interceptors=[around]) as env,
        Worker(env.client, task_queue="q", workflows=[Caller], activities=[nothing]),
    ):
        handle = await env.client.start_workflow(Caller.run, 2, id="caller", task_queue="q")
        await handle.signal(Caller.tell)
        await handle.result()
    each_run = ["activity: activity", "activity: local activity", "run: child"]
    assert around.seen[:2] in (["run: start", "signal: signal"], ["signal: signal", "run: start"])
    assert around.seen[2:] == [*each_run, "run: continued", *each_run]
