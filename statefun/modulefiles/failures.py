"""What a module file says of messages that functions fail on."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Final, Self, TypeAlias

from pydantic import BeforeValidator, ValidationInfo, model_validator

from statefun.errors import ConfigurationError
from statefun.modulefiles.dialects import ParseContext
from statefun.modulefiles.fields import Count, PositiveDuration, Spec
from statefun.runtime.engine.policy import Outcome
from statefun.runtime.engine.retry import Backoff
from statefun.sdk.specs import whole_millis

__all__ = ["FailureMode", "RetrySpec"]

_BACKOFF: Final = Backoff()
_BEYOND_MS: Final = 366 * 86_400_000  # more than any wait may be, and less than breaks a timedelta


def _check_failure_mode(mode: str, info: ValidationInfo) -> str:
    known = ParseContext.of(info.context).dialect.failure_modes
    if mode not in known:
        raise ConfigurationError(
            f"'failureMode' {mode!r} is unknown: write one of {', '.join(known)}"
        )
    return mode


FailureMode: TypeAlias = Annotated[Outcome, BeforeValidator(_check_failure_mode)]


class RetrySpec(Spec):
    """How often and when a message is tried that the functions fail on."""

    attempts: Count = _BACKOFF.attempts
    first: PositiveDuration = whole_millis(_BACKOFF.first)
    longest: PositiveDuration = _BACKOFF.longest_ms

    @model_validator(mode="after")
    def _makes_sense(self) -> Self:
        self.policy()
        return self

    def policy(self) -> Backoff:
        """As the runtime knows it."""
        return Backoff(
            first=timedelta(milliseconds=self.first),
            longest=timedelta(milliseconds=min(self.longest, _BEYOND_MS)),
            attempts=self.attempts,
        )
