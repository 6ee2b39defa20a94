"""Handles: a workflow as clients see it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast, overload

from statefun.workflows import _proto
from statefun.workflows.arguments import UNSET, arguments_of
from statefun.workflows.client.errors import (
    WorkflowContinuedAsNewError,
    WorkflowFailureError,
)
from statefun.workflows.client.inputs import (
    CancelWorkflowInput,
    DescribeWorkflowInput,
    FetchWorkflowHistoryEventsInput,
    QueryWorkflowInput,
    SignalWorkflowInput,
    StartWorkflowUpdateInput,
    TerminateWorkflowInput,
    WorkflowUpdateStage,
)
from statefun.workflows.client.names import query_named, signal_named, update_named
from statefun.workflows.client.updates import WorkflowUpdateHandle
from statefun.workflows.client.waiting import telling_problems
from statefun.workflows.histories import WorkflowHistory

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence
    from typing import Unpack

    from statefun.workflows.client.core import ClientCore
    from statefun.workflows.client.executions import (
        WorkflowExecutionDescription,
        WorkflowHistoryEventAsyncIterator,
    )
    from statefun.workflows.client.options import RPCOptions
    from statefun.workflows.common import QueryRejectCondition

__all__ = ["WorkflowHandle"]

R = TypeVar("R")
R2 = TypeVar("R2")
T = TypeVar("T")
W = TypeVar("W")


class WorkflowHandle(Generic[W, R]):
    """A workflow, to be waited for, asked and told something."""

    def __init__(
        self,
        client: ClientCore,
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

    # --- its end ---

    async def result(self, *, follow_runs: bool = True, **rpc: Unpack[RPCOptions]) -> R:
        """Wait until the workflow ends.

        Args:
            follow_runs: Whether a run that is followed by another one is not the end.
            **rpc: See `RPCOptions`; the time is that for each run.

        Raises:
            WorkflowFailureError: If it does not end by a result; its cause says how.
            WorkflowContinuedAsNewError: If another run follows, and is not followed.
            RPCError: If there is no such workflow, or it does not end in time.
        """
        run_id, within = self._result_run_id or "", rpc.get("rpc_timeout")
        while True:
            request = _proto.Request(run_id=run_id).SerializeToString()
            with self._client.connection.waiting(), telling_problems(self._client, self._id):
                data = await self._client.requests.ask("result", self._id, request, within)
            ending = _proto.Ending.FromString(data)
            kind = ending.WhichOneof("ending")
            if ending.next_run_id and follow_runs:
                run_id = ending.next_run_id
            elif ending.next_run_id:
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

    async def cancel(self, *, reason: str = "", **rpc: Unpack[RPCOptions]) -> None:
        """Ask the workflow to cancel; one that has ended stays as it is.

        Args:
            reason: Why.
            **rpc: See `RPCOptions`.

        Raises:
            RPCError: If there is no such workflow.
        """
        await self._client.outbound.cancel_workflow(
            CancelWorkflowInput(self._id, self._run_id, self._first_execution_run_id, reason, **rpc)
        )

    async def terminate(
        self, *args: Any, reason: str | None = None, **rpc: Unpack[RPCOptions]
    ) -> None:
        """End the workflow without its code running.

        Args:
            *args: Details for whoever waits for it.
            reason: Why.
            **rpc: See `RPCOptions`.

        Raises:
            RPCError: If there is no such workflow, or it has ended.
        """
        await self._client.outbound.terminate_workflow(
            TerminateWorkflowInput(
                self._id, self._run_id, self._first_execution_run_id, args, reason, **rpc
            )
        )

    # --- looking ---

    async def describe(self, **rpc: Unpack[RPCOptions]) -> WorkflowExecutionDescription:
        """How the workflow stands.

        Args:
            **rpc: See `RPCOptions`.

        Raises:
            RPCError: If there is no such workflow.
        """
        given = DescribeWorkflowInput(self._id, self._run_id, **rpc)
        found = await self._client.outbound.describe_workflow(given)
        return cast("WorkflowExecutionDescription", found)

    async def fetch_history(self, **rpc: Unpack[RPCOptions]) -> WorkflowHistory:
        """The history of the run, as long as it is kept; a worker tells it.

        Args:
            **rpc: See `RPCOptions`.

        Raises:
            RPCError: If there is no such workflow, or no worker answers in time.
        """
        events = self.fetch_history_events(**rpc)
        return WorkflowHistory(self._id, [each async for each in events])

    def fetch_history_events(self, **rpc: Unpack[RPCOptions]) -> WorkflowHistoryEventAsyncIterator:
        """The events of `fetch_history`, one after another, for `async for`."""
        given = FetchWorkflowHistoryEventsInput(self._id, self._run_id, **rpc)
        events: WorkflowHistoryEventAsyncIterator
        events = self._client.outbound.fetch_workflow_history_events(given)
        return events

    # --- signals ---

    @overload
    async def signal(self, signal: Callable[[W], Any], **rpc: Unpack[RPCOptions]) -> None: ...
    @overload
    async def signal(
        self, signal: Callable[[W, T], Any], arg: T, **rpc: Unpack[RPCOptions]
    ) -> None: ...
    @overload
    async def signal(
        self, signal: Callable[..., Any], *, args: Sequence[Any], **rpc: Unpack[RPCOptions]
    ) -> None: ...
    @overload
    async def signal(
        self,
        signal: str,
        arg: Any = ...,
        *,
        args: Sequence[Any] = ...,
        **rpc: Unpack[RPCOptions],
    ) -> None: ...

    async def signal(
        self,
        signal: Any,
        arg: Any = UNSET,
        *,
        args: Sequence[Any] = (),
        **rpc: Unpack[RPCOptions],
    ) -> None:
        """Signal the workflow; returns once that is durable.

        Args:
            signal: The method that handles it, or the name of the signal.
            arg: Its argument.
            args: Its arguments, if there are several.
            **rpc: See `RPCOptions`.

        Raises:
            RPCError: If there is no such workflow, or it has ended.
        """
        name, given = signal_named(signal), arguments_of(arg, args)
        await self._client.outbound.signal_workflow(
            SignalWorkflowInput(self._id, self._run_id, name, given, {}, **rpc)
        )

    # --- queries ---

    @overload
    async def query(
        self,
        query: Callable[[W], R2],
        *,
        reject_condition: QueryRejectCondition | None = ...,
        **rpc: Unpack[RPCOptions],
    ) -> R2: ...
    @overload
    async def query(
        self,
        query: Callable[[W, T], R2],
        arg: T,
        *,
        reject_condition: QueryRejectCondition | None = ...,
        **rpc: Unpack[RPCOptions],
    ) -> R2: ...
    @overload
    async def query(
        self,
        query: Callable[..., R2],
        *,
        args: Sequence[Any],
        reject_condition: QueryRejectCondition | None = ...,
        **rpc: Unpack[RPCOptions],
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
        **rpc: Unpack[RPCOptions],
    ) -> Any: ...

    async def query(
        self,
        query: Any,
        arg: Any = UNSET,
        *,
        args: Sequence[Any] = (),
        result_type: type[Any] | None = None,
        reject_condition: QueryRejectCondition | None = None,
        **rpc: Unpack[RPCOptions],
    ) -> Any:
        """Ask the workflow; also one that has ended, as long as it is kept.

        Args:
            query: The method that handles it, or the name of the query.
            arg: Its argument.
            args: Its arguments, if there are several.
            result_type: The type of the answer, where a name is given.
            reject_condition: When the workflow is not asked.
            **rpc: See `RPCOptions`.

        Raises:
            WorkflowQueryFailedError: If its handler fails, or there is none.
            WorkflowQueryRejectedError: If the status of the workflow says so.
            RPCError: If there is no such workflow, or no worker answers in time.
        """
        name, hint = query_named(query)
        return await self._client.outbound.query_workflow(
            QueryWorkflowInput(
                self._id,
                self._run_id,
                name,
                arguments_of(arg, args),
                reject_condition,
                {},
                result_type or hint,
                **rpc,
            )
        )

    # --- updates ---

    @overload
    async def execute_update(
        self,
        update: Callable[[W], Awaitable[R2]],
        *,
        id: str | None = ...,
        **rpc: Unpack[RPCOptions],
    ) -> R2: ...
    @overload
    async def execute_update(
        self,
        update: Callable[[W, T], Awaitable[R2]],
        arg: T,
        *,
        id: str | None = ...,
        **rpc: Unpack[RPCOptions],
    ) -> R2: ...
    @overload
    async def execute_update(
        self,
        update: Callable[..., Awaitable[R2]],
        *,
        args: Sequence[Any],
        id: str | None = ...,
        **rpc: Unpack[RPCOptions],
    ) -> R2: ...
    @overload
    async def execute_update(
        self,
        update: Callable[[W], R2],
        *,
        id: str | None = ...,
        **rpc: Unpack[RPCOptions],
    ) -> R2: ...
    @overload
    async def execute_update(
        self,
        update: Callable[[W, T], R2],
        arg: T,
        *,
        id: str | None = ...,
        **rpc: Unpack[RPCOptions],
    ) -> R2: ...
    @overload
    async def execute_update(
        self,
        update: Callable[..., R2],
        *,
        args: Sequence[Any],
        id: str | None = ...,
        **rpc: Unpack[RPCOptions],
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
        **rpc: Unpack[RPCOptions],
    ) -> Any: ...

    async def execute_update(
        self,
        update: Any,
        arg: Any = UNSET,
        *,
        args: Sequence[Any] = (),
        id: str | None = None,  # noqa: A002 - the peer's name
        result_type: type[Any] | None = None,
        **rpc: Unpack[RPCOptions],
    ) -> Any:
        """Update the workflow and wait for the result.

        Args:
            update: The method that handles it, or the name of the update.
            arg: Its argument.
            args: Its arguments, if there are several.
            id: The id of the update; updates of one id are one. None for a new one.
            result_type: The type of the result, where a name is given.
            **rpc: See `RPCOptions`.

        Raises:
            WorkflowUpdateFailedError: If it is refused, or fails; its cause says by what.
            WorkflowUpdateRPCTimeoutOrCancelledError: If there is no answer in time.
            RPCError: If there is no such workflow, or it has ended.
        """
        handle = await self.start_update(
            update,
            arg,
            wait_for_stage=WorkflowUpdateStage.COMPLETED,
            args=args,
            id=id,
            result_type=result_type,
            **rpc,
        )
        return await handle.result()

    @overload
    async def start_update(
        self,
        update: Callable[[W], Awaitable[R2]],
        *,
        wait_for_stage: WorkflowUpdateStage,
        id: str | None = ...,
        **rpc: Unpack[RPCOptions],
    ) -> WorkflowUpdateHandle[R2]: ...
    @overload
    async def start_update(
        self,
        update: Callable[[W, T], Awaitable[R2]],
        arg: T,
        *,
        wait_for_stage: WorkflowUpdateStage,
        id: str | None = ...,
        **rpc: Unpack[RPCOptions],
    ) -> WorkflowUpdateHandle[R2]: ...
    @overload
    async def start_update(
        self,
        update: Callable[..., Awaitable[R2]],
        *,
        args: Sequence[Any],
        wait_for_stage: WorkflowUpdateStage,
        id: str | None = ...,
        **rpc: Unpack[RPCOptions],
    ) -> WorkflowUpdateHandle[R2]: ...
    @overload
    async def start_update(
        self,
        update: Callable[[W], R2],
        *,
        wait_for_stage: WorkflowUpdateStage,
        id: str | None = ...,
        **rpc: Unpack[RPCOptions],
    ) -> WorkflowUpdateHandle[R2]: ...
    @overload
    async def start_update(
        self,
        update: Callable[[W, T], R2],
        arg: T,
        *,
        wait_for_stage: WorkflowUpdateStage,
        id: str | None = ...,
        **rpc: Unpack[RPCOptions],
    ) -> WorkflowUpdateHandle[R2]: ...
    @overload
    async def start_update(
        self,
        update: Callable[..., R2],
        *,
        args: Sequence[Any],
        wait_for_stage: WorkflowUpdateStage,
        id: str | None = ...,
        **rpc: Unpack[RPCOptions],
    ) -> WorkflowUpdateHandle[R2]: ...
    @overload
    async def start_update(
        self,
        update: str,
        arg: Any = ...,
        *,
        wait_for_stage: WorkflowUpdateStage,
        args: Sequence[Any] = ...,
        id: str | None = ...,
        result_type: type[Any] | None = ...,
        **rpc: Unpack[RPCOptions],
    ) -> WorkflowUpdateHandle[Any]: ...

    async def start_update(
        self,
        update: Any,
        arg: Any = UNSET,
        *,
        wait_for_stage: WorkflowUpdateStage,
        args: Sequence[Any] = (),
        id: str | None = None,  # noqa: A002 - the peer's name
        result_type: type[Any] | None = None,
        **rpc: Unpack[RPCOptions],
    ) -> WorkflowUpdateHandle[Any]:
        """Update the workflow, and wait until the update is accepted or completed.

        Args:
            update: See `execute_update`.
            arg: See there.
            wait_for_stage: Which of the two.
            args: See there.
            id: See there.
            result_type: See there.
            **rpc: See `RPCOptions`.

        Raises:
            ValueError: If the stage cannot be waited for.
            RPCError: If there is no such workflow, or it has ended.
        """
        if wait_for_stage == WorkflowUpdateStage.ADMITTED:
            raise ValueError("ADMITTED wait stage not supported")
        name, hint = update_named(update)
        handle: WorkflowUpdateHandle[Any]
        handle = await self._client.outbound.start_workflow_update(
            StartWorkflowUpdateInput(
                self._id,
                self._run_id,
                self._first_execution_run_id,
                id,
                name,
                arguments_of(arg, args),
                wait_for_stage,
                {},
                result_type or hint,
                **rpc,
            )
        )
        return handle

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
        return WorkflowUpdateHandle(
            self._client,
            id,
            self._id,
            workflow_run_id=workflow_run_id or self._run_id,
            result_type=result_type,
        )
