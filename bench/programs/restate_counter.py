"""The same counter as a virtual object of Restate; runs in an environment of its own."""

from __future__ import annotations

import restate

counter = restate.VirtualObject("counter")


@counter.handler()
async def add(context: restate.ObjectContext) -> None:
    """Add one."""
    context.set("count", (await context.get("count") or 0) + 1)


app = restate.app([counter])
