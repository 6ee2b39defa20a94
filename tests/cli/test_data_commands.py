"""The commands about a data directory: what they print, and what they say to nonsense."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from statefun import Context, IntType, Message, StatefulFunctions, ValueSpec, message_builder
from statefun.errors import EditError
from statefun.runtime import Backoff, FailurePolicy, Runtime
from statefun.runtime.admin import edits
from statefun.runtime.admin.control import make_edit
from statefun.runtime.engine.records import (
    DeadLetter,
    Delta,
    PausedAddress,
    PendingMessage,
    StoredEntry,
)
from statefun.runtime.stores.sqlite import SqliteStore
from statefun.sdk.address import Address
from statefun.sdk.wire import encode_typed_value
from tests.cli.process import Outcome, Server, statefun

if TYPE_CHECKING:
    from pathlib import Path

HUGE = str(1 << 63)


async def fail(_: Context, message: Message) -> None:
    raise ValueError(f"\x1b[31m{message.as_string()}\n  is \t bad")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where a function failed once on a message, with an error of two lines."""
    functions = StatefulFunctions()
    functions.register("t/fail", fail, specs=[ValueSpec("count", IntType)])
    failure = FailurePolicy(retry=Backoff(attempts=1))

    async def send() -> None:
        async with Runtime(functions, data=tmp_path / ".statefun", failure=failure) as runtime:
            await runtime.send(message_builder("t/fail", "1", str_value="it"))
            await runtime.idle()

    asyncio.run(send())
    return tmp_path


def test_a_list_has_one_line_for_each_thing_whatever_is_in_it(folder: Path) -> None:
    """An error may have lines and control characters, which a terminal would obey."""
    [letter] = json.loads(statefun("dead-letters", "list", "--json", cwd=folder).out)

    listed = statefun("dead-letters", "list", cwd=folder).out
    shown = statefun("dead-letters", "show", str(letter["id"]), cwd=folder).out

    error = (
        "t/fail '1' failed on message 1 of 1 (type 'io.statefun.types/string'): ValueError: "
        "\\x1b[31mit is bad"
    )
    what = "to t/fail '1': 'it' (io.statefun.types/string), 1 attempt"
    assert listed == f"{letter['id']}  {letter['last_failed']}  {what}: {error}\n"
    assert f"\nerror: {error}\n" in shown


@pytest.mark.parametrize(
    "arguments",
    [
        ("dead-letters", "show", HUGE),
        ("dead-letters", "replay", HUGE),
        ("dead-letters", "drop", "1" * 5000),
        ("timers", "cancel", HUGE),
    ],
    ids=lambda arguments: arguments[1],
)
def test_a_number_beyond_all_ids_is_no_id(arguments: tuple[str, ...], folder: Path) -> None:
    """It is refused as what it is, before anybody is asked."""
    outcome = statefun(*arguments, cwd=folder)

    command = f"statefun {arguments[0]} {arguments[1]}"
    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err.startswith(f"{command}: argument ID: ")
    assert "is not an id: write a number that 'list' shows" in outcome.err


def test_the_topic_of_a_message_is_shown_if_it_has_one(folder: Path) -> None:
    """With a dead letter, and with the message for which an address is paused."""
    target, argument = Address("t/fail", "2"), encode_typed_value("t/text", b"it")
    letter = DeadLetter(50, target, None, argument, "no", 1, 5, 5, "orders")
    with closing(SqliteStore(folder / ".statefun")) as store:
        store.commit(
            Delta(
                60,
                messages=(PendingMessage(None, argument, target, 51, "orders"),),
                dead_letters={50: letter},
                paused={target: PausedAddress(target, "no", 1, 5, 5)},
            )
        )

    without, letter_shown = json.loads(statefun("dead-letters", "list", "--json", cwd=folder).out)
    [paused] = json.loads(statefun("paused", "list", "--json", cwd=folder).out)
    lines = statefun("dead-letters", "show", "50", cwd=folder).out.splitlines()
    listed = statefun("dead-letters", "list", cwd=folder).out.splitlines()
    held = statefun("paused", "list", cwd=folder).out

    assert "topic" not in without
    assert (letter_shown["topic"], paused["topic"]) == ("orders", "orders")
    assert "topic: orders" in lines
    assert "(t/text) from the topic orders, 1 attempt: no" in listed[1]
    assert "1 attempt on b'it' (t/text) from the topic orders: no" in held
    assert "topic" not in listed[0]


