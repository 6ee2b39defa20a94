"""The page about the engine says what the scenarios say."""

from __future__ import annotations

import re

from tests.scenarios.catalogue import CATALOGUE
from tests.scenarios.page import PAGE, rendered

SENTENCES = ("## What the engine guarantees", "## What it does not")


def test_the_differences_and_the_matrix_are_those_of_the_scenarios() -> None:
    """`python -m tests.scenarios` renders them anew."""
    page = PAGE.read_text()

    assert rendered(page) == page


def test_every_sentence_about_the_engine_names_a_scenario() -> None:
    """What is said of the engine has been seen on it."""
    page = PAGE.read_text()
    known = {scenario.name for scenario in CATALOGUE}

    for heading in SENTENCES:
        part = page.partition(heading)[2].partition("\n## ")[0]
        rows = [line for line in part.splitlines() if line.startswith("|")][2:]
        named = [re.findall("`([^`]+)`", row.rstrip("| ").rpartition(" | ")[2]) for row in rows]
        assert [row for row, names in zip(rows, named, strict=True) if not names] == []
        assert {name for names in named for name in names} <= known
