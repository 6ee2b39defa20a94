"""Failures: how to go on after a batch that failed.

Law: the decision is made in `decide` and nowhere else. A message is given up only when it failed
alone; whatever failed in company is tried in smaller company first, in the same order, and at once
if the company has several policies. What was tried without a connection was not tried.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, TypeAlias

from statefun.errors import (
    DoNotRetryError,
    InvocationError,
    MessageRefusedError,
    ProcessEndedError,
    ReplyTooLargeError,
    TransportError,
    UnknownFunctionError,
)
from statefun.runtime.engine.policy import ENDLESS
from statefun.runtime.engine.records import FailureRecord

if TYPE_CHECKING:
    from collections.abc import Callable

    from statefun.runtime.engine.policy import FailurePolicy, Outcome
    from statefun.runtime.engine.records import PausedAddress, PendingMessage
    from statefun.sdk.address import Address

__all__ = [
    "FEWEST_DEATHS",
    "LONGEST_RETRY_AFTER_MS",
    "MOST_DEATHS",
    "NO_RETRY",
    "UNDECODABLE_ATTEMPTS",
    "Decision",
    "FailedAttempt",
    "FailureState",
    "attempt_limit",
    "decide",
    "is_counted",
    "split_point",
]

NO_RETRY = 1
"""The attempts for an error that the same message would meet again."""

UNDECODABLE_ATTEMPTS = 3
"""The attempts for a reply that cannot be decoded."""

FEWEST_DEATHS = 3
"""A message is given up for ending the process only if that happened so often: whoever kills a
process from outside kills the message that is tried then, too."""

MOST_DEATHS = 8
"""A message that is tried for ever otherwise is given up if it ended the process so often."""

LONGEST_RETRY_AFTER_MS = 3_600_000
"""An endpoint is left alone for an hour at most, whatever it asks for."""

_HOPELESS = (ReplyTooLargeError, UnknownFunctionError, DoNotRetryError, MessageRefusedError)
"""The same message would meet these errors again."""

Next: TypeAlias = "Literal['retry', 'isolate', 'hold'] | Outcome"


@dataclass(slots=True)
class FailureState:
    """The failures of a batch that its address remembers, until all of it is done.

    Attributes:
        attempts: How many attempts with the current batch have failed.
        misses: How often in a row since then no connection could be made.
        parts: The parts that follow the current batch, before anything else that waits; each with
            the attempts that had failed when it was set aside.
        first_failed_ms: When the first counted attempt failed, None if none has.
        deaths: How often the process ended while the first message was tried alone.
        is_stored: Whether there is a record of this in the store, or will be with the next commit.
        pause: Why the address is held, None if it is not.
        waits_as_told: Whether its endpoint said when to try again.
    """

    attempts: int = 0
    misses: int = 0
    parts: deque[tuple[list[PendingMessage], int]] = field(default_factory=deque)
    first_failed_ms: int | None = None
    deaths: int = 0
    is_stored: bool = False
    pause: PausedAddress | None = None
    waits_as_told: bool = False

    def count(self, error: Exception, now_ms: int) -> None:
        """Take note of a failed attempt."""
        self.waits_as_told = isinstance(error, TransportError) and error.retry_after_ms is not None
        if not is_counted(error):
            self.misses += 1
            return
        if isinstance(error, ProcessEndedError):
            self.deaths += 1
        self.attempts += 1
        self.misses = 0
        if self.first_failed_ms is None:
            self.first_failed_ms = now_ms

    def set_aside(self, part: list[PendingMessage]) -> None:
        """Let a part follow. Whose failure the last attempt was is not known: it is nobody's."""
        self.attempts -= 1
        self.parts.appendleft((part, self.attempts))

    def try_later(self, rest: list[PendingMessage]) -> None:
        """Let the rest of a batch follow that has not been tried yet as it is now."""
        self.parts.appendleft((rest, self.attempts))

    def next_part(self) -> list[PendingMessage]:
        """Begin with the next part."""
        part, self.attempts = self.parts.popleft()
        self.misses = self.deaths = 0
        return part

    def begin_anew(self) -> None:
        """Forget the failures and go on with the same parts: somebody said so."""
        self.attempts = self.misses = self.deaths = 0
        self.parts = deque((part, 0) for part, _ in self.parts)
        self.first_failed_ms = self.pause = None

    def record(self, address: Address, size: int) -> FailureRecord | None:
        """The record that is stored of it, None for nothing.

        Args:
            address: Whose.
            size: How many messages the current batch has.
        """
        if not (self.attempts or self.parts or self.deaths):
            return None
        behind = [(len(part), attempts) for part, attempts in self.parts]
        parts = ((size, self.attempts), *behind)
        return FailureRecord(address, parts, self.first_failed_ms, self.deaths)


