"""Interceptors: objects around every call into and out of workflows and activities.

Each has the next one, and passes on what it does not change. The last one does the work.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Awaitable, Callable, Mapping, Sequence
    from concurrent.futures import Executor
    from datetime import timedelta

    from statefun.workflows import _proto, facts
    from statefun.workflows.common import (
        Priority,
        RetryPolicy,
        SearchAttributes,
        TypedSearchAttributes,
        WorkflowIDReusePolicy,
    )

__all__ = [
    "ActivityInboundInterceptor",
    "ActivityOutboundInterceptor",
    "ContinueAsNewInput",
    "ExecuteActivityInput",
    "ExecuteWorkflowInput",
    "HandleQueryInput",
    "HandleSignalInput",
    "HandleUpdateInput",
    "Interceptor",
    "SignalChildWorkflowInput",
    "SignalExternalWorkflowInput",
    "StartActivityInput",
    "StartChildWorkflowInput",
    "StartLocalActivityInput",
    "WorkflowInboundInterceptor",
    "WorkflowInterceptorClassInput",
    "WorkflowOutboundInterceptor",
]


# --- what is passed on ----------------------------------------------------------------------------


@dataclass
class ExecuteWorkflowInput:
    """A run that begins."""

    type: type[Any]
    run_fn: Callable[..., Awaitable[Any]]
    args: Sequence[Any]
    headers: Mapping[str, _proto.Payload]


@dataclass
class HandleSignalInput:
    """A signal that came."""

    signal: str
    args: Sequence[Any]
    headers: Mapping[str, _proto.Payload]


@dataclass
class HandleQueryInput:
    """A query that came."""

    id: str
    query: str
    args: Sequence[Any]
    headers: Mapping[str, _proto.Payload]


@dataclass
class HandleUpdateInput:
    """An update that came."""

    id: str
    update: str
    args: Sequence[Any]
    headers: Mapping[str, _proto.Payload]


@dataclass
class ContinueAsNewInput:
    """A run that ends by a new one."""

    workflow: str | None
    args: Sequence[Any]
    task_queue: str | None
    run_timeout: timedelta | None
    task_timeout: timedelta | None
    retry_policy: RetryPolicy | None
    memo: Mapping[str, Any] | None
    search_attributes: TypedSearchAttributes | SearchAttributes | None
    headers: Mapping[str, _proto.Payload]
    backoff_start_interval: timedelta | None = None


@dataclass
class StartActivityInput:
    """An activity to be scheduled."""

    activity: str
    args: Sequence[Any]
    activity_id: str | None
    task_queue: str | None
    schedule_to_close_timeout: timedelta | None
    schedule_to_start_timeout: timedelta | None
    start_to_close_timeout: timedelta | None
    heartbeat_timeout: timedelta | None
    retry_policy: RetryPolicy | None
    cancellation_type: facts.ActivityCancellationType
    headers: Mapping[str, _proto.Payload]
    summary: str | None
    priority: Priority
    arg_types: list[Any] | None
    ret_type: Any


@dataclass
class StartLocalActivityInput:
    """An activity to be run by the worker of the workflow."""

    activity: str
    args: Sequence[Any]
    activity_id: str | None
    schedule_to_close_timeout: timedelta | None
    schedule_to_start_timeout: timedelta | None
    start_to_close_timeout: timedelta | None
    retry_policy: RetryPolicy | None
    local_retry_threshold: timedelta | None
    cancellation_type: facts.ActivityCancellationType
    headers: Mapping[str, _proto.Payload]
    summary: str | None
    arg_types: list[Any] | None
    ret_type: Any


@dataclass
class StartChildWorkflowInput:
    """A child workflow to be started."""

    workflow: str
    args: Sequence[Any]
    id: str
    task_queue: str | None
    cancellation_type: facts.ChildWorkflowCancellationType
    parent_close_policy: facts.ParentClosePolicy
    execution_timeout: timedelta | None
    run_timeout: timedelta | None
    task_timeout: timedelta | None
    id_reuse_policy: WorkflowIDReusePolicy
    retry_policy: RetryPolicy | None
    cron_schedule: str
    memo: Mapping[str, Any] | None
    search_attributes: TypedSearchAttributes | SearchAttributes | None
    headers: Mapping[str, _proto.Payload]
    static_summary: str | None
    static_details: str | None
    priority: Priority
    arg_types: list[Any] | None
    ret_type: Any


@dataclass
class SignalChildWorkflowInput:
    """A signal to a child workflow."""

    signal: str
    args: Sequence[Any]
    child_workflow_id: str
    headers: Mapping[str, _proto.Payload]


@dataclass
class SignalExternalWorkflowInput:
    """A signal to another workflow."""

    signal: str
    args: Sequence[Any]
    namespace: str
    workflow_id: str
    workflow_run_id: str | None
    headers: Mapping[str, _proto.Payload]


@dataclass
class ExecuteActivityInput:
    """An attempt of an activity."""

    fn: Callable[..., Any]
    args: Sequence[Any]
    executor: Executor | None
    headers: Mapping[str, _proto.Payload]


@dataclass(frozen=True)
class WorkflowInterceptorClassInput:
    """What `Interceptor.workflow_interceptor_class` is asked with.

    Attributes:
        unsafe_extern_functions: Functions that workflows could call outside; there is no sandbox
            that they would have to leave.
    """

    unsafe_extern_functions: dict[str, Callable[..., Any]]


# --- around them ----------------------------------------------------------------------------------


class WorkflowInboundInterceptor:
    """Around what comes into a workflow.

    Args:
        next: The next one.

    Attributes:
        next: The next one.
    """

    def __init__(self, next: WorkflowInboundInterceptor) -> None:  # noqa: A002 - the peer's name
        self.next = next

    def init(self, outbound: WorkflowOutboundInterceptor) -> None:
        """Called before anything else; pass on an interceptor of your own around `outbound`."""
        self.next.init(outbound)

    async def execute_workflow(self, input: ExecuteWorkflowInput) -> Any:  # noqa: A002 - peer's
        """Run the main method."""
        return await self.next.execute_workflow(input)

    async def handle_signal(self, input: HandleSignalInput) -> None:  # noqa: A002 - peer's
        """Handle a signal."""
        return await self.next.handle_signal(input)

    async def handle_query(self, input: HandleQueryInput) -> Any:  # noqa: A002 - peer's
        """Answer a query."""
        return await self.next.handle_query(input)

    def handle_update_validator(self, input: HandleUpdateInput) -> None:  # noqa: A002 - peer's
        """Refuse an update by an exception."""
        self.next.handle_update_validator(input)

    async def handle_update_handler(self, input: HandleUpdateInput) -> Any:  # noqa: A002 - peer's
        """Handle an update."""
        return await self.next.handle_update_handler(input)


class WorkflowOutboundInterceptor:
    """Around what a workflow asks for.

    Args:
        next: The next one.

    Attributes:
        next: The next one.
    """

    def __init__(self, next: WorkflowOutboundInterceptor) -> None:  # noqa: A002 - the peer's name
        self.next = next

    def continue_as_new(self, input: ContinueAsNewInput) -> NoReturn:  # noqa: A002 - peer's
        """End the run by a new one."""
        self.next.continue_as_new(input)

    def info(self) -> facts.Info:
        """What the run knows of itself."""
        return self.next.info()

    async def signal_child_workflow(self, input: SignalChildWorkflowInput) -> None:  # noqa: A002
        """Signal a child workflow."""
        return await self.next.signal_child_workflow(input)

    async def signal_external_workflow(
        self,
        input: SignalExternalWorkflowInput,  # noqa: A002 - peer's
    ) -> None:
        """Signal another workflow."""
        return await self.next.signal_external_workflow(input)

    def start_activity(self, input: StartActivityInput) -> asyncio.Task[Any]:  # noqa: A002 - peer's
        """Schedule an activity."""
        return self.next.start_activity(input)

    def start_local_activity(self, input: StartLocalActivityInput) -> asyncio.Task[Any]:  # noqa: A002
        """Run an activity in the worker of the workflow."""
        return self.next.start_local_activity(input)

    async def start_child_workflow(self, input: StartChildWorkflowInput) -> Any:  # noqa: A002
        """Start a child workflow; returns its handle once it has started."""
        return await self.next.start_child_workflow(input)


class ActivityInboundInterceptor:
    """Around the attempts of activities.

    Args:
        next: The next one.

    Attributes:
        next: The next one.
    """

    def __init__(self, next: ActivityInboundInterceptor) -> None:  # noqa: A002 - the peer's name
        self.next = next

    def init(self, outbound: ActivityOutboundInterceptor) -> None:
        """Called before anything else; pass on an interceptor of your own around `outbound`."""
        self.next.init(outbound)

    async def execute_activity(self, input: ExecuteActivityInput) -> Any:  # noqa: A002 - peer's
        """Run an attempt."""
        return await self.next.execute_activity(input)


class ActivityOutboundInterceptor:
    """Around what an activity asks for.

    Args:
        next: The next one.

    Attributes:
        next: The next one.
    """

    def __init__(self, next: ActivityOutboundInterceptor) -> None:  # noqa: A002 - the peer's name
        self.next = next

    def info(self) -> facts.ActivityInfo:
        """What the attempt knows of itself."""
        return self.next.info()

    def heartbeat(self, *details: Any) -> None:
        """Say that the attempt goes on."""
        self.next.heartbeat(*details)


class Interceptor:
    """What a worker puts around its workflows and activities."""

    def intercept_activity(
        self,
        next: ActivityInboundInterceptor,  # noqa: A002 - the peer's name
    ) -> ActivityInboundInterceptor:
        """The interceptor around activities; `next` for none."""
        return next

    def workflow_interceptor_class(
        self,
        input: WorkflowInterceptorClassInput,  # noqa: A002, ARG002 - the peer's signature
    ) -> type[WorkflowInboundInterceptor] | None:
        """The class of the interceptor around workflows; None for none."""
        return None
