"""The handler: bytes in, bytes out, from any thread and any loop."""

from __future__ import annotations

import asyncio
import contextvars
import threading
import traceback
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from statefun.errors import (
    DefinitionError,
    InvocationError,
    RemoteProtocolError,
    TurnEndedError,
    UnknownFunctionError,
)
from statefun.sdk.address import Address, SdkAddress
from statefun.sdk.builders import message_builder
from statefun.sdk.handler import RequestReplyHandler
from statefun.sdk.primitives import IntType, StringType
from statefun.sdk.specs import ValueSpec
from tests.builders import Asked, asked, missing, number, text, to_function

if TYPE_CHECKING:
    from statefun.sdk.context import Context
    from statefun.sdk.functions import StatefulFunctions
    from statefun.sdk.messages import Message

ADA = Address("t/f", "Ada")
INBOX = Address("t/inbox", "1")
SEEN = ValueSpec("seen", IntType)
WHO = contextvars.ContextVar("WHO", default="nobody")


def tell(context: Context, value: str) -> None:
    context.send(message_builder(*INBOX, str_value=value))


# --- a batch --------------------------------------------------------------------------------------


async def test_the_messages_of_a_batch_run_in_order_on_one_state(
    functions: StatefulFunctions, handler: RequestReplyHandler
) -> None:
    """Each sees what those before it wrote; one reply answers for all."""

    @functions.bind("t/f", [SEEN])
    async def add(context: Context, message: Message) -> None:
        before = context.storage.seen or 0
        await asyncio.sleep(0)
        context.storage.seen = before + (message.as_int() or 0)
        tell(context, f"{before} and {message.as_int()}")

    reply = await handler.handle_async(
        to_function(ADA, number(1), number(2), number(3), state={"seen": None})
    )

    assert asked(reply) == Asked(
        messages=[(INBOX, "0 and 1"), (INBOX, "1 and 2"), (INBOX, "3 and 3")],
        mutations={"seen": 6},
    )


async def test_a_batch_that_asks_for_nothing_is_answered_by_no_bytes(
    functions: StatefulFunctions, handler: RequestReplyHandler
) -> None:
    """Also a batch without messages."""
    functions.register("t/f", lambda _, __: None, [SEEN])

    for arguments in [(), (number(1),)]:
        request = to_function(ADA, *arguments, state={"seen": number(1)})
        assert await handler.handle_async(request) == b""


async def test_values_the_engine_did_not_send_are_asked_for(
    functions: StatefulFunctions, handler: RequestReplyHandler
) -> None:
    """Only those, with type and expiration, in the order of declaration; nothing runs."""
    ran: list[Any] = []
    hour = timedelta(hours=1)
    specs = [
        ValueSpec("written", StringType, expire_after_write=hour),
        SEEN,
        ValueSpec("called", IntType, expire_after_call=hour),
        ValueSpec("kept", IntType),
    ]
    functions.register("t/f", lambda *arguments: ran.append(arguments), specs)

    reply = await handler.handle_async(to_function(ADA, number(1), state={"seen": None}))

    assert missing(reply) == [
        ("written", "io.statefun.types/string", 1, 3_600_000),
        ("called", "io.statefun.types/int", 2, 3_600_000),
        ("kept", "io.statefun.types/int", 0, 0),
    ]
    assert ran == []


async def test_nothing_is_kept_between_two_requests(
    functions: StatefulFunctions, handler: RequestReplyHandler
) -> None:
    """State is the engine's, also for the same address in the same handler."""

    @functions.bind("t/f", [SEEN])
    def add(context: Context, message: Message) -> None:
        context.storage.seen = (context.storage.seen or 0) + 1

    request = to_function(ADA, number(1), state={"seen": number(6)})
    replies = [asked(await handler.handle_async(request)) for _ in range(2)]

    assert replies == [Asked(mutations={"seen": 7})] * 2


async def test_batches_of_async_functions_overlap(
    functions: StatefulFunctions, handler: RequestReplyHandler
) -> None:
    """While one waits another runs, and neither sees the other's context or state."""
    both = asyncio.Barrier(2)

    @functions.bind("t/f", [SEEN])
    async def meet(context: Context, message: Message) -> None:
        context.storage.seen = message.as_int()
        await both.wait()
        tell(context, f"{context.address.id} {context.storage.seen}")

    requests = [
        to_function(Address("t/f", name), number(count), state={"seen": None})
        for count, name in enumerate(["Ada", "Grace"])
    ]
    replies = await asyncio.gather(*map(handler.handle_async, requests))

    assert [asked(reply) for reply in replies] == [
        Asked(messages=[(INBOX, "Ada 0")], mutations={"seen": 0}),
        Asked(messages=[(INBOX, "Grace 1")], mutations={"seen": 1}),
    ]


