"""How handlers with a context run: argument in, result out, within their context managers."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any

from statefun.durable.contexts import make_context
from statefun.durable.current import CURRENT
from statefun.durable.exceptions import TerminalError
from statefun.durable.program import Program
from statefun.durable.retries import retries_of
from statefun.errors import ConfigurationError, SerializationError

if TYPE_CHECKING:
    from statefun.durable import _proto
    from statefun.durable.entry_codec import ValueCodec
    from statefun.durable.execution import Execution
    from statefun.durable.handler import Handler
    from statefun.durable.options import Options
    from statefun.durable.retries import Retries
    from statefun.durable.run import Run

__all__ = ["HANDLERS", "Handling"]


class Handling(Program):
    """A run of a handler of a service, a virtual object or a workflow."""

    async def start(self) -> bytes:
        """Run the handler."""
        execution = self.execution
        handler, codec = execution.handler, execution.here.directory.codec
        context = make_context(execution, self.run)
        CURRENT.set(context)
        if handler.options.context_managers:
            async with AsyncExitStack() as stack:
                for manager in handler.options.context_managers:
                    await stack.enter_async_context(manager())
                result = await self._call(context)
        else:
            result = await self._call(context)
        context.flush()
        data = codec.encode(handler.handler_io.output_serde.serialize(result))
        execution.here.limits.check_value("a result", data)
        return data

    async def _call(self, context: object) -> Any:
        """Call the handler's function."""
        execution = self.execution
        handler, codec = execution.handler, execution.here.directory.codec
        arguments: tuple[Any, ...] = (context,)
        if handler.arity > 1:
            arguments = (context, _argument(handler, codec, execution.invoke.argument))
        return await handler.fn(*arguments)

    def cancel(self) -> None:
        """Cancel the calls that are awaited, else fail what is awaited, else whatever is."""
        run = self.run
        with run.loop.entered():
            awaited = run.awaited()
            for child in tuple(run.children.values()):
                self.execution.cancel_child(child)
            if any(seq in run.children for seq in awaited):
                return  # their failures will say it
            for seq in awaited:
                run.fail(seq, TerminalError("cancelled", 409))
            if not awaited and run.main is not None:
                self._is_cancelled = True
                run.main.cancel()

    _is_cancelled = False

    def decide(self, task: asyncio.Task[bytes]) -> _proto.Outcome | BaseException | None:
        """Tell a handler that was cancelled from one that cancelled itself."""
        if not task.done():
            return None
        if task.cancelled() and not self._is_cancelled:
            return asyncio.CancelledError("the handler cancelled itself")
        return super().decide(task)


class _Handlers:
    """The front end of handlers with contexts; see `FrontEnd`."""

    def program(self, execution: Execution, run: Run) -> Handling:
        """The handler of an execution."""
        return Handling(execution, run)

    def retries(self, options: Options) -> Retries:
        """The policy of the handler."""
        return retries_of(options)


HANDLERS = _Handlers()


def _argument(handler: Handler[Any, Any], codec: ValueCodec, encoded: bytes) -> Any:
    try:
        data = codec.decode(encoded)
    except ConfigurationError:
        raise
    except Exception as error:
        raise TerminalError(
            f"unable to parse the argument: the codec of the app does not decode it: {error}", 400
        ) from error
    if not data and handler.has_default:
        return handler.default
    try:
        return handler.handler_io.input_serde.deserialize(data)
    except SerializationError as error:
        raise TerminalError(f"unable to parse the argument: {error}", 400) from error
