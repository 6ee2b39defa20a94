"""The commands that edit: dead letters, paused addresses, values and timers, on a real process."""

from __future__ import annotations

import json
import re
from http.client import HTTPConnection
from typing import TYPE_CHECKING, Any

import pytest

from tests.cli.process import Server, statefun

if TYPE_CHECKING:
    from pathlib import Path

PROGRAM = """\
from datetime import timedelta
from pathlib import Path

from statefun import IntType, StatefulFunctions, ValueSpec, message_builder

functions = StatefulFunctions()


@functions.bind("t/count", specs=[ValueSpec("count", IntType)])
async def count(context, message):
    if message.as_string() == "bad" and not Path("mended").exists():
        context.send(message_builder("t/nowhere", "1", str_value="x"))
    if message.as_string() == "raise":
        raise ValueError("no money")
    if message.as_string() == "later":
        context.send_after(timedelta(hours=1), message_builder("t/count", "1", str_value="x"))
    context.storage.count = (context.storage.count or 0) + 1
"""
MODULE = "kind: io.statefun.playground.v1/ingress\nspec: {port: 0}\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "program.py").write_text(PROGRAM)
    (tmp_path / "module.yaml").write_text(MODULE)
    return tmp_path


def run(folder: Path, *options: str) -> Server:
    functions = ("--functions", "program:functions")
    return Server("run", "module.yaml", *functions, *options, cwd=folder)


def done(folder: Path, *arguments: str) -> str:
    outcome = statefun(*arguments, cwd=folder)
    assert (outcome.code, outcome.err) == (0, "")
    return outcome.out


def as_json(folder: Path, *arguments: str) -> Any:
    return json.loads(done(folder, *arguments, "--json"))


def put(server: Server, value: str, key: str | None = None) -> tuple[int, str]:
    """Send a string to t/count 1."""
    connection = HTTPConnection(server.url("ingress").removeprefix("http://"))
    headers = {"Content-Type": "application/vnd.io.statefun.types/string"}
    if key is not None:
        headers["Idempotency-Key"] = key
    body = bytes([10, len(value)]) + value.encode()
    connection.request("PUT", "/t/count/1", body, headers)
    answer = connection.getresponse()
    content = answer.status, answer.read().decode()
    connection.close()
    return content


def count(folder: Path) -> int | None:
    values = as_json(folder, "state", "get", "t/count", "1")["values"]
    return values["count"]["value"] if values else None


def wait_for_count(folder: Path, expected: int) -> None:
    """The message behind is acknowledged before it is worked on."""
    for _ in range(3000):
        if count(folder) == expected:
            return
    raise AssertionError(f"the count is {count(folder)}, not {expected}")


def test_dead_letters_are_listed_shown_replayed_and_dropped(folder: Path) -> None:
    """While the runtime runs; a replayed message is delivered once the function is mended."""
    with run(folder) as server:
        for value in ("bad", "good", "bad"):
            put(server, value)
        wait_for_count(folder, 1)
        while len(letters := as_json(folder, "dead-letters", "list")) < 2:
            pass
        first, second = letters
        shown = as_json(folder, "dead-letters", "show", str(first["id"]))
        (folder / "mended").touch()
        replayed = as_json(folder, "dead-letters", "replay", str(first["id"]))
        wait_for_count(folder, 2)
        dropped = as_json(folder, "dead-letters", "drop", "--all")
        left = as_json(folder, "dead-letters", "list")

    assert shown == first
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", first.pop("first_failed"))
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", first.pop("last_failed"))
    assert "sent a message to" in first.pop("error")
    assert first == {
        "id": first["id"],
        "address": {"typename": "t/count", "id": "1"},
        "message": {"typename": "io.statefun.types/string", "value": "bad"},
        "caller": None,
        "attempts": 1,
    }
    assert (replayed, dropped) == ({"replayed": [first["id"]]}, {"dropped": [second["id"]]})
    assert left == []


