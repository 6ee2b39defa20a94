"""The contexts: what a handler may do. Here are the names and their types; the engine has the rest.

Law: every method that has an effect is a durable step. It is issued when it is called, whether or
not it is awaited, and what it returns may be awaited later, several times, and combined.

Source:
    The names, parameters and defaults are those of restate-sdk 1.2.0; `state`, `saga`, `call`,
    `send`, `call_function`, `send_function` and `send_egress` are our own.
"""

from __future__ import annotations

import typing
from abc import ABC, abstractmethod
from asyncio import Future
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, ParamSpec, TypeAlias, overload

from statefun.durable.saga import Saga
from statefun.durable.serde import DEFAULT_SERDE, Serde, SerdeLike

if TYPE_CHECKING:
    from collections.abc import Generator
    from datetime import timedelta
    from random import Random
    from uuid import UUID

    from typing_extensions import TypeVar

    from statefun.sdk.messages import EgressMessage, Message
    from statefun.sdk.types import Type

    T = TypeVar("T", default=Any)
    S = TypeVar("S", default=Any)
else:
    T = typing.TypeVar("T")
    S = typing.TypeVar("S")

I = typing.TypeVar("I")  # noqa: E741 - the input of a handler
O = typing.TypeVar("O")  # noqa: E741 - its output
R = typing.TypeVar("R")  # without a default, so that `RunOptions()` is inferred where it stands
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


_DEFAULT_OPTIONS: RunOptions[Any] = RunOptions()


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


