"""The parts of the page about the engine that are made from the scenarios."""

from __future__ import annotations

from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

from tests.tools.scenarios.catalogue import CATALOGUE
from tests.tools.scenarios.scenario import EVERYWHERE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.tools.scenarios.scenario import Difference, Scenario

PAGE = Path(__file__).parents[3] / "docs" / "engines.md"
AS_EVERYWHERE, OTHERWISE, NOT_PLAYED = "✓", "differs", "-"


def rendered(page: str) -> str:
    """The page with its rendered parts made anew; the rest stays."""
    for name, lines in (("differences", differences()), ("matrix", matrix())):
        begin, end = f"<!-- {name} -->\n", f"<!-- end of {name} -->"
        part = begin + "".join(f"{line}\n" for line in lines) + end
        before, _, rest = page.partition(begin)
        page = before + part + rest.partition(end)[2]
    return page


def differences() -> list[str]:
    """A row for each difference of a scenario."""
    rows = ["| here | on the engine | scenario |", "|---|---|---|"]
    for scenario in CATALOGUE:
        for reason, _ in groupby(scenario.differs_on.values(), lambda each: each.reason):
            rows.append(f"| {_sentence(scenario.law)} | {reason} | `{scenario.name}` |")
    return rows


def matrix() -> list[str]:
    """A row for each scenario, a column for each place."""
    rows = [f"| scenario | {' | '.join(EVERYWHERE)} |", "|---" * (len(EVERYWHERE) + 1) + "|"]
    for scenario in CATALOGUE:
        cells = [_cell(scenario, place, scenario.differs_on) for place in EVERYWHERE]
        rows.append(f"| `{scenario.name}` | {' | '.join(cells)} |")
    return rows


def _cell(scenario: Scenario, place: str, differs_on: Mapping[str, Difference]) -> str:
    if place not in scenario.places:
        return NOT_PLAYED
    return OTHERWISE if place in differs_on else AS_EVERYWHERE


def _sentence(law: str) -> str:
    return f"{law[0].upper()}{law[1:]}."
