"""Types of the contexts: handlers and actions, options, and what durable steps return."""

from __future__ import annotations

import typing
from abc import ABC, abstractmethod
from asyncio import Future
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeAlias

from statefun.durable.serde import DEFAULT_SERDE, Serde

if TYPE_CHECKING:
    from datetime import timedelta

    from typing_extensions import TypeVar

    T = TypeVar("T", default=Any)
    S = TypeVar("S", default=Any)
else:
    T = typing.TypeVar("T")
    S = typing.TypeVar("S")

I = typing.TypeVar("I")  # noqa: E741 - the input of a handler
O = typing.TypeVar("O")  # noqa: E741 - its output
R = typing.TypeVar("R")  # without a default, so that `RunOptions()` is inferred where it stands

__all__ = [
    "AttemptFinishedEvent",
    "DurableCallFuture",
    "DurableFuture",
    "DurableSleepFuture",
    "HandlerType",
    "Request",
    "RestateDurableCallFuture",
    "RestateDurableFuture",
    "RestateDurableSleepFuture",
    "RunAction",
    "RunOptions",
    "SendHandle",
]

HandlerType: TypeAlias = Callable[[Any, I], Awaitable[O]] | Callable[[Any], Awaitable[O]]
"""A handler: an async function of a context and, if it takes one, of an argument."""

RunAction: TypeAlias = Callable[..., Coroutine[Any, Any, T]] | Callable[..., T]
"""What `run` runs: a function, async or not."""


@dataclass
class RunOptions(Generic[R]):
    """How one `run_typed` is recorded and tried again.

    Attributes:
        serde: How the result is recorded.
        type_hint: The type of the result; None takes the action's return annotation.
        max_attempts: How many attempts there are in all; None for no limit.
        max_duration: How long after the first attempt there may be another; None for no limit.
        initial_retry_interval: The pause before the second attempt.
        max_retry_interval: The longest pause.
        retry_interval_factor: What each pause is multiplied with to give the next.
        max_retry_duration: Older name of `max_duration`, ignored.
    """

    serde: Serde[R] = DEFAULT_SERDE
    type_hint: type[R] | None = None
    max_attempts: int | None = None
    max_duration: timedelta | None = None
    initial_retry_interval: timedelta | None = None
    max_retry_interval: timedelta | None = None
    retry_interval_factor: float | None = None
    max_retry_duration: timedelta | None = None


class DurableFuture(Future[T]):
    """The result of a durable step, to be awaited, several times if you like.

    It is an `asyncio.Future` of the handler's own loop, so `asyncio.gather`, `wait`, `wait_for`,
    `timeout` and `TaskGroup` work with it, and replay in the same order.
    """


class DurableCallFuture(DurableFuture[T]):
    """The result of a call to another handler."""

    @abstractmethod
    async def invocation_id(self) -> str:
        """The id of the invocation that was called."""

    @abstractmethod
    async def cancel_invocation(self) -> None:
        """Cancel that invocation; it answers with what it makes of that."""


class DurableSleepFuture(DurableFuture[None]):
    """The end of a sleep."""


RestateDurableFuture = DurableFuture
RestateDurableCallFuture = DurableCallFuture
RestateDurableSleepFuture = DurableSleepFuture


class SendHandle(ABC):
    """What was sent: an invocation that runs by itself."""

    @abstractmethod
    async def invocation_id(self) -> str:
        """The id of the invocation."""

    @abstractmethod
    async def cancel_invocation(self) -> None:
        """Cancel it; one that has not begun never begins."""


class AttemptFinishedEvent(ABC):
    """Tells an effect that the attempt it belongs to is over."""

    @abstractmethod
    def is_set(self) -> bool:
        """Whether the attempt is over."""

    @abstractmethod
    async def wait(self) -> None:
        """Return once the attempt is over."""


@dataclass(frozen=True)
class Request:
    """How an invocation came.

    Attributes:
        id: The id of the invocation.
        headers: The headers of the caller, names in lower case.
        attempt_headers: The headers of the request that brought this attempt.
        body: The argument, as it came.
        attempt_finished_event: Set once this attempt is over.
        scope: Not used; None.
        limit_key: Not used; None.
        idempotency_key: The idempotency key of the caller; None if there was none.
    """

    id: str
    headers: dict[str, str]
    attempt_headers: dict[str, str]
    body: bytes
    attempt_finished_event: AttemptFinishedEvent
    scope: str | None = None
    limit_key: str | None = None
    idempotency_key: str | None = None
