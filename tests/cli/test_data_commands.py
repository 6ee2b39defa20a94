"""The commands about a data directory: what they print, and what they say to nonsense."""

from __future__ import annotations

import asyncio
import base64
import io
import json
import os
import subprocess
import sys
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from statefun import (
    Context,
    IntType,
    Message,
    StatefulFunctions,
    ValueSpec,
    kafka_egress_message,
    message_builder,
)
from statefun.errors import EditError
from statefun.runtime import Backoff, FailurePolicy, Runtime
from statefun.runtime.admin import edits
from statefun.runtime.admin.control import make_edit
from statefun.runtime.engine.records import (
    DeadLetter,
    Delta,
    OutboxRecord,
    PausedAddress,
    PendingMessage,
    StoredEntry,
)
from statefun.runtime.stores.sqlite import SqliteReader, SqliteStore
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
    assert "1 attempt on 'it' (t/text) from the topic orders: no" in held
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
        set_it = ("state", "set", "t/fail", "1", each, "5", "--type", "string")
        assert statefun(*set_it, cwd=folder).code == 0

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


# --- what bytes are -------------------------------------------------------------------------------

PROGRAM = """
from statefun import *
pair = simple_type("t/pair", bytes, lambda data: (data[0], data[1]))
functions = StatefulFunctions()
specs = [ValueSpec("pair", pair), ValueSpec("order", make_json_type("t/order"))]
functions.register("t/f", print, specs, accepts=[pair])
"""


def keep(folder: Path, values: dict[str, tuple[str, bytes]], letters: int = 0) -> None:
    """Put values of t/f 1 into the data directory, and so many dead letters."""
    target = Address("t/f", "1")
    (folder / "program.py").write_text(PROGRAM)
    found = {
        number: DeadLetter(
            number, target, None, encode_typed_value("t/x", b"\xff%d" % number), "no", 1, 5, 5
        )
        for number in range(1000, 1000 + letters)
    }
    entries = {(target, name): StoredEntry(*value, 5, 0) for name, value in values.items()}
    with closing(SqliteStore(folder / ".statefun")) as store:
        store.commit(Delta(5000, entries, dead_letters=found))


@pytest.mark.parametrize(
    ("data", "shown", "described"),
    [
        (b'{"a": 1}', '{"a": 1}', {"json": {"a": 1}}),
        ("Žofie\n".encode(), "'Žofie\\n'", {"text": "Žofie\n"}),
        (b"\xff\x00", "b'\\xff\\x00'", {}),
        (b"\x1b[2J", "b'\\x1b[2J'", {}),
        (b"NaN", "'NaN'", {"text": "NaN"}),
        (b"", "b''", {}),
    ],
)
def test_bytes_that_are_json_or_text_are_shown_as_such(
    folder: Path, data: bytes, shown: str, described: dict[str, Any]
) -> None:
    """And as base64 in JSON, which scripts can rely on."""
    keep(folder, {"n": ("t/own", data)})

    got = statefun("state", "get", "t/f", "1", cwd=folder).out
    told = json.loads(statefun("state", "get", "t/f", "1", "--json", cwd=folder).out)

    assert got == f"n: {shown} (t/own)\n"
    encoded = base64.b64encode(data).decode()
    assert told["values"]["n"] == {"typename": "t/own", "base64": encoded, **described}


def test_the_types_of_functions_decode_the_rest(folder: Path) -> None:
    """Those of values and those of messages that they accept."""
    keep(folder, {"pair": ("t/pair", b"\x01\x02")})
    with_functions = ("--functions", "program:functions")

    got = statefun("state", "get", "t/f", "1", *with_functions, cwd=folder).out

    assert got == "pair: (1, 2) (t/pair)\n"


