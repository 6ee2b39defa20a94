"""The options of a runtime, the same for programs, the command line and files of options.

Law: an option stands here once, with its default, its bounds and its meaning. Functions, endpoints,
ingresses and egresses are not options: they are what a runtime runs.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Final, Literal, TypeAlias, TypedDict

from statefun.errors import ConfigurationError
from statefun.runtime.calls import CANCELLED_S
from statefun.runtime.engine.policy import FailurePolicy, Limits, Retention, Rules

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Self, Unpack

    from statefun.runtime.transports.routing import FunctionRouter

__all__ = ["ADMIN_STOP_S", "PARTS_STOP", "Durability", "RuntimeOptionValues", "RuntimeOptions"]

Durability: TypeAlias = Literal["full", "normal", "memory"]
"""The failures that an acknowledged message survives. `full`: everything but the loss of the disk;
`normal`: everything but a power failure, which may take the last commits; `memory`: nothing."""

PARTS_STOP: Final = timedelta(seconds=5)
"""How long ingresses may take to stop, and then egresses; those that take longer are left."""

COMMIT: Final = timedelta(seconds=2)
"""The time of the last commit, with some to spare: the only part of a stop without a bound."""

ADMIN_STOP_S: Final = 2.0
"""How long the admin server may take to stop, which runs beside a runtime, in seconds."""

_NO_TIME: Final = timedelta(0)


class RuntimeOptionValues(TypedDict, total=False):
    """The options by name, for those who give a few of them; see `RuntimeOptions`."""

    durability: Durability
    failure: FailurePolicy | Mapping[str, FailurePolicy] | None
    topic_failure: Mapping[str, FailurePolicy]
    limits: Limits | Mapping[str, Limits] | None
    max_waiting_bytes: int
    dead_letters: Retention
    idempotency_keys: Retention
    drain: timedelta
    flush: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class RuntimeOptions:
    """How a runtime works, whatever it runs.

    Attributes:
        durability: The failures that an acknowledged message survives; see `Durability`.
        failure: The policy for messages that functions fail on; for all functions, or by
            `namespace/name`, `namespace/*` and `*`. It goes before what endpoints say.
        topic_failure: Topic of an ingress → the same for messages from it; goes before `failure`.
        limits: How much an address may have, by functions likewise.
        max_waiting_bytes: From so many bytes of messages waiting for all addresses together on,
            ingresses are refused: they are all in memory. Each counts with 1,000 besides its value,
            and an address for a quarter of it at most.
        dead_letters: How many dead letters are kept, and how long; all of them for ever by default.
        idempotency_keys: How many idempotency keys are remembered, and how long: 100,000 for a day
            by default.
        drain: How long calls that are under way may go on when the runtime stops.
        flush: How long egresses may then take to write out what they have. Records that they do not
            write out come again after a restart.

    Raises:
        ConfigurationError: If one of them makes no sense.
    """

    durability: Durability = "full"
    failure: FailurePolicy | Mapping[str, FailurePolicy] | None = None
    topic_failure: Mapping[str, FailurePolicy] = field(default_factory=dict)
    limits: Limits | Mapping[str, Limits] | None = None
    max_waiting_bytes: int = Rules().max_waiting_bytes
    dead_letters: Retention = Rules().dead_letters
    idempotency_keys: Retention = Rules().idempotency_keys
    drain: timedelta = timedelta(seconds=10)
    flush: timedelta = timedelta(seconds=3)

    def __post_init__(self) -> None:
        if self.durability not in ("full", "normal", "memory"):
            raise ConfigurationError(
                f"there is no durability {self.durability!r}: choose 'full', 'normal' or 'memory'",
                option="durability",
                given=repr(self.durability),
            )
        for name, given in (("drain", self.drain), ("flush", self.flush)):
            if not isinstance(given, timedelta) or given < _NO_TIME:
                raise ConfigurationError(
                    f"{name} is {given!r}: pass a timedelta of zero or more",
                    option=name,
                    given=repr(given),
                )
        for name, kept in (
            ("dead_letters", self.dead_letters),
            ("idempotency_keys", self.idempotency_keys),
        ):
            if not isinstance(kept, Retention):
                raise ConfigurationError(
                    f"{name} is {kept!r}: give a Retention(...)", option=name, given=repr(kept)
                )
        self._rules({}, {})

    def replaced(self, **values: Unpack[RuntimeOptionValues]) -> Self:
        """These options with some of them changed."""
        return replace(self, **values)

    def rules(self, router: FunctionRouter) -> Rules:
        """The rules of the engine: these options, and those of endpoints."""
        return self._rules(router.failure_policies, router.limits)

    def _rules(
        self, failure: Mapping[str, FailurePolicy | None], limits: Mapping[str, Limits]
    ) -> Rules:
        return Rules(
            self.failure,
            self.limits,
            self.dead_letters,
            self.idempotency_keys,
            self.max_waiting_bytes,
            failure,
            limits,
            self.topic_failure,
        )

    @property
    def stop_bound(self) -> timedelta:
        """How long a stop takes at most, on a disk that writes.

        The ingresses stop, calls end or are cancelled, egresses write out, the last commit is made,
        and the egresses stop. Each part has a bound of its own, so nothing adds to the sum.
        """
        calls = self.drain + timedelta(seconds=CANCELLED_S)
        return PARTS_STOP + calls + self.flush + COMMIT + PARTS_STOP
