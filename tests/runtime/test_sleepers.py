"""Delayed messages that an earlier process left: read when they are due soon, and none is lost."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from statefun.runtime import Backoff, FailurePolicy, ManualClock, Runtime
from statefun.runtime.admin.edits import CancelTimers
from statefun.runtime.engine.records import Delta, Timer
from statefun.runtime.engine.timers import Pages
from statefun.runtime.stores.sqlite import FILE_NAME, SqliteReader, SqliteStore
from statefun.sdk.address import Address
from statefun.sdk.builders import message_builder
from statefun.sdk.functions import StatefulFunctions

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from statefun.sdk.context import Context
    from statefun.sdk.messages import Message

HOUR = timedelta(hours=1)
PAGE = Pages().size
START_MS = 1_700_000_000_000
SENDER, TARGET = Address("t/send", "1"), Address("t/take", "1")


def leave(directory: Path, waits: Iterable[timedelta], token: str = "") -> None:
    """Let an earlier process have sent these; each has its number as its text and its token."""
    timers = tuple(
        Timer(
            seq,
            START_MS + int(wait.total_seconds() * 1000),
            SENDER,
            TARGET,
            message_builder("t/take", "1", str_value=str(seq)).argument(),
            token and f"{token}{seq}",
        )
        for seq, wait in enumerate(waits, start=1)
    )
    with closing(SqliteStore(directory, "normal")) as store:
        store.commit(Delta(len(timers) + 1, timers=timers))


def taking(taken: list[str], failed: list[str] | None = None) -> StatefulFunctions:
    """`t/take` notes what comes; `t/send` cancels or sends what it is told to, with that token."""
    functions = StatefulFunctions()

    @functions.bind("t/take")
    async def take(_: Context, message: Message) -> None:
        taken.append(message.as_string() or "")

    @functions.bind("t/send")
    async def send(context: Context, message: Message) -> None:
        verb, token = (message.as_string() or "").split()
        if verb == "cancel":
            context.cancel_delayed_message(token)
        else:
            context.send_after(HOUR, message_builder("t/take", "1", str_value=verb), token)

    return functions


def runtime_of(functions: StatefulFunctions, directory: Path, clock: ManualClock) -> Runtime:
    policy = FailurePolicy("dead-letter", Backoff(attempts=1))
    return Runtime(functions, data=directory, clock=clock, failure=policy)


def tell(text: str) -> Message:
    return message_builder("t/send", "1", str_value=text)


async def test_a_start_reads_the_timers_that_are_due_soon(tmp_path: Path) -> None:
    """All that are due come in order, however many pages they are; the others stay on disk."""
    overdue = 2 * PAGE + PAGE // 2
    leave(tmp_path, [*[timedelta(0)] * overdue, *[5 * HOUR] * (2 * PAGE)])
    taken: list[str] = []
    clock = ManualClock(START_MS)

    async with runtime_of(taking(taken), tmp_path, clock) as runtime:
        await runtime.idle()
        first, waiting = list(taken), runtime.metrics().waiting_timers
        in_memory = len(runtime._life.engine.timers._waiting)
        clock.advance(5 * HOUR)
        await runtime.idle()

    assert first == [str(seq) for seq in range(1, overdue + 1)]
    assert (waiting, in_memory) == (2 * PAGE, PAGE // 2)
    assert taken == [str(seq) for seq in range(1, overdue + 2 * PAGE + 1)]


@pytest.mark.parametrize("change", ["value = 0", "value = 1", "value = 9999999"])
async def test_a_wrong_figure_loses_no_timer(tmp_path: Path, change: str) -> None:
    """A file that was saved from a damaged one may say anything about how many there are."""
    count = 2 * PAGE + 1
    leave(tmp_path, [timedelta(0)] * count)
    with closing(sqlite3.connect(tmp_path / FILE_NAME)) as connection:
        connection.execute(f"UPDATE meta SET {change} WHERE key = 'timers'")
        connection.commit()
    taken: list[str] = []

    async with runtime_of(taking(taken), tmp_path, ManualClock(START_MS)) as runtime:
        await runtime.idle()
        waiting = runtime.metrics().waiting_timers

    assert (taken, waiting) == ([str(seq) for seq in range(1, count + 1)], 0)


async def test_a_token_of_a_timer_that_is_only_on_disk_can_be_cancelled(tmp_path: Path) -> None:
    """And is not free before that; both hold over a restart."""
    leave(tmp_path, [5 * HOUR] * (PAGE + 3), token="x")
    taken: list[str] = []
    clock = ManualClock(START_MS)
    last, others = PAGE + 3, [str(seq) for seq in range(1, PAGE + 2)]

    async with runtime_of(taking(taken), tmp_path, clock) as runtime:
        await runtime.send(tell(f"twice x{last - 1}"))
        await runtime.send(tell(f"cancel x{last}"))
        await runtime.send(tell(f"again x{last}"))
        await runtime.send(tell("new x0"))
        await runtime.idle()
        letters = [letter.error for letter in await runtime.dead_letters()]
        waiting = runtime.metrics().waiting_timers
    async with runtime_of(taking(taken), tmp_path, clock) as runtime:
        clock.advance(HOUR)
        await runtime.idle()
        new, taken[:] = list(taken), []
        clock.advance(4 * HOUR)
        await runtime.idle()

    assert [f"the token 'x{last - 1}' while another" in letter for letter in letters] == [True]
    assert (waiting, new) == (PAGE + 4, ["again", "new"])
    assert taken == [*others, str(last - 1)]


async def test_a_timer_that_is_only_on_disk_can_be_cancelled_by_hand(tmp_path: Path) -> None:
    """In a runtime that runs, by its number."""
    leave(tmp_path, [5 * HOUR] * (PAGE + 3))
    clock = ManualClock(START_MS)

    async with runtime_of(taking([]), tmp_path, clock) as runtime:
        cancelled = await runtime.edit(CancelTimers([PAGE + 2]))
        await runtime.idle()
        waiting = runtime.metrics().waiting_timers
    with closing(SqliteReader(tmp_path)) as reader:
        left = [timer.seq for timer in reader.timers()]

    assert (cancelled, waiting) == ([PAGE + 2], PAGE + 2)
    assert left == [*range(1, PAGE + 2), PAGE + 3]


async def test_a_stop_finishes_a_reply_whose_token_is_looked_up(tmp_path: Path) -> None:
    """It is not run again by the next process."""
    leave(tmp_path, [5 * HOUR] * (PAGE + 3), token="x")
    clock = ManualClock(START_MS)
    runs: list[str] = []
    functions = taking([])

    @functions.bind("t/last")
    async def last(context: Context, _: Message) -> None:
        runs.append("run")
        context.cancel_delayed_message(f"x{PAGE + 3}")

    runtime = runtime_of(functions, tmp_path, clock)
    await runtime.start()
    await runtime.send(message_builder("t/last", "1", str_value=""))
    await runtime.stop()
    async with runtime_of(functions, tmp_path, clock) as runtime:
        await runtime.idle()
        waiting = runtime.metrics().waiting_timers

    assert (runs, waiting) == (["run"], PAGE + 2)
