"""Failures: exceptions as they travel, with their chains of causes."""

from __future__ import annotations

import traceback
from abc import ABC, abstractmethod
from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar

from statefun.workflows import _proto
from statefun.workflows.exceptions import (
    ActivityError,
    ApplicationError,
    ApplicationErrorCategory,
    CancelledError,
    ChildWorkflowError,
    FailureError,
    RetryState,
    ServerError,
    TerminatedError,
    TimeoutError,  # noqa: A004 - the peer's name
    TimeoutType,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from statefun.workflows.payloads import PayloadConverter

__all__ = [
    "DefaultFailureConverter",
    "DefaultFailureConverterWithEncodedAttributes",
    "FailureConverter",
    "payloads_of",
]


class FailureConverter(ABC):
    """Converts exceptions to failures and back."""

    default: ClassVar[FailureConverter]

    @abstractmethod
    def to_failure(
        self,
        exception: BaseException,
        payload_converter: PayloadConverter,
        failure: _proto.Failure,
    ) -> None:
        """Write an exception into a failure.

        Args:
            exception: The exception, with its chain of causes.
            payload_converter: Converts its details.
            failure: What is written into.
        """

    @abstractmethod
    def from_failure(
        self, failure: _proto.Failure, payload_converter: PayloadConverter
    ) -> BaseException:
        """The exception that a failure stands for, with its chain of causes."""


class DefaultFailureConverter(FailureConverter):
    """Failures that can be read by whoever sees them.

    Args:
        encode_common_attributes: Whether messages and stack traces become a payload, so that a
            codec hides them.
    """

    def __init__(self, *, encode_common_attributes: bool = False) -> None:
        self._encode_common_attributes = encode_common_attributes

    def to_failure(
        self,
        exception: BaseException,
        payload_converter: PayloadConverter,
        failure: _proto.Failure,
    ) -> None:
        """See `FailureConverter`."""
        error = exception if isinstance(exception, FailureError) else _as_application(exception)
        if error.failure is not None:
            failure.CopyFrom(error.failure)
            return
        failure.message = error.message
        failure.source = "PythonSDK"
        if error.__traceback__:
            failure.stack_trace = "".join(traceback.format_tb(error.__traceback__))
        if error.__cause__:
            self.to_failure(error.__cause__, payload_converter, failure.cause)
        write = next((each for kind, each in _WRITERS.items() if isinstance(error, kind)), _other)
        write(error, payload_converter, failure)
        if self._encode_common_attributes:
            facts = {"message": failure.message, "stack_trace": failure.stack_trace}
            failure.encoded_attributes.CopyFrom(payload_converter.to_payload(facts))
            failure.message, failure.stack_trace = "Encoded failure", ""

    def from_failure(
        self, failure: _proto.Failure, payload_converter: PayloadConverter
    ) -> BaseException:
        """See `FailureConverter`."""
        plain = failure
        if failure.HasField("encoded_attributes"):
            plain = _proto.Failure()
            plain.CopyFrom(failure)
            facts = payload_converter.from_payload(failure.encoded_attributes)
            if isinstance(facts, dict):
                plain.message = str(facts.get("message", failure.message))
                plain.stack_trace = str(facts.get("stack_trace", failure.stack_trace))
        read = _READERS.get(plain.WhichOneof("failure_info") or "")
        error = (
            FailureError(plain.message or "Failure error")
            if read is None
            else read(plain, payload_converter)
        )
        error._failure = failure  # noqa: SLF001 - it travels on as it came
        if failure.HasField("cause"):
            error.__cause__ = self.from_failure(failure.cause, payload_converter)
        return error


class DefaultFailureConverterWithEncodedAttributes(DefaultFailureConverter):
    """Failures whose messages and stack traces are payloads, so that a codec hides them."""

    def __init__(self) -> None:
        super().__init__(encode_common_attributes=True)


FailureConverter.default = DefaultFailureConverter()


def payloads_of(failure: _proto.Failure) -> list[_proto.Payloads]:
    """The details of a failure, without those of its causes."""
    match failure.WhichOneof("failure_info"):
        case "application_failure_info":
            return [failure.application_failure_info.details]
        case "timeout_failure_info":
            return [failure.timeout_failure_info.last_heartbeat_details]
        case "canceled_failure_info":
            return [failure.canceled_failure_info.details]
        case "terminated_failure_info":
            return [failure.terminated_failure_info.details]
        case _:
            return []


def _as_application(exception: BaseException) -> ApplicationError:
    """The failure that stands for any other exception."""
    try:
        text = str(exception)
    except Exception:  # noqa: BLE001 - the user's own __str__
        text = ""
    error = ApplicationError(text or "Application error", type=type(exception).__name__)
    error.__traceback__ = exception.__traceback__
    error.__cause__ = exception.__cause__
    return error


def _put(into: _proto.Payloads, values: Sequence[Any], payload_converter: PayloadConverter) -> None:
    if values:
        into.payloads.extend(payload_converter.to_payloads(values))


def _taken(payloads: _proto.Payloads, payload_converter: PayloadConverter) -> list[Any]:
    return payload_converter.from_payloads(payloads.payloads) if payloads.payloads else []


# --- each kind, both ways -------------------------------------------------------------------------


def _write_application(error: Any, converter: PayloadConverter, failure: _proto.Failure) -> None:
    info = failure.application_failure_info
    info.type = error.type or ""
    info.non_retryable = error.non_retryable
    info.category = error.category
    _put(info.details, error.details, converter)
    if error.next_retry_delay is not None:
        info.next_retry_delay_ms = max(error.next_retry_delay // timedelta(milliseconds=1), 0)


def _read_application(failure: _proto.Failure, converter: PayloadConverter) -> FailureError:
    info = failure.application_failure_info
    delay = info.next_retry_delay_ms if info.HasField("next_retry_delay_ms") else None
    return ApplicationError(
        failure.message or "Application error",
        *_taken(info.details, converter),
        type=info.type or None,
        non_retryable=info.non_retryable,
        next_retry_delay=None if delay is None else timedelta(milliseconds=delay),
        category=ApplicationErrorCategory(info.category),
    )


def _write_timeout(error: Any, converter: PayloadConverter, failure: _proto.Failure) -> None:
    failure.timeout_failure_info.timeout_type = error.type or 0
    failure.timeout_failure_info.SetInParent()
    details = failure.timeout_failure_info.last_heartbeat_details
    _put(details, error.last_heartbeat_details, converter)


def _read_timeout(failure: _proto.Failure, converter: PayloadConverter) -> FailureError:
    info = failure.timeout_failure_info
    return TimeoutError(
        failure.message or "Timeout",
        type=TimeoutType(info.timeout_type) if info.timeout_type else None,
        last_heartbeat_details=_taken(info.last_heartbeat_details, converter),
    )


def _write_cancelled(error: Any, converter: PayloadConverter, failure: _proto.Failure) -> None:
    failure.canceled_failure_info.SetInParent()
    _put(failure.canceled_failure_info.details, error.details, converter)


def _read_cancelled(failure: _proto.Failure, converter: PayloadConverter) -> FailureError:
    details = _taken(failure.canceled_failure_info.details, converter)
    return CancelledError(failure.message or "Cancelled", *details)


def _write_terminated(error: Any, converter: PayloadConverter, failure: _proto.Failure) -> None:
    failure.terminated_failure_info.SetInParent()
    _put(failure.terminated_failure_info.details, error.details, converter)


def _read_terminated(failure: _proto.Failure, converter: PayloadConverter) -> FailureError:
    details = _taken(failure.terminated_failure_info.details, converter)
    return TerminatedError(failure.message or "Terminated", *details)


def _write_server(error: Any, _: PayloadConverter, failure: _proto.Failure) -> None:
    failure.server_failure_info.non_retryable = error.non_retryable
    failure.server_failure_info.SetInParent()


def _read_server(failure: _proto.Failure, _: PayloadConverter) -> FailureError:
    non_retryable = failure.server_failure_info.non_retryable
    return ServerError(failure.message or "Server error", non_retryable=non_retryable)


def _write_activity(error: Any, _: PayloadConverter, failure: _proto.Failure) -> None:
    failure.activity_failure_info.CopyFrom(
        _proto.ActivityFailureInfo(
            scheduled_event_id=error.scheduled_event_id,
            started_event_id=error.started_event_id,
            identity=error.identity,
            activity_type=error.activity_type,
            activity_id=error.activity_id,
            retry_state=error.retry_state or 0,
        )
    )


def _read_activity(failure: _proto.Failure, _: PayloadConverter) -> FailureError:
    info = failure.activity_failure_info
    return ActivityError(
        failure.message or "Activity error",
        scheduled_event_id=info.scheduled_event_id,
        started_event_id=info.started_event_id,
        identity=info.identity,
        activity_type=info.activity_type,
        activity_id=info.activity_id,
        retry_state=_retry_state(info.retry_state),
    )


def _write_child(error: Any, _: PayloadConverter, failure: _proto.Failure) -> None:
    failure.child_workflow_execution_failure_info.CopyFrom(
        _proto.ChildWorkflowExecutionFailureInfo(
            namespace=error.namespace,
            workflow_id=error.workflow_id,
            run_id=error.run_id,
            workflow_type=error.workflow_type,
            initiated_event_id=error.initiated_event_id,
            started_event_id=error.started_event_id,
            retry_state=error.retry_state or 0,
        )
    )


def _read_child(failure: _proto.Failure, _: PayloadConverter) -> FailureError:
    info = failure.child_workflow_execution_failure_info
    return ChildWorkflowError(
        failure.message or "Child workflow error",
        namespace=info.namespace,
        workflow_id=info.workflow_id,
        run_id=info.run_id,
        workflow_type=info.workflow_type,
        initiated_event_id=info.initiated_event_id,
        started_event_id=info.started_event_id,
        retry_state=_retry_state(info.retry_state),
    )


def _retry_state(number: int) -> RetryState | None:
    return RetryState(number) if number else None


def _other(error: Any, _: PayloadConverter, failure: _proto.Failure) -> None:
    failure.application_failure_info.type = type(error).__name__


_WRITERS: dict[type[FailureError], Callable[[Any, PayloadConverter, _proto.Failure], None]] = {
    ApplicationError: _write_application,
    TimeoutError: _write_timeout,
    CancelledError: _write_cancelled,
    TerminatedError: _write_terminated,
    ServerError: _write_server,
    ActivityError: _write_activity,
    ChildWorkflowError: _write_child,
}
_READERS: dict[str, Callable[[_proto.Failure, PayloadConverter], FailureError]] = {
    "application_failure_info": _read_application,
    "timeout_failure_info": _read_timeout,
    "canceled_failure_info": _read_cancelled,
    "terminated_failure_info": _read_terminated,
    "server_failure_info": _read_server,
    "activity_failure_info": _read_activity,
    "child_workflow_execution_failure_info": _read_child,
}
