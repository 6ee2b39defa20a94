"""Blocking work: off the event loop, one piece at a time and in order for each address."""

from __future__ import annotations

import asyncio
import contextvars
import subprocess
import sys
import threading
from concurrent.futures import CancelledError
from typing import TYPE_CHECKING, Any

import pytest

from statefun.errors import TurnEndedError
from statefun.sdk.address import Address
from statefun.sdk.builders import message_builder
from statefun.sdk.executor import KeyedExecutor
from statefun.sdk.primitives import IntType
from statefun.sdk.specs import ValueSpec
from tests.builders import Asked, asked, number, text, to_function

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from statefun.sdk.context import Context
    from statefun.sdk.functions import StatefulFunctions
    from statefun.sdk.handler import RequestReplyHandler
    from statefun.sdk.messages import Message

ADA, GRACE, INBOX = Address("t/f", "Ada"), Address("t/f", "Grace"), Address("t/inbox", "1")
PATIENCE_SECONDS = 10  # only a broken program waits so long
WHO = contextvars.ContextVar("WHO", default="nobody")


def await_event(event: threading.Event) -> None:
    assert event.wait(PATIENCE_SECONDS), "nobody set the event"


def tell(context: Context, value: str) -> None:
    context.send(message_builder(*INBOX, str_value=value))


# --- functions bound with blocking=True -----------------------------------------------------------


async def test_a_blocking_function_leaves_the_loop_free(
    functions: StatefulFunctions, handler: RequestReplyHandler
) -> None:
    """While it waits without `await`, the loop goes on and can even be what it waits for."""
    begun, released = asyncio.Event(), threading.Event()
    loop, threads = asyncio.get_running_loop(), []

    @functions.bind("t/f", [ValueSpec("seen", IntType)], blocking=True)
    def block(context: Context, message: Message) -> None:
        threads.append(threading.get_ident())
        loop.call_soon_threadsafe(begun.set)
        await_event(released)
        context.storage.seen = message.as_int()
        tell(context, f"{context.address.id} {WHO.get()}")

    token = WHO.set("somebody")
    request = to_function(ADA, number(1), number(2), state={"seen": None})
    batch = asyncio.create_task(handler.handle_async(request))
    WHO.reset(token)
    await begun.wait()
    released.set()

    assert asked(await batch) == Asked(
        messages=[(INBOX, "Ada somebody")] * 2, mutations={"seen": 2}
    )
    assert len(set(threads)) == 1
    assert threading.get_ident() not in threads


async def test_overlapping_requests_to_one_address_keep_their_order(
    functions: StatefulFunctions, handler: RequestReplyHandler
) -> None:
    """The second starts when the first has ended, while other addresses go on."""
    log: list[str] = []
    released = threading.Event()

    @functions.bind("t/f", blocking=True)
    def block(context: Context, message: Message) -> None:
        who = f"{context.address.id} {message.as_int()}"
        log.append(f"begin {who}")
        if who == "Grace 3":
            released.set()
        elif who == "Ada 0":
            await_event(released)
        log.append(f"end {who}")

    requests = [to_function(ADA, number(count)) for count in range(3)]
    requests.append(to_function(GRACE, number(3)))
    await asyncio.gather(*map(handler.handle_async, requests))

    of_ada = [line for line in log if "Ada" in line]
    assert of_ada == [f"{what} Ada {count}" for count in range(3) for what in ("begin", "end")]
    assert log.index("begin Grace 3") < log.index("end Ada 0")


async def test_two_functions_of_one_id_do_not_wait_for_each_other(
    functions: StatefulFunctions, handler: RequestReplyHandler
) -> None:
    """An address is a typename and an id."""
    together = threading.Barrier(2, timeout=PATIENCE_SECONDS)
    for typename in ("t/f", "t/g"):
        functions.register(typename, lambda _, __: together.wait() and None, blocking=True)

    requests = [to_function(Address(typename, "1"), number(1)) for typename in ("t/f", "t/g")]

    assert await asyncio.gather(*map(handler.handle_async, requests)) == [b"", b""]


async def test_what_a_blocking_function_returns_is_awaited_on_the_loop(
    functions: StatefulFunctions, handler: RequestReplyHandler
) -> None:
    """The next message waits for it, as it does for any function."""
    log: list[tuple[str, bool]] = []
    here = threading.get_ident()

    async def later(context: Context, message: Message) -> None:
        await asyncio.sleep(0)
        log.append((f"awaited {message.as_int()}", threading.get_ident() == here))
        tell(context, f"later {message.as_int()}")

    @functions.bind("t/f", blocking=True)
    def block(context: Context, message: Message) -> Awaitable[None]:
        log.append((f"called {message.as_int()}", threading.get_ident() == here))
        return later(context, message)

    reply = await handler.handle_async(to_function(ADA, number(1), number(2)))

    assert asked(reply).messages == [(INBOX, "later 1"), (INBOX, "later 2")]
    assert log == [
        ("called 1", False),
        ("awaited 1", True),
        ("called 2", False),
        ("awaited 2", True),
    ]


