"""Middleware: code around every batch and every message."""
# ruff: noqa: ARG002 - an override takes what the base takes

from __future__ import annotations

import contextvars
import threading
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from statefun.errors import DefinitionError, InvocationError
from statefun.sdk.address import Address
from statefun.sdk.builders import message_builder
from statefun.sdk.functions import StatefulFunctions
from statefun.sdk.handler import RequestReplyHandler
from statefun.sdk.middleware import Middleware
from statefun.sdk.primitives import IntType
from statefun.sdk.specs import ValueSpec
from tests.builders import Asked, asked, number, text, to_function

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from statefun.sdk.context import BatchContext, Context
    from statefun.sdk.functions import StatefulFunction
    from statefun.sdk.messages import Message

ADA, INBOX = Address("t/f", "Ada"), Address("t/inbox", "1")
TRACE = contextvars.ContextVar("TRACE", default="none")
Proceed = Any


class Recorder(Middleware):
    """Writes down when it is entered and left."""

    def __init__(self, name: str, log: list[str]) -> None:
        self.name, self.log = name, log

    async def around_batch(
        self, function: StatefulFunction, context: BatchContext, proceed: Proceed
    ) -> None:
        self.log.append(f"{self.name}: {function.typename} {context.address.id}")
        await proceed()
        self.log.append(f"{self.name}: end")

    async def around_message(
        self, function: StatefulFunction, context: BatchContext, message: Message, proceed: Proceed
    ) -> Any:
        self.log.append(f"{self.name}: {message.as_int()}")
        outcome = await proceed()
        self.log.append(f"{self.name}: {outcome}")
        return outcome


@pytest.fixture(params=["sync", "async", "blocking", "blocking, then async"])
def register(request: pytest.FixtureRequest) -> Callable[..., StatefulFunctions]:
    """Registers a function of each kind; what it does is given as a plain function."""

    def made(act: Callable[[Context, Message], Any], **more: Any) -> StatefulFunctions:
        async def later(context: Context, message: Message) -> Any:
            return act(context, message)

        functions = StatefulFunctions()
        kinds: dict[str, Any] = {
            "sync": (act, False),
            "async": (later, False),
            "blocking": (act, True),
            "blocking, then async": (partial(later), True),
        }
        fun, is_blocking = kinds[request.param]
        functions.register("t/f", fun, blocking=is_blocking, **more)
        return functions

    return made


async def test_middleware_is_nested_in_its_order(
    register: Callable[..., StatefulFunctions],
) -> None:
    """The first is the outermost, around the batch and around each message."""
    log: list[str] = []
    functions = register(lambda _, message: 10 * (message.as_int() or 0))
    handler = RequestReplyHandler(functions, middleware=[Recorder("a", log), Recorder("b", log)])

    await handler.handle_async(to_function(ADA, number(1), number(2)))

    assert log == [
        *("a: t/f Ada", "b: t/f Ada"),
        *("a: 1", "b: 1", "b: 10", "a: 10"),
        *("a: 2", "b: 2", "b: 20", "a: 20"),
        *("b: end", "a: end"),
    ]


async def test_middleware_can_ask_for_effects_and_change_state(
    register: Callable[..., StatefulFunctions],
) -> None:
    """Its effects belong to the batch, like those of the function."""

    class Counting(Middleware):
        async def around_batch(
            self, function: StatefulFunction, context: BatchContext, proceed: Proceed
        ) -> None:
            await proceed()
            context.storage.batches = 1
            context.send(message_builder(*INBOX, str_value="end"))

    def act(context: Context, message: Message) -> None:
        context.send(message_builder(*INBOX, str_value="begun"))

    functions = register(act, specs=[ValueSpec("batches", IntType)])
    handler = RequestReplyHandler(functions, middleware=[Counting()])

    reply = await handler.handle_async(to_function(ADA, text("x"), state={"batches": None}))

    assert asked(reply) == Asked(
        messages=[(INBOX, "begun"), (INBOX, "end")], mutations={"batches": 1}
    )


