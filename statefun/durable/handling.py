"""How handlers with a context run: argument in, result out, within their context managers."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any

from statefun.durable.current import CURRENT
from statefun.durable.exceptions import TerminalError
from statefun.durable.outcomes import failed
from statefun.durable.program import Program
from statefun.durable.server_context import make_context
from statefun.errors import SerializationError

if TYPE_CHECKING:
    from statefun.durable import _proto
    from statefun.durable.execution import Execution
    from statefun.durable.handler import Handler
    from statefun.durable.run import Run

__all__ = ["HANDLERS"]


class _Handling(Program):
    """The program of services, virtual objects and workflows with contexts."""

    async def start(self, execution: Execution, run: Run) -> bytes:
        """Run the handler."""
        handler = execution.handler
        context = make_context(execution, run)
        CURRENT.set(context)
        async with AsyncExitStack() as stack:
            for manager in handler.options.context_managers:
                await stack.enter_async_context(manager())
            data = execution.invoke.argument
            arguments = (context, _argument(handler, data)) if handler.arity > 1 else (context,)
            result = await handler.fn(*arguments)
        context.flush()
        data = handler.handler_io.output_serde.serialize(result)
        execution.here.limits.check_value("a result", data)
        return data

    def cancel(self, execution: Execution, run: Run) -> None:
        """Cancel the calls that are awaited, else fail what is awaited, else whatever is."""
        with run.loop.entered():
            awaited = run.awaited()
            for child in tuple(run.children.values()):
                execution.cancel_child(child)
            if any(seq in run.children for seq in awaited):
                return  # their failures will say it
            for seq in awaited:
                run.fail(seq, TerminalError("cancelled", 409))
            if not awaited and run.main is not None:
                run.is_cancelled = True
                run.main.cancel()

    def judge(
        self, execution: Execution, run: Run, task: asyncio.Task[bytes]
    ) -> _proto.Outcome | BaseException | None:
        """Tell a handler that was cancelled from one that cancelled itself."""
        if task.done() and task.cancelled():
            if run.is_cancelled:
                return failed(TerminalError("cancelled", 409))
            return asyncio.CancelledError("the handler cancelled itself")
        return super().judge(execution, run, task)


HANDLERS = _Handling()


def _argument(handler: Handler[Any, Any], data: bytes) -> Any:
    if not data and handler.has_default:
        return handler.default
    try:
        return handler.handler_io.input_serde.deserialize(data)
    except SerializationError as error:
        raise TerminalError(f"unable to parse the argument: {error}", 400) from error
