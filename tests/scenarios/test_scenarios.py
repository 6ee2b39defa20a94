"""Every scenario, at every place, comes to what it says."""

from pathlib import Path

import pytest

from tests.scenarios import about_messages, about_state, about_time
from tests.scenarios.places import PLACES, play
from tests.scenarios.scenario import Outcome, Scenario

CATALOGUE = (*about_state.SCENARIOS, *about_messages.SCENARIOS, *about_time.SCENARIOS)


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("scenario", CATALOGUE, ids=lambda scenario: scenario.name)
async def test_a_scenario_has_the_same_outcome_at_every_place(
    scenario: Scenario, place: str, tmp_path: Path
) -> None:
    """The same records in the same order per channel, the same state, nothing too early."""
    outcome = await play(scenario, PLACES[place], tmp_path)

    assert outcome == Outcome.expected(scenario), scenario.law


def test_scenarios_have_names_of_their_own() -> None:
    """A name is enough to find one."""
    names = [scenario.name for scenario in CATALOGUE]

    assert len(set(names)) == len(names)
