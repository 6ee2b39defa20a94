"""A counter and a workflow of ten durable steps, for both sides: only the import differs."""

from __future__ import annotations

import os

if os.environ.get("BENCH_SIDE") == "restate":
    import restate  # type: ignore[import-not-found,unused-ignore]
else:
    import statefun.durable as restate

STEPS = 10

counter = restate.VirtualObject("Counter")
steps = restate.Workflow("Steps")


@counter.handler()
async def add(ctx: restate.ObjectContext) -> None:
    """Add one."""
    ctx.set("count", (await ctx.get("count", type_hint=int) or 0) + 1)


@steps.main()
async def run(ctx: restate.WorkflowContext) -> int:
    """Ten steps, one after another; each is durable before the next begins."""
    total = 0
    for number in range(STEPS):
        total = await ctx.run_typed(f"step {number}", step, restate.RunOptions(), total)
    return total


def step(number: int) -> int:
    """The work of a step, which is next to nothing."""
    return number + 1


app = restate.app([counter, steps])
