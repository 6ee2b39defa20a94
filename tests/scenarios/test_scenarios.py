"""Every scenario, at every place, comes to what it says.

The scenarios of one place are played at the same time, each in a runtime of its own, since most of
their time is spent waiting.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, TypeAlias

import pytest

from tests.scenarios.catalogue import CATALOGUE
from tests.scenarios.places import PLACES, play
from tests.scenarios.scenario import Outcome, Scenario

if TYPE_CHECKING:
    from collections.abc import Callable

    Results: TypeAlias = dict[str, Outcome | BaseException]

AT_ONCE = 6


@pytest.fixture(scope="module")
def results(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], Results]:
    """Plays all scenarios of a place that this run asks for, once."""
    played: dict[str, Results] = {}

    def of(place: str) -> Results:
        if place not in played:
            asked = [item.callspec.params for item in request.session.items if _is_play(item)]  # type: ignore[attr-defined]
            scenarios = [each["scenario"] for each in asked if each["place"] == place]
            played[place] = asyncio.run(_play_all(scenarios, place, tmp_path_factory))
        return played[place]

    return of


def _is_play(item: pytest.Item) -> bool:
    return getattr(item, "originalname", "") == (
        test_a_scenario_has_the_same_outcome_at_every_place.__name__
    )


async def _play_all(
    scenarios: list[Scenario], place: str, folders: pytest.TempPathFactory
) -> Results:
    turn = asyncio.Semaphore(AT_ONCE)

    async def play_one(scenario: Scenario) -> Outcome:
        async with turn:
            return await play(scenario, PLACES[place], folders.mktemp(place))

    outcomes = await asyncio.gather(*map(play_one, scenarios), return_exceptions=True)
    return dict(zip([each.name for each in scenarios], outcomes, strict=True))


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("scenario", CATALOGUE, ids=lambda scenario: scenario.name)
def test_a_scenario_has_the_same_outcome_at_every_place(
    scenario: Scenario, place: str, results: Callable[[str], Results]
) -> None:
    """The same records in the same order per channel, the same state, nothing too early."""
    outcome = results(place)[scenario.name]

    if isinstance(outcome, BaseException):
        raise outcome
    assert outcome == Outcome.expected(scenario), scenario.law


def test_scenarios_have_names_of_their_own() -> None:
    """A name is enough to find one."""
    names = [scenario.name for scenario in CATALOGUE]

    assert len(set(names)) == len(names)
