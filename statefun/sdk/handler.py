"""The handler: request bytes in, reply bytes out; any server can stand in front of it."""

from __future__ import annotations

import asyncio
import contextvars
from functools import partial
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from statefun.errors import DefinitionError, StatefunError
from statefun.sdk.context import BatchContext
from statefun.sdk.executor import KeyedExecutor, run_here
from statefun.sdk.failures import failure_of, is_from_outside, note_failure
from statefun.sdk.functions import StatefulFunctions
from statefun.sdk.messages import Message
from statefun.sdk.middleware import around_batch, around_message, check_middleware
from statefun.sdk.results import finish
from statefun.sdk.storage import Missing
from statefun.sdk.wire import (
    MissingValue,
    accelerator,
    incoming_message,
    marked,
    split_request,
    write_missing,
    write_reply,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Generator, Iterable

    from statefun.sdk.functions import StatefulFunction
    from statefun.sdk.middleware import Middleware
    from statefun.sdk.specs import ValueSpec

__all__ = ["RequestReplyHandler"]

E = TypeVar("E", bound=BaseException)


class RequestReplyHandler:
    """Runs batches of messages: a serialized ToFunction in, a serialized FromFunction out.

    The messages of a batch run one after another, in order, on one view of the state. Nothing is
    kept between two requests.

    Args:
        functions: The functions to serve. Functions that are registered later are found too.
        middleware: Code around every batch and every message, the outermost first.

    Raises:
        DefinitionError: If there is nothing to serve, or one of `middleware` is not a `Middleware`.
    """

    def __init__(
        self, functions: StatefulFunctions, *, middleware: Iterable[Middleware] = ()
    ) -> None:
        if not isinstance(functions, StatefulFunctions):
            raise DefinitionError(
                f"a handler needs the StatefulFunctions it should serve, got {functions!r}"
            )
        self.functions = functions
        self.middleware = check_middleware(middleware)
        self._executor = KeyedExecutor()
        self._runner: _Runner | None = None
        if accelerator is not None and not self.middleware:
            self._runner = accelerator.Runner(functions._functions)  # noqa: SLF001 - to look up fast

    def handle_sync(self, request_bytes: bytes | bytearray | memoryview) -> bytes:
        """Like `handle_async`, from code that is not async.

        May be called from any thread, also while an event loop runs in this one. Each thread keeps
        one event loop for its calls, so an async function may keep a connection open from one call
        to the next; a task that it leaves behind goes on during later calls.
        """
        outcome = run_here(self._outcome(request_bytes))
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome

    async def _outcome(
        self, request_bytes: bytes | bytearray | memoryview
    ) -> bytes | BaseException:
        """The reply, or the exception of a function, which could end the event loop."""
        try:
            return await self.handle_async(request_bytes)
        except BaseException as error:
            if failure_of(error) is None:
                raise
            return error

    async def handle_async(  # noqa: C901 - each call would cost 2 % of a small batch
        self, request_bytes: bytes | bytearray | memoryview
    ) -> bytes:
        """Run a batch.

        Args:
            request_bytes: A serialized ToFunction.

        Returns:
            A serialized FromFunction: the effects of the whole batch (zero bytes if there are
            none), or the values that the engine has to send along; then no function has run.

        Raises:
            RemoteProtocolError: If the bytes are not a request.
            UnknownFunctionError: If no function is registered for the target.
            BaseException: The exception of a function, the very object that it raised, with one
                note that names the address and the message. No effect of the batch survives.
        """
        if self._runner is not None:
            turn = self._runner.begin(request_bytes)
            if turn is not None:
                try:
                    done = turn.run()
                    reply: bytes = await turn if done is None else done
                    return marked(reply) if turn.context.has_acted else reply
                except BaseException as error:
                    _blame(error, turn.context, is_over=turn.fail())
                    raise
        batch = split_request(request_bytes)
        function = self.functions.for_typename(batch.typename, batch.target_id)
        values = function.storage_spec
        storage = values.resolve(batch.state)
        if isinstance(storage, Missing):
            return write_missing(_missing_value(spec) for spec in storage.specs)
        context = BatchContext(batch, storage)
        try:
            if self.middleware:
                await self._run_in_middleware(function, context)
            elif function.is_blocking:
                await self._run_in_thread(function, context)
            else:
                fun, is_async = function.fun, function.is_async
                typename, target_id = batch.typename, batch.target_id
                for position, invocation in enumerate(batch.invocations):
                    context.position = position
                    message = incoming_message(Message, typename, target_id, invocation)
                    outcome = fun(context, message)
                    result = await outcome if is_async else outcome
                    if result is not None:
                        await finish(typename, result)
        except BaseException as error:
            _blame(error, context)
            raise
        finally:
            context.has_ended = True
            mutations = values.seal(storage, batch)
        try:
            reply = write_reply(context.messages, context.delayed, context.egress, mutations)
        except StatefunError as error:
            _blame(error, context, is_over=True)
            raise
        return marked(reply) if context.has_acted else reply

    async def invoke(self, request_bytes: bytes | bytearray | memoryview) -> bytes:
        """Like `handle_async`, for servers and engines, which want facts about a failure.

        Raises:
            InvocationError: If a function raised, whatever it was; `__cause__` is the exception.
        """
        try:
            return await self.handle_async(request_bytes)
        except BaseException as error:
            failure = failure_of(error)
            if failure is None:
                raise
            raise failure from error

    def invoke_sync(self, request_bytes: bytes | bytearray | memoryview) -> bytes:
        """Like `invoke`, from code that is not async; see `handle_sync`."""
        return run_here(self.invoke(request_bytes))

    async def _run_in_middleware(self, function: StatefulFunction, context: BatchContext) -> None:
        """Run the batch, and each message of it, inside the middleware."""
        batch = context.batch
        call: Callable[[Message], Awaitable[Any]] = partial(_call, function, context)
        turn: _TurnInThread | None = None
        if function.is_blocking:
            turn = _TurnInThread(self._executor, (function.typename, batch.target_id))
            call = partial(turn.call, function, context)

        async def run_messages() -> None:
            for position, invocation in enumerate(batch.invocations):
                context.position = position
                message = incoming_message(Message, batch.typename, batch.target_id, invocation)
                run = partial(call, message)
                outcome = await around_message(self.middleware, function, context, message, run)
                await finish(function.typename, outcome)

        try:
            outcome = await around_batch(self.middleware, function, context, run_messages)
            await finish(function.typename, outcome)
        finally:
            if turn is not None:
                turn.end()

    async def _run_in_thread(self, function: StatefulFunction, context: BatchContext) -> None:
        """Run the batch in a thread, after earlier batches of the same address."""
        loop = asyncio.get_running_loop()
        variables = contextvars.copy_context()
        work = partial(variables.run, _run_blocking, function, context, loop)
        key = (function.typename, context.batch.target_id)
        error = await asyncio.wrap_future(self._executor.submit(key, work))
        if error is not None:
            raise error


async def _finish(typename: str, result: object) -> None:
    await finish(typename, result)


class _Runner(Protocol):
    """The native core: runs batches, but for those that need more than the usual."""

    def begin(self, body: object) -> _Turn | None:
        """The run of a batch; None for the reference to do it."""


class _Turn(Protocol):
    """One run of a batch in the native core."""

    context: BatchContext

    def run(self) -> bytes | None:
        """The reply; None if a function waits for something: then await this."""

    def __await__(self) -> Generator[Any, Any, bytes]: ...

    def fail(self) -> bool:
        """End the batch after a failure; whether its functions had all returned."""


async def _call(function: StatefulFunction, context: BatchContext, message: Message) -> Any:
    """Call a function; the result is awaited if it can be."""
    return await finish(function.typename, function.fun(context, message))


class _TurnInThread:
    """A thread that serves the calls of one batch, after earlier batches of the same address.

    Args:
        executor: Where the thread comes from.
        key: The address.
    """

    def __init__(self, executor: KeyedExecutor, key: tuple[str, str]) -> None:
        self._calls: SimpleQueue[Callable[[], object] | None] = SimpleQueue()
        executor.submit(key, self._serve)

    def _serve(self) -> None:
        while (call := self._calls.get()) is not None:
            call()

    async def call(
        self, function: StatefulFunction, context: BatchContext, message: Message
    ) -> Any:
        """Call a function in the thread; the result is awaited on the event loop if it can be."""
        loop, variables = asyncio.get_running_loop(), contextvars.copy_context()
        done: asyncio.Future[tuple[Any, BaseException | None]] = loop.create_future()

        def call() -> None:
            outcome, error = None, None
            try:
                outcome = variables.run(function.fun, context, message)
            except BaseException as raised:  # noqa: BLE001 - it is raised again on the loop
                error = raised
            loop.call_soon_threadsafe(_resolve, done, (outcome, error))

        self._calls.put(call)
        outcome, error = await done
        if error is not None:
            raise error
        return await finish(function.typename, outcome)

    def end(self) -> None:
        """Let the next batch of the address begin."""
        self._calls.put(None)


def _resolve(future: asyncio.Future[Any], result: object) -> None:
    if not future.done():  # it is done if the batch was cancelled
        future.set_result(result)


def _run_blocking(
    function: StatefulFunction, context: BatchContext, loop: asyncio.AbstractEventLoop
) -> BaseException | None:
    """Call the function once for each message, in order; its result is awaited on `loop`.

    Returns:
        The exception of the function; futures do not carry every kind from threads to loops.
    """
    fun, batch = function.fun, context.batch
    try:
        for position, invocation in enumerate(batch.invocations):
            context.position = position
            message = incoming_message(Message, batch.typename, batch.target_id, invocation)
            outcome = fun(context, message)
            if outcome is not None:
                awaited = _awaited(function, outcome)
                error = asyncio.run_coroutine_threadsafe(awaited, loop).result()
                if error is not None:
                    return error
    except BaseException as error:  # noqa: BLE001 - it is raised again where the batch is awaited
        return error
    return None


async def _awaited(function: StatefulFunction, outcome: Any) -> BaseException | None:
    """Wait for an outcome; returns its exception, which could end the loop of this task."""
    try:
        await finish(function.typename, outcome)
    except asyncio.CancelledError:
        raise
    except BaseException as error:  # noqa: BLE001 - likewise
        return error
    return None


def _missing_value(spec: ValueSpec) -> MissingValue:
    upgrades = tuple([upgrade.was.typename for upgrade in spec.upgrades])
    return MissingValue(spec.name, spec.type.typename, spec.expiration, upgrades)


def _blame(error: BaseException, context: BatchContext, *, is_over: bool = False) -> None:
    """Note on an exception where it was raised, if the function is at fault.

    Args:
        error: The exception.
        context: The context of the batch.
        is_over: Whether the functions had returned, and their effects were being written: then a
            function is at fault if it made a message invalid after it was sent.

    Raises:
        RuntimeError: In place of an exception that a coroutine cannot raise.
    """
    is_fault = isinstance(error, StatefunError) if is_over else not is_from_outside(error)
    if is_fault:
        _note(error, context)
        if isinstance(error, StopIteration):
            raise _note(RuntimeError("the function raised StopIteration"), context) from error


def _note(error: E, context: BatchContext) -> E:
    batch, position = context.batch, context.position
    size, value_typename = len(batch.invocations), batch.value_typename(position)
    note_failure(error, batch.address, value_typename, position + 1, size)
    return error


if accelerator is not None:
    accelerator.install(blame=_blame, finish=_finish)
