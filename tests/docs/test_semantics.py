"""The page of semantics names what shows each of its rows."""

from __future__ import annotations

import re
from pathlib import Path

from tests.tools.scenarios.catalogue import CATALOGUE

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "semantics.md"


def rows() -> list[str]:
    """The last cell of each row, without heads."""
    lines = [line for line in PAGE.read_text().splitlines() if line.startswith("|")]
    cells = [line.strip("|").split(" | ")[-1].strip() for line in lines]
    return [cell for cell in cells if cell != "shown by" and not cell.startswith("---")]


def named() -> set[str]:
    return {name for cell in rows() for name in re.findall(r"`([^`]+)`", cell)}


def test_every_row_of_the_semantics_is_shown_by_something() -> None:
    """No row stands for itself."""
    assert [cell for cell in rows() if not re.search(r"`[^`]+`", cell)] == []
    assert len(rows()) > 50


def test_what_shows_the_semantics_exists() -> None:
    """Each name is that of a scenario or of a test."""
    files = [*ROOT.glob("tests/**/test_*.py"), *ROOT.glob("statefun/testing/contracts/*.py")]
    sources = "".join(path.read_text() for path in files)
    tests = set(re.findall(r"def (test_\w+)", sources))
    scenarios = {scenario.name for scenario in CATALOGUE}

    assert named() - tests - scenarios == set()


def test_every_scenario_shows_a_row_of_the_semantics() -> None:
    """A scenario is there for a rule of the engine."""
    assert {scenario.name for scenario in CATALOGUE} - named() == set()
