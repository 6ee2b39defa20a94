"""A deploy that changes types of values, on real processes: what is told, waits, and is mended."""

from __future__ import annotations

import json
from contextlib import closing
from http.client import HTTPConnection
from itertools import count
from typing import TYPE_CHECKING, Any

import pytest

from statefun.runtime.engine.records import Delta, StoredEntry
from statefun.runtime.stores.sqlite import SqliteStore
from statefun.sdk.address import Address
from statefun.sdk.primitives import IntType, LongType, StringType
from tests.cli.process import Outcome, Server, statefun

if TYPE_CHECKING:
    from pathlib import Path

    from statefun.sdk.primitives import PrimitiveType

PROGRAM = """\
from statefun import DoubleType, IntType, LongType, StatefulFunctions, StringType, ValueSpec
from statefun.sdk.specs import Upgrade

functions = StatefulFunctions()


@functions.bind("t/stock", specs=[{spec}, ValueSpec("seen", StringType)])
async def stock(context, message):
    context.storage.seen = repr(context.storage.available)
"""
AS_LONG = 'ValueSpec("available", LongType)'
AS_STRING = 'ValueSpec("available", StringType)'
UPGRADED = 'ValueSpec("available", LongType, upgrades=[Upgrade(was=StringType, by=int)])'
MODULE = "kind: io.statefun.playground.v1/ingress\nspec: {port: 0}\n"
LONG, STRING, INT = LongType.typename, StringType.typename, IntType.typename
HELD = (
    f"1 address holds 'available' of t/stock as {STRING}, now declared as {LONG}: it cannot be "
    "read, so their messages wait. Give the ValueSpec an upgrade, or declare the old type"
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "module.yaml").write_text(MODULE)
    return tmp_path


def keep(folder: Path, **values: tuple[PrimitiveType[Any], Any]) -> None:
    """What an earlier version stored: id → type and value."""
    entries = {
        (Address("t/stock", address_id), "available"): StoredEntry(
            kind.typename, kind.dump(value), 0
        )
        for address_id, (kind, value) in values.items()
    }
    with closing(SqliteStore(folder / ".statefun")) as store:
        store.commit(Delta(1, entries))


def run(folder: Path, spec: str) -> Server:
    return Server("run", "module.yaml", "--functions", deploy(folder, spec), cwd=folder)


NUMBERS = count()


def deploy(folder: Path, spec: str) -> str:
    """A new version of the function; a module is imported once in a process."""
    module = f"version_{next(NUMBERS)}"
    (folder / f"{module}.py").write_text(PROGRAM.format(spec=spec))
    return f"{module}:functions"


def call(server: Server, address_id: str) -> None:
    connection = HTTPConnection(server.url("ingress").removeprefix("http://"))
    headers = {"Content-Type": f"application/vnd.{STRING}"}
    connection.request("PUT", f"/t/stock/{address_id}", b"", headers)
    assert connection.getresponse().status == 200
    connection.close()


def as_json(folder: Path, *arguments: str) -> Any:
    outcome = statefun(*arguments, "--json", cwd=folder)
    assert outcome.code == 0, outcome.err
    return json.loads(outcome.out)


def value(folder: Path, address_id: str, name: str = "available") -> Any:
    return as_json(folder, "state", "get", "t/stock", address_id)["values"].get(name)


def paused(folder: Path) -> list[tuple[str, str, int]]:
    return [
        (each["address"]["id"], each["cause"], each["waiting"])
        for each in as_json(folder, "paused", "list")
    ]


def wait_until_seen(folder: Path, address_id: str, expected: str) -> None:
    for _ in range(3000):
        seen = value(folder, address_id, "seen")
        if seen is not None and seen["value"] == expected:
            return
    raise AssertionError(f"{value(folder, address_id, 'seen')}, not {expected}")


def test_a_value_of_another_type_holds_its_address_until_a_fixed_deploy(folder: Path) -> None:
    """Told at start; nothing is given up, others go on, and what waited comes in the end."""
    keep(folder, text=(StringType, "3"))
    with run(folder, AS_LONG) as server:
        call(server, "text")
        call(server, "new")
        wait_until_seen(folder, "new", "None")
        while not paused(folder):
            pass
        shown = statefun("state", "get", "t/stock", "text", cwd=folder)
        listed = statefun("paused", "list", cwd=folder)
        server.stop()
        log = server.errors()

    assert HELD in log
    assert paused(folder) == [("text", "unreadable-value", 1)]
    assert "1 waiting, held until the value can be read: value 'available'" in listed.out
    assert "t/stock 'text' is paused: value 'available'" in shown.err
    with run(folder, UPGRADED):
        wait_until_seen(folder, "text", "3")
        assert paused(folder) == []
    assert as_json(folder, "dead-letters", "list") == []


@pytest.mark.parametrize("is_running", [True, False])
def test_a_value_is_set_to_the_newly_declared_type_in_one_step(
    folder: Path, *, is_running: bool
) -> None:
    """On a running and on a stopped runtime; the address goes on."""
    keep(folder, text=(StringType, "three"))
    setting = ("state", "set", "t/stock", "text", "available", "3", "--type", LONG)
    with run(folder, AS_LONG) as server:
        call(server, "text")
        while not paused(folder):
            pass
        wrong = statefun("state", "set", "t/stock", "text", "available", "x", cwd=folder)
        if is_running:
            assert statefun(*setting, cwd=folder) == Outcome(0, "set available\n", "")
            wait_until_seen(folder, "text", "3")
        server.stop()
    if not is_running:
        assert statefun(*setting, cwd=folder) == Outcome(0, "set available\n", "")
        with run(folder, AS_LONG):
            wait_until_seen(folder, "text", "3")

    assert wrong.code == 1
    assert f"set it to one of the declared type (--type {LONG})" in wrong.err
    assert paused(folder) == []


