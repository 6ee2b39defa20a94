"""Law: behind a real engine, a scenario is seen as everywhere."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from tests.workflows.on_engine import on_engine, stage_of
from tests.workflows.schedule_scenarios import SCENARIOS

if TYPE_CHECKING:
    from pathlib import Path

    from statefun.workflows.client import Client
    from tests.workflows.scenarios import Scenario

PATIENCE_S = 120
LEFT_OUT = {
    "an activity that nobody has fails the attempt": "its text tells an id of this place",
    "an activity that no worker takes is timed out": "a namespace without an endpoint fails a job",
    "an activity that no worker takes runs out of all its time": "as above",
    "a workflow is described": "it stops the clock",
    "a start may wait": "an hour is not waited for",
    "sleeping takes the time of the workflow": "as above",
    "signals are handled in order": "it asks for the time of the environment",
    "a child gives its result": "scenarios of one job have children of one id",
    "a child that fails is the cause of its parent's failure": "as above",
    "a parent signals its child and others": "as above",
    "a child is cancelled": "as above",
    "a child may ignore that it is cancelled": "as above",
    "a parent that ends leaves its child TERMINATED": "as above",
    "a parent that ends leaves its child CANCELED": "as above",
    "search attributes are those of the start, and change": "a child of one id, as above",
    "workflows are found by their search attributes": "there is no list of workflows there",
    "a query that cannot be understood is refused": "as above",
    "a cron expression lets runs follow, which know the last result and the last failure": (
        "it skips time"
    ),
    "a retry policy goes before a cron expression": "as above",
    "a schedule starts workflows at its times": "scenarios of one job have schedules of one id",
    "a schedule is paused, triggered, and goes on": "as above",
    "a backfill takes the actions of the past": "as above",
    "what an action does while a workflow runs is what its policy says": "as above",
    "a failure may pause a schedule": "as above",
    "a spec that makes no sense is refused": "as above",
    "a schedule is changed by what a function makes of it": "as above",
    "a spec is kept as calendars and intervals": "as above",
}
"""Name → the reason why a scenario is not played there."""
ON_ENGINE = [each for each in SCENARIOS if not each.has_own_time and each.name not in LEFT_OUT]


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Name of a scenario → what was seen; all are played at once."""
    return asyncio.run(_all_seen(tmp_path_factory.mktemp("engine")))


async def _all_seen(folder: Path) -> dict[str, Any]:
    async with on_engine(folder) as client:
        found = await asyncio.gather(
            *(_seen(each, client, number) for number, each in enumerate(ON_ENGINE))
        )
    return {each.name: what for each, what in zip(ON_ENGINE, found, strict=True)}


async def _seen(scenario: Scenario, client: Client, number: int) -> Any:
    try:
        async with asyncio.timeout(PATIENCE_S):
            return await scenario.script(stage_of(client, number))
    except Exception as error:  # noqa: BLE001 - the test of this scenario tells it
        return f"{type(error).__name__}: {error}"


@pytest.mark.engines
@pytest.mark.timeout(900)
@pytest.mark.parametrize("scenario", ON_ENGINE, ids=lambda each: each.name)
def test_a_scenario_is_seen_behind_the_engine_as_elsewhere(
    scenario: Scenario, seen: dict[str, Any]
) -> None:
    """A worker is served as an endpoint, and the engine calls it."""
    assert seen[scenario.name] == scenario.expected


def test_scenarios_that_are_left_out_are_there() -> None:
    """A reason for a scenario that is no more is taken from the list."""
    assert LEFT_OUT.keys() <= {each.name for each in SCENARIOS}
    assert len(ON_ENGINE) >= 60
