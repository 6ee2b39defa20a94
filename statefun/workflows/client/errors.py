"""Exceptions of clients."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from statefun.workflows.exceptions import TemporalError

if TYPE_CHECKING:
    from statefun.workflows.status import WorkflowExecutionStatus

__all__ = [
    "AsyncActivityCancelledError",
    "RPCTimeoutOrCancelledError",
    "ScheduleAlreadyRunningError",
    "WorkflowContinuedAsNewError",
    "WorkflowFailureError",
    "WorkflowQueryFailedError",
    "WorkflowQueryRejectedError",
    "WorkflowUpdateFailedError",
    "WorkflowUpdateRPCTimeoutOrCancelledError",
]


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


class ScheduleAlreadyRunningError(TemporalError):
    """There is a schedule of that id."""

    def __init__(self) -> None:
        super().__init__("Schedule already running")

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), ()