@pytest.mark.parametrize("is_running", [True, False])
def test_values_are_migrated_for_all_addresses(folder: Path, *, is_running: bool) -> None:
    """By upgrades and to wider types, runtime running or not; a second time does nothing."""
    keep(
        folder,
        **{f"n{each}": (IntType, each) for each in range(600)},
        text=(StringType, "7"),
        long=(LongType, 9),
    )
    migrate = ("state", "migrate", "--functions", deploy(folder, UPGRADED))

    if is_running:
        with run(folder, UPGRADED) as server:
            call(server, "n1")
            wait_until_seen(folder, "n1", "1")
            first, second = statefun(*migrate, cwd=folder), statefun(*migrate, cwd=folder)
            call(server, "n2")
            wait_until_seen(folder, "n2", "2")
    else:
        first, second = statefun(*migrate, cwd=folder), statefun(*migrate, cwd=folder)

    assert (first, second) == (
        Outcome(0, "migrated 601 values\n", ""),
        Outcome(0, "migrated 0 values\n", ""),
    )
    assert value(folder, "text") == {"typename": LONG, "value": 7}
    assert value(folder, "n599") == {"typename": LONG, "value": 599}
    assert value(folder, "long") == {"typename": LONG, "value": 9}


def test_what_cannot_be_migrated_is_named_and_stays(folder: Path) -> None:
    """The exit code says so; all others are migrated."""
    keep(folder, text=(StringType, "7"), bad=(StringType, "seven"))
    functions = deploy(folder, UPGRADED)

    outcome = statefun("state", "migrate", "--functions", functions, cwd=folder)

    assert (outcome.code, outcome.out) == (1, "migrated 1 values\n")
    assert "value 'available' of t/stock 'bad' is stored as" in outcome.err
    assert "ValueError: invalid literal" in outcome.err
    assert value(folder, "bad") == {"typename": STRING, "value": "seven"}


@pytest.mark.parametrize(
    ("spec", "code", "out", "err"),
    [
        (AS_LONG, 1, f"as {INT}, now declared as {LONG}: every value is read as that", HELD),
        (UPGRADED, 0, f"as {STRING}, now declared as {LONG}: the function upgrades each", ""),
        (AS_STRING, 1, "", f"2 addresses hold 'available' of t/stock as {INT}"),
    ],
)
def test_a_check_says_before_a_deploy_what_it_would_change(
    folder: Path, spec: str, code: int, out: str, err: str
) -> None:
    """Which values, of how many addresses, and what becomes of them."""
    keep(folder, a=(IntType, 1), b=(IntType, 2), text=(StringType, "7"))
    functions = deploy(folder, spec)

    outcome = statefun("check", "--functions", functions, "--data", ".statefun", cwd=folder)

    assert outcome.code == code
    assert out in outcome.out
    assert err in outcome.err
    assert not outcome.err or err


def test_a_value_that_is_declared_no_more_is_told_and_stays(folder: Path) -> None:
    """Renamed by mistake, it would look lost; under its name it is there again."""
    keep(folder, a=(StringType, "7"), b=(StringType, "8"))
    renamed = deploy(folder, AS_STRING.replace("available", "left"))
    (folder / f"{renamed.partition(':')[0]}.py").write_text(
        PROGRAM.format(spec=AS_STRING.replace("available", "left")).replace(
            "storage.available", "storage.left"
        )
    )

    checked = statefun("check", "--functions", renamed, "--data", ".statefun", cwd=folder)
    with Server("run", "module.yaml", "--functions", renamed, cwd=folder) as server:
        call(server, "a")
        wait_until_seen(folder, "a", "None")
        server.stop()
        log = server.errors()
    with run(folder, AS_STRING) as server:
        call(server, "a")
        wait_until_seen(folder, "a", "'7'")

    told = f"2 addresses hold 'available' of t/stock as {STRING}, now not declared: it stays, and"
    assert (checked.code, checked.err) == (0, "")
    assert told in checked.out
    assert told in log


def test_a_check_of_unchanged_types_says_so(folder: Path) -> None:
    """Then a deploy holds nothing."""
    keep(folder, text=(StringType, "7"))
    functions = deploy(folder, AS_STRING)

    outcome = statefun("check", "module.yaml", "--functions", functions, cwd=folder)

    assert (outcome.code, outcome.err) == (0, "")
    assert ".statefun: every value is of the type that is declared\n" in outcome.out


@pytest.mark.parametrize(
    ("command", "advice"),
    [
        (("check",), "pass module files, or --functions MODULE:ATTR, or both"),
        (("state", "migrate"), "--functions MODULE:ATTR"),
    ],
)
def test_what_needs_functions_asks_for_them(
    folder: Path, command: tuple[str, ...], advice: str
) -> None:
    """One line, wrong usage."""
    outcome = statefun(*command, cwd=folder)

    assert outcome.code == 2
    assert advice in outcome.err
