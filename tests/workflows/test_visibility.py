"""Law: a client finds every run that is kept, as it stands, by what it was started with."""

from __future__ import annotations

from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from statefun.workflows import workflow
from statefun.workflows.client import Client, RPCError, WorkflowFailureError
from statefun.workflows.common import (
    SearchAttributeKey,
    SearchAttributePair,
    TypedSearchAttributes,
)
from statefun.workflows.exceptions import ApplicationError
from statefun.workflows.testing import WorkflowEnvironment
from statefun.workflows.worker import Replayer, Worker

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

CUSTOMER = SearchAttributeKey.for_keyword("Customer")
AMOUNT = SearchAttributeKey.for_int("Amount")


@workflow.defn
class Order:
    @workflow.run
    async def run(self, how: str) -> list[Any]:
        match how:
            case "fails":
                raise ApplicationError("no")
            case "waits":
                await workflow.wait_condition(lambda: False)
            case "changes":
                workflow.upsert_search_attributes([CUSTOMER.value_set("Bob"), AMOUNT.value_unset()])
            case "changes as lists":
                workflow.upsert_search_attributes({"Customer": ["Bob"], "Amount": []})
            case "continues":
                workflow.continue_as_new("ends")
            case "has a child":
                await workflow.execute_child_workflow(
                    Order.run, "ends", id="child", search_attributes=customer("Cid")
                )
        info = workflow.info()
        typed = [[pair.key.name, pair.value] for pair in info.typed_search_attributes]
        return [dict(info.search_attributes), typed]


def customer(name: str, **more: Any) -> TypedSearchAttributes:
    """Search attributes of an order."""
    pairs: list[SearchAttributePair[Any]] = [SearchAttributePair(CUSTOMER, name)]
    pairs += [SearchAttributePair(AMOUNT, value) for value in more.values()]
    return TypedSearchAttributes(pairs)


@pytest.fixture(params=["in this process", "over a socket"])
async def client(request: pytest.FixtureRequest) -> AsyncIterator[Client]:
    """A client of a service, with a worker."""
    async with AsyncExitStack() as stack:
        env = await stack.enter_async_context(await WorkflowEnvironment.start_time_skipping())
        worker = Worker(env.client, task_queue="orders", workflows=[Order])
        await stack.enter_async_context(worker)
        used = env.client
        if request.param == "over a socket":
            assert env.service is not None
            listener = env.service.listener()
            await listener.start(None)
            stack.push_async_callback(listener.stop)
            used = await Client.connect(f"127.0.0.1:{listener.port}")
            stack.push_async_callback(used.close)
        yield used


async def order(client: Client, number: int, how: str, **options: Any) -> Any:
    """An order, which has ended unless it waits."""
    given: dict[str, Any] = {"id": f"order-{number}", "task_queue": "orders", **options}
    handle = await client.start_workflow(Order.run, how, **given)
    if how == "waits":
        return None
    return await handle.result()


async def found(client: Client, query: str | None, **options: Any) -> list[str]:
    """The ids of what a query finds."""
    return [each.id async for each in client.list_workflows(query, **options)]


async def test_what_runs_comes_first_then_what_ended_last_in_pages(client: Client) -> None:
    """However large the pages are, and with a limit over all of them."""
    for number in range(7):
        await order(client, number, "ends", search_attributes=customer("Ada", amount=number))
    await order(client, 7, "waits")
    ids = ["order-7", *(f"order-{number}" for number in reversed(range(7)))]
    for page_size in (1, 3, 8, 1000):
        assert await found(client, None, page_size=page_size) == ids
    assert await found(client, "", limit=2) == ids[:2]
    assert await found(client, "", limit=5, page_size=2) == ids[:5]
    up = await found(client, "Amount >= 2 ORDER BY Amount", page_size=2)
    assert up == [f"order-{number}" for number in range(2, 7)]
    down = await found(client, "Customer = 'Ada' ORDER BY Amount DESC", page_size=4)
    assert down == list(reversed([f"order-{number}" for number in range(7)]))
    pages = client.list_workflows(page_size=3)
    await pages.fetch_next_page()
    assert [each.id for each in pages.current_page or ()] == ids[:3]
    rest = client.list_workflows(next_page_token=pages.next_page_token)
    assert [each.id async for each in rest] == ids[3:]


async def test_a_workflow_is_found_by_what_it_says_of_itself_now(client: Client) -> None:
    """Search attributes change what `info` says, and what is found, from that moment on."""
    given = {"search_attributes": customer("Ada", amount=1)}
    kept: list[Any] = [{"Amount": [1], "Customer": ["Ada"]}, [["Amount", 1], ["Customer", "Ada"]]]
    changed = [{"Amount": [], "Customer": ["Bob"]}, [["Customer", "Bob"]]]
    assert await order(client, 0, "ends", **given) == kept
    assert await order(client, 1, "changes", **given) == changed
    assert await order(client, 2, "changes as lists", **given) == changed
    assert await order(client, 3, "continues", **given) == kept
    assert await order(client, 4, "has a child", **given) == kept
    assert await found(client, "Customer = 'Bob'") == ["order-2", "order-1"]
    assert await found(client, "Customer = 'Cid'") == ["child"]
    assert await found(client, "ParentWorkflowId = 'order-4'") == ["child"]
    assert await found(client, "WorkflowId = 'order-3'") == ["order-3", "order-3"]
    described = await client.get_workflow_handle("order-1").describe()
    assert described.typed_search_attributes == customer("Bob")
    assert described.search_attributes == {"Customer": ["Bob"]}


