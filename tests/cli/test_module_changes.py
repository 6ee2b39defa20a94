"""A module file, or an option, that is another one after a restart: what becomes of what waits."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.cli.process import Outcome, Server, statefun

if TYPE_CHECKING:
    from pathlib import Path

PROGRAM = """\
from statefun import IntType, StatefulFunctions, ValueSpec, message_builder

functions = StatefulFunctions()


@functions.bind("t/count", specs=[ValueSpec("count", IntType)])
async def count(context, message):
    if message.as_string() == "bad":
        context.send(message_builder("t/nowhere", "1", str_value="x"))
    context.storage.count = (context.storage.count or 0) + 1
"""
INGRESS = "kind: io.statefun.playground.v1/ingress\nspec: {port: 0}\n"
ENDPOINT = (
    "---\nkind: io.statefun.endpoints.v2/http\nspec: {functions: t/*, urlPathTemplate: '%s'}\n"
)
NOBODY = "http://127.0.0.1:1/statefun"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "program.py").write_text(PROGRAM)
    return tmp_path


def run(folder: Path, module: str, *options: str) -> Server:
    (folder / "module.yaml").write_text(module)
    return Server("run", "module.yaml", *options, cwd=folder)


def send(folder: Path, server: Server, value: str) -> None:
    arguments = ("send", "t/count", "1", value, "--to", server.url("ingress"))
    assert statefun(*arguments, cwd=folder).code == 0


def as_json(folder: Path, *arguments: str) -> Any:
    outcome = statefun(*arguments, "--json", cwd=folder)
    assert (outcome.code, outcome.err) == (0, "")
    return json.loads(outcome.out)


def wait_for_count(folder: Path, expected: int) -> None:
    value = {"typename": "io.statefun.types/int", "value": expected}
    for _ in range(3000):
        if as_json(folder, "state", "get", "t/count", "1") == {"values": {"count": value}}:
            return
    raise AssertionError("the messages that waited were not delivered")


def test_what_waits_goes_where_the_file_says_now(folder: Path) -> None:
    """To another URL, or to functions that have moved into the process; state stays."""
    with run(folder, INGRESS + ENDPOINT % NOBODY) as server:
        send(folder, server, "one")
        server.stop()

    with (
        Server("serve", "program:functions", "--port", "0", cwd=folder) as endpoint,
        run(folder, INGRESS + ENDPOINT % (endpoint.url("serve") + "/statefun")) as server,
    ):
        wait_for_count(folder, 1)
        server.stop()

    with run(folder, INGRESS, "--functions", "program:functions") as server:
        send(folder, server, "two")
        wait_for_count(folder, 2)


def test_a_paused_address_stays_paused_under_another_policy(folder: Path) -> None:
    """When it is released, the policy of that day decides."""
    here = ("--functions", "program:functions", "--on-failure")
    with run(folder, INGRESS, *here, "pause") as server:
        send(folder, server, "bad")
        while not as_json(folder, "paused", "list"):
            pass
        server.stop()

    with run(folder, INGRESS, *here, "dead-letter"):
        [paused] = as_json(folder, "paused", "list")
        assert as_json(folder, "dead-letters", "list") == []
        released = statefun("paused", "release", "t/count", "1", cwd=folder)
        while not as_json(folder, "dead-letters", "list"):
            pass

    assert paused["address"] == {"typename": "t/count", "id": "1"}
    assert released == Outcome(0, "released t/count '1'\n", "")
    assert as_json(folder, "paused", "list") == []


def test_another_policy_gets_past_a_message_that_stops_the_runtime(folder: Path) -> None:
    """For the one function that it is about."""
    here = ("--functions", "program:functions", "--on-failure", "fail")
    with run(folder, INGRESS, *here) as server:
        send(folder, server, "bad")
        code = server.wait()

    with run(folder, INGRESS, *here, "--on-failure", "t/count=dead-letter") as server:
        send(folder, server, "good")
        wait_for_count(folder, 1)
        stopped = server.stop()

    [letter] = as_json(folder, "dead-letters", "list")
    assert (code, stopped, letter["message"]["value"]) == (1, 0, "bad")


def test_another_policy_leaves_the_retries_of_the_file(folder: Path) -> None:
    """What is not said on the command line is as the file says."""
    retry = "  retry: {attempts: 2, first: 1 ms}\n  failureMode: fail\n"
    with Server("serve", "program:functions", "--port", "0", cwd=folder) as endpoint:
        module = (
            f"{INGRESS}---\nkind: io.statefun.endpoints.v2/http\nspec:\n  functions: t/*\n"
            f"  urlPathTemplate: {endpoint.url('serve')}/another-path\n{retry}"
        )
        with run(folder, module, "--on-failure", "t/count=pause") as server:
            send(folder, server, "x")
            while not (paused := as_json(folder, "paused", "list")):
                pass

    assert paused[0]["attempts"] == 2
