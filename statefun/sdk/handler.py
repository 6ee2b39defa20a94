"""The handler: request bytes in, reply bytes out; any server can stand in front of it."""

from __future__ import annotations

import asyncio
import contextvars
import inspect
from functools import partial
from typing import TYPE_CHECKING, Any

from statefun.errors import DefinitionError, InvocationError
from statefun.sdk.context import BatchContext
from statefun.sdk.functions import StatefulFunctions
from statefun.sdk.lanes import Lanes
from statefun.sdk.messages import incoming_message
from statefun.sdk.protocol import decode_request, encode_incomplete, encode_result
from statefun.sdk.storage import Missing

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from statefun.sdk.functions import StatefulFunction

__all__ = ["RequestReplyHandler", "is_closing", "text_of"]


class RequestReplyHandler:
    """Runs batches of messages: a serialized ToFunction in, a serialized FromFunction out.

    The messages of a batch run one after another, in order, on one view of the state. Nothing is
    kept between two requests.

    Args:
        functions: What can be called. Functions registered later are found too.
    """

    def __init__(self, functions: StatefulFunctions) -> None:
        if not isinstance(functions, StatefulFunctions):
            raise DefinitionError(
                f"a handler needs the StatefulFunctions it should serve, got {functions!r}"
            )
        self.functions = functions
        self._lanes = Lanes()

    def handle_sync(self, request_bytes: bytes | bytearray | memoryview) -> bytes:
        """Like `handle_async`, from code that is not async.

        May be called from any thread, also while an event loop runs in this one: the functions then
        run on a loop in another thread while this one waits.
        """
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            return asyncio.run(self.handle_async(request_bytes))
        return _run_elsewhere(self.handle_async(request_bytes))

    async def handle_async(self, request_bytes: bytes | bytearray | memoryview) -> bytes:
        """Run a batch.

        Args:
            request_bytes: A serialized ToFunction.

        Returns:
            A serialized FromFunction: what the whole batch asks for (zero bytes for nothing), or
            which values the engine has to send along; then no function has run.

        Raises:
            RemoteProtocolError: If the bytes are no request.
            UnknownFunctionError: If no function is registered for the target.
            InvocationError: If a function raised, whatever it was; `__cause__` is what it raised.
                No effect of the batch survives.
            KeyboardInterrupt: If a function raised that: it is for the whole process.
        """
        batch = decode_request(request_bytes)
        function = self.functions.for_typename(batch.typename)
        values = function.storage_spec
        storage = values.resolve(batch.state)
        if isinstance(storage, Missing):
            return encode_incomplete(storage.specs)
        context = BatchContext(batch, storage)
        try:
            if function.is_blocking:
                await self._run_in_lane(function, context)
            else:
                fun, is_async = function.fun, function.is_async
                for position in range(len(batch.invocations)):
                    context.position = position
                    outcome = fun(context, incoming_message(batch, position))
                    if is_async or (outcome is not None and inspect.isawaitable(outcome)):
                        await outcome
        except BaseException as error:
            if _is_from_outside(error):
                raise
            raise _failure(context, error) from error
        finally:
            context.end()
            mutations = values.seal(storage, batch)
        return encode_result(context, mutations)

    async def _run_in_lane(self, function: StatefulFunction, context: BatchContext) -> None:
        """Run the batch in a thread, after earlier batches of the same address."""
        loop = asyncio.get_running_loop()
        variables = contextvars.copy_context()
        work = partial(variables.run, _run_blocking, function, context, loop)
        key = (function.typename, context.batch.target_id)
        error = await asyncio.wrap_future(self._lanes.submit(key, work))
        if error is not None:
            raise error


def _run_blocking(
    function: StatefulFunction, context: BatchContext, loop: asyncio.AbstractEventLoop
) -> BaseException | None:
    """Call the function once for each message, in order; what it returns is awaited on `loop`.

    Returns:
        What the function raised; futures do not carry all of it from threads to loops.
    """
    fun, batch = function.fun, context.batch
    try:
        for position in range(len(batch.invocations)):
            context.position = position
            outcome = fun(context, incoming_message(batch, position))
            if outcome is not None and inspect.isawaitable(outcome):
                error = asyncio.run_coroutine_threadsafe(_awaited(outcome), loop).result()
                if error is not None:
                    return error
    except BaseException as error:  # noqa: BLE001 - it is raised again where the batch is awaited
        return error
    return None


async def _awaited(outcome: Any) -> BaseException | None:
    """Wait for an outcome; returns what it raised, which could end the loop of this task."""
    try:
        await outcome
    except asyncio.CancelledError:
        raise
    except BaseException as error:  # noqa: BLE001 - likewise
        return error
    return None


def _is_from_outside(error: BaseException) -> bool:
    """Whether it is no failure of a function: the process or the caller ends what is running."""
    if isinstance(error, asyncio.CancelledError):
        task = asyncio.current_task()
        return task is None or task.cancelling() > 0
    return isinstance(error, KeyboardInterrupt) or is_closing(error)


def is_closing(error: BaseException) -> bool:
    """Whether it closes the coroutine that has caught it; one that was raised came from below."""
    trace = error.__traceback__
    return isinstance(error, GeneratorExit) and (trace is None or trace.tb_next is None)


def text_of(error: BaseException) -> str:
    """The kind and the text of an error, whatever its `__str__` does."""
    try:
        return f"{type(error).__name__}: {error}"
    except Exception as broken:  # noqa: BLE001 - the user's own __str__
        return f"{type(error).__name__} without a text: its __str__ raised {type(broken).__name__}"


def _failure(context: BatchContext, error: BaseException) -> InvocationError:
    batch, position = context.batch, context.position
    return InvocationError(
        batch.address,
        batch.invocation(position).argument.typename,
        position + 1,
        len(batch.invocations),
        text_of(error),
    )


def _run_elsewhere(coroutine: Coroutine[Any, Any, bytes]) -> bytes:
    """Run a coroutine on a loop of its own in another thread, and wait for it."""
    variables = contextvars.copy_context()
    lanes = Lanes()
    return lanes.submit(None, lambda: variables.run(asyncio.run, coroutine)).result()
