"""Waiting for replies: futures with deadlines, one for each request of this process.

Law: everybody who waits is answered once: by the reply when the commit that contains it is durable,
by the failure of the message when it is given up, by the deadline, or by the end of the runtime.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from statefun.errors import CallFailedError, CallTimeoutError, RuntimeStoppedError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import timedelta

    from statefun.runtime.clock import Alarm, Clock
    from statefun.runtime.engine.engine import Engine
    from statefun.runtime.engine.records import GivenUp
    from statefun.sdk.address import Address

__all__ = ["PendingReply", "ReplyWaiters"]


class PendingReply:
    """One request whose reply is awaited; the token by which the engine knows it.

    Attributes:
        target: The address that the request is for.
        reply: The reply, a serialized `TypedValue`.
        ticket: Done once the request is durable.
    """

    __slots__ = ("reply", "target", "ticket")

    def __init__(self, target: Address) -> None:
        loop = asyncio.get_running_loop()
        self.target = target
        self.reply: asyncio.Future[bytes] = loop.create_future()
        self.ticket: asyncio.Future[None] = loop.create_future()

    @property
    def is_accepted(self) -> bool:
        """Whether the request is durable."""
        ticket = self.ticket
        return ticket.done() and not ticket.cancelled() and ticket.exception() is None

    def fail(self, error: Exception) -> None:
        """Answer with an error, unless there is an answer."""
        if not self.reply.done():
            self.reply.set_exception(error)

    def fail_with(self, ticket: asyncio.Future[None]) -> None:
        """Answer with the error of the ticket, if it has one."""
        error = None if ticket.cancelled() else ticket.exception()
        if isinstance(error, Exception):
            self.fail(error)

    def close(self) -> None:
        """Let go of the ticket: nobody waits for it any more."""
        if not self.ticket.done():
            self.ticket.cancel()
        elif not self.ticket.cancelled():
            self.ticket.exception()  # seen, so that asyncio does not log it


class ReplyWaiters:
    """Everybody in this process who waits for a reply.

    Args:
        engine: Where the requests are.
        clock: Measures how long they wait.
    """

    def __init__(self, engine: Engine, clock: Clock) -> None:
        self._engine = engine
        self._clock = clock
        self._pending: set[PendingReply] = set()

    def __len__(self) -> int:
        return len(self._pending)

    async def wait(self, pending: PendingReply, within: timedelta | None) -> bytes:
        """Wait for the reply to a request that was handed to the engine, or waits for room.

        Args:
            pending: The request.
            within: How long; None for any time. A reply that has come by then, and of which only
                the commit is outstanding, is waited for.

        Raises:
            CallFailedError: If the message is given up.
            CallTimeoutError: If there is no reply in time.
            RuntimeStoppedError: If the runtime stops before.
        """
        self._pending.add(pending)
        deadline = None if within is None else _Deadline(self, self._clock, pending, within)
        try:
            return await pending.reply
        except BaseException:
            self._engine.intake.forget_reply(pending)
            raise
        finally:
            if deadline is not None:
                deadline.cancel()
            self._pending.discard(pending)
            pending.close()

    def time_out(self, pending: PendingReply, within: timedelta) -> None:
        """Let a request wait no more, unless its reply has come and is being made durable."""
        if not self._engine.intake.forget_reply(pending):
            pending.fail(
                CallTimeoutError(
                    pending.target, within.total_seconds(), is_accepted=pending.is_accepted
                )
            )
            pending.close()  # at once: it may wait for room, and is not taken in any more

    def release(self, replies: Iterable[tuple[object, bytes | GivenUp]]) -> None:
        """Hand out replies whose commit is durable."""
        for pending, outcome in replies:
            assert isinstance(pending, PendingReply)  # noqa: S101 - the dispatcher made it
            if pending.reply.done():
                continue
            if isinstance(outcome, bytes):
                pending.reply.set_result(outcome)
            else:
                given_up = (outcome.reason, outcome.attempts, outcome.dead_letter)
                pending.fail(CallFailedError(pending.target, *given_up))

    def end(self, reason: BaseException | None) -> None:
        """Answer everybody: the runtime has stopped, for this reason if it should not have."""
        for pending in self._pending:
            error = RuntimeStoppedError(
                "the runtime stopped before the reply came; if the message was durable, it is "
                "worked on after the next start",
                state="stopped",
            )
            error.__cause__ = reason
            pending.fail(error)


class _Deadline:
    """The time until which a request waits, by the clock's uptime."""

    __slots__ = ("_alarm", "_clock", "_due_ms", "_pending", "_waiters", "_within")

    def __init__(
        self, waiters: ReplyWaiters, clock: Clock, pending: PendingReply, within: timedelta
    ) -> None:
        self._waiters = waiters
        self._clock = clock
        self._pending = pending
        self._within = within
        self._due_ms = clock.uptime_ms() + int(within.total_seconds() * 1000)
        self._alarm: Alarm | None = None
        self._ring()

    def cancel(self) -> None:
        """Cancel the alarm."""
        if self._alarm is not None:
            self._alarm.cancel()

    def _ring(self) -> None:
        """Time out, or set the alarm again: a clock may call early."""
        left_ms = self._due_ms - self._clock.uptime_ms()
        if left_ms > 0:
            self._alarm = self._clock.call_at(self._clock.now_ms() + left_ms, self._ring)
        else:
            self._waiters.time_out(self._pending, self._within)