def test_a_dead_letter_shows_where_in_the_code_its_function_failed(folder: Path) -> None:
    """The user's file and line; the log names the letter and the command that shows it."""
    (folder / "program.py").write_text(
        PROGRAM.replace('ValueError("no money")', 'DoNotRetryError("no money")').replace(
            "from statefun import",
            "from statefun.errors import DoNotRetryError\nfrom statefun import",
        )
    )
    with run(folder) as server:
        put(server, "raise")
        put(server, "good")
        wait_for_count(folder, 1)
        [letter] = as_json(folder, "dead-letters", "list")
        shown = done(folder, "dead-letters", "show", str(letter["id"]))
        server.stop()
        log = server.errors()

    line = 1 + (folder / "program.py").read_text().splitlines().index(
        '        raise DoNotRetryError("no money")'
    )
    place = f"{folder / 'program.py'}:{line} in count"
    assert (letter["attempts"], letter["traceback"]) == (1, [place])
    assert shown.splitlines()[-1] == f"  at {place}"
    assert f"statefun dead-letters show {letter['id']}" in log
    assert f'program.py", line {line}, in count' in log


def test_a_stopped_runtime_is_mended_by_the_same_commands(folder: Path) -> None:
    """What was changed is there when it starts again."""
    with run(folder) as server:
        for value in ("bad", "later", "later"):
            put(server, value)
        wait_for_count(folder, 2)
        server.stop()
    [letter] = as_json(folder, "dead-letters", "list")
    timers = [timer["id"] for timer in as_json(folder, "timers", "list")]
    (folder / "mended").touch()

    outputs = [
        done(folder, "dead-letters", "replay", "--all"),
        done(folder, "state", "set", "t/count", "1", "count", "40"),
        done(folder, "timers", "cancel", str(timers[0])),
    ]
    with run(folder):
        wait_for_count(folder, 41)
        left = [timer["id"] for timer in as_json(folder, "timers", "list")]
        outputs.append(done(folder, "state", "delete", "t/count", "1"))
        assert count(folder) is None

    assert outputs == [
        f"replayed {letter['id']}\n",
        "set count\n",
        f"cancelled {timers[0]}\n",
        "deleted count\n",
    ]
    assert left == timers[1:]


def test_a_policy_may_be_for_one_function_alone(folder: Path) -> None:
    """It goes before the one for all functions of the process."""
    options = ("--on-failure", "t/*=drop", "--on-failure", "t/count=pause", "--on-failure", "fail")
    with run(folder, *options) as server:
        put(server, "bad")
        while not as_json(folder, "paused", "list"):
            pass

        assert server.stop() == 0


@pytest.mark.parametrize(
    ("policy", "code", "error"),
    [
        (
            "explode",
            2,
            "argument --on-failure: 'explode' is not a policy: write one of dead-letter,",
        ),
        (
            "t/count=",
            2,
            "argument --on-failure: 't/count=' is not a policy: write one of dead-letter,",
        ),
        ("count=pause", 2, "argument --on-failure: typename 'count' is not of the form"),
        (
            "t/cuont=pause",
            1,
            "--on-failure names 't/cuont', and no function is: write one of t/count",
        ),
    ],
)
def test_a_policy_for_nothing_is_refused(folder: Path, policy: str, code: int, error: str) -> None:
    """A slip would leave the default in force unnoticed."""
    outcome = statefun(
        "run", "module.yaml", "--functions", "program:functions", "--on-failure", policy, cwd=folder
    )

    assert (outcome.code, outcome.out) == (code, "")
    assert outcome.err.startswith(f"statefun run: {error}")
    assert len(outcome.err.splitlines()) == 1


def test_paused_addresses_are_listed_and_released(folder: Path) -> None:
    """With the message that failed, and how many wait in all; running or not."""
    with run(folder, "--on-failure", "pause") as server:
        for value in ("good", "bad", "good"):
            put(server, value)
        while not (paused := as_json(folder, "paused", "list")):
            pass
        server.stop()
    stopped = as_json(folder, "paused", "list")
    line = done(folder, "paused", "list")
    (folder / "mended").touch()
    with run(folder, "--on-failure", "pause"):
        released = done(folder, "paused", "release", "t/count", "1")
        wait_for_count(folder, 3)
        left = as_json(folder, "paused", "list")

    [entry] = stopped
    assert [each["address"] for each in paused] == [entry["address"]]
    assert line.startswith("t/count '1'  ")
    assert "2 waiting, 1 attempt on 'bad' (io.statefun.types/string): t/count '1' sent" in line
    assert {key: entry[key] for key in ("address", "message", "caller", "waiting", "attempts")} == {
        "address": {"typename": "t/count", "id": "1"},
        "message": {"typename": "io.statefun.types/string", "value": "bad"},
        "caller": None,
        "waiting": 2,
        "attempts": 1,
    }
    assert (released, left) == ("released t/count '1'\n", [])


