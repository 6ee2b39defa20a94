"""The test harness: an app in this process, with its ingress and a client."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from statefun.durable import (
    Context,
    HttpError,
    Limits,
    ObjectContext,
    Service,
    VirtualObject,
    app,
    create_test_harness,
)
from statefun.errors import AlreadyRegisteredError, ConfigurationError, DefinitionError

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

service = Service("S")
counter = VirtualObject("C")
begun: list[str] = []


@service.handler()
async def twice(ctx: Context) -> int:
    begun.append("twice")
    first = await ctx.object_call(add, "a", 1)
    return first + await ctx.object_call(add, "b", 2)


@service.handler()
async def fail(ctx: Context) -> None:
    begun.append("fail")
    raise ValueError("a bug")


@service.handler()
async def add_twice(ctx: Context) -> list[int]:
    """Both calls and a client's call with the same key are one invocation."""
    calls = [ctx.object_call(add, "ada", 2, idempotency_key="k") for _ in range(2)]
    return [await each for each in calls]


@counter.handler()
async def add(ctx: ObjectContext, by: int) -> int:
    total = (await ctx.get("total", int) or 0) + by
    ctx.set("total", total)
    return total


APP = app([service, counter])


async def test_handlers_are_replayed_at_every_wait_if_wanted() -> None:
    """The code before a wait runs again; the result is the same."""
    for always_replay, times in ((False, 1), (True, 3)):
        begun.clear()
        async with create_test_harness(APP, always_replay=always_replay) as harness:
            assert await harness.client.service_call(twice, None) == 3
        assert len(begun) == times


async def test_without_retries_the_first_failure_is_the_answer() -> None:
    """A test of a failure need not wait for seventy attempts."""
    begun.clear()

    async with create_test_harness(APP, disable_retries=True) as harness:
        with pytest.raises(HttpError) as caught:
            await harness.client.service_call(fail, None)

    assert begun == ["fail"]
    assert caught.value.status_code == 500
    assert "a bug" in (caught.value.body or "")


async def test_an_idempotency_key_is_the_same_for_handlers_and_clients() -> None:
    """All of them share one invocation."""
    async with create_test_harness(APP) as harness:
        assert await harness.client.service_call(add_twice, None) == [2, 2]
        assert await harness.client.object_call(add, "ada", 5, idempotency_key="k") == 2


async def test_a_harness_of_an_app_begins_anew() -> None:
    """State of one test is not seen by the next."""
    for _ in range(2):
        async with create_test_harness(APP) as harness:
            assert await harness.client.object_call(add, "ada", 2) == 2


# --- what an app refuses --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "error", "text"),
    [
        (
            lambda: app([Service]),  # type: ignore[list-item]
            DefinitionError,
            "takes services, virtual objects and workflows",
        ),
        (
            lambda: app(Service("A")),  # type: ignore[arg-type]
            DefinitionError,
            "pass a list of them",
        ),
        (lambda: Limits(value_bytes=-1), ConfigurationError, "value_bytes of Limits is a number"),
        (
            lambda: Limits(retention=3),  # type: ignore[arg-type]
            ConfigurationError,
            "retention of Limits is a timedelta of zero or more, got 3",
        ),
        (lambda: app([Service("A"), Service("A")]), AlreadyRegisteredError, "'A' already exists"),
        (
            lambda: app([], protocol="both"),  # type: ignore[arg-type]
            ConfigurationError,
            "protocol is 'bidi'",
        ),
        (lambda: app([], identity_keys=["k"]), ConfigurationError, "identity_keys is not"),
        (
            lambda: app([], journal_value_codec=object()),  # type: ignore[arg-type]
            ConfigurationError,
            "journal_value_codec takes a JournalValueCodec or a function that makes one",
        ),
    ],
)
def test_an_app_of_something_else_is_refused(
    make: Callable[[], Any], error: type[Exception], text: str
) -> None:
    """At once, with what to do."""
    with pytest.raises(error, match=text):
        make()


def test_an_app_may_be_empty_and_take_any_iterable() -> None:
    """As there."""
    assert app(()).catalogue.services == {}
    assert list(app(iter([service])).catalogue.services) == ["S"]
