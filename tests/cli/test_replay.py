"""`statefun replay`: recorded invocations against the code as it is now."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.cli.process import Server, statefun
from tests.cli.test_durable_run import run, send


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    shutil.copy(Path(__file__).with_name("shop.py"), tmp_path)
    return tmp_path


@pytest.fixture
def recorded(folder: Path) -> str:
    """A file with the recording of an invocation that waits; returns its id."""
    with run(folder) as server:
        sent = waiting(server)
        outcome = statefun("invocations", "export", sent, cwd=folder)
    assert outcome.code == 0, outcome.err
    (folder / "wait.json").write_text(outcome.out)
    return sent


def waiting(server: Server) -> str:
    return send(server, "/Waiter/wait/send", '"Ada"')


def test_code_that_does_what_is_recorded_passes(folder: Path, recorded: str) -> None:
    """Exit code 0; each invocation is named with `--json`."""
    outcome = statefun("replay", "wait.json", "shop:app", cwd=folder)
    told = statefun("replay", "wait.json", "shop:app", "--json", cwd=folder)

    assert (outcome.code, outcome.out) == (0, "1 replayed, 0 differ\n")
    assert json.loads(told.out) == [
        {"file": "wait.json, line 1", "invocation": recorded, "differs": None}
    ]


def test_code_that_differs_is_told_with_the_step(folder: Path, recorded: str) -> None:
    """Exit code 1, with both sides and the place in the code."""
    text = (folder / "shop.py").read_text()
    (folder / "changed_shop.py").write_text(text.replace('"look up"', '"look it up"'))

    outcome = statefun("replay", "wait.json", "changed_shop:app", cwd=folder)

    assert outcome.code == 1
    assert recorded in outcome.out
    assert "recorded is run look up, now it is run look it up, at changed_shop.py:" in outcome.out
    assert outcome.out.endswith("1 replayed, 1 differ\n")


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("{", "bad.json, line 1 is not a recording of an invocation"),
        ('{"format": 2}', "not a recording of an invocation"),
        ("[]", "not a recording of an invocation"),
    ],
)
def test_a_file_that_holds_no_recording_is_refused(
    folder: Path, content: str, sentence: str
) -> None:
    """With the line, and how recordings are made."""
    (folder / "bad.json").write_text(content)

    outcome = statefun("replay", "bad.json", "shop:app", cwd=folder)

    assert outcome.code == 1
    assert sentence in outcome.err
    assert "make one with 'statefun invocations export ID'" in outcome.err


def test_what_is_no_app_or_no_file_is_refused(folder: Path) -> None:
    """In one line."""
    missing = statefun("replay", "nowhere.json", "shop:app", cwd=folder)
    other = statefun("replay", "nowhere.json", "shop:counter", cwd=folder)

    assert missing.code == 1
    assert "nowhere.json cannot be read" in missing.err
    assert other.code == 1


def test_an_invocation_that_does_not_run_has_no_journal(folder: Path, recorded: str) -> None:
    """The list shows those that do."""
    outcome = statefun("invocations", "export", "inv_1abc", cwd=folder)

    assert outcome.code == 1
    assert "no invocation 'inv_1abc' runs in" in outcome.err
