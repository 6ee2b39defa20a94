"""Options that several methods of clients take."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypedDict

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import timedelta
    from typing import Any

    from statefun.workflows.common import (
        Priority,
        RetryPolicy,
        SearchAttributes,
        TypedSearchAttributes,
        WorkflowIDConflictPolicy,
        WorkflowIDReusePolicy,
    )

__all__ = ["RPCOptions", "StartOptions"]


class RPCOptions(TypedDict, total=False):
    """Options of a request.

    Attributes:
        rpc_metadata: Accepted and ignored: a connection has one set of header fields.
        rpc_timeout: How long to wait for the answer.
    """

    rpc_metadata: Mapping[str, str | bytes]
    rpc_timeout: timedelta | None


class WorkflowOptions(TypedDict, total=False):
    """The options of a workflow, whoever starts it; see `Client.start_workflow`."""

    execution_timeout: timedelta | None
    run_timeout: timedelta | None
    task_timeout: timedelta | None
    retry_policy: RetryPolicy | None
    memo: Mapping[str, Any] | None
    static_summary: str | None
    static_details: str | None
    priority: Priority


class StartOptions(WorkflowOptions, RPCOptions, total=False):
    """The options of a start; see `Client.start_workflow`."""

    id_reuse_policy: WorkflowIDReusePolicy
    id_conflict_policy: WorkflowIDConflictPolicy
    cron_schedule: str
    search_attributes: TypedSearchAttributes | SearchAttributes | None
    start_delay: timedelta | None
    start_signal: str | None
    start_signal_args: Sequence[Any]
    request_eager_start: bool
