"""Edits from other processes: through the runtime that has the directory, or else by themselves."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import stat
from contextlib import closing
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from statefun.errors import EditError, EditTargetError, StatefunError, StoreError, StoreLockedError
from statefun.runtime import FailurePolicy, ManualClock, Runtime
from statefun.runtime.admin import edits
from statefun.runtime.admin.control import SOCKET_NAME, ControlServer, make_edit
from statefun.runtime.engine.records import DeadLetter, Delta
from statefun.runtime.engine.retry import Backoff
from statefun.runtime.stores.sqlite import SqliteReader, SqliteStore
from statefun.sdk.address import Address
from statefun.sdk.builders import message_builder
from statefun.sdk.functions import StatefulFunctions
from statefun.sdk.primitives import IntType, serialize
from statefun.sdk.specs import ValueSpec

if TYPE_CHECKING:
    from pathlib import Path

    from statefun.sdk.context import Context
    from statefun.sdk.messages import Message

A = Address("t/a", "1")
INT = IntType.typename
NO_RETRY = FailurePolicy(retry=Backoff(attempts=1))


def program() -> StatefulFunctions:
    functions = StatefulFunctions()

    @functions.bind("t/a", specs=[ValueSpec("count", IntType)])
    async def count(context: Context, message: Message) -> None:
        if message.as_string() == "bad":
            raise ValueError("bad luck")
        context.storage.count = (context.storage.count or 0) + 1

    return functions


def to(value: str) -> Message:
    return message_builder("t/a", "1", str_value=value)


async def made(directory: Path, edit: edits.Edit) -> edits.Changed:
    return await asyncio.to_thread(make_edit, directory, edit, 0)


def an_int(value: int) -> edits.Edit:
    return edits.SetValue(A, "count", INT, serialize(IntType, value))


async def test_an_edit_on_a_running_runtime_goes_through_it(tmp_path: Path) -> None:
    """Its functions see it with their next message."""
    async with Runtime(program(), data=tmp_path, failure=NO_RETRY) as runtime:
        await runtime.send(to("x"))
        await runtime.send(to("bad"))
        await runtime.idle()
        [letter] = await runtime.dead_letters()

        changed = await made(tmp_path, an_int(40)), await made(tmp_path, edits.Drop([letter.id]))
        await runtime.send(to("x"))
        await runtime.idle()

        assert changed == (["count"], [letter.id])
        assert (await runtime.state("t/a", "1"))["count"].value == 41
        assert await runtime.dead_letters() == []


async def test_an_edit_on_a_stopped_runtime_is_seen_by_the_next(tmp_path: Path) -> None:
    """The same edits, with the same words."""
    async with Runtime(program(), data=tmp_path, failure=NO_RETRY) as runtime:
        await runtime.send(to("x"))
        await runtime.send(to("bad"))
        await runtime.idle()
        [letter] = await runtime.dead_letters()

    changed = await made(tmp_path, an_int(40)), await made(tmp_path, edits.Replay(None))
    with pytest.raises(EditTargetError, match=f"there is no dead letter {letter.id}"):
        await made(tmp_path, edits.Replay([letter.id]))

    assert changed == (["count"], [letter.id])
    async with Runtime(program(), data=tmp_path, failure=NO_RETRY) as runtime:
        await runtime.idle()
        await runtime.send(to("x"))
        await runtime.idle()
        assert (await runtime.state("t/a", "1"))["count"].value == 41
        assert len(await runtime.dead_letters()) == 1


async def test_values_that_are_deleted_are_gone(tmp_path: Path) -> None:
    """From the memory of a runtime and from the disk."""
    async with Runtime(program(), data=tmp_path) as runtime:
        await runtime.send(to("x"))
        await runtime.idle()

        changed = await made(tmp_path, edits.DeleteValues(A, None))

        assert (changed, await runtime.state("t/a", "1")) == (["count"], {})
    reader = SqliteReader(tmp_path)
    assert dict(reader.load(A)) == {}
    reader.close()


async def test_a_cancelled_timer_does_not_fire(tmp_path: Path) -> None:
    """Whether the runtime runs or not."""
    functions, fired = StatefulFunctions(), []

    @functions.bind("t/a")
    async def later(context: Context, message: Message) -> None:
        fired.append(message.as_string())
        if message.as_string() == "start":
            for name in ("one", "two", "three"):
                context.send_after(timedelta(seconds=1), to(name))

    clock = ManualClock()
    async with Runtime(functions, data=tmp_path, clock=clock) as runtime:
        await runtime.send(to("start"))
        await runtime.idle()
        reader = SqliteReader(tmp_path)
        ids = [timer.seq for timer in reader.timers()]
        reader.close()
        await made(tmp_path, edits.CancelTimers(ids[:1]))
    await made(tmp_path, edits.CancelTimers(ids[1:2]))

    clock.advance_to(clock.now_ms() + 1000)
    async with Runtime(functions, data=tmp_path, clock=clock) as runtime:
        await runtime.idle()

    assert fired == ["start", "three"]


async def test_what_an_edit_names_and_is_not_there_is_an_error(tmp_path: Path) -> None:
    """The sentence is that of the runtime."""
    async with Runtime(program(), data=tmp_path):
        with pytest.raises(EditTargetError, match="t/a '1' is not paused; nothing was changed"):
            await made(tmp_path, edits.Release([A]))


async def test_dead_letters_for_a_function_that_is_gone_are_named(tmp_path: Path) -> None:
    """When all are replayed: none is, and whoever asked can name the others."""
    gone, clock = Address("t/gone", "1"), ManualClock()
    now_ms = clock.now_ms()
    letters = [
        DeadLetter(number, target, None, b"", "no", 1, now_ms, now_ms)
        for number, target in ((1, gone), (2, A))
    ]
    with closing(SqliteStore(tmp_path)) as store:
        store.commit(Delta(9, dead_letters={letter.id: letter for letter in letters}))

    async with Runtime(program(), data=tmp_path, clock=clock) as runtime:
        with pytest.raises(EditError, match=r"1 cannot be replayed, .* 't/gone'; nothing"):
            await made(tmp_path, edits.Replay(None))

        assert await runtime.dead_letters() == letters


async def test_only_the_owner_may_use_the_socket(tmp_path: Path) -> None:
    """And it is gone with the runtime."""
    async with Runtime(program(), data=tmp_path):
        mode = (tmp_path / SOCKET_NAME).stat().st_mode

    assert (stat.S_ISSOCK(mode), stat.S_IMODE(mode)) == (True, 0o600)
    assert not (tmp_path / SOCKET_NAME).exists()


async def test_a_long_path_is_no_obstacle(tmp_path: Path) -> None:
    """The address of a socket has room for some hundred bytes only."""
    directory = tmp_path / ("x" * 100)
    async with Runtime(program(), data=directory) as runtime:
        await made(directory, an_int(7))

        assert (await runtime.state("t/a", "1"))["count"].value == 7


async def test_the_socket_of_a_killed_runtime_is_no_obstacle(tmp_path: Path) -> None:
    """Neither to an edit nor to the next runtime."""
    SqliteStore(tmp_path).close()
    with socket.socket(socket.AF_UNIX) as left_behind:
        left_behind.bind(str(tmp_path / SOCKET_NAME))

    assert await made(tmp_path, an_int(7)) == ["count"]
    async with Runtime(program(), data=tmp_path):
        assert await made(tmp_path, an_int(8)) == ["count"]


async def test_a_directory_in_use_by_something_else_takes_no_edits(tmp_path: Path) -> None:
    """It says so."""
    store = SqliteStore(tmp_path)
    try:
        with pytest.raises(StoreLockedError, match="in use by a process that takes no edits now"):
            await made(tmp_path, an_int(7))
    finally:
        store.close()


async def test_without_data_there_is_nothing_to_edit(tmp_path: Path) -> None:
    """And none is made."""
    with pytest.raises(StoreError, match="no runtime has used this directory yet"):
        await made(tmp_path / "none", an_int(7))

    assert not os.listdir(tmp_path)  # noqa: PTH208 - nothing here waits for a disk


@pytest.mark.parametrize(
    "line", [b"\n", b"garbage\n", b"[]\n", b"{}\n", b'{"edit": 1}\n', b"\xff\n"]
)
async def test_anything_but_an_edit_is_answered_by_an_error(tmp_path: Path, line: bytes) -> None:
    """And the runtime goes on."""
    async with Runtime(program(), data=tmp_path) as runtime:
        reader, writer = await asyncio.open_unix_connection(str(tmp_path / SOCKET_NAME))
        writer.write(line)
        answer = json.loads(await reader.readline())
        writer.close()

        assert "error" in answer
        assert runtime.is_healthy


async def test_an_edit_that_breaks_something_is_answered_too(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Whoever asked does not wait for nothing; the log has the traceback."""

    async def broken(edit: edits.Edit) -> edits.Changed:
        raise OverflowError("too much")

    SqliteStore(tmp_path).close()
    server = ControlServer(tmp_path, broken)
    await server.start()
    with pytest.raises(StatefunError, match="an unexpected error, see the log of the runtime"):
        await made(tmp_path, an_int(7))
    await server.stop()

    assert [str(record.exc_info and record.exc_info[1]) for record in caplog.records] == [
        "too much"
    ]


async def test_who_says_nothing_does_not_hold_up_the_end(tmp_path: Path) -> None:
    """The runtime stops all the same."""
    async with Runtime(program(), data=tmp_path):
        _, writer = await asyncio.open_unix_connection(str(tmp_path / SOCKET_NAME))
        writer.write(b"half a li")
    writer.close()


async def test_an_error_of_the_runtime_comes_out_as_it_is(tmp_path: Path) -> None:
    """Who asks can tell a wrong edit from a runtime that cannot store anything."""

    async def full(edit: edits.Edit) -> edits.Changed:
        raise StoreError("the disk is full")

    SqliteStore(tmp_path).close()
    server = ControlServer(tmp_path, full)
    await server.start()
    with pytest.raises(StoreError, match="the disk is full"):
        await made(tmp_path, an_int(7))
    await server.stop()
