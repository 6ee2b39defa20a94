"""Every scenario, at every place, comes to what it says."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

import aiohttp
import pytest

from statefun.sdk.address import Address
from statefun.sdk.functions import StatefulFunctions
from statefun.sdk.wire import Invocation, encode_request
from tests.tools.lab import LabError
from tests.tools.scenarios import engines, places
from tests.tools.scenarios.catalogue import CATALOGUE
from tests.tools.scenarios.function_server import FunctionServer
from tests.tools.scenarios.places import StuckError, play
from tests.tools.scenarios.plays import Plays, check, plays
from tests.tools.scenarios.scenario import (
    ENGINES,
    EVERYWHERE,
    Await,
    Difference,
    Heard,
    InTime,
    Mark,
    NotBefore,
    Outcome,
    Pause,
    Scenario,
    paced,
    too_early,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from statefun.sdk.context import Context
    from statefun.sdk.messages import Message
    from tests.tools.scenarios.places import Place

HOUSES = {**places.PLACES, **engines.ENGINES}
AT_ONCE = dict.fromkeys(ENGINES, engines.AT_ONCE)


@pytest.fixture(scope="module")
def all_plays(tmp_path_factory: pytest.TempPathFactory) -> Plays:
    return Plays(HOUSES, AT_ONCE, tmp_path_factory)


@pytest.mark.parametrize(("scenario", "place"), plays(CATALOGUE, EVERYWHERE, ENGINES))
def test_a_scenario_has_the_same_outcome_at_every_place(
    scenario: Scenario, place: str, all_plays: Plays, request: pytest.FixtureRequest
) -> None:
    """The same records in the same order per channel, the same state, nothing too early."""
    check(all_plays.outcome(request), scenario, place)


def test_scenarios_have_names_of_their_own() -> None:
    """A name is enough to find one."""
    names = [scenario.name for scenario in CATALOGUE]

    assert len(set(names)) == len(names)


def test_places_are_known() -> None:
    """A place that a scenario names is one where scenarios are played."""
    assert {place for each in CATALOGUE for place in each.places} == set(HOUSES)


def test_a_scenario_differs_only_where_it_is_played() -> None:
    """Else nobody would ever see whether it does."""
    unplayed = [
        (scenario.name, place)
        for scenario in CATALOGUE
        for place in scenario.differs_on
        if place not in scenario.places
    ]

    assert unplayed == []


async def test_what_is_left_is_looked_at_whatever_a_difference_says(tmp_path: Path) -> None:
    """A difference that says nothing of the values is not one that nobody can refute."""
    scenario = next(each for each in CATALOGUE if each.name == "backlog")
    false = replace(scenario, differs_on={"harness": Difference("No values are left.", state={})})

    async with HOUSES["harness"](tmp_path) as place:
        outcome = await play(false, "harness", place, tmp_path)

    assert outcome == Outcome.everywhere(scenario)
    assert outcome != Outcome.expected(false, "harness")


def test_the_values_that_a_scenario_declares_are_looked_at() -> None:
    """What functions tell of their values may be right where what is kept is not."""
    unseen = {
        (scenario.name, typename)
        for scenario in CATALOGUE
        for typename in _with_values(scenario.functions())
        if typename not in {known for known, _ in scenario.state}
    }

    assert unseen == set()


def _with_values(functions: StatefulFunctions) -> list[str]:
    declared = {each: functions.for_typename(each).storage_spec for each in functions.typenames}
    return [typename for typename, storage in declared.items() if storage.specs]


def test_of_every_record_of_a_channel_it_is_said_how_early_it_may_come() -> None:
    """A relation for some of them would leave the others to come at any time."""
    assert [
        (scenario.name, rule.channel)
        for scenario in CATALOGUE
        for rule in scenario.timing
        if len(rule.milliseconds) != len(scenario.records[rule.channel])
    ] == []


def test_a_record_that_comes_too_early_is_named_by_its_rule() -> None:
    """Not only the last one of its channel."""
    rule = NotBefore("told", (0, 1000, 1500))
    scenario = replace(CATALOGUE[0], timing=(rule,))
    in_time = [Heard("told", "", at_ms) for at_ms in (10, 1010, 1510)]
    early = [Heard("told", "", at_ms) for at_ms in (10, 500, 1510)]

    assert too_early(scenario, in_time, 10) == ()
    assert too_early(scenario, early, 10) == (rule,)


def test_a_scenario_comes_to_the_same_at_any_pace() -> None:
    """Only its times are other ones."""
    for scenario in CATALOGUE:
        assert Outcome.everywhere(scenario.paced(7)) == Outcome.everywhere(scenario)
        assert scenario.paced(7).differs_on == scenario.differs_on
        assert scenario.paced(7).places == scenario.places


def idling(longest_ms: int) -> Scenario:
    """A scenario whose one step takes longer than it should at the first pace."""
    steps = (Mark("begin"), Pause(100), InTime("begin", longest_ms))
    return replace(CATALOGUE[0], steps=steps, records={}, state={})


async def test_a_play_that_came_too_late_is_played_again_more_slowly(tmp_path: Path) -> None:
    """It shows nothing, so it is neither right nor wrong."""
    paces: list[int] = []

    def at(pace: int) -> Scenario:
        paces.append(pace)
        return idling(40 * pace)

    scenario = paced(at)
    async with HOUSES["harness"](tmp_path) as place:
        outcome = await play(scenario, "harness", place, tmp_path)

    assert outcome == Outcome({}, {})
    assert paces == [1, 1, 2, 4]


async def test_a_play_that_always_comes_too_late_is_no_success(tmp_path: Path) -> None:
    """A scenario that shows nothing has not been played."""
    scenario = paced(lambda _: idling(40))

    async with HOUSES["harness"](tmp_path) as place:
        with pytest.raises(StuckError, match="it came too late 3 times"):
            await play(scenario, "harness", place, tmp_path)


def test_a_difference_is_one() -> None:
    """What a scenario says of a place that differs is not what it says of the others."""
    same = [
        (scenario.name, place)
        for scenario in CATALOGUE
        for place in scenario.differs_on
        if Outcome.expected(scenario, place) == Outcome.everywhere(scenario)
    ]

    assert same == []


def test_of_a_difference_its_reason_is_the_rule() -> None:
    """When an engine does not differ any more, the test that fails says what was believed."""
    scenario = next(each for each in CATALOGUE if each.name == "a pending token")

    assert scenario.rule_at("memory") == scenario.law
    assert scenario.rule_at("single") == (
        "here it differs: A token that is used while it is pending stops the job, again and again "
        "until the delayed message has come; then the token is free."
    )


def test_a_place_that_does_not_come_up_is_started_once(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Else each of its tests would wait for that anew, for minutes."""
    folders = []

    @asynccontextmanager
    async def away(folder: Path) -> AsyncIterator[Place]:
        folders.append(folder)
        raise LabError("no such engine")
        yield

    all_plays = Plays({"single": away}, {}, tmp_path_factory)
    with pytest.raises(LabError, match="no such engine"):
        all_plays.outcomes(request, "single")
    with pytest.raises(pytest.fail.Exception, match="single did not come up, as told before"):
        all_plays.outcomes(request, "single")
    assert len(folders) == 1