async def test_a_failed_batch_lets_the_next_one_run(
    functions: StatefulFunctions, handler: RequestReplyHandler
) -> None:
    """An exception ends its own batch and nothing else."""

    @functions.bind("t/f", blocking=True)
    def fail_on_text(context: Context, message: Message) -> None:
        tell(context, f"got {message.as_int()}")

    bad, good = await asyncio.gather(
        handler.handle_async(to_function(ADA, text("x"))),
        handler.handle_async(to_function(ADA, number(1))),
        return_exceptions=True,
    )

    assert isinstance(bad, TypeError)
    assert isinstance(good, bytes)
    assert asked(good) == Asked(messages=[(INBOX, "got 1")])


async def test_a_cancelled_batch_gives_up_at_once_and_keeps_its_place(
    functions: StatefulFunctions, handler: RequestReplyHandler
) -> None:
    """A thread cannot be stopped: what it still asks for is refused, and the next one waits for it.

    A batch that is cancelled while it waits never runs.
    """
    log: list[str] = []
    begun, released = asyncio.Event(), threading.Event()
    loop = asyncio.get_running_loop()

    @functions.bind("t/f", blocking=True)
    def block(context: Context, message: Message) -> None:
        log.append(f"begin {message.as_int()}")
        if message.as_int() == 0:
            loop.call_soon_threadsafe(begun.set)
            await_event(released)
            try:
                tell(context, "too late")
            except TurnEndedError:
                log.append("refused")
        log.append(f"end {message.as_int()}")

    running, waiting, last = (
        asyncio.create_task(handler.handle_async(to_function(ADA, number(count))))
        for count in range(3)
    )
    await begun.wait()
    running.cancel()
    waiting.cancel()
    ended = await asyncio.gather(running, waiting, return_exceptions=True)
    released.set()

    assert await last == b""
    assert [type(each) for each in ended] == [asyncio.CancelledError] * 2
    assert log == ["begin 0", "refused", "end 0", "begin 2", "end 2"]


def test_blocking_functions_run_for_code_without_a_loop(
    functions: StatefulFunctions, handler: RequestReplyHandler
) -> None:
    """Requests of several threads share the executor of the handler."""
    inside: list[int] = []
    most_inside: list[int] = []

    @functions.bind("t/f", blocking=True)
    def block(context: Context, message: Message) -> None:
        inside.append(1)
        most_inside.append(len(inside))
        inside.pop()

    request = to_function(ADA, *[number(1)] * 20)
    threads = [threading.Thread(target=handler.handle_sync, args=(request,)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE_SECONDS)

    assert most_inside == [1] * 80


# --- the executor by itself -----------------------------------------------------------------------


def test_work_of_one_key_keeps_its_order_and_others_go_on() -> None:
    """What is behind a piece of work waits for it; what has another key does not."""
    executor, log, released = KeyedExecutor(), [], threading.Event()

    def wait() -> None:
        await_event(released)
        log.append("first")

    first = executor.submit("a", wait)
    behind = [executor.submit("a", lambda each=each: log.append(each)) for each in ("2nd", "3rd")]  # type: ignore[misc]
    executor.submit("b", lambda: log.append("other")).result(PATIENCE_SECONDS)
    released.set()
    for future in (first, *behind):
        future.result(PATIENCE_SECONDS)

    assert log == ["other", "first", "2nd", "3rd"]


def test_a_key_that_ran_empty_can_be_used_again() -> None:
    """Results and exceptions go to whoever submitted the work."""
    executor = KeyedExecutor()

    def fail() -> Any:
        raise ZeroDivisionError

    assert executor.submit("a", lambda: 1).result(PATIENCE_SECONDS) == 1
    with pytest.raises(ZeroDivisionError):
        executor.submit("a", fail).result(PATIENCE_SECONDS)
    assert executor.submit("a", lambda: 2).result(PATIENCE_SECONDS) == 2


def test_work_that_is_cancelled_while_it_waits_never_runs() -> None:
    """What is behind it goes on."""
    executor, log, released = KeyedExecutor(), [], threading.Event()
    executor.submit("a", lambda: await_event(released))
    cancelled = executor.submit("a", lambda: log.append("cancelled"))
    behind = executor.submit("a", lambda: log.append("behind"))

    assert cancelled.cancel()
    released.set()
    behind.result(PATIENCE_SECONDS)

    assert log == ["behind"]
    with pytest.raises(CancelledError):
        cancelled.result(PATIENCE_SECONDS)


# --- event loops for code that is not async -------------------------------------------------------

USES_A_THREAD = """
import asyncio
from statefun.sdk.executor import run_here

async def work():
    return await asyncio.to_thread(lambda: "done in a thread")

print(run_here(work()))
"""


def test_a_process_that_used_threads_ends_without_a_word() -> None:
    """Its event loop is closed at the end, when no thread can be started any more."""
    done = subprocess.run(
        [sys.executable, "-c", USES_A_THREAD], capture_output=True, text=True, check=False
    )

    assert (done.returncode, done.stdout, done.stderr) == (0, "done in a thread\n", "")