# --- handle_sync ----------------------------------------------------------------------------------


def waiting_function(functions: StatefulFunctions) -> None:
    @functions.bind("t/f")
    async def wait(context: Context, message: Message) -> None:
        await asyncio.sleep(0)
        tell(context, f"{message.as_string()} {WHO.get()}")


def answer_to(handler: RequestReplyHandler, value: str) -> list[tuple[Address, Any]]:
    return asked(handler.handle_sync(to_function(ADA, text(value)))).messages


def test_code_without_a_loop_can_handle(
    functions: StatefulFunctions, handler: RequestReplyHandler
) -> None:
    """Async functions are run to their end; context variables are seen."""
    waiting_function(functions)

    assert answer_to(handler, "hello") == [(INBOX, "hello nobody")]


async def test_code_inside_a_loop_can_handle_too(
    functions: StatefulFunctions, handler: RequestReplyHandler
) -> None:
    """Notebooks have a loop running; context variables are seen there too."""
    waiting_function(functions)
    token = WHO.set("Ada")

    assert answer_to(handler, "hello") == [(INBOX, "hello Ada")]

    WHO.reset(token)


def test_every_thread_can_handle(
    functions: StatefulFunctions, handler: RequestReplyHandler
) -> None:
    """One handler serves many threads at once."""
    waiting_function(functions)
    together = threading.Barrier(4)

    def handle(value: str) -> list[tuple[Address, Any]]:
        together.wait(timeout=10)
        WHO.set(value)
        return answer_to(handler, value)

    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(handle, "abcd"))

    assert answers == [[(INBOX, f"{value} {value}")] for value in "abcd"]


async def test_a_worker_thread_of_a_loop_can_handle(
    functions: StatefulFunctions, handler: RequestReplyHandler
) -> None:
    """Frameworks call synchronous code in a thread and hand their context variables along."""
    waiting_function(functions)
    token = WHO.set("Grace")

    messages = await asyncio.to_thread(answer_to, handler, "hello")

    WHO.reset(token)
    assert messages == [(INBOX, "hello Grace")]


@pytest.mark.parametrize("inside_a_loop", [False, True])
def test_handling_synchronously_raises_what_handling_raises(
    functions: StatefulFunctions, handler: RequestReplyHandler, *, inside_a_loop: bool
) -> None:
    """An error crosses loops and threads as it is."""
    error = ZeroDivisionError("no")

    @functions.bind("t/f")
    async def fail(context: Context, message: Message) -> None:
        await asyncio.sleep(0)
        raise error

    async def inside() -> None:
        answer_to(handler, "x")

    with pytest.raises(ZeroDivisionError) as caught:
        asyncio.run(inside()) if inside_a_loop else answer_to(handler, "x")

    assert caught.value is error


# --- failures -------------------------------------------------------------------------------------


@pytest.mark.parametrize("is_async", [False, True])
@pytest.mark.parametrize("blocking", [False, True])
async def test_a_failing_function_is_named_with_the_message_it_failed_on(
    functions: StatefulFunctions, handler: RequestReplyHandler, *, is_async: bool, blocking: bool
) -> None:
    """Address, type, position and size of the batch are facts for servers and engines."""
    error = KeyError("basket")

    def fail_on_three(context: Context, message: Message) -> None:
        if message.is_int() and message.as_int() == 3:
            raise error

    async def fail_later(context: Context, message: Message) -> None:
        await asyncio.sleep(0)
        fail_on_three(context, message)

    functions.register("t/f", fail_later if is_async else fail_on_three, blocking=blocking)

    with pytest.raises(InvocationError) as caught:
        await handler.invoke(to_function(ADA, text("1"), number(2), number(3), number(4)))

    failure = caught.value
    assert failure.__cause__ is error
    assert failure.args == (
        SdkAddress("t", "f", "Ada", "t/f"),
        "io.statefun.types/int",
        3,
        4,
        "KeyError: 'basket'",
    )
    assert str(failure) == (
        "t/f 'Ada' failed on message 3 of 4 (type 'io.statefun.types/int'): KeyError: 'basket'"
    )


