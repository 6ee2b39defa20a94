"""The parts of the page about guarantees that are made from the durable scenarios."""

from __future__ import annotations

from pathlib import Path

from tests.tools.durable_scenarios.catalogue import CATALOGUE
from tests.tools.durable_scenarios.everywhere import EVERYWHERE

PAGE = Path(__file__).parents[3] / "docs" / "durable-guarantees.md"
AS_EVERYWHERE, OTHERWISE, NOT_PLAYED = "✓", "differs", "-"
BEGIN, END = "<!-- matrix -->\n", "<!-- end of matrix -->"


def rendered(page: str) -> str:
    """The page with its matrix made anew; the rest stays."""
    before, _, rest = page.partition(BEGIN)
    lines = "".join(f"{line}\n" for line in matrix())
    return before + BEGIN + lines + END + rest.partition(END)[2]


def matrix() -> list[str]:
    """A row for each scenario, a column for each place."""
    rows = [f"| scenario | {' | '.join(EVERYWHERE)} |", "|---" * (len(EVERYWHERE) + 1) + "|"]
    for scenario in CATALOGUE:
        cells = [
            NOT_PLAYED
            if place not in scenario.places
            else OTHERWISE
            if place in scenario.differs_on
            else AS_EVERYWHERE
            for place in EVERYWHERE
        ]
        rows.append(f"| `{scenario.name}` | {' | '.join(cells)} |")
    return rows
