"""The turn: state and messages of one address in, one reply out. The core of durable execution.

Law: a turn is a function of its state, its messages, the time and the outcomes of effects. It does
no I/O: who drives it performs the effects that `effects.wave` names, tells their outcomes to
`effects.complete`, and commits what `end` returns as a whole or not at all.

Each event is told by itself, and the handler runs until it waits before the next one is told. So it
makes no difference to a handler how messages were batched, and where a turn ended.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from statefun.durable import _proto
from statefun.durable.attempts import Attempts
from statefun.durable.effects import Effects
from statefun.durable.execution import Execution
from statefun.durable.inbox import Inbox
from statefun.durable.surroundings import Surroundings

if TYPE_CHECKING:
    from collections.abc import Mapping

    from statefun.durable.declaration import Declaration
    from statefun.durable.directory import Directory
    from statefun.durable.execution import FrontEnd
    from statefun.durable.outbox import Outbox

__all__ = ["Cached", "Reply", "Turn"]


@dataclass(slots=True)
class Cached:
    """The executions of an address that stay in memory between turns.

    Attributes:
        stamp: Valid only for a state with the same stamp.
        executions: The executions.
    """

    stamp: int
    executions: list[Execution]

    def close(self) -> None:
        """Put the live coroutines away."""
        for execution in self.executions:
            execution.put_away()


@dataclass(slots=True)
class Reply:
    """What a turn asks for.

    Attributes:
        values: Name → what is to be kept, None to delete it; only what differs.
        outbox: What is to be sent.
        cached: What may stay in memory.
        has_acted: Whether effects were performed whose results must be durable before anybody acts
            on them.
    """

    values: dict[str, bytes | None]
    outbox: Outbox
    cached: Cached | None = None
    has_acted: bool = False


class Turn:
    """One turn of an address of a service, object or workflow.

    Args:
        directory: All services.
        declaration: The one whose address it is.
        front_end: Who knows how its executions run.
        typename: The typename of the address.
        target_id: Its id.
        values: Name → what is kept, None if there is nothing.
        now_ms: The time.
        nonce: Chance for this turn: a number that no other turn has.
        cached: What an earlier turn of this process left in memory.

    Attributes:
        attempts: What became of attempts of handlers.
        effects: What handlers do to the world; after a wave of them, `resume`.
    """

    def __init__(
        self,
        directory: Directory,
        declaration: Declaration,
        front_end: FrontEnd,
        typename: str,
        target_id: str,
        values: Mapping[str, bytes | None],
        now_ms: int,
        nonce: int,
        cached: Cached | None = None,
    ) -> None:
        self._here: Surroundings[Execution] = Surroundings(
            directory, declaration, typename, target_id, values, now_ms
        )
        self._front_end = front_end
        self._nonce = nonce
        self.attempts = Attempts(self._here, front_end)
        self._inbox = Inbox(self._here, self.attempts)
        self.effects = Effects(self._here, self.attempts)
        self._begun = 0
        self._must_go_on = False
        self._here.executions = self._load(cached)
        for execution in self._here.executions:
            execution.join(self._here)

    def _load(self, cached: Cached | None) -> list[Execution]:
        kept = self._here.kept
        if cached is not None and cached.stamp == kept.host.stamp:
            return cached.executions
        if cached is not None:
            cached.close()
        return [
            Execution(header, self._here.declaration, self._front_end, kept)
            for header in tuple(kept.host.executions)
        ]

    def receive(self, envelope: _proto.Envelope) -> None:
        """Take a message and do everything that follows from it."""
        self._inbox.take(envelope)
        self.resume()

    def resume(self) -> None:
        """Tell what is to be told, until nothing is left to do but effects."""
        events = self._here.events
        while True:
            if events:
                event = events.popleft()
                self.attempts.tell(event.execution, event.record)
            elif not (self._fire_due() or self._begin_next()):
                break

    def _fire_due(self) -> bool:
        """Let the first execution go on whose time has come; whether there was one."""
        now_ms, attempts = self._here.now_ms, self.attempts
        for execution in tuple(self._here.executions):
            header = execution.header
            if header.status in (_proto.BACKOFF, _proto.BLOCKED):
                if 0 < header.due_ms <= now_ms:
                    attempts.go_on(execution)
                    return True
            elif header.status != _proto.RUNNING:
                continue
            elif execution.run is not None:
                record = execution.run.due_timer(now_ms)
                if record is not None:
                    attempts.tell(execution, record)
                    return True
            elif 0 < header.due_ms <= now_ms:
                attempts.awake(execution)
                return True
        receipt = self._here.kept.receipt
        if receipt is not None and receipt.expires_ms <= now_ms:
            attempts.forget()
            return True
        return False

    def _begin_next(self) -> bool:
        """Begin the next exclusive invocation that may; whether there was one."""
        here = self._here
        if here.active is not None:
            return False
        for position, waiting in enumerate(here.kept.queue):
            if waiting.start_ms <= here.now_ms:
                if (
                    self._begun >= here.limits.turn_invocations
                    or here.outbox.sent_bytes >= here.limits.reply_bytes
                ):
                    self._must_go_on = True
                    return False
                self._begun += 1
                self.attempts.begin(here.kept.dequeue(position))
                return True
        return False

    def abandon(self) -> None:
        """Put away what is in memory: the turn has failed, and nothing of it counts."""
        for execution in self._here.executions:
            execution.put_away()

    def end(self) -> Reply:
        """The reply; the turn is over."""
        here = self._here
        for execution in here.executions:
            self._account(execution)
        here.outbox.arm(here.kept.host, self._first_due_ms(), here.now_ms, self._nonce)
        if self._must_go_on:
            here.outbox.send(here.typename, here.target_id, _proto.Envelope(wake=True))
        cached = Cached(self._nonce, here.executions) if here.executions else None
        headers = [execution.header for execution in here.executions]
        journal = None if here.active is None else here.active.journal
        values = here.kept.changes(headers, journal, here.now_ms, self._nonce)
        return Reply(values, here.outbox, cached)

    def _account(self, execution: Execution) -> None:
        """Bring an execution's header up to date, and see whether it has more to do at once."""
        if execution.run is None:
            return
        execution.save()
        due_ms = execution.run.next_due_ms()
        execution.header.due_ms = due_ms
        if 0 < due_ms <= self._here.now_ms:
            self._must_go_on = True

    def _first_due_ms(self) -> int:
        """When something is due first; 0 for never."""
        here = self._here
        dues = [
            execution.header.due_ms
            for execution in here.executions
            if execution.header.due_ms > here.now_ms and execution.header.status != _proto.PAUSED
        ]
        dues += [each.start_ms for each in here.kept.queue if each.start_ms > here.now_ms]
        if here.kept.receipt is not None:
            dues.append(here.kept.receipt.expires_ms)
        return min(dues, default=0)
