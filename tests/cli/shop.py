"""Durable handlers for tests of the command line."""

from __future__ import annotations

from datetime import timedelta

from statefun.durable import Context, ObjectContext, RunOptions, Service, VirtualObject
from statefun.durable import app as put_together

counter = VirtualObject("Counter")
waiter = Service("Waiter")


@counter.handler()
async def add(ctx: ObjectContext, by: int) -> int:
    total = (await ctx.get("total", int) or 0) + by
    ctx.set("total", total)
    return total


@waiter.handler()
async def wait(ctx: Context, name: str) -> str:
    await ctx.run_typed("look up", str.upper, RunOptions(type_hint=str), name)
    return await ctx.signal("go", str)


@waiter.handler()
async def sleep(ctx: Context) -> str:
    await ctx.sleep(timedelta(hours=1))
    return "rested"


app = put_together([counter, waiter])
