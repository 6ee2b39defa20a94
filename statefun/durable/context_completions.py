"""Completions from outside, and what handlers and plain functions are to one another."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

from statefun.durable.saga import Saga
from statefun.durable.serde import DEFAULT_SERDE

if TYPE_CHECKING:
    from datetime import timedelta

    from statefun.durable.context_types import DurableFuture, I, T
    from statefun.durable.serde import SerdeLike
    from statefun.sdk.messages import EgressMessage, Message
    from statefun.sdk.types import Type

__all__ = ["CompletingContext", "FunctionsContext"]


class CompletingContext(ABC):
    """How a handler awaits what others complete, and completes what others await."""

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


class FunctionsContext(ABC):
    """How a handler undoes its steps, and reaches plain functions and egresses."""

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
