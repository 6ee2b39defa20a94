"""The exceptions of workflows and activities, and what they say of one another.

A `FailureError` travels: it is what an activity or a child workflow failed by, and what a client
sees of a workflow. Its cause is the failure before it, so chains stay whole over every hop.
"""

from __future__ import annotations

import asyncio
from enum import IntEnum
from typing import TYPE_CHECKING, Any

from statefun.errors import StatefunError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import timedelta

    from statefun.workflows import _proto

__all__ = [
    "ActivityError",
    "ApplicationError",
    "ApplicationErrorCategory",
    "CancelledError",
    "ChildWorkflowError",
    "FailureError",
    "RetryState",
    "ServerError",
    "TemporalError",
    "TerminatedError",
    "TimeoutError",
    "TimeoutType",
    "WorkflowAlreadyStartedError",
    "is_cancelled_exception",
]


class TemporalError(StatefunError):
    """The root of the exceptions of `statefun.workflows`."""

    @property
    def cause(self) -> BaseException | None:
        """What it was raised from: `__cause__`."""
        return self.__cause__


class FailureError(TemporalError):
    """A failure that travels between workflows, activities and clients.

    Args:
        message: What happened.
        failure: The failure as it travelled; None for one that was raised here.
        exc_args: What `Exception` is given; None for the message alone.
    """

    def __init__(
        self,
        message: str,
        *,
        failure: _proto.Failure | None = None,
        exc_args: tuple[Any, ...] | None = None,
    ) -> None:
        super().__init__(*(exc_args or (message,)))
        self._message = message
        self._failure = failure

    @property
    def message(self) -> str:
        """What happened."""
        return self._message

    @property
    def failure(self) -> _proto.Failure | None:
        """The failure as it travelled; None for one that was raised here."""
        return self._failure

    def __reduce__(self) -> tuple[Any, ...]:
        facts = {name: value for name, value in vars(self).items() if name != "_failure"}
        return _rebuilt, (type(self), self.args, {**facts, "_failure": None})


def _rebuilt(
    kind: type[FailureError], args: tuple[Any, ...], facts: dict[str, Any]
) -> FailureError:
    """A failure out of what pickle kept of it."""
    failure = kind.__new__(kind, *args)
    failure.args = args
    vars(failure).update(facts)
    return failure


class ApplicationErrorCategory(IntEnum):
    """How much attention a failure needs."""

    UNSPECIFIED = 0
    BENIGN = 1


class ApplicationError(FailureError):
    """A failure of the application: of a workflow, an activity, or a handler of a message.

    Args:
        message: What happened.
        details: More facts, of any type that can be converted.
        type: A name for the kind of failure, by which retry policies know it.
        non_retryable: Whether no further attempt is made.
        next_retry_delay: How long until the next attempt; None leaves it to the retry policy.
        category: How much attention it needs.
    """

    def __init__(
        self,
        message: str,
        *details: Any,
        type: str | None = None,  # noqa: A002 - the peer's name
        non_retryable: bool = False,
        next_retry_delay: timedelta | None = None,
        category: ApplicationErrorCategory = ApplicationErrorCategory.UNSPECIFIED,
    ) -> None:
        super().__init__(message, exc_args=(message if not type else f"{type}: {message}",))
        self._details = details
        self._type = type
        self._non_retryable = non_retryable
        self._next_retry_delay = next_retry_delay
        self._category = category

    @property
    def details(self) -> Sequence[Any]:
        """More facts."""
        return self._details

    @property
    def type(self) -> str | None:
        """The name of the kind of failure."""
        return self._type

    @property
    def non_retryable(self) -> bool:
        """Whether no further attempt is made."""
        return self._non_retryable

    @property
    def next_retry_delay(self) -> timedelta | None:
        """How long until the next attempt; None leaves it to the retry policy."""
        return self._next_retry_delay

    @property
    def category(self) -> ApplicationErrorCategory:
        """How much attention it needs."""
        return self._category


class CancelledError(FailureError):
    """Something was cancelled.

    Args:
        message: What happened.
        details: More facts.
    """

    def __init__(self, message: str = "Cancelled", *details: Any) -> None:
        super().__init__(message)
        self._details = details

    @property
    def details(self) -> Sequence[Any]:
        """More facts."""
        return self._details


class TerminatedError(FailureError):
    """A workflow was ended from outside, without its code running.

    Args:
        message: The reason.
        details: More facts.
    """

    def __init__(self, message: str, *details: Any) -> None:
        super().__init__(message)
        self._details = details

    @property
    def details(self) -> Sequence[Any]:
        """More facts."""
        return self._details


class TimeoutType(IntEnum):
    """Which time-out ran out."""

    START_TO_CLOSE = 1
    SCHEDULE_TO_START = 2
    SCHEDULE_TO_CLOSE = 3
    HEARTBEAT = 4


class TimeoutError(FailureError):  # noqa: A001 - the peer's name
    """A time-out ran out; this is not Python's `TimeoutError`.

    Args:
        message: What happened.
        type: Which time-out.
        last_heartbeat_details: What the last heartbeat of the activity said.
    """

    def __init__(
        self,
        message: str,
        *,
        type: TimeoutType | None,  # noqa: A002 - the peer's name
        last_heartbeat_details: Sequence[Any],
    ) -> None:
        super().__init__(message)
        self._type = type
        self._last_heartbeat_details = last_heartbeat_details

    @property
    def type(self) -> TimeoutType | None:
        """Which time-out."""
        return self._type

    @property
    def last_heartbeat_details(self) -> Sequence[Any]:
        """What the last heartbeat of the activity said."""
        return self._last_heartbeat_details


