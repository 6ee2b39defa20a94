"""Ports: the contract between a runtime and whatever brings messages in or takes records out.

Law: an ingress acknowledges a message only when `Intake.deliver` has returned, and an egress
reports a record as delivered only when the outside world has it. Everything durable is on the
runtime's side of the port; a connector holds nothing that a crash may not take.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, Protocol, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence
    from datetime import timedelta

    from statefun.sdk.address import Address

__all__ = [
    "Egress",
    "Ingress",
    "IngressMessage",
    "Intake",
    "OutgoingRecord",
    "Position",
    "Source",
    "WithSources",
]


class IngressMessage(NamedTuple):
    """A message on its way into a runtime.

    Attributes:
        target: The function and the id the message is for.
        argument: A serialized `TypedValue`.
        key: An idempotency key, empty for none: a message that comes again with the same key to the
            same target is acknowledged once the first is durable, and is not kept again.
        topic: The topic it came from, empty for none. It stays with the message: a topic may have a
            failure policy of its own, and a dead letter tells it.
    """

    target: Address
    argument: bytes
    key: str = ""
    topic: str = ""


class Position(NamedTuple):
    """How far an ingress has come in one of its sources, for example a partition of a topic.

    Attributes:
        name: Names the source; unique among all ingresses of a runtime, so it begins with the name
            of the ingress.
        value: The position, bytes that only the ingress reads; None to forget it.
    """

    name: str
    value: bytes | None


class Source(NamedTuple):
    """One of the sources of an ingress, for example a partition of a topic, as it is now.

    Attributes:
        name: The name of its position.
        position: Where the ingress goes on after a restart.
        end: The place behind the last record; None if it is not known yet.
        is_paused: Whether nothing is fetched from it for now, since too much waits.
        problem: Why nothing is taken from it any more; empty if it is.
    """

    name: str
    position: int
    end: int | None = None
    is_paused: bool = False
    problem: str = ""

    @property
    def lag(self) -> int | None:
        """How many places the ingress is behind; None if that is not known yet."""
        return None if self.end is None else max(0, self.end - self.position)


@dataclass(frozen=True, slots=True)
class OutgoingRecord:
    """A record on its way to an egress.

    Attributes:
        id: Stable over restarts, and grows; a record that comes again has the same id.
        argument: A serialized `TypedValue`, as the function sent it.
    """

    id: int
    argument: bytes


class Intake(Protocol):
    """The way into a runtime; given to every ingress when it starts."""

    def deliver(
        self, messages: Sequence[IngressMessage], position: Position | None = None
    ) -> Awaitable[None]:
        """Hand over messages, all or none of them, and wait until they are durable.

        One record of a source may become several messages, to several targets. Cancelling the call
        does not take the messages back: they may or may not be kept.

        It is awaited like a coroutine. A future, which some implementations return, has been
        handed over before it is awaited, and what can be refused at once is.

        Args:
            messages: In order; they may be none, so that a position moves over skipped records.
            position: Where the ingress goes on after a restart, durable in the same commit as the
                messages: each record is then taken in exactly once. None for an ingress that has
                no position.

        Raises:
            UnknownFunctionError: If no function serves a target's typename; nothing is kept.
            MessageTooLargeError: If one is longer than its function takes; nothing is kept.
            InvalidMessageError: If an id, a key or a topic is not valid text; nothing is kept.
            IdempotencyConflictError: If a key stands for another message; nothing is kept.
            AddressBusyError: If too much waits for a target, or for all, or at an egress; nothing
                is kept. An ingress with a position delivers the same again later.
            StoreError: If they cannot be stored at the moment. They may be stored later, and are
                not if they came after that was known. With a position they are not: once such
                messages are taken in, the call waits until they are stored, however long.
            RuntimeStoppedError: If the runtime is stopping; nothing is kept.
        """
        ...

    async def call(self, message: IngressMessage, within: timedelta | None = None) -> bytes:
        """Hand over a message, and wait for the reply of the function.

        A repeat by its idempotency key waits for the reply to the first message; if that was given
        before, no other comes.

        Args:
            message: Is accepted or refused as by `deliver`.
            within: How long to wait for the reply; None for any time.

        Returns:
            The first message that was sent to the caller of this one, a serialized `TypedValue`;
            the turn that sent it is durable.

        Raises:
            StatefunError: As `deliver`; and then:
            CallFailedError: If the message is given up.
            CallTimeoutError: If there is no reply in time; the message stays accepted.
            RuntimeStoppedError: If the runtime stops before the reply comes.
        """
        ...

    def position(self, name: str) -> bytes | None:
        """The position of that name that is durable; None if there is none."""
        ...


class Ingress(Protocol):
    """Brings messages in. Every method is called on the runtime's event loop."""

    async def start(self, intake: Intake) -> None:
        """Begin to take messages in, from its positions on; returns when the ingress is ready.

        Called once.

        Raises:
            ConfigurationError: If it cannot, for example because its port is taken.
        """
        ...

    def pause(self) -> None:
        """Fetch nothing more for now: too much waits, or nothing can be stored.

        Called between `start` and `stop`; what is delivered all the same may be refused.
        """
        ...

    def resume(self) -> None:
        """Go on after `pause`."""
        ...

    async def stop(self) -> None:
        """Take no more messages, let those under way be answered, and release every resource.

        Also called when `start` failed or was never called.
        """
        ...


@runtime_checkable
class WithSources(Protocol):
    """What an ingress has that can say how far it has come; not every one can."""

    def sources(self) -> Sequence[Source]:
        """Its sources, ordered by name."""
        ...


class Egress(Protocol):
    """Takes egress records out. Every method is called on the runtime's event loop."""

    @property
    def typename(self) -> str:
        """The egress typename that functions send to; constant."""
        ...

    @property
    def has_room(self) -> bool:
        """Whether it takes records; False pushes back.

        While it is False, no records are put, the ingresses are paused, and messages from outside
        are refused. It is looked at again after each call of `delivered`.
        """
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
        """Begin to write records out; returns when the egress is ready for them. Called once.

        Args:
            delivered: To be called, on the event loop, with the ids of records that the outside
                world has; the runtime then forgets them with its next commit. Records it has not
                forgotten come again after a restart. No ids mean that there is room again.

        Raises:
            ConfigurationError: If it cannot, for example because its port is taken.
        """
        ...

    def put(self, epoch: int, records: Sequence[OutgoingRecord]) -> None:
        """Take over the records of one commit, in order; they are durable. Never blocks or fails.

        Args:
            epoch: Which commit; 0 for records of earlier processes, then growing. A sink that has
                transactions can write each epoch in one.
            records: Its records for this egress, at least one.
        """
        ...

    async def flush(self) -> None:
        """Write out what was put, as far as that is for the egress to do; called before `stop`.

        The runtime waits for it as long as for calls that are under way, and no longer.
        """
        ...

    async def stop(self) -> None:
        """Write nothing more out and release every resource.

        Also called when `start` failed or was never called.
        """
        ...
