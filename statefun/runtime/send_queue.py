"""The send queue: messages of this process that wait for room at their address.

Law: messages to one address are taken in in the order of sending, each once there is room for it;
one whose sender waits no more is not taken in.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, NamedTuple

from statefun.errors import AddressBusyError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from statefun.runtime.committer import Ticket
    from statefun.runtime.engine.engine import Engine
    from statefun.sdk.address import Address

__all__ = ["SendQueue"]


class _Entry(NamedTuple):
    argument: bytes
    ticket: Ticket
    reply: object | None


class SendQueue:
    """Hands messages to an engine, and keeps those for which there is no room.

    Args:
        engine: Where they go.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._queues: dict[Address, deque[_Entry]] = {}

    def __bool__(self) -> bool:
        return bool(self._queues)

    def put(
        self,
        target: Address,
        argument: bytes,
        ticket: Ticket,
        now_ms: int,
        reply: object | None = None,
    ) -> None:
        """Hand a message to the engine, at once or when there is room; see `Intake.deliver`.

        Raises:
            UnknownFunctionError: If there is no such function.
            InvalidMessageError: If the message can never be taken in.
        """
        queue = self._queues.get(target)
        if queue is not None:
            self._engine.intake.check(target, argument)
            queue.append(_Entry(argument, ticket, reply))
            return
        try:
            self._engine.intake.deliver(target, argument, ticket, now_ms=now_ms, reply=reply)
        except AddressBusyError:
            self._queues[target] = deque([_Entry(argument, ticket, reply)])

    def admit(self, now_ms: int) -> bool:
        """Hand over the messages for which there is room now; returns whether there were any."""
        has_news = False
        if self._engine.intake.is_full:
            return has_news
        for target, queue in list(self._queues.items()):
            while queue and self._engine.intake.has_room(target):
                argument, ticket, reply = queue.popleft()
                if not ticket.durable.done():
                    self._engine.intake.deliver(
                        target, argument, ticket, now_ms=now_ms, reply=reply
                    )
                    has_news = True
            if not queue:
                del self._queues[target]
        return has_news

    def clear(self) -> Iterator[Ticket]:
        """The tickets of all messages that wait, which wait no more."""
        queues, self._queues = self._queues, {}
        return (entry.ticket for queue in queues.values() for entry in queue)
