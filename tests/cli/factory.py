"""An app whose effects leave a line each in a file, so that a test can count them."""

from __future__ import annotations

import os
from datetime import timedelta

from statefun import durable
from statefun.durable import Context, ObjectContext, RunOptions

LOG = "effects.log"
STEPS = 4

factory = durable.Service("Factory")
shelf = durable.VirtualObject("Shelf")


@shelf.handler()
async def put(ctx: ObjectContext, count: int) -> int:
    total = (await ctx.get("total", type_hint=int) or 0) + count
    ctx.set("total", total)
    return total


@factory.handler()
async def make(ctx: Context, number: int) -> list[str]:
    """The results of all steps, each made from the one before."""
    results = [str(number)]
    for step in range(STEPS):
        seen = results[-1]
        results.append(
            await ctx.run_typed(f"step {step}", work, RunOptions(), ctx.request().id, step, seen)
        )
        if step == 1:
            await ctx.sleep(timedelta(milliseconds=10))
            await ctx.object_call(put, "shelf", 1)
    return results[1:]


def work(invocation: str, step: int, seen: str) -> str:
    """One effect; its result is another one each time."""
    result = os.urandom(6).hex()
    log = os.open(LOG, os.O_APPEND | os.O_CREAT | os.O_WRONLY)
    os.write(log, f"{invocation} {step} {seen} {result}\n".encode())  # one call, so one line
    os.close(log)
    return result


app = durable.app([factory, shelf])
