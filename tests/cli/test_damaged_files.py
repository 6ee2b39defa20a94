"""A data file that is damaged in the middle: what a runtime does, and what can be saved of it."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from statefun import Context, Message, StatefulFunctions, StringType, ValueSpec, message_builder
from statefun.runtime import Runtime
from statefun.runtime.engine.records import Delta, StoredEntry
from statefun.runtime.stores.sqlite import FILE_NAME, SqliteStore
from statefun.sdk.address import Address
from tests.cli.process import Server, statefun

if TYPE_CHECKING:
    from pathlib import Path

PAGE = 4096
IDS = [f"id{number:03}" for number in range(200)]
PROGRAM = """\
from statefun import StatefulFunctions, StringType, ValueSpec

functions = StatefulFunctions()


@functions.bind("t/keep", specs=[ValueSpec("text", StringType)])
async def keep(context, message):
    context.storage.text = message.as_string()
"""
DAMAGED = (
    "it is damaged. Put a backup in its place, with statefun.db-wal and statefun.db-shm moved "
    "away, or save what can be saved: docs/embedded-runtime.md, 'A damaged file', says how"
)


async def keep(context: Context, message: Message) -> None:
    context.storage.text = message.as_string()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """State of 200 addresses, and in the middle of it a page that was written over."""
    functions = StatefulFunctions()
    functions.register("t/keep", keep, specs=[ValueSpec("text", StringType)])

    async def fill() -> None:
        async with Runtime(functions, data=tmp_path / ".statefun", durability="normal") as runtime:
            for each in IDS:
                await runtime.send(message_builder("t/keep", each, str_value="x" * 800))
            await runtime.idle()

    asyncio.run(fill())
    file = tmp_path / ".statefun" / "statefun.db"
    content = file.read_bytes()
    page = content.index(b"id100textio.statefun") // PAGE * PAGE
    file.write_bytes(content[:page] + b"\xa5" * 3000 + content[page + 3000 :])
    write_program(tmp_path)
    return tmp_path


def write_program(folder: Path) -> None:
    (folder / "program.py").write_text(PROGRAM)
    module = "kind: io.statefun.playground.v1/ingress\nspec: {port: 0}\n"
    (folder / "module.yaml").write_text(module)


def damage_free_pages(path: Path) -> None:
    """Write over the page that lists the free ones, which is read when something is stored."""
    content = path.read_bytes()
    page = int.from_bytes(content[32:36]) - 1
    assert page > 0, "there is no free page"
    path.write_bytes(content[: page * PAGE] + b"\xa5" * PAGE + content[(page + 1) * PAGE :])


def run(folder: Path, data: str, *options: str) -> Server:
    return Server(*command(data), *options, cwd=folder)


def command(data: str) -> tuple[str, ...]:
    return "run", "module.yaml", "--functions", "program:functions", "--data", data


def send(folder: Path, server: Server, ids: list[str]) -> list[int]:
    """The codes of sending a message to each."""
    to = ("--to", server.url("ingress"))
    return [statefun("send", "t/keep", each, "y", *to, cwd=folder).code for each in ids]


def send_and_stop(folder: Path, server: Server, ids: list[str]) -> None:
    """Let it work off a message to each."""
    assert set(send(folder, server, ids)) == {0}
    while not set(ids) <= set(kept(folder)):
        pass
    assert server.stop() == 0


def kept(folder: Path) -> list[str]:
    return statefun("state", "list", "t/keep", cwd=folder).out.splitlines()


def fill_and_kill(folder: Path, ids: list[str]) -> Path:
    """The data directory of a process that had worked off a message to each, and was killed."""
    write_program(folder)
    with run(folder, ".statefun") as server:
        assert set(send(folder, server, ids)) == {0}
        while not set(ids) <= set(kept(folder)):
            pass
    return folder / ".statefun"


def test_a_runtime_that_meets_the_damage_acknowledges_nothing_more(folder: Path) -> None:
    """It says why, and never goes on as if a value were not there."""
    listed = statefun("state", "list", "t/keep", cwd=folder)
    refused = []
    with run(folder, ".statefun") as server:
        for each in IDS:
            sent = statefun("send", "t/keep", each, "y", "--to", server.url("ingress"), cwd=folder)
            if sent.code:
                refused.append(each)
        errors = server.errors()

    assert (listed.code, listed.out) == (1, "")
    assert DAMAGED in listed.err
    assert DAMAGED in errors
    assert refused == IDS[IDS.index(refused[0]) :]


def test_a_commit_that_meets_the_damage_stops_the_runtime(tmp_path: Path) -> None:
    """Nothing of it is acknowledged, nothing is tried again, and the process says where to look."""
    write_program(tmp_path)
    data = tmp_path / ".statefun"
    with closing(SqliteStore(data)) as store:
        entry = StoredEntry(StringType.typename, b"x" * 2000, 0)
        values = {(Address("t/gone", each), "n"): entry for each in IDS}
        store.commit(Delta(2, values=values))
        store.commit(Delta(2, values=dict.fromkeys(values)))
    damage_free_pages(data / FILE_NAME)

    codes = []
    with run(tmp_path, ".statefun") as server:
        to = ("--to", server.url("ingress"))
        for each in IDS:
            codes.append(statefun("send", "t/keep", each, "y" * 4000, *to, cwd=tmp_path).code)
            if codes[-1]:
                break
        code = server.wait()
        errors = server.errors().splitlines()
    kept = statefun("state", "list", "t/keep", cwd=tmp_path).out.splitlines()

    assert (code, codes[-1]) == (1, 1)
    assert DAMAGED in errors[-1]
    assert errors[-1].startswith("statefun run: ")
    assert [line for line in errors if "trying again" in line] == []
    assert set(kept) <= set(IDS[: len(codes) - 1])


@pytest.mark.skipif(shutil.which("sqlite3") is None, reason="needs the program sqlite3")
def test_what_is_not_damaged_can_be_saved(folder: Path) -> None:
    """By the commands that the documents name; the runtime goes on with what they saved."""
    commands = """
        sqlite3 .statefun/statefun.db .dump | sed 's/^ROLLBACK.*/COMMIT;/' | sqlite3 saved.db
        version=$(sqlite3 .statefun/statefun.db 'PRAGMA user_version')
        sqlite3 saved.db "PRAGMA user_version = $version"
        mkdir saved && mv saved.db saved/statefun.db
    """
    subprocess.run(["sh", "-c", commands], cwd=folder, check=True, capture_output=True)

    saved = statefun("state", "list", "t/keep", "--data", "saved", cwd=folder).out.splitlines()
    with run(folder, "saved") as server:
        to = ("--to", server.url("ingress"))
        codes = [statefun("send", "t/keep", each, "y", *to, cwd=folder).code for each in IDS[:3]]

    assert set(saved) < set(IDS)
    assert len(saved) > len(IDS) * 3 // 4
    assert codes == [0, 0, 0]


def test_a_backup_comes_back_as_it_was_though_a_killed_process_left_its_log(tmp_path: Path) -> None:
    """If the log is moved away with the file; whoever forgets that is told."""
    data = fill_and_kill(tmp_path, IDS[:2])
    with closing(SqliteStore(data)):
        pass  # stopped as it should be: the log is in the file
    shutil.copy(data / FILE_NAME, tmp_path / "backup.db")
    fill_and_kill(tmp_path, IDS[2:4])
    os.truncate(data / FILE_NAME, 100)

    cut = statefun(*command(".statefun"), cwd=tmp_path)
    (data / FILE_NAME).unlink()
    forgotten = statefun(*command(".statefun"), cwd=tmp_path)
    for each in data.glob("statefun.db-*"):
        each.rename(tmp_path / each.name)
    shutil.copy(tmp_path / "backup.db", data / FILE_NAME)
    with run(tmp_path, ".statefun") as server:
        send_and_stop(tmp_path, server, IDS[4:5])

    assert (cut.code, forgotten.code) == (1, 1)
    assert cut.err == (
        "statefun run: .statefun/statefun.db was cut off, it has 100 bytes: what it held is lost. "
        "Move it away, with statefun.db-wal and statefun.db-shm; then put a backup in its place, "
        "or begin with nothing\n"
    )
    assert "there is no .statefun/statefun.db, but there is statefun.db-wal" in forgotten.err
    assert kept(tmp_path) == [*IDS[:2], IDS[4]]


def test_after_a_flipped_bit_in_the_log_a_process_starts_only_when_it_is_told_to(
    tmp_path: Path,
) -> None:
    """Until then nothing is lost but what the bit took along; afterwards it needs no telling."""
    log = fill_and_kill(tmp_path, IDS[:12]) / f"{FILE_NAME}-wal"
    content = bytearray(log.read_bytes())
    content[len(content) // 3] ^= 1
    log.write_bytes(content)

    refused = [statefun(*command(".statefun"), cwd=tmp_path) for _ in range(2)]
    is_left_alone = log.read_bytes() == content
    with run(tmp_path, ".statefun", "--durability", "normal") as server:
        send_and_stop(tmp_path, server, IDS[20:21])
    with run(tmp_path, ".statefun") as server:
        send_and_stop(tmp_path, server, IDS[21:22])
    *before, latest, last = kept(tmp_path)

    assert [each.code for each in refused] == [1, 1]
    assert all("statefun.db-wal is damaged near byte" in each.err for each in refused)
    assert is_left_alone
    assert [latest, last] == IDS[20:22]
    assert before == IDS[: len(before)]
    assert 0 < len(before) < 12


@pytest.mark.parametrize("how", ["directory removed", "file replaced"])
def test_a_runtime_whose_file_is_removed_or_replaced_acknowledges_nothing_more(
    tmp_path: Path, how: str
) -> None:
    """It ends and says why; what was put in the place of the file stays as it is."""
    data = fill_and_kill(tmp_path, IDS[:1])
    with run(tmp_path, ".statefun") as server:
        if how == "directory removed":
            shutil.rmtree(data)
        else:
            (tmp_path / "backup.db").write_bytes(b"of yesterday")
            (tmp_path / "backup.db").rename(data / FILE_NAME)

        sent = send(tmp_path, server, IDS[1:2])
        code = server.wait()
        errors = server.errors().splitlines()

    assert (sent, code) == ([1], 1)
    assert errors[-1] == (
        "statefun run: .statefun/statefun.db was removed or replaced while it was in use, and "
        "takes no more commits. Put it back; or put a backup in its place, with statefun.db-wal "
        "and statefun.db-shm moved away"
    )
    if how == "directory removed":
        assert not data.exists()
    else:
        assert (data / FILE_NAME).read_bytes() == b"of yesterday"
