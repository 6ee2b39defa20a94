"""The handler: request bytes in, reply bytes out; any server can stand in front of it."""

from __future__ import annotations

import asyncio
import contextvars
import inspect
from typing import TYPE_CHECKING, Any, NoReturn

from statefun.errors import DefinitionError, InvocationError
from statefun.sdk.address import sdk_address
from statefun.sdk.context import BatchContext
from statefun.sdk.effects import Effects
from statefun.sdk.lanes import Lanes
from statefun.sdk.messages import incoming_message
from statefun.sdk.protocol import decode_request, encode_incomplete, encode_result
from statefun.sdk.storage import Missing

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from statefun.sdk import _proto
    from statefun.sdk.functions import StatefulFunction, StatefulFunctions

__all__ = ["RequestReplyHandler"]


class RequestReplyHandler:
    """Runs batches of messages: a serialized ToFunction in, a serialized FromFunction out.

    The messages of a batch run one after another, in order, on one view of the state. Nothing is
    kept between two requests.

    Args:
        functions: What can be called. Functions registered later are found too.
    """

    def __init__(self, functions: StatefulFunctions) -> None:
        if not functions:
            raise DefinitionError("a handler needs the StatefulFunctions it should serve, got none")
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
            InvocationError: If a function raised; `__cause__` is what it raised. No effect of the
                batch survives.
        """
        typename, batch = decode_request(request_bytes)
        function = self.functions.for_typename(typename)
        storage = function.storage_spec.resolve(batch.state)
        if isinstance(storage, Missing):
            return encode_incomplete(storage.specs)
        target = batch.target
        effects = Effects()
        context = BatchContext(target, storage, effects)
        run = self._run_in_lane if function.is_blocking else _run
        try:
            await run(function, context, batch)
            return encode_result(effects, function.storage_spec.changes(storage))
        finally:
            context.end()
            function.storage_spec.seal(storage, target)

    async def _run_in_lane(
        self,
        function: StatefulFunction,
        context: BatchContext,
        batch: _proto.ToFunction.InvocationBatchRequest,
    ) -> None:
        """Run the batch in a thread, after earlier batches of the same address."""
        loop = asyncio.get_running_loop()
        variables = contextvars.copy_context()

        def work() -> None:
            variables.run(_drive, _run(function, context, batch, wait_on=loop))

        key = (function.typename, batch.target.id)
        await asyncio.wrap_future(self._lanes.submit(key, work))


async def _run(
    function: StatefulFunction,
    context: BatchContext,
    batch: _proto.ToFunction.InvocationBatchRequest,
    wait_on: asyncio.AbstractEventLoop | None = None,
) -> None:
    """Call the function once for each message, in order.

    What it returns is awaited if it can be: here, or for blocking functions on the loop `wait_on`.
    """
    fun, typename, target_id = function.fun, function.typename, batch.target.id
    is_async = function.is_async and wait_on is None
    invocations = batch.invocations
    position = 0
    try:
        for position in range(len(invocations)):  # cheaper than protobuf's iterator
            invocation = context.invocation = invocations[position]
            outcome = fun(context, incoming_message(typename, target_id, invocation.argument))
            if is_async:
                await outcome
            elif outcome is not None and inspect.isawaitable(outcome):
                if wait_on is None:
                    await outcome
                else:
                    asyncio.run_coroutine_threadsafe(_awaited(outcome), wait_on).result()
    except Exception as error:  # noqa: BLE001 - whatever the user's code raises
        _fail(batch, position + 1, error)


async def _awaited(outcome: Any) -> None:
    await outcome


def _fail(
    batch: _proto.ToFunction.InvocationBatchRequest, position: int, error: Exception
) -> NoReturn:
    raise InvocationError(
        sdk_address(batch.target),
        batch.invocations[position - 1].argument.typename,
        position,
        len(batch.invocations),
        f"{type(error).__name__}: {error}",
    ) from error


def _drive(coroutine: Coroutine[Any, Any, None]) -> None:
    """Run a coroutine that never suspends."""
    try:
        coroutine.send(None)
    except StopIteration:
        return
    raise AssertionError("a blocking batch must not suspend")


def _run_elsewhere(coroutine: Coroutine[Any, Any, bytes]) -> bytes:
    """Run a coroutine on a loop of its own in another thread, and wait for it."""
    variables = contextvars.copy_context()
    lanes = Lanes()
    return lanes.submit(None, lambda: variables.run(asyncio.run, coroutine)).result()
