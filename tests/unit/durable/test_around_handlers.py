"""What stands around handlers: errors, context managers, loggers, combinators."""

from __future__ import annotations

import asyncio
import logging
import pickle
from contextlib import asynccontextmanager
from datetime import timedelta
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from statefun import durable
from statefun.durable import (
    DurableFuture,
    HttpError,
    InvocationRetryPolicy,
    RetryableError,
    RunOptions,
    SdkInternalBaseException,
    TerminalError,
    is_internal_exception,
)
from statefun.durable.context_managers import contextvar
from statefun.durable.current import CURRENT
from statefun.durable.exceptions import SuspendedException, terminal_cause
from statefun.durable.extensions import current_context

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

# --- errors ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "text", "facts"),
    [
        (
            TerminalError("no money", 402, {"order": "7"}),
            "no money",
            {"message": "no money", "status_code": 402, "metadata": {"order": "7"}},
        ),
        (
            RetryableError("busy", retry_after=timedelta(seconds=3)),
            "busy",
            {"message": "busy", "status_code": 500, "retry_after": timedelta(seconds=3)},
        ),
        (
            HttpError(404, "Not Found", "{}"),
            "the ingress answered 404 Not Found: {}",
            {"status_code": 404, "message": "Not Found", "body": "{}"},
        ),
    ],
)
def test_an_error_has_facts_and_survives_pickling(
    error: Exception, text: str, facts: dict[str, Any]
) -> None:
    """Errors of handlers cross processes."""
    copy = pickle.loads(pickle.dumps(error))

    assert (type(copy), str(copy), vars(copy)) == (type(error), text, facts)
    assert vars(error) == facts


def test_control_flow_is_not_an_exception_that_handlers_catch() -> None:
    """`except Exception` lets it pass, and whoever catches everything can tell it apart."""
    suspended = pickle.loads(pickle.dumps(SuspendedException()))

    assert isinstance(suspended, SdkInternalBaseException)
    assert not isinstance(suspended, Exception)
    assert is_internal_exception(suspended)
    assert not is_internal_exception(TerminalError("over"))


def test_only_causes_make_an_exception_final() -> None:
    """What was being handled when it was raised does not; a circle of causes ends."""
    cause, final = ValueError("bug"), TerminalError("over")
    cause.__context__ = final
    assert terminal_cause(cause) is None

    cause.__cause__ = final
    assert terminal_cause(cause) is final

    final_circle = ValueError("a")
    final_circle.__cause__ = KeyError("b")
    final_circle.__cause__.__cause__ = final_circle
    assert terminal_cause(final_circle) is None


def test_options_are_compared_by_value() -> None:
    """As dataclasses are."""
    assert RunOptions(max_attempts=3) == RunOptions(max_attempts=3)
    assert RunOptions() != RunOptions(max_attempts=3)
    assert InvocationRetryPolicy(max_attempts=3) == InvocationRetryPolicy(max_attempts=3)


# --- context managers, contexts and loggers -------------------------------------------------------


async def test_a_context_manager_gives_its_value_to_everything_within() -> None:
    """And to nothing outside."""

    @contextvar
    @asynccontextmanager
    async def tenant(name: str = "acme") -> AsyncIterator[str]:
        yield name

    async with tenant():
        assert tenant.value == "acme"
        async with tenant("other"):
            assert tenant.value == "other"
        assert tenant.value == "acme"
    with pytest.raises(LookupError, match="tenant is not around this code: name it in"):
        _ = tenant.value


def test_outside_of_handlers_there_is_no_context() -> None:
    """A library asks without knowing where it runs."""
    assert current_context() is None


def test_a_logger_is_silent_while_a_handler_replays(caplog: pytest.LogCaptureFixture) -> None:
    """It is the logger of the standard library; a second request adds nothing to it."""
    logger = durable.getLogger("tests.durable")
    assert durable.getLogger("tests.durable") is logger is logging.getLogger("tests.durable")
    assert len(logger.filters) == 1
    caplog.set_level(logging.INFO)

    for is_replaying in (False, True, False):
        running: Any = SimpleNamespace(is_replaying=is_replaying)
        token = CURRENT.set(running)
        logger.info("replaying: %s", is_replaying)
        CURRENT.reset(token)
    logger.info("outside")

    assert caplog.messages == ["replaying: False", "replaying: False", "outside"]


# --- combinators ----------------------------------------------------------------------------------


def futures(count: int) -> list[DurableFuture[Any]]:
    return [DurableFuture() for _ in range(count)]


async def test_gather_returns_the_futures_once_all_are_done() -> None:
    """A failure shows when the future that failed is awaited."""
    first, second = futures(2)
    gathered = asyncio.ensure_future(durable.gather(first, second))
    second.set_exception(TerminalError("no"))
    await asyncio.sleep(0)
    assert not gathered.done()

    first.set_result(1)

    assert await gathered == [first, second]
    assert await first == 1
    with pytest.raises(TerminalError):
        await second
    assert await durable.gather() == []


async def test_select_gives_the_name_and_the_result_of_the_first() -> None:
    """The first that was done, not the first that was given; its failure is raised."""
    first, second = futures(2)
    second.set_result("two")
    first.set_result("one")

    selected = await durable.select(a=first, b=second)

    assert selected == ["a", "one"]  # both were done before
    slow, quick = futures(2)
    pending = asyncio.ensure_future(durable.select(slow=slow, quick=quick))
    await asyncio.sleep(0)
    quick.set_result(2)
    slow.set_result(1)
    assert await pending == ["quick", 2]
    failed = futures(1)[0]
    failed.set_exception(TerminalError("no"))
    with pytest.raises(TerminalError, match="no"):
        await durable.select(failed=failed)
    with pytest.raises(ValueError, match="at least one future must be passed"):
        await durable.select()


async def test_as_completed_gives_futures_in_the_order_of_their_completion() -> None:
    """Each of them once."""
    first, second, third = futures(3)
    seen = []

    async def collect() -> None:
        async for future in durable.as_completed(first, second, third):
            seen.append(future)  # noqa: PERF401 - the order of arrival is what is looked at

    collecting = asyncio.ensure_future(collect())
    await asyncio.sleep(0)
    for future in (third, first, second):
        future.set_result(None)
    await collecting

    assert seen == [third, first, second]


async def test_wait_completed_parts_those_that_are_done_from_the_others() -> None:
    """As soon as one is done."""
    first, second = futures(2)
    second.set_result(2)

    assert await durable.wait_completed(first, second) == ([second], [first])
    assert await durable.wait_completed() == ([], [])


async def test_something_that_is_no_future_of_a_context_is_refused() -> None:
    """It would not replay in the same order."""
    foreign: Any = asyncio.get_running_loop().create_future()

    for combine in (durable.gather, durable.wait_completed):
        with pytest.raises(TerminalError, match="all futures must be of this context, got Future"):
            await combine(foreign)
