"""When a failed invocation is tried again, and what happens when that is given up."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from datetime import timedelta

__all__ = ["InvocationRetryPolicy"]


@dataclass
class InvocationRetryPolicy:
    """When the attempts of an invocation follow one another; None leaves the default.

    Attributes:
        initial_interval: The pause before the second attempt; 50 ms.
        exponentiation_factor: What each pause is multiplied with to give the next; 2.
        max_interval: The longest pause; 1 minute.
        max_attempts: How many attempts there are in all; 70.
        on_max_attempts: What follows the last one: `"pause"` keeps the invocation for an
            operator, `"kill"` answers the caller with the failure. `"pause"`.
    """

    initial_interval: timedelta | None = None
    exponentiation_factor: float | None = None
    max_interval: timedelta | None = None
    max_attempts: int | None = None
    on_max_attempts: Literal["pause", "kill"] | None = None
