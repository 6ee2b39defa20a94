"""Readers of the HTTP egress that are killed, and a runtime that is: no record is lost."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from http.client import HTTPConnection
from typing import TYPE_CHECKING
from urllib.request import Request, urlopen

import pytest

from tests.cli.process import Server

if TYPE_CHECKING:
    from pathlib import Path

PROGRAM = """\
import json

from statefun import StatefulFunctions, egress_message_builder
from statefun.sdk.types import make_json_type

functions = StatefulFunctions()
RECORD = make_json_type("io.statefun.playground/EgressRecord")


@functions.bind("t/tell")
async def tell(context, message):
    record = {"topic": "told", "payload": message.as_string()}
    context.send_egress(
        egress_message_builder("io.statefun.playground/egress", value=record, value_type=RECORD)
    )
"""
MODULE = """\
kind: io.statefun.playground.v1/ingress
spec: {port: 0}
---
kind: io.statefun.playground.v1/egress
spec: {port: 0, topics: [told]}
"""
READER = """\
import os, signal, sys
from urllib.request import urlopen

with urlopen(sys.argv[1]) as answer:
    print(answer.headers["Record-Id"], answer.read().decode(), flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""
RECORDS = 20


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "program.py").write_text(PROGRAM)
    (tmp_path / "module.yaml").write_text(MODULE)
    return tmp_path


def run(folder: Path) -> Server:
    return Server("run", "module.yaml", "--functions", "program:functions", cwd=folder)


def tell(server: Server, count: int) -> None:
    connection = HTTPConnection(server.url("ingress").removeprefix("http://"))
    headers = {"Content-Type": "application/vnd.io.statefun.types/string"}
    for number in range(count):
        body = bytes([10, len(str(number))]) + str(number).encode()
        connection.request("PUT", f"/t/tell/{number}", body, headers)
        assert connection.getresponse().read() == b""
    connection.close()


def killed_reader(url: str) -> list[str]:
    """Id and value of a record that a reader got, which was killed before it could say so."""
    command = [sys.executable, "-c", READER, url]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr
    return done.stdout.split()


def read_all(url: str, count: int) -> dict[str, str]:
    """Take and acknowledge records until there are so many; id → value."""
    taken: dict[str, str] = {}
    while len(taken) < count:
        with urlopen(f"{url}/told?ack=explicit&wait=30s&max=7") as answer:
            records = json.loads(answer.read())
        for record in records:
            assert record["id"] not in taken
            taken[record["id"]] = record["value"]
            deletion = Request(f"{url}/told/{record['id']}", method="DELETE")
            with urlopen(deletion) as answer:
                assert answer.status == 204
    return taken


def test_what_killed_readers_had_leased_comes_again_with_its_id(folder: Path) -> None:
    """A reader that dies between the answer and its acknowledgement loses nothing."""
    with run(folder) as server:
        tell(server, RECORDS)
        url = server.url("egress")
        lost = [killed_reader(f"{url}/told?ack=explicit&lease=300ms&wait=30s") for _ in range(3)]

        taken = read_all(url, RECORDS)

    assert sorted(taken.values(), key=int) == [str(each) for each in range(RECORDS)]
    assert all(taken[record_id] == value for record_id, value in lost)


def test_what_was_leased_when_the_runtime_was_killed_comes_again_with_its_id(folder: Path) -> None:
    """And what was acknowledged and is durable does not."""
    with run(folder) as server:
        tell(server, RECORDS)
        url = server.url("egress")
        leased = killed_reader(f"{url}/told?ack=explicit&lease=1m&wait=30s")
        early = read_all(url, 3)
        server.kill()

    with run(folder) as server:
        late: dict[str, str] = {}
        while len({*early.values(), *late.values()}) < RECORDS:
            late |= read_all(server.url("egress"), 1)

    assert late[leased[0]] == leased[1]
    assert all(early[each] == late[each] for each in early.keys() & late.keys())