def test_lists_have_pages_and_short_lines(folder: Path) -> None:
    """A hint says how to see more; a large value is not printed in a list."""
    keep(folder, {}, letters=5)
    huge = encode_typed_value("t/huge", b"x" * 3_000_000)
    with closing(SqliteStore(folder / ".statefun")) as store:
        letter = DeadLetter(2000, Address("t/f", "1"), None, huge, "y" * 9000, 1, 5, 5)
        store.commit(Delta(5000, dead_letters={2000: letter}))

    first = statefun("dead-letters", "list", "--limit", "3", cwd=folder)
    second = statefun("dead-letters", "list", "--limit", "3", "--after", "1001", cwd=folder)
    last = statefun("dead-letters", "list", "--after", "1004", cwd=folder)
    as_json = statefun("dead-letters", "list", "--after", "1004", "--json", cwd=folder)
    shown = statefun("dead-letters", "show", "2000", "--json", cwd=folder)

    assert [line.split()[0] for line in first.out.splitlines()][1:] == ["1000", "1001"]
    assert "--limit 3 --after 1001" in first.err
    assert [line.split()[0] for line in second.out.splitlines()] == ["1002", "1003", "1004"]
    assert (len(last.out) < 1000, "(3000000 bytes)" in last.out, last.err) == (True, True, "")
    assert json.loads(as_json.out)[0]["message"] == {"typename": "t/huge", "size": 3_000_000}
    assert len(base64.b64decode(json.loads(shown.out)["message"]["base64"])) == 3_000_000


# --- corrections ----------------------------------------------------------------------------------


def test_a_dead_letter_is_replayed_with_another_value(folder: Path) -> None:
    """Of the same type, unless another is named; one at a time."""
    [letter] = json.loads(statefun("dead-letters", "list", "--json", cwd=folder).out)

    both = statefun("dead-letters", "replay", "--all", "--value", "right", cwd=folder)
    done = statefun("dead-letters", "replay", str(letter["id"]), "--value", "right", cwd=folder)

    assert (both.code, "goes with one id" in both.err) == (2, True)
    assert done.out == f"replayed {letter['id']}\n"
    with closing(SqliteReader(folder / ".statefun")) as reader:
        [message] = reader.messages(Address("t/fail", "1"))
    assert message.argument == encode_typed_value("io.statefun.types/string", b"\x0a\x05right")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["ordr", "1"], "no id of t/f has a value 'ordr'; values: order"),
        (
            ["ordr", "1", "--functions", "program:functions"],
            "declares no value 'ordr'; values: pair",
        ),
        (["order", "{", "--functions", "program:functions"], "the value is not a t/order"),
        (["order", "{", "--type", "json"], "the value is not JSON"),
        (["n", "x", "--type", "int"], "'x' is not a value of io.statefun.types/int"),
    ],
)
def test_a_value_that_no_function_could_read_is_not_set(
    folder: Path, arguments: list[str], says: str
) -> None:
    """A name that is not declared, or a value that is not of its type."""
    keep(folder, {"order": ("t/order", b"{}")})

    outcome = statefun("state", "set", "t/f", "1", *arguments, cwd=folder)

    assert (outcome.code, outcome.err.count("\n")) == (2, 1)
    assert says in outcome.err


