"""Faults: functions that fail for good, full disks, busy addresses, endpoints out of reach."""

from __future__ import annotations

import asyncio
import os
import re
import sqlite3
import sys
from contextlib import asynccontextmanager, closing
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

import pytest

from statefun.errors import (
    EditError,
    GivenUpError,
    MessageTooLargeError,
    RuntimeStoppedError,
    StatefunError,
    StoreError,
    TransportError,
)
from statefun.runtime import Backoff, FailurePolicy, Limits, ManualClock, Retention, Runtime
from statefun.runtime.admin import edits
from statefun.runtime.engine.records import Delta, StoredEntry
from statefun.runtime.stores.sqlite import FILE_NAME, SqliteReader, SqliteStore
from statefun.runtime.transports.breaker import Breaker
from statefun.runtime.transports.http import HttpEndpoint
from statefun.sdk.address import Address
from statefun.sdk.builders import message_builder
from statefun.sdk.functions import StatefulFunctions
from statefun.sdk.primitives import IntType
from statefun.sdk.specs import ValueSpec
from statefun.sdk.wire import encode_typed_value
from statefun.testing.ports import FakeIngress
from tests.runtime.driver import until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from statefun.runtime.transports.base import Transport
    from statefun.sdk.context import Context
    from statefun.sdk.messages import Message

SECOND = timedelta(seconds=1)
NO_RETRY = Backoff(attempts=1)
A = Address("t/a", "1")


class Program:
    """Counts messages; `bad` ones fail until it is mended, and while closed it does not answer."""

    def __init__(self) -> None:
        self.functions = StatefulFunctions()
        self.is_mended = False
        self.open = asyncio.Event()
        self.open.set()
        self.seen: list[str] = []
        self.functions.register("t/a", self.count, specs=[ValueSpec("count", IntType)])

    async def count(self, context: Context, message: Message) -> None:
        await self.open.wait()
        if message.as_string() == "bad" and not self.is_mended:
            raise ValueError("bad luck")
        self.seen.append(message.as_string() or "")
        context.storage.count = (context.storage.count or 0) + 1


class Port(FakeIngress):
    """An ingress that does nothing by itself."""

    async def put(self, value: str, key: str = "") -> None:
        argument = encode_typed_value("io.statefun.types/string", bytes(to(value).argument()))
        await self.deliver(A, argument, key)


def to(value: str, target_id: str = "1") -> Message:
    return message_builder("t/a", target_id, str_value=value)


def has_failed(runtime: Runtime, commits: int) -> bool:
    return runtime.metrics().failed_commits >= commits


# --- failures -------------------------------------------------------------------------------------


async def test_a_dead_letter_survives_and_is_replayed(tmp_path: Path) -> None:
    """By the next runtime, once the function has been mended."""
    program = Program()
    failure = FailurePolicy(retry=NO_RETRY)
    async with Runtime(program.functions, data=tmp_path, failure=failure) as runtime:
        await runtime.send(to("bad"))
        await runtime.idle()
    program.is_mended = True

    async with Runtime(program.functions, data=tmp_path) as runtime:
        [letter] = await runtime.dead_letters()
        changed = await runtime.edit(edits.Replay([letter.id]))
        await runtime.idle()

        assert (changed, program.seen) == ([letter.id], ["bad"])
        assert "ValueError: bad luck" in letter.error
        assert await runtime.dead_letters() == []


