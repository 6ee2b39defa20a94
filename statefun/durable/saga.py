"""Sagas: steps that are undone, last first, when the invocation fails for good.

Law: the steps are undone only by a final failure, which includes cancellation. An attempt that
fails and comes again undoes nothing.
"""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any, ParamSpec

from statefun.durable.exceptions import TerminalError, terminal_cause

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from types import TracebackType
    from typing import Self

P = ParamSpec("P")

__all__ = ["Saga"]


class Saga:
    """The undo steps of an invocation, used as `async with ctx.saga() as saga`.

    Example:
        ```python
        async with ctx.saga() as saga:
            hold = await ctx.call(reserve, order.quantity, key=order.sku)
            saga.undo(ctx.call, release, hold, key=order.sku)
            await ctx.call(charge, order)  # a TerminalError here releases what is reserved
        ```
    """

    def __init__(self) -> None:
        self._steps: list[Callable[[], Any]] = []

    def undo(self, action: Callable[P, Any], /, *args: P.args, **kwargs: P.kwargs) -> None:
        """Remember how to undo what has just succeeded.

        Args:
            action: A durable step such as `ctx.call` or `ctx.run_typed`, or an async function that
                takes some. What it returns is awaited if it can be.
            *args: Its arguments.
            **kwargs: Its keyword arguments.
        """
        self._steps.append(lambda: action(*args, **kwargs))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        failure = terminal_cause(error)
        if failure is None:
            return
        failed = [reason for step in reversed(self._steps) if (reason := await _failure(step))]
        if failed:
            raise TerminalError(
                f"{failure.message}; and undoing failed: {'; '.join(failed)}",
                failure.status_code,
                failure.metadata,
            ) from error


async def _failure(step: Callable[[], Awaitable[Any] | object]) -> str | None:
    """Undo one step; its final failure does not keep the others from being undone."""
    try:
        pending = step()
        if inspect.isawaitable(pending):
            await pending
    except TerminalError as error:
        return error.message
    return None
