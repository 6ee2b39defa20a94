"""The handler: request bytes in, reply bytes out; any server can stand in front of it."""

from __future__ import annotations

import asyncio
import contextvars
import inspect
from functools import partial
from typing import TYPE_CHECKING, Any

from statefun.errors import DefinitionError, InvocationError
from statefun.sdk.context import BatchContext
from statefun.sdk.executor import KeyedExecutor
from statefun.sdk.failures import is_closing, text_of
from statefun.sdk.functions import StatefulFunctions
from statefun.sdk.messages import Message
from statefun.sdk.storage import Missing
from statefun.sdk.wire import (
    MissingValue,
    incoming_message,
    split_request,
    write_missing,
    write_reply,
)

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from statefun.sdk.functions import StatefulFunction
    from statefun.sdk.specs import ValueSpec

__all__ = ["RequestReplyHandler"]


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
        self._executor = KeyedExecutor()

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
        batch = split_request(request_bytes)
        function = self.functions.for_typename(batch.typename)
        values = function.storage_spec
        storage = values.resolve(batch.state)
        if isinstance(storage, Missing):
            return write_missing(_missing_value(spec) for spec in storage.specs)
        context = BatchContext(batch, storage)
        try:
            if function.is_blocking:
                await self._run_in_thread(function, context)
            else:
                fun, is_async = function.fun, function.is_async
                typename, target_id = batch.typename, batch.target_id
                for invocation in batch.invocations:
                    message = incoming_message(Message, typename, target_id, invocation)
                    outcome = fun(context, message)
                    if is_async or (outcome is not None and inspect.isawaitable(outcome)):
                        await outcome
                    context.position += 1
        except BaseException as error:
            if _is_from_outside(error):
                raise
            raise _failure(context, error) from error
        finally:
            context.has_ended = True
            mutations = values.seal(storage, batch)
        return write_reply(context.messages, context.delayed, context.egress, mutations)

    async def _run_in_thread(self, function: StatefulFunction, context: BatchContext) -> None:
        """Run the batch in a thread, after earlier batches of the same address."""
        loop = asyncio.get_running_loop()
        variables = contextvars.copy_context()
        work = partial(variables.run, _run_blocking, function, context, loop)
        key = (function.typename, context.batch.target_id)
        error = await asyncio.wrap_future(self._executor.submit(key, work))
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
        for invocation in batch.invocations:
            message = incoming_message(Message, batch.typename, batch.target_id, invocation)
            outcome = fun(context, message)
            if outcome is not None and inspect.isawaitable(outcome):
                error = asyncio.run_coroutine_threadsafe(_awaited(outcome), loop).result()
                if error is not None:
                    return error
            context.position += 1
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


def _missing_value(spec: ValueSpec) -> MissingValue:
    return MissingValue(spec.name, spec.type.typename, spec.expiration)


def _failure(context: BatchContext, error: BaseException) -> InvocationError:
    batch, position = context.batch, context.position
    return InvocationError(
        batch.address,
        batch.value_typename(position),
        position + 1,
        len(batch.invocations),
        text_of(error),
    )


def _run_elsewhere(coroutine: Coroutine[Any, Any, bytes]) -> bytes:
    """Run a coroutine on a loop of its own in another thread, and wait for it."""
    variables = contextvars.copy_context()
    executor = KeyedExecutor()
    return executor.submit(None, lambda: variables.run(asyncio.run, coroutine)).result()
