"""A data file that is damaged in the middle: what a runtime does, and what can be saved of it."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from statefun import Context, Message, StatefulFunctions, StringType, ValueSpec, message_builder
from statefun.runtime import Runtime
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
DAMAGED = "it is damaged. Put a backup in its place, or save what the program sqlite3 can"


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
    (tmp_path / "program.py").write_text(PROGRAM)
    (tmp_path / "module.yaml").write_text(
        "kind: io.statefun.playground.v1/ingress\nspec: {port: 0}\n"
    )
    return tmp_path


def run(folder: Path, data: str) -> Server:
    return Server(
        "run", "module.yaml", "--functions", "program:functions", "--data", data, cwd=folder
    )


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
