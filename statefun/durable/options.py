"""Options of services and handlers: how invocations are run and kept."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from statefun.durable.retry_policy import InvocationRetryPolicy
from statefun.errors import DefinitionError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from statefun.durable.place import Place

__all__ = ["ContextManagers", "Options", "RateLimit", "Schedule", "checked_options"]

_MOST_STARTS = 1000  # each is remembered

ContextManagers: TypeAlias = Iterable[Callable[[], AbstractAsyncContextManager[None]]]
"""Factories of what an attempt is run within."""


@dataclass(frozen=True)
class RateLimit:
    """How often invocations may begin; those beyond it wait.

    Attributes:
        count: How many may begin within the period, 1000 at most.
        per: The period.
    """

    count: int
    per: timedelta


@dataclass(frozen=True)
class Options:
    """How invocations are run and kept; None leaves the default of the engine.

    Attributes:
        inactivity_timeout: With `abort_timeout`, how long one attempt of an effect may take, and
            how long a handler may compute without waiting. Longer ones are cut off and tried again.
        abort_timeout: The rest of that time.
        journal_retention: How long a finished invocation is kept to be looked at.
        idempotency_retention: How long its result is kept under its idempotency key.
        workflow_retention: How long a finished workflow keeps its key.
        enable_lazy_state: Accepted; the state of a key always comes with the invocation.
        ingress_private: Whether only other handlers may call it.
        invocation_retry_policy: When failed attempts are repeated.
        context_managers: What each attempt is run within, outermost first.
        effects: `"strict"` commits a result before the next effect begins; `"relaxed"` may run
            several effects between commits, which is faster and repeats more after a crash.
        rate_limit: How often invocations of the handler begin.
        max_concurrency: How many invocations of the handler run at a time; the others wait.
    """

    inactivity_timeout: timedelta | None = None
    abort_timeout: timedelta | None = None
    journal_retention: timedelta | None = None
    idempotency_retention: timedelta | None = None
    workflow_retention: timedelta | None = None
    enable_lazy_state: bool | None = None
    ingress_private: bool | None = None
    invocation_retry_policy: InvocationRetryPolicy | None = None
    context_managers: tuple[Callable[[], AbstractAsyncContextManager[None]], ...] = ()
    effects: Literal["strict", "relaxed"] | None = None
    rate_limit: RateLimit | None = None
    max_concurrency: int | None = None

    def over(self, outer: Options) -> Options:
        """The options of a handler, completed by those of its service.

        Context managers of both are used, the service's around the handler's.
        """
        given = {name: value for name, value in vars(self).items() if value is not None}
        managers = (*outer.context_managers, *self.context_managers)
        return replace(outer, **(given | {"context_managers": managers}))


@dataclass(frozen=True)
class Schedule:
    """When a handler is started by itself.

    Attributes:
        cron: A cron expression: minute, hour, day of the month, month, day of the week.
        timezone: The time zone in which it is read, such as `Europe/Berlin`.
        key: The key of the object whose handler it is; None for a service.
    """

    cron: str
    timezone: str = "UTC"
    key: str | None = None


def checked_options(
    what: str,
    place: Place,
    invocation_context_managers: ContextManagers | None = None,
    **options: Any,
) -> Options:
    """The options that were given, if they can be meant.

    Args:
        what: Whose they are, for the sentence.
        place: Where they are given.
        invocation_context_managers: The context managers; None for none.
        **options: The others by name.

    Raises:
        DefinitionError: If a duration is not a `timedelta` or negative, a number is not positive,
            or a word is not one of those that are known.
    """
    managers = tuple(invocation_context_managers or ())
    if bad := next(_faults(options, managers), None):
        raise DefinitionError(f"{what}: {bad} ({place})", name=what, place=str(place))
    return Options(context_managers=managers, **options)


def _faults(options: dict[str, Any], managers: tuple[Any, ...]) -> Iterator[str]:
    for name, value in options.items():
        if value is None:
            continue
        if name.endswith(("_timeout", "_retention")):
            yield from _duration_faults(name, value)
        elif name in ("enable_lazy_state", "ingress_private") and not isinstance(value, bool):
            yield f"{name} is True or False, got {value!r}"
        elif name == "effects" and value not in ("strict", "relaxed"):
            yield f"effects are 'strict' or 'relaxed', got {value!r}"
        elif name == "max_concurrency":
            yield from _count_faults(name, value)
    yield from _rate_faults(options.get("rate_limit"))
    yield from _policy_faults(options.get("invocation_retry_policy"))
    for manager in managers:
        if not callable(manager):
            yield f"invocation_context_managers takes functions without parameters, got {manager!r}"


def _duration_faults(name: str, value: Any) -> Iterator[str]:
    if not isinstance(value, timedelta):
        yield f"{name} takes a timedelta, got {value!r}: write timedelta(seconds=…)"
    elif value < timedelta(0):
        yield f"{name} is zero or more, got {value}"


def _count_faults(name: str, value: Any) -> Iterator[str]:
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        yield f"{name} is a whole number from 1 on, got {value!r}"


def _rate_faults(limit: RateLimit | None) -> Iterator[str]:
    if limit is None:
        return
    if not isinstance(limit, RateLimit):
        yield f"rate_limit takes a RateLimit, got {limit!r}"
        return
    yield from _count_faults("the count of rate_limit", limit.count)
    if isinstance(limit.count, int) and limit.count > _MOST_STARTS:
        yield f"the count of rate_limit is {_MOST_STARTS} at most: take a shorter period"
    yield from _duration_faults("the period of rate_limit", limit.per)
    if isinstance(limit.per, timedelta) and limit.per < timedelta(milliseconds=1):
        yield "the period of rate_limit is a millisecond or more"


def _policy_faults(policy: InvocationRetryPolicy | None) -> Iterator[str]:
    if policy is None:
        return
    if not isinstance(policy, InvocationRetryPolicy):
        yield f"invocation_retry_policy takes an InvocationRetryPolicy, got {policy!r}"
        return
    for name in ("initial_interval", "max_interval"):
        if (interval := getattr(policy, name)) is not None:
            yield from _duration_faults(f"{name} of the retry policy", interval)
    if policy.max_attempts is not None:
        yield from _count_faults("max_attempts of the retry policy", policy.max_attempts)
    factor = policy.exponentiation_factor
    if factor is not None and not factor >= 1:
        yield f"exponentiation_factor of the retry policy is 1 or more, got {factor!r}"
    if policy.on_max_attempts not in (None, "pause", "kill"):
        yield f"on_max_attempts is 'pause' or 'kill', got {policy.on_max_attempts!r}"