class ScopedContext(ABC):
    """Calls within a named scope. A preview elsewhere; `Context.scope` refuses it here."""

    @abstractmethod
    def service_call(
        self,
        tpe: HandlerType[I, O],
        arg: I,
        limit_key: str | None = None,
        idempotency_key: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> DurableCallFuture[O]:
        """As `Context.service_call`."""

    @abstractmethod
    def service_send(
        self,
        tpe: HandlerType[I, O],
        arg: I,
        send_delay: timedelta | None = None,
        limit_key: str | None = None,
        idempotency_key: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> SendHandle:
        """As `Context.service_send`."""

    @abstractmethod
    def object_call(
        self,
        tpe: HandlerType[I, O],
        key: str,
        arg: I,
        limit_key: str | None = None,
        idempotency_key: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> DurableCallFuture[O]:
        """As `Context.object_call`."""

    @abstractmethod
    def object_send(
        self,
        tpe: HandlerType[I, O],
        key: str,
        arg: I,
        send_delay: timedelta | None = None,
        limit_key: str | None = None,
        idempotency_key: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> SendHandle:
        """As `Context.object_send`."""

    @abstractmethod
    def workflow_call(
        self,
        tpe: HandlerType[I, O],
        key: str,
        arg: I,
        limit_key: str | None = None,
        idempotency_key: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> DurableCallFuture[O]:
        """As `Context.workflow_call`."""

    @abstractmethod
    def workflow_send(
        self,
        tpe: HandlerType[I, O],
        key: str,
        arg: I,
        send_delay: timedelta | None = None,
        limit_key: str | None = None,
        idempotency_key: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> SendHandle:
        """As `Context.workflow_send`."""


class Context(ABC):
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

    # --- calls and sends ---

    @abstractmethod
    def service_call(
        self,
        tpe: HandlerType[I, O],
        arg: I,
        idempotency_key: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> DurableCallFuture[O]:
        """Call a handler of a service; await the result.

        Args:
            tpe: The handler: the decorated function.
            arg: Its argument; None if it takes none.
            idempotency_key: Calls with the same key share one invocation and its result.
            headers: Headers for the handler.

        Raises:
            TerminalError: On awaiting: what the callee failed with; 404 for an unknown handler.
        """

    @abstractmethod
    def service_send(
        self,
        tpe: HandlerType[I, O],
        arg: I,
        send_delay: timedelta | None = None,
        idempotency_key: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> SendHandle:
        """Start a handler of a service and go on; nobody waits for its result.

        Args:
            tpe: The handler: the decorated function.
            arg: Its argument; None if it takes none.
            send_delay: How long it waits before it starts.
            idempotency_key: Sends with the same key start one invocation.
            headers: Headers for the handler.
        """

    @abstractmethod
    def object_call(
        self,
        tpe: HandlerType[I, O],
        key: str,
        arg: I,
        idempotency_key: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> DurableCallFuture[O]:
        """Call a handler of the virtual object with this key; else as `service_call`.

        Raises:
            TerminalError: On awaiting: also 409 for an exclusive handler of the caller's own key,
                which would wait for itself.
        """

    @abstractmethod
    def object_send(
        self,
        tpe: HandlerType[I, O],
        key: str,
        arg: I,
        send_delay: timedelta | None = None,
        idempotency_key: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> SendHandle:
        """Start a handler of the virtual object with this key; else as `service_send`."""

    @abstractmethod
    def workflow_call(
        self,
        tpe: HandlerType[I, O],
        key: str,
        arg: I,
        idempotency_key: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> DurableCallFuture[O]:
        """Call a handler of the workflow with this key; else as `service_call`."""

    @abstractmethod
    def workflow_send(
        self,
        tpe: HandlerType[I, O],
        key: str,
        arg: I,
        send_delay: timedelta | None = None,
        idempotency_key: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> SendHandle:
        """Start a handler of the workflow with this key; else as `service_send`."""

    @overload
    def call(
        self,
        tpe: Callable[[Any], Awaitable[O]],
        *,
        key: str | None = None,
        idempotency_key: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> DurableCallFuture[O]: ...

    @overload
    def call(
        self,
        tpe: Callable[[Any, I], Awaitable[O]],
        arg: I,
        *,
        key: str | None = None,
        idempotency_key: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> DurableCallFuture[O]: ...

    @abstractmethod
    def call(
        self,
        tpe: Callable[..., Awaitable[Any]],
        arg: Any = None,
        *,
        key: str | None = None,
        idempotency_key: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> DurableCallFuture[Any]:
        """Call a handler of whatever kind: `service_call`, `object_call` or `workflow_call`.

        Args:
            tpe: The handler: the decorated function.
            arg: Its argument, left out if it takes none.
            key: The key of the object or workflow; None for a service.
            idempotency_key: Calls with the same key share one invocation and its result.
            headers: Headers for the handler.

        Raises:
            TerminalError: On awaiting; 400 if a key is missing or too many.
        """

    @overload
    def send(
        self,
        tpe: Callable[[Any], Awaitable[Any]],
        *,
        key: str | None = None,
        delay: timedelta | None = None,
        idempotency_key: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> SendHandle: ...

    @overload
    def send(
        self,
        tpe: Callable[[Any, I], Awaitable[Any]],
        arg: I,
        *,
        key: str | None = None,
        delay: timedelta | None = None,
        idempotency_key: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> SendHandle: ...

    @abstractmethod
    def send(
        self,
        tpe: Callable[..., Awaitable[Any]],
        arg: Any = None,
        *,
        key: str | None = None,
        delay: timedelta | None = None,
        idempotency_key: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> SendHandle:
        """Start a handler of whatever kind: `service_send`, `object_send` or `workflow_send`.

        Args:
            tpe: The handler: the decorated function.
            arg: Its argument, left out if it takes none.
            key: The key of the object or workflow; None for a service.
            delay: How long it waits before it starts.
            idempotency_key: Sends with the same key start one invocation.
            headers: Headers for the handler.
        """

    @abstractmethod
    def generic_call(
        self,
        service: str,
        handler: str,
        arg: bytes,
        key: str | None = None,
        idempotency_key: str | None = None,
        headers: Mapping[str, str] | None = None,
        scope: str | None = None,
        limit_key: str | None = None,
    ) -> DurableCallFuture[bytes]:
        """Call a handler by its name, with bytes both ways.

        Args:
            service: The name of the service, object or workflow.
            handler: The name of the handler.
            arg: The argument, as the handler's serde reads it.
            key: The key of the object or workflow; None for a service.
            idempotency_key: Calls with the same key share one invocation and its result.
            headers: Headers for the handler.
            scope: Refused unless None, as in `scope`.
            limit_key: Refused unless None.
        """

    @abstractmethod
    def generic_send(
        self,
        service: str,
        handler: str,
        arg: bytes,
        key: str | None = None,
        send_delay: timedelta | None = None,
        idempotency_key: str | None = None,
        headers: Mapping[str, str] | None = None,
        scope: str | None = None,
        limit_key: str | None = None,
    ) -> SendHandle:
        """Start a handler by its name; else as `generic_call` and `service_send`."""

    @abstractmethod
    def scope(self, scope: str) -> ScopedContext:
        """Calls within a scope, which is a preview elsewhere.

        Raises:
            TerminalError: Always, code 501: give the handler a rate limit instead.
        """

    # --- completions from outside ---

    @abstractmethod
    def awakeable(
        self, serde: SerdeLike[T] = DEFAULT_SERDE, type_hint: type[T] | None = None
    ) -> tuple[str, DurableFuture[T]]:
        """An id to give away, and the value that somebody resolves it with.

        Args:
            serde: How the value is read.
            type_hint: The type of the value.

        Raises:
            TerminalError: On awaiting: somebody rejected it.
        """

    @abstractmethod
    def resolve_awakeable(self, name: str, value: I, serde: SerdeLike[I] = DEFAULT_SERDE) -> None:
        """Complete an awakeable of any invocation; only the first completion counts.

        Args:
            name: The id of the awakeable.
            value: Its value.
            serde: How the value is written.
        """

    @abstractmethod
    def reject_awakeable(self, name: str, failure_message: str, failure_code: int = 500) -> None:
        """Let whoever awaits an awakeable fail with a `TerminalError`.

        Args:
            name: The id of the awakeable.
            failure_message: The message of the error.
            failure_code: Its code.
        """

    @abstractmethod
    def signal(
        self, name: str, serde: SerdeLike[T] = DEFAULT_SERDE, type_hint: type[T] | None = None
    ) -> DurableFuture[T]:
        """The next signal of this name that is sent to this invocation.

        Signals of one name wait in order until they are taken.

        Args:
            name: The name of the signal.
            serde: How its value is read.
            type_hint: The type of its value.
        """

    @abstractmethod
    def resolve_signal(
        self, invocation_id: str, name: str, value: I, serde: SerdeLike[I] = DEFAULT_SERDE
    ) -> None:
        """Send a signal to an invocation.

        Args:
            invocation_id: The invocation.
            name: The name of the signal.
            value: Its value.
            serde: How the value is written.
        """

    @abstractmethod
    def reject_signal(
        self, invocation_id: str, name: str, failure_message: str, failure_code: int = 500
    ) -> None:
        """Send a failure in place of a signal.

        Args:
            invocation_id: The invocation.
            name: The name of the signal.
            failure_message: The message of the `TerminalError` there.
            failure_code: Its code.
        """

    @abstractmethod
    def cancel_invocation(self, invocation_id: str) -> None:
        """Ask an invocation to stop: its next durable await raises `TerminalError`, code 409.

        Args:
            invocation_id: The invocation; one that is unknown or over stays as it is.

        Raises:
            ValueError: If the id is None.
            TerminalError: If the id is malformed, code 400.
        """

    @abstractmethod
    def attach_invocation(
        self,
        invocation_id: str,
        serde: SerdeLike[T] = DEFAULT_SERDE,
        type_hint: type[T] | None = None,
    ) -> DurableFuture[T]:
        """The result of another invocation, running or retained.

        Args:
            invocation_id: The invocation.
            serde: How the result is read.
            type_hint: The type of the result.

        Raises:
            ValueError: If the id is None.
            TerminalError: On awaiting: its failure; 404 if it is unknown.
        """

    # --- sagas and plain functions ---

    def saga(self) -> Saga:
        """Steps with their undoing: `async with ctx.saga() as saga`."""
        return Saga()

    @abstractmethod
    def call_function(
        self,
        typename: str,
        id: str,  # noqa: A002 - the word of an address
        value: I,
        *,
        value_type: Type[I] | None = None,
        reply_type: Type[T] | None = None,
    ) -> DurableFuture[T]:
        """Send a message to a plain function and await what it sends to its caller.

        Args:
            typename: The function, `namespace/name`.
            id: The id of the function.
            value: The value of the message.
            value_type: Its type; None for `str`, `int`, `bool` and `float` takes the built-in one.
            reply_type: The type of the answer; None takes the built-in one that it carries.
        """

    @abstractmethod
    def send_function(self, message: Message, delay: timedelta | None = None) -> None:
        """Send a message to a plain function.

        Args:
            message: The message, with its target inside.
            delay: How long it waits before it is delivered.
        """

    @abstractmethod
    def send_egress(self, message: EgressMessage) -> None:
        """Send a record to an egress.

        Args:
            message: The record, with its egress inside.
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
        also in place, is kept at the next durable step and when the handler ends.
        """


class ObjectSharedContext(Context, Generic[S]):
    """What a shared handler may do: many at once, and none of them writes."""

    @abstractmethod
    def key(self) -> str:
        """The key of this object."""

    @property
    @abstractmethod
    def state(self) -> S:
        """The state as one object, as it was when the handler began. Changes are not kept."""

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
