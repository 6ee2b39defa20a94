"""Law: what observers see of a scenario is the same wherever it runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.workflows.programs import ACTIVITIES, WORKFLOWS
from tests.workflows.schedule_scenarios import SCENARIOS
from tests.workflows.stage import PLACES, staged

if TYPE_CHECKING:
    from pathlib import Path

    from tests.workflows.scenarios import Scenario


@pytest.mark.filterwarnings("ignore::statefun.workflows.workflow.UnfinishedUpdateHandlersWarning")
@pytest.mark.parametrize(
    ("scenario", "place"),
    [
        pytest.param(scenario, place, id=f"{scenario.name}, {place}")
        for scenario in SCENARIOS
        for place in PLACES
        if not (scenario.has_own_time and place == "remote workers")
    ],
)
async def test_a_scenario_is_seen_as_it_is_described(
    scenario: Scenario, place: str, tmp_path: Path
) -> None:
    """One worker, two, no run in memory, workers elsewhere, or an endpoint make no difference."""
    async with staged(place, WORKFLOWS, ACTIVITIES, tmp_path) as stage:
        assert await scenario.script(stage) == scenario.expected
