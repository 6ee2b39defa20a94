"""The intake: messages and edits from outside the engine, on the event loop.

Law: what is taken in is acknowledged when it is durable. While nothing can be stored or an egress
pushes back, messages of ingresses are refused; those of this process wait.
"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Final, TypeVar

from statefun.errors import AddressBusyError, RuntimeStoppedError, StoreError
from statefun.runtime.committer import Ticket
from statefun.runtime.send_queue import SendQueue
from statefun.runtime.waiting import PendingReply, ReplyWaiters

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import timedelta

    from statefun.ports import IngressMessage, Position
    from statefun.runtime.clock import Clock
    from statefun.runtime.committer import Committer
    from statefun.runtime.engine.engine import Engine
    from statefun.runtime.engine.records import Released
    from statefun.sdk.address import Address

__all__ = ["RuntimeIntake"]

T = TypeVar("T")

_NOT_STORED: Final = (
    "it could not be stored so far, and may be stored later; send it again with the same "
    "Idempotency-Key, or it may come twice"
)
_NOT_CHANGED: Final = (
    "the change could not be stored so far, and may be stored later; see whether it was made "
    "before you make it again"
)


class RuntimeIntake:
    """Takes messages and edits in; see `Intake`.

    Args:
        engine: Where they go.
        committer: Makes them durable.
        clock: Gives the time.
        wake: Called when there is something to do.
        positions: The positions that were durable at the start.

    Attributes:
        is_accepting: Whether anything is taken in.
        egress_without_room: The typename of an egress that pushes back, empty if none does.
    """

    def __init__(
        self,
        engine: Engine,
        committer: Committer,
        clock: Clock,
        wake: Callable[[], None],
        positions: Mapping[str, bytes],
    ) -> None:
        self.is_accepting = True
        self.egress_without_room = ""
        self._engine = engine
        self._committer = committer
        self._clock = clock
        self._wake = wake
        self._positions: dict[str, bytes | None] = dict(positions)
        self._send_queue = SendQueue(engine)
        self._replies = ReplyWaiters(engine, clock)
        self._reason: BaseException | None = None  # why the runtime ended, if it should not have

    # --- ingresses --------------------------------------------------------------------------------

    def deliver(
        self, messages: Sequence[IngressMessage], position: Position | None = None
    ) -> asyncio.Future[None]:
        """Take in messages of an ingress, all or none."""
        self._check_ingress()
        durable: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        # With a position nobody waits outside, and a second delivery would not know of the first.
        ticket = Ticket(durable, _NOT_STORED if position is None else "")
        now_ms = self._clock.now_ms()
        if position is None and len(messages) == 1:
            target, argument, key, topic = messages[0]
            self._engine.intake.deliver(
                target, argument, ticket, key=key, topic=topic, now_ms=now_ms
            )
        else:
            self._engine.intake.deliver_all(messages, ticket, position=position, now_ms=now_ms)
        if position is not None:
            durable.add_done_callback(partial(self._note_position, position))
        self._wake()
        return durable

    async def call(self, message: IngressMessage, within: timedelta | None = None) -> bytes:
        """Take in a message of an ingress, and wait for the reply to it."""
        self._check_ingress()
        target, argument, key, topic = message
        pending = PendingReply(target)
        self._engine.intake.deliver(
            *(target, argument, Ticket(pending.ticket, _NOT_STORED)),
            key=key,
            topic=topic,
            now_ms=self._clock.now_ms(),
            reply=pending,
        )
        pending.ticket.add_done_callback(pending.fail_with)
        self._wake()
        return await self._replies.wait(pending, within)

    def position(self, name: str) -> bytes | None:
        """The position of that name that is durable."""
        return self._positions.get(name)

    # --- this process -----------------------------------------------------------------------------

    async def send(self, target: Address, argument: bytes) -> None:
        """Take in a message of this process; waits for room and for the store, however long."""
        self.check_running()
        durable: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._send_queue.put(target, argument, Ticket(durable), self._clock.now_ms())
        self._wake()
        await durable

    async def send_and_wait(
        self, target: Address, argument: bytes, within: timedelta | None = None
    ) -> bytes:
        """Take in a message of this process like `send`, and wait for the reply to it.

        Args:
            target: The function and the id the message is for.
            argument: A serialized `TypedValue`.
            within: See `ReplyWaiters.wait`; waiting for room counts.

        Returns:
            The first message that was sent to the caller of this one, a serialized `TypedValue`;
            the turn that sent it is durable.
        """
        self.check_running()
        pending = PendingReply(target)
        now_ms = self._clock.now_ms()
        self._send_queue.put(target, argument, Ticket(pending.ticket), now_ms, pending)
        self._wake()
        return await self._replies.wait(pending, within)

    async def edit(self, change: Callable[[Engine], T]) -> T:
        """Change something by hand; returns when that is durable.

        Args:
            change: Calls what it has to; its result is returned.
        """
        self.check_running()
        self._check_store("nothing was changed")
        durable: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        outcome = change(self._engine)
        self._engine.edits.notify(Ticket(durable, _NOT_CHANGED))
        self._wake()
        await durable
        return outcome

    def check_running(self) -> None:
        """Refuse everything once the runtime stops.

        Raises:
            RuntimeStoppedError: If it does.
        """
        if not self.is_accepting:
            raise RuntimeStoppedError(
                "the runtime is stopping and takes no more messages: send again to the next one",
                state="stopping",
            ) from self._reason

    # --- the dispatcher ---------------------------------------------------------------------------

    def admit(self, now_ms: int) -> bool:
        """Take in messages that waited for room; returns whether there were any."""
        return self.is_accepting and bool(self._send_queue) and self._send_queue.admit(now_ms)

    def release(self, released: Released) -> None:
        """Answer everybody for whom a commit is durable."""
        for ticket in released.tickets:
            assert isinstance(ticket, Ticket)  # noqa: S101 - it was made here
            if not ticket.durable.done():
                ticket.durable.set_result(None)
        if released.replies:
            self._replies.release(released.replies)

    def end(self, reason: BaseException | None) -> None:
        """Leave nobody waiting: the runtime has stopped."""
        self.is_accepting = False
        self._reason = reason
        self._replies.end(reason)
        for ticket in (*self._engine.abandon(), *self._send_queue.clear()):
            assert isinstance(ticket, Ticket)  # noqa: S101 - it was made here
            if not ticket.durable.done():
                ticket.durable.set_exception(not_durable(reason))

    def _note_position(self, position: Position, durable: asyncio.Future[None]) -> None:
        if not durable.cancelled() and durable.exception() is None:
            self._positions[position.name] = position.value

    def _check_ingress(self) -> None:
        """Refuse messages of ingresses where they could not be kept, or would pile up."""
        self.check_running()
        self._check_store("the message was not kept: send it again later")
        if self.egress_without_room:
            raise AddressBusyError(
                f"the egress {self.egress_without_room!r} takes no more records at the moment; the "
                "message was not kept: send it again later"
            )

    def _check_store(self, advice: str) -> None:
        if self._committer.is_failing:
            raise StoreError(f"the data directory cannot be written to at the moment; {advice}")


def not_durable(reason: BaseException | None) -> RuntimeStoppedError:
    """The error for whoever waits for a commit that does not come any more."""
    error = RuntimeStoppedError("the runtime stopped before this was durable", state="stopped")
    error.__cause__ = reason
    return error
