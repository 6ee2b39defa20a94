"""A counter for each id; every message adds one."""

from __future__ import annotations

from statefun import Context, IntType, Message, StatefulFunctions, ValueSpec

functions = StatefulFunctions()


@functions.bind("bench/counter", [ValueSpec("count", IntType)])
async def counter(context: Context, message: Message) -> None:  # noqa: ARG001 - it is counted
    """Add one."""
    context.storage.count = (context.storage.count or 0) + 1