async def test_dead_letters_that_are_forgotten_are_logged_once_a_minute(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """How many, not each; a flood of them is no flood of lines."""
    program, clock, said = Program(), ManualClock(), []

    async with Runtime(
        program.functions,
        data=None,
        clock=clock,
        failure=FailurePolicy(retry=NO_RETRY),
        dead_letters=Retention(max_count=1),
    ) as runtime:
        for advance_s in (0, 0, 30, 30, 0):
            for _ in range(3):
                await runtime.send(to("bad"))
                await runtime.idle()
            clock.advance(advance_s * SECOND)
            said.append([line for line in caplog.messages if "forgotten" in line])
    said.append([line for line in caplog.messages if "forgotten" in line])

    lines = [
        f"{count} dead letters were forgotten, because there were too many or they were too old"
        for count in (1, 10, 3)
    ]
    assert said == [lines[:1], lines[:1], lines[:1], lines[:1], lines[:2], lines]


async def test_what_a_function_says_is_one_line_of_the_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Characters that a terminal would obey are escaped; so is what stops the runtime."""
    functions = StatefulFunctions()

    @functions.bind("t/a")
    async def loud(context: Context, message: Message) -> None:
        raise ValueError("first\nsecond\r\x1b[2J\x85")

    runtime = Runtime(functions, data=None, failure=FailurePolicy("fail", NO_RETRY))
    await runtime.start()
    await runtime.send(to("x", "1\n2"))
    with pytest.raises(GivenUpError) as stopped:
        await runtime.watch()
    with pytest.raises(GivenUpError):
        await runtime.stop()

    reason = (
        "t/a '1\\n2' failed on message 1 of 1 (type 'io.statefun.types/string'): "
        r"ValueError: first\nsecond\r\x1b[2J\x85"
    )
    assert caplog.messages == [f"attempt 1 at t/a '1\\n2' failed, the runtime stops: {reason}"]
    assert str(stopped.value) == (
        f"t/a '1\\n2' failed 1 times, and its policy is to stop: {reason}. Mend the function and "
        "start again; the message is kept"
    )


async def test_the_policy_fail_stops_the_runtime_and_keeps_the_message(tmp_path: Path) -> None:
    """Whoever watches gets the error; after mending, the message is delivered."""
    program = Program()
    failure = FailurePolicy("fail", NO_RETRY)
    runtime = Runtime(program.functions, data=tmp_path, failure=failure)
    await runtime.start()
    await runtime.send(to("bad"))

    with pytest.raises(GivenUpError, match="t/a '1' failed 1 times, and its policy is to stop"):
        await runtime.watch()
    with pytest.raises(GivenUpError):
        await runtime.stop()

    program.is_mended = True
    async with Runtime(program.functions, data=tmp_path) as runtime:
        await runtime.idle()
    assert program.seen == ["bad"]


DEADLY = """
import asyncio, os, sys
from statefun import StatefulFunctions, message_builder
from statefun.runtime import Runtime

functions, are_sent = StatefulFunctions(), asyncio.Event()

@functions.bind("t/a")
async def deadly(context, message):
    await are_sent.wait()
    if message.as_string() == "deadly":
        os._exit(9)

async def main(data, *messages):
    async with Runtime(functions, data=data) as runtime:
        for each in messages:
            await runtime.send(message_builder("t/a", "1", str_value=each))
        are_sent.set()
        await runtime.idle()

asyncio.run(main(*sys.argv[1:]))
"""


async def test_a_message_that_ends_the_process_is_given_up_without_its_function(
    tmp_path: Path,
) -> None:
    """Each start meets it again; one start without the function makes dead letters of what waits.

    The bad one is dropped, and the others are sent again once the function is back.
    """
    exit_codes = []
    for messages in (["deadly", "good"], [], []):
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", DEADLY, str(tmp_path), *messages
        )
        exit_codes.append(await process.wait())
    with closing(SqliteStore(tmp_path)) as store:
        waiting = [message.seq for message in store.messages(A)]

    async with Runtime(StatefulFunctions(), data=tmp_path) as runtime:
        await runtime.idle()
        letters = [letter.id for letter in await runtime.dead_letters()]
        await runtime.edit(edits.Drop(waiting[:1]))
    program = Program()
    async with Runtime(program.functions, data=tmp_path) as runtime:
        await runtime.edit(edits.Replay(None))
        await runtime.send(to("next"))
        await runtime.idle()

    assert (exit_codes, letters) == ([9, 9, 9], waiting)
    assert program.seen == ["good", "next"]


async def test_a_paused_address_is_released_by_hand(tmp_path: Path) -> None:
    """Others go on meanwhile; being paused is not being busy."""
    program = Program()
    failure = {"t/*": FailurePolicy("pause", NO_RETRY)}
    async with Runtime(program.functions, data=tmp_path, failure=failure) as runtime:
        await runtime.send(to("bad"))
        await runtime.idle()
        await runtime.send(to("behind"))
        await runtime.send(to("other", "2"))
        await runtime.idle()
        while_paused = list(program.seen), runtime.metrics().paused_addresses
        program.is_mended = True
        changed = await runtime.edit(edits.Release(None))
        await runtime.idle()

    assert (while_paused, changed) == ((["other"], 1), [A])
    assert program.seen == ["other", "bad", "behind"]


async def test_what_an_edit_names_must_be_there() -> None:
    """Else nothing is changed."""
    program = Program()
    async with Runtime(program.functions, data=None) as runtime:
        await runtime.send(to("x"))
        await runtime.idle()
        string = "io.statefun.types/string"
        for edit, sentence in (
            (edits.Replay([7]), "there is no dead letter 7; nothing was changed"),
            (edits.Drop([7]), "there is no dead letter 7; nothing was changed"),
            (edits.Release([A]), "t/a '1' is not paused; nothing was changed"),
            (edits.CancelTimers([7]), "no delayed message 7 waits; nothing was changed"),
            (edits.DeleteValues(A, ["count", "n"]), "t/a '1' has no value 'n'; values: 'count'"),
            (
                edits.SetValue(A, "count", string, b""),
                "value 'count' of t/a '1' is declared as .*/int'",
            ),
        ):
            with pytest.raises(EditError, match=sentence):
                await runtime.edit(edit)

        assert (await runtime.state("t/a", "1"))["count"].value == 1


@pytest.mark.parametrize(
    ("edit", "sentence"),
    [
        (edits.SetValue(Address("t/a", "\udcff"), "n", "t/t", b""), "is not text that can be kept"),
        (edits.SetValue(A, "n\udcff", "t/t", b""), "is not text that can be kept"),
        (edits.SetValue(A, "n", "t/\udcff", b""), "is not text that can be kept"),
        (edits.SetValue(A, "n", "nonsense", b""), "not of the form 'namespace/name'"),
        (edits.Drop([2**70]), f"there is no dead letter {2**70}"),
    ],
)
async def test_an_edit_that_could_not_be_kept_is_refused(
    tmp_path: Path, edit: edits.Edit, sentence: str
) -> None:
    """It neither ends the runtime nor stands in the way of its commits."""
    program = Program()
    async with Runtime(program.functions, data=tmp_path) as runtime:
        with pytest.raises(StatefunError, match=sentence):
            await runtime.edit(edit)

        await runtime.send(to("x"))
        assert (runtime.is_healthy, runtime.metrics().failed_commits) == (True, 0)


async def test_an_edit_says_what_it_changed_and_nothing_else() -> None:
    """A dead letter that another edit has just sent again is not sent again twice."""
    program = Program()
    async with Runtime(program.functions, data=None, failure=FailurePolicy(retry=NO_RETRY)) as rt:
        await rt.send(to("bad"))
        await rt.idle()
        [letter] = await rt.dead_letters()
        program.is_mended = True

        changed = await asyncio.gather(rt.edit(edits.Replay(None)), rt.edit(edits.Replay(None)))
        await rt.idle()

    assert (list(changed), program.seen) == ([[letter.id], []], ["bad"])


# --- too much -------------------------------------------------------------------------------------


@pytest.mark.parametrize("most", [1, 2])
async def test_a_send_of_this_process_waits_for_room(most: int) -> None:
    """In the order of sending, however many there are; other addresses do not wait."""
    program = Program()
    program.open.clear()
    names = [str(number) for number in range(20)]
    limits = Limits(max_waiting=most)
    async with Runtime(program.functions, data=None, limits=limits) as runtime:
        sends = [asyncio.create_task(runtime.send(to(name))) for name in names]
        await until(lambda: sum(send.done() for send in sends) == most)
        await runtime.send(to("other", "2"))
        taken = runtime.metrics().counters.ingress_messages
        program.open.set()
        await asyncio.gather(*sends)
        await runtime.idle()

    assert taken == most + 1
    assert [name for name in program.seen if name != "other"] == names


async def test_a_send_of_this_process_waits_for_room_in_the_runtime() -> None:
    """Whatever its address is; what it waits for is that others are worked on."""
    program = Program()
    program.open.clear()
    async with Runtime(program.functions, data=None, max_waiting_bytes=2500) as runtime:
        sends = [asyncio.create_task(runtime.send(to("x", str(number)))) for number in range(20)]
        await until(lambda: sum(send.done() for send in sends) == 4)
        taken = runtime.metrics().counters.ingress_messages
        program.open.set()
        await asyncio.gather(*sends)
        await runtime.idle()

    assert (taken, len(program.seen)) == (4, 20)


async def test_what_is_too_long_is_refused_behind_others_that_wait_for_room_too() -> None:
    """By whom it is sent, at once; the runtime and those in line go on."""
    program = Program()
    program.open.clear()
    limits = Limits(max_waiting=1, max_message_bytes=100)
    async with Runtime(program.functions, data=None, limits=limits) as runtime:
        await runtime.send(to("0"))
        waiting = asyncio.create_task(runtime.send(to("1")))
        await asyncio.sleep(0)

        with pytest.raises(MessageTooLargeError, match="the limit is 100"):
            await runtime.send(to("x" * 1000))

        program.open.set()
        await waiting
        await runtime.idle()
    assert program.seen == ["0", "1"]


async def test_who_waits_for_room_learns_that_the_runtime_stops() -> None:
    """Nobody waits for ever."""
    program = Program()
    program.open.clear()
    runtime = Runtime(program.functions, data=None, limits=Limits(max_waiting=1), drain=0 * SECOND)
    await runtime.start()
    await runtime.send(to("0"))
    waiting = asyncio.create_task(runtime.send(to("1")))
    await asyncio.sleep(0)

    await runtime.stop()

    with pytest.raises(RuntimeStoppedError):
        await waiting


async def test_room_that_comes_while_the_runtime_stops_is_for_nobody() -> None:
    """It takes in no more, though the last call made room."""
    program = Program()
    program.open.clear()
    runtime = Runtime(program.functions, data=None, limits=Limits(max_waiting=1))
    await runtime.start()
    await runtime.send(to("0"))
    await until(lambda: runtime.metrics().calls_in_flight)
    waiting = asyncio.create_task(runtime.send(to("1")))
    stopping = asyncio.create_task(runtime.stop())
    await until(lambda: not runtime.is_healthy)

    program.open.set()
    await stopping

    with pytest.raises(RuntimeStoppedError):
        await waiting
    assert program.seen == ["0"]


# --- the disk -------------------------------------------------------------------------------------


class Full:
    """Makes the disk of a running runtime full, by SQLite's own limit."""

    def __init__(self, runtime: Runtime) -> None:
        assert isinstance(runtime._life.store, SqliteStore)
        self._connection = runtime._life.store._writer

    def __enter__(self) -> None:
        (pages,) = self._connection.execute("PRAGMA page_count").fetchone()
        self._connection.execute(f"PRAGMA max_page_count = {pages}")

    def __exit__(self, *_: object) -> None:
        self._connection.execute("PRAGMA max_page_count = 1000000")


async def test_while_the_disk_is_full_an_ingress_is_refused_and_then_it_goes_on(
    tmp_path: Path,
) -> None:
    """What was refused when that was known is never delivered; with a key nothing comes twice."""
    program, port, clock = Program(), Port(), ManualClock()
    big = "x" * 100_000
    async with Runtime(program.functions, data=tmp_path, ingresses=[port], clock=clock) as runtime:
        await port.put("before")
        await runtime.idle()
        program.open.clear()
        with Full(runtime):
            with pytest.raises(
                StoreError, match=r"it could not be stored so far.* the disk is full"
            ):
                await port.put(big, "K")
            with pytest.raises(
                StoreError, match=r"cannot be written to at the moment; .* not kept"
            ):
                await port.put("refused")
            with pytest.raises(StoreError, match="nothing was changed"):
                await runtime.edit(edits.Replay(None))
            is_healthy = runtime.is_healthy
        clock.advance(SECOND)
        await until(lambda: runtime.is_healthy)
        await port.put(big, "K")
        program.open.set()
        await runtime.idle()

    assert not is_healthy
    assert len(program.seen) == 2


async def test_an_edit_that_could_not_be_stored_is_not_told_of_a_key(tmp_path: Path) -> None:
    """Nothing but a message has one; what was edited may still be stored, and is then."""
    program, clock = Program(), ManualClock()
    edit = edits.SetValue(A, "note", "t/note", b"x" * 100_000)
    async with Runtime(program.functions, data=tmp_path, clock=clock) as runtime:
        with Full(runtime), pytest.raises(StoreError) as refused:
            await runtime.edit(edit)
        clock.advance(SECOND)
        await until(lambda: runtime.is_healthy)
        values = await runtime.state(*A)

    assert str(refused.value).startswith(
        "the change could not be stored so far, and may be stored later; see whether it was made "
        "before you make it again: "
    )
    assert "note" in values


async def test_a_full_disk_makes_no_dead_letter(tmp_path: Path) -> None:
    """It is no failure of a function."""
    program, clock = Program(), ManualClock()
    async with Runtime(program.functions, data=tmp_path, clock=clock) as runtime:
        with Full(runtime):
            sending = asyncio.create_task(runtime.send(to("x" * 100_000)))
            for failures in range(1, 20):
                await until(partial(has_failed, runtime, failures))
                clock.advance(SECOND)
        clock.advance(SECOND)
        await sending
        await runtime.idle()

        assert (await runtime.dead_letters(), len(program.seen)) == ([], 1)


def filled(directory: Path) -> Path:
    """A file of a few hundred pages."""
    with closing(SqliteStore(directory)) as store:
        entry = StoredEntry("t/t", b"x" * 1000, 0)
        values = {(Address("t/a", str(number)), "n"): entry for number in range(1000)}
        store.commit(Delta(2, values=values))
    return directory / FILE_NAME


@pytest.mark.parametrize("size", [0, 1, 511, 512, 3000, 4096, 100_000])
async def test_a_file_that_was_cut_is_refused_and_left_alone(tmp_path: Path, size: int) -> None:
    """With a sentence that says what to do."""
    path = filled(tmp_path)
    os.truncate(path, size)

    with pytest.raises(StoreError, match=r"it is damaged|is no SQLite|what it held is lost"):
        await Runtime(Program().functions, data=tmp_path).start()

    assert path.stat().st_size == size


async def test_an_empty_file_is_refused_and_left_alone(tmp_path: Path) -> None:
    """It is not taken for a new one: something was in it."""
    path = filled(tmp_path)
    os.truncate(path, 0)

    for look in (SqliteStore, SqliteReader):
        with pytest.raises(StoreError, match=r"statefun.db was cut off, it has 0 bytes"):
            look(tmp_path)

    assert path.stat().st_size == 0


def test_a_file_is_made_whole_or_not_at_all(tmp_path: Path) -> None:
    """What a killed process left of making one is no obstacle."""
    (tmp_path / "statefun.db.new").write_bytes(b"SQLite format 3")

    with closing(SqliteStore(tmp_path)) as store:
        store.commit(Delta(7))

    with closing(sqlite3.connect(tmp_path / FILE_NAME)) as connection:
        numbers = dict(connection.execute("SELECT key, value FROM meta"))
    assert numbers == {"next_seq": 7, "running": 0, "dead_letters": 0, "timers": 0}
    assert not (tmp_path / "statefun.db.new").exists()


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is read-only to root")
def test_a_read_only_directory_is_refused(tmp_path: Path) -> None:
    """With a sentence that says what to check."""
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(StoreError, match="Check its permissions"):
            SqliteStore(tmp_path)
    finally:
        tmp_path.chmod(0o700)


# --- what is gone ---------------------------------------------------------------------------------


async def test_messages_for_a_function_that_is_gone_can_be_replayed_when_it_is_back(
    tmp_path: Path,
) -> None:
    """A deployment that forgot it loses nothing."""
    program, other = Program(), StatefulFunctions()
    other.register("t/other", program.count)
    program.open.clear()
    async with Runtime(program.functions, data=tmp_path, drain=0 * SECOND) as runtime:
        await runtime.send(to("x"))
    async with Runtime(other, data=tmp_path) as runtime:
        await runtime.idle()
        [letter] = await runtime.dead_letters()
        with pytest.raises(EditError, match="cannot be replayed"):
            await runtime.edit(edits.Replay(None))
    program.open.set()

    async with Runtime(program.functions, data=tmp_path) as runtime:
        await runtime.edit(edits.Replay(None))
        await runtime.idle()

    assert (letter.attempts, program.seen) == (1, ["x"])


# --- endpoints ------------------------------------------------------------------------------------


class Line:
    """An endpoint for `far/*` that can be cut off."""

    functions = "far/*"
    is_specific = False

    failure = limits = None

    def __init__(self) -> None:
        self.is_up = False
        self.open = asyncio.Event()
        self.open.set()
        self.calls = 0

    def matches(self, typename: str) -> bool:
        return typename.startswith("far/")

    def transport(self, typename: str) -> Transport:  # noqa: ARG002 - the same for all
        return self

    async def invoke(self, request: bytes) -> bytes:  # noqa: ARG002 - the same for all
        self.calls += 1
        await self.open.wait()
        if not self.is_up:
            raise TransportError("nobody there", connected=False)
        return b""

    async def close(self) -> None:
        pass


async def test_an_endpoint_out_of_reach_is_called_now_and_then_and_all_go_on_when_it_is_back() -> (
    None
):
    """Not by every address that waits for it; and nobody waits longer than for the first call."""
    line, clock = Line(), ManualClock()
    async with Runtime(endpoints=[line], data=None, clock=clock, random=lambda: 0.0) as runtime:
        for number in range(50):
            await runtime.send(message_builder("far/a", str(number), str_value="x"))
        await until(lambda: runtime.metrics().counters.failed_attempts == 50)
        at_first = line.calls
        for _ in range(60):
            clock.advance(SECOND)
            await until(lambda: not runtime.metrics().calls_in_flight)
            for _ in range(10):
                await asyncio.sleep(0)
        in_a_minute = line.calls - at_first
        line.is_up = True
        clock.advance(timedelta(seconds=10))
        await runtime.idle()

        assert at_first <= 50
        assert in_a_minute <= 60
        assert runtime.metrics().counters.invocations == 50
        assert await runtime.dead_letters() == []


async def test_one_call_tries_an_endpoint_for_a_thousand_addresses() -> None:
    """However long it is under way within its second; all go on when it finds a connection."""
    line, clock, addresses = Line(), ManualClock(), 1000
    async with Runtime(endpoints=[line], data=None, clock=clock, random=lambda: 0.0) as runtime:
        for number in range(addresses):
            await runtime.send(message_builder("far/a", str(number), str_value="x"))
        await until(lambda: runtime.metrics().counters.failed_attempts == addresses)
        line.open.clear()
        line.is_up = True
        before = line.calls
        clock.advance(timedelta(minutes=1))
        await until(lambda: line.calls > before)
        for _ in range(100):
            await asyncio.sleep(0)
        probes = line.calls - before, runtime.metrics().calls_in_flight
        line.open.set()
        await runtime.idle()

        assert probes == (1, 1)
        assert runtime.metrics().counters.invocations == addresses
        assert line.calls - before == addresses


REPLY = b"HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nContent-Length: 0\r\n\r\n"


class Peer:
    """An endpoint that answers so many requests of each connection, and closes it under the next.

    Args:
        answers: How many, connection by connection; none beyond.
        leaves: Whether it closes the connection behind the last answer instead.
    """

    def __init__(self, *answers: int, leaves: bool = False) -> None:
        self.answers = list(answers)
        self.leaves = leaves
        self.connections = 0
        self.has_left = asyncio.Event()
        self._serving: set[asyncio.Task[None] | None] = set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._serving.add(asyncio.current_task())
        self.connections += 1
        try:
            await self._answer(reader, writer)
        except asyncio.IncompleteReadError:
            pass  # the client has closed the connection
        finally:
            writer.close()
            await writer.wait_closed()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for _ in range(self.answers.pop(0) if self.answers else 0):
            await self.read(reader)
            writer.write(REPLY)
        if self.leaves:
            writer.write_eof()
            await reader.read()  # the client has closed it, too
            self.has_left.set()
        else:
            await self.read(reader)

    async def read(self, reader: asyncio.StreamReader) -> None:
        """Read a request."""
        head = await reader.readuntil(b"\r\n\r\n")
        [length] = re.findall(rb"content-length: (\d+)", head.lower())
        await reader.readexactly(int(length))

    @asynccontextmanager
    async def called(self, failure: FailurePolicy | None = None) -> AsyncIterator[Runtime]:
        """A runtime that calls it."""
        async with await asyncio.start_server(self.serve, "127.0.0.1", 0) as server:
            url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
            endpoint = HttpEndpoint("far/*", url)
            async with Runtime(endpoints=[endpoint], data=None, failure=failure) as runtime:
                yield runtime
            await asyncio.gather(*filter(None, self._serving))


def far() -> Message:
    return message_builder("far/a", "1", str_value="x")


async def test_a_connection_that_was_closed_while_nobody_used_it_costs_no_attempt() -> None:
    """An endpoint that was started again is called on a new one."""
    peer = Peer(1, 1, leaves=True)
    async with peer.called() as runtime:
        for _ in range(2):
            peer.has_left.clear()
            await runtime.send(far())
            await runtime.idle()
            await peer.has_left.wait()

        counters = runtime.metrics().counters
        assert (peer.connections, counters.failed_attempts, counters.invocations) == (2, 0, 2)


async def test_a_connection_that_is_closed_under_a_request_costs_one_attempt() -> None:
    """The request may have been worked on, so nobody but the retry policy sends it again."""
    peer = Peer(1, 1)
    async with peer.called(
        FailurePolicy(retry=Backoff(first=timedelta(milliseconds=1)))
    ) as runtime:
        for _ in range(2):
            await runtime.send(far())
            await runtime.idle()

        counters = runtime.metrics().counters
        assert (peer.connections, counters.failed_attempts, counters.invocations) == (2, 1, 2)


async def test_an_endpoint_that_takes_requests_and_never_answers_ends_in_a_dead_letter() -> None:
    """A message that ends its endpoint looks like this, and so does a proxy before nothing."""
    peer = Peer()
    async with peer.called(
        FailurePolicy(retry=Backoff(first=timedelta(milliseconds=1), attempts=3))
    ) as runtime:
        await runtime.send(far())
        await runtime.idle()
        [letter] = await runtime.dead_letters()

    assert (letter.attempts, peer.connections) == (3, 3)


async def test_that_a_function_cannot_be_reached_is_one_line_and_that_it_can_another(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """However many addresses wait for it, and however often they try."""
    line, clock = Line(), ManualClock()
    async with Runtime(endpoints=[line], data=None, clock=clock, random=lambda: 0.0) as runtime:
        for number in range(10):
            await runtime.send(message_builder("far/a", str(number), str_value="x"))
        await until(lambda: runtime.metrics().counters.failed_attempts == 10)
        clock.advance(SECOND)
        await until(lambda: runtime.metrics().counters.failed_attempts == 20)
        line.is_up = True
        clock.advance(timedelta(seconds=10))
        await runtime.idle()

    assert caplog.messages == [
        "far/a cannot be reached, trying again until it can: nobody there",
        "far/a can be reached again",
    ]


def test_a_breaker_opens_after_some_misses_and_lets_one_through_after_each_pause() -> None:
    """Any connection closes it."""
    breaker = Breaker(threshold=2, pause_ms=100)
    let_through = []
    for now_ms in (0, 10, 20, 109, 110, 111, 209, 210):
        let_through.append(breaker.lets_through(now_ms))
        if let_through[-1]:
            breaker.ended(now_ms, is_connected=False)

    assert let_through == [True, True, False, False, True, False, False, True]
    assert breaker.ended(211, is_connected=True)
    assert (breaker.lets_through(212), breaker.ended(213, is_connected=True)) == (True, False)
