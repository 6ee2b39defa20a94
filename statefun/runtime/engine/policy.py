"""Policies: what becomes of messages that fail, and how much there may be of anything.

Law: everything here is frozen and says what was decided, never how it is done. A rule is looked up
by the typename of the function that a message is for.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import timedelta
from typing import Final, Literal, TypeAlias, TypeVar

from statefun.errors import ConfigurationError
from statefun.runtime.engine.retry import Backoff, RetryPolicy
from statefun.sdk.address import TypenamePattern
from statefun.sdk.specs import whole_millis

__all__ = [
    "ENDLESS",
    "ENDLESS_TYPES",
    "OUTCOMES",
    "WAITING_BYTES",
    "FailurePolicy",
    "Limits",
    "Outcome",
    "Retention",
    "Rules",
    "choose",
    "choose_by_name",
]

Outcome: TypeAlias = Literal["dead-letter", "drop", "pause", "fail"]
"""The fate of a message that used up its attempts. `dead-letter`: it is kept apart, with the
reason, until somebody replays or drops it. `drop`: it is forgotten. `pause`: its address is held,
with everything that waits for it, until somebody releases it. `fail`: the runtime stops, as a
cluster does."""

WAITING_BYTES: Final = 1000
"""The memory that a waiting message needs besides its value, about."""

OUTCOMES: Final[tuple[Outcome, ...]] = ("dead-letter", "drop", "pause", "fail")

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class FailurePolicy:
    """The policy for messages that a function fails on.

    Attributes:
        on_exhausted: The fate of a message that used up its attempts.
        retry: How often and when it is tried before.
        isolate_after: A batch of several messages that failed so often is taken apart, so that
            the good ones go on without the bad one.

    Raises:
        ConfigurationError: If one of them makes no sense.
    """

    on_exhausted: Outcome = "dead-letter"
    retry: RetryPolicy = field(default_factory=Backoff)
    isolate_after: int = 4

    def __post_init__(self) -> None:
        if self.on_exhausted not in OUTCOMES:
            raise ConfigurationError(
                f"a message that failed cannot {self.on_exhausted!r}: choose {', '.join(OUTCOMES)}",
                option="on_exhausted",
                given=repr(self.on_exhausted),
            )
        if self.isolate_after < 1:
            raise ConfigurationError(
                f"isolate_after is {self.isolate_after}: write 1 or more",
                option="isolate_after",
                given=repr(self.isolate_after),
            )


ENDLESS_TYPES: Final = frozenset({"io.statefun.durable.v1/Envelope"})
"""Types of messages that are tried until they get through, unless somebody says otherwise. Who sent
one waits for its answer, and gives up by rules of its own."""

ENDLESS: Final = FailurePolicy(retry=Backoff(attempts=sys.maxsize))
"""The policy for those."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How much one address may have, and one request may carry. Bytes are those of the values.

    Attributes:
        max_batch: The most messages in one request.
        max_batch_bytes: The most bytes of messages in one request; a single message may have more.
        max_waiting: From so many messages on, an address takes no more from ingresses. Messages
            from functions are taken always.
        max_waiting_bytes: The same, by their bytes.
        max_message_bytes: The longest message.
        max_value_bytes: The longest value of an address.

    Raises:
        ConfigurationError: If one of them is less than 1.
    """

    max_batch: int = 1000
    max_batch_bytes: int = 16 << 20
    max_waiting: int = 10_000
    max_waiting_bytes: int = 256 << 20
    max_message_bytes: int = 32 << 20
    max_value_bytes: int = 32 << 20

    def __post_init__(self) -> None:
        for each in fields(self):
            if getattr(self, each.name) < 1:
                raise ConfigurationError(
                    f"{each.name} is {getattr(self, each.name)}: write 1 or more",
                    option=each.name,
                    given=repr(getattr(self, each.name)),
                )


@dataclass(frozen=True, slots=True)
class Retention:
    """How long things are kept that nobody fetches; the oldest go first.

    Everything is kept unless a bound is given.

    Attributes:
        max_count: How many; None for any number.
        max_age: How long each; None for ever.

    Raises:
        ConfigurationError: If nothing would be kept.
    """

    max_count: int | None = None
    max_age: timedelta | None = None

    def __post_init__(self) -> None:
        is_none = self.max_count is not None and self.max_count < 1
        if is_none or (self.max_age_ms is not None and self.max_age_ms < 1):
            raise ConfigurationError(
                f"{self} keeps nothing: let max_count be 1 or more, max_age a millisecond or more",
                option="max_count",
                given=repr(self),
            )

    @property
    def max_age_ms(self) -> int | None:
        """How long each is kept, in milliseconds; None for ever."""
        return None if self.max_age is None else whole_millis(self.max_age)

    @property
    def keeps_all(self) -> bool:
        """Whether nothing is ever forgotten."""
        return self.max_count is None and self.max_age is None

    def is_over(self, count: int) -> bool:
        """Whether so many are too many."""
        return self.max_count is not None and count > self.max_count

    def is_old(self, since_ms: int, now_ms: int) -> bool:
        """Whether a thing from that time is too old now."""
        max_age_ms = self.max_age_ms
        return max_age_ms is not None and since_ms + max_age_ms <= now_ms


def choose(typename: str, given: T | Mapping[str, T] | None) -> T | None:
    """The rule for a function.

    Args:
        typename: The function's.
        given: One rule for all; or by `namespace/name`, which goes first, `namespace/*`, and `*`.

    Returns:
        None if there is none.
    """
    return choose_by_name(typename, given) if isinstance(given, Mapping) else given


def choose_by_name(typename: str, given: Mapping[str, T]) -> T | None:
    """The rule for a function among rules by name; see `choose`."""
    for pattern in TypenamePattern.candidates(typename):
        if pattern in given:
            return given[pattern]
    return None


def _check_rules(name: str, given: object, kind: type) -> None:
    """Refuse what is neither a rule, nor rules by functions, nor None."""
    if isinstance(given, Mapping):
        for pattern, rule in given.items():
            if pattern != "*" and "/" not in pattern:
                raise ConfigurationError(
                    f"{name} names {pattern!r}: write 'namespace/name', 'namespace/*' or '*'",
                    option=name,
                    given=repr(pattern),
                )
            _check_rule(f"{name}[{pattern!r}]", rule, kind)
    elif given is not None:
        _check_rule(name, given, kind)


def _check_rule(name: str, rule: object, kind: type) -> None:
    if not isinstance(rule, kind):
        raise ConfigurationError(
            f"{name} is {rule!r}: give a {kind.__name__}(...)", option=name, given=repr(rule)
        )


@dataclass(frozen=True, slots=True)
class Rules:
    """Everything that was decided about failures and quantities.

    Attributes:
        failure: The policy for all functions, or by `namespace/name`, `namespace/*` and `*`.
        limits: The limits likewise.
        dead_letters: How many dead letters are kept, and how long; all of them unless told
            otherwise, for each is a message that was accepted.
        idempotency_keys: How many are remembered, and how long: 100,000 for a day. The message of a
            forgotten key stays; only a repeat of it is taken for a new one.
        max_waiting_bytes: From so many bytes of messages for all addresses together on, nothing is
            taken in from ingresses; each message counts with its length and `WAITING_BYTES`. An
            address counts for a quarter at most, so that one alone does not hold up the others, and
            takes nothing in either when it has that.
        endpoint_failure: The policies of endpoints by `namespace/name` and `namespace/*`; used for
            functions about which `failure` says nothing. None for an endpoint that says nothing.
        endpoint_limits: The same for limits.
        topic_failure: Topic of an ingress → the policy for messages from it, which goes before that
            of their function.
    """

    failure: FailurePolicy | Mapping[str, FailurePolicy] | None = None
    limits: Limits | Mapping[str, Limits] | None = None
    dead_letters: Retention = Retention()
    idempotency_keys: Retention = Retention(100_000, timedelta(days=1))
    max_waiting_bytes: int = 1 << 30
    endpoint_failure: Mapping[str, FailurePolicy | None] = field(default_factory=dict)
    endpoint_limits: Mapping[str, Limits] = field(default_factory=dict)
    topic_failure: Mapping[str, FailurePolicy] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.max_waiting_bytes < 1:
            raise ConfigurationError(
                f"max_waiting_bytes is {self.max_waiting_bytes}: write 1 or more",
                option="max_waiting_bytes",
                given=repr(self.max_waiting_bytes),
            )
        _check_rules("failure", self.failure, FailurePolicy)
        _check_rules("limits", self.limits, Limits)
        if not isinstance(self.topic_failure, Mapping):
            raise ConfigurationError(
                f"topic_failure is {self.topic_failure!r}: give a FailurePolicy for each topic, "
                "{'orders': FailurePolicy(...)}",
                option="topic_failure",
                given=repr(self.topic_failure),
            )
        for topic, policy in self.topic_failure.items():
            if topic in ("", "*"):
                raise ConfigurationError(
                    f"topic_failure names the topic {topic!r}: name each topic; the policy of "
                    "all other messages is failure={'*': ...}",
                    option="topic_failure",
                    given=repr(topic),
                )
            _check_rule(f"topic_failure[{topic!r}]", policy, FailurePolicy)

    @property
    def address_share(self) -> int:
        """How much of `max_waiting_bytes` one address counts for at most."""
        return max(1, self.max_waiting_bytes // 4)

    def failure_of(self, typename: str, topic: str = "", value_typename: str = "") -> FailurePolicy:
        """The policy for a message to a function, from a topic if there is one, and of a type."""
        given = self.topic_failure.get(topic) or choose(typename, self.failure)
        default = ENDLESS if value_typename in ENDLESS_TYPES else FailurePolicy()
        return given or choose_by_name(typename, self.endpoint_failure) or default

    def limits_of(self, typename: str) -> Limits:
        """The limits of the addresses of a function."""
        by_endpoint = choose_by_name(typename, self.endpoint_limits)
        return choose(typename, self.limits) or by_endpoint or Limits()