@pytest.mark.parametrize("blocking", [False, True])
async def test_the_traceback_of_a_failure_leads_to_the_users_line(
    functions: StatefulFunctions, handler: RequestReplyHandler, *, blocking: bool
) -> None:
    """Whoever reads the log finds the line that raised."""

    def divide(context: Context, message: Message) -> None:
        _ = 1 / 0

    functions.register("t/f", divide, blocking=blocking)

    with pytest.raises(ZeroDivisionError) as caught:
        await handler.handle_async(to_function(ADA, number(1)))

    last_frame = traceback.extract_tb(caught.value.__traceback__)[-1]
    assert (last_frame.name, last_frame.line) == ("divide", "_ = 1 / 0")


async def test_a_caught_failure_is_none(
    functions: StatefulFunctions, handler: RequestReplyHandler
) -> None:
    """What a function handles itself concerns nobody else; what it asked for before stands."""

    @functions.bind("t/f")
    async def careful(context: Context, message: Message) -> None:
        tell(context, "before")
        try:
            message.as_string()
        except TypeError:
            tell(context, "after")

    reply = await handler.handle_async(to_function(ADA, number(1)))

    assert asked(reply) == Asked(messages=[(INBOX, "before"), (INBOX, "after")])


async def test_nothing_of_a_failed_batch_can_be_asked_for_any_more(
    functions: StatefulFunctions, handler: RequestReplyHandler
) -> None:
    """Its context and its storage are closed like those of a batch that succeeded."""
    kept: list[Context] = []

    @functions.bind("t/f", [SEEN])
    def fail(context: Context, message: Message) -> None:
        kept.append(context)
        raise ValueError

    with pytest.raises(ValueError):  # noqa: PT011 - it has no text
        await handler.handle_async(to_function(ADA, number(1), state={"seen": None}))

    with pytest.raises(TurnEndedError):
        tell(kept[0], "late")
    with pytest.raises(TurnEndedError):
        kept[0].storage.seen = 1


async def test_a_task_that_outlives_its_batch_is_refused(
    functions: StatefulFunctions, handler: RequestReplyHandler
) -> None:
    """An effect from a task that nobody awaited would be lost, so it raises in the task."""
    tasks: list[asyncio.Task[None]] = []
    batch_over = asyncio.Event()

    async def late(context: Context) -> None:
        await batch_over.wait()
        tell(context, "late")

    @functions.bind("t/f")
    async def forget(context: Context, message: Message) -> None:
        tasks.append(asyncio.create_task(late(context)))

    reply = await handler.handle_async(to_function(ADA, number(1)))
    batch_over.set()

    with pytest.raises(TurnEndedError):
        await tasks[0]
    assert asked(reply) == Asked()


async def test_a_cancelled_batch_is_cancelled_inside_the_function(
    functions: StatefulFunctions, handler: RequestReplyHandler
) -> None:
    """Cancellation is no failure: it passes through, and the function can clean up."""
    begun, seen = asyncio.Event(), []

    @functions.bind("t/f")
    async def wait_forever(context: Context, message: Message) -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            seen.append("cleaned up")
            raise

    batch = asyncio.create_task(handler.handle_async(to_function(ADA, number(1))))
    await begun.wait()
    batch.cancel()

    with pytest.raises(asyncio.CancelledError):
        await batch
    assert seen == ["cleaned up"]


class Panic(BaseException):
    """What an extension may raise: no Exception, and nothing that Python itself has."""


RAISED = [
    Panic("at the disco"),
    GeneratorExit("no more"),
    BaseExceptionGroup("two", [Panic("a"), ValueError("b")]),
    StopIteration("at the end"),
    StopAsyncIteration("at the end"),
    SystemExit(3),
    KeyboardInterrupt("not from the terminal"),
    asyncio.CancelledError("not by us"),
]


