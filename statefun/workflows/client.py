"""Clients: they start workflows, send them messages, and wait for what becomes of them."""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import IntEnum
from typing import TYPE_CHECKING, Any, Generic, TypedDict, TypeVar, cast, overload

from statefun.durable import _proto as durable
from statefun.workflows import _proto
from statefun.workflows.addresses import (
    HISTORY,
    activity_typename,
    command,
    workflow_typename,
)
from statefun.workflows.arguments import UNSET, arguments_of
from statefun.workflows.common import (
    Priority,
    QueryRejectCondition,
    WorkflowIDConflictPolicy,
    WorkflowIDReusePolicy,
)
from statefun.workflows.converter import DataConverter
from statefun.workflows.definitions import (
    MESSAGE,
    Hints,
    QueryDefinition,
    SignalDefinition,
    UpdateMarker,
    WorkflowDefinition,
)
from statefun.workflows.exceptions import (
    ApplicationError,
    CancelledError,
    TemporalError,
    WorkflowAlreadyStartedError,
)
from statefun.workflows.histories import WorkflowHistory
from statefun.workflows.remote import RemoteConnection
from statefun.workflows.retrying import policy_message
from statefun.workflows.service import RPCError, RPCStatusCode
from statefun.workflows.sizes import check_size
from statefun.workflows.spans import milliseconds
from statefun.workflows.status import WorkflowExecutionStatus

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
    from typing import Concatenate, Unpack

    from statefun.workflows.common import RetryPolicy
    from statefun.workflows.connection import Connection

__all__ = [
    "AsyncActivityCancelledError",
    "AsyncActivityHandle",
    "Client",
    "RPCTimeoutOrCancelledError",
    "WithStartWorkflowOperation",
    "WorkflowContinuedAsNewError",
    "WorkflowExecution",
    "WorkflowExecutionDescription",
    "WorkflowExecutionStatus",
    "WorkflowFailureError",
    "WorkflowHandle",
    "WorkflowHistory",
    "WorkflowQueryFailedError",
    "WorkflowQueryRejectedError",
    "WorkflowUpdateFailedError",
    "WorkflowUpdateHandle",
    "WorkflowUpdateRPCTimeoutOrCancelledError",
    "WorkflowUpdateStage",
]

S = TypeVar("S")
T = TypeVar("T")
R = TypeVar("R")
W = TypeVar("W")

_LONGEST_ID = 1000
_NO_PRIORITY = Priority()


# --- errors ---------------------------------------------------------------------------------------


class WorkflowFailureError(TemporalError):
    """A workflow did not end by a result; its cause says how it ended.

    Args:
        cause: How.
    """

    def __init__(self, *, cause: BaseException) -> None:
        super().__init__("Workflow execution failed")
        self.__cause__ = cause

    @property
    def cause(self) -> BaseException:
        """How it ended."""
        assert self.__cause__ is not None  # noqa: S101 - it is given
        return self.__cause__

    def __reduce__(self) -> tuple[Any, ...]:
        return _failed, (self.__cause__,)


def _failed(cause: BaseException) -> WorkflowFailureError:
    return WorkflowFailureError(cause=cause)


class WorkflowContinuedAsNewError(TemporalError):
    """A run has ended by a new one, and that is not followed.

    Args:
        new_execution_run_id: The new run.
    """

    def __init__(self, new_execution_run_id: str) -> None:
        super().__init__("Workflow continued as new")
        self._new_execution_run_id = new_execution_run_id

    @property
    def new_execution_run_id(self) -> str:
        """The new run."""
        return self._new_execution_run_id

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self._new_execution_run_id,)


class WorkflowQueryFailedError(TemporalError):
    """A query has failed.

    Args:
        message: By what.
    """

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self._message = message

    @property
    def message(self) -> str:
        """By what."""
        return self._message


class WorkflowQueryRejectedError(TemporalError):
    """A query was rejected for the status of its workflow.

    Args:
        status: The status.
    """

    def __init__(self, status: WorkflowExecutionStatus | None) -> None:
        super().__init__(f"Query rejected, status: {'unknown' if status is None else int(status)}")
        self._status = status

    @property
    def status(self) -> WorkflowExecutionStatus | None:
        """The status."""
        return self._status

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self._status,)


class WorkflowUpdateFailedError(TemporalError):
    """An update has failed or was refused; its cause says by what.

    Args:
        cause: By what.
    """

    def __init__(self, cause: BaseException) -> None:
        super().__init__("Workflow update failed")
        self.__cause__ = cause

    @property
    def cause(self) -> BaseException:
        """By what."""
        assert self.__cause__ is not None  # noqa: S101 - it is given
        return self.__cause__

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.__cause__,)


class RPCTimeoutOrCancelledError(TemporalError):
    """A request took too long, or was cancelled."""


class WorkflowUpdateRPCTimeoutOrCancelledError(RPCTimeoutOrCancelledError):
    """Waiting for an update took too long, or was cancelled."""

    def __init__(self) -> None:
        super().__init__("Timeout or cancellation waiting for update")

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), ()


class AsyncActivityCancelledError(TemporalError):
    """An activity that is completed from outside is asked to cancel."""

    def __init__(self) -> None:
        super().__init__("Activity cancelled")

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), ()


