"""Interceptors of clients: objects around every request.

Each has the next one, and passes on what it does not change. The last one makes the request.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from statefun.workflows.client import inputs
    from statefun.workflows.client.executions import (
        WorkflowExecutionAsyncIterator,
        WorkflowExecutionCount,
        WorkflowExecutionDescription,
        WorkflowHistoryEventAsyncIterator,
    )
    from statefun.workflows.client.handles import WorkflowHandle
    from statefun.workflows.client.schedule_handles import ScheduleAsyncIterator, ScheduleHandle
    from statefun.workflows.client.schedules import ScheduleDescription
    from statefun.workflows.client.updates import WorkflowUpdateHandle

__all__ = ["Interceptor", "OutboundInterceptor"]


class OutboundInterceptor:
    """Around what a client asks for.

    Args:
        next: The next one.

    Attributes:
        next: The next one.
    """

    def __init__(self, next: OutboundInterceptor) -> None:  # noqa: A002 - the peer's name
        self.next = next

    # --- workflows ---

    async def start_workflow(self, input: inputs.StartWorkflowInput) -> WorkflowHandle[Any, Any]:  # noqa: A002
        """Start a workflow, or signal it with a start."""
        return await self.next.start_workflow(input)

    async def cancel_workflow(self, input: inputs.CancelWorkflowInput) -> None:  # noqa: A002
        """Ask a workflow to cancel."""
        await self.next.cancel_workflow(input)

    async def describe_workflow(
        self,
        input: inputs.DescribeWorkflowInput,  # noqa: A002 - the peer's name
    ) -> WorkflowExecutionDescription:
        """Describe a workflow."""
        return await self.next.describe_workflow(input)

    def fetch_workflow_history_events(
        self,
        input: inputs.FetchWorkflowHistoryEventsInput,  # noqa: A002 - the peer's name
    ) -> WorkflowHistoryEventAsyncIterator:
        """The history of a run."""
        return self.next.fetch_workflow_history_events(input)

    def list_workflows(self, input: inputs.ListWorkflowsInput) -> WorkflowExecutionAsyncIterator:  # noqa: A002
        """List workflows."""
        return self.next.list_workflows(input)

    async def count_workflows(self, input: inputs.CountWorkflowsInput) -> WorkflowExecutionCount:  # noqa: A002
        """Count workflows."""
        return await self.next.count_workflows(input)

    async def query_workflow(self, input: inputs.QueryWorkflowInput) -> Any:  # noqa: A002
        """Ask a workflow."""
        return await self.next.query_workflow(input)

    async def signal_workflow(self, input: inputs.SignalWorkflowInput) -> None:  # noqa: A002
        """Signal a workflow."""
        await self.next.signal_workflow(input)

    async def terminate_workflow(self, input: inputs.TerminateWorkflowInput) -> None:  # noqa: A002
        """End a workflow without its code running."""
        await self.next.terminate_workflow(input)

    async def start_workflow_update(
        self,
        input: inputs.StartWorkflowUpdateInput,  # noqa: A002 - the peer's name
    ) -> WorkflowUpdateHandle[Any]:
        """Update a workflow."""
        return await self.next.start_workflow_update(input)

    async def start_update_with_start_workflow(
        self,
        input: inputs.StartWorkflowUpdateWithStartInput,  # noqa: A002 - the peer's name
    ) -> WorkflowUpdateHandle[Any]:
        """Start a workflow unless it runs, and update it."""
        return await self.next.start_update_with_start_workflow(input)

    # --- activities that are completed from outside ---

    async def heartbeat_async_activity(
        self,
        input: inputs.HeartbeatAsyncActivityInput,  # noqa: A002 - the peer's name
    ) -> None:
        """Say that an activity goes on."""
        await self.next.heartbeat_async_activity(input)

    async def complete_async_activity(
        self,
        input: inputs.CompleteAsyncActivityInput,  # noqa: A002 - the peer's name
    ) -> None:
        """Complete an activity with a result."""
        await self.next.complete_async_activity(input)

    async def fail_async_activity(self, input: inputs.FailAsyncActivityInput) -> None:  # noqa: A002
        """Let an attempt of an activity fail."""
        await self.next.fail_async_activity(input)

    async def report_cancellation_async_activity(
        self,
        input: inputs.ReportCancellationAsyncActivityInput,  # noqa: A002 - the peer's name
    ) -> None:
        """Say that an activity was cancelled."""
        await self.next.report_cancellation_async_activity(input)

    # --- schedules ---

    async def create_schedule(self, input: inputs.CreateScheduleInput) -> ScheduleHandle:  # noqa: A002
        """Make a schedule."""
        return await self.next.create_schedule(input)

    def list_schedules(self, input: inputs.ListSchedulesInput) -> ScheduleAsyncIterator:  # noqa: A002
        """List schedules."""
        return self.next.list_schedules(input)

    async def backfill_schedule(self, input: inputs.BackfillScheduleInput) -> None:  # noqa: A002
        """Take actions for times of the past."""
        await self.next.backfill_schedule(input)

    async def delete_schedule(self, input: inputs.DeleteScheduleInput) -> None:  # noqa: A002
        """Delete a schedule."""
        await self.next.delete_schedule(input)

    async def describe_schedule(self, input: inputs.DescribeScheduleInput) -> ScheduleDescription:  # noqa: A002
        """Describe a schedule."""
        return await self.next.describe_schedule(input)

    async def pause_schedule(self, input: inputs.PauseScheduleInput) -> None:  # noqa: A002
        """Pause a schedule."""
        await self.next.pause_schedule(input)

    async def trigger_schedule(self, input: inputs.TriggerScheduleInput) -> None:  # noqa: A002
        """Take the action of a schedule now."""
        await self.next.trigger_schedule(input)

    async def unpause_schedule(self, input: inputs.UnpauseScheduleInput) -> None:  # noqa: A002
        """Let a schedule go on."""
        await self.next.unpause_schedule(input)

    async def update_schedule(self, input: inputs.UpdateScheduleInput) -> None:  # noqa: A002
        """Change a schedule."""
        await self.next.update_schedule(input)


class Interceptor:
    """What a client puts around its requests."""

    def intercept_client(self, next: OutboundInterceptor) -> OutboundInterceptor:  # noqa: A002
        """The interceptor around requests; `next` for none."""
        return next
