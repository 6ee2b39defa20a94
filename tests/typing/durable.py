"""What a type checker makes of durable handlers. Checked, never executed."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, assert_type
from uuid import UUID

from statefun import IntType
from statefun.durable import (
    Context,
    DurableCallFuture,
    DurableFuture,
    ObjectContext,
    ObjectSharedContext,
    RunOptions,
    SendHandle,
    Service,
    VirtualObject,
    Workflow,
    WorkflowContext,
    WorkflowSharedContext,
    gather,
    select,
    wait_completed,
)
from statefun.durable.serde import BytesSerde

SECOND = timedelta(seconds=1)


@dataclass
class Cart:
    items: int = 0


service = Service("Greeter")
carts = VirtualObject("Carts", state=Cart)
orders = Workflow("Orders")


@service.handler()
async def greet(ctx: Context, name: str) -> int:
    return len(name)


@service.handler()
async def ping(ctx: Context) -> str:
    return "pong"


@service.handler()
async def maybe(ctx: Context, name: str = "x") -> float:
    return 1.5


@carts.handler()
async def add(ctx: ObjectContext[Cart], by: int) -> Cart:
    assert_type(ctx.state, Cart)
    ctx.state.items += by
    ctx.state.itms  # type: ignore[attr-defined]  # noqa: B018
    return ctx.state


@carts.handler(kind="shared")
async def look(ctx: ObjectSharedContext[Cart]) -> int:
    assert_type(await ctx.get("items", int), int | None)
    ctx.set("items", 1)  # type: ignore[attr-defined]
    return ctx.state.items


@orders.main()
async def run(ctx: WorkflowContext, request: Cart) -> bool:
    assert_type(await ctx.promise("approved", str), str)
    assert_type(await ctx.promise("approved", type_hint=bool).peek(), bool | None)
    assert_type(await ctx.promise("anything"), Any)
    return True


@orders.handler()
async def approve(ctx: WorkflowSharedContext, who: str) -> None:
    await ctx.promise("approved", str).resolve(who)
    await ctx.promise("approved", str).resolve(1)  # type: ignore[arg-type]


def fetch(url: str, times: int = 1) -> bytes:
    return b""


async def fetch_later(url: str) -> list[int]:
    return []


async def a_decorated_function_stays_what_it_is(ctx: Context) -> None:
    assert_type(await greet(ctx, "Ada"), int)
    await greet(ctx, 1)  # type: ignore[arg-type]


async def a_call_knows_argument_and_result(ctx: Context) -> None:
    assert_type(ctx.service_call(greet, "Ada"), DurableCallFuture[int])
    assert_type(await ctx.service_call(greet, arg="Ada"), int)
    assert_type(await ctx.service_call(ping, None), str)
    assert_type(await ctx.service_call(maybe, "Ada"), float)
    assert_type(await ctx.object_call(add, "ada", 2), Cart)
    assert_type(await ctx.object_call(look, "ada", None), int)
    assert_type(await ctx.workflow_call(run, key="1", arg=Cart()), bool)
    assert_type(await ctx.workflow_call(approve, "1", "Bob"), None)
    assert_type(await ctx.call(add, 2, key="ada"), Cart)
    assert_type(await ctx.call(ping), str)
    assert_type(await ctx.call(maybe), float)
    assert_type(await ctx.generic_call("S", "h", b""), bytes)
    assert_type(await ctx.service_call(greet, "Ada").invocation_id(), str)

    ctx.service_call(greet, 1)  # type: ignore[arg-type]
    ctx.object_call(add, "ada", "two")  # type: ignore[arg-type]
    ctx.object_call(add, 2)  # type: ignore[call-arg, arg-type]
    ctx.workflow_call(run, "1", None)  # type: ignore[misc]
    ctx.service_call(fetch, "Ada")  # type: ignore[arg-type]


async def a_send_knows_its_argument(ctx: Context) -> None:
    assert_type(ctx.service_send(greet, "Ada", SECOND), SendHandle)
    assert_type(ctx.object_send(add, "ada", 2, send_delay=SECOND), SendHandle)
    assert_type(ctx.workflow_send(run, "1", Cart()), SendHandle)
    assert_type(ctx.send(greet, "Ada", delay=SECOND), SendHandle)

    ctx.service_send(greet, 1)  # type: ignore[arg-type]
    ctx.object_send(add, "ada", 2, send_delay=5)  # type: ignore[arg-type]


async def an_effect_knows_its_arguments_and_its_result(ctx: Context) -> None:
    assert_type(await ctx.run_typed("fetch", fetch, RunOptions(), "x", times=2), bytes)
    assert_type(await ctx.run_typed("fetch", fetch_later, RunOptions(), "x"), list[int])
    assert_type(await ctx.run("fetch", lambda: 1), int)
    assert_type(await ctx.run("fetch", fetch_later, args=("x",)), list[int])
    assert_type(RunOptions(serde=BytesSerde()), RunOptions[bytes])

    ctx.run_typed("fetch", fetch, RunOptions(), 1)  # type: ignore[call-overload]
    ctx.run_typed("fetch", fetch_later, RunOptions(), 1)  # type: ignore[call-overload]


async def values_have_the_type_they_are_read_as(ctx: ObjectContext) -> None:
    assert_type(await ctx.get("n", int), int | None)
    assert_type(await ctx.get("n", type_hint=Cart), Cart | None)
    assert_type(await ctx.get("n", BytesSerde()), bytes | None)
    assert_type(await ctx.get("n", IntType), int | None)
    assert_type(await ctx.state_keys(), list[str])
    assert_type(ctx.state, Any)
    assert_type(ctx.uuid(), UUID)
    assert_type(await ctx.time(), float)
    ctx.set("n", 1, IntType)
    ctx.set("n", "one", IntType)  # type: ignore[misc]


async def completions_from_outside_have_types(ctx: Context) -> None:
    assert_type(ctx.awakeable(type_hint=int), tuple[str, DurableFuture[int]])
    assert_type(await ctx.signal("go", str), str)
    assert_type(await ctx.attach_invocation("inv", type_hint=Cart), Cart)
    ctx.resolve_awakeable("id", Cart())


async def futures_combine(ctx: Context) -> None:
    call, sleep = ctx.service_call(greet, "Ada"), ctx.sleep(SECOND)

    assert_type(await asyncio.gather(call, ctx.service_call(ping, None)), tuple[int, str])
    assert_type(await asyncio.wait_for(call, 1), int)
    both: list[DurableFuture[Any]] = [call, sleep]
    await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
    assert_type(await gather(call, sleep), list[DurableFuture[Any]])
    assert_type(await select(call=call, sleep=sleep), list[Any])
    done, _pending = await wait_completed(call, sleep)
    assert_type(done, list[DurableFuture[Any]])
    assert_type(await sleep, None)

    await gather(greet(ctx, "Ada"))  # type: ignore[arg-type]


async def a_saga_checks_its_undo_steps(ctx: Context) -> None:
    async with ctx.saga() as saga:
        saga.undo(ctx.service_call, greet, "Ada")
        saga.undo(ctx.run_typed, "fetch", fetch, RunOptions(), "x")
        saga.undo(fetch_later, "x")

        saga.undo(fetch_later, 1)  # type: ignore[arg-type]
