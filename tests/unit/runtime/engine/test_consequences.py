"""Consequences: what was decided is carried out, and other addresses are not held up."""

from __future__ import annotations

import pytest

from statefun.runtime.engine.policy import FailurePolicy, Outcome, Rules
from statefun.runtime.engine.retry import Backoff
from tests.runtime.driver import A, B, Driver


def failing(outcome: Outcome, attempts: int = 1) -> Driver:
    """An engine in which the only message for A has failed once."""
    policy = FailurePolicy(outcome, Backoff(attempts=attempts, jitter=0))
    driver = Driver(rules=Rules(policy))
    driver.send(A, "x")
    driver.fail(driver.batch())
    return driver


@pytest.mark.parametrize(
    ("outcome", "counter"),
    [("dead-letter", "dead_letters"), ("drop", "dropped_messages"), ("pause", "pauses")],
)
def test_a_message_that_used_up_its_attempts_goes_one_way(outcome: Outcome, counter: str) -> None:
    """Kept apart, forgotten, or held with its address; never two of these."""
    counters = failing(outcome).engine.counters

    ways = {
        each: getattr(counters, each) for each in ("dead_letters", "dropped_messages", "pauses")
    }
    assert ways == dict.fromkeys(ways, 0) | {counter: 1}


@pytest.mark.parametrize("outcome", ["dead-letter", "drop", "pause"])
def test_other_addresses_go_on(outcome: Outcome) -> None:
    """At once, whatever became of the message."""
    driver = failing(outcome)
    driver.send(B, "y")

    assert driver.batch().address == B


def test_what_waits_behind_a_message_that_was_given_up_goes_on() -> None:
    """In its order."""
    driver = failing("drop", attempts=2)
    driver.send(A, "y")
    driver.wait(10_000)
    driver.fail(driver.batch())

    assert [seen.messages for seen in driver.drain()] == [["y"]]


def test_each_failed_attempt_is_told_once() -> None:
    """With its number and what was decided."""
    driver = failing("drop", attempts=2)

    [told] = driver.engine.take_failed_attempts()

    assert (told.address, told.attempts, told.decision.next) == (A, 1, "retry")
    assert driver.engine.take_failed_attempts() == []
