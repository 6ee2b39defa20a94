"""Every durable scenario, at every place, comes to what it says.

The scenarios of one place are played at the same time; on an engine most of them share a job.
"""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest

from tests.tools.durable_scenarios.catalogue import CATALOGUE, HOUSES
from tests.tools.durable_scenarios.everywhere import CALM, ENGINES, EVERYWHERE, LASTING
from tests.tools.durable_scenarios.places import is_alone
from tests.tools.durable_scenarios.scenario import DurableScenario, channels
from tests.tools.scenarios.places import StuckError, play
from tests.tools.scenarios.scenario import Outcome

AT_ONCE = 16
AT_ONCE_ON_AN_ENGINE = 100
"""They share a job; most of their time is spent waiting."""
ON_ENGINES = (pytest.mark.engines, pytest.mark.timeout(900))

PLAYS = [
    pytest.param(
        scenario,
        place,
        id=f"{scenario.name}-{place}",
        marks=ON_ENGINES if place in ENGINES else (),
    )
    for place in EVERYWHERE
    for scenario in CATALOGUE
    if place in scenario.places
]
RESULTS: dict[str, dict[str, Outcome | BaseException]] = {}


@pytest.fixture
def outcome(
    request: pytest.FixtureRequest,
    scenario: DurableScenario,
    place: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> Outcome | BaseException:
    """What a scenario comes to; with the first of a place, all that are asked for are played."""
    if place not in RESULTS:
        params = [getattr(item, "callspec", None) for item in request.session.items]
        asked = [
            each.params["scenario"]
            for each in params
            if each is not None
            and each.params.get("place") == place
            and isinstance(each.params["scenario"], DurableScenario)
        ]
        RESULTS[place] = asyncio.run(_play_all(asked, place, tmp_path_factory))
    return RESULTS[place][scenario.name]


async def _play_all(
    scenarios: list[DurableScenario], place: str, folders: pytest.TempPathFactory
) -> dict[str, Outcome | BaseException]:
    turn = asyncio.Semaphore(AT_ONCE_ON_AN_ENGINE if place in ENGINES else AT_ONCE)
    async with HOUSES[place](folders.mktemp(place)) as opened:

        async def play_one(scenario: DurableScenario) -> Outcome:
            async with turn:
                return await play(scenario, place, opened, folders.mktemp(place))

        outcomes = await asyncio.gather(*map(play_one, scenarios), return_exceptions=True)
    return dict(zip([each.name for each in scenarios], outcomes, strict=True))


@pytest.mark.parametrize(("scenario", "place"), PLAYS)
def test_a_durable_scenario_has_the_same_outcome_at_every_place(
    scenario: DurableScenario, place: str, outcome: Outcome | BaseException
) -> None:
    """The same answers and records, in the same order per channel; none too early."""
    if isinstance(outcome, StuckError):
        pytest.fail(f"{scenario.rule_at(place)}\n{outcome}", pytrace=False)
    if isinstance(outcome, BaseException):
        raise outcome
    assert outcome == Outcome.expected(scenario, place), scenario.rule_at(place)


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