def test_an_idempotency_key_holds_over_a_kill(folder: Path) -> None:
    """The same request again is acknowledged and counts once; another one is refused."""
    with run(folder) as server:
        answers = [put(server, "x", "K"), put(server, "x", "K")]
        server.kill()
    with run(folder) as server:
        answers += [put(server, "x", "K"), put(server, "y", "K"), put(server, "y", "L")]
        wait_for_count(folder, 2)

    assert [status for status, _ in answers] == [200, 200, 200, 409, 200]


def test_a_message_may_be_sent_with_a_key(folder: Path) -> None:
    """Then it is safe to send it again, whatever became of the answer."""
    with run(folder) as server:
        to = ("t/count", "1", "x", "--to", server.url("ingress"), "--key")
        codes = [statefun("send", *to, key, cwd=folder).code for key in ("K", "K", "ü")]
        wait_for_count(folder, 2)
        no_key = statefun("send", *to, "a\nb", cwd=folder)

    assert codes == [0, 0, 0]
    assert no_key.code == 2
    assert no_key.err.startswith("statefun send: argument --key: 'a\\nb' cannot be a key")


@pytest.mark.parametrize(
    ("arguments", "code", "line"),
    [
        (
            ["dead-letters", "show", "7"],
            1,
            "there is no dead letter 7 in .statefun: 'statefun dead",
        ),
        (["dead-letters", "drop", "7"], 1, "there is no dead letter 7; nothing was changed"),
        (["dead-letters", "replay"], 2, "name one or more ids that 'list' shows, or pass --all"),
        (["dead-letters", "replay", "7", "--all"], 2, "name one or more ids that 'list' shows"),
        (["paused", "release"], 2, "name one address as NS/TYPE ID, or pass --all, and not both"),
        (["paused", "release", "t/a"], 2, "name one address as NS/TYPE ID, or pass --all"),
        (["paused", "release", "t/a", "1"], 1, "t/a '1' is not paused; nothing was changed"),
        (["timers", "cancel", "7"], 1, "no delayed message 7 waits; nothing was changed"),
        (["state", "delete", "t/a", "1", "n"], 1, "t/a '1' has no value 'n'; values: none."),
        (
            ["state", "set", "t/a", "1", "n", "x", "--type", "io.statefun.types/int"],
            2,
            "'x' is not a value of io.statefun.types/int: write a whole number",
        ),
    ],
)
def test_what_cannot_be_done_is_one_line(
    folder: Path, arguments: list[str], code: int, line: str
) -> None:
    """On stderr, with the exit code."""
    with run(folder):
        pass

    outcome = statefun(*arguments, cwd=folder)

    assert (outcome.code, outcome.out) == (code, "")
    assert outcome.err.startswith(f"statefun {arguments[0]}: {line}")
    assert outcome.err.count("\n") == 1


def test_a_value_keeps_its_type_when_it_is_set(folder: Path) -> None:
    """That of another id, where there is none; one of a new name needs its type."""
    with run(folder) as server:
        put(server, "x")
        wait_for_count(folder, 1)
        outcomes = [
            statefun("state", "set", "t/count", "1", "count", "5", cwd=folder),
            statefun("state", "set", "t/count", "1", "count", "five", cwd=folder),
            statefun("state", "set", "t/count", "2", "count", "6", cwd=folder),
            statefun("state", "set", "t/count", "2", "name", "five", cwd=folder),
        ]
        values = as_json(folder, "state", "get", "t/count", "2")["values"]

    assert [outcome.code for outcome in outcomes] == [0, 2, 0, 2]
    assert [outcome.err for outcome in outcomes if outcome.code] == [
        "statefun state: 'five' is not a value of io.statefun.types/int: write a whole number\n",
        (
            "statefun state: no id of t/count has a value 'name'; values: count. Correct the name, "
            "or say what it is with --type\n"
        ),
    ]
    assert values == {"count": {"typename": "io.statefun.types/int", "value": 6}}
