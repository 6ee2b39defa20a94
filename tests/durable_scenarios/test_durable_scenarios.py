"""Every durable scenario, at every place, comes to what it says.

The scenarios of one place are played at the same time; on an engine most of them share a job.
"""

from __future__ import annotations

from collections import Counter

import pytest

from tests.tools.durable_scenarios.catalogue import CATALOGUE, HOUSES
from tests.tools.durable_scenarios.everywhere import CALM, ENGINES, EVERYWHERE, LASTING
from tests.tools.durable_scenarios.places import is_alone
from tests.tools.durable_scenarios.scenario import DurableScenario, channels
from tests.tools.scenarios.plays import Plays, check, plays

AT_ONCE = dict.fromkeys(ENGINES, 100)
"""They share a job; most of their time is spent waiting."""


@pytest.fixture(scope="module")
def all_plays(tmp_path_factory: pytest.TempPathFactory) -> Plays:
    return Plays(HOUSES, AT_ONCE, tmp_path_factory)


@pytest.mark.parametrize(("scenario", "place"), plays(CATALOGUE, EVERYWHERE, ENGINES))
def test_a_durable_scenario_has_the_same_outcome_at_every_place(
    scenario: DurableScenario, place: str, all_plays: Plays, request: pytest.FixtureRequest
) -> None:
    """The same answers and records, in the same order per channel; none too early."""
    check(all_plays.outcome(request), scenario, place)


def test_the_scenarios_fit_into_one_application() -> None:
    """Names of scenarios, services and channels belong to one scenario each."""
    names = Counter(each.name for each in CATALOGUE)
    services = Counter(one.name for each in CATALOGUE for one in each.services)
    told = Counter(channel for each in CATALOGUE for channel in channels(each))

    assert {name for known in (names, services, told) for name in known if known[name] > 1} == set()


def test_there_are_enough_durable_scenarios() -> None:
    """Each kind of step, of failure and of stopping has one."""
    assert len(CATALOGUE) >= 60


def test_places_of_durable_scenarios_are_known() -> None:
    """A place that a scenario names is one where scenarios are played."""
    assert {place for each in CATALOGUE for place in each.places} == set(HOUSES)
    assert set(EVERYWHERE) == set(HOUSES)


def test_a_scenario_is_left_out_only_where_it_shows_nothing() -> None:
    """Those that count effects need places where nothing is repeated."""
    for scenario in CATALOGUE:
        if scenario.is_exact:
            assert set(scenario.places) <= set(CALM)
        if is_alone(scenario):
            assert set(scenario.places) <= set(LASTING)
