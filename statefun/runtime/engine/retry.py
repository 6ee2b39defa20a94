"""Retry: how long a batch that failed waits before it is tried again.

Law: a policy is an object with one decision; chance comes in as an argument.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING, Protocol

from statefun.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Backoff", "RetryPolicy"]

_A_YEAR_MS = 365 * 24 * 60 * 60 * 1000


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
        longest_ms: The longest wait, a year or less.
        attempts: How many attempts there are before giving up.
        jitter: Up to which part of a wait chance takes away: 0 for none, 0.5 for a half.

    Raises:
        ConfigurationError: If one of them makes no sense.
    """

    first_ms: int = 100
    factor: float = 2.0
    longest_ms: int = 10_000
    attempts: int = 8
    jitter: float = 0.5

    def __post_init__(self) -> None:
        """Check that these make a policy."""
        for name, is_right, rule in (
            ("first_ms", self.first_ms > 0, "more than 0"),
            ("factor", 1 <= self.factor < inf, "a number from 1 on"),
            ("longest_ms", 0 < self.longest_ms <= _A_YEAR_MS, f"from 1 to {_A_YEAR_MS}"),
            ("attempts", self.attempts > 0, "more than 0"),
            ("jitter", 0 <= self.jitter <= 1, "from 0 to 1"),
        ):
            if not is_right:
                raise ConfigurationError(
                    f"{name} of a Backoff must be {rule}, got {getattr(self, name)!r}",
                    option=name,
                    given=repr(getattr(self, name)),
                )

    def delay_ms(self, attempt: int, random: Callable[[], float]) -> int | None:
        """The wait, None once `attempts` have failed."""
        if attempt >= self.attempts:
            return None
        try:
            full = min(self.first_ms * self.factor ** (attempt - 1), self.longest_ms)
        except OverflowError:  # far beyond any longest wait
            full = self.longest_ms
        return max(1, round(full * (1 - self.jitter * random())))
