"""The contexts: what a handler may do. Here are the names and their types; the engine has the rest.

Law: every method that has an effect is a durable step. It is issued when it is called, whether or
not it is awaited, and what it returns may be awaited later, several times, and combined.

Source:
    The names, parameters and defaults are those of restate-sdk 1.2.0; `state`, `saga`, `call`,
    `send`, `call_function`, `send_function` and `send_egress` are our own.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, Generic, ParamSpec, overload

from statefun.durable.context_calls import CallingContext, ScopedContext
from statefun.durable.context_completions import CompletingContext, FunctionsContext
from statefun.durable.context_types import (
    AttemptFinishedEvent,
    DurableCallFuture,
    DurableFuture,
    DurableSleepFuture,
    HandlerType,
    Request,
    RestateDurableCallFuture,
    RestateDurableFuture,
    RestateDurableSleepFuture,
    RunAction,
    RunOptions,
    S,
    SendHandle,
    T,
)
from statefun.durable.serde import DEFAULT_SERDE, Serde, SerdeLike

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Generator
    from datetime import timedelta
    from random import Random
    from uuid import UUID

P = ParamSpec("P")

__all__ = [
    "AttemptFinishedEvent",
    "Context",
    "DurableCallFuture",
    "DurableFuture",
    "DurablePromise",
    "DurableSleepFuture",
    "HandlerType",
    "KeyValueStore",
    "ObjectContext",
    "ObjectSharedContext",
    "Request",
    "RestateDurableCallFuture",
    "RestateDurableFuture",
    "RestateDurableSleepFuture",
    "RunAction",
    "RunOptions",
    "ScopedContext",
    "SendHandle",
    "WorkflowContext",
    "WorkflowSharedContext",
]

_DEFAULT_OPTIONS: RunOptions[Any] = RunOptions()


class Context(CallingContext, CompletingContext, FunctionsContext):
    """What every handler may do; all that a handler of a `Service` may."""

    # --- the invocation ---

    @abstractmethod
    def request(self) -> Request:
        """How this invocation came."""

    @abstractmethod
    def random(self) -> Random:
        """Random numbers that are the same in every attempt of this invocation."""

    @abstractmethod
    def uuid(self) -> UUID:
        """A new UUID of version 4, the same in every attempt."""

    @abstractmethod
    def time(self) -> DurableFuture[float]:
        """The time in seconds since 1970, recorded, so the same in every attempt."""

    # --- effects and sleeps ---

    @overload
    def run(
        self,
        name: str,
        action: Callable[..., Coroutine[Any, Any, T]],
        serde: SerdeLike[T] = ...,
        max_attempts: int | None = None,
        max_retry_duration: timedelta | None = None,
        type_hint: type[T] | None = None,
        args: tuple[Any, ...] | None = None,
    ) -> DurableFuture[T]: ...

    @overload
    def run(
        self,
        name: str,
        action: Callable[..., T],
        serde: SerdeLike[T] = ...,
        max_attempts: int | None = None,
        max_retry_duration: timedelta | None = None,
        type_hint: type[T] | None = None,
        args: tuple[Any, ...] | None = None,
    ) -> DurableFuture[T]: ...

    @abstractmethod
    def run(
        self,
        name: str,
        action: Callable[..., Any],
        serde: SerdeLike[Any] = DEFAULT_SERDE,
        max_attempts: int | None = None,
        max_retry_duration: timedelta | None = None,
        type_hint: type[Any] | None = None,
        args: tuple[Any, ...] | None = None,
    ) -> DurableFuture[Any]:
        """Run an effect and record its result; `run_typed` checks the arguments as well.

        Args:
            name: A name for logs and for whoever looks at the invocation.
            action: The effect: a function, async or not. One that is not runs in a thread.
            serde: How the result is recorded.
            max_attempts: As in `RunOptions`.
            max_retry_duration: As `max_duration` in `RunOptions`.
            type_hint: As in `RunOptions`.
            args: The arguments of the action.

        Raises:
            TerminalError: On awaiting: the action raised one, or its attempts are used up.
        """

    @overload
    def run_typed(
        self,
        name: str,
        action: Callable[P, Coroutine[Any, Any, T]],
        options: RunOptions[T] = ...,
        /,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> DurableFuture[T]: ...

    @overload
    def run_typed(
        self,
        name: str,
        action: Callable[P, T],
        options: RunOptions[T] = ...,
        /,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> DurableFuture[T]: ...

    @abstractmethod
    def run_typed(
        self,
        name: str,
        action: Callable[..., Any],
        options: RunOptions[Any] = _DEFAULT_OPTIONS,
        /,
        *args: Any,
        **kwargs: Any,
    ) -> DurableFuture[Any]:
        """Run an effect and record its result.

        Once the result is on disk the effect never runs again; a crash before that may repeat it.
        An effect that fails is tried again by its options, without running the handler again.

        Args:
            name: A name for logs and for whoever looks at the invocation.
            action: The effect: a function, async or not. One that is not runs in a thread.
            options: How the result is recorded, and how often the effect is tried.
            *args: The arguments of the action.
            **kwargs: Its keyword arguments.

        Raises:
            TerminalError: On awaiting: the action raised one, or its attempts are used up.
        """

    @abstractmethod
    def sleep(self, delta: timedelta, name: str | None = None) -> DurableSleepFuture:
        """Sleep, for years if need be: a sleeping handler needs no process.

        Args:
            delta: How long, zero or more.
            name: A name for whoever looks at the invocation.

        Raises:
            TerminalError: If `delta` is negative, code 400.
        """


class KeyValueStore(ABC):
    """State of a virtual object or a workflow: values by name, kept under its key."""

    @abstractmethod
    def get(
        self,
        name: str,
        serde: SerdeLike[T] = DEFAULT_SERDE,
        type_hint: type[T] | None = None,
        entry_name: str | None = None,
    ) -> DurableFuture[T | None]:
        """A value; None if there is none.

        Args:
            name: The name of the value.
            serde: How it is read: a serde, or its type, as in `ctx.get("seen", int)`.
            type_hint: The type of the value.
            entry_name: A name for whoever looks at the invocation.
        """

    @abstractmethod
    def state_keys(self, entry_name: str | None = None) -> DurableFuture[list[str]]:
        """The names of all values.

        Args:
            entry_name: A name for whoever looks at the invocation.
        """

    @abstractmethod
    def set(
        self,
        name: str,
        value: T,
        serde: SerdeLike[T] = DEFAULT_SERDE,
        entry_name: str | None = None,
    ) -> None:
        """Keep a value. It stays even if the handler fails later.

        Args:
            name: The name of the value.
            value: The value.
            serde: How it is written.
            entry_name: A name for whoever looks at the invocation.

        Raises:
            SerializationError: If it cannot be written; nothing is kept.
        """

    @abstractmethod
    def clear(self, name: str, entry_name: str | None = None) -> None:
        """Remove a value.

        Args:
            name: The name of the value.
            entry_name: A name for whoever looks at the invocation.
        """

    @abstractmethod
    def clear_all(self, entry_name: str | None = None) -> None:
        """Remove all values of this key.

        Args:
            entry_name: A name for whoever looks at the invocation.
        """


class ObjectContext(Context, KeyValueStore, Generic[S]):
    """What an exclusive handler of a virtual object may do: one at a time has a key."""

    @abstractmethod
    def key(self) -> str:
        """The key of this object."""

    @property
    @abstractmethod
    def state(self) -> S:
        """The state as one object, of the class that `VirtualObject(state=…)` names.

        Its fields are the values of the same names, so `ctx.get` sees them too. What was changed,
        also in place, is kept at the next durable step and when the handler ends. Another object of
        that class may be assigned.
        """

    @state.setter
    @abstractmethod
    def state(self, state: S) -> None: ...


class ObjectSharedContext(Context, Generic[S]):
    """What a shared handler may do: many at once, and none of them writes."""

    @abstractmethod
    def key(self) -> str:
        """The key of this object."""

    @property
    @abstractmethod
    def state(self) -> S:
        """The state as one object, as it was when the handler began.

        To change it is refused with a `TerminalError` at the next durable step, or at the end.
        """

    @abstractmethod
    def get(
        self,
        name: str,
        serde: SerdeLike[T] = DEFAULT_SERDE,
        type_hint: type[T] | None = None,
        entry_name: str | None = None,
    ) -> DurableFuture[T | None]:
        """As `KeyValueStore.get`."""

    @abstractmethod
    def state_keys(self, entry_name: str | None = None) -> DurableFuture[list[str]]:
        """As `KeyValueStore.state_keys`."""


class DurablePromise(ABC, Generic[T]):
    """A value that a workflow awaits, and that is given once, by name, from any handler of it.

    It can be awaited itself, and passed to `select` and the other combinators.

    Args:
        name: The name of the promise, within the workflow.
        serde: How the value is read and written.
    """

    def __init__(self, name: str, serde: Serde[T] = DEFAULT_SERDE) -> None:
        self.name = name
        self.serde = serde

    @abstractmethod
    def resolve(self, value: T) -> Awaitable[None]:
        """Give the value.

        Raises:
            TerminalError: If it was given before, code 409.
        """

    @abstractmethod
    def reject(self, message: str, code: int = 500) -> Awaitable[None]:
        """Let whoever awaits it fail with a `TerminalError`.

        Args:
            message: The message of the error.
            code: Its code.

        Raises:
            TerminalError: If the promise was completed before, code 409.
        """

    @abstractmethod
    def peek(self) -> Awaitable[T | None]:
        """The value if there is one by now, else None.

        Raises:
            TerminalError: If the promise was rejected.
        """

    @abstractmethod
    def value(self) -> DurableFuture[T]:
        """The value, once there is one.

        Raises:
            TerminalError: On awaiting: the promise was rejected.
        """

    def __await__(self) -> Generator[Any, Any, T]:
        return self.value().__await__()


class WorkflowContext(ObjectContext[S]):
    """What the main handler of a workflow may do; it runs once per key."""

    @abstractmethod
    def promise(
        self, name: str, serde: SerdeLike[T] = DEFAULT_SERDE, type_hint: type[T] | None = None
    ) -> DurablePromise[T]:
        """A promise of this workflow, the same one in every handler of it.

        Args:
            name: The name of the promise.
            serde: How its value is read and written: a serde, or its type.
            type_hint: The type of the value.
        """


class WorkflowSharedContext(ObjectSharedContext[S]):
    """What every other handler of a workflow may do, before, while and after it runs."""

    @abstractmethod
    def promise(
        self, name: str, serde: SerdeLike[T] = DEFAULT_SERDE, type_hint: type[T] | None = None
    ) -> DurablePromise[T]:
        """A promise of this workflow, the same one in every handler of it.

        Args:
            name: The name of the promise.
            serde: How its value is read and written: a serde, or its type.
            type_hint: The type of the value.
        """
