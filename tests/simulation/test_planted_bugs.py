"""The simulation can fail: bugs planted in the runtime are found."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from statefun.runtime.stores.sqlite import SqliteStore
from tests.tools.simulation.bugs import BUGS, STORE_BUGS, Bug
from tests.tools.simulation.plan import plan_of
from tests.tools.simulation.simulation import simulate

if TYPE_CHECKING:
    from pathlib import Path

SEEDS = 700
STORE_SEEDS = 150


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name)
def test_a_planted_bug_breaks_a_law(bug: Bug) -> None:
    """Within so many seeds."""
    with bug.planted():
        is_found = any(simulate(plan_of(seed)).violation for seed in range(1, SEEDS + 1))

    assert is_found


@pytest.mark.parametrize("bug", STORE_BUGS, ids=lambda bug: bug.name)
def test_a_planted_bug_of_the_store_breaks_a_law(bug: Bug, tmp_path: Path) -> None:
    """Within fewer seeds, for each of them is written to disk."""

    def breaks(seed: int) -> bool:
        with closing(SqliteStore(tmp_path / str(seed), "normal")) as store:
            return simulate(plan_of(seed), store).violation is not None

    with bug.planted():
        is_found = any(map(breaks, range(1, STORE_SEEDS + 1)))

    assert is_found


def test_a_bug_is_gone_after_it_was_planted() -> None:
    """What was replaced is put back."""
    before = [vars(bug.owner)[bug.function] for bug in BUGS]

    for bug in BUGS:
        with bug.planted():
            assert vars(bug.owner)[bug.function] not in before

    assert [vars(bug.owner)[bug.function] for bug in BUGS] == before
