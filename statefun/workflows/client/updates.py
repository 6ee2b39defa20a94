"""Updates of workflows, to be waited for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast

from statefun.workflows.client.errors import WorkflowUpdateFailedError

if TYPE_CHECKING:
    from datetime import timedelta

    from statefun.workflows import _proto
    from statefun.workflows.client.core import ClientCore

__all__ = ["WorkflowUpdateHandle"]

R = TypeVar("R")


class WorkflowUpdateHandle(Generic[R]):
    """An update, to be waited for."""

    def __init__(
        self,
        client: ClientCore,
        id: str,  # noqa: A002 - the peer's name
        workflow_id: str,
        *,
        workflow_run_id: str | None = None,
        result_type: Any = None,
        known: _proto.UpdateAnswer | None = None,
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
            self._known = await self._client.requests.update_outcome(
                self._workflow_id, self._workflow_run_id, self._id, rpc_timeout
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
