"""What a replay would see differently is told when a handler is declared, at its line."""

from __future__ import annotations

import datetime as dt
import os
import secrets
import time
import warnings
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

import pytest

from statefun.durable import Context, Service
from statefun.durable.exceptions import NotDeterministicWarning

if TYPE_CHECKING:
    from collections.abc import Callable


async def clock(ctx: Context) -> None:
    datetime.now(UTC)


async def clock_of_a_module(ctx: Context) -> None:
    if await ctx.time():
        dt.datetime.now(dt.UTC)


async def calendar(ctx: Context) -> None:
    date.today()  # noqa: DTZ011


async def local_time(ctx: Context) -> None:
    time.localtime()


async def chance(ctx: Context) -> None:
    secrets.token_hex()


async def noise(ctx: Context) -> None:
    os.urandom(4)


async def files(ctx: Context) -> None:
    open("notes.txt").close()  # noqa: ASYNC230, PTH123


async def sets(ctx: Context) -> None:
    for _ in {"a", "b"}:  # noqa: PLC0208
        pass


async def made_sets(ctx: Context, names: list[str]) -> None:
    for _ in set(names):
        pass


async def careful(ctx: Context, at: float) -> None:
    def effect() -> float:
        return datetime.now(UTC).timestamp()

    await ctx.run_typed("now", effect)
    await ctx.run_typed("chance", lambda: secrets.token_hex() + "!")
    time.localtime(at)
    for _ in sorted({"a", "b"}):
        pass
    datetime.fromtimestamp(at, UTC)


def declared(function: Callable[..., Any]) -> list[warnings.WarningMessage]:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        Service("S").handler()(function)
    return caught


@pytest.mark.parametrize(
    ("function", "text"),
    [
        (clock, "uses datetime.now(), which a replay would see differently: take the time from"),
        (clock_of_a_module, "uses dt.datetime.now()"),
        (calendar, "uses date.today()"),
        (local_time, "uses time.localtime()"),
        (chance, "uses secrets.token_hex()"),
        (noise, "uses os.urandom()"),
        (files, "uses open(), which a replay would see differently: use it in an effect"),
        (sets, "iterate over sorted"),
        (made_sets, "uses set(names)"),
    ],
)
def test_what_a_replay_would_see_differently_is_told(
    function: Callable[..., Any], text: str
) -> None:
    """Once, with the handler, the advice, and the place in its file."""
    [warning] = declared(function)

    assert warning.category is NotDeterministicWarning
    assert str(warning.message).startswith(f"handler {function.__name__!r} of 'S' ")
    assert text in str(warning.message)
    assert warning.filename == __file__
    lines = range(function.__code__.co_firstlineno, function.__code__.co_firstlineno + 4)
    assert warning.lineno in lines


def test_effects_may_do_anything() -> None:
    """Functions inside a handler are not looked into, and what is harmless is not told."""
    assert declared(careful) == []


def test_a_handler_without_source_is_declared_as_well() -> None:
    """As in a console."""
    names: dict[str, Any] = {}
    exec("async def typed(ctx): ...", names)

    assert declared(names["typed"]) == []


def test_a_warning_can_be_an_error() -> None:
    """By Python's own means."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", NotDeterministicWarning)
        with pytest.raises(NotDeterministicWarning):
            Service("S").handler()(clock)
