"""What a type checker makes of workflows and activities. Checked, never executed."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, assert_type

from statefun.workflows import activity, workflow
from statefun.workflows.client import (
    Client,
    Schedule,
    ScheduleActionStartWorkflow,
    ScheduleDescription,
    ScheduleHandle,
    ScheduleIntervalSpec,
    ScheduleListDescription,
    ScheduleSpec,
    ScheduleUpdate,
    ScheduleUpdateInput,
    WithStartWorkflowOperation,
    WorkflowExecution,
    WorkflowHandle,
    WorkflowUpdateHandle,
    WorkflowUpdateStage,
)
from statefun.workflows.common import (
    RetryPolicy,
    SearchAttributeKey,
    SearchAttributePair,
    SearchAttributeUpdate,
    TypedSearchAttributes,
    WorkflowIDConflictPolicy,
)
from statefun.workflows.worker import Worker

if TYPE_CHECKING:
    from statefun.workflows.testing import WorkflowEnvironment

SECOND = timedelta(seconds=1)


@dataclass
class Params:
    name: str


@activity.defn
async def greet(params: Params) -> str:
    return params.name


@activity.defn(name="count")
def count() -> int:
    return 1


@activity.defn
async def add(left: int, right: int) -> int:
    return left + right


class Bank:
    @activity.defn
    async def pay(self, cents: int) -> bytes:
        return bytes(cents)


@workflow.defn
class Order:
    @workflow.run
    async def run(self, params: Params) -> int:
        assert_type(
            await workflow.execute_activity(greet, params, start_to_close_timeout=SECOND), str
        )
        assert_type(await workflow.execute_activity(count, start_to_close_timeout=SECOND), int)
        assert_type(
            await workflow.execute_activity(add, args=[1, 2], start_to_close_timeout=SECOND), int
        )
        assert_type(
            await workflow.execute_activity("greet", params, start_to_close_timeout=SECOND), Any
        )
        assert_type(
            workflow.start_activity(
                greet, params, start_to_close_timeout=SECOND, retry_policy=RetryPolicy()
            ),
            asyncio.Task[str],
        )
        assert_type(
            await workflow.execute_activity_method(Bank.pay, 3, start_to_close_timeout=SECOND),
            bytes,
        )
        assert_type(
            await workflow.execute_local_activity(greet, params, start_to_close_timeout=SECOND),
            str,
        )
        assert_type(await workflow.execute_child_workflow(Other.run, 1), str)
        return 1

    @workflow.signal
    async def note(self, text: str) -> None: ...

    @workflow.query
    def total(self) -> float:
        return 1.0

    @workflow.query
    def total_of(self, name: str) -> float:
        return len(name)

    @workflow.update
    async def put(self, text: str) -> int:
        return len(text)

    @put.validator
    def check(self, text: str) -> None: ...


@workflow.defn
class Other:
    @workflow.run
    async def run(self, number: int) -> str:
        return str(number)


async def clients(client: Client, params: Params) -> None:
    handle = await client.start_workflow(Order.run, params, id="o", task_queue="q")
    assert_type(handle, WorkflowHandle[Order, int])
    assert_type(await handle.result(), int)
    assert_type(await client.execute_workflow(Order.run, params, id="o", task_queue="q"), int)
    assert_type(await client.execute_workflow("Order", id="o", task_queue="q"), Any)
    assert_type(await handle.query(Order.total), float)
    assert_type(await handle.query(Order.total_of, "a"), float)
    await handle.signal(Order.note, "text")
    assert_type(await handle.execute_update(Order.put, "text"), int)
    assert_type(client.get_workflow_handle_for(Order.run, "o"), WorkflowHandle[Order, int])
    update = await handle.start_update(
        Order.put, "text", wait_for_stage=WorkflowUpdateStage.ACCEPTED
    )
    assert_type(update, WorkflowUpdateHandle[int])
    operation = WithStartWorkflowOperation(
        Order.run,
        params,
        id="o",
        task_queue="q",
        id_conflict_policy=WorkflowIDConflictPolicy.FAIL,
    )
    number = await client.execute_update_with_start_workflow(
        Order.put, "text", start_workflow_operation=operation
    )
    assert_type(number, int)
    assert_type(await operation.workflow_handle(), WorkflowHandle[Order, int])


async def schedules(client: Client, params: Params) -> None:
    action = ScheduleActionStartWorkflow(Order.run, params, id="o", task_queue="q", memo={"a": 1})
    assert_type(action, ScheduleActionStartWorkflow)
    spec = ScheduleSpec(intervals=[ScheduleIntervalSpec(SECOND)], cron_expressions=["@daily"])
    handle = await client.create_schedule("s", Schedule(action, spec))
    assert_type(handle, ScheduleHandle)
    assert_type(await handle.describe(), ScheduleDescription)
    assert_type((await handle.describe()).info.next_action_times, Sequence[datetime])

    async def change(given: ScheduleUpdateInput) -> ScheduleUpdate:
        return ScheduleUpdate(given.description.schedule)

    await handle.update(change)
    async for listed in await client.list_schedules("Customer = 'Ada'", page_size=3):
        assert_type(listed, ScheduleListDescription)
    ScheduleActionStartWorkflow(Order.run, 3, id="o", task_queue="q")  # type: ignore[arg-type]  # pyright: ignore[reportCallIssue, reportArgumentType]


async def visibility(client: Client, params: Params) -> None:
    customer, amount = SearchAttributeKey.for_keyword("C"), SearchAttributeKey.for_int("A")
    assert_type(customer, SearchAttributeKey[str])
    assert_type(SearchAttributeKey.for_keyword_list("L"), SearchAttributeKey[Sequence[str]])
    assert_type(amount.value_set(3), SearchAttributeUpdate[int])
    attributes = TypedSearchAttributes([SearchAttributePair(customer, "Ada")])
    assert_type(attributes[customer], str)
    assert_type(attributes[amount], int)
    await client.start_workflow(
        Order.run, params, id="o", task_queue="q", search_attributes=attributes
    )
    async for found in client.list_workflows("A > 3", limit=1):
        assert_type(found, WorkflowExecution)
        assert_type(found.typed_search_attributes, TypedSearchAttributes)
    assert_type((await client.count_workflows()).count, int)
    amount.value_set("3")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


async def mistakes(client: Client, handle: WorkflowHandle[Order, int]) -> None:
    await client.start_workflow(Order.run, 3, id="o", task_queue="q")  # type: ignore[arg-type]  # pyright: ignore[reportCallIssue, reportArgumentType]
    await client.start_workflow(Order.run, Params("a"), id="o")  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue, reportArgumentType]
    await handle.signal(Order.note, 3)  # type: ignore[arg-type]  # pyright: ignore[reportCallIssue, reportArgumentType]
    await workflow.execute_activity(greet, 3, start_to_close_timeout=SECOND)  # type: ignore[arg-type]  # pyright: ignore[reportCallIssue, reportArgumentType]
    await workflow.execute_activity(greet, Params("a"), timeout=SECOND)  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue, reportArgumentType]


async def workers(env: WorkflowEnvironment) -> None:
    worker = Worker(env.client, task_queue="q", workflows=[Order, Other], activities=[greet, add])
    async with worker as running:
        assert_type(running, Worker)
