"""Law: what is seen of a scenario is what is seen with Temporal, or the reason stands here."""

from __future__ import annotations

import json

import pytest

from tests.workflows.peer import RECORDED, text_of
from tests.workflows.schedule_scenarios import SCENARIOS

DIFFERENCES = {
    "what takes too long is told as asyncio tells it": "`time.time` is substituted, not real",
    "an activity that is completed from outside is completed once": "texts of requests are ours",
    "sleeping takes the time of the workflow": "two hours of real time are not waited for",
    "a start may wait": "an hour of real time is not waited for",
}

SEEN: dict[str, str] = json.loads(RECORDED.read_text(encoding="utf-8"))["seen"]


@pytest.mark.parametrize("name", [each.name for each in SCENARIOS])
def test_a_scenario_is_seen_as_with_the_peer(name: str) -> None:
    """Both ways: a difference that is gone is taken from the list."""
    [scenario] = [each for each in SCENARIOS if each.name == name]
    is_same = text_of(scenario.expected) == SEEN.get(name)
    assert is_same is (name not in DIFFERENCES)
