"""Retries: when a failed attempt of a handler or an effect is followed by another."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Literal

from statefun.durable.exceptions import RetryableError

if TYPE_CHECKING:
    from statefun.durable.context_types import RunOptions
    from statefun.durable.options import Options

__all__ = ["Retries", "retries_of", "retries_of_effect"]


@dataclass(frozen=True, slots=True)
class Retries:
    """A retry policy with nothing left open.

    Attributes:
        initial: The pause before the second attempt.
        factor: What each pause is multiplied with.
        longest: The longest pause.
        max_attempts: How many attempts there are in all; None for no limit.
        max_duration: How long after the first attempt there may be another; None for no limit.
        on_max_attempts: What follows the last one.
    """

    initial: timedelta = timedelta(milliseconds=50)
    factor: float = 2.0
    longest: timedelta = timedelta(minutes=1)
    max_attempts: int | None = 70
    max_duration: timedelta | None = None
    on_max_attempts: Literal["pause", "kill"] = "pause"

    def pause_ms(self, failures: int, error: BaseException) -> int:
        """How long to wait after so many failures, the last with this error."""
        if isinstance(error, RetryableError) and error.retry_after is not None:
            return error.retry_after // timedelta(milliseconds=1)
        growth = self.factor ** min(failures - 1, 64)
        pause = min(self.initial.total_seconds() * growth, self.longest.total_seconds())
        return int(pause * 1000)

    def are_spent(self, failures: int, since_first_ms: int) -> bool:
        """Whether there is no further attempt."""
        if self.max_attempts is not None and failures >= self.max_attempts:
            return True
        return self.max_duration is not None and timedelta(milliseconds=since_first_ms) >= (
            self.max_duration
        )


_DEFAULT = Retries()


def retries_of(options: Options) -> Retries:
    """The policy of a handler."""
    policy = options.invocation_retry_policy
    if policy is None:
        return _DEFAULT
    return Retries(
        policy.initial_interval or _DEFAULT.initial,
        policy.exponentiation_factor or _DEFAULT.factor,
        policy.max_interval or _DEFAULT.longest,
        policy.max_attempts or _DEFAULT.max_attempts,
        None,
        policy.on_max_attempts or _DEFAULT.on_max_attempts,
    )


def retries_of_effect(options: RunOptions[object], handler: Retries) -> Retries | None:
    """The policy that an effect has for itself; None if it has that of its handler."""
    if (
        options.max_attempts is None
        and options.max_duration is None
        and options.initial_retry_interval is None
        and options.max_retry_interval is None
        and options.retry_interval_factor is None
    ):
        return None
    return Retries(
        options.initial_retry_interval or handler.initial,
        options.retry_interval_factor or handler.factor,
        options.max_retry_interval or handler.longest,
        options.max_attempts,
        options.max_duration,
    )
