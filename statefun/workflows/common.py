"""What workflows, activities and clients have in common: retry policies, search attributes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import IntEnum
from typing import TYPE_CHECKING, ClassVar

from statefun.workflows.search_attributes import (
    SearchAttributeIndexedValueType,
    SearchAttributeKey,
    SearchAttributePair,
    SearchAttributes,
    SearchAttributeUpdate,
    SearchAttributeValue,
    TypedSearchAttributes,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from statefun.workflows import _proto

__all__ = [
    "Priority",
    "QueryRejectCondition",
    "RawValue",
    "RetryPolicy",
    "SearchAttributeIndexedValueType",
    "SearchAttributeKey",
    "SearchAttributePair",
    "SearchAttributeUpdate",
    "SearchAttributeValue",
    "SearchAttributes",
    "TypedSearchAttributes",
    "WorkflowIDConflictPolicy",
    "WorkflowIDReusePolicy",
]


@dataclass
class RetryPolicy:
    """When a failed attempt is followed by another.

    Attributes:
        initial_interval: The pause before the second attempt.
        backoff_coefficient: What each pause is multiplied with.
        maximum_interval: The longest pause; None for a hundred times the first.
        maximum_attempts: How many attempts there are, with the first; 0 for no limit.
        non_retryable_error_types: The types of errors after which there is no further attempt, by
            the exact names of their classes, or the `type` of an `ApplicationError`.
    """

    initial_interval: timedelta = timedelta(seconds=1)
    backoff_coefficient: float = 2.0
    maximum_interval: timedelta | None = None
    maximum_attempts: int = 0
    non_retryable_error_types: Sequence[str] | None = None


def check_retry_policy(policy: RetryPolicy) -> None:
    """Refuse a retry policy that makes no sense.

    Raises:
        ValueError: If it does not.
    """
    zero = timedelta(0)
    if policy.maximum_attempts == 1:
        return  # the rest does not matter
    if policy.initial_interval < zero:
        raise ValueError("Initial interval cannot be negative")
    if policy.backoff_coefficient < 1:
        raise ValueError("Backoff coefficient cannot be less than 1")
    if policy.maximum_interval is not None:
        if policy.maximum_interval < zero:
            raise ValueError("Maximum interval cannot be negative")
        if policy.maximum_interval < policy.initial_interval:
            raise ValueError("Maximum interval cannot be less than initial interval")
    if policy.maximum_attempts < 0:
        raise ValueError("Maximum attempts cannot be negative")


class WorkflowIDReusePolicy(IntEnum):
    """What becomes of a start with the id of a workflow that has ended."""

    ALLOW_DUPLICATE = 1
    ALLOW_DUPLICATE_FAILED_ONLY = 2
    REJECT_DUPLICATE = 3
    TERMINATE_IF_RUNNING = 4


class WorkflowIDConflictPolicy(IntEnum):
    """What becomes of a start with the id of a workflow that runs."""

    UNSPECIFIED = 0
    FAIL = 1
    USE_EXISTING = 2
    TERMINATE_EXISTING = 3


class QueryRejectCondition(IntEnum):
    """When a query is rejected for the status of its workflow."""

    NONE = 1
    NOT_OPEN = 2
    NOT_COMPLETED_CLEANLY = 3


@dataclass(frozen=True)
class RawValue:
    """A value that is not converted: its payload as it travels.

    Attributes:
        payload: The payload.
    """

    payload: _proto.Payload


@dataclass(frozen=True)
class Priority:
    """How urgent work is, for whoever reads it: workers take work in the order it comes.

    Attributes:
        priority_key: 1 for the most urgent, 5 for the least; None for 3.
        fairness_key: A group whose work is to be spread.
        fairness_weight: The weight of that group.
    """

    priority_key: int | None = None
    fairness_key: str | None = None
    fairness_weight: float | None = None
    default: ClassVar[Priority]


Priority.default = Priority()
