"""Combinators of durable futures, as Restate has them; asyncio's own work on the same futures."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, TypeAlias

from statefun.durable.context import DurableFuture, DurablePromise
from statefun.durable.exceptions import TerminalError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable

__all__ = ["as_completed", "gather", "select", "wait_completed"]

Awaited: TypeAlias = DurableFuture[Any] | DurablePromise[Any]


async def gather(*futures: Awaited) -> list[DurableFuture[Any]]:
    """Wait until all are done.

    Returns:
        The same futures. A failure shows when the future that failed is awaited.

    Raises:
        TerminalError: If something is not a future of a context.
    """
    waited = _futures(futures)
    if waited:
        await asyncio.wait(waited)
    return waited


async def select(**futures: Awaited) -> list[Any]:
    """Wait for the first.

    Returns:
        A list of two: the name under which the first was given, and its result.

    Raises:
        ValueError: If there are none.
        TerminalError: If the first one failed, or something is not a future of a context.
    """
    if not futures:
        raise ValueError("at least one future must be passed: select(name=future)")
    waited = dict(zip(_futures(futures.values()), futures, strict=True))
    async for first in _in_order(list(waited)):
        return [waited[first], await first]
    raise AssertionError  # there is a first


async def as_completed(*futures: Awaited) -> AsyncIterator[DurableFuture[Any]]:
    """Give the futures in the order in which they are done, to an `async for`.

    Raises:
        TerminalError: If something is not a future of a context.
    """
    async for future in _in_order(_futures(futures)):
        yield future


async def wait_completed(
    *args: Awaited,
) -> tuple[list[DurableFuture[Any]], list[DurableFuture[Any]]]:
    """Wait until at least one is done.

    Returns:
        Those that are done and those that are not, each in the order given.

    Raises:
        TerminalError: If something is not a future of a context.
    """
    waited = _futures(args)
    if waited:
        await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
    return _parted(waited)


async def _in_order(futures: list[DurableFuture[Any]]) -> AsyncIterator[DurableFuture[Any]]:
    done: asyncio.Queue[Any] = asyncio.Queue()
    for future in futures:
        future.add_done_callback(done.put_nowait)
    for _ in futures:
        yield await done.get()


def _futures(given: Iterable[Awaited]) -> list[DurableFuture[Any]]:
    return [_future(each) for each in given]


def _future(given: Awaited) -> DurableFuture[Any]:
    if isinstance(given, DurablePromise):
        return given.value()
    if isinstance(given, DurableFuture):
        return given
    raise TerminalError(
        f"all futures must be of this context, got {type(given).__name__}: pass what "
        "ctx.run_typed, ctx.sleep, ctx.service_call and the like return"
    )


def _parted(
    futures: list[DurableFuture[Any]],
) -> tuple[list[DurableFuture[Any]], list[DurableFuture[Any]]]:
    done = [future for future in futures if future.done()]
    return done, [future for future in futures if not future.done()]
