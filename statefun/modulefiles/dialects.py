"""Dialects: what engines accept in a module file, and what they take for granted.

Law: a dialect decides which kinds and keys there are and what holds where a file says nothing. What
a key that is there means is the same in every dialect.

Source:
    `apache`: Flink Stateful Functions 3.3. `kzm` (kzmlabs, "StateFun Actors" 3.4) and `fransking`
    (3.4): from their documentation only; neither has been run.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from statefun.runtime.engine.policy import OUTCOMES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from statefun.runtime.engine.policy import Outcome

__all__ = ["DEFAULT_DIALECT", "DIALECTS", "Dialect", "ParseContext", "dialects_of"]


@dataclass(frozen=True, slots=True)
class Dialect:
    """What one engine makes of a module file.

    Attributes:
        name: As it is written behind `--dialect`.
        keys: The keys it has besides those that every dialect has.
        kinds: The kinds it has besides the endpoints, Kafka and the playground.
        failure_modes: What `failureMode` of an endpoint may say, the default first.
        invalid_records: What `invalidRecordHandling` does where a file says nothing.
        forwards_headers: Whether headers of records reach functions where a file says nothing.
    """

    name: str
    keys: frozenset[str] = frozenset()
    kinds: frozenset[str] = frozenset()
    failure_modes: tuple[Outcome, ...] = ("fail",)
    invalid_records: str = "fail"
    forwards_headers: bool = False

    @property
    def is_embedded(self) -> bool:
        """Whether it is this runtime's own."""
        return self.name == DEFAULT_DIALECT


_KINESIS: Final = frozenset({"io.statefun.kinesis.v1/ingress", "io.statefun.kinesis.v1/egress"})
_PIPELINE: Final = frozenset({"io.statefun_tasks.v1/pipeline"})
_KZM_KEYS: Final = frozenset({"forwardHeaders", "invalidRecordHandling", "streamArn"})
_FRANSKING_KEYS: Final = frozenset({"failureMode"})
_OWN_KEYS: Final = frozenset({"retry", "recordIdHeader"})

DEFAULT_DIALECT: Final = "embedded"
DIALECTS: Final[Mapping[str, Dialect]] = {
    each.name: each
    for each in (
        Dialect("apache", kinds=_KINESIS),
        Dialect("kzm", keys=_KZM_KEYS, kinds=_KINESIS, invalid_records="skip"),
        Dialect("fransking", keys=_FRANSKING_KEYS, kinds=_PIPELINE, failure_modes=("fail", "drop")),
        Dialect(
            DEFAULT_DIALECT,
            keys=_KZM_KEYS | _FRANSKING_KEYS | _OWN_KEYS,
            kinds=_KINESIS | _PIPELINE,
            failure_modes=OUTCOMES,
        ),
    )
}


@dataclass(frozen=True, slots=True)
class ParseContext:
    """What a file is read for; the context in which specs are validated.

    Attributes:
        dialect: How it is understood.
        runs_here: Whether the embedded runtime is to run it, not a cluster.
    """

    dialect: Dialect
    runs_here: bool

    @classmethod
    def of(cls, context: Any) -> ParseContext:
        """The context of a validation; without one, what the embedded runtime would do."""
        return context if isinstance(context, cls) else cls(DIALECTS[DEFAULT_DIALECT], True)  # noqa: FBT003


def dialects_of(key: str) -> tuple[str, ...]:
    """The dialects that have a key which not every dialect has; none if all have it.

    This runtime's own is among them only if no other has the key.
    """
    names = tuple(each.name for each in DIALECTS.values() if key in each.keys)
    return tuple(name for name in names if name != DEFAULT_DIALECT) or names