@dataclass(frozen=True, slots=True)
class Decision:
    """The decision about a failed batch.

    Attributes:
        next: `retry` the same, `isolate` by trying a part of it, `hold` it until a value can be
            read, or what becomes of its only message.
        delay_ms: A retry comes after so long.
        is_counted: Whether the attempt was one of those the policy allows.
    """

    next: Next
    delay_ms: int = 0
    is_counted: bool = True


@dataclass(frozen=True, slots=True)
class FailedAttempt:
    """One failed attempt, for whoever logs or counts.

    Attributes:
        address: Where.
        error: Why.
        attempts: How many attempts have failed by now, not counting those without a connection.
        decision: The next step.
        topic: The topic whose policy that was, empty if it was that of the function.
        dead_letter: The id of the dead letter that its message is now, else None.
    """

    address: Address
    error: Exception
    attempts: int
    decision: Decision
    topic: str = ""
    dead_letter: int | None = None


def is_counted(error: Exception) -> bool:
    """Whether an attempt that ended by this error counts: one without a connection does not."""
    return not isinstance(error, TransportError) or error.connected


def attempt_limit(error: Exception) -> int | None:
    """How many attempts are worth while after this error of a transport; None for any number."""
    cause = error.__cause__ if isinstance(error, InvocationError) else error
    return NO_RETRY if isinstance(cause, _HOPELESS) else None


def _told_ms(error: Exception) -> int:
    """How long an endpoint asked to be left alone, up to `LONGEST_RETRY_AFTER_MS`; 0 if not."""
    told_ms = error.retry_after_ms if isinstance(error, TransportError) else None
    return min(told_ms or 0, LONGEST_RETRY_AFTER_MS)


def decide(
    policy: FailurePolicy,
    failures: FailureState,
    size: int,
    most: int | None,
    random: Callable[[], float],
    *,
    is_mixed: bool = False,
    error: Exception | None = None,
) -> Decision:
    """Decide about a batch that failed.

    Args:
        policy: The policy of its first message.
        failures: The failures, with the last one counted.
        size: How many messages the batch has.
        most: How many attempts are worth while after this error, None for any number.
        random: Gives a number from 0 up to 1.
        is_mixed: Whether another message of it has another policy.
        error: The error of the last attempt.
    """
    told_ms = 0 if error is None else _told_ms(error)
    if failures.misses:
        delay_ms = policy.retry.delay_ms(failures.misses, random)
        waits_ms = policy.retry.longest_ms if delay_ms is None else delay_ms
        return Decision("retry", max(waits_ms, told_ms), is_counted=False)
    if is_mixed:
        return Decision("isolate")
    is_death = isinstance(error, ProcessEndedError)
    is_deadly = is_death and policy is ENDLESS and failures.deaths >= MOST_DEATHS
    is_hopeless = most is not None and failures.attempts >= most
    gives_up = is_deadly or is_hopeless
    delay_ms = None if gives_up else policy.retry.delay_ms(failures.attempts, random)
    if delay_ms is None and is_death and failures.deaths < FEWEST_DEATHS:
        delay_ms = policy.retry.longest_ms
    if size > 1 and policy.on_exhausted != "fail":
        if delay_ms is None or failures.attempts >= policy.isolate_after:
            return Decision("isolate")
    elif delay_ms is None:
        was_tried = policy.on_exhausted != "drop" or not isinstance(error, UnknownFunctionError)
        return Decision(policy.on_exhausted if was_tried else "dead-letter")
    return Decision("retry", max(delay_ms or 0, told_ms))


def split_point(error: Exception, size: int) -> int:
    """How many messages of a batch of `size` to try first, to find the one that fails.

    All before it, if the error says which one it is; half of them if it does not.
    """
    if isinstance(error, InvocationError) and error.batch_size == size:
        return max(1, error.position - 1)
    return size // 2