async def test_a_server_that_stops_cuts_off_what_is_under_way() -> None:
    """Else a scenario in which the functions go away would show nothing."""
    functions, began = StatefulFunctions(), asyncio.Event()
    call = encode_request(Address("s/long", "a"), {}, [Invocation(None, b"")])

    @functions.bind("s/long")
    async def long(context: Context, message: Message) -> None:
        began.set()
        await asyncio.Event().wait()

    async with FunctionServer() as server, aiohttp.ClientSession() as client:
        await server.start(functions)
        under_way = asyncio.create_task(client.post(server.url_of("long"), data=call))
        await began.wait()
        async with asyncio.timeout(5):
            await server.stop()

        with pytest.raises(aiohttp.ServerDisconnectedError):
            await under_way


async def test_a_function_is_known_at_its_own_path_only() -> None:
    """So every play behind an endpoint shows that `{function.name}` is replaced."""
    functions = StatefulFunctions()
    functions.register("s/one", lambda _context, _message: None)
    functions.register("s/two", lambda _context, _message: None)
    call = encode_request(Address("s/one", "a"), {}, [Invocation(None, b"")])

    async with FunctionServer() as server, aiohttp.ClientSession() as client:
        await server.start(functions)
        paths = (server.url_of("one"), server.url_of("two"), server.url_of("three"), server.url)
        statuses = [(await client.post(path, data=call)).status for path in paths]

    assert statuses == [200, 500, 500, 500]


async def test_a_play_that_does_not_go_on_says_what_was_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The others go on meanwhile, and nobody has to look for what is missing."""
    monkeypatch.setattr(places, "PATIENCE_S", 0.2)
    scenario = next(each for each in CATALOGUE if each.name == "callers")
    more = replace(scenario, steps=(*scenario.steps, Await(4)))

    async with HOUSES["memory"](tmp_path) as place:
        with pytest.raises(StuckError) as caught:
            await play(more, "memory", place, tmp_path)

    assert str(caught.value) == (
        "after Await(records=4): 4 records were not told in 0.2 s; told until then: "
        "{'front': ('nobody', 's/back b'), 'back': ('s/front f',)}"
    )


def test_a_record_counts_when_its_line_is_whole() -> None:
    """An engine may be in the middle of a long one when its file is read."""
    assert engines.whole_lines("a 00\nb 0") == ["a 00"]
    assert engines.whole_lines("") == []
