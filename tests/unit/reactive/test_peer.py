"""Ours beside the peer: random programs, whole traces."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from tests.tools.reactive.compare import PEER_PYTHON, compared
from tests.tools.reactive.differences import DIFFERENCES, name_levels

ROOT = Path(__file__).parents[3]


@pytest.mark.peer
@pytest.mark.timeout(120)
def test_random_programs_do_the_same_as_with_the_peer() -> None:
    """Every call, its event and every result, but for the differences that are data."""
    assert PEER_PYTHON.exists(), "run `make .venv-reactive-peer/.done`"

    number, mismatches = compared(first=1, count=300)

    assert number == 300
    assert "\n".join(map(str, mismatches)) == ""


def test_every_difference_has_a_test() -> None:
    """A row names the test of what we do instead."""
    sources = "".join(path.read_text() for path in ROOT.glob("tests/unit/reactive/**/test_*.py"))

    defined = set(re.findall(r"def (test_\w+)", sources))

    assert {each.test for each in DIFFERENCES} <= defined


def test_a_difference_is_seen_in_the_traces() -> None:
    """A rewrite changes what the peer does otherwise, and nothing else."""
    ours: list[Any] = ["c", "/a", "/a/b/c", "/a", None, 1, "p", True, []]
    peer: list[Any] = ["c", "/a", "/a/b/c", "/a/b", None, 1, None, True, []]
    trace = [[["set", "/a/b/c", 1, {"payload": "p"}], ["gives", True], [peer]]]

    name_levels(trace)

    assert trace[0][2] == [ours]
