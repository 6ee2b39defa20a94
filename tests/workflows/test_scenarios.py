"""Law: what observers see of a scenario is the same wherever it runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.workflows.programs import ACTIVITIES, WORKFLOWS
from tests.workflows.scenarios import SCENARIOS
from tests.workflows.stage import PLACES, staged

if TYPE_CHECKING:
    from tests.workflows.scenarios import Scenario


@pytest.mark.filterwarnings("ignore::statefun.workflows.workflow.UnfinishedUpdateHandlersWarning")
@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda each: each.name)
async def test_a_scenario_is_seen_as_it_is_described(scenario: Scenario, place: str) -> None:
    """One worker, two of them, and no run in memory make no difference."""
    async with staged(place, WORKFLOWS, ACTIVITIES) as stage:
        assert await scenario.script(stage) == scenario.expected
