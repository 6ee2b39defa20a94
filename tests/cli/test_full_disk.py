"""A disk on which no more can be written, before a real process: it waits, goes on, or ends."""

from __future__ import annotations

import json
import sys
import time
from http.client import HTTPConnection
from typing import TYPE_CHECKING

import pytest

from tests.cli.process import Server, statefun

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="limits a process that runs")

LIMIT = 64 << 10
BIG = b"x" * (4 * LIMIT)
ENDED_WITHIN_S = 15
PROGRAM = """\
from statefun import IntType, StatefulFunctions, ValueSpec, simple_type

BYTES = simple_type("t/bytes", bytes, bytes)
functions = StatefulFunctions()


@functions.bind("t/count", specs=[ValueSpec("count", IntType), ValueSpec("last", BYTES)])
async def count(context, message):
    context.storage.count = (context.storage.count or 0) + 1
    context.storage.last = message.as_type(BYTES)
"""
MODULE = "kind: io.statefun.playground.v1/ingress\nspec: {port: 0}\n"


def run(folder: Path) -> Server:
    (folder / "program.py").write_text(PROGRAM)
    (folder / "module.yaml").write_text(MODULE)
    functions = ("--functions", "program:functions")
    return Server("run", "module.yaml", *functions, "--admin-port", "0", cwd=folder)


def put(server: Server, body: bytes, key: str) -> tuple[int, str]:
    """Send bytes to t/count 1."""
    connection = HTTPConnection(server.url("ingress").removeprefix("http://"), timeout=30)
    headers = {"Content-Type": "application/vnd.t/bytes", "Idempotency-Key": key}
    connection.request("PUT", "/t/count/1", body, headers)
    answer = connection.getresponse()
    content = answer.status, answer.read().decode()
    connection.close()
    return content


def wait_for_health(server: Server, status: int) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        connection = HTTPConnection(server.url("admin").removeprefix("http://"), timeout=30)
        connection.request("GET", "/health")
        found = connection.getresponse().status
        connection.close()
        if found == status:
            return
    raise AssertionError(f"/health did not become {status}")


def count(folder: Path) -> int:
    outcome = statefun("state", "get", "t/count", "1", "--json", cwd=folder)
    values = json.loads(outcome.out)["values"]
    return int(values["count"]["value"]) if values else 0


def until_counted(folder: Path, expected: int) -> None:
    deadline = time.monotonic() + 30
    while count(folder) != expected:
        assert time.monotonic() < deadline, f"the count is {count(folder)}, not {expected}"


def test_a_process_whose_disk_was_full_goes_on(tmp_path: Path) -> None:
    """What was refused is sent again under its key, and counts once."""
    with run(tmp_path) as server:
        before = put(server, b"", "before")
        until_counted(tmp_path, 1)
        server.limit_files(LIMIT)
        refused = [put(server, BIG, "big")[0], put(server, b"", "small")[0]]
        wait_for_health(server, 503)
        server.limit_files(-1)
        wait_for_health(server, 200)
        again = [put(server, BIG, "big")[0], put(server, b"", "small")[0]]
        until_counted(tmp_path, 3)
        code = server.stop()

    assert (before[0], refused, again, code) == (200, [503, 503], [200, 200], 0)
    assert count(tmp_path) == 3


def test_a_process_whose_disk_is_full_ends_in_time_and_says_what_is_not_stored(
    tmp_path: Path,
) -> None:
    """With exit code 1; what was answered for is there, what was not can be sent again."""
    with run(tmp_path) as server:
        put(server, b"", "before")
        until_counted(tmp_path, 1)
        server.limit_files(LIMIT)
        refused = put(server, BIG, "big")
        began = time.monotonic()
        code = server.stop()
        took_s = time.monotonic() - began
        last = server.errors().splitlines()[-1]
    after = count(tmp_path)
    with run(tmp_path) as server:
        again = put(server, BIG, "big")
        until_counted(tmp_path, 2)

    assert (refused[0], code, took_s < ENDED_WITHIN_S, after, again[0]) == (503, 1, True, 1, 200)
    assert last.startswith(
        "statefun run: not everything could be stored at the end; what was answered for is kept, "
        "and what functions have done since the last commit is done again after a start: "
    )
    assert "statefun.db cannot be used: the disk could not be read or written" in last