# --- what is known of a workflow ------------------------------------------------------------------


@dataclass(frozen=True)
class WorkflowExecution:
    """A run of a workflow, as it stands.

    Attributes:
        close_time: When it ended; None while it runs.
        execution_time: When it began to run, after its delay.
        history_length: How many events it has been told, as far as the service knows.
        id: The id of the workflow.
        namespace: Its namespace.
        parent_id: The workflow that started it as a child.
        parent_run_id: The run of that.
        root_id: The workflow at the top.
        root_run_id: The run of that.
        run_id: The id of the run.
        start_time: When it was started.
        status: How it stands.
        task_queue: Its task queue.
        workflow_type: The name of its type.
        data_converter: How its memo is read.
        raw: As it travelled.
    """

    close_time: datetime | None
    execution_time: datetime | None
    history_length: int
    id: str
    namespace: str
    parent_id: str | None
    parent_run_id: str | None
    root_id: str | None
    root_run_id: str | None
    run_id: str
    start_time: datetime
    status: WorkflowExecutionStatus | None
    task_queue: str
    workflow_type: str
    data_converter: DataConverter
    raw: _proto.Workflow

    async def memo(self) -> Mapping[str, Any]:
        """The memo."""
        found = {}
        for name, payload in self.raw.start.memo.items():
            [found[name]] = await self.data_converter.decode([payload])
        return found

    async def memo_value(
        self, key: str, default: Any = UNSET, *, type_hint: type[Any] | None = None
    ) -> Any:
        """A value of the memo.

        Args:
            key: Its name.
            default: What is returned if there is none.
            type_hint: Its type.

        Raises:
            KeyError: If there is none, and no default.
        """
        payload = self.raw.start.memo.get(key)
        if payload is None:
            if default is UNSET:
                raise KeyError(f"Memo does not have a value for key {key}")
            return default
        hints = None if type_hint is None else [type_hint]
        [value] = await self.data_converter.decode([payload], hints)
        return value


@dataclass(frozen=True)
class WorkflowExecutionDescription(WorkflowExecution):
    """What `WorkflowHandle.describe` returns."""

    async def static_summary(self) -> str | None:
        """The sentence about it that it was started with."""
        return await self._text("static_summary")

    async def static_details(self) -> str | None:
        """The text about it that it was started with."""
        return await self._text("static_details")

    async def _text(self, name: str) -> str | None:
        if not self.raw.start.HasField(name):
            return None
        [value] = await self.data_converter.decode([getattr(self.raw.start, name)], [str])
        return cast("str", value)


def _described(kind: type[Any], client: Client, workflow: _proto.Workflow) -> Any:
    start = workflow.start
    parent = start.parent if start.HasField("parent") else None
    begun_ms = workflow.start_ms + start.start_delay_ms
    return kind(
        close_time=_time(workflow.close_ms) if workflow.close_ms else None,
        execution_time=_time(begun_ms),
        history_length=workflow.history_length,
        id=start.workflow_id,
        namespace=start.namespace,
        parent_id=None if parent is None else parent.workflow_id,
        parent_run_id=None if parent is None else parent.run_id,
        root_id=start.root_workflow_id or None,
        root_run_id=start.root_run_id or None,
        run_id=start.run_id,
        start_time=_time(workflow.start_ms),
        status=WorkflowExecutionStatus(workflow.status),
        task_queue=start.task_queue,
        workflow_type=start.workflow_type,
        data_converter=client.data_converter,
        raw=workflow,
    )


def _time(ms: int) -> datetime:
    return datetime.fromtimestamp(ms / 1000, UTC)


class WorkflowUpdateStage(IntEnum):
    """How far an update is waited for."""

    ADMITTED = 1
    ACCEPTED = 2
    COMPLETED = 3


# --- names and types of messages ------------------------------------------------------------------


def _named(given: Any, kind: type[Any], word: str) -> tuple[str, Hints | None]:
    """The name of a signal, query or update, and the types of its handler."""
    if isinstance(given, str):
        return given, None
    definition = getattr(given, MESSAGE, None)
    if not isinstance(definition, kind):
        name = getattr(given, "__qualname__", given)
        raise RuntimeError(  # noqa: TRY004 - as the peer
            f"{word} definition not found on {name}, is it decorated with @workflow.{word.lower()}?"
        )
    if definition.name is None:
        raise RuntimeError(f"Cannot invoke dynamic {word.lower()} definition")
    return definition.name, definition.hints


class StartOptions(TypedDict, total=False):
    """The options of a start; see `Client.start_workflow`."""

    execution_timeout: timedelta | None
    run_timeout: timedelta | None
    task_timeout: timedelta | None
    id_reuse_policy: WorkflowIDReusePolicy
    id_conflict_policy: WorkflowIDConflictPolicy
    retry_policy: RetryPolicy | None
    cron_schedule: str
    memo: Mapping[str, Any] | None
    static_summary: str | None
    static_details: str | None
    start_delay: timedelta | None
    start_signal: str | None
    start_signal_args: Sequence[Any]
    rpc_metadata: Mapping[str, str]
    rpc_timeout: timedelta | None
    request_eager_start: bool
    priority: Priority


# --- the client -----------------------------------------------------------------------------------


