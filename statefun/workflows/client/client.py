"""The client: it starts workflows and makes schedules, and gives handles of them."""

from __future__ import annotations

import os
import socket
import ssl
from typing import TYPE_CHECKING, Any, TypeVar, overload

from statefun.workflows.arguments import UNSET, arguments_of
from statefun.workflows.client.activities import AsyncActivityHandle
from statefun.workflows.client.handles import WorkflowHandle
from statefun.workflows.client.inputs import (
    AsyncActivityIDReference,
    CountWorkflowsInput,
    CreateScheduleInput,
    ListSchedulesInput,
    ListWorkflowsInput,
    StartWorkflowInput,
    UpdateWithStartUpdateWorkflowInput,
    WorkflowUpdateStage,
)
from statefun.workflows.client.names import update_named, workflow_named
from statefun.workflows.client.requests import Requests
from statefun.workflows.client.schedule_handles import ScheduleHandle
from statefun.workflows.converter import DataConverter
from statefun.workflows.remote import RemoteConnection

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence
    from typing import Unpack

    from statefun.workflows import _proto
    from statefun.workflows.client.executions import (
        WorkflowExecutionAsyncIterator,
        WorkflowExecutionCount,
    )
    from statefun.workflows.client.inputs import UpdateWithStartStartWorkflowInput
    from statefun.workflows.client.interceptors import Interceptor, OutboundInterceptor
    from statefun.workflows.client.options import RPCOptions, StartOptions
    from statefun.workflows.client.schedule_handles import ScheduleAsyncIterator
    from statefun.workflows.client.schedules import Schedule, ScheduleBackfill
    from statefun.workflows.client.starts import WithStartWorkflowOperation
    from statefun.workflows.client.updates import WorkflowUpdateHandle
    from statefun.workflows.common import (
        QueryRejectCondition,
        SearchAttributes,
        TypedSearchAttributes,
    )
    from statefun.workflows.connection import Connection

__all__ = ["Client"]

R = TypeVar("R")
S = TypeVar("S")
T = TypeVar("T")


