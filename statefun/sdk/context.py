"""The context: a function's address, its caller, its storage, and its way to ask for effects."""

from __future__ import annotations

from abc import ABC, abstractmethod
from datetime import timedelta
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Generic, NoReturn

from statefun.errors import InvalidMessageError, TurnEndedError
from statefun.sdk.effects import Effects
from statefun.sdk.messages import EgressMessage, Message
from statefun.sdk.specs import whole_millis
from statefun.sdk.wire import Cancellation, SendAfter, accelerator, utf8

if TYPE_CHECKING:
    from typing_extensions import TypeVar  # for checkers, which have it: `typing` has no default

    from statefun.sdk.address import SdkAddress
    from statefun.sdk.wire import InvocationBatch

    S_co = TypeVar("S_co", covariant=True, default=Any)
else:
    from typing import TypeVar

    S_co = TypeVar("S_co", covariant=True)

__all__ = ["BatchContext", "Context"]


class Context(ABC, Generic[S_co]):
    """The first argument of a function, beside its message.

    `Context[Cart]` is that of a function whose values are declared by the class `Cart`, a
    `statefun.sdk.state.State`; `Context` alone knows nothing about them.

    Nothing that a function asks for leaves before its whole batch has succeeded and the engine has
    committed it; if one function of the batch fails, nothing was sent and nothing was written.
    """

    __slots__ = ()

    @property
    @abstractmethod
    def address(self) -> SdkAddress:
        """The address of the running function."""

    @property
    @abstractmethod
    def storage(self) -> S_co:
        """The values of this address, as attributes; see `statefun.sdk.storage.Storage`."""

    @property
    @abstractmethod
    def caller(self) -> SdkAddress | None:
        """Who sent the message; None if it came from an ingress."""

    def send(self, message: Message) -> None:
        """Send a message to a function.

        Messages from one address to another arrive in the order they were sent.

        Raises:
            InvalidMessageError: If `message` is not a `Message`; a `ValueError` and a `TypeError`.
        """
        self._must_override("send", message)

    def send_after(
        self, duration: timedelta, message: Message, cancellation_token: str = ""
    ) -> None:
        """Send a message to a function once a delay has passed.

        The delay is counted from the commit of this batch and survives restarts. A delay of zero is
        allowed: the message then comes after those that this batch sends directly.

        Args:
            duration: Zero or more; anything finer than a millisecond is rounded down.
            message: The message, with its target inside.
            cancellation_token: A name for `cancel_delayed_message`, unique among the pending delays
                of all functions with this *id*. Empty: it cannot be cancelled.

        Raises:
            InvalidMessageError: If the delay is negative or not a `timedelta`, or `message` not a
                `Message`; a `ValueError` and a `TypeError`.

        Source:
            request-reply.proto, FromFunction.DelayedInvocation.
        """
        self._must_override("send_after", duration, message, cancellation_token)

    def cancel_delayed_message(self, cancellation_token: str) -> None:
        """Forget the pending delayed message with this token, if there is one.

        Reaches only messages that a function with this id has sent. A message that was already
        delivered stays delivered.

        Raises:
            InvalidMessageError: If the token is empty or no text; a `ValueError`.
        """
        self._must_override("cancel_delayed_message", cancellation_token)

    def send_egress(self, message: EgressMessage) -> None:
        """Send a message to an egress.

        Raises:
            InvalidMessageError: If `message` is not an `EgressMessage`; a `ValueError` and a
                `TypeError`.
        """
        self._must_override("send_egress", message)

    # The old SDK's subclasses override only what they use, so these methods are not abstract.
    def _must_override(self, method: str, *_: object) -> NoReturn:
        raise NotImplementedError(
            f"{type(self).__name__} does not override Context.{method}: what was to be sent "
            "would be lost"
        )


class BatchContext(Context, Effects):
    """The context of one batch, with the effects that were asked for through it.

    Attributes:
        batch: The batch.
        position: The message that is being handled, from zero.
        has_ended: Whether the batch is over, so that effects are refused: nobody would see them.
        has_acted: Whether the function has acted on the outside world, so that nothing may follow
            from the batch before it is durable.
    """

    __slots__ = ("_address", "_storage", "batch", "has_acted", "has_ended", "position")

    def __init__(self, batch: InvocationBatch, storage: Any) -> None:
        self._address: SdkAddress | None = None
        self._storage = storage
        self.has_acted = False
        self.has_ended = False
        self.batch = batch
        self.position = 0
        self.messages = []
        self.delayed = []
        self.egress = []

    storage = property(attrgetter("_storage"))

    @property
    def address(self) -> SdkAddress:
        """The address of the running function."""
        if self._address is None:
            self._address = self.batch.address
        return self._address

    @property
    def caller(self) -> SdkAddress | None:
        """Who sent the message; None if it came from an ingress."""
        return self.batch.caller(self.position)

    def _check_running(self, effect: str) -> None:
        if self.has_ended:
            raise TurnEndedError(effect, self.address)

    def send(self, message: Message) -> None:
        """See `Context.send`."""
        if type(message) is not Message:
            _check_message(message, "send")
        if self.has_ended:
            self._check_running("send")
        self.messages.append(message)

    def send_after(
        self, duration: timedelta, message: Message, cancellation_token: str = ""
    ) -> None:
        """See `Context.send_after`."""
        if not isinstance(duration, timedelta) or duration < timedelta(0):
            raise InvalidMessageError(
                f"send_after takes a timedelta of zero or more, got {duration!r}",
                argument="duration",
                given=repr(duration),
            )
        _check_message(message, "send_after")
        token = "" if cancellation_token is None else _check_token(cancellation_token)
        delayed = SendAfter(whole_millis(duration), message, token)
        self._check_running("send_after")
        self.delayed.append(delayed)

    def cancel_delayed_message(self, cancellation_token: str) -> None:
        """See `Context.cancel_delayed_message`."""
        if not cancellation_token:
            raise InvalidMessageError(
                "cancel_delayed_message needs the token that was given to send_after, got "
                f"{cancellation_token!r}: a message sent without a token cannot be cancelled",
                argument="cancellation_token",
                given=repr(cancellation_token),
            )
        token = _check_token(cancellation_token)
        self._check_running("cancel_delayed_message")
        self.delayed.append(Cancellation(token))

    def send_egress(self, message: EgressMessage) -> None:
        """See `Context.send_egress`."""
        if not isinstance(message, EgressMessage):
            raise InvalidMessageError(
                f"send_egress takes an EgressMessage, got {type(message).__name__}: build one with "
                "kafka_egress_message, kinesis_egress_message or egress_message_builder",
                argument="message",
                given=type(message).__name__,
            )
        self._check_running("send_egress")
        self.egress.append(message)


def _check_message(message: object, method: str) -> None:
    if isinstance(message, EgressMessage):
        raise InvalidMessageError(
            f"{method} takes a Message, got an EgressMessage: use send_egress",
            argument="message",
            given=type(message).__name__,
        )
    if not isinstance(message, Message):
        raise InvalidMessageError(
            f"{method} takes a Message, got {type(message).__name__}: "
            "build one with message_builder",
            argument="message",
            given=type(message).__name__,
        )


def _check_token(token: str) -> str:
    return utf8(token, "a cancellation token").decode()


if accelerator is not None:
    Context.register(accelerator.Context)
    accelerator.install(
        send=BatchContext.send,
        send_after=BatchContext.send_after,
        cancel_delayed_message=BatchContext.cancel_delayed_message,
        send_egress=BatchContext.send_egress,
    )
