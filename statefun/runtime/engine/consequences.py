"""Consequences: carries out what was decided about failed attempts.

Law: after a failed attempt the batch of an address waits for a retry, is ready in a smaller part,
or its only message is done with; or the address is paused. Other addresses are not held up.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from statefun.runtime.engine.failures import (
    FailedAttempt,
    FailureState,
    decide,
    split_point,
)
from statefun.runtime.engine.records import DeadLetter, GivenUp, PausedAddress
from statefun.runtime.engine.replies import CALLER
from statefun.sdk.failures import places_of, traced
from statefun.sdk.wire import decode_typed_value

if TYPE_CHECKING:
    from collections.abc import Callable

    from statefun.runtime.engine.backlog import Backlog
    from statefun.runtime.engine.changes import Changes
    from statefun.runtime.engine.counters import Counters
    from statefun.runtime.engine.dead_letters import DeadLetters
    from statefun.runtime.engine.mailbox import Mailbox
    from statefun.runtime.engine.policy import FailurePolicy, Rules
    from statefun.runtime.engine.replies import Replies
    from statefun.runtime.engine.retries import Retries

__all__ = ["Consequences"]

_REASON_LENGTH = 4000


class Consequences:
    """Carries out what was decided about batches that fail.

    Args:
        rules: The policies.
        random: Gives a number from 0 up to 1, for the policies.
        backlog: The messages that wait.
        retries: Where batches wait for their next attempt.
        dead_letters: Where messages go that are given up.
        replies: Those who wait for replies.
        changes: Told of each address that is paused or released.
        counters: Told of each failed attempt.

    Attributes:
        paused: How many addresses are paused.
    """

    def __init__(
        self,
        rules: Rules,
        random: Callable[[], float],
        backlog: Backlog,
        retries: Retries,
        dead_letters: DeadLetters,
        replies: Replies,
        changes: Changes,
        counters: Counters,
    ) -> None:
        self._rules = rules
        self._random = random
        self._backlog = backlog
        self._retries = retries
        self._dead_letters = dead_letters
        self._replies = replies
        self._changes = changes
        self._counters = counters
        self._failed_attempts: list[FailedAttempt] = []
        self.paused = 0

    def failed(
        self, mailbox: Mailbox, error: Exception, now_ms: int, limit: int | None = None
    ) -> None:
        """An attempt with the batch of a mailbox failed.

        Args:
            mailbox: Whose batch.
            error: Why.
            now_ms: The time.
            limit: How many attempts are worth while after this error, None for any number.
        """
        failures = mailbox.failures
        if failures is None:
            failures = mailbox.failures = FailureState()
        failures.count(error, now_ms)
        policy, topic, is_mixed = self._policy(mailbox)
        size = len(mailbox.messages)
        decision = decide(
            policy, failures, size, limit, self._random, is_mixed=is_mixed, error=error
        )
        letter = mailbox.messages[0].seq if decision.next == "dead-letter" else None
        self._counters.failed_attempts += 1
        self._failed_attempts.append(
            FailedAttempt(mailbox.address, error, failures.attempts, decision, topic, letter)
        )
        match decision.next:
            case "retry":
                self._retries.add(now_ms + decision.delay_ms, mailbox)
                self._backlog.note_failures(mailbox, failures)
            case "isolate":
                mailbox.take_apart(split_point(error, size))
                self._backlog.ready.append(mailbox)
                self._backlog.note_failures(mailbox, failures)
            case "pause":
                self._pause(mailbox, failures, error, now_ms)
            case "dead-letter" | "drop":
                self._give_up(mailbox, failures, error, now_ms, is_kept=decision.next != "drop")
            case "fail":  # whoever reads the attempt stops, and the next process begins anew
                failures.begin_anew()
                self._backlog.note_failures(mailbox, failures)

    def report(self, failed_attempt: FailedAttempt) -> None:
        """Let `take_failed_attempts` tell of something else that was decided."""
        self._failed_attempts.append(failed_attempt)

    def take_failed_attempts(self) -> list[FailedAttempt]:
        """Failed attempts since the last call."""
        failed_attempts, self._failed_attempts = self._failed_attempts, []
        return failed_attempts

    def recovered(self, paused: PausedAddress, mailbox: Mailbox) -> None:
        """An address was paused by an earlier process."""
        mailbox.failures = FailureState(pause=paused)
        self.paused += 1

    def release(self, mailbox: Mailbox) -> bool:
        """Go on with an address that is paused; returns whether it was."""
        failures = mailbox.failures
        if failures is None or failures.pause is None:
            return False
        failures.begin_anew()
        mailbox.asked = 0
        mailbox.freshness = "known"
        self.paused -= 1
        self._changes.pause(mailbox.address, None)
        if mailbox.taken is None:
            mailbox.failures = None
        else:
            self._backlog.resume(mailbox)
        self._backlog.note_failures(mailbox, failures)
        return True

    def _policy(self, mailbox: Mailbox) -> tuple[FailurePolicy, str, bool]:
        """The policy of a batch's first message, the topic it is for, and whether others differ."""
        rules, typename = self._rules, mailbox.address.typename
        kinds = dict.fromkeys(
            (message.topic, decode_typed_value(message.argument).typename)
            for message in mailbox.messages
        )
        policy, *others = [rules.failure_of(typename, *kind) for kind in kinds]
        first_topic = mailbox.messages[0].topic
        topic = first_topic if first_topic in rules.topic_failure else ""
        return policy, topic, any(other != policy for other in others)

    def _give_up(
        self,
        mailbox: Mailbox,
        failures: FailureState,
        error: Exception,
        now_ms: int,
        *,
        is_kept: bool,
    ) -> None:
        """Go on without the only message of a batch."""
        reason, attempts, first_ms, last_ms = _facts(failures, error, now_ms)
        [message] = self._backlog.finish(mailbox)
        if message.caller is not None and message.caller.typename == CALLER:
            given_up = GivenUp(reason, attempts, message.seq if is_kept else None)
            self._replies.give_up(message.caller, given_up)
        if not is_kept:
            self._counters.dropped_messages += 1
            return
        self._counters.dead_letters += 1
        letter = DeadLetter(
            message.seq,
            message.target,
            message.caller,
            message.argument,
            reason + traced(places_of(error)),
            attempts,
            first_ms,
            last_ms,
            message.topic,
        )
        self._dead_letters.add(letter)

    def _pause(
        self, mailbox: Mailbox, failures: FailureState, error: Exception, now_ms: int
    ) -> None:
        """Pause an address with everything that waits for it."""
        reason, *times = _facts(failures, error, now_ms)
        text = reason + traced(places_of(error))
        pause = failures.pause = PausedAddress(mailbox.address, text, times[0], times[1], times[2])
        self._counters.pauses += 1
        self.paused += 1
        self._backlog.hold()
        self._backlog.note_failures(mailbox, failures)
        self._changes.pause(mailbox.address, pause)


def _facts(failures: FailureState, error: Exception, now_ms: int) -> tuple[str, int, int, int]:
    """The facts of a failure: why, after how many attempts, when it was first, and last."""
    assert failures.first_failed_ms is not None, "no attempt failed"  # noqa: S101 - our invariant
    sentence = (str(error) or type(error).__name__)[:_REASON_LENGTH]
    reason = sentence.encode(errors="backslashreplace").decode()
    return reason, failures.attempts, failures.first_failed_ms, now_ms
