"""Durable handlers in simulated worlds, and bugs that are planted to be found there."""

from __future__ import annotations

import pytest

from tests.tools.durable.bugs import BUGS, Bug
from tests.tools.durable.simulation import simulate

GROUPS = 4
SEEDS = 120


@pytest.mark.parametrize("group", range(GROUPS))
def test_no_seed_breaks_a_law(group: int) -> None:
    """Whatever happens in it; `.ci/run` takes ten thousand others."""
    for seed in range(1 + group, 1 + SEEDS, GROUPS):
        simulation = simulate(seed)
        told = f"{simulation.violation}; make simulate-durable SEED={seed}"
        assert simulation.violation is None, told


def test_a_seed_always_gives_the_same_trace() -> None:
    """So that what it has found can be looked at."""
    for seed in range(1, 10):
        assert simulate(seed).trace == simulate(seed).trace


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name)
def test_a_planted_bug_is_found(bug: Bug) -> None:
    """Within five hundred seeds."""
    with bug.planted():
        assert any(simulate(seed).violation for seed in range(1, 501))


def test_the_seeds_come_by_everything_that_can_go_wrong() -> None:
    """Lost replies, crashes, cold caches, comparisons and rollbacks."""
    lines = [line for seed in range(1, 40) for line in simulate(seed).trace]
    events = ("lost", "crash", "cold", "twin", "none", "rolled back to the checkpoint", "healed")

    assert [event for event in events if not any(event in line for line in lines)] == []
