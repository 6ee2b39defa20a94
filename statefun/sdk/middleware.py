"""Middleware: code of your own around every batch and every message of a handler."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias

from statefun.errors import DefinitionError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from statefun.sdk.context import BatchContext
    from statefun.sdk.functions import StatefulFunction
    from statefun.sdk.messages import Message

__all__ = ["Middleware", "Proceed", "around_batch", "around_message", "check_middleware"]

Proceed: TypeAlias = "Callable[[], Awaitable[Any]]"
"""What middleware awaits to run what it stands around."""


class Middleware:
    """Code around batches and messages: subclass it and override one method or both.

    An override awaits `proceed` to run what it stands around: the function, or the next middleware.
    If it returns without, the batch or the message counts as handled. An exception that it raises
    counts as raised by the function, so the whole batch fails.

    Middleware runs on the event loop, also around functions that are bound with `blocking=True`.

    Example:
        ```python
        class Timing(Middleware):
            async def around_message(self, function, context, message, proceed):
                began = time.perf_counter()
                try:
                    return await proceed()
                finally:
                    log(function.typename, time.perf_counter() - began)


        handler = RequestReplyHandler(functions, middleware=[Timing()])
        ```
    """

    __slots__ = ()

    async def around_batch(
        self,
        function: StatefulFunction,  # noqa: ARG002 - for overrides
        context: BatchContext,  # noqa: ARG002
        proceed: Proceed,
    ) -> None:
        """Run around all messages of one request; not called if the request lacks values.

        Args:
            function: The function, with its metadata.
            context: The context of the batch. Effects that are asked for here count, too.
            proceed: Runs the messages, in order.
        """
        await proceed()

    async def around_message(
        self,
        function: StatefulFunction,  # noqa: ARG002 - for overrides
        context: BatchContext,  # noqa: ARG002
        message: Message,  # noqa: ARG002
        proceed: Proceed,
    ) -> Any:
        """Run around one message.

        Args:
            function: The function, with its metadata.
            context: The context of the batch.
            message: The message that the function gets.
            proceed: Calls the function, and gives its return value.

        Returns:
            The return value; only middleware around this one sees it.
        """
        return await proceed()


def check_middleware(middleware: Iterable[Middleware]) -> tuple[Middleware, ...]:
    """The middleware of a handler, outermost first.

    Raises:
        DefinitionError: If one of them is not a `Middleware`.
    """
    if isinstance(middleware, Middleware):
        raise DefinitionError(
            f"middleware must be a list, got {middleware!r}: write middleware=[...]"
        )
    checked = tuple(middleware)
    for each in checked:
        if not isinstance(each, Middleware):
            raise DefinitionError(
                f"middleware must be instances of Middleware, got {each!r}: "
                "subclass statefun.sdk.middleware.Middleware and pass an instance"
            )
    return checked


def around_batch(
    middleware: Iterable[Middleware],
    function: StatefulFunction,
    context: BatchContext,
    run: Proceed,
) -> Awaitable[Any]:
    """Run the messages of a batch inside all middleware; the first is the outermost."""
    for each in reversed(tuple(middleware)):
        run = partial(each.around_batch, function, context, run)
    return run()


def around_message(
    middleware: Iterable[Middleware],
    function: StatefulFunction,
    context: BatchContext,
    message: Message,
    run: Proceed,
) -> Awaitable[Any]:
    """Call a function inside all middleware; the first is the outermost."""
    for each in reversed(tuple(middleware)):
        run = partial(each.around_message, function, context, message, run)
    return run()