def test_a_value_is_set_as_the_type_that_is_declared_or_there(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also at an id that has none yet, by a short name, and from stdin."""
    keep(folder, {"order": ("t/order", b"{}")})
    monkeypatch.setattr("sys.stdin", io.StringIO('{"a": 1}'))
    for arguments in (
        ("-2", "order", "-"),
        ("-2", "n", "-5", "--type", "int"),
        ("-2", "pair", "ab", "--functions", "program:functions"),
    ):
        assert statefun("state", "set", "t/f", *arguments, cwd=folder).err == ""

    got = statefun("state", "get", "t/f", "-2", cwd=folder).out

    assert got.splitlines() == [
        "n: -5 (io.statefun.types/int)",
        'order: {"a": 1} (t/order)',
        "pair: 'ab' (t/pair)",
    ]


def test_a_runtime_that_runs_refuses_a_value_that_its_function_does_not_declare(
    tmp_path: Path,
) -> None:
    """As soon as the function has said what it declares."""
    (tmp_path / "program.py").write_text(PROGRAM.replace("print", "lambda c, m: None"))
    (tmp_path / "module.yaml").write_text(
        "kind: io.statefun.playground.v1/ingress\nspec: {port: 0}\n"
    )
    with Server("run", "module.yaml", "--functions", "program:functions", cwd=tmp_path) as server:
        sent = statefun("send", "t/f", "1", "x", "--to", server.url("ingress"), cwd=tmp_path)
        while (
            told := statefun("state", "set", "t/f", "1", "ordr", "1", "--type", "int", cwd=tmp_path)
        ).code == 0:
            pass

    assert (sent.code, told.code) == (0, 1)
    assert "'ordr'; registered: pair, order" in told.err


# --- egress records -------------------------------------------------------------------------------


def test_records_of_an_egress_are_listed_taken_and_dropped(folder: Path) -> None:
    """With topic and key of those that are for Kafka; nothing is forgotten before it is printed."""
    kafka = kafka_egress_message("t/kafka", topic="orders", key="k", value="tea")
    records = [
        OutboxRecord(3000, "t/out", encode_typed_value("t/text", b"first")),
        OutboxRecord(3001, "t/kafka", kafka.typed_value.SerializeToString()),
        OutboxRecord(3002, "t/out", encode_typed_value("t/text", b"third")),
    ]
    with closing(SqliteStore(folder / ".statefun")) as store:
        store.commit(Delta(5000, egress=tuple(records)))

    listed = statefun("egress", "list", cwd=folder).out.splitlines()
    of_kafka = json.loads(statefun("egress", "list", "t/kafka", "--json", cwd=folder).out)
    taken = statefun("egress", "take", "3000", cwd=folder).out
    dropped = statefun("egress", "drop", "3002", cwd=folder).out
    again = statefun("egress", "drop", "3002", cwd=folder)
    left = json.loads(statefun("egress", "take", "--all", "--json", cwd=folder).out)

    assert listed == [
        "3000  to t/out: 'first' (t/text)",
        "3001  to t/kafka, topic 'orders', key 'k': 'tea' (of no type)",
        "3002  to t/out: 'third' (t/text)",
    ]
    assert (of_kafka, left[0]["id"]) == (left, 3001)
    assert (taken, dropped) == (f"{listed[0]}\n", "dropped 3002\n")
    assert (again.code, again.err) == (
        1,
        "statefun egress: no egress record 3002 waits; nothing was changed\n",
    )
    assert json.loads(statefun("egress", "list", "--json", cwd=folder).out) == []


# --- consoles -------------------------------------------------------------------------------------


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_a_console_shows_what_it_can(folder: Path, encoding: str) -> None:
    """A character that it cannot show is escaped, and the list goes on."""
    keep(folder, {"a": ("t/own", "Žofie".encode()), "b": ("t/own", b"x")})
    command = [sys.executable, "-m", "statefun", "state", "get", "t/f", "1"]
    environment = {**os.environ, "PYTHONIOENCODING": encoding}

    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, check=True)

    name = "Žofie" if encoding == "utf-8" else "\\u017dofie"
    assert done.stdout.decode(encoding).splitlines() == [f"a: '{name}' (t/own)", "b: 'x' (t/own)"]


def test_a_closed_stdout_ends_no_list(folder: Path) -> None:
    """Nobody reads it, and nothing is wrong."""
    command = f"exec {sys.executable} -m statefun dead-letters list >&-"

    done = subprocess.run(["sh", "-c", command], cwd=folder, capture_output=True, check=False)

    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["run", "--functions", "x:y", "--data", ""], "argument --data: it is empty"),
        (["send", "t/f", "x" * 9000, "v"], "the ID has 9000 bytes"),
    ],
)
def test_what_makes_no_sense_is_one_short_sentence(
    tmp_path: Path, arguments: list[str], says: str
) -> None:
    """Before anything is opened."""
    done = statefun(*arguments, cwd=tmp_path)

    assert (done.code, done.err.count("\n"), len(done.err) < 300) == (2, 1, True)
    assert says in done.err
    assert list(tmp_path.iterdir()) == []
