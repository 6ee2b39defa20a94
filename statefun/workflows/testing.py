"""Tests of workflows and activities, in this process, with nothing to install or download."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from statefun.workflows.activity import (
    CONTEXT,
    ActivityCancellationDetails,
    ActivityContext,
    Info,
)
from statefun.workflows.client import Client
from statefun.workflows.common import Priority, RetryPolicy
from statefun.workflows.converter import DataConverter
from statefun.workflows.definitions import is_async
from statefun.workflows.spans import seconds

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from types import TracebackType
    from typing import Self

    from statefun.testing.workflows import LocalService
    from statefun.workflows.client import Interceptor
    from statefun.workflows.common import QueryRejectCondition

__all__ = ["ActivityEnvironment", "WorkflowEnvironment"]


class WorkflowEnvironment:
    """The service in this process, to run workflows in tests; an async context manager.

    Example:
        ```python
        async with await WorkflowEnvironment.start_time_skipping() as env:
            async with Worker(env.client, task_queue="q", workflows=[Reminder]):
                await env.client.execute_workflow(Reminder.run, id="r", task_queue="q")
        ```
    """

    def __init__(self, client: Client, service: LocalService | None) -> None:
        self._client = client
        self._service = service

    @staticmethod
    def from_client(client: Client) -> WorkflowEnvironment:
        """An environment around a client of a service that runs elsewhere."""
        return WorkflowEnvironment(client, None)

    @staticmethod
    async def start_local(
        *,
        namespace: str = "default",
        data_converter: DataConverter = DataConverter.default,
        interceptors: Sequence[Interceptor] = (),
        default_workflow_query_reject_condition: QueryRejectCondition | None = None,
        identity: str | None = None,
    ) -> WorkflowEnvironment:
        """Start the service in this process, in memory.

        Args:
            namespace: The namespace.
            data_converter: How values travel.
            interceptors: What the client puts around its requests.
            default_workflow_query_reject_condition: When queries are rejected.
            identity: Names the client.

        Raises:
            ModuleNotFoundError: If the extra `runtime` is not installed.
        """
        return await _started(
            namespace,
            data_converter,
            interceptors,
            default_workflow_query_reject_condition,
            identity,
            skips_time=False,
        )

    @staticmethod
    async def start_time_skipping(
        *,
        namespace: str = "default",
        data_converter: DataConverter = DataConverter.default,
        interceptors: Sequence[Interceptor] = (),
        default_workflow_query_reject_condition: QueryRejectCondition | None = None,
        identity: str | None = None,
    ) -> WorkflowEnvironment:
        """Start the service with a clock that skips time.

        While somebody waits for the end of a workflow or for `sleep`, and no activity runs, time
        leaps to whatever is due next.

        Args:
            namespace: The namespace.
            data_converter: How values travel.
            interceptors: What the client puts around its requests.
            default_workflow_query_reject_condition: When queries are rejected.
            identity: Names the client.

        Raises:
            ModuleNotFoundError: If the extra `runtime` is not installed.
        """
        return await _started(
            namespace,
            data_converter,
            interceptors,
            default_workflow_query_reject_condition,
            identity,
            skips_time=True,
        )

    @property
    def client(self) -> Client:
        """The client of the service."""
        return self._client

    @property
    def service(self) -> LocalService | None:
        """The service in this process; None if it runs elsewhere."""
        return self._service

    @property
    def supports_time_skipping(self) -> bool:
        """Whether time is skipped."""
        return self._service is not None and self._service.skips_time

    async def shutdown(self) -> None:
        """Stop the service; leaving the block does it, too."""
        if self._service is not None:
            await self._service.stop()

    async def sleep(self, duration: timedelta | float) -> None:
        """Let time pass: at once where it is skipped, as far as nothing runs."""
        length = seconds(duration)
        if self._service is None:
            await asyncio.sleep(length)
        else:
            await self._service.sleep(length)

    async def get_current_time(self) -> datetime:
        """The time of the service, in UTC."""
        return datetime.fromtimestamp(self._client.connection.now_ms() / 1000, UTC)

    @contextmanager
    def auto_time_skipping_disabled(self) -> Iterator[None]:
        """While in the block, no time is skipped."""
        if self._service is None:
            yield
            return
        with self._service.locked():
            yield

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.shutdown()


async def _started(
    namespace: str,
    data_converter: DataConverter,
    interceptors: Sequence[Interceptor],
    reject_condition: QueryRejectCondition | None,
    identity: str | None,
    *,
    skips_time: bool,
) -> WorkflowEnvironment:
    from statefun.testing.workflows import LocalService  # noqa: PLC0415 - the runtime, for tests

    service = LocalService(namespace, skips_time=skips_time)
    await service.start()
    client = Client(
        service.connection,
        namespace=namespace,
        data_converter=data_converter,
        interceptors=interceptors,
        default_workflow_query_reject_condition=reject_condition,
        identity=identity or "",
    )
    return WorkflowEnvironment(client, service)


_EPOCH = datetime.fromtimestamp(0, UTC)
_SECOND = timedelta(seconds=1)


class ActivityEnvironment:
    """What an activity finds around it, for tests of the activity alone.

    Attributes:
        info: What `activity.info` returns.
        on_heartbeat: Called with the details of each heartbeat.
        payload_converter: What `activity.payload_converter` returns.
    """

    def __init__(self, client: Client | None = None) -> None:
        self.info = Info(
            activity_id="test",
            activity_type="unknown",
            attempt=1,
            current_attempt_scheduled_time=_EPOCH,
            heartbeat_details=[],
            heartbeat_timeout=None,
            is_local=False,
            namespace="default",
            schedule_to_close_timeout=_SECOND,
            scheduled_time=_EPOCH,
            start_to_close_timeout=_SECOND,
            started_time=_EPOCH,
            task_queue="test",
            task_token=b"test",
            workflow_id="test",
            workflow_namespace="default",
            workflow_run_id="test-run",
            workflow_type="test",
            priority=Priority.default,
            retry_policy=RetryPolicy(),
        )
        self.on_heartbeat: Callable[..., None] = _ignore
        self.payload_converter = DataConverter.default.payload_converter
        self._context = ActivityContext(
            info=lambda: self.info,
            heartbeat=self._heartbeat,
            payload_converter=self.payload_converter,
            client=client,
        )
        self._tasks: set[asyncio.Task[Any]] = set()

    def _heartbeat(self, *details: Any) -> None:
        self.on_heartbeat(*details)

    def run(self, fn: Callable[..., Any], *args: Any) -> Any:
        """Call an activity: for an async one, await what this returns."""
        token = CONTEXT.set(self._context)
        try:
            if not is_async(fn):
                return fn(*args)
            return self._running(fn, args)
        finally:
            CONTEXT.reset(token)

    async def _running(self, fn: Callable[..., Any], args: tuple[Any, ...]) -> Any:
        CONTEXT.set(self._context)
        task = asyncio.ensure_future(fn(*args))
        self._tasks.add(task)
        try:
            return await task
        finally:
            self._tasks.discard(task)

    def cancel(
        self,
        cancellation_details: ActivityCancellationDetails | None = None,
    ) -> None:
        """Cancel the activities that run."""
        if self._context.cancelled.is_set:
            return
        self._context.details = cancellation_details or ActivityCancellationDetails(
            cancel_requested=True
        )
        self._context.cancelled.set()
        for task in self._tasks:
            task.cancel()

    def worker_shutdown(self) -> None:
        """Tell the activities that run that their worker stops."""
        self._context.worker_shutdown.set()


def _ignore(*_: Any) -> None:
    pass
