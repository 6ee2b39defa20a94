"""`statefun status`, `statefun backup`, and `statefun` alone."""

from __future__ import annotations

import asyncio
import json
import shutil
from contextlib import closing
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from statefun import (
    Context,
    IntType,
    Message,
    StatefulFunctions,
    ValueSpec,
    egress_message_builder,
    message_builder,
)
from statefun.errors import StoreError
from statefun.runtime import Backoff, FailurePolicy, Runtime
from statefun.runtime.stores.backup import back_up
from statefun.runtime.stores.sqlite import SqliteReader, SqliteStore
from tests.cli.process import statefun

if TYPE_CHECKING:
    from pathlib import Path

COUNT = [ValueSpec("count", IntType)]


def functions() -> StatefulFunctions:
    """One that counts, delays and emits; one that always fails, and one that is held then."""
    registry = StatefulFunctions()

    @registry.bind("t/count", specs=COUNT)
    async def count(context: Context, message: Message) -> None:
        context.storage.count = (context.storage.count or 0) + 1
        later = message_builder("t/count", "later", int_value=1)
        context.send_after(timedelta(days=1), later)
        context.send_egress(egress_message_builder("t/out", value=1, value_type=IntType))

    @registry.bind("t/fail")
    @registry.bind("t/hold")
    async def fail(context: Context, message: Message) -> None:
        raise ValueError("no")

    return registry


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A directory in which everything waits that can."""
    once = Backoff(attempts=1)
    policies = {
        "t/fail": FailurePolicy(retry=once),
        "t/hold": FailurePolicy("pause", retry=once),
    }

    async def fill() -> None:
        runtime = Runtime(
            functions(), data=tmp_path / ".statefun", egresses=["t/out"], failure=policies
        )
        async with runtime:
            for target, target_id in (("count", "1"), ("count", "2"), ("fail", "1"), ("hold", "1")):
                await runtime.send(message_builder(f"t/{target}", target_id, int_value=1))
            await runtime.send(message_builder("t/hold", "1", int_value=2))
            await runtime.idle()

    asyncio.run(fill())
    return tmp_path


def test_status_says_what_waits_on_one_screen(folder: Path) -> None:
    """Each number, and the command that shows more."""
    lines = statefun("status", cwd=folder).out.splitlines()

    assert lines[0] == ".statefun: no runtime is using it"
    assert lines[1:3] == [
        "messages waiting:              2  t/hold 1: 2",
        lines[2],
    ]
    assert lines[2].startswith("delayed messages:              2  next at 20")
    assert lines[3:] == [
        "dead letters:                  1  see statefun dead-letters list",
        "paused addresses:              1  see statefun paused list",
        "egress records:                2  t/out: 2",
        "state of t/count:              2  addresses",
    ]


def test_status_is_json_for_programs(folder: Path) -> None:
    """The same, under names."""
    shown = json.loads(statefun("status", "--json", cwd=folder).out)

    due = shown.pop("next_due")
    assert due.startswith("20")
    assert shown == {
        "data": ".statefun",
        "running": False,
        "messages": 2,
        "busiest": [{"typename": "t/hold", "id": "1", "messages": 2}],
        "timers": 2,
        "dead_letters": 1,
        "paused": 1,
        "egresses": {"t/out": 2},
        "functions": {"t/count": 2},
    }


def test_status_knows_whether_a_runtime_uses_the_directory(folder: Path) -> None:
    """It asks nobody to stop for that."""

    async def look() -> str:
        async with Runtime(functions(), data=folder / ".statefun", egresses=["t/out"]):
            done = await asyncio.to_thread(statefun, "status", cwd=folder)
        return done.out

    assert asyncio.run(look()).startswith(".statefun: a runtime is using it\n")


def test_status_without_a_directory_is_one_sentence(tmp_path: Path) -> None:
    """On stderr, with the exit code of a failure."""
    done = statefun("status", cwd=tmp_path)

    assert (done.code, done.out) == (1, "")
    assert "no runtime has used this directory yet" in done.err


def test_statefun_alone_prints_the_help(tmp_path: Path) -> None:
    """That is no error."""
    done = statefun(cwd=tmp_path)

    assert (done.code, done.err) == (0, "")
    assert done.out.startswith("usage: statefun")


def test_a_backup_is_a_directory_again(folder: Path) -> None:
    """Put into an empty directory as statefun.db, it has all there was."""
    done = statefun("backup", ".statefun", "copy.db", cwd=folder)
    (folder / "restored").mkdir()
    shutil.move(folder / "copy.db", folder / "restored" / "statefun.db")

    was = statefun("status", cwd=folder).out.splitlines()[1:]
    restored = statefun("status", "--data", "restored", cwd=folder).out.splitlines()[1:]
    with closing(SqliteStore(folder / ".statefun")) as old:
        content = old.recover()
    with closing(SqliteStore(folder / "restored")) as new:
        assert new.recover() == content
    assert (done.code, done.out[:32]) == (0, "copied .statefun to copy.db, " + done.out[29:32])
    assert restored == was


def test_a_backup_of_a_busy_runtime_is_what_some_commit_left(tmp_path: Path) -> None:
    """Every message of it is either waiting or counted, never both and never neither."""
    data = tmp_path / ".statefun"

    async def work() -> list[int]:
        sizes = []
        async with Runtime(functions(), data=data, egresses=["t/out"]) as runtime:
            for number in range(5):
                for _ in range(40):
                    await runtime.send(message_builder("t/count", "1", int_value=1))
                sizes.append(await asyncio.to_thread(back_up, data, tmp_path / f"{number}.db"))
        return sizes

    sizes = asyncio.run(work())

    for number, size_bytes in enumerate(sizes):
        (tmp_path / str(number)).mkdir()
        copy = (tmp_path / f"{number}.db").rename(tmp_path / str(number) / "statefun.db")
        assert copy.stat().st_size == size_bytes
        with closing(SqliteReader(tmp_path / str(number))) as reader:
            [counted] = [
                IntType.serializer().deserialize(entry.data)
                for address in reader.addresses("t/count")
                for entry in reader.load(address).values()
            ]
            summary = reader.summary()
        assert counted + summary.messages == 40 * (number + 1)
        assert summary.timers == counted


def test_a_backup_replaces_no_file(folder: Path) -> None:
    """It says so, and leaves the file as it is."""
    (folder / "copy.db").write_text("of yesterday")

    done = statefun("backup", ".statefun", "copy.db", cwd=folder)

    assert (done.code, (folder / "copy.db").read_text()) == (1, "of yesterday")
    assert "copy.db is there already and is not replaced: choose another name" in done.err


def test_a_backup_that_cannot_be_written_leaves_nothing_behind(folder: Path) -> None:
    """The sentence names the file."""
    with pytest.raises(StoreError, match=r"nowhere/copy\.db"):
        back_up(folder / ".statefun", folder / "nowhere" / "copy.db")

    assert not (folder / "nowhere").exists()
