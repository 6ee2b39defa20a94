"""Workflows in simulated worlds, and bugs that are planted to be found there.

`make simulate-workflows` takes more seeds, and plants every bug.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.tools.workflows.bugs import BUGS
from tests.tools.workflows.simulation import simulate

if TYPE_CHECKING:
    from tests.tools.durable.bugs import Bug

SEEDS = range(1, 31)
QUICKLY_FOUND = (
    "what runs once is begun without being claimed",
    "the caller of an activity is told before that is durable",
    "what came before the run began is lost",
    "children outlive their parents",
    "after a query a run stays read-only",
)


def test_no_seed_breaks_a_law() -> None:
    """Whatever happens in it; `.ci/run` takes five thousand others."""
    for seed in SEEDS:
        simulation = simulate(seed)
        told = f"{simulation.violation}; make simulate-workflows SEED={seed}"
        assert simulation.violation is None, told


def test_a_seed_always_gives_the_same_trace() -> None:
    """So that what it has found can be looked at."""
    for seed in (1, 2, 3):
        assert simulate(seed).trace == simulate(seed).trace


@pytest.mark.parametrize(
    "bug", [each for each in BUGS if each.name in QUICKLY_FOUND], ids=lambda bug: bug.name
)
def test_a_planted_bug_is_found(bug: Bug) -> None:
    """Within the first seeds."""
    with bug.planted():
        assert any(simulate(seed).violation for seed in SEEDS)


def test_every_bug_has_its_place() -> None:
    """A bug whose function is no more cannot be planted."""
    for bug in BUGS:
        with bug.planted():
            assert bug.function in bug.owner.__dict__


def test_the_seeds_come_by_everything_that_can_go_wrong() -> None:
    """Lost replies, crashes, replays, repeats, and every kind of request."""
    lines = "\n".join(line for seed in SEEDS for line in simulate(seed).trace)
    events = (
        *("lost", "crashes", "cold", "twin", "connection", "healed", "ends: failure"),
        *("ends: completes_later", "ends: canceled", "attempt 2", "cancel", "terminate", "update"),
        *("query", "result", *(f"start {kind}" for kind in ("Chain", "Cautious", "Regular"))),
    )

    assert [event for event in events if event not in lines] == []
