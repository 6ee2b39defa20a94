"""Offers: which workflows and activities a worker has, and what is wrong with those of a queue."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

__all__ = ["ANY", "Offer", "differences", "problems"]

ANY = ""
"""Stands among names for a dynamic definition, which takes every name."""


@dataclass(frozen=True)
class Offer:
    """The workflows and activities of a worker.

    Attributes:
        identity: Names the worker.
        workflows: The types of its workflows.
        activities: The types of its activities.
    """

    identity: str
    workflows: tuple[str, ...]
    activities: tuple[str, ...]


def problems(
    queue: str, workflow_type: str, offers: Sequence[Offer], queues: Collection[str]
) -> list[str]:
    """The reasons why a workflow may wait for ever.

    Args:
        queue: Its task queue.
        workflow_type: Its type.
        offers: The workers of that queue.
        queues: The task queues that have workers.
    """
    with_workflows = [each for each in offers if each.workflows]
    if not with_workflows:
        others = ", ".join(sorted(set(queues) - {queue})) or "no other queue either"
        text = (
            f"no worker with workflows serves the task queue {queue!r}; workers serve: {others}. "
            "Start a worker for it, or mend its name."
        )
        return [text]
    has = [bool({workflow_type, ANY} & {*each.workflows}) for each in with_workflows]
    if not any(has):
        known = ", ".join(sorted({name for each in with_workflows for name in each.workflows}))
        text = (
            f"no worker of the task queue {queue!r} has the workflow {workflow_type!r}; they have: "
            f"{known}. Add it to workflows=[…] of a worker, or mend its name."
        )
        return [text]
    return differences(queue, offers)


def differences(queue: str, offers: Sequence[Offer]) -> list[str]:
    """Types that some workers of a queue have and others have not.

    Args:
        queue: The task queue.
        offers: Its workers.
    """
    told = []
    for kind, names in (
        ("workflows", [each.workflows for each in offers if each.workflows]),
        ("activities", [each.activities for each in offers if each.activities]),
    ):
        some = {name for each in names for name in each}
        every = set[str].intersection(*map(set, names)) if names else set[str]()
        if some - every:
            listed = ", ".join(sorted(name or "a dynamic one" for name in some - every))
            told.append(
                f"the workers of the task queue {queue!r} have different {kind}: not all have "
                f"{listed}. Give all workers of a queue the same, or each its own queue."
            )
    return told
