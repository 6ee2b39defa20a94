"""How a durable handler fails, and how a client hears of it.

Two words are the whole contract of retries: a `TerminalError` is an outcome and is never tried
again; every other exception ends one attempt, and a `RetryableError` also says when the next one
comes.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from statefun.errors import StatefunError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "CutOffException",
    "HttpError",
    "NotDeterministicWarning",
    "RetryableError",
    "SdkInternalBaseException",
    "SdkInternalException",
    "SuspendedException",
    "TerminalError",
    "is_internal_exception",
    "terminal_cause",
]


class TerminalError(StatefunError):
    """A final failure: the invocation ends with it, and its caller sees it.

    It also ends the invocation when it is anywhere in the `__cause__` chain of what was raised.

    Args:
        message: What happened, in the words of the handler.
        status_code: The HTTP status at the ingress, 400 to 599; another number is told in the body,
            and the status is 500.
        metadata: More facts for the caller.
    """

    def __init__(
        self, message: str, status_code: int = 500, metadata: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(message, status_code, metadata)
        self.message = message
        self.status_code = status_code
        self.metadata = None if metadata is None else dict(metadata)

    def __str__(self) -> str:
        return self.message


class RetryableError(StatefunError):
    """A failure of this attempt only: the invocation is tried again.

    Args:
        message: What happened.
        status_code: A number for logs and for whoever looks at the invocation meanwhile.
        retry_after: When the next attempt begins; None leaves it to the retry policy. Either way
            the attempt counts.

    Raises:
        TypeError: If `retry_after` is neither a `timedelta` nor None.
    """

    def __init__(
        self, message: str, status_code: int = 500, retry_after: timedelta | None = None
    ) -> None:
        if retry_after is not None and not isinstance(retry_after, timedelta):
            raise TypeError(f"retry_after takes a timedelta or None, got {retry_after!r}")
        super().__init__(message, status_code, retry_after)
        self.message = message
        self.status_code = status_code
        self.retry_after = retry_after

    def __str__(self) -> str:
        return self.message


class HttpError(StatefunError):
    """An ingress answered a client with an HTTP status of 400 or more.

    Args:
        status_code: The status.
        message: The reason phrase of the status.
        body: The body of the answer, which is JSON with `code`, `message` and `source`.
    """

    def __init__(self, status_code: int, message: str, body: str | None = None) -> None:
        super().__init__(status_code, message, body)
        self.status_code = status_code
        self.message = message
        self.body = body

    def __str__(self) -> str:
        told = f": {self.body}" if self.body else ""
        return f"the ingress answered {self.status_code} {self.message}{told}"


class SdkInternalBaseException(BaseException):
    """Control flow of `statefun.durable` itself, which a handler lets pass.

    It is not an `Exception`, so `except Exception` does not catch it. Where a handler catches
    everything, it raises again what `is_internal_exception` knows.
    """

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class SuspendedException(SdkInternalBaseException):
    """The handler waits and leaves memory; a replay brings it back to this place."""

    def __init__(self) -> None:
        super().__init__(
            "the invocation is suspended here and goes on later: catch TerminalError, "
            "not every exception"
        )

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), ()


class SdkInternalException(SdkInternalBaseException):
    """The attempt ends here for a reason of the engine, which it has recorded."""

    def __init__(self) -> None:
        super().__init__(
            "the attempt ends here for a reason that the engine has recorded: "
            "catch TerminalError, not every exception"
        )

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), ()


class CutOffException(SdkInternalBaseException):
    """The handler has computed too long without waiting; the attempt has failed."""

    def __init__(self) -> None:
        super().__init__("the attempt ends here, because it has computed too long")

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), ()


class NotDeterministicWarning(UserWarning):
    """A handler is declared that a replay would probably not repeat."""


def is_internal_exception(e: object) -> bool:
    """Whether an exception is control flow that a handler must raise again."""
    return isinstance(e, SdkInternalBaseException)


def terminal_cause(error: BaseException | None) -> TerminalError | None:
    """The `TerminalError` that makes an exception final: itself, or one in its chain of causes.

    What was merely being handled when it was raised (`__context__`) does not count. A group, as
    `asyncio.TaskGroup` raises it, is final if everything in it is.
    """
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        if isinstance(error, TerminalError):
            return error
        if isinstance(error, BaseExceptionGroup):
            inside = [terminal_cause(each) for each in error.exceptions]
            if all(inside):
                return inside[0]
        seen.add(id(error))
        error = error.__cause__
    return None
