"""Plays: every scenario that a run of pytest asks for, played once.

Law: with the first scenario of a place all of that place are played, at the same time, since most
of their time is spent waiting. A place that does not come up is not started again.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, TypeAlias

import pytest

from tests.tools.scenarios.places import StuckError, play
from tests.tools.scenarios.scenario import Outcome

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from tests.tools.scenarios.places import House
    from tests.tools.scenarios.scenario import Scenario

    Results: TypeAlias = dict[str, Outcome | BaseException]

AT_ONCE = 16
ON_ENGINES = (pytest.mark.engines, pytest.mark.timeout(900))
"""The first of the tests waits for the plays of all."""


def plays(catalogue: Sequence[Scenario], places: Sequence[str], engines: Sequence[str]) -> Any:
    """The parameters `scenario` and `place` of a test of all scenarios at all places."""
    return [
        pytest.param(
            scenario,
            place,
            id=f"{scenario.name}-{place}",
            marks=ON_ENGINES if place in engines else (),
        )
        for place in places
        for scenario in catalogue
        if place in scenario.places
    ]


class Plays:
    """The outcomes of all scenarios.

    Args:
        houses: The places.
        at_once: Place → how many scenarios are played at the same time, if not as many as usual.
        folders: Makes folders for the plays.
    """

    def __init__(
        self,
        houses: Mapping[str, House],
        at_once: Mapping[str, int],
        folders: pytest.TempPathFactory,
    ) -> None:
        self._houses = houses
        self._at_once = at_once
        self._folders = folders
        self._results: dict[str, Results | BaseException] = {}

    def outcome(self, request: pytest.FixtureRequest) -> Outcome | BaseException:
        """The outcome of the scenario that a test asks for, at the place that it asks for."""
        asked = request.node.callspec.params
        return self.outcomes(request, asked["place"])[asked["scenario"].name]

    def outcomes(self, request: pytest.FixtureRequest, place: str) -> Results:
        """The outcomes of all scenarios for which a test asks at a place, by their names."""
        if place not in self._results:
            try:
                self._results[place] = self._play(request, place)
            except BaseException as error:
                self._results[place] = error
                raise
        found = self._results[place]
        if isinstance(found, BaseException):
            pytest.fail(f"{place} did not come up, as told before", pytrace=False)
        return found

    def _play(self, request: pytest.FixtureRequest, place: str) -> Results:
        """Play all scenarios for which the same test asks at a place."""
        asked: list[dict[str, Any]] = [
            item.callspec.params
            for item in request.session.items
            if isinstance(item, pytest.Function)
            and item.function is request.function
            and hasattr(item, "callspec")
        ]
        scenarios = [each["scenario"] for each in asked if each["place"] == place]
        is_slow = place in self._at_once
        tell = _progress(request.config) if is_slow else _no_progress
        return asyncio.run(self._play_all(scenarios, place, tell))

    async def _play_all(
        self, scenarios: list[Scenario], name: str, tell: Callable[[str], None]
    ) -> Results:
        turn = asyncio.Semaphore(self._at_once.get(name, AT_ONCE))
        folder = self._folders.mktemp(name)
        tell(f"{name}: the logs are in {folder}")
        async with self._houses[name](folder) as place:

            async def play_one(scenario: Scenario) -> Outcome:
                async with turn:
                    tell(f"{name}: {scenario.name}")
                    return await play(scenario, name, place, self._folders.mktemp(name))

            outcomes = await asyncio.gather(*map(play_one, scenarios), return_exceptions=True)
        return dict(zip([each.name for each in scenarios], outcomes, strict=True))


def check(outcome: Outcome | BaseException, scenario: Scenario, place: str) -> None:
    """Fail unless a scenario came to what it says."""
    if isinstance(outcome, StuckError):
        pytest.fail(f"{scenario.rule_at(place)}\n{outcome}", pytrace=False)
    if isinstance(outcome, BaseException):
        raise outcome
    assert outcome == Outcome.expected(scenario, place), scenario.rule_at(place)


def _progress(config: pytest.Config) -> Callable[[str], None]:
    """Tells what is being played; on an engine the first test waits for all plays."""
    terminal = config.pluginmanager.get_plugin("terminalreporter")
    assert terminal is not None

    def tell(line: str) -> None:
        terminal.ensure_newline()
        terminal.write_line(line)

    return tell


def _no_progress(line: str) -> None:
    """Where all is over in a moment."""
