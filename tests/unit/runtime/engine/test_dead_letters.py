"""Dead letters: all are kept unless there is a bound; then the one that failed first goes first."""

from __future__ import annotations

from datetime import timedelta

from statefun.runtime.engine.changes import Changes
from statefun.runtime.engine.counters import Counters
from statefun.runtime.engine.dead_letters import DeadLetters
from statefun.runtime.engine.policy import Retention
from statefun.runtime.engine.records import DeadLetter
from statefun.sdk.address import Address


def letter(number: int, failed_ms: int) -> DeadLetter:
    return DeadLetter(number, Address("t/a", "1"), None, b"", "no", 1, failed_ms, failed_ms)


def kept_by(retention: Retention, *letters: DeadLetter) -> tuple[DeadLetters, Changes, Counters]:
    changes, counters = Changes(), Counters()
    kept = DeadLetters(retention, 0, {}, changes, counters)
    for each in letters:
        kept.add(each)
    return kept, changes, counters


def test_without_a_bound_nothing_is_forgotten() -> None:
    """However many there are, and however old."""
    kept, changes, counters = kept_by(Retention(), *(letter(each, 5) for each in range(1, 1001)))

    kept.expire(10**15)

    assert (len(kept), counters.expired_dead_letters) == (1000, 0)
    delta = changes.begin()
    assert delta is None or len(delta.dead_letters) == 1000


def test_the_oldest_are_forgotten_when_there_are_too_many() -> None:
    """Those that failed first, whatever their numbers."""
    kept, _, counters = kept_by(Retention(max_count=2), letter(9, 1), letter(3, 2), letter(5, 3))

    assert (len(kept), counters.expired_dead_letters) == (2, 1)
    assert [kept.forget(number) for number in (9, 3, 5)] == [False, True, True]


def test_those_are_forgotten_that_are_too_old() -> None:
    """Also if nothing new fails: whoever drives the engine lets time pass."""
    retention = Retention(max_age=timedelta(milliseconds=10))
    kept, _, counters = kept_by(retention, letter(1, 0), letter(2, 5))

    kept.expire(9)
    before = len(kept)
    kept.expire(10)

    assert (before, len(kept), counters.expired_dead_letters) == (2, 1, 1)


def test_a_letter_is_forgotten_once() -> None:
    """By hand, or by the bound."""
    for retention in (Retention(), Retention(max_count=5)):
        kept, _, _ = kept_by(retention, letter(1, 0))

        assert (kept.forget(1), kept.forget(1), len(kept)) == (True, False, 0)