async def test_every_run_of_a_chain_is_found_with_its_own_status(client: Client) -> None:
    """The run that another one follows is found as one that continued as new."""
    await order(client, 0, "continues", memo={"for": "Ada"})
    runs = [each async for each in client.list_workflows("WorkflowType = 'Order'")]
    assert [each.status.name for each in runs if each.status] == ["COMPLETED", "CONTINUED_AS_NEW"]
    assert runs[0].run_id != runs[1].run_id
    for run in runs:
        assert await run.memo() == {"for": "Ada"}
        assert run.close_time is not None
        assert run.close_time >= run.start_time
        assert run.task_queue == "orders"


async def test_workflows_are_counted_and_by_status(client: Client) -> None:
    """The statuses in the order of their numbers."""
    await order(client, 0, "waits")
    for number in (1, 2):
        await order(client, number, "ends")
    with pytest.raises(WorkflowFailureError):
        await order(client, 3, "fails")
    assert (await client.count_workflows()).count == 4
    counted = await client.count_workflows("WorkflowType = 'Order' GROUP BY ExecutionStatus")
    assert [(each.count, list(each.group_values)) for each in counted.groups] == [
        (1, ["Running"]),
        (2, ["Completed"]),
        (1, ["Failed"]),
    ]
    assert (counted.count, (await client.count_workflows("Nobody = 1")).count) == (4, 0)


async def test_a_query_that_cannot_be_understood_is_refused_when_it_is_read(
    client: Client,
) -> None:
    """As an invalid argument, with the reason."""
    for query in ("Customer =", "GROUP BY ExecutionStatus"):
        with pytest.raises(RPCError, match="invalid query: ") as caught:
            await found(client, query)
        assert caught.value.status.name == "INVALID_ARGUMENT"


async def test_histories_of_what_is_found_are_replayed(client: Client) -> None:
    """One after another; each tells what became of it."""
    for number in range(3):
        await order(client, number, "changes")
    histories = client.list_workflows("WorkflowType = 'Order'").map_histories()
    results = await Replayer(workflows=[Order]).replay_workflows(histories)
    assert results.replay_failures == {}


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (TypedSearchAttributes([SearchAttributePair(CUSTOMER, 1)]), "not suitable for indexed"),
        (
            TypedSearchAttributes([SearchAttributePair(AMOUNT, value=True)]),
            "Value of type True not suitable for indexed value type 3",
        ),
        (
            TypedSearchAttributes(
                [SearchAttributePair(SearchAttributeKey.for_datetime("Due"), datetime(2026, 1, 1))]  # noqa: DTZ001
            ),
            "Timezone must be present on all search attribute dates",
        ),
        ({"Customer": "Ada"}, "Search attribute values must be lists"),
        ({"Customer": ["Ada", 1]}, "must have the same type for the same key"),
        ({"Customer": [None]}, "value of type NoneType not one of str, int, float, bool, or date"),
    ],
)
async def test_a_search_attribute_of_another_type_is_refused_at_the_call(
    client: Client, given: Any, sentence: str
) -> None:
    """Before anything is started."""
    with pytest.raises((TypeError, ValueError), match=sentence):
        await order(client, 0, "ends", search_attributes=given)
    assert await found(client, None) == []


def test_typed_search_attributes_are_ordered_and_have_each_name_once() -> None:
    """As a mapping that knows types."""
    pairs: list[SearchAttributePair[Any]] = [
        SearchAttributePair(CUSTOMER, "Ada"),
        SearchAttributePair(AMOUNT, 1),
    ]
    both = TypedSearchAttributes(pairs)
    assert [pair.key.name for pair in both] == ["Amount", "Customer"]
    assert (both[CUSTOMER], both.get(AMOUNT), len(both), CUSTOMER in both) == ("Ada", 1, 2, True)
    other = SearchAttributeKey.for_text("Customer")
    assert (other in both, both.get(other, "none")) == (False, "none")
    with pytest.raises(KeyError):
        both[other]
    changed = both.updated(SearchAttributePair(AMOUNT, 2))
    assert (changed[AMOUNT], both[AMOUNT]) == (2, 1)
    with pytest.raises(ValueError, match="Duplicate search attribute entries found for key Cust"):
        TypedSearchAttributes([pairs[0], SearchAttributePair(other, "words")])


async def test_each_type_of_a_search_attribute_comes_back_as_it_went(client: Client) -> None:
    """Times in whichever zone they were."""
    pairs: list[SearchAttributePair[Any]] = [
        SearchAttributePair(SearchAttributeKey.for_text("Text"), "some words"),
        SearchAttributePair(SearchAttributeKey.for_keyword("Word"), "a"),
        SearchAttributePair(SearchAttributeKey.for_int("Int"), 3),
        SearchAttributePair(SearchAttributeKey.for_float("Float"), 0.5),
        SearchAttributePair(SearchAttributeKey.for_bool("Bool"), value=False),
        SearchAttributePair(
            SearchAttributeKey.for_datetime("Time"), datetime(2026, 1, 1, tzinfo=UTC)
        ),
        SearchAttributePair(SearchAttributeKey.for_keyword_list("List"), ["a", "b"]),
    ]
    given = TypedSearchAttributes(pairs)
    await order(client, 0, "ends", search_attributes=given, execution_timeout=timedelta(hours=1))
    [run] = [each async for each in client.list_workflows("List = 'b' AND Bool = false")]
    assert run.typed_search_attributes == given
