"""A few hundred seeds; `.ci/run` takes ten thousand others."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from statefun.runtime.stores.sqlite import SqliteStore
from tests.tools.simulation.bugs import BUGS
from tests.tools.simulation.plan import POINTS, plan_of
from tests.tools.simulation.report import report, run_seed, shrink
from tests.tools.simulation.simulation import simulate

if TYPE_CHECKING:
    from pathlib import Path

GROUPS = 6
SEEDS = 300


@pytest.mark.parametrize("group", range(GROUPS))
def test_no_seed_breaks_a_law(group: int) -> None:
    """Whatever happens in it."""
    for seed in range(1 + group, 1 + SEEDS, GROUPS):
        found = run_seed(seed)
        assert found is None, found


def test_a_seed_always_gives_the_same_trace() -> None:
    """A report can be reproduced from its seed alone."""
    for seed in range(30):
        assert simulate(plan_of(seed)).trace() == simulate(plan_of(seed)).trace()


def test_sqlite_keeps_what_memory_keeps(tmp_path: Path) -> None:
    """Deltas of any kind, repeated and merged, come out of the file as they come out of memory."""
    for seed in range(1, 31):
        store = SqliteStore(tmp_path / str(seed), "normal")
        simulation = simulate(plan_of(seed), store)
        store.close()

        assert simulation.violation is None
        assert simulation.trace() == simulate(plan_of(seed)).trace()


def test_the_seeds_come_by_everything_that_can_happen() -> None:
    """Every point at which a process can crash, and every kind of failures."""
    events = (
        "connection refused",
        "no reply came\n",
        "no reply came in time",
        "has answered again",
        "bytes are not a FromFunction",
        "waits under it",
        "it always does",
        "the function failed",
        "the commit fails\n",
        "the commit fails, but is stored",
        "loading",
        "the clock is set by -",
        "the clock is set by 3600000",
        "comes again",
        "is refused",
        "dead-letter: ",
        "drop: ",
        "pause: ",
        "the process is to stop",
        "busy",
        "too long",
        "conflict",
        ": unknown",
        "is forgotten",
        "dead letters are too old",
        "not tried again yet",
        "the egress 's/out', which does not exist",
        "a function that does not exist",
        "values are missing",
        "is held: ",
        "is asked which values it declares",
        "is tried again",
        "cancelled a delayed message with an empty token",
        "with a delay of -1 ms",
        "is changed by hand",
        "is cancelled by hand",
        "dead letters are dropped",
        "the edit is done: ",
        "the edit is done while nothing runs",
        "the edit fails",
        "nothing is to do",
        "is replayed",
        "is released",
        "asks for",
        "the process is stopped",
    )
    missing = {*events, *(f"crashes {point}" for point in POINTS)}
    for seed in range(1, SEEDS + 1):
        trace = simulate(plan_of(seed)).trace()
        missing = {event for event in missing if event not in trace}
        if not missing:
            break

    assert missing == set()


def test_a_report_says_how_to_see_the_broken_law_again() -> None:
    """With a plan from which everything was taken that it does not take."""
    bug = next(bug for bug in BUGS if bug.name == "timers fire early")
    with bug.planted():
        simulation = next(
            each for each in map(simulate, map(plan_of, range(2, 500))) if each.violation
        )
        text = report(simulation)
        plan, law = simulation.plan, "no timer is early"
        small = shrink(plan, law)
        others = [simulate(small.without(cut)).violation for cut in small.cuts()]

    assert text.startswith(f"seed {plan.seed} breaks the law: no timer is early\n")
    assert f"to see it again: make simulate SEED={plan.seed}\n" in text
    assert len(small.cuts()) < len(plan.cuts())
    assert [each for each in others if each is not None and each.law == law] == []
