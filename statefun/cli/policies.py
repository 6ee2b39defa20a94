"""Policies: the failure policies and the limits of functions, from files and from options.

Law: an option goes before a file, and a rule for one function before a rule for many. An option
that names a function which is not there is refused.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from statefun.errors import ConfigurationError
from statefun.runtime import FailurePolicy, Limits
from statefun.runtime.engine.policy import Rules, choose_by_name
from statefun.sdk.address import TypenamePattern

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from statefun.modulefiles.module import Module
    from statefun.runtime.engine.policy import Outcome
    from statefun.runtime.transports.http import HttpEndpoint
    from statefun.sdk.functions import StatefulFunctions

__all__ = ["failures_of", "limits_of"]


def failures_of(
    functions: Sequence[StatefulFunctions], module: Module, on_failure: Mapping[str, Outcome]
) -> dict[str, FailurePolicy]:
    """The policies by function, for those that the options name or that run here."""
    given = {pattern: FailurePolicy(outcome) for pattern, outcome in on_failure.items()}
    named = {pattern: policy for pattern, policy in given.items() if pattern != "*"}
    here = [name for each in functions for name in each.typenames]
    elsewhere = {spec.functions: spec.failure(module.dialect) for spec in module.endpoints}
    _check_named("--on-failure", named, [*here, *elsewhere])
    failures: dict[str, FailurePolicy] = {}
    for name in (*named, *elsewhere):
        if not named.keys().isdisjoint((name, f"{name.rpartition('/')[0]}/*")):
            on_exhausted = Rules(named).failure_of(name).on_exhausted
            said = Rules(endpoint_failure=elsewhere).failure_of(name)
            failures[name] = replace(said, on_exhausted=on_exhausted)
    for name in here:
        if (policy := choose_by_name(name, given)) is not None:
            failures[name] = policy
    return failures


def limits_of(
    functions: Sequence[StatefulFunctions],
    endpoints: Sequence[HttpEndpoint],
    given: Mapping[str, Mapping[str, int]],
) -> dict[str, Limits]:
    """The limits by function: those of the endpoint or the default, with what is said of them."""
    base = {each.functions: each.limits for each in endpoints}
    base |= {name: Limits() for each in functions for name in each.typenames}
    _check_named("--limit", given.keys() - {"*"}, list(base))
    limits = {"*": Limits(**given.get("*", {}))}
    for name in {*base, *given} - {"*"} if given else ():
        layers = [given.get(each, {}) for each in TypenamePattern.candidates(name)]
        changes = {key: value for each in reversed(layers) for key, value in each.items()}
        limits[name] = replace(Rules(limits=base).limits_of(name), **changes)
    return limits if given else {}


def _check_named(option: str, patterns: Iterable[str], known: Sequence[str]) -> None:
    """Refuse an option that is for functions which are not there."""
    for pattern in patterns:
        meant = TypenamePattern.parse(pattern)
        if not any(meant.overlaps(TypenamePattern.parse(each)) for each in known):
            raise ConfigurationError(
                f"{option} names {pattern!r}, and no function is: write one of {', '.join(known)}",
                option=option,
                given=pattern,
            )