class Client:
    """A client of the service.

    Args:
        connection: The way to the service.
        namespace: The namespace.
        data_converter: How values travel.
        interceptors: What is put around requests, outermost first. Those that are interceptors of
            workers, too, are put around the workflows and activities of workers of this client.
        default_workflow_query_reject_condition: When queries are rejected that do not say it.
        identity: Names the client.

    Attributes:
        connection: The way to the service.
        interceptors: What is put around requests.
        outbound: The first of them; handles pass their requests to it.
        requests: The last of them.
    """

    def __init__(
        self,
        connection: Connection,
        *,
        namespace: str = "default",
        data_converter: DataConverter = DataConverter.default,
        interceptors: Sequence[Interceptor] = (),
        default_workflow_query_reject_condition: QueryRejectCondition | None = None,
        identity: str = "",
    ) -> None:
        self.connection = connection
        self.interceptors = tuple(interceptors)
        self._namespace = namespace
        self._data_converter = data_converter
        self._reject_condition = default_workflow_query_reject_condition
        self._identity = identity
        self.requests = Requests(self)
        self.outbound: OutboundInterceptor = self.requests
        for each in reversed(self.interceptors):
            self.outbound = each.intercept_client(self.outbound)

    @staticmethod
    async def connect(
        target_host: str,
        *,
        namespace: str = "default",
        api_key: str | None = None,
        data_converter: DataConverter = DataConverter.default,
        interceptors: Sequence[Interceptor] = (),
        default_workflow_query_reject_condition: QueryRejectCondition | None = None,
        tls: bool | ssl.SSLContext = False,
        rpc_metadata: Mapping[str, str] | None = None,
        identity: str | None = None,
        lazy: bool = False,
    ) -> Client:
        """Connect to a service that `statefun run --listen` runs; lost connections are made again.

        Args:
            target_host: Where it listens, as `host:port`.
            namespace: The namespace.
            api_key: The bearer token, if the service asks for one.
            data_converter: How values travel.
            interceptors: What is put around requests, outermost first.
            default_workflow_query_reject_condition: When queries are rejected that do not say it.
            tls: Whether to use TLS, or with which context.
            rpc_metadata: Header fields of the request that connects.
            identity: Names the client; None for its process and machine.
            lazy: Whether to connect with the first request only.

        Raises:
            RuntimeError: If it cannot be reached.
            ValueError: If `target_host` has no port.
        """
        host, _, port = target_host.rpartition(":")
        if not host or not port.isdecimal():
            raise ValueError(f"target_host is {target_host!r}: write host:port")
        context = ssl.create_default_context() if tls is True else tls or None
        connection = RemoteConnection(
            host.strip("[]"), int(port), tls=context, token=api_key, headers=rpc_metadata
        )
        if not lazy:
            await connection.connect()
        return Client(
            connection,
            namespace=namespace,
            data_converter=data_converter,
            interceptors=interceptors,
            default_workflow_query_reject_condition=default_workflow_query_reject_condition,
            identity=identity or f"{os.getpid()}@{socket.gethostname()}",
        )

    async def close(self) -> None:
        """End the connection; what waits for an answer is cancelled."""
        await self.connection.close()

    @property
    def namespace(self) -> str:
        """The namespace."""
        return self._namespace

    @property
    def identity(self) -> str:
        """Names the client."""
        return self._identity

    @property
    def data_converter(self) -> DataConverter:
        """How values travel."""
        return self._data_converter

    @property
    def default_workflow_query_reject_condition(self) -> QueryRejectCondition | None:
        """When queries are rejected that do not say it."""
        return self._reject_condition

    # --- starting ---

    @overload
    async def start_workflow(
        self,
        workflow: Callable[[S], Awaitable[R]],
        *,
        id: str,
        task_queue: str,
        **options: Unpack[StartOptions],
    ) -> WorkflowHandle[S, R]: ...
    @overload
    async def start_workflow(
        self,
        workflow: Callable[[S, T], Awaitable[R]],
        arg: T,
        *,
        id: str,
        task_queue: str,
        **options: Unpack[StartOptions],
    ) -> WorkflowHandle[S, R]: ...
    @overload
    async def start_workflow(
        self,
        workflow: Callable[..., Awaitable[R]],
        *,
        args: Sequence[Any],
        id: str,
        task_queue: str,
        **options: Unpack[StartOptions],
    ) -> WorkflowHandle[Any, R]: ...
    @overload
    async def start_workflow(
        self,
        workflow: str,
        arg: Any = ...,
        *,
        args: Sequence[Any] = ...,
        id: str,
        task_queue: str,
        result_type: type[Any] | None = ...,
        **options: Unpack[StartOptions],
    ) -> WorkflowHandle[Any, Any]: ...

    async def start_workflow(
        self,
        workflow: Any,
        arg: Any = UNSET,
        *,
        args: Sequence[Any] = (),
        id: str,  # noqa: A002 - the peer's name
        task_queue: str,
        result_type: type[Any] | None = None,
        **options: Unpack[StartOptions],
    ) -> WorkflowHandle[Any, Any]:
        """Start a workflow; returns once that is durable.

        Args:
            workflow: Its main method, or the name of its type.
            arg: Its argument.
            args: Its arguments, if there are several.
            id: Its id, which only one workflow has at a time.
            task_queue: Its task queue.
            result_type: The type of its result, where a name is given.
            **options: `execution_timeout`, how long all its runs together may take, and
                `run_timeout` for one; `id_reuse_policy` and `id_conflict_policy`, what happens if
                the id is known; `retry_policy`, when a failed run is followed by another;
                `cron_schedule`, when it runs again; `start_delay`; `start_signal`, a signal that it
                gets first, or gets if it runs already, with `start_signal_args`; `memo`,
                `search_attributes`, `static_summary`, `static_details` and `priority`;
                `rpc_timeout`, how long to wait for the answer.

        Returns:
            A handle.

        Raises:
            WorkflowAlreadyStartedError: If its id is taken.
            RPCError: If it is refused, or there is no answer in time.
            ValueError: If the retry policy makes no sense.
        """
        name, hint = workflow_named(workflow)
        return await self.outbound.start_workflow(
            StartWorkflowInput(
                workflow=name,
                args=arguments_of(arg, args),
                id=id,
                task_queue=task_queue,
                ret_type=result_type or hint,
                **options,
            )
        )

    @overload
    async def execute_workflow(
        self,
        workflow: Callable[[S], Awaitable[R]],
        *,
        id: str,
        task_queue: str,
        **options: Unpack[StartOptions],
    ) -> R: ...
    @overload
    async def execute_workflow(
        self,
        workflow: Callable[[S, T], Awaitable[R]],
        arg: T,
        *,
        id: str,
        task_queue: str,
        **options: Unpack[StartOptions],
    ) -> R: ...
    @overload
    async def execute_workflow(
        self,
        workflow: Callable[..., Awaitable[R]],
        *,
        args: Sequence[Any],
        id: str,
        task_queue: str,
        **options: Unpack[StartOptions],
    ) -> R: ...
    @overload
    async def execute_workflow(
        self,
        workflow: str,
        arg: Any = ...,
        *,
        args: Sequence[Any] = ...,
        id: str,
        task_queue: str,
        result_type: type[Any] | None = ...,
        **options: Unpack[StartOptions],
    ) -> Any: ...

    async def execute_workflow(
        self,
        workflow: Any,
        arg: Any = UNSET,
        *,
        args: Sequence[Any] = (),
        id: str,  # noqa: A002 - the peer's name
        task_queue: str,
        result_type: type[Any] | None = None,
        **options: Unpack[StartOptions],
    ) -> Any:
        """Start a workflow and wait for its result; see `start_workflow`.

        Raises:
            WorkflowFailureError: If it does not end by a result; its cause says how.
        """
        started = await self.start_workflow(
            workflow,
            arg,
            args=args,
            id=id,
            task_queue=task_queue,
            result_type=result_type,
            **options,
        )
        return await started.result()

    # --- handles ---

    def get_workflow_handle(
        self,
        workflow_id: str,
        *,
        run_id: str | None = None,
        first_execution_run_id: str | None = None,
        result_type: type[Any] | None = None,
    ) -> WorkflowHandle[Any, Any]:
        """A handle of a workflow; whether there is one shows when it is used.

        Args:
            workflow_id: Its id.
            run_id: Its run; None for whichever is the current one.
            first_execution_run_id: The first run of the chain that is meant.
            result_type: The type of its result.
        """
        return WorkflowHandle(
            self,
            workflow_id,
            run_id=run_id,
            result_run_id=run_id,
            first_execution_run_id=first_execution_run_id,
            result_type=result_type,
        )

    @overload
    def get_workflow_handle_for(
        self,
        workflow: Callable[[S, T], Awaitable[R]],
        workflow_id: str,
        *,
        run_id: str | None = ...,
        first_execution_run_id: str | None = ...,
    ) -> WorkflowHandle[S, R]: ...
    @overload
    def get_workflow_handle_for(
        self,
        workflow: Callable[[S], Awaitable[R]],
        workflow_id: str,
        *,
        run_id: str | None = ...,
        first_execution_run_id: str | None = ...,
    ) -> WorkflowHandle[S, R]: ...
    @overload
    def get_workflow_handle_for(
        self,
        workflow: Callable[..., Awaitable[R]],
        workflow_id: str,
        *,
        run_id: str | None = ...,
        first_execution_run_id: str | None = ...,
    ) -> WorkflowHandle[Any, R]: ...

    def get_workflow_handle_for(
        self,
        workflow: Any,
        workflow_id: str,
        *,
        run_id: str | None = None,
        first_execution_run_id: str | None = None,
    ) -> WorkflowHandle[Any, Any]:
        """A handle of a workflow of a known type; see `get_workflow_handle`."""
        return self.get_workflow_handle(
            workflow_id,
            run_id=run_id,
            first_execution_run_id=first_execution_run_id,
            result_type=workflow_named(workflow)[1],
        )

    # --- lists and numbers ---

    def list_workflows(
        self,
        query: str | None = None,
        *,
        limit: int | None = None,
        page_size: int = 1000,
        next_page_token: bytes | None = None,
        **rpc: Unpack[RPCOptions],
    ) -> WorkflowExecutionAsyncIterator:
        """Find workflows, for `async for`: those that run first, then those that ended last.

        Args:
            query: Which, for example `WorkflowType = "Order" AND ExecutionStatus = "Running"`, and
                in which order; None for all. The page "Workflows" tells the language.
            limit: How many at most.
            page_size: How many are asked for at a time.
            next_page_token: Where to begin.
            **rpc: See `RPCOptions`; the time is that for each page.

        Raises:
            RPCError: While it is read, if the query cannot be understood.
        """
        given = ListWorkflowsInput(query, page_size, next_page_token, limit, **rpc)
        return self.outbound.list_workflows(given)

    async def count_workflows(
        self, query: str | None = None, **rpc: Unpack[RPCOptions]
    ) -> WorkflowExecutionCount:
        """Count workflows.

        Args:
            query: Which; see `list_workflows`. With `GROUP BY ExecutionStatus`, each status by
                itself, too.
            **rpc: See `RPCOptions`.

        Raises:
            RPCError: If the query cannot be understood.
        """
        return await self.outbound.count_workflows(CountWorkflowsInput(query, **rpc))

    # --- updates with a start ---

    @overload
    async def execute_update_with_start_workflow(
        self,
        update: Callable[[S, T], Awaitable[R]],
        arg: T,
        *,
        start_workflow_operation: WithStartWorkflowOperation[S, Any],
        id: str | None = ...,
        **rpc: Unpack[RPCOptions],
    ) -> R: ...
    @overload
    async def execute_update_with_start_workflow(
        self,
        update: Callable[[S, T], R],
        arg: T,
        *,
        start_workflow_operation: WithStartWorkflowOperation[S, Any],
        id: str | None = ...,
        **rpc: Unpack[RPCOptions],
    ) -> R: ...
    @overload
    async def execute_update_with_start_workflow(
        self,
        update: Callable[[S], Awaitable[R]],
        *,
        start_workflow_operation: WithStartWorkflowOperation[S, Any],
        id: str | None = ...,
        **rpc: Unpack[RPCOptions],
    ) -> R: ...
    @overload
    async def execute_update_with_start_workflow(
        self,
        update: str | Callable[..., Any],
        arg: Any = ...,
        *,
        start_workflow_operation: WithStartWorkflowOperation[Any, Any],
        args: Sequence[Any] = ...,
        id: str | None = ...,
        result_type: type[Any] | None = ...,
        **rpc: Unpack[RPCOptions],
    ) -> Any: ...

    async def execute_update_with_start_workflow(
        self,
        update: Any,
        arg: Any = UNSET,
        *,
        start_workflow_operation: WithStartWorkflowOperation[Any, Any],
        args: Sequence[Any] = (),
        id: str | None = None,  # noqa: A002 - the peer's name
        result_type: type[Any] | None = None,
        **rpc: Unpack[RPCOptions],
    ) -> Any:
        """Start a workflow unless it runs, update it, and wait for the result of the update.

        Args:
            update: The method that handles it, or the name of the update.
            arg: Its argument.
            args: Its arguments, if there are several.
            start_workflow_operation: What to start.
            id: The id of the update; updates of one id are one.
            result_type: The type of its result, where a name is given.
            **rpc: See `RPCOptions`.

        Raises:
            WorkflowUpdateFailedError: If it is refused, or fails.
            WorkflowAlreadyStartedError: If the workflow runs, and must not.
        """
        handle = await self.start_update_with_start_workflow(
            update,
            arg,
            start_workflow_operation=start_workflow_operation,
            wait_for_stage=WorkflowUpdateStage.COMPLETED,
            args=args,
            id=id,
            result_type=result_type,
            **rpc,
        )
        return await handle.result()

    async def start_update_with_start_workflow(
        self,
        update: Any,
        arg: Any = UNSET,
        *,
        start_workflow_operation: WithStartWorkflowOperation[Any, Any],
        wait_for_stage: WorkflowUpdateStage,
        args: Sequence[Any] = (),
        id: str | None = None,  # noqa: A002 - the peer's name
        result_type: type[Any] | None = None,
        **rpc: Unpack[RPCOptions],
    ) -> WorkflowUpdateHandle[Any]:
        """Start a workflow unless it runs, and update it.

        Args:
            update: See `execute_update_with_start_workflow`.
            arg: See there.
            args: See there.
            start_workflow_operation: See there.
            wait_for_stage: How far the update is waited for.
            id: See there.
            result_type: See there.
            **rpc: See `RPCOptions`.
        """
        name, hint = update_named(update)
        sent = UpdateWithStartUpdateWorkflowInput(
            id, name, arguments_of(arg, args), wait_for_stage, {}, result_type or hint
        )
        given = start_workflow_operation.with_update(sent, self._started, rpc)
        return await self.outbound.start_update_with_start_workflow(given)

    def _started(
        self, given: UpdateWithStartStartWorkflowInput, started: _proto.Started
    ) -> WorkflowHandle[Any, Any]:
        """The handle of a workflow that an update has started."""
        return WorkflowHandle(
            self,
            given.id,
            result_run_id=started.run_id,
            first_execution_run_id=started.first_run_id,
            result_type=given.ret_type,
        )

    # --- schedules ---

    async def create_schedule(
        self,
        id: str,  # noqa: A002 - the peer's name
        schedule: Schedule,
        *,
        trigger_immediately: bool = False,
        backfill: Sequence[ScheduleBackfill] = (),
        memo: Mapping[str, Any] | None = None,
        search_attributes: TypedSearchAttributes | SearchAttributes | None = None,
        **rpc: Unpack[RPCOptions],
    ) -> ScheduleHandle:
        """Make a schedule, which starts workflows; returns once that is durable.

        Args:
            id: Its id.
            schedule: The schedule.
            trigger_immediately: Whether its action is taken now, too.
            backfill: Times of the past that it is to make up for.
            memo: Values by names, for whoever describes it.
            search_attributes: Its search attributes; those of workflows stand in the action.
            **rpc: See `RPCOptions`.

        Raises:
            ScheduleAlreadyRunningError: If there is a schedule of that id.
            RPCError: If the schedule makes no sense.
            ValueError: If its actions are limited to none.
        """
        return await self.outbound.create_schedule(
            CreateScheduleInput(
                id, schedule, trigger_immediately, backfill, memo, search_attributes, **rpc
            )
        )

    def get_schedule_handle(self, id: str) -> ScheduleHandle:  # noqa: A002 - the peer's name
        """A handle of a schedule; whether there is one shows when it is used.

        Args:
            id: Its id.
        """
        return ScheduleHandle(self, id)

    async def list_schedules(
        self,
        query: str | None = None,
        *,
        page_size: int = 1000,
        next_page_token: bytes | None = None,
        **rpc: Unpack[RPCOptions],
    ) -> ScheduleAsyncIterator:
        """Find schedules, for `async for`, the newest first.

        Args:
            query: Which, by their search attributes; None for all.
            page_size: How many are asked for at a time.
            next_page_token: Where to begin.
            **rpc: See `RPCOptions`; the time is that for each page.

        Raises:
            RPCError: While it is read, if the query cannot be understood.
        """
        given = ListSchedulesInput(page_size, next_page_token, query, **rpc)
        return self.outbound.list_schedules(given)

    # --- activities that are completed from outside ---

    def get_async_activity_handle(
        self,
        *,
        workflow_id: str | None = None,
        run_id: str | None = None,
        activity_id: str | None = None,
        task_token: bytes | None = None,
        task_queue: str | None = None,
    ) -> AsyncActivityHandle:
        """A handle of an activity that raised `activity.raise_complete_async`.

        Args:
            workflow_id: The workflow that called it.
            run_id: The run of that.
            activity_id: The id of the activity.
            task_token: The token of the activity, instead of the ids.
            task_queue: The task queue of the activity; None for that of its workflow.

        Raises:
            ValueError: If neither the token nor the ids are given.
        """
        if task_token is not None:
            return AsyncActivityHandle(self, task_token)
        if workflow_id is None or activity_id is None:
            raise ValueError("Workflow ID, run ID, and activity ID or task token must be given")
        return AsyncActivityHandle(
            self, AsyncActivityIDReference(workflow_id, run_id, activity_id, task_queue or "")
        )
