"""Workflows that an update starts unless they run."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from statefun.workflows.arguments import UNSET, arguments_of
from statefun.workflows.client.inputs import (
    StartWorkflowUpdateWithStartInput,
    UpdateWithStartStartWorkflowInput,
)
from statefun.workflows.client.names import workflow_named

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence
    from typing import Concatenate, Unpack

    from statefun.workflows import _proto
    from statefun.workflows.client.handles import WorkflowHandle
    from statefun.workflows.client.inputs import UpdateWithStartUpdateWorkflowInput
    from statefun.workflows.client.options import RPCOptions, StartOptions

__all__ = ["WithStartWorkflowOperation"]

R = TypeVar("R")
W = TypeVar("W")


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
        name, hint = workflow_named(workflow)
        known = UpdateWithStartStartWorkflowInput.__dataclass_fields__
        given: dict[str, Any] = {key: each for key, each in options.items() if key in known}
        self._start = UpdateWithStartStartWorkflowInput(
            workflow=name,
            args=arguments_of(arg, args),
            id=id,
            task_queue=task_queue,
            ret_type=result_type or hint,
            **given,
        )
        self._handle: asyncio.Future[WorkflowHandle[W, R]] | None = None

    def with_update(
        self,
        update: UpdateWithStartUpdateWorkflowInput,
        handle_of: Callable[
            [UpdateWithStartStartWorkflowInput, _proto.Started], WorkflowHandle[Any, Any]
        ],
        rpc: RPCOptions,
    ) -> StartWorkflowUpdateWithStartInput:
        """The request that starts and updates; what becomes of the start is known here then.

        Args:
            update: The update.
            handle_of: Makes the handle of the workflow.
            rpc: Options of the request.

        Raises:
            RuntimeError: If this was used before.
        """
        if self._handle is not None:
            raise RuntimeError("WithStartWorkflowOperation cannot be reused")
        handle = self._handle = asyncio.get_running_loop().create_future()

        def on_start(started: _proto.Started) -> None:
            handle.set_result(handle_of(self._start, started))

        def on_start_error(error: BaseException) -> None:
            handle.set_exception(error)
            handle.exception()  # that nobody asks for it says nothing

        return StartWorkflowUpdateWithStartInput(
            self._start, update, on_start, on_start_error, **rpc
        )

    async def workflow_handle(self) -> WorkflowHandle[W, R]:
        """The handle of the workflow, once it is known.

        Raises:
            RuntimeError: If the operation was not used.
            TemporalError: If the workflow was not started.
        """
        if self._handle is None:
            raise RuntimeError("Workflow has not been started yet")
        return await asyncio.shield(self._handle)
