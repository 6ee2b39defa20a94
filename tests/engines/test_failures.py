"""Whatever is killed under load, each order counts exactly once, in state and in what comes out.

One program (`failures/bank.py`), one load and one check. What differs between the embedded runtime
and the real engine is how messages go in and how records come out (`failures/places.py`).
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.engines.failures.check import BOOKINGS, expected_reports, orders, violations
from tests.engines.failures.load import violations_after_crashes
from tests.engines.failures.places import embedded, on_flink

if TYPE_CHECKING:
    from pathlib import Path

    from tests.tools.lab import Flink, Kafka

VICTIMS = pytest.mark.parametrize("victim", ["runtime", "endpoint"])


@pytest.mark.engines
@pytest.mark.timeout(300)
@VICTIMS
def test_on_the_engine_kills_lose_and_repeat_nothing(
    victim: str, deployed_flink: Flink, deployed_kafka: Kafka, tmp_path: Path
) -> None:
    """The worker or `statefun serve` is killed twice under load, and started again."""
    with on_flink(tmp_path, deployed_flink, deployed_kafka.bootstrap) as place:
        assert violations_after_crashes(place, [victim, victim], count=1500, accounts=300) == []


@VICTIMS
def test_on_the_embedded_runtime_kills_lose_and_repeat_nothing(victim: str, tmp_path: Path) -> None:
    """`statefun run` or `statefun serve` is killed twice under load, and started again."""
    with embedded(tmp_path) as place:
        assert violations_after_crashes(place, [victim, victim], count=600, accounts=100) == []


def records_of_an_undisturbed_run() -> list[str]:
    entries = [{"kind": kind, "number": number} for number in range(3) for kind in BOOKINGS]
    return [json.dumps(each) for each in [*entries, *expected_reports(orders(3, 2)).values()]]


def test_the_check_takes_an_undisturbed_run() -> None:
    """Every booking once, in any order, and the books of each account."""
    assert violations(orders(3, 2), reversed(records_of_an_undisturbed_run())) == []


def test_the_check_finds_what_is_missing() -> None:
    """A record that never came out, and a report that never came."""
    records = records_of_an_undisturbed_run()

    wrong = violations(orders(3, 2), records[1:-1])

    assert [each.split(":")[0] for each in wrong] == [
        "0 records instead of 1",
        "reported [] instead of {'account'",
    ]


def test_the_check_finds_what_came_twice() -> None:
    """A record that was written again, and a booking that was counted again."""
    records = records_of_an_undisturbed_run()
    report = json.loads(records[-1])
    report["total"] += 1

    wrong = violations(orders(3, 2), [records[0], *records[:-1], json.dumps(report)])

    assert [each.split(":")[0] for each in wrong] == [
        "2 records instead of 1",
        "reported [{'account'",
    ]
