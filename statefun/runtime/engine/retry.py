"""Retry: how long a batch that failed waits before it is tried again.

Law: a policy is an object with one decision; chance comes in as an argument.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from math import inf
from typing import TYPE_CHECKING, Protocol

from statefun.errors import ConfigurationError
from statefun.sdk.specs import whole_millis

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Backoff", "RetryPolicy"]

_SHORTEST = timedelta(milliseconds=1)
_LONGEST = timedelta(days=365)


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
        first: The wait after the first attempt, at least a millisecond.
        factor: By how much the next wait is longer.
        longest: The longest wait, at least a millisecond and at most a year.
        attempts: How many attempts there are before giving up.
        jitter: Up to which part of a wait chance takes away: 0 for none, 0.5 for a half.

    Raises:
        ConfigurationError: If one of them makes no sense.
    """

    first: timedelta = timedelta(milliseconds=100)
    factor: float = 2.0
    longest: timedelta = timedelta(seconds=10)
    attempts: int = 8
    jitter: float = 0.5

    def __post_init__(self) -> None:
        """Check that these make a policy."""
        for name, is_right, rule in (
            ("first", self.first >= _SHORTEST, "a millisecond or more"),
            ("factor", 1 <= self.factor < inf, "a number from 1 on"),
            ("longest", _SHORTEST <= self.longest <= _LONGEST, "from a millisecond to a year"),
            ("attempts", self.attempts > 0, "more than 0"),
            ("jitter", 0 <= self.jitter <= 1, "from 0 to 1"),
        ):
            if not is_right:
                raise ConfigurationError(
                    f"{name} of a Backoff must be {rule}, got {getattr(self, name)!r}",
                    option=name,
                    given=repr(getattr(self, name)),
                )

    @property
    def longest_ms(self) -> int:
        """The longest wait in milliseconds."""
        return whole_millis(self.longest)

    def delay_ms(self, attempt: int, random: Callable[[], float]) -> int | None:
        """The wait, None once `attempts` have failed."""
        if attempt >= self.attempts:
            return None
        full: float = self.longest_ms
        with suppress(OverflowError):  # it is far beyond any longest wait
            full = min(whole_millis(self.first) * self.factor ** (attempt - 1), full)
        return max(1, round(full * (1 - self.jitter * random())))
