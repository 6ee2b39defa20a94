"""The simulation can fail: bugs planted in the runtime are found."""

from __future__ import annotations

import pytest

from tests.tools.simulation.bugs import BUGS, Bug
from tests.tools.simulation.plan import plan_of
from tests.tools.simulation.simulation import simulate

SEEDS = 700


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name)
def test_a_planted_bug_breaks_a_law(bug: Bug) -> None:
    """Within so many seeds."""
    with bug.planted():
        is_found = any(simulate(plan_of(seed)).violation for seed in range(1, SEEDS + 1))

    assert is_found


def test_a_bug_is_gone_after_it_was_planted() -> None:
    """What was replaced is put back."""
    before = [vars(bug.owner)[bug.function] for bug in BUGS]

    for bug in BUGS:
        with bug.planted():
            assert vars(bug.owner)[bug.function] not in before

    assert [vars(bug.owner)[bug.function] for bug in BUGS] == before
