"""What a suspended workflow, or an idle key, takes in memory: `resident.py WHAT DIR COUNT`.

Prints the resident bytes of one. `keys` runs with an earlier build too, so it keeps to names that
both have.
"""

from __future__ import annotations

import asyncio
import gc
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from statefun import StatefulFunctions, StringType, ValueSpec, message_builder
from statefun.runtime import Runtime

if TYPE_CHECKING:
    from collections.abc import Callable

_SENDERS = 2_000
_TYPENAME = "bench/keys"


def keys() -> tuple[StatefulFunctions, Callable[[int], Any]]:
    """Keys with 100 bytes each."""
    functions = StatefulFunctions()

    @functions.bind(_TYPENAME, specs=[ValueSpec("text", StringType)])
    async def keep(context: Any, _: Any) -> None:
        context.storage.text = "x" * 100

    return functions, lambda number: message_builder(_TYPENAME, f"key-{number}", str_value="x")


def workflows() -> tuple[StatefulFunctions, Callable[[int], Any]]:
    """Workflows in a sleep, none of them in memory as a coroutine."""
    from datetime import timedelta  # noqa: PLC0415 - what the earlier build lacks follows

    from statefun.durable import Workflow, WorkflowContext  # noqa: PLC0415
    from statefun.durable.endpoint import App  # noqa: PLC0415
    from statefun.durable.limits import Limits  # noqa: PLC0415

    sleeper = Workflow("Sleeper")

    @sleeper.main()
    async def nap(ctx: WorkflowContext) -> None:
        await ctx.sleep(timedelta(hours=1))

    nap.__globals__.setdefault("WorkflowContext", WorkflowContext)
    app = App([sleeper], limits=Limits(cached_addresses=0))
    return app, lambda number: app.invoke(nap, key=f"key-{number}")


def resident() -> int:
    """Bytes of this process that are in memory."""
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


async def run(what: str, data: str, count: int) -> float:
    """The bytes of one, of so many."""
    functions, message = {"keys": keys, "workflows": workflows}[what]()
    async with Runtime([functions], data=data) as runtime:
        await runtime.send(message(count))
        await runtime.idle()
        before = resident()
        numbers = iter(range(count))

        async def sender() -> None:
            for number in numbers:
                await runtime.send(message(number))

        async with asyncio.TaskGroup() as senders:
            for _ in range(_SENDERS):
                senders.create_task(sender())
        await runtime.idle()
        return (resident() - before) / count


if __name__ == "__main__":
    kind, folder, number_of_them = sys.argv[1:]
    sys.stdout.write(f"{asyncio.run(run(kind, folder, int(number_of_them)))}\n")
