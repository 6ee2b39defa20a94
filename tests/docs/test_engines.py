"""The page about the engine says what the scenarios say."""

from __future__ import annotations

import re
from pathlib import Path

from tests.tools.scenarios.catalogue import CATALOGUE
from tests.tools.scenarios.page import PAGE, rendered

ROOT = Path(__file__).parents[2]
SENTENCES = ("## What the engine guarantees", "## What it does not")


def test_the_differences_and_the_matrix_are_those_of_the_scenarios() -> None:
    """`python -m tests.tools.scenarios` renders them anew."""
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


def test_a_page_about_an_engine_that_was_not_run_says_so() -> None:
    """What we know of the forks is from their documentation, on every page that speaks of them."""
    pages = [path for path in ROOT.rglob("*.md") if not _is_foreign(path)]
    about = [page for page in pages if re.search("kzm|fransking|sbbsystems", page.read_text())]

    assert PAGE in about
    silent = [
        page for page in about if "not run by us" not in re.sub(r"\s+", " ", page.read_text())
    ]
    assert silent == []


def _is_foreign(path: Path) -> bool:
    """Whether a page lies in an environment or a cache."""
    return any(part.startswith(".") for part in path.relative_to(ROOT).parts)
