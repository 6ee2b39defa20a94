"""A failed batch is tried again, loses nothing, and holds up nobody else."""

from datetime import timedelta

import pytest

from statefun.errors import ConfigurationError, TransportError
from statefun.runtime.engine.failures import Decision
from statefun.runtime.engine.policy import FailurePolicy, Rules
from statefun.runtime.engine.retry import Backoff
from statefun.sdk.address import Address
from tests.runtime.driver import START_MS, A, B, Driver, Effects


def waits(driver: Driver, times: int, error: Exception | None = None) -> list[int]:
    """Fail so many attempts in a row; returns how long each was waited for."""
    delays = []
    for _ in range(times):
        driver.fail(driver.batch(), error)
        wake_ms = driver.engine.next_wake_ms()
        assert wake_ms is not None
        delays.append(wake_ms - driver.now_ms)
        driver.wait(delays[-1])
    return delays


def test_the_wait_doubles_up_to_ten_seconds() -> None:
    """A hundred milliseconds first."""
    driver = Driver(rules=Rules(FailurePolicy(retry=Backoff(attempts=20, jitter=0))))
    driver.send(A, "x")

    delays = waits(driver, 10)

    assert delays == [100, 200, 400, 800, 1600, 3200, 6400, 10_000, 10_000, 10_000]
    assert [seen.messages for seen in driver.take()] == [["x"]]


def test_a_batch_that_succeeds_leaves_its_failures_behind() -> None:
    """The next batch of the address begins with the first wait again."""
    driver = Driver()
    driver.send(A, "x")
    waits(driver, 4)
    driver.answer(driver.batch())

    driver.send(A, "y")

    assert waits(driver, 1) == [100]


def test_the_same_batch_is_tried_again_and_what_came_meanwhile_stays_behind_it() -> None:
    """A retry is neither longer nor shorter than what failed."""
    driver = Driver()
    driver.send(A, "1")
    batch = driver.batch()
    driver.send(A, "2")

    driver.fail(batch)
    driver.send(A, "3")
    driver.wait(100)

    assert [seen.messages for seen in driver.drain()] == [["1"], ["2", "3"]]


def test_other_addresses_are_not_held_up() -> None:
    """Neither another id of the same function nor another function."""
    driver = Driver()
    driver.send(A, "x")
    driver.fail(driver.batch())
    others = [Address("t/a", "2"), B]

    for other in others:
        driver.send(other, "y")

    assert [seen.address for seen in driver.take()] == others


def test_a_retry_carries_the_state_as_it_is() -> None:
    """What failed changed nothing."""
    driver = Driver()
    driver.declare("n")
    driver.turn(A, Effects().set("n", "kept"))
    driver.send(A, "x")

    driver.fail(driver.batch())
    driver.wait(100)

    assert [seen.state for seen in driver.take()] == [{"n": "kept"}]


def test_an_attempt_without_a_connection_costs_none() -> None:
    """The waits grow as well, and the first real failure is still the first."""
    driver = Driver()
    driver.send(A, "x")
    unreachable = TransportError("nobody there", connected=False)

    without = waits(driver, 9, unreachable)
    batch = driver.batch()
    driver.fail(batch)

    assert without == [100, 200, 400, 800, 1600, 3200, 6400, 10_000, 10_000]
    assert batch.attempt == 1
    assert len(driver.engine.dead_letters) == 0
    verdicts = [each.decision for each in driver.engine.take_failed_attempts()]
    assert verdicts[-2:] == [
        Decision("retry", 10_000, is_counted=False),
        Decision("retry", 100, is_counted=True),
    ]


def test_waits_for_a_connection_begin_anew_after_a_real_failure() -> None:
    """They count from the last attempt that reached the function."""
    driver = Driver()
    driver.send(A, "x")
    unreachable = TransportError("nobody there", connected=False)

    delays = [
        *waits(driver, 2, unreachable),
        *waits(driver, 2),
        *waits(driver, 2, unreachable),
        *waits(driver, 1),
    ]

    assert delays == [100, 200, 100, 200, 100, 200, 400]


def test_the_engine_wakes_for_what_is_due_first() -> None:
    """A retry or a timer, whichever it is."""
    driver = Driver()
    driver.turn(B, Effects().delay(150, B, "x"))
    driver.send(A, "x")
    batch = driver.batch()

    driver.fail(batch)
    first = driver.engine.next_wake_ms()
    driver.wait(100)
    driver.fail(driver.batch())
    second = driver.engine.next_wake_ms()

    assert (first, second) == (START_MS + 100, START_MS + 150)


def test_a_failed_attempt_over_a_connection_counts() -> None:
    """The function may have run."""
    driver = Driver()
    driver.send(A, "x")

    assert waits(driver, 2, TransportError("500")) == [100, 200]


def test_retries_become_ready_in_the_order_in_which_they_are_due() -> None:
    """Not in the order in which they failed."""
    driver = Driver()
    driver.send(A, "x")
    waits(driver, 1)
    driver.send(B, "y")
    a, b = driver.batches()
    driver.fail(a)
    driver.fail(b)

    driver.wait(1000)

    assert [seen.address for seen in driver.take()] == [B, A]


def test_a_setback_says_where_why_and_what_next() -> None:
    """For whoever logs it."""
    driver = Driver()
    driver.send(A, "x")
    error = ValueError("no")

    driver.fail(driver.batch(), error)

    [failed_attempt] = driver.engine.take_failed_attempts()
    assert (failed_attempt.address, failed_attempt.error, failed_attempt.attempts) == (A, error, 1)
    assert driver.engine.take_failed_attempts() == []


@pytest.mark.parametrize(("chance", "expected_ms"), [(0.0, 100), (0.5, 75), (1.0, 50)])
def test_chance_shortens_a_wait_by_half_at_most(chance: float, expected_ms: int) -> None:
    """So that many addresses that failed together do not come back together."""
    assert Backoff().delay_ms(1, lambda: chance) == expected_ms


def test_a_policy_of_two_attempts_gives_up_after_the_second() -> None:
    """`attempts` is how many there are in all."""
    policy = Backoff(attempts=2, jitter=0)

    assert [policy.delay_ms(attempt, float) for attempt in (1, 2)] == [100, None]


def test_however_many_attempts_there_are_the_wait_is_the_longest() -> None:
    """Powers beyond the range of a float do not end anything."""
    policy = Backoff(attempts=10_000, jitter=0)

    assert [policy.delay_ms(attempt, float) for attempt in (8, 1025, 9999)] == [10_000] * 3
    assert policy.delay_ms(10_000, float) is None


@pytest.mark.parametrize(
    ("field", "value", "rule"),
    [
        ("first", timedelta(0), "a millisecond or more"),
        ("factor", 0.5, "a number from 1 on"),
        ("factor", float("nan"), "a number from 1 on"),
        ("longest", timedelta(-1), "from a millisecond to a year"),
        ("longest", timedelta(days=366), "from a millisecond to a year"),
        ("attempts", 0, "more than 0"),
        ("jitter", 1.5, "from 0 to 1"),
    ],
)
def test_a_backoff_that_makes_no_sense_is_refused(field: str, value: float, rule: str) -> None:
    """When it is made, not at the first failure."""
    with pytest.raises(ConfigurationError) as caught:
        Backoff(**{field: value})  # type: ignore[arg-type]

    assert str(caught.value) == f"{field} of a Backoff must be {rule}, got {value!r}"
