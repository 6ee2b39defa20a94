"""The page about durable guarantees says what the durable scenarios say."""

from __future__ import annotations

import re
from dataclasses import fields

from statefun.durable import InvocationRetryPolicy, Limits, RunOptions
from statefun.durable.options import Options
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


def test_every_option_and_every_limit_is_on_its_page() -> None:
    """With the default that the code has, for those that are numbers."""
    page = (PAGE.parent / "durable-options.md").read_text()
    named = set(re.findall(r"`(\w+)`", page))
    options = {field.name for field in (*fields(Options), *fields(Limits), *fields(RunOptions))}
    policy = {field.name for field in fields(InvocationRetryPolicy)}
    deprecated = {"max_retry_duration"}

    assert (options | policy) - deprecated - named == set()
    for field in fields(Limits):
        if isinstance(field.default, int):
            [row] = [line for line in page.splitlines() if line.startswith(f"| `{field.name}`")]
            assert f"{field.default:,}" in row


def test_every_difference_from_restate_has_its_test() -> None:
    """The last cell of each row names one."""
    page = (PAGE.parent / "coming-from-restate-sdk.md").read_text()
    said = [line for line in page.splitlines() if line.startswith("| ") and "| there |" not in line]

    assert len(said) > 30
    assert [line for line in said if "`test_" not in line.rsplit(" | ", 1)[1]] == []
