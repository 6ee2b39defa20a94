"""Results: a message is not answered for as long as work is left in the result of its function.

Law: what can be awaited is awaited; what nobody would ever begin is an error. Any other result is
ignored, for a function has none.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterator, Iterator, Mapping
from concurrent.futures import Future
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from functools import partial
from typing import Any

from statefun.errors import InvalidFunctionError

__all__ = ["finish"]

_MANAGERS = (AbstractContextManager, AbstractAsyncContextManager)


async def finish(typename: str, result: Any) -> Any:
    """Do the work that the result of a function stands for: await it, and what that results in.

    A future of a thread is waited for, too.

    Args:
        typename: The function's.
        result: What calling it gave.

    Returns:
        The result in which nothing is left to be awaited.

    Raises:
        InvalidFunctionError: If work is left in it that nobody would do: it is a generator or
            another iterator, one dressed up as a context manager, a function, or a collection of
            awaitables.
        BaseException: What an awaitable raises.
    """
    while True:
        if isinstance(result, Future):
            result = asyncio.wrap_future(result)
        if not inspect.isawaitable(result):
            break
        result = await result
    if result is not None and _has_work_left(result):
        raise InvalidFunctionError(
            f"{typename!r} returned {result!r}, and nothing would run it: do the work in the "
            "function, for example in a loop over it, and return nothing",
            name=typename,
        )
    return result


def _has_work_left(result: object) -> bool:
    """Whether a result of a function stands for work that would have to be begun."""
    if isinstance(result, Mapping):
        result = list(result.values())
    if isinstance(result, list | tuple | set | frozenset):
        return any(inspect.isawaitable(each) or _has_work_left(each) for each in result)
    work = getattr(result, "gen", None) if isinstance(result, _MANAGERS) else result
    return isinstance(work, Iterator | AsyncIterator | partial) or inspect.isroutine(work)
