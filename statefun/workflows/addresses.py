"""Addresses: where workflows, their runs and activities live, and how they are written to.

A workflow is at `workflows.<namespace>/workflow`, by its id: so a client needs neither its type nor
its task queue. Its runs and activities are in the namespace of a task queue, so an engine can send
each queue to the endpoint that serves it.
"""

from __future__ import annotations

from functools import lru_cache
from urllib.parse import quote, unquote

from statefun.durable import _proto as durable
from statefun.durable.outcomes import succeeded

__all__ = [
    "HISTORY",
    "REPLIES",
    "activity_typename",
    "command",
    "namespace_of_queue",
    "queue_of",
    "run_typename",
    "schedule_typename",
    "told",
    "workflow_typename",
]

REPLIES = "io.statefun.workflows/replies"
"""The egress that takes answers to clients."""

HISTORY = "__statefun_history"
"""The query that a run answers with its journal."""

_MANY_NAMES = 10_000


def workflow_typename(namespace: str) -> str:
    """The typename of all workflows of a namespace."""
    return f"workflows.{_part(namespace)}/workflow"


def schedule_typename(namespace: str) -> str:
    """The typename of all schedules of a namespace."""
    return f"workflows.{_part(namespace)}/schedule"


def run_typename(namespace: str, task_queue: str) -> str:
    """The typename of the runs of a task queue."""
    return f"{namespace_of_queue(namespace, task_queue)}/run"


def activity_typename(namespace: str, task_queue: str) -> str:
    """The typename of the activities of a task queue."""
    return f"{namespace_of_queue(namespace, task_queue)}/activity"


@lru_cache(_MANY_NAMES)
def namespace_of_queue(namespace: str, task_queue: str) -> str:
    """The namespace of all functions of a task queue."""
    return f"workflows.{_part(namespace)}.{_part(task_queue)}"


def queue_of(typename: str) -> tuple[str, str] | None:
    """The namespace and the task queue of a function; None if it belongs to no queue."""
    parts = typename.rpartition("/")[0].split(".")
    if len(parts) != 3 or parts[0] != "workflows":
        return None
    return unquote(parts[1]), unquote(parts[2])


@lru_cache(_MANY_NAMES)
def _part(name: str) -> str:
    """A name as a part between dots: letters, digits, `-` and `_` as they are."""
    return quote(name, safe="").replace(".", "%2E").replace("~", "%7E")


def command(
    name: str, argument: bytes, identity: str, reply: durable.Route | None = None
) -> durable.Envelope:
    """A message that asks for something by its name.

    Args:
        name: What is asked for.
        argument: The bytes of its argument.
        identity: What repeats of it have in common.
        reply: Where the answer goes; None for nowhere.
    """
    invoke = durable.Invoke(id=identity, handler=name, argument=argument, reply=reply)
    return durable.Envelope(version=1, invoke=invoke)


def told(run_id: str, data: bytes) -> durable.Envelope:
    """A message that tells a run something: the bytes of a `Told`."""
    signal = durable.Signal(execution=run_id, outcome=succeeded(data))
    return durable.Envelope(version=1, signal=signal)
