"""The cores compared: the one that this process would choose, and the reference."""

from __future__ import annotations

from tests.tools.fuzz.compare import differences
from tests.tools.fuzz.worker import GROUP

CORE_OF_CHOICE = ""


def test_both_cores_answer_random_requests_alike() -> None:
    """Byte-equal replies, the same errors with the same notes, the same readings of replies."""
    assert list(differences(5_000_000, 4 * GROUP, CORE_OF_CHOICE)) == [None] * 4


def test_a_difference_is_told_with_its_seed() -> None:
    """One wrong answer among hundreds is found, and both answers are shown."""
    planted = 5_000_000 + GROUP + 7

    reports = list(differences(5_000_000, 2 * GROUP, CORE_OF_CHOICE, planted))

    assert reports[0] is None
    lines = (reports[1] or "").splitlines()
    assert (lines[0], lines[2]) == (f"seed {planted}", "  the other core: planted")
