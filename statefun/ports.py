"""What a runtime asks of whatever brings messages in or takes egress records out.

Law: a connector acknowledges a message only when `Delivery` has returned, and reports a record as
delivered only when the outside world has it. Everything durable is on the runtime's side of the
port; a connector holds nothing that a crash may not take.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from statefun.sdk.address import Address

__all__ = ["Delivery", "Egress", "Ingress", "OutgoingRecord"]


@dataclass(frozen=True, slots=True)
class OutgoingRecord:
    """A record on its way to an egress.

    Attributes:
        id: Stable over restarts; a record that comes again has the same id.
        argument: A serialized `TypedValue`, as the function sent it.
    """

    id: int
    argument: bytes


class Delivery(Protocol):
    """The way into a runtime; given to every ingress when it starts."""

    async def __call__(
        self, target: Address, argument: bytes, key: str = "", topic: str = ""
    ) -> None:
        """Hand over one message and wait until it is durable.

        Cancelling the call does not take the message back: it may or may not be kept.

        Args:
            target: The function and the id the message is for.
            argument: A serialized `TypedValue`.
            key: An idempotency key, empty for none: a message that comes again with the same key
                to the same target returns once the first is durable, and is not kept again.
            topic: The topic it came from, empty for none. It stays with the message: a topic may
                have a failure policy of its own, and a dead letter tells it.

        Raises:
            UnknownFunctionError: If no function serves the target's typename; nothing is kept.
            MessageTooLargeError: If it is longer than the function takes; nothing is kept.
            InvalidMessageError: If the id, the key or the topic is not valid text; nothing is kept.
            IdempotencyConflictError: If the key stands for another message; nothing is kept.
            AddressBusyError: If too much waits for the target, or for all; nothing is kept.
            StoreError: If it cannot be stored at the moment. It may be stored later, and is not if
                it came after that was known.
            RuntimeStoppedError: If the runtime is stopping; nothing is kept.
        """
        ...


class Ingress(Protocol):
    """Brings messages in. Both methods are called once, on the runtime's event loop."""

    async def start(self, deliver: Delivery) -> None:
        """Begin to take messages in; returns when the ingress is ready for them.

        Raises:
            ConfigurationError: If it cannot, for example because its port is taken.
        """
        ...

    async def stop(self) -> None:
        """Take no more messages, let those under way be answered, and release every resource.

        Also called when `start` failed or was never called.
        """
        ...


class Egress(Protocol):
    """Takes egress records out. Every method is called on the runtime's event loop."""

    @property
    def typename(self) -> str:
        """The egress typename that functions send to; constant."""
        ...

    def accept(self, argument: bytes) -> None:
        """Check a record before its turn is committed: a pure function of its bytes.

        Args:
            argument: A serialized `TypedValue`.

        Raises:
            InvalidMessageError: If this egress could never write the record; the reply that
                contains it is invalid as a whole.
        """
        ...

    async def start(self, delivered: Callable[[Sequence[int]], None]) -> None:
        """Begin to write records out; returns when the egress is ready for them.

        Args:
            delivered: To be called, on the event loop, with the ids of records that the outside
                world has; the runtime then forgets them with its next commit. Records it has not
                forgotten come again after a restart.

        Raises:
            ConfigurationError: If it cannot, for example because its port is taken.
        """
        ...

    def put(self, records: Sequence[OutgoingRecord]) -> None:
        """Take over records, oldest first, whose turns are durable. Never blocks, never fails."""
        ...

    async def stop(self) -> None:
        """Write nothing more out and release every resource.

        Also called when `start` failed or was never called.
        """
        ...