@pytest.mark.parametrize("error", RAISED, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("is_async", [False, True], ids=["sync", "async"])
@pytest.mark.parametrize("blocking", [False, True], ids=["on the loop", "in a thread"])
async def test_whatever_a_function_raises_is_a_failure_of_its_batch(
    functions: StatefulFunctions,
    handler: RequestReplyHandler,
    error: BaseException,
    *,
    is_async: bool,
    blocking: bool,
) -> None:
    """Nobody waits for a batch for ever because its error is of an unusual kind."""

    def fail(context: Context, message: Message) -> None:
        if message.is_int():
            raise error

    async def fail_later(context: Context, message: Message) -> None:
        await asyncio.sleep(0)
        fail(context, message)

    def fail_in_what_it_returns(context: Context, message: Message) -> Any:
        return fail_later(context, message)

    fails_later = fail_in_what_it_returns if blocking else fail_later
    functions.register("t/f", fails_later if is_async else fail, blocking=blocking)

    with pytest.raises(InvocationError, match=type(error).__name__) as failure:
        async with asyncio.timeout(10):
            await handler.invoke(to_function(ADA, text("good"), number(1)))

    assert str(failure.value).startswith("t/f 'Ada' failed on message 2 of 2 ")


async def test_a_batch_that_is_closed_ends_without_a_word(
    functions: StatefulFunctions, handler: RequestReplyHandler
) -> None:
    """So end those of an event loop that is gone: the function may clean up, and nothing fails."""
    seen = []

    @functions.bind("t/f")
    async def wait_forever(context: Context, message: Message) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            seen.append("cleaned up")

    batch = handler.handle_async(to_function(ADA, number(1)))
    batch.send(None)
    batch.close()

    assert seen == ["cleaned up"]


def test_a_function_that_exits_has_failed_and_the_process_goes_on(
    functions: StatefulFunctions, handler: RequestReplyHandler
) -> None:
    """`sys.exit` in a function ends its batch and nothing else."""

    @functions.bind("t/f")
    def exits(context: Context, message: Message) -> None:
        raise SystemExit(3)

    with pytest.raises(SystemExit, match="3"):
        answer_to(handler, "x")
    with pytest.raises(InvocationError, match="SystemExit: 3") as failure:
        handler.invoke_sync(to_function(ADA, number(1)))
    assert isinstance(failure.value.__cause__, SystemExit)


async def test_a_function_that_is_cancelled_by_what_it_awaits_has_failed(
    functions: StatefulFunctions, handler: RequestReplyHandler
) -> None:
    """A CancelledError that nobody outside asked for is an error like any other."""

    @functions.bind("t/f")
    async def awaits_a_cancelled_task(context: Context, message: Message) -> None:
        task = asyncio.ensure_future(asyncio.sleep(9))
        task.cancel()
        await task

    with pytest.raises(InvocationError, match="CancelledError"):
        await handler.invoke(to_function(ADA, number(1)))


def test_an_exception_without_a_text_still_says_where_it_happened(
    functions: StatefulFunctions, handler: RequestReplyHandler
) -> None:
    """An exception whose `__str__` raises is wrapped like any other."""

    class Mute(Exception):  # noqa: N818 - a user's
        def __str__(self) -> str:
            raise RuntimeError

    @functions.bind("t/f")
    def fails(context: Context, message: Message) -> None:
        raise Mute

    with pytest.raises(InvocationError, match="Mute without a text: its __str__ raised Runtime"):
        handler.invoke_sync(to_function(ADA, number(1)))


@pytest.mark.parametrize("functions", [None, "functions", {}])
def test_a_handler_serves_stateful_functions_and_nothing_else(functions: Any) -> None:
    """What cannot be served is refused when the handler is made."""
    with pytest.raises(DefinitionError, match="a handler needs the StatefulFunctions"):
        RequestReplyHandler(functions)


@pytest.mark.parametrize("body", [b"\xff", b"", "text", None])
def test_what_is_no_request_is_refused(handler: RequestReplyHandler, body: Any) -> None:
    """It is the sender's fault."""
    with pytest.raises(RemoteProtocolError):
        handler.handle_sync(body)


def test_a_request_for_an_unknown_function_is_refused(handler: RequestReplyHandler) -> None:
    """The error is a `KeyError` and a `ValueError` with the typename in it."""
    with pytest.raises(UnknownFunctionError) as caught:
        handler.handle_sync(to_function(ADA, number(1)))

    assert (caught.value.typename, caught.value.registered) == ("t/f", ())


def test_a_function_bound_later_is_found(
    functions: StatefulFunctions, handler: RequestReplyHandler
) -> None:
    """The registry may grow while it is served."""
    with pytest.raises(UnknownFunctionError):
        answer_to(handler, "x")

    functions.register("t/f", lambda context, _: tell(context, "here"))

    assert answer_to(handler, "x") == [(INBOX, "here")]
