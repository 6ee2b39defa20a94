"""Retrying: whether a failed attempt is followed by another, and when."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from statefun.workflows import _proto
from statefun.workflows.common import RetryPolicy, check_retry_policy
from statefun.workflows.exceptions import RetryState

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["next_attempt", "policy_message", "policy_of"]

_LONGEST_OVER_INITIAL = 100
_MOST_DOUBLINGS = 64


def policy_message(policy: RetryPolicy) -> _proto.RetryPolicy:
    """A retry policy as it travels.

    Raises:
        ValueError: If it makes no sense.
    """
    check_retry_policy(policy)
    one = timedelta(milliseconds=1)
    return _proto.RetryPolicy(
        initial_interval_ms=policy.initial_interval // one,
        backoff_coefficient=policy.backoff_coefficient,
        maximum_interval_ms=(policy.maximum_interval or timedelta(0)) // one,
        maximum_attempts=policy.maximum_attempts,
        non_retryable_error_types=policy.non_retryable_error_types or (),
    )


def policy_of(message: _proto.RetryPolicy) -> RetryPolicy:
    """A retry policy that has travelled."""
    longest = message.maximum_interval_ms
    return RetryPolicy(
        timedelta(milliseconds=message.initial_interval_ms),
        message.backoff_coefficient,
        timedelta(milliseconds=longest) if longest else None,
        message.maximum_attempts,
        list(message.non_retryable_error_types) or None,
    )


def next_attempt(
    policy: _proto.RetryPolicy, attempt: int, failure: _proto.Failure, left_ms: int | None
) -> int | RetryState:
    """How long until the next attempt in milliseconds, or why there is none.

    Args:
        policy: The retry policy.
        attempt: Which attempt has failed, from 1.
        failure: How it failed.
        left_ms: How much time is left for all attempts; None for any.
    """
    info = failure.application_failure_info
    is_application = failure.WhichOneof("failure_info") == "application_failure_info"
    if _is_final(failure, policy.non_retryable_error_types):
        return RetryState.NON_RETRYABLE_FAILURE
    if policy.maximum_attempts and attempt >= policy.maximum_attempts:
        return RetryState.MAXIMUM_ATTEMPTS_REACHED
    if is_application and info.HasField("next_retry_delay_ms"):
        delay_ms = info.next_retry_delay_ms
    else:
        initial = policy.initial_interval_ms
        longest = policy.maximum_interval_ms or initial * _LONGEST_OVER_INITIAL
        growth = policy.backoff_coefficient ** min(attempt - 1, _MOST_DOUBLINGS)
        delay_ms = int(min(initial * growth, longest))
    if left_ms is not None and delay_ms >= left_ms:
        return RetryState.TIMEOUT
    return delay_ms


def _is_final(failure: _proto.Failure, types: Sequence[str]) -> bool:
    match failure.WhichOneof("failure_info"):
        case "application_failure_info":
            info = failure.application_failure_info
            return info.non_retryable or info.type in types
        case "server_failure_info":
            return failure.server_failure_info.non_retryable
        case "timeout_failure_info":
            return failure.timeout_failure_info.timeout_type not in (1, 4)
        case "canceled_failure_info" | "terminated_failure_info":
            return True
        case _:
            return False
