"""Failures: what is decided about a batch that failed, by its policy and its attempts."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from statefun.errors import InvocationError, ProcessEndedError, TransportError
from statefun.runtime.engine.failures import Decision, FailureState, decide, split_point
from statefun.runtime.engine.policy import ENDLESS, FailurePolicy, Outcome
from statefun.runtime.engine.retry import Backoff
from statefun.sdk.address import Address

A = Address("t/a", "1")
PATIENT = FailurePolicy("drop", Backoff(timedelta(milliseconds=100), attempts=3, jitter=0))


def failed(times: int, error: Exception | None = None) -> FailureState:
    state = FailureState()
    for _ in range(times):
        state.count(error or ValueError("no"), 0)
    return state


def decided(times: int, size: int = 1, policy: FailurePolicy = PATIENT, **more: Any) -> Decision:
    return decide(policy, failed(times), size, None, float, **more)


def test_a_message_is_tried_again_until_its_attempts_are_used_up() -> None:
    """Each wait is longer; then the policy says what becomes of it."""
    assert [decided(times) for times in (1, 2, 3)] == [
        Decision("retry", 100),
        Decision("retry", 200),
        Decision("drop"),
    ]


def test_an_endless_policy_gives_up_only_who_ends_the_process() -> None:
    """Whatever else happens, the message is tried again within seconds."""
    death = ProcessEndedError(Address("t/a", "1"), 1)

    assert [decided(times, policy=ENDLESS).next for times in (8, 100_000)] == ["retry", "retry"]
    assert decided(100_000, policy=ENDLESS).delay_ms == 10_000
    deaths = [
        decide(ENDLESS, failed(times, death), 1, None, float, error=death) for times in (7, 8)
    ]
    assert [each.next for each in deaths] == ["retry", "dead-letter"]


@pytest.mark.parametrize("outcome", ["dead-letter", "drop", "pause", "fail"])
def test_the_outcome_is_that_of_the_policy(outcome: Outcome) -> None:
    """For a message alone."""
    policy = FailurePolicy(outcome, Backoff(attempts=1))

    assert decided(1, policy=policy) == Decision(outcome)


def test_a_batch_is_taken_apart_before_any_of_it_is_given_up() -> None:
    """After so many failures, or when its attempts are used up; or at once if policies differ."""
    soon = FailurePolicy("drop", Backoff(attempts=9, jitter=0), isolate_after=2)

    assert [decided(times, 5, soon).next for times in (1, 2)] == ["retry", "isolate"]
    assert decided(3, 5).next == "isolate"
    assert decided(1, 5, is_mixed=True).next == "isolate"


def test_a_batch_whose_policy_is_to_fail_stays_whole() -> None:
    """The runtime stops with it, as a cluster does."""
    policy = FailurePolicy("fail", Backoff(attempts=2, jitter=0), isolate_after=1)

    assert [decided(times, 5, policy).next for times in (1, 2)] == ["retry", "fail"]


def test_an_attempt_without_a_connection_does_not_count() -> None:
    """However many there are; the function cannot have run."""
    state = failed(100, TransportError("no connection", connected=False))

    assert decide(PATIENT, state, 1, None, float) == Decision("retry", 10_000, is_counted=False)


def test_a_hopeless_error_gets_no_more_attempts_than_it_is_worth() -> None:
    """The same message would meet it again."""
    assert decide(PATIENT, failed(1), 1, 1, float) == Decision("drop")
    assert decide(PATIENT, failed(1), 1, 3, float) == Decision("retry", 100)


def test_the_good_messages_before_the_one_that_failed_are_tried_first() -> None:
    """The error tells which it was; else half of the batch is tried."""
    known = InvocationError(A, "t/t", 4, 9, "no")

    assert split_point(known, 9) == 3
    assert 0 < split_point(ValueError("no"), 9) < 9
