"""Failures: the note on a user's exception, and what is no failure of a function."""

from __future__ import annotations

import asyncio
import copy
import pickle
import signal
import threading
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from statefun.errors import TypeMismatchError
from statefun.sdk.address import Address
from statefun.sdk.failures import failure_of
from tests.builders import number, text, to_function

if TYPE_CHECKING:
    from statefun.sdk.context import Context
    from statefun.sdk.functions import StatefulFunctions
    from statefun.sdk.handler import RequestReplyHandler
    from statefun.sdk.messages import Message

ADA = Address("t/f", "Ada")
NOTE = "raised by t/f 'Ada' on message 2 of 2 (type 'io.statefun.types/int')"


@dataclass(frozen=True)
class Frozen(Exception):  # noqa: N818 - a user's
    reason: str


class Unwilling(Exception):  # noqa: N818 - a user's
    __notes__ = ("a tuple",)  # type: ignore[assignment]  # on purpose

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(name)

    def add_note(self, note: str) -> None:
        raise NotImplementedError(note)


EXCEPTIONS = [
    *(ValueError("no"), Frozen("no"), Unwilling(), SystemExit(2), KeyboardInterrupt()),
    *(asyncio.CancelledError(), ExceptionGroup("two", [ValueError(), KeyError()])),
]


@pytest.mark.parametrize("error", EXCEPTIONS, ids=lambda each: type(each).__name__)
@pytest.mark.parametrize("blocking", [False, True], ids=["on the loop", "in a thread"])
@pytest.mark.parametrize("way", ["handle_sync", "handle_async"])
async def test_the_exception_of_a_function_comes_out_as_the_object_that_was_raised(
    functions: StatefulFunctions,
    handler: RequestReplyHandler,
    error: BaseException,
    way: str,
    *,
    blocking: bool,
) -> None:
    """With one note, however often the object is raised again."""

    def fail(context: Context, message: Message) -> None:
        if message.is_int():
            raise error

    functions.register("t/f", fail, blocking=blocking)
    request = to_function(ADA, text("good"), number(1))

    async def handle() -> None:
        await handler.handle_async(request) if way == "handle_async" else handler.handle_sync(
            request
        )

    for _ in range(2):
        with pytest.raises(type(error)) as caught:
            await handle()
        assert caught.value is error
        assert caught.value.__notes__ == [NOTE]


async def test_the_notes_of_the_user_stay(
    functions: StatefulFunctions, handler: RequestReplyHandler
) -> None:
    """Ours is put behind them, and replaced when the object is raised somewhere else."""
    error = ValueError("no")
    error.add_note("mine")

    def fail(context: Context, message: Message) -> None:
        raise error

    functions.register("t/f", fail)
    functions.register("t/g", fail)

    for typename in ("t/f", "t/g"):
        with pytest.raises(ValueError, match="no"):
            await handler.handle_async(to_function(Address(typename, "1"), number(1)))

    assert error.__notes__ == [
        "mine",
        "raised by t/g '1' on message 1 of 1 (type 'io.statefun.types/int')",
    ]


@pytest.mark.parametrize(
    "duplicate", [copy.copy, copy.deepcopy, lambda each: pickle.loads(pickle.dumps(each))]
)
async def test_the_facts_survive_copies_and_pickling(
    functions: StatefulFunctions, handler: RequestReplyHandler, duplicate: Any
) -> None:
    """An exception may cross processes before somebody asks where it came from."""
    functions.register("t/f", lambda _, __: int("x"))

    with pytest.raises(ValueError, match="invalid literal") as caught:
        await handler.handle_async(to_function(ADA, number(1)))
    failure = failure_of(duplicate(caught.value))

    assert failure is not None
    assert (failure.address.id, failure.position, failure.batch_size) == ("Ada", 1, 1)
    assert failure.reason.startswith("ValueError: invalid literal")


def test_an_exception_that_no_function_raised_has_no_facts() -> None:
    """Notes of other people are not taken for ours."""
    error = ValueError("no")
    error.add_note(NOTE)

    assert failure_of(error) is None
    assert failure_of(ValueError("no")) is None


async def test_an_error_of_the_sdk_comes_out_of_a_function_as_it_is(
    functions: StatefulFunctions, handler: RequestReplyHandler
) -> None:
    """It still is the builtin that the old SDK raised, and it has the note."""
    functions.register("t/f", lambda _, message: message.as_string())

    with pytest.raises(TypeError) as caught:
        await handler.handle_async(to_function(ADA, text("x"), number(1)))

    assert type(caught.value) is TypeMismatchError
    assert caught.value.__notes__ == [NOTE]


# --- Ctrl-C ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("handling", ["Python's", "asyncio's"])
def test_ctrl_c_is_no_failure_of_the_function_that_it_meets(
    functions: StatefulFunctions, handler: RequestReplyHandler, handling: str
) -> None:
    """It leaves the handler without a note, whoever handles the signal."""

    @functions.bind("t/f")
    def interrupted(context: Context, message: Message) -> None:
        signal.raise_signal(signal.SIGINT)  # asyncio cancels the task at the first
        signal.raise_signal(signal.SIGINT)

    batch = handler.handle_async(to_function(ADA, number(1)))
    with closing(asyncio.new_event_loop()) as loop, pytest.raises(KeyboardInterrupt) as caught:
        asyncio.run(batch) if handling == "asyncio's" else loop.run_until_complete(batch)

    assert failure_of(caught.value) is None


def test_handling_goes_on_after_an_interrupt_of_a_function(
    functions: StatefulFunctions, handler: RequestReplyHandler
) -> None:
    """The event loop of the thread is as good as before."""

    @functions.bind("t/f")
    async def interrupted(context: Context, message: Message) -> None:
        await asyncio.sleep(0)
        if message.is_int():
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        handler.handle_sync(to_function(ADA, number(1)))

    assert handler.handle_sync(to_function(ADA, text("x"))) == b""


# --- event loops ----------------------------------------------------------------------------------


def test_a_thread_keeps_its_event_loop(
    functions: StatefulFunctions, handler: RequestReplyHandler
) -> None:
    """A connection that one call has opened can be used by the next, and by no other thread."""
    loops: list[asyncio.AbstractEventLoop] = []

    @functions.bind("t/f")
    async def remember(context: Context, message: Message) -> None:
        loops.append(asyncio.get_running_loop())

    def twice() -> None:
        for _ in range(2):
            handler.handle_sync(to_function(ADA, number(1)))

    twice()
    thread = threading.Thread(target=twice)
    thread.start()
    thread.join()

    assert loops[0] is loops[1] is not loops[2] is loops[3]
    assert (loops[0].is_closed(), loops[2].is_closed()) == (False, True)


async def test_a_running_loop_keeps_a_second_one(
    functions: StatefulFunctions, handler: RequestReplyHandler
) -> None:
    """Inside of it, too: each loop that waits for a handler has one more thread."""
    loops: list[asyncio.AbstractEventLoop] = []

    @functions.bind("t/f")
    async def nested(context: Context, message: Message) -> None:
        loops.append(asyncio.get_running_loop())
        if message.is_int():
            handler.handle_sync(to_function(ADA, text("inside")))

    for _ in range(2):
        handler.handle_sync(to_function(ADA, number(1)))

    assert loops[:2] == loops[2:]
    assert len({asyncio.get_running_loop(), *loops}) == 3
