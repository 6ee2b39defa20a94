"""Workers: they run the workflows and activities of a task queue."""

from __future__ import annotations

import asyncio
import os
import socket
import time
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from statefun.sdk.functions import StatefulFunctions
from statefun.workflows.activities import ActivityRunner
from statefun.workflows.converter import DataConverter
from statefun.workflows.definitions import ActivityDefinition, definitions_of
from statefun.workflows.hosts import QueueFunctions, bind_service
from statefun.workflows.interceptors import (
    ActivityInboundInterceptor,
    ActivityOutboundInterceptor,
    Interceptor,
    WorkflowInboundInterceptor,
    WorkflowInterceptorClassInput,
    WorkflowOutboundInterceptor,
)
from statefun.workflows.program import Workflows
from statefun.workflows.registered import Registered
from statefun.workflows.replayer import (
    Replayer,
    WorkflowReplayResult,
    WorkflowReplayResults,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from concurrent.futures import Executor
    from types import TracebackType
    from typing import Self

    from statefun.workflows.client import Client

__all__ = [
    "ActivityInboundInterceptor",
    "ActivityOutboundInterceptor",
    "Interceptor",
    "Replayer",
    "UnsandboxedWorkflowRunner",
    "Worker",
    "WorkflowInboundInterceptor",
    "WorkflowInterceptorClassInput",
    "WorkflowOutboundInterceptor",
    "WorkflowReplayResult",
    "WorkflowReplayResults",
]

_HOLD_S = 1.0
SERVED_RETENTION = timedelta(days=3)
"""How long an engine keeps workflows that have ended."""


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


class UnsandboxedWorkflowRunner:
    """Accepted, and changes nothing: guards take the place of a sandbox."""


class Worker:
    """Runs workflows and activities of a task queue, while `run` runs or the block is not left.

    Or it is served as an endpoint that an engine calls: `statefun serve MODULE:ATTR`, where ATTR is
    the worker, and `statefun module MODULE:ATTR` for the engine's module file.

    Args:
        client: The client by which it reaches the service; None if it is served as an endpoint.
        task_queue: The task queue.
        activities: The activities: functions, methods of objects, objects that can be called.
        workflows: The classes of workflows.
        activity_executor: Where activities run that are not async: threads or processes.
        workflow_runner: Accepted and ignored: guards take the place of a sandbox.
        interceptors: What is put around workflows and activities, outermost first; those of the
            client that are interceptors of workers, too, come before.
        identity: Names the worker; None for its process and machine.
        max_cached_workflows: How many runs stay in memory; the others are replayed when they go on.
        max_concurrent_activities: How many activities run at a time; None for 100.
        graceful_shutdown_timeout: How long activities may go on once the worker stops.
        workflow_failure_exception_types: What else than failures ends a run as failed.
        debug_mode: Accepted and ignored: no watch is kept over how long code computes.
        namespace: The namespace, if there is no client.
        data_converter: How values travel, if there is no client.

    Raises:
        ValueError: If these things do not go together.
        TypeError: If one of the activities is not an activity.

    Example:
        ```python
        async with Worker(client, task_queue="greetings", workflows=[Greeting], activities=[greet]):
            await client.execute_workflow(
                Greeting.run, "Ada", id="greeting-1", task_queue="greetings"
            )
        ```
    """

    def __init__(
        self,
        client: Client | None = None,
        *,
        task_queue: str,
        activities: Sequence[Callable[..., Any]] = (),
        workflows: Sequence[type[Any]] = (),
        activity_executor: Executor | None = None,
        workflow_runner: UnsandboxedWorkflowRunner | None = None,
        interceptors: Sequence[Interceptor] = (),
        identity: str | None = None,
        max_cached_workflows: int = 1000,
        max_concurrent_activities: int | None = None,
        graceful_shutdown_timeout: timedelta = timedelta(0),
        workflow_failure_exception_types: Sequence[type[BaseException]] = (),
        debug_mode: bool = False,
        namespace: str = "default",
        data_converter: DataConverter = DataConverter.default,
    ) -> None:
        del workflow_runner, debug_mode
        if not activities and not workflows:
            raise ValueError("At least one activity, Nexus service, or workflow must be specified")
        given = () if client is None else client.interceptors
        of_client = [each for each in given if isinstance(each, Interceptor)]
        interceptors = [*of_client, *interceptors]
        self._client = client
        self._namespace = namespace if client is None else client.namespace
        self._converter = data_converter if client is None else client.data_converter
        now_ms = _now_ms if client is None else client.connection.now_ms
        self._task_queue = task_queue
        self._grace = graceful_shutdown_timeout
        self._stop = asyncio.Event()
        self._stopped = asyncio.Event()
        self._state = "new"
        self._running: asyncio.Task[None] | None = None
        definitions = _activities(activities, activity_executor)
        self._runner = ActivityRunner(
            definitions,
            self._converter,
            activity_executor,
            interceptors,
            now_ms,
            max_concurrent_activities or 100,
            client,
        )
        self._functions = QueueFunctions(
            self._namespace,
            task_queue,
            self._workflows(workflows, interceptors, workflow_failure_exception_types),
            self._runner if definitions else None,
            lambda: now_ms() / 1000,
            identity or f"{os.getpid()}@{socket.gethostname()}",
            max_cached_workflows,
            _HOLD_S,
        )

    def _workflows(
        self,
        classes: Sequence[type[Any]],
        interceptors: Sequence[Interceptor],
        failure_exception_types: Sequence[type[BaseException]],
    ) -> Workflows | None:
        if not classes:
            return None
        converter = self._converter
        given = WorkflowInterceptorClassInput({})
        around = [each.workflow_interceptor_class(given) for each in interceptors]
        registered = Registered(
            definitions_of(classes),
            converter,
            failure_exception_types,
            [each for each in around if each is not None],
            self._runner.names,
            self._runner.run_local,
        )
        return Workflows(registered)

    # --- life ---

    @property
    def task_queue(self) -> str:
        """The task queue."""
        return self._task_queue

    @property
    def client(self) -> Client:
        """The client.

        Raises:
            RuntimeError: If it has none.
        """
        if self._client is None:
            raise RuntimeError(
                "the worker has no client: give it one, or serve it with 'statefun serve'"
            )
        return self._client

    @property
    def functions(self) -> StatefulFunctions:
        """Its functions, and those of the service of its namespace, as an endpoint serves them."""
        served = StatefulFunctions()
        self._functions.bind_to(served)
        bind_service(served, self._namespace, SERVED_RETENTION, lambda: _now_ms() / 1000)
        return served

    @property
    def is_running(self) -> bool:
        """Whether it is given work."""
        return self._state == "running"

    @property
    def is_shutdown(self) -> bool:
        """Whether it was stopped."""
        return self._state == "stopped"

    async def run(self) -> None:
        """Run until `shutdown` is called, or this is cancelled; activities may end first.

        Raises:
            RuntimeError: If it was started before.
        """
        await self._start()
        try:
            await self._stop.wait()
        finally:
            await self._end()

    async def shutdown(self) -> None:
        """Take no more work, and wait until what runs has ended."""
        if self._state == "new":
            raise RuntimeError("Never started")
        self._stop.set()
        await self._stopped.wait()

    async def __aenter__(self) -> Self:
        await self._start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._end()

    async def _start(self) -> None:
        if self._state != "new":
            raise RuntimeError("Already started")
        client = self.client
        self._state = "running"
        await client.connection.attach(self._functions)

    async def _end(self) -> None:
        self._state = "stopping"
        try:
            await self._runner.shut_down(self._grace.total_seconds())
            await self.client.connection.detach(self._functions)
        finally:
            self._state = "stopped"
            self._stopped.set()


def _activities(
    activities: Sequence[Callable[..., Any]], executor: Executor | None
) -> list[ActivityDefinition]:
    found: dict[str | None, ActivityDefinition] = {}
    for each in activities:
        definition = ActivityDefinition.of(each).bound_to(each)
        if definition.name in found:
            raise ValueError(
                "More than one dynamic activity"
                if definition.name is None
                else f"More than one activity named {definition.name}"
            )
        if not definition.is_async and executor is None:
            raise ValueError(
                f"Activity {definition.name} is not async so an activity_executor must be present"
            )
        found[definition.name] = definition
    return list(found.values())
