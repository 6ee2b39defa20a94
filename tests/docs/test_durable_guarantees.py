"""The page about durable guarantees says what the durable scenarios say."""

from __future__ import annotations

import re

from tests.tools.durable_scenarios.catalogue import CATALOGUE
from tests.tools.durable_scenarios.everywhere import EVERYWHERE
from tests.tools.durable_scenarios.page import PAGE, rendered


def rows(heading: str) -> list[str]:
    part = PAGE.read_text().partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    return [line for line in part.splitlines() if line.startswith("|")]


def test_the_matrix_is_that_of_the_scenarios() -> None:
    """`python -m tests.tools.durable_scenarios` renders it anew."""
    page = PAGE.read_text()

    assert rendered(page) == page


def test_every_sentence_about_durable_handlers_names_a_scenario() -> None:
    """No guarantee, and no exception from one, stands for itself."""
    known = {scenario.name for scenario in CATALOGUE} | set(EVERYWHERE)
    for heading in ("What holds everywhere", "What can happen twice"):
        said = [each for each in rows(heading) if "shown by" not in each and "---" not in each]
        named = [re.findall("`([^`]+)`", row.rstrip("| ").rpartition(" | ")[2]) for row in said]

        assert [row for row, names in zip(said, named, strict=True) if not names] == []
        assert {name for names in named for name in names} <= known


def test_every_place_of_durable_scenarios_is_explained() -> None:
    """The head of a column is no riddle."""
    explained = {
        name
        for row in rows("Scenarios and places")
        for name in re.findall("`([^`]+)`", row.split(" | ")[0])
    }

    assert set(EVERYWHERE) <= explained
