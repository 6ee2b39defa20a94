"""Workflows as operators look at them: read from what addresses keep, running or not. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import unquote

from statefun.workflows import _proto
from statefun.workflows.addresses import run_typename, workflow_typename
from statefun.workflows.status import WorkflowExecutionStatus
from statefun.workflows.workflow_turn import VALUE

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["WorkflowView", "workflow_at"]


@dataclass(frozen=True)
class WorkflowView:
    """A workflow with its current run, as an operator sees it.

    Attributes:
        id: Its id.
        namespace: Its namespace.
        run_id: Its current or last run.
        type: The name of its type.
        task_queue: Its task queue.
        status: How it stands.
        start_ms: When the run was started, in milliseconds since 1970.
        close_ms: When it ended; 0 if it has not.
        history_length: How many events it was told; 0 while it runs.
        failure: By what it failed; empty if it did not.
        parent_id: The workflow that started it as a child; empty for none.
        attempt: Which attempt of its retry policy it is.
    """

    id: str
    namespace: str
    run_id: str
    type: str
    task_queue: str
    status: WorkflowExecutionStatus
    start_ms: int
    close_ms: int
    history_length: int
    failure: str
    parent_id: str
    attempt: int

    @property
    def address(self) -> tuple[str, str]:
        """The typename and the id of the address that keeps it."""
        return workflow_typename(self.namespace), self.id

    @property
    def run_address(self) -> tuple[str, str]:
        """The typename and the id of the address that keeps its run."""
        return run_typename(self.namespace, self.task_queue), self.run_id


def workflow_at(typename: str, values: Mapping[str, bytes]) -> WorkflowView | None:
    """The workflow that an address keeps; None if it keeps none.

    Args:
        typename: The typename of the address.
        values: Name → what it keeps.
    """
    namespace, _, name = typename.rpartition("/")
    data = values.get(VALUE)
    if data is None or name != "workflow" or not namespace.startswith("workflows."):
        return None
    kept = _proto.Workflow.FromString(data)
    start, kind = kept.start, kept.ending.WhichOneof("ending")
    has_failed = kind in ("failure", "canceled", "terminated", "timed_out")
    return WorkflowView(
        id=start.workflow_id,
        namespace=unquote(namespace.removeprefix("workflows.")),
        run_id=start.run_id,
        type=start.workflow_type,
        task_queue=start.task_queue,
        status=WorkflowExecutionStatus(kept.status),
        start_ms=kept.start_ms,
        close_ms=kept.close_ms,
        history_length=kept.history_length,
        failure=getattr(kept.ending, kind or "failure").message if has_failed else "",
        parent_id=start.parent.workflow_id,
        attempt=start.attempt or 1,
    )
