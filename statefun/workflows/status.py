"""The status of a workflow."""

from __future__ import annotations

from enum import IntEnum

__all__ = ["WorkflowExecutionStatus"]


class WorkflowExecutionStatus(IntEnum):
    """How a run stands."""

    RUNNING = 1
    COMPLETED = 2
    FAILED = 3
    CANCELED = 4
    TERMINATED = 5
    CONTINUED_AS_NEW = 6
    TIMED_OUT = 7
