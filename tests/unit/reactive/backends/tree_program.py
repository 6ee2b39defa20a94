"""Writes transactions to a tree until it is killed: `tree_program.py KIND PATH`.

Each transaction writes the same number to `/a` and `/b` and deletes the child of the one before;
when it has returned, the number is written to stdout.
"""

from __future__ import annotations

import asyncio
import os
import sys
from contextlib import AsyncExitStack
from itertools import count
from typing import Any

from statefun.reactive import (
    CachingSyncBackend,
    ControllerAsync,
    FileSystemSyncBackend,
    FunctionBackend,
    SqliteBackend,
    bind_state_tree,
)
from statefun.runtime import Runtime
from statefun.sdk.functions import StatefulFunctions


async def backend_of(kind: str, path: str, stack: AsyncExitStack) -> Any:
    """The backend that is asked for."""
    match kind:
        case "sqlite":
            return stack.enter_context(SqliteBackend(path))
        case "cached":
            return CachingSyncBackend(FileSystemSyncBackend(path), flush_interval=1e9)
        case _:
            functions = StatefulFunctions()
            bind_state_tree(functions)
            runtime = await stack.enter_async_context(Runtime(functions, data=path))
            return FunctionBackend(runtime, "tree")


async def main() -> None:
    """Write until the end."""
    async with AsyncExitStack() as stack:
        backend = await backend_of(sys.argv[1], sys.argv[2], stack)
        controller = ControllerAsync(backend)
        first = await controller.get_state("/a", 0) + 1
        for number in count(first):
            async with controller.transaction():
                await controller.set_state("/a", number)
                await controller.del_state(f"/children/{number - 1}")
                await controller.set_state(f"/children/{number}", number)
                await controller.set_state("/b", number)
            if sys.argv[1] == "cached" and number % 3 == 0:
                backend.flush()
                os.write(1, f"{number}\n".encode())
            elif sys.argv[1] != "cached":
                os.write(1, f"{number}\n".encode())


asyncio.run(main())
