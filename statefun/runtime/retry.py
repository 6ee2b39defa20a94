"""Retry: how long a batch that failed waits before it is tried again.

Law: a policy is an object with one decision; chance comes in as an argument.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Backoff", "RetryPolicy"]


class RetryPolicy(Protocol):
    """When to try again."""

    @property
    def longest_ms(self) -> int:
        """The longest it ever waits."""
        ...

    def delay_ms(self, attempt: int, random: Callable[[], float]) -> int | None:
        """How long to wait after failed attempt number `attempt`, or None to give up.

        Args:
            attempt: How many attempts have failed; the first is 1.
            random: Gives a number from 0 up to 1.
        """
        ...


@dataclass(frozen=True, slots=True)
class Backoff:
    """Waits longer after each attempt, up to a longest wait.

    Attributes:
        first_ms: The wait after the first attempt.
        factor: By how much the next wait is longer.
        longest_ms: The longest wait.
        attempts: How many attempts there are before giving up.
        jitter: Up to which part of a wait chance takes away: 0 for none, 0.5 for a half.
    """

    first_ms: int = 100
    factor: float = 2.0
    longest_ms: int = 10_000
    attempts: int = 8
    jitter: float = 0.5

    def delay_ms(self, attempt: int, random: Callable[[], float]) -> int | None:
        """The wait, None once `attempts` have failed."""
        if attempt >= self.attempts:
            return None
        full = min(self.first_ms * self.factor ** (attempt - 1), self.longest_ms)
        return max(1, round(full * (1 - self.jitter * random())))