class Client:
    """A client of the service.

    Args:
        connection: The way to the service.
        namespace: The namespace.
        data_converter: How values travel.
        default_workflow_query_reject_condition: When queries are rejected that do not say it.
        identity: Names the client.

    Attributes:
        connection: The way to the service.
    """

    def __init__(
        self,
        connection: Connection,
        *,
        namespace: str = "default",
        data_converter: DataConverter = DataConverter.default,
        default_workflow_query_reject_condition: QueryRejectCondition | None = None,
        identity: str = "",
    ) -> None:
        self.connection = connection
        self._namespace = namespace
        self._data_converter = data_converter
        self._reject_condition = default_workflow_query_reject_condition
        self._identity = identity

    @staticmethod
    async def connect(
        target_host: str,
        *,
        namespace: str = "default",
        api_key: str | None = None,
        data_converter: DataConverter = DataConverter.default,
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

    # --- requests ---

    async def ask(
        self,
        name: str,
        workflow_id: str,
        argument: bytes,
        identity: str = "",
        within: timedelta | None = None,
    ) -> bytes:
        """Ask a workflow for something, and wait for the answer.

        Raises:
            RPCError: If it is refused, or there is no answer in time.
        """
        typename = workflow_typename(self._namespace)
        envelope = command(name, argument, identity)
        return await self.connection.ask(typename, workflow_id, envelope, within)

    async def encoded(self, what: str, values: Sequence[Any]) -> _proto.Payloads:
        """Values as they travel.

        Raises:
            RPCError: If they are too long.
        """
        payloads = await self._data_converter.encode(values)
        try:
            check_size(what, payloads)
        except ApplicationError as error:
            raise RPCError(
                f"Blob data size exceeds limit. {error.message}", RPCStatusCode.INVALID_ARGUMENT
            ) from error
        return _proto.Payloads(payloads=payloads)

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
                `static_summary`, `static_details` and `priority`; `rpc_timeout`, how long to wait
                for the answer.

        Returns:
            A handle.

        Raises:
            WorkflowAlreadyStartedError: If its id is taken.
            RPCError: If it is refused, or there is no answer in time.
            ValueError: If the retry policy makes no sense.
        """
        return await self._start(workflow, arg, args, id, task_queue, result_type, options)

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
        handle = await self._start(workflow, arg, args, id, task_queue, result_type, options)
        return await handle.result()

    async def _start(
        self,
        workflow: Any,
        arg: Any,
        args: Sequence[Any],
        workflow_id: str,
        task_queue: str,
        result_type: type[Any] | None,
        options: StartOptions,
    ) -> WorkflowHandle[Any, Any]:
        start, hint = await self._start_message(
            workflow, arg, args, workflow_id, task_queue, options
        )
        name, data = "start", start.SerializeToString()
        signal = options.get("start_signal")
        if signal is not None:
            request = _proto.Request(start=start)
            request.told.signal.name = signal
            given = options.get("start_signal_args", ())
            request.told.signal.arguments.CopyFrom(await self.encoded("a signal", given))
            name, data = "signal", request.SerializeToString()
        started = await self._started(name, start, data, options.get("rpc_timeout"))
        return WorkflowHandle(
            self,
            workflow_id,
            result_run_id=started.run_id,
            first_execution_run_id=started.run_id if started.is_new or signal is None else None,
            result_type=result_type or hint,
        )

    async def _started(
        self, name: str, start: _proto.Start, data: bytes, within: timedelta | None
    ) -> _proto.Started:
        try:
            answer = await self.ask(name, start.workflow_id, data, start.run_id, within)
        except RPCError as refused:
            if refused.status is RPCStatusCode.ALREADY_EXISTS:
                raise WorkflowAlreadyStartedError(
                    start.workflow_id,
                    start.workflow_type,
                    run_id=refused.facts.get("run_id"),
                    first_run_id=refused.facts.get("first_run_id"),
                ) from None
            raise
        return _proto.Started.FromString(answer)

    async def _start_message(
        self,
        workflow: Any,
        arg: Any,
        args: Sequence[Any],
        workflow_id: str,
        task_queue: str,
        options: StartOptions,
    ) -> tuple[_proto.Start, Any]:
        """What a workflow is started with, and the type of its result."""
        name, hint = _workflow_name(workflow)
        _check_id(workflow_id)
        policy = options.get("retry_policy")
        conflict = options.get("id_conflict_policy", WorkflowIDConflictPolicy.UNSPECIFIED)
        start = _proto.Start(
            workflow_id=workflow_id,
            run_id=str(uuid.uuid4()),
            workflow_type=name,
            task_queue=task_queue,
            namespace=self._namespace,
            arguments=await self.encoded("an argument", arguments_of(arg, args)),
            retry_policy=None if policy is None else policy_message(policy),
            execution_timeout_ms=milliseconds(options.get("execution_timeout")),
            run_timeout_ms=milliseconds(options.get("run_timeout")),
            task_timeout_ms=milliseconds(options.get("task_timeout")),
            id_reuse_policy=options.get("id_reuse_policy", WorkflowIDReusePolicy.ALLOW_DUPLICATE),
            id_conflict_policy=conflict,
            cron_schedule=options.get("cron_schedule", ""),
            start_delay_ms=milliseconds(options.get("start_delay")),
            priority_key=options.get("priority", _NO_PRIORITY).priority_key or 0,
        )
        for key, value in (options.get("memo") or {}).items():
            [payload] = await self._data_converter.encode([value])
            start.memo[key].CopyFrom(payload)
        for field in ("static_summary", "static_details"):
            text = cast("dict[str, Any]", options).get(field)
            if text is not None:
                [payload] = await self._data_converter.encode([text])
                getattr(start, field).CopyFrom(payload)
        return start, hint

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
            result_type=_workflow_name(workflow)[1],
        )

    # --- updates with a start ---

    async def execute_update_with_start_workflow(
        self,
        update: Any,
        arg: Any = UNSET,
        *,
        start_workflow_operation: WithStartWorkflowOperation[Any, Any],
        args: Sequence[Any] = (),
        id: str | None = None,  # noqa: A002 - the peer's name
        result_type: type[Any] | None = None,
    ) -> Any:
        """Start a workflow unless it runs, update it, and wait for the result of the update.

        Args:
            update: The method that handles it, or the name of the update.
            arg: Its argument.
            args: Its arguments, if there are several.
            start_workflow_operation: What to start.
            id: The id of the update; updates of one id are one.
            result_type: The type of its result, where a name is given.

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
        """
        operation = start_workflow_operation
        start, hint = await operation.message(self)
        handle = WorkflowHandle[Any, Any](self, start.workflow_id, result_type=hint)
        try:
            updated = await handle.send_update(
                update, arguments_of(arg, args), id, result_type, wait_for_stage, start
            )
        except RPCError as refused:
            if refused.status is not RPCStatusCode.ALREADY_EXISTS:
                operation.fail(refused)
                raise
            taken = WorkflowAlreadyStartedError(
                start.workflow_id, start.workflow_type, run_id=refused.facts.get("run_id")
            )
            operation.fail(taken)
            raise taken from None
        operation.succeed(
            WorkflowHandle(
                self,
                start.workflow_id,
                result_run_id=updated.workflow_run_id,
                first_execution_run_id=updated.workflow_run_id,
                result_type=hint,
            )
        )
        return updated

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
            queue, _, target = task_token.decode().partition("\0")
            return AsyncActivityHandle(self, queue, target, None)
        if workflow_id is None or activity_id is None:
            raise ValueError("Workflow ID, run ID, and activity ID or task token must be given")
        return AsyncActivityHandle(
            self, task_queue or "", f"{run_id or ''}:{activity_id}", workflow_id
        )


def _workflow_name(workflow: Any) -> tuple[str, Any]:
    """The name of a workflow's type, and the type of its result."""
    if isinstance(workflow, str):
        return workflow, None
    if not callable(workflow):
        raise TypeError("Workflow must be a string or callable")
    name, hints = WorkflowDefinition.of_run(workflow)
    return name, hints.result


def _check_id(workflow_id: str) -> None:
    if not workflow_id:
        raise RPCError("WorkflowId is not set on request.", RPCStatusCode.INVALID_ARGUMENT)
    if len(workflow_id) > _LONGEST_ID:
        raise RPCError("WorkflowId length exceeds limit.", RPCStatusCode.INVALID_ARGUMENT)


class WithStartWorkflowOperation(Generic[W, R]):
    """A workflow that an update starts unless it runs.

    Args:
        workflow: See `Client.start_workflow`.
        arg: See there.
        id: See there.
        task_queue: See there.
        args: See there.
        result_type: See there.
        **options: See there; `id_conflict_policy`, what happens if it runs, is needed.

    Raises:
        TypeError: If that is missing.
    """

    def __init__(
        self,
        workflow: Callable[Concatenate[W, ...], Awaitable[R]],
        arg: Any = UNSET,
        *,
        id: str,  # noqa: A002 - the peer's name
        task_queue: str,
        args: Sequence[Any] = (),
        result_type: type[Any] | None = None,
        **options: Unpack[StartOptions],
    ) -> None:
        if "id_conflict_policy" not in options:
            raise TypeError("WithStartWorkflowOperation needs an id_conflict_policy")
        self._given = (workflow, arg, args, id, task_queue)
        self._options = options
        self._result_type = result_type
        self._handle: asyncio.Future[WorkflowHandle[W, R]] | None = None

    async def message(self, client: Client) -> tuple[_proto.Start, Any]:
        """What the workflow is started with, and the type of its result.

        Raises:
            RuntimeError: If it was used before.
        """
        if self._handle is not None:
            raise RuntimeError("WithStartWorkflowOperation cannot be reused")
        self._handle = asyncio.get_running_loop().create_future()
        start, hint = await client._start_message(  # noqa: SLF001 - the other half of a start
            *self._given, self._options
        )
        return start, self._result_type or hint

    def succeed(self, handle: WorkflowHandle[W, R]) -> None:
        """The workflow runs."""
        if self._handle is not None:
            self._handle.set_result(handle)

    def fail(self, error: BaseException) -> None:
        """The workflow was not started."""
        if self._handle is not None:
            self._handle.set_exception(error)
            self._handle.exception()  # that nobody asks for it says nothing

    async def workflow_handle(self) -> WorkflowHandle[W, R]:
        """The handle of the workflow, once it is known.

        Raises:
            RuntimeError: If the operation was not used.
            TemporalError: If the workflow was not started.
        """
        if self._handle is None:
            raise RuntimeError("Workflow has not been started yet")
        return await asyncio.shield(self._handle)


class WorkflowHandle(Generic[W, R]):
    """A workflow, to be waited for, asked and told something."""

    def __init__(
        self,
        client: Client,
        id: str,  # noqa: A002 - the peer's name
        *,
        run_id: str | None = None,
        result_run_id: str | None = None,
        first_execution_run_id: str | None = None,
        result_type: Any = None,
    ) -> None:
        self._client = client
        self._id = id
        self._run_id = run_id
        self._result_run_id = result_run_id
        self._first_execution_run_id = first_execution_run_id
        self._result_type = result_type

    @property
    def id(self) -> str:
        """The id of the workflow."""
        return self._id

    @property
    def run_id(self) -> str | None:
        """The run that messages go to; None for whichever is the current one."""
        return self._run_id

    @property
    def result_run_id(self) -> str | None:
        """The run that `result` waits for first; None for whichever is the current one."""
        return self._result_run_id

    @property
    def first_execution_run_id(self) -> str | None:
        """The first run of the chain that is cancelled or terminated; None for any."""
        return self._first_execution_run_id

    def _request(self, **fields: Any) -> _proto.Request:
        return _proto.Request(run_id=self._run_id or "", **fields)

    async def _ask(
        self, name: str, request: _proto.Request, within: timedelta | None = None
    ) -> bytes:
        identity = str(uuid.uuid4()) if name == "signal" else ""
        data = request.SerializeToString()
        return await self._client.ask(name, self._id, data, identity, within)

    async def result(
        self,
        *,
        follow_runs: bool = True,
        rpc_metadata: Mapping[str, str] | None = None,
        rpc_timeout: timedelta | None = None,
    ) -> R:
        """Wait until the workflow ends.

        Args:
            follow_runs: Whether a run that is followed by another one is not the end.
            rpc_metadata: Accepted and ignored.
            rpc_timeout: How long to wait for each run.

        Raises:
            WorkflowFailureError: If it does not end by a result; its cause says how.
            WorkflowContinuedAsNewError: If another run follows, and is not followed.
            RPCError: If there is no such workflow, or it does not end in time.
        """
        del rpc_metadata
        run_id = self._result_run_id or ""
        while True:
            request = _proto.Request(run_id=run_id)
            with self._client.connection.waiting():
                data = await self._ask("result", request, rpc_timeout)
            ending = _proto.Ending.FromString(data)
            kind = ending.WhichOneof("ending")
            if ending.next_run_id and follow_runs:
                run_id = ending.next_run_id
            elif kind == "continued":
                raise WorkflowContinuedAsNewError(ending.next_run_id)
            else:
                return cast("R", await self._ended(ending, kind or "result"))

    async def _ended(self, ending: _proto.Ending, kind: str) -> Any:
        converter = self._client.data_converter
        if kind != "result":
            failure = getattr(ending, kind)
            raise WorkflowFailureError(cause=await converter.decode_failure(failure))
        payloads = list(ending.result.payloads)
        if not payloads:
            return None
        hints = None if self._result_type is None else [self._result_type]
        [value, *_] = await converter.decode(payloads, hints)
        return value

    async def cancel(self, *, reason: str = "", rpc_timeout: timedelta | None = None) -> None:
        """Ask the workflow to cancel; one that has ended stays as it is.

        Args:
            reason: Why.
            rpc_timeout: How long to wait for the answer.

        Raises:
            RPCError: If there is no such workflow.
        """
        request = self._request(first_run_id=self._first_execution_run_id or "")
        request.told.cancel.reason = reason
        await self._ask("cancel", request, rpc_timeout)

    async def terminate(
        self,
        *args: Any,
        reason: str | None = None,
        rpc_timeout: timedelta | None = None,
    ) -> None:
        """End the workflow without its code running.

        Args:
            *args: Details for whoever waits for it.
            reason: Why.
            rpc_timeout: How long to wait for the answer.

        Raises:
            RPCError: If there is no such workflow, or it has ended.
        """
        details = await self._client.encoded("details", args)
        request = self._request(
            reason=reason or "",
            details=details,
            first_run_id=self._first_execution_run_id or "",
        )
        await self._ask("terminate", request, rpc_timeout)

    async def describe(
        self, *, rpc_timeout: timedelta | None = None
    ) -> WorkflowExecutionDescription:
        """How the workflow stands.

        Raises:
            RPCError: If there is no such workflow.
        """
        data = await self._ask("describe", self._request(), rpc_timeout)
        workflow = _proto.Workflow.FromString(data)
        return cast(
            "WorkflowExecutionDescription",
            _described(WorkflowExecutionDescription, self._client, workflow),
        )

    async def fetch_history(self, *, rpc_timeout: timedelta | None = None) -> WorkflowHistory:
        """The history of the run, as long as it is kept; a worker tells it.

        Raises:
            RPCError: If there is no such workflow, or no worker answers in time.
        """
        request = self._request()
        request.query.name = HISTORY
        answer = _proto.QueryAnswer.FromString(await self._ask("query", request, rpc_timeout))
        journal = durable.Journal.FromString(answer.result.payloads[0].data)
        return WorkflowHistory(self._id, list(journal.records))

    async def fetch_history_events(
        self, *, rpc_timeout: timedelta | None = None
    ) -> AsyncIterator[durable.Record]:
        """The events of `fetch_history`, one after another."""
        for each in (await self.fetch_history(rpc_timeout=rpc_timeout)).events:
            yield each

    # --- signals ---

    @overload
    async def signal(
        self, signal: Callable[[W], Any], *, rpc_timeout: timedelta | None = ...
    ) -> None: ...
    @overload
    async def signal(
        self, signal: Callable[[W, T], Any], arg: T, *, rpc_timeout: timedelta | None = ...
    ) -> None: ...
    @overload
    async def signal(
        self,
        signal: Callable[..., Any],
        *,
        args: Sequence[Any],
        rpc_timeout: timedelta | None = ...,
    ) -> None: ...
    @overload
    async def signal(
        self,
        signal: str,
        arg: Any = ...,
        *,
        args: Sequence[Any] = ...,
        rpc_timeout: timedelta | None = ...,
    ) -> None: ...

    async def signal(
        self,
        signal: Any,
        arg: Any = UNSET,
        *,
        args: Sequence[Any] = (),
        rpc_timeout: timedelta | None = None,
    ) -> None:
        """Signal the workflow; returns once that is durable.

        Args:
            signal: The method that handles it, or the name of the signal.
            arg: Its argument.
            args: Its arguments, if there are several.
            rpc_timeout: How long to wait for the answer.

        Raises:
            RPCError: If there is no such workflow, or it has ended.
        """
        name, _ = _named(signal, SignalDefinition, "Signal")
        request = self._request()
        request.told.signal.name = name
        given = await self._client.encoded("a signal", arguments_of(arg, args))
        request.told.signal.arguments.CopyFrom(given)
        await self._ask("signal", request, rpc_timeout)

    # --- queries ---

    @overload
    async def query(
        self,
        query: Callable[[W], R2],
        *,
        reject_condition: QueryRejectCondition | None = ...,
        rpc_timeout: timedelta | None = ...,
    ) -> R2: ...
    @overload
    async def query(
        self,
        query: Callable[[W, T], R2],
        arg: T,
        *,
        reject_condition: QueryRejectCondition | None = ...,
        rpc_timeout: timedelta | None = ...,
    ) -> R2: ...
    @overload
    async def query(
        self,
        query: Callable[..., R2],
        *,
        args: Sequence[Any],
        reject_condition: QueryRejectCondition | None = ...,
        rpc_timeout: timedelta | None = ...,
    ) -> R2: ...
    @overload
    async def query(
        self,
        query: str,
        arg: Any = ...,
        *,
        args: Sequence[Any] = ...,
        result_type: type[Any] | None = ...,
        reject_condition: QueryRejectCondition | None = ...,
        rpc_timeout: timedelta | None = ...,
    ) -> Any: ...

    async def query(
        self,
        query: Any,
        arg: Any = UNSET,
        *,
        args: Sequence[Any] = (),
        result_type: type[Any] | None = None,
        reject_condition: QueryRejectCondition | None = None,
        rpc_timeout: timedelta | None = None,
    ) -> Any:
        """Ask the workflow; also one that has ended, as long as it is kept.

        Args:
            query: The method that handles it, or the name of the query.
            arg: Its argument.
            args: Its arguments, if there are several.
            result_type: The type of the answer, where a name is given.
            reject_condition: When the workflow is not asked.
            rpc_timeout: How long to wait for the answer.

        Raises:
            WorkflowQueryFailedError: If its handler fails, or there is none.
            WorkflowQueryRejectedError: If the status of the workflow says so.
            RPCError: If there is no such workflow, or no worker answers in time.
        """
        name, hints = _named(query, QueryDefinition, "Query")
        condition = reject_condition or self._client.default_workflow_query_reject_condition
        request = self._request(reject_condition=condition or 0)
        request.query.name = name
        given = await self._client.encoded("a query", arguments_of(arg, args))
        request.query.arguments.CopyFrom(given)
        answer = _proto.QueryAnswer.FromString(await self._ask("query", request, rpc_timeout))
        match answer.WhichOneof("answer"):
            case "failure":
                raise WorkflowQueryFailedError(answer.failure.message)
            case "rejected_status":
                raise WorkflowQueryRejectedError(WorkflowExecutionStatus(answer.rejected_status))
        hint = result_type or (hints.result if hints is not None else None)
        payloads = list(answer.result.payloads)
        [value] = await self._client.data_converter.decode(
            payloads, None if hint is None else [hint]
        )
        return value

    # --- updates ---

    @overload
    async def execute_update(
        self,
        update: Callable[[W], Awaitable[R2]],
        *,
        id: str | None = ...,
        rpc_timeout: timedelta | None = ...,
    ) -> R2: ...
    @overload
    async def execute_update(
        self,
        update: Callable[[W, T], Awaitable[R2]],
        arg: T,
        *,
        id: str | None = ...,
        rpc_timeout: timedelta | None = ...,
    ) -> R2: ...
    @overload
    async def execute_update(
        self,
        update: Callable[..., Awaitable[R2]],
        *,
        args: Sequence[Any],
        id: str | None = ...,
        rpc_timeout: timedelta | None = ...,
    ) -> R2: ...
    @overload
    async def execute_update(
        self,
        update: Callable[[W], R2],
        *,
        id: str | None = ...,
        rpc_timeout: timedelta | None = ...,
    ) -> R2: ...
    @overload
    async def execute_update(
        self,
        update: Callable[[W, T], R2],
        arg: T,
        *,
        id: str | None = ...,
        rpc_timeout: timedelta | None = ...,
    ) -> R2: ...
    @overload
    async def execute_update(
        self,
        update: Callable[..., R2],
        *,
        args: Sequence[Any],
        id: str | None = ...,
        rpc_timeout: timedelta | None = ...,
    ) -> R2: ...
    @overload
    async def execute_update(
        self,
        update: str,
        arg: Any = ...,
        *,
        args: Sequence[Any] = ...,
        id: str | None = ...,
        result_type: type[Any] | None = ...,
        rpc_timeout: timedelta | None = ...,
    ) -> Any: ...

    async def execute_update(
        self,
        update: Any,
        arg: Any = UNSET,
        *,
        args: Sequence[Any] = (),
        id: str | None = None,  # noqa: A002 - the peer's name
        result_type: type[Any] | None = None,
        rpc_timeout: timedelta | None = None,
    ) -> Any:
        """Update the workflow and wait for the result.

        Args:
            update: The method that handles it, or the name of the update.
            arg: Its argument.
            args: Its arguments, if there are several.
            id: The id of the update; updates of one id are one. None for a new one.
            result_type: The type of the result, where a name is given.
            rpc_timeout: How long to wait for the answer.

        Raises:
            WorkflowUpdateFailedError: If it is refused, or fails; its cause says by what.
            WorkflowUpdateRPCTimeoutOrCancelledError: If there is no answer in time.
            RPCError: If there is no such workflow, or it has ended.
        """
        handle = await self.send_update(
            update,
            arguments_of(arg, args),
            id,
            result_type,
            WorkflowUpdateStage.COMPLETED,
            within=rpc_timeout,
        )
        return await handle.result()

    async def start_update(
        self,
        update: Any,
        arg: Any = UNSET,
        *,
        wait_for_stage: WorkflowUpdateStage,
        args: Sequence[Any] = (),
        id: str | None = None,  # noqa: A002 - the peer's name
        result_type: type[Any] | None = None,
        rpc_timeout: timedelta | None = None,
    ) -> WorkflowUpdateHandle[Any]:
        """Update the workflow, and wait until the update is accepted or completed.

        Args:
            update: See `execute_update`.
            arg: See there.
            wait_for_stage: Which of the two.
            args: See there.
            id: See there.
            result_type: See there.
            rpc_timeout: See there.

        Raises:
            ValueError: If the stage cannot be waited for.
            RPCError: If there is no such workflow, or it has ended.
        """
        if wait_for_stage == WorkflowUpdateStage.ADMITTED:
            raise ValueError("ADMITTED wait stage not supported")
        return await self.send_update(
            update, arguments_of(arg, args), id, result_type, wait_for_stage, within=rpc_timeout
        )

    async def send_update(
        self,
        update: Any,
        args: Sequence[Any],
        update_id: str | None,
        result_type: type[Any] | None,
        stage: WorkflowUpdateStage,
        start: _proto.Start | None = None,
        within: timedelta | None = None,
    ) -> WorkflowUpdateHandle[Any]:
        """Send an update, and wait for a stage of it; see `start_update`."""
        name, hints = _named(update, UpdateMarker, "Update")
        known_id = update_id or str(uuid.uuid4())
        request = self._request(
            wait_stage=stage, first_run_id=self._first_execution_run_id or "", start=start
        )
        request.told.update.id = known_id
        request.told.update.name = name
        given = await self._client.encoded("an update", args)
        request.told.update.arguments.CopyFrom(given)
        hint = result_type or (hints.result if hints is not None else None)
        answer = await self._update_answer(request, within)
        known = answer if answer.WhichOneof("outcome") or answer.stage == stage == 3 else None
        return WorkflowUpdateHandle(self._client, known_id, self._id, answer.run_id, hint, known)

    async def _update_answer(
        self, request: _proto.Request, within: timedelta | None
    ) -> _proto.UpdateAnswer:
        try:
            with self._client.connection.waiting():
                data = await self._ask("update", request, within)
        except RPCError as error:
            if error.status is RPCStatusCode.CANCELLED:
                raise WorkflowUpdateRPCTimeoutOrCancelledError from error
            raise
        return _proto.UpdateAnswer.FromString(data)

    def get_update_handle(
        self,
        id: str,  # noqa: A002 - the peer's name
        *,
        workflow_run_id: str | None = None,
        result_type: type[Any] | None = None,
    ) -> WorkflowUpdateHandle[Any]:
        """A handle of an update that was sent before.

        Args:
            id: The id of the update.
            workflow_run_id: The run that it was sent to.
            result_type: The type of its result.
        """
        run_id = workflow_run_id or self._run_id
        return WorkflowUpdateHandle(self._client, id, self._id, run_id, result_type, None)


R2 = TypeVar("R2")


class WorkflowUpdateHandle(Generic[R]):
    """An update, to be waited for."""

    def __init__(
        self,
        client: Client,
        id: str,  # noqa: A002 - the peer's name
        workflow_id: str,
        workflow_run_id: str | None,
        result_type: Any,
        known: _proto.UpdateAnswer | None,
    ) -> None:
        self._client = client
        self._id = id
        self._workflow_id = workflow_id
        self._workflow_run_id = workflow_run_id
        self._result_type = result_type
        self._known = known

    @property
    def id(self) -> str:
        """The id of the update."""
        return self._id

    @property
    def workflow_id(self) -> str:
        """The id of the workflow."""
        return self._workflow_id

    @property
    def workflow_run_id(self) -> str | None:
        """The run that it was sent to."""
        return self._workflow_run_id

    async def result(self, *, rpc_timeout: timedelta | None = None) -> R:
        """Wait for the result.

        Args:
            rpc_timeout: How long.

        Raises:
            WorkflowUpdateFailedError: If it was refused, or has failed; its cause says by what.
            WorkflowUpdateRPCTimeoutOrCancelledError: If there is none in time.
        """
        if self._known is None:
            request = _proto.Request(run_id=self._workflow_run_id or "", wait_stage=3)
            request.told.update.id = self._id
            request.told.update.is_poll = True
            handle = WorkflowHandle[Any, Any](self._client, self._workflow_id)
            self._known = await handle._update_answer(  # noqa: SLF001 - of one module
                request, rpc_timeout
            )
        answer, converter = self._known, self._client.data_converter
        if answer.WhichOneof("outcome") == "failure":
            cause = await converter.decode_failure(answer.failure)
            raise WorkflowUpdateFailedError(cause)
        payloads = list(answer.result.payloads)
        if not payloads:
            return cast("R", None)
        hints = None if self._result_type is None else [self._result_type]
        [value] = await converter.decode(payloads, hints)
        return cast("R", value)


class AsyncActivityHandle:
    """An activity that is completed from outside; see `Client.get_async_activity_handle`."""

    def __init__(
        self, client: Client, task_queue: str, target_id: str, workflow_id: str | None
    ) -> None:
        self._client = client
        self._queue = task_queue
        self._target = target_id
        self._workflow_id = workflow_id

    async def heartbeat(self, *details: Any, rpc_timeout: timedelta | None = None) -> None:
        """Say that it goes on.

        Raises:
            AsyncActivityCancelledError: If it is asked to cancel.
            RPCError: If there is no such activity.
        """
        report = _proto.Report(is_heartbeat=True)
        report.heartbeat.CopyFrom(await self._client.encoded("a heartbeat", details))
        if (await self._report(report, rpc_timeout)).cancel_requested:
            raise AsyncActivityCancelledError

    async def complete(self, result: Any = None, *, rpc_timeout: timedelta | None = None) -> None:
        """Complete it with a result.

        Raises:
            RPCError: If there is no such activity.
        """
        report = _proto.Report()
        report.ending.result.CopyFrom(await self._client.encoded("a result", [result]))
        await self._report(report, rpc_timeout)

    async def fail(
        self,
        error: Exception,
        *,
        last_heartbeat_details: Sequence[Any] = (),
        rpc_timeout: timedelta | None = None,
    ) -> None:
        """Let its attempt fail.

        Raises:
            RPCError: If there is no such activity.
        """
        report = _proto.Report()
        converter = self._client.data_converter
        await converter.encode_failure(error, report.ending.failure)
        if last_heartbeat_details:
            given = await self._client.encoded("a heartbeat", last_heartbeat_details)
            await self._report(_proto.Report(is_heartbeat=True, heartbeat=given), rpc_timeout)
        await self._report(report, rpc_timeout)

    async def report_cancellation(
        self, *details: Any, rpc_timeout: timedelta | None = None
    ) -> None:
        """Say that it was cancelled, as it was asked to.

        Raises:
            RPCError: If there is no such activity, or it was not asked to.
        """
        report = _proto.Report()
        converter = self._client.data_converter
        await converter.encode_failure(
            CancelledError("Cancelled", *details), report.ending.canceled
        )
        await self._report(report, rpc_timeout)

    async def _report(self, report: _proto.Report, within: timedelta | None) -> _proto.ReportAnswer:
        queue, target = await self._address()
        update = durable.Update(
            execution=target, name="report", argument=report.SerializeToString()
        )
        envelope = durable.Envelope(version=1, update=update)
        typename = activity_typename(self._client.namespace, queue)
        answer = await self._client.connection.ask(typename, target, envelope, within)
        return _proto.ReportAnswer.FromString(answer)

    async def _address(self) -> tuple[str, str]:
        """The task queue and the id of the activity."""
        run_id, _, activity_id = self._target.partition(":")
        if self._workflow_id is not None and not (self._queue and run_id):
            handle = self._client.get_workflow_handle(self._workflow_id, run_id=run_id or None)
            description = await handle.describe()
            self._queue = self._queue or description.task_queue
            self._target = f"{run_id or description.run_id}:{activity_id}"
        return self._queue, self._target
