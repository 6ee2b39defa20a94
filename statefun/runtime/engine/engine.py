"""The engine: the state machine that decides everything the embedded runtime does.

Events and the time go in by methods; what is to be done comes out of `attempts` and of the commit.
The engine is the place where its parts meet; each part has a law of its own.

Rule 1: nothing here waits, reads a clock, draws a random number of its own, or does any I/O.
Rule 2: a reply is checked whole before anything of it is applied, and applied whole within one
call; between two calls everything held in memory is consistent.
Rule 3: nothing that a commit does not contain is ever handed out as released.

Source:
    How a reply is applied, and in which order, is what Apache StateFun does (RequestReplyFunction,
    PersistedRemoteFunctionValues, DelaySink); docs/embedded-runtime.md lists the differences.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from statefun.errors import (
    InvalidMessageError,
    ProcessEndedError,
    RemoteProtocolError,
    UnknownEgressError,
)
from statefun.runtime.engine.attempts import Attempts
from statefun.runtime.engine.backlog import Backlog
from statefun.runtime.engine.barrier import Barrier
from statefun.runtime.engine.changes import Changes
from statefun.runtime.engine.consequences import Consequences
from statefun.runtime.engine.counters import Counters
from statefun.runtime.engine.dead_letters import DeadLetters
from statefun.runtime.engine.declarations import DeclaredFunctions
from statefun.runtime.engine.edits import Edits
from statefun.runtime.engine.failures import NO_RETRY, UNDECODABLE_ATTEMPTS, attempt_limit
from statefun.runtime.engine.holds import Holds, is_about_a_value
from statefun.runtime.engine.idempotency import IdempotencyKeys
from statefun.runtime.engine.intake import Intake
from statefun.runtime.engine.policy import Rules
from statefun.runtime.engine.records import Recovered
from statefun.runtime.engine.replies import Replies
from statefun.runtime.engine.residency import Residency
from statefun.runtime.engine.retries import Retries
from statefun.runtime.engine.timers import Timers
from statefun.runtime.engine.trials import Trials
from statefun.runtime.engine.turns import Turns
from statefun.runtime.engine.validation import ReplyCheck
from statefun.sdk.wire import Result, decode_reply, is_marked

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from statefun.runtime.engine.declarations import Declarations
    from statefun.runtime.engine.failures import FailedAttempt
    from statefun.runtime.engine.mailbox import Attempt, Mailbox
    from statefun.runtime.engine.records import Delta, Released
    from statefun.runtime.engine.timers import Pages
    from statefun.runtime.engine.validation import EgressChecks, KnownFunctions
    from statefun.sdk.wire import Reply

__all__ = ["Engine"]

_MANY_TYPENAMES = 10_000
"""So many typenames are remembered that strangers may have made up."""


class Engine:
    """The state machine of one runtime.

    Args:
        functions: Which typenames can be addressed.
        egresses: Egress typename → check of a record; asked anew for each record.
        recovered: The contents of the store.
        rules: The policies and limits.
        random: Gives a number from 0 up to 1, for the policies.
        max_resident: So many addresses are kept in memory; idle ones above it are forgotten once
            the store has all of them.
        max_resident_bytes: The same for the bytes of their values.
        timer_pages: How delayed messages are read from the store.
        can_end_process: Whether a call of a function can end the process, by its typename; None if
            none can, or if the store does not survive the process.
        can_change: Whether a function can be deployed anew while this engine runs, by its typename.

    Attributes:
        counters: How often things have happened.
        residency: The addresses in memory.
        backlog: The messages that wait.
        attempts: Says which batches are to be called.
        timers: The delayed messages.
        dead_letters: The messages that were given up.
        declared: The values that functions are known to declare.
        intake: Takes messages of ingresses in.
        edits: Makes changes by hand.
    """

    def __init__(
        self,
        functions: KnownFunctions,
        egresses: EgressChecks,
        *,
        recovered: Recovered | None = None,
        rules: Rules | None = None,
        random: Callable[[], float] = lambda: 0.0,
        max_resident: int = 100_000,
        max_resident_bytes: int = 256 << 20,
        timer_pages: Pages | None = None,
        can_end_process: Callable[[str], bool] | None = None,
        can_change: Callable[[str], bool] = lambda _: False,
    ) -> None:
        rules, recovered = rules or Rules(), recovered or Recovered()
        limits_of = lru_cache(_MANY_TYPENAMES)(rules.limits_of)
        counters = self.counters = Counters()
        changes = self._changes = Changes()
        self.declared = DeclaredFunctions()
        self.timers = Timers(changes, recovered.timers, timer_pages)
        self._retries = Retries()
        self.residency = Residency(
            changes, limits_of, rules.address_share, max_resident, max_resident_bytes
        )
        self.backlog = Backlog(self.residency, changes)
        self._barrier = Barrier(self.backlog.ready)
        self.dead_letters = DeadLetters(
            rules.dead_letters, recovered.dead_letters, recovered.letter_times, changes, counters
        )
        self._replies = Replies(changes, self.dead_letters, counters)
        self.intake = Intake(
            functions,
            limits_of,
            rules.max_waiting_bytes,
            IdempotencyKeys(rules.idempotency_keys, recovered.receipts),
            self._replies,
            self.residency,
            self.backlog,
            changes,
            counters,
        )
        self._consequences = Consequences(
            rules,
            random,
            self.backlog,
            self._retries,
            self.dead_letters,
            self._replies,
            changes,
            counters,
        )
        self._holds = Holds(self.backlog, changes, self._consequences.report, can_change)
        self._trials = None if can_end_process is None else Trials(can_end_process, changes)
        self.attempts = Attempts(
            self.residency,
            self.backlog,
            self.declared,
            self._barrier,
            self._trials,
            self._holds,
            counters,
        )
        self._turns = Turns(
            self.residency, self.backlog, self.timers, self._replies, changes, counters
        )
        self.edits = Edits(
            functions,
            self.declared,
            self.residency,
            self.backlog,
            self.dead_letters,
            self._consequences,
            self._holds,
            self._turns,
            self.timers,
            changes,
        )
        self._reply_check = ReplyCheck(functions, egresses, self.timers)
        self._recover(recovered)

    def _recover(self, recovered: Recovered) -> None:
        self._changes.next_seq = self._changes.durable_seq = recovered.next_seq
        for paused in recovered.paused:
            part = self._consequences if paused.cause == "failure" else self._holds
            part.recovered(paused, self.residency.open(paused.address))
        for message in recovered.messages:
            self.backlog.put(message)
        for record in recovered.failures:
            self.residency.open(record.address).recover(record)
        if self._trials is not None:
            self._trials.recover(recovered, self.residency)

    # --- what goes in -----------------------------------------------------------------------------

    def replied(self, attempt: Attempt, reply: bytes, now_ms: int) -> None:
        """A function answered. Applied at once, whole; or not at all if the reply is invalid.

        A reply to an attempt that is over changes nothing. One with tokens that have to be looked
        up waits for that; see `Timers.found`.
        """
        mailbox = self.attempts.end(attempt)
        if mailbox is None:
            return
        declared = self.declared.of(mailbox.address.typename)
        decoded = self._checked(mailbox, attempt, reply, declared, now_ms)
        if isinstance(decoded, Result):
            self._turns.apply(mailbox, decoded, declared, now_ms)
            if is_marked(reply) and self._changes.has_new:
                targets = [self.residency.find(each.target) for each in decoded.messages]
                self._barrier.hold((mailbox, *(each for each in targets if each is not None)))
            if mailbox.was_held:
                self._holds.got_through(mailbox)
        elif decoded is not None:
            self.backlog.ready.append(mailbox)

    def _checked(
        self, mailbox: Mailbox, attempt: Attempt, reply: bytes, declared: Declarations, now_ms: int
    ) -> Reply | None:
        """A reply that can be applied, or asks for values; None if it failed or has to wait."""
        failed = self._consequences.failed
        try:
            decoded = decode_reply(reply)
        except RemoteProtocolError as error:
            failed(mailbox, error, now_ms, UNDECODABLE_ATTEMPTS)
            return None
        try:
            if isinstance(decoded, Result):
                if decoded.delayed and self.timers.puts_off(attempt, reply, decoded.delayed):
                    mailbox.attempt = attempt  # as if the reply was still on its way
                    return None
                self._reply_check.check(mailbox.address, decoded, declared, mailbox.limits)
            else:
                self.counters.incomplete_replies += 1
                mailbox.freshness = "fresh" if mailbox.freshness == "ask" else mailbox.freshness
                self.declared.declare(mailbox, attempt, decoded.missing)
        except UnknownEgressError as error:  # it may begin to exist
            failed(mailbox, error, now_ms)
        except (RemoteProtocolError, InvalidMessageError) as error:
            if mailbox.freshness == "known" and declared.is_outdated_by(decoded):
                self.attempts.ask_anew(mailbox)
            else:
                failed(mailbox, error, now_ms, NO_RETRY)
        else:
            return decoded
        return None

    def failed(self, attempt: Attempt, error: Exception, now_ms: int) -> None:
        """An attempt gave no reply. Other addresses are not held up by it."""
        mailbox = self.attempts.end(attempt)
        if mailbox is None:
            return
        if is_about_a_value(error):
            self.attempts.unreadable(mailbox, error, now_ms)
        else:
            self._consequences.failed(mailbox, error, now_ms, attempt_limit(error))

    def tick(self, now_ms: int) -> None:
        """Let due timers fire, and make batches ready whose retry is due."""
        if self._trials is not None and self._trials.convict is not None:
            self._convict(self._trials.convict, now_ms)
            self._trials.convict = None
        self.dead_letters.expire(now_ms)
        self._turns.fire(now_ms)
        self.backlog.ready += self._retries.take_due(now_ms)
        self._holds.tick(now_ms)

    def _convict(self, mailbox: Mailbox, now_ms: int) -> None:
        """Count the attempt that ended the last process."""
        self.backlog.ready.remove(mailbox)
        mailbox.try_first(1)
        error = ProcessEndedError(mailbox.address, mailbox.messages[0].seq)
        self._consequences.failed(mailbox, error, now_ms)
        self._changes.trial(())

    def retry_held(self) -> None:
        """Try the addresses again that were held because of a value: the functions are others."""
        self._holds.release_all()

    def retry_unreachable_now(self, is_meant: Callable[[str], bool]) -> None:
        """Make batches ready that wait for a connection, if their function `is_meant`."""
        self.backlog.ready += self._retries.take_unreachable(is_meant)

    def clock_set(self, by_ms: int) -> None:
        """The clock was set, so that it shows so much more.

        A retry waits as long as it would have; timers wait for their time by the clock.
        """
        self._retries.clock_set(by_ms)
        self._holds.clock_set(by_ms)

    def egress_delivered(self, ids: Iterable[int]) -> None:
        """A sink has written these records out; the next commit forgets them."""
        for record_id in ids:
            self._changes.egress_removed(record_id)

    # --- what comes out ---------------------------------------------------------------------------

    def take_failed_attempts(self) -> list[FailedAttempt]:
        """Failed attempts since the last call, for whoever logs them."""
        return self._consequences.take_failed_attempts()

    def next_wake_ms(self) -> int | None:
        """When `tick` has something to do next, None if never."""
        parts = (self.timers, self._retries, self._holds)
        return min(
            (due_ms for part in parts if (due_ms := part.next_due_ms()) is not None), default=None
        )

    @property
    def is_idle(self) -> bool:
        """Whether no message waits or is being worked on. Timers and paused ones may wait."""
        return self.backlog.busy == 0 and not self.timers.is_behind

    @property
    def awaits_commit(self) -> bool:
        """Whether a batch is held back until what has changed is durable."""
        return self._barrier.has_stopped

    @property
    def paused_addresses(self) -> int:
        """How many addresses are paused."""
        return self._consequences.paused + len(self._holds)

    # --- commits ----------------------------------------------------------------------------------

    def begin_commit(self) -> Delta | None:
        """Everything that changed since the last commit; None if nobody needs one, or one runs.

        To be followed by one `committed` or `commit_failed`. Events may come in meanwhile; they
        belong to the next commit.
        """
        delta = self._changes.begin()
        if delta is not None and self._barrier.is_active:
            self._barrier.begin()
        return delta

    def committed(self) -> Released:
        """The delta is durable; returns the tickets and the egress records it contains."""
        released = self._changes.committed()
        if self._barrier.is_active:
            self._barrier.committed()
        if self._trials is not None and self._trials.is_active:
            self._trials.committed()
        self.timers.committed()
        if self.residency.is_over:
            self.residency.evict()
        return released

    def commit_failed(self) -> tuple[object, ...]:
        """The delta could not be stored; nothing is released, the next commit contains it.

        Returns:
            The tickets that were not released, for whoever does not want to wait for the next.
        """
        self._barrier.failed()
        return self._changes.failed()

    @property
    def has_changes(self) -> bool:
        """Whether there is something that is not durable, or somebody who waits for it."""
        return self._changes.has_changes

    def end(self) -> None:
        """Say with the next commit, the last one, that the process ended in an orderly way."""
        if self._trials is not None:
            self._trials.end()

    def abandon(self) -> tuple[object, ...]:
        """The tickets that will never be released, when no more commits are to come."""
        return self._changes.abandon()
