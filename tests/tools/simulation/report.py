"""Reports: what is said about a seed that breaks a law, and how few steps that takes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.tools.simulation.plan import plan_of
from tests.tools.simulation.simulation import simulate

if TYPE_CHECKING:
    from tests.tools.simulation.plan import Plan
    from tests.tools.simulation.simulation import Simulation

__all__ = ["report", "run_seed", "shrink"]

_MOST_TRIES = 500


def run_seed(seed: int) -> str | None:
    """Carry out the plan of a seed; returns the report of a broken law, None if none was."""
    simulation = simulate(plan_of(seed))
    return None if simulation.violation is None else report(simulation)


def report(simulation: Simulation) -> str:
    """The law that was broken, how to see it again, and the shortest way there that was found."""
    assert simulation.violation is not None
    law = simulation.violation.law
    small = simulate(shrink(simulation.plan, law))
    assert small.violation is not None
    return (
        f"seed {simulation.plan.seed} breaks the law: {law}\n"
        f"instead: {small.violation.what}\n"
        f"to see it again: make simulate SEED={simulation.plan.seed}\n\n"
        f"the plan, with what was not needed taken out:\n{_described(small.plan)}\n\n"
        f"what happened (milliseconds, event):\n{small.trace()}\n"
    )


def shrink(plan: Plan, law: str) -> Plan:
    """Take out of a plan what it does not take to break the law."""
    tries, is_smaller = 0, True
    while is_smaller:
        is_smaller = False
        for cut in plan.cuts():
            candidate = plan.without(cut)
            tries += 1
            if tries > _MOST_TRIES:
                return plan
            violation = simulate(candidate).violation
            if violation is not None and violation.law == law:
                plan, is_smaller = candidate, True
    return plan


def _described(plan: Plan) -> str:
    facts = {name: value for name, value in vars(plan).items() if value not in ((), 0, None)}
    facts["programs"] = "".join(
        f"\n    {name}: {', '.join(map(str, steps)) or 'nothing'}"
        for name, steps in plan.reached().items()
    )
    return "\n".join(f"  {name}: {value}" for name, value in facts.items())
