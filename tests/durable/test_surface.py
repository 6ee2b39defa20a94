"""What handlers are offered, from their declaration to the answer, replayed at every wait."""

from __future__ import annotations

import asyncio
import logging
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pydantic
import pytest

from statefun import durable
from statefun.durable import (
    Context,
    HttpError,
    ObjectContext,
    ObjectSharedContext,
    Service,
    TerminalError,
    VirtualObject,
    Workflow,
    WorkflowContext,
    WorkflowSharedContext,
)
from statefun.durable.context_managers import contextvar
from statefun.durable.extensions import current_context
from statefun.sdk.wire._proto import Address

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@dataclass
class Line:
    sku: str
    count: int = 1


@dataclass
class Cart:
    lines: list[Line] = field(default_factory=list)
    total: int = 0


class Wish(pydantic.BaseModel):
    name: str


service = Service("S")
carts = VirtualObject("Carts", state=Cart)
order = Workflow("Order")
logger = durable.getLogger("tests.surface")


@carts.handler()
async def put(ctx: ObjectContext[Cart], line: Line) -> int:
    ctx.state.lines.append(line)
    await ctx.sleep(timedelta(0))
    ctx.state.lines[-1].count += 1
    ctx.state.total += line.count
    return ctx.state.total


@carts.handler(kind="shared")
async def look(ctx: ObjectSharedContext[Cart]) -> Cart:
    assert await ctx.get("total", int) in (None, ctx.state.total)
    return ctx.state


@carts.handler()
async def empty(ctx: ObjectContext[Cart], reason: str) -> str:
    ctx.clear_all()
    return reason


@service.handler()
async def fail_after_putting(ctx: Context, key: str) -> None:
    async with ctx.saga() as saga:
        await ctx.call(put, Line("a"), key=key)
        saga.undo(ctx.call, empty, "undone", key=key)
        await ctx.sleep(timedelta(0))
        raise TerminalError("no money", 402)


@service.handler()
async def combine(ctx: Context) -> list[Any]:
    slow = ctx.sleep(timedelta(days=1))
    first = ctx.call(put, Line("a"), key="first")
    second = ctx.run_typed("second", lambda: 2)
    name, _ = await durable.select(slow=slow, first=first)
    both = await asyncio.gather(first, second)
    seen = [await each async for each in durable.as_completed(first, second)]
    done, pending = await durable.wait_completed(first, slow)
    return [name, list(both), sorted(seen), len(done), len(pending)]


@contextvar
@asynccontextmanager
async def tenant() -> AsyncIterator[str]:
    yield "acme"


@service.handler(invocation_context_managers=[tenant])
async def around(ctx: Context) -> list[Any]:
    logger.info("before")
    await ctx.sleep(timedelta(0))
    logger.info("after")
    return [tenant.value, current_context() is ctx]


@service.handler()
async def wish(ctx: Context, wish: Wish | None) -> Wish | None:
    def find() -> Wish | None:
        return wish

    found = await ctx.run_typed("find", find)
    return Wish(name=found.name.upper()) if found else None


@service.handler()
async def proto(ctx: Context, address: Address) -> Address:
    return Address(namespace=address.namespace, type=address.type, id="changed")


@order.main()
async def run(ctx: WorkflowContext, name: str) -> list[Any]:
    return await durable.select(
        approved=ctx.promise("approved", str), late=ctx.sleep(timedelta(days=1))
    )


@order.handler()
async def approve(ctx: WorkflowSharedContext, who: str) -> str | None:
    before = await ctx.promise("approved", str).peek()
    await ctx.promise("approved", str).resolve(who)
    return before


APP = durable.app([service, carts, order])


@pytest.fixture(params=["kept in memory", "always replayed"])
async def client(request: pytest.FixtureRequest) -> AsyncIterator[durable.Client]:
    always_replay = request.param == "always replayed"
    async with durable.create_test_harness(APP, always_replay=always_replay) as harness:
        yield harness.client


async def test_state_that_is_changed_in_place_is_kept(client: durable.Client) -> None:
    """Also deep within, and after a wait; shared handlers see it."""
    assert await client.object_call(put, "ada", Line("a")) == 2
    assert await client.object_call(put, "ada", Line("b", 2)) == 5

    assert await client.object_call(look, "ada", None) == Cart([Line("a", 2), Line("b", 3)], 5)


async def test_a_saga_undoes_what_was_done_in_other_objects(client: durable.Client) -> None:
    """The failure is the caller's answer."""
    with pytest.raises(HttpError) as caught:
        await client.service_call(fail_after_putting, "ada")

    assert caught.value.status_code == 402
    assert await client.object_call(look, "ada", None) == Cart()


async def test_futures_combine_in_both_ways(client: durable.Client) -> None:
    """By Restate's combinators, and by asyncio's own."""
    assert await client.service_call(combine, None) == ["first", [2, 2], [2, 2], 1, 1]


async def test_a_promise_can_be_selected(client: durable.Client) -> None:
    """Without asking for its value."""
    await client.workflow_send(run, "o-1", "books")

    assert await client.workflow_call(approve, "o-1", "Bob") is None
    assert await client.workflow_attach(run, "o-1") == ["approved", "Bob"]


async def test_context_managers_are_around_every_attempt(
    client: durable.Client, caplog: pytest.LogCaptureFixture
) -> None:
    """And what the handler logs is logged once, replayed or not."""
    caplog.set_level(logging.INFO, "tests.surface")

    assert await client.service_call(around, None) == ["acme", True]
    assert [each.message for each in caplog.records if each.name == "tests.surface"] == [
        "before",
        "after",
    ]


async def test_models_travel_as_what_they_are(client: durable.Client) -> None:
    """Pydantic models, None, and protobuf messages."""
    assert await client.service_call(wish, Wish(name="peace")) == Wish(name="PEACE")
    assert await client.service_call(wish, None) is None
    changed = await client.service_call(proto, Address(namespace="t", type="f", id="1"))
    assert changed == Address(namespace="t", type="f", id="changed")