class ServerError(FailureError):
    """The service itself has failed.

    Args:
        message: What happened.
        non_retryable: Whether no further attempt is made.
    """

    def __init__(self, message: str, *, non_retryable: bool = False) -> None:
        super().__init__(message)
        self._non_retryable = non_retryable

    @property
    def non_retryable(self) -> bool:
        """Whether no further attempt is made."""
        return self._non_retryable


class RetryState(IntEnum):
    """Why there is no further attempt."""

    IN_PROGRESS = 1
    NON_RETRYABLE_FAILURE = 2
    TIMEOUT = 3
    MAXIMUM_ATTEMPTS_REACHED = 4
    RETRY_POLICY_NOT_SET = 5
    INTERNAL_SERVER_ERROR = 6
    CANCEL_REQUESTED = 7


class ActivityError(FailureError):
    """An activity failed; its cause says how.

    Args:
        message: What happened.
        scheduled_event_id: The number of the command that scheduled it.
        started_event_id: The number of the event that began it.
        identity: Which worker ran it.
        activity_type: The name of the activity.
        activity_id: The id of the activity.
        retry_state: Why there is no further attempt.
    """

    def __init__(
        self,
        message: str,
        *,
        scheduled_event_id: int,
        started_event_id: int,
        identity: str,
        activity_type: str,
        activity_id: str,
        retry_state: RetryState | None,
    ) -> None:
        super().__init__(message)
        self._scheduled_event_id = scheduled_event_id
        self._started_event_id = started_event_id
        self._identity = identity
        self._activity_type = activity_type
        self._activity_id = activity_id
        self._retry_state = retry_state

    @property
    def scheduled_event_id(self) -> int:
        """The number of the command that scheduled it."""
        return self._scheduled_event_id

    @property
    def started_event_id(self) -> int:
        """The number of the event that began it."""
        return self._started_event_id

    @property
    def identity(self) -> str:
        """Which worker ran it."""
        return self._identity

    @property
    def activity_type(self) -> str:
        """The name of the activity."""
        return self._activity_type

    @property
    def activity_id(self) -> str:
        """The id of the activity."""
        return self._activity_id

    @property
    def retry_state(self) -> RetryState | None:
        """Why there is no further attempt."""
        return self._retry_state


class ChildWorkflowError(FailureError):
    """A child workflow failed; its cause says how.

    Args:
        message: What happened.
        namespace: The namespace of the child.
        workflow_id: Its id.
        run_id: The id of its run.
        workflow_type: The name of its type.
        initiated_event_id: The number of the command that started it.
        started_event_id: The number of the event that it had started.
        retry_state: Why there is no further run.
    """

    def __init__(
        self,
        message: str,
        *,
        namespace: str,
        workflow_id: str,
        run_id: str,
        workflow_type: str,
        initiated_event_id: int,
        started_event_id: int,
        retry_state: RetryState | None,
    ) -> None:
        super().__init__(message)
        self._namespace = namespace
        self._workflow_id = workflow_id
        self._run_id = run_id
        self._workflow_type = workflow_type
        self._initiated_event_id = initiated_event_id
        self._started_event_id = started_event_id
        self._retry_state = retry_state

    @property
    def namespace(self) -> str:
        """The namespace of the child."""
        return self._namespace

    @property
    def workflow_id(self) -> str:
        """Its id."""
        return self._workflow_id

    @property
    def run_id(self) -> str:
        """The id of its run."""
        return self._run_id

    @property
    def workflow_type(self) -> str:
        """The name of its type."""
        return self._workflow_type

    @property
    def initiated_event_id(self) -> int:
        """The number of the command that started it."""
        return self._initiated_event_id

    @property
    def started_event_id(self) -> int:
        """The number of the event that it had started."""
        return self._started_event_id

    @property
    def retry_state(self) -> RetryState | None:
        """Why there is no further run."""
        return self._retry_state


class WorkflowAlreadyStartedError(FailureError):
    """A workflow of that id runs already, or its id may not be used again.

    Args:
        workflow_id: The id.
        workflow_type: The name of the type that was to be started.
        run_id: The run that is in the way.
        first_run_id: The first run of its chain, if it is known.

    Attributes:
        workflow_id: The id.
        workflow_type: The name of the type that was to be started.
        run_id: The run that is in the way.
        first_run_id: The first run of its chain, if it is known.
    """

    def __init__(
        self,
        workflow_id: str,
        workflow_type: str,
        *,
        run_id: str | None = None,
        first_run_id: str | None = None,
    ) -> None:
        super().__init__("Workflow execution already started")
        self.workflow_id = workflow_id
        self.workflow_type = workflow_type
        self.run_id = run_id
        self.first_run_id = first_run_id


def is_cancelled_exception(exception: BaseException) -> bool:
    """Whether an exception says that something was cancelled.

    True for `asyncio.CancelledError`, for a `CancelledError`, and for the error of an activity or a
    child workflow that was caused by one.
    """
    if isinstance(exception, (asyncio.CancelledError, CancelledError)):
        return True
    return isinstance(exception, (ActivityError, ChildWorkflowError)) and isinstance(
        exception.cause, CancelledError
    )