async def test_middleware_that_does_not_proceed_handles_the_message(
    register: Callable[..., StatefulFunctions],
) -> None:
    """The function never sees it, and the batch succeeds."""

    class OddOnly(Middleware):
        async def around_message(
            self,
            function: StatefulFunction,
            context: BatchContext,
            message: Message,
            proceed: Callable[[], Awaitable[Any]],
        ) -> Any:
            return await proceed() if (message.as_int() or 0) % 2 else None

    def act(context: Context, message: Message) -> None:
        context.send(message_builder(*INBOX, str_value=str(message.as_int())))

    handler = RequestReplyHandler(register(act), middleware=[OddOnly()])

    reply = await handler.handle_async(to_function(ADA, number(1), number(2), number(3)))

    assert asked(reply) == Asked(messages=[(INBOX, "1"), (INBOX, "3")])


@pytest.mark.parametrize("where", ["function", "message", "batch"])
async def test_an_exception_inside_middleware_fails_the_batch(
    register: Callable[..., StatefulFunctions], where: str
) -> None:
    """Middleware sees the exceptions of the function, and its own count as the function's."""
    seen: list[BaseException] = []
    error = LookupError(where)

    class Failing(Middleware):
        async def around_message(
            self,
            function: StatefulFunction,
            context: BatchContext,
            message: Message,
            proceed: Proceed,
        ) -> None:
            if where == "message" and message.as_int() == 2:
                raise error
            await proceed()

        async def around_batch(
            self, function: StatefulFunction, context: BatchContext, proceed: Proceed
        ) -> None:
            try:
                await proceed()
            except LookupError as caught:
                seen.append(caught)
                raise
            if where == "batch":
                raise error

    def act(context: Context, message: Message) -> None:
        if where == "function" and message.as_int() == 2:
            raise error

    handler = RequestReplyHandler(register(act), middleware=[Failing()])

    with pytest.raises(InvocationError) as failure:
        await handler.invoke(to_function(ADA, number(1), number(2)))

    assert failure.value.__cause__ is error
    assert failure.value.position == 2
    assert seen == ([] if where == "batch" else [error])


async def test_context_variables_of_middleware_reach_the_function(
    register: Callable[..., StatefulFunctions],
) -> None:
    """So a trace can begin here and go on there, in threads too."""
    seen: list[str] = []

    class Tracing(Middleware):
        async def around_message(
            self,
            function: StatefulFunction,
            context: BatchContext,
            message: Message,
            proceed: Proceed,
        ) -> None:
            TRACE.set(f"trace {message.as_int()}")
            await proceed()

    functions = register(lambda _, __: seen.append(TRACE.get()))

    await RequestReplyHandler(functions, middleware=[Tracing()]).handle_async(
        to_function(ADA, number(1), number(2))
    )

    assert seen == ["trace 1", "trace 2"]


async def test_a_blocking_function_stays_off_the_loop_inside_middleware() -> None:
    """All messages of a batch run in one thread, which is not that of the loop."""
    threads: list[int] = []
    functions = StatefulFunctions()
    functions.register("t/f", lambda _, __: threads.append(threading.get_ident()), blocking=True)

    await RequestReplyHandler(functions, middleware=[Middleware()]).handle_async(
        to_function(ADA, number(1), number(2))
    )

    assert len(threads) == 2
    assert len({*threads, threading.get_ident()}) == 2


async def test_middleware_learns_what_a_function_was_registered_with() -> None:
    """Kind, schema and metadata are facts of the function."""
    seen: list[StatefulFunction] = []

    class Looking(Middleware):
        async def around_batch(
            self, function: StatefulFunction, context: BatchContext, proceed: Proceed
        ) -> None:
            seen.append(function)

    functions = StatefulFunctions()

    @functions.bind("t/f", kind="service", schema={"type": "object"}, metadata={"owner": "shop"})
    def act(context: Context, message: Message) -> None:
        pass

    await RequestReplyHandler(functions, middleware=[Looking()]).handle_async(
        to_function(ADA, number(1))
    )

    [function] = seen
    assert (function.kind, function.schema) == ("service", {"type": "object"})
    assert function.metadata == {"owner": "shop"}


@pytest.mark.parametrize("middleware", [Middleware(), [Middleware], [None], ["logging"]])
def test_middleware_is_a_list_of_middleware(middleware: Any) -> None:
    """A class in place of an instance is found when the handler is made."""
    with pytest.raises(DefinitionError, match="middleware must be"):
        RequestReplyHandler(StatefulFunctions(), middleware=middleware)