def test_a_message_that_cannot_be_decoded_is_shown_as_its_bytes(folder: Path) -> None:
    """One that is no TypedValue hides neither itself nor the others."""
    target, argument = Address("t/fail", "2"), b"\xffit"
    with closing(SqliteStore(folder / ".statefun")) as store:
        store.commit(
            Delta(
                60,
                messages=(PendingMessage(None, argument, target, 51),),
                dead_letters={50: DeadLetter(50, target, None, argument, "no", 1, 5, 5)},
                paused={target: PausedAddress(target, "no", 1, 5, 5)},
            )
        )

    described = [
        json.loads(statefun(command, "list", "--json", cwd=folder).out)[-1]["message"]
        for command in ("dead-letters", "paused")
    ]
    first, second = statefun("dead-letters", "list", cwd=folder).out.splitlines()
    held = statefun("paused", "list", cwd=folder).out
    lines = statefun("dead-letters", "show", "50", cwd=folder).out.splitlines()

    assert described == [{"typename": "", "base64": "/2l0"}] * 2
    assert "to t/fail '1': 'it' (io.statefun.types/string), 1 attempt" in first
    assert "to t/fail '2': b'\\xffit' (of no type), 1 attempt: no" in second
    assert "1 attempt on b'\\xffit' (of no type): no" in held
    assert "message: b'\\xffit' (of no type)" in lines


def test_a_value_without_a_name_is_not_set(folder: Path) -> None:
    """No function could read it."""
    outcome = statefun("state", "set", "t/fail", "1", "", "5", cwd=folder)

    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err.startswith("statefun state set: argument NAME: it is empty")


def test_names_and_ids_that_are_no_plain_words_are_quoted(folder: Path) -> None:
    """They can be told from what stands around them."""
    name, plain = "a, b\x1b", "café"
    for each in (name, plain):
        assert statefun("state", "set", "t/fail", "1", each, "5", cwd=folder).code == 0

    got = statefun("state", "get", "t/fail", "1", cwd=folder)
    deleted = statefun("state", "delete", "t/fail", "1", cwd=folder)

    kind = "'5' (io.statefun.types/string)"
    assert got == Outcome(0, f"'a, b\\x1b': {kind}\ncafé: {kind}\n", "")
    assert deleted == Outcome(0, "deleted 'a, b\\x1b', café\n", "")


def test_the_functions_that_have_values_are_listed(folder: Path) -> None:
    """Without knowing the name of any; not those whose values have all expired."""
    with closing(SqliteStore(folder / ".statefun")) as store:
        store.commit(Delta(60, {(Address("t/old", "1"), "n"): StoredEntry("t/text", b"", 5, 1)}))
    before = statefun("state", "list", cwd=folder)
    assert statefun("state", "set", "t/fail", "", "count", "5", cwd=folder).code == 0

    assert statefun("state", "list", cwd=folder) == Outcome(0, "t/fail\n", "")
    assert json.loads(statefun("state", "list", "--json", cwd=folder).out) == ["t/fail"]
    assert (before.code, before.out) == (0, "")
    assert before.err.startswith("statefun state: no function has values in .statefun. Check the")


def test_where_there_are_no_values_a_reader_is_told_so(folder: Path) -> None:
    """Nothing on stdout is right for a script, and no answer for a reader."""
    known, unknown = ("t/fail", "1"), ("t/fial", "1")

    got = [statefun("state", "get", *address, cwd=folder) for address in (known, unknown)]
    listed = statefun("state", "list", unknown[0], cwd=folder)
    as_json = statefun("state", "get", *unknown, "--json", cwd=folder)

    spelling = "Check the spelling, and the name of the data directory\n"
    assert got == [
        Outcome(0, "", f"statefun state: {typename} '1' has no values in .statefun. {spelling}")
        for typename in (known[0], unknown[0])
    ]
    assert listed == Outcome(
        0, "", f"statefun state: no id of t/fial has values in .statefun. {spelling}"
    )
    assert as_json == Outcome(0, '{\n  "values": {}\n}\n', "")


def test_an_edit_that_cannot_be_done_is_answered_by_a_runtime_that_runs(folder: Path) -> None:
    """Also one that no command would send: nobody waits for an answer in vain."""
    (folder / "program.py").write_text(
        "from statefun import StatefulFunctions\nfunctions = StatefulFunctions()\n"
    )
    (folder / "module.yaml").write_text(
        "kind: io.statefun.playground.v1/ingress\nspec: {port: 0}\n"
    )
    with (
        Server("run", "module.yaml", "--functions", "program:functions", cwd=folder),
        pytest.raises(EditError, match="there is no dead letter 1180591620717411303424"),
    ):
        make_edit(folder / ".statefun", edits.Drop([1 << 70]), 0)


def test_a_directory_that_was_removed_is_named(tmp_path: Path) -> None:
    """A shell may stand in a directory that is gone."""
    gone = tmp_path / "gone"
    gone.mkdir()
    command = f'cd {gone} && rmdir {gone} && exec "{{}}" -m statefun {{}} a:b'

    for arguments in ("serve", "run --functions"):
        done = subprocess.run(
            ["sh", "-c", command.format(sys.executable, arguments)],
            capture_output=True,
            text=True,
            check=False,
        )
        gone.mkdir()

        assert (done.returncode, done.stdout) == (1, "")
        assert "the current directory is gone" in done.stderr
