"""Bugs to be planted in the runtime, to see whether the simulation finds them.

Law: a bug replaces one function of the runtime by a variation of it, and only as long as it is
planted. A bug whose place is no longer there cannot be planted, which is an error.
"""

from __future__ import annotations

from collections import deque
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from statefun.runtime.dispatcher import Dispatcher
from statefun.runtime.engine import consequences as consequences_module
from statefun.runtime.engine import declarations as declarations_module
from statefun.runtime.engine import engine as engine_module
from statefun.runtime.engine import failures as failures_module
from statefun.runtime.engine import idempotency as idempotency_module
from statefun.runtime.engine import validation as validation_module
from statefun.runtime.engine.attempts import Attempts
from statefun.runtime.engine.backlog import Backlog
from statefun.runtime.engine.changes import Changes
from statefun.runtime.engine.dead_letters import DeadLetters
from statefun.runtime.engine.declarations import Declaration, is_expired
from statefun.runtime.engine.edits import Edits
from statefun.runtime.engine.engine import Engine
from statefun.runtime.engine.failures import FailureState
from statefun.runtime.engine.holds import Holds
from statefun.runtime.engine.idempotency import IdempotencyKeys
from statefun.runtime.engine.intake import Intake
from statefun.runtime.engine.mailbox import Mailbox
from statefun.runtime.engine.policy import Rules
from statefun.runtime.engine.residency import Residency
from statefun.runtime.engine.retries import Retries
from statefun.runtime.engine.timers import Timers
from statefun.runtime.engine.trials import Trials
from statefun.runtime.engine.turns import Turns
from statefun.runtime.intake import RuntimeIntake
from statefun.runtime.outlets import Outlets
from statefun.runtime.send_queue import SendQueue
from statefun.runtime.stores import writes as writes_module
from statefun.runtime.transports.breaker import Breaker
from statefun.runtime.transports.routing import FunctionRouter
from statefun.sdk.wire import Result

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from statefun.runtime.engine.records import Delta, Released

__all__ = ["BUGS", "STORE_BUGS", "Bug"]


@dataclass(frozen=True)
class Bug:
    """A bug.

    Attributes:
        name: What goes wrong.
        owner: The class or module with the function.
        function: The function's name.
        spoil: Makes the variation from the function as it is.
    """

    name: str
    owner: Any
    function: str
    spoil: Callable[[Any], Any]

    @contextmanager
    def planted(self) -> Iterator[None]:
        """Have the bug for a while."""
        original = vars(self.owner)[self.function]
        setattr(self.owner, self.function, self.spoil(original))
        try:
            yield
        finally:
            setattr(self.owner, self.function, original)


BUGS: list[Bug] = []


STORE_BUGS: list[Bug] = []
"""Those of the store on disk, found by simulations that use it."""


def _bug(name: str, owner: Any, function: str, bugs: list[Bug] = BUGS) -> Callable[[Any], Any]:
    def add(spoil: Any) -> Any:
        bugs.append(Bug(name, owner, function, spoil))
        return spoil

    return add


def _nothing(_original: Any) -> Any:
    """The function does nothing."""
    return lambda *_: None


# --- acknowledging and releasing ------------------------------------------------------------------


@_bug("a message is acknowledged when it comes", Intake, "deliver")
def _early_acknowledgement(original: Any) -> Any:
    def deliver(self: Any, target: Any, argument: bytes, ticket: Any = None, **more: Any) -> None:
        original(self, target, argument, None, **more)
        ticket.durable.set_result(None)

    return deliver


@_bug("a commit acknowledges what came after it began", Changes, "committed")
def _late_tickets(original: Any) -> Any:
    def committed(self: Any) -> Released:
        released: Released = original(self)
        tickets, self._now.tickets = self._now.tickets, []
        return replace(released, tickets=(*released.tickets, *tickets))

    return committed


@_bug("a commit that failed is taken for done", Engine, "commit_failed")
def _failed_is_done(original: Any) -> Any:
    def commit_failed(self: Any) -> None:
        for ticket in self.committed().tickets:
            if not ticket.done():
                ticket.set_result(None)

    return commit_failed


@_bug("records are released before their commit", Changes, "committed")
def _early_egress(original: Any) -> Any:
    def committed(self: Any) -> Released:
        released: Released = original(self)
        return replace(released, egress=(*released.egress, *self._now.egress.added.values()))

    return committed


@_bug("records that nobody has are not handed over after a restart", Dispatcher, "hand_over")
def _lost_records(original: Any) -> Any:
    def hand_over(self: Any, records: Any, epoch: int = 0) -> None:
        if self.committer.commits:
            original(self, records, epoch)

    return hand_over


@_bug("the id of a record is used again after a restart", Changes, "begin")
def _id_used_again(original: Any) -> Any:
    def begin(self: Any) -> Delta | None:
        delta: Delta | None = original(self)
        return delta and replace(delta, next_seq=delta.next_seq - len(delta.egress))

    return begin


# --- what is stored -------------------------------------------------------------------------------


def _without(part: str) -> Any:
    def spoil(original: Any) -> Any:
        def begin(self: Any) -> Delta | None:
            delta: Delta | None = original(self)
            changed: dict[str, Any] = {part: ()}
            return delta and replace(delta, **changed)

        return begin

    return spoil


_bug("a message that was worked on is not deleted", Changes, "begin")(_without("consumed"))
_bug("a timer that fired is not deleted", Changes, "begin")(_without("timers_gone"))
_bug("a timer is not stored", Changes, "begin")(_without("timers"))
_bug("a record that was delivered is not deleted", Changes, "egress_removed")(_nothing)
_bug("an idempotency key is not stored", Changes, "receipt")(_nothing)
_bug("a paused address is not stored", Changes, "pause")(_nothing)


@_bug("a message is deleted one commit after its effects are stored", Changes, "begin")
def _late_deletion(original: Any) -> Any:
    late: dict[int, tuple[int, ...]] = {}

    def begin(self: Any) -> Delta | None:
        delta: Delta | None = original(self)
        if delta is None or delta.is_empty:
            return delta
        consumed, late[id(self)] = late.get(id(self), ()), delta.consumed
        return replace(delta, consumed=consumed)

    return begin


@_bug("a message counts as done when it is sent", Attempts, "_begin")
def _done_when_sent(original: Any) -> Any:
    def batch(self: Any, mailbox: Any, declared: Any, now_ms: int) -> Any:
        made = original(self, mailbox, declared, now_ms)
        for seq in made.messages:
            self._backlog._changes.message_removed(seq)
        return made

    return batch


def _forgets(part: str) -> Any:
    def spoil(original: Any) -> Any:
        def failed(self: Any) -> None:
            lost = getattr(self._in_flight, part)
            (lost if isinstance(lost, dict) else lost.added).clear()
            original(self)

        return failed

    return spoil


_bug("a failed commit loses its messages", Changes, "failed")(_forgets("messages"))
_bug("a failed commit loses its values", Changes, "failed")(_forgets("values"))
_bug("a failed commit loses paused addresses", Changes, "failed")(_forgets("paused"))
_bug("a failed commit loses idempotency keys", Changes, "failed")(_forgets("receipts"))
_bug("a failed commit loses failed attempts", Changes, "failed")(_forgets("failures"))
_bug("a failed commit loses dead letters", Changes, "failed")(_forgets("dead_letters"))


@_bug("a failed commit that was stored after all is not made up for", Changes, "failed")
def _not_made_up_for(original: Any) -> Any:
    def failed(self: Any) -> None:
        original(self)
        for tally in (self._now.messages, self._now.timers, self._now.egress):
            tally.doubtful.clear()

    return failed


def _recovers(**changes: Any) -> Any:
    """An engine that begins with something else than what the store held."""

    def spoil(original: Any) -> Any:
        def recover(self: Any, recovered: Any) -> None:
            spoiled = {name: change(recovered) for name, change in changes.items()}
            original(self, replace(recovered, **spoiled))

        return recover

    return spoil


_bug("numbers begin anew after a restart", Engine, "_recover")(_recovers(next_seq=lambda _: 1))


@_bug("a timer is lost at a restart", Timers, "__init__")
def _miscounted(original: Any) -> Any:
    def begin(self: Any, changes: Any, stored: int = 0, pages: Any = None) -> None:
        original(self, changes, max(0, stored - 1), pages)

    return begin


_bug("messages come in another order after a restart", Engine, "_recover")(
    _recovers(messages=lambda recovered: recovered.messages[::-1])
)


# --- order, time and values -----------------------------------------------------------------------


@_bug("messages of one reply are sent in another order", engine_module, "decode_reply")
def _reordered(original: Any) -> Any:
    def decode_reply(body: bytes) -> Any:
        reply = original(body)
        if isinstance(reply, Result):
            return reply._replace(messages=reply.messages[::-1])
        return reply

    return decode_reply


@_bug("timers fire early", Timers, "take_due")
def _early(original: Any) -> Any:
    return lambda self, now_ms: original(self, now_ms + 5)


@_bug("timers that are due together fire in another order", Timers, "take_due")
def _other_order(original: Any) -> Any:
    return lambda self, now_ms: original(self, now_ms)[::-1]


@_bug("a cancelled message is delivered", Timers, "cancel")
def _not_cancelled(original: Any) -> Any:
    def cancel(self: Any, sender_id: str, token: str) -> None:
        seq = self._tokens.pop((sender_id, token), None)
        if seq is not None:
            self._waiting[seq] = self._waiting[seq]._replace(token="")

    return cancel


@_bug("a cancelled message is delivered after a restart", Turns, "_cancel")
def _cancelled_in_memory(original: Any) -> Any:
    return lambda self, sender, token: self._timers.cancel(sender.id, token)


@_bug("a token that is only in the store is taken for free", Timers, "puts_off")
def _taken_for_free(_original: Any) -> Any:
    return lambda *_: False


@_bug("a reply is applied before its token was looked up", Timers, "found")
def _not_looked_up(original: Any) -> Any:
    def found(self: Any, found: Any) -> Any:
        self._looked_up = frozenset(token for *_, tokens in self._put_off for token in tokens)
        return original(self, found._replace(named=[]))

    return found


@_bug("timers fire before those of a page that is not read", Timers, "take_due")
def _ahead_of_a_page(original: Any) -> Any:
    def take_due(self: Any, now_ms: int) -> Any:
        read_to, self._read_to = self._read_to, (1 << 60, 0)
        try:
            return original(self, now_ms)
        finally:
            self._read_to = read_to

    return take_due


@_bug("a page begins behind the timers of the same time", Timers, "take_wanted")
def _skipping(original: Any) -> Any:
    def take_wanted(self: Any, now_ms: int) -> Any:
        wanted = original(self, now_ms)
        if wanted is None or wanted.after is None:
            return wanted
        self._wanted = wanted._replace(after=(wanted.after[0], 1 << 60))
        return self._wanted

    return take_wanted


@_bug("a timer that is gone comes back with a page", Timers, "committed")
def _gone_too_early(_original: Any) -> Any:
    return lambda self: self._gone.clear()


@_bug("a cancelled timer comes back with a page", Timers, "_leave")
def _not_noted(_original: Any) -> Any:
    return lambda self, timer: self._tokens.pop((timer.sender.id, timer.token), None)


@_bug("the next page is never read", Timers, "take_wanted")
def _no_next_page(original: Any) -> Any:
    def take_wanted(self: Any, now_ms: int) -> Any:
        is_first = self._read_to == (-1, -1)
        return original(self, now_ms if is_first else -(1 << 60))

    return take_wanted


@_bug("all timers are taken for read because their number says so", Timers, "found")
def _counted(original: Any) -> Any:
    def found(self: Any, found: Any) -> Any:
        replies = original(self, found)
        if self._unread <= 1:
            self._is_all_read = True
        return replies

    return found


@_bug("a value is seen at the moment when it expires", declarations_module, "is_expired")
def _seen_too_long(original: Any) -> Any:
    return lambda entry, now_ms: original(entry, now_ms - 1)


@_bug("using a value does not keep it", declarations_module.Declaration, "read")
def _not_kept(original: Any) -> Any:
    return lambda _, entry, now_ms: None if is_expired(entry, now_ms) else entry


@_bug("values of an address are forgotten before they are stored", Residency, "evict")
def _forgotten(original: Any) -> Any:
    def evict(self: Any) -> None:
        for address, mailbox in list(self._mailboxes.items()):
            if not mailbox.taken and not mailbox.failures:
                del self._mailboxes[address]

    return evict


# --- replies and failures -------------------------------------------------------------------------


@_bug("a reply to an attempt that is over is applied", Attempts, "end")
def _stale(original: Any) -> Any:
    def end(self: Any, attempt: Any) -> Any:
        mailbox = self._residency.find(attempt.address)
        if mailbox is None or mailbox.attempt is None:
            return None
        return original(self, mailbox.attempt)

    return end


@_bug("a message that failed is never tried again", Engine, "tick")
def _never_again(original: Any) -> Any:
    def tick(self: Any, now_ms: int) -> None:
        self._retries._heap.clear()
        original(self, now_ms)

    return tick


@_bug("an address that failed holds up the others", Attempts, "take")
def _held_up(original: Any) -> Any:
    def take(self: Any, now_ms: int) -> Any:
        has_failed = any(each.failures for each in self._residency)
        return [] if has_failed else original(self, now_ms)

    return take


@_bug("a batch is taken apart in another order", Mailbox, "take_apart")
def _apart(original: Any) -> Any:
    def take_apart(self: Any, size: int) -> None:
        original(self, size)
        self.taken, self.failures.parts[0] = self.failures.parts[0], self.taken

    return take_apart


@_bug("a message with a known idempotency key is delivered again", IdempotencyKeys, "find")
def _key_dropped(original: Any) -> Any:
    return lambda *_: None


# --- ends of processes ----------------------------------------------------------------------------


_bug("failed attempts are forgotten by a restart", Changes, "failure")(_nothing)
_bug("messages are tried before the store knows it", Changes, "trial")(_nothing)


@_bug("the first message of a group is blamed for all", Trials, "recover")
def _first_is_blamed(original: Any) -> Any:
    def recover(self: Any, recovered: Any, residency: Any) -> None:
        original(self, replace(recovered, trials=recovered.trials[:1]), residency)

    return recover


@_bug("an end of the process does not count", FailureState, "count")
def _does_not_count(original: Any) -> Any:
    def count(self: Any, error: Exception, now_ms: int) -> None:
        original(self, error, now_ms)
        self.deaths = 0

    return count


@_bug("what waits for a trial is never called", Trials, "_choose")
def _never_called(_original: Any) -> Any:
    return lambda *_: None


# --- limits and retention -------------------------------------------------------------------------


@_bug("an address that is full takes more", Mailbox, "is_full")
def _never_full(_original: Any) -> Any:
    return property(lambda _: False)


@_bug("a runtime that is full takes more", Intake, "is_full")
def _never_full_either(_original: Any) -> Any:
    return property(lambda _: False)


@_bug("a batch has all that waits", Mailbox, "_next_batch")
def _all_that_waits(_original: Any) -> Any:
    def next_batch(self: Any) -> Any:
        waiting, self.waiting = self.waiting, None
        return list(waiting) if waiting else None

    return next_batch


@_bug("a batch has one message too many", Mailbox, "_next_batch")
def _one_too_many(original: Any) -> Any:
    def next_batch(self: Any) -> Any:
        batch = original(self)
        if self.waiting:
            batch.append(self.waiting.popleft())
            self.waiting = self.waiting or None
        return batch

    return next_batch


@_bug("what is done counts as waiting for ever", Backlog, "finish")
def _counts_for_ever(original: Any) -> Any:
    def finish(self: Any, mailbox: Any) -> Any:
        waiting = self.waiting_bytes
        finished = original(self, mailbox)
        self.waiting_bytes = waiting
        return finished

    return finish


_bug("what is too long is sent and stored", validation_module, "_check_sizes")(_nothing)
_bug("dead letters are kept for ever", DeadLetters, "expire")(_nothing)


@_bug("idempotency keys are kept for ever", IdempotencyKeys, "expire")
def _kept_for_ever(_original: Any) -> Any:
    return lambda *_: []


@_bug("an idempotency key stands for any message", idempotency_module, "_digest")
def _any_message(_original: Any) -> Any:
    return lambda _: b""


@_bug("an idempotency key never gets old", IdempotencyKeys, "_is_old")
def _never_old(_original: Any) -> Any:
    return lambda *_: False


@_bug("messages that wait for room overtake one another", SendQueue, "admit")
def _overtaken(original: Any) -> Any:
    def admit(self: Any, now_ms: int) -> Any:
        for queue in self._queues.values():
            queue.rotate()
        return original(self, now_ms)

    return admit


# --- policies, endpoints and the clock ------------------------------------------------------------


_bug("the runtime goes on though the policy is to stop", Dispatcher, "_on_failed_attempt")(_nothing)
_bug("a clock that is set holds up retries", Retries, "clock_set")(_nothing)


@_bug("what cannot get better is tried again", consequences_module, "decide")
def _tried_again(original: Any) -> Any:
    return lambda policy, failures, size, most, *others, **options: original(
        policy, failures, size, most and most + 1, *others, **options
    )


@_bug("the topic of a message has no say", Rules, "failure_of")
def _no_say(original: Any) -> Any:
    return lambda self, typename, _: original(self, typename)


@_bug("the first message of a batch decides for all", consequences_module, "decide")
def _decides_for_all(original: Any) -> Any:
    return lambda *facts, **_: original(*facts)


@_bug("attempts with one part of a batch count for the next", FailureState, "next_part")
def _count_for_the_next(original: Any) -> Any:
    def next_part(self: Any) -> Any:
        attempts = self.attempts
        part = original(self)
        self.attempts = attempts
        return part

    return next_part


@_bug("the topic of a message is forgotten by a restart", Engine, "_recover")
def _forgotten_topic(original: Any) -> Any:
    def recover(self: Any, recovered: Any) -> None:
        messages = tuple(each._replace(topic="") for each in recovered.messages)
        original(self, replace(recovered, messages=messages))

    return recover


@_bug("a dead letter does not say its topic", Changes, "dead_letter")
def _topicless(original: Any) -> Any:
    return lambda self, letter_id, letter: original(
        self, letter_id, letter and replace(letter, topic="")
    )


@_bug("a dead letter that is sent again has lost its topic", Edits, "replay")
def _lost_topic(original: Any) -> Any:
    return lambda self, letters: original(self, [replace(each, topic="") for each in letters])


@_bug("an attempt without a connection counts", failures_module, "is_counted")
def _counts(_original: Any) -> Any:
    return lambda _: True


@_bug("what is out of reach is called all the time", Breaker, "lets_through")
def _all_the_time(_original: Any) -> Any:
    return lambda *_: True


@_bug("an endpoint for one function does not go first", FunctionRouter, "_find_endpoint")
def _not_first(_original: Any) -> Any:
    return lambda self, typename: next(
        (each for each in reversed(self._endpoints) if each.matches(typename)), None
    )


# --- values whose type a deploy changes -----------------------------------------------------------


@_bug("a message is given up whose function cannot read a value", Holds, "hold")
def _given_up(_original: Any) -> Any:
    def hold(self: Any, mailbox: Any, error: Any, now_ms: int) -> None:
        consequences = self._report.__self__
        consequences.failed(mailbox, error, now_ms, 1)

    return hold


@_bug("a held address does not go on in the next process", Engine, "retry_held")
def _stays_held(_original: Any) -> Any:
    return lambda _: None


@_bug("a hold does not survive the process", Holds, "hold")
def _lost_hold(original: Any) -> Any:
    def hold(self: Any, mailbox: Any, error: Any, now_ms: int) -> None:
        original(self, mailbox, error, now_ms)
        del self._changes._now.paused[mailbox.address]

    return hold


@_bug("an address that goes on is held after a restart", Holds, "release")
def _held_for_ever(original: Any) -> Any:
    def release(self: Any, mailbox: Any) -> None:
        pause = mailbox.failures.pause
        original(self, mailbox)
        self._changes.pause(mailbox.address, pause)

    return release


@_bug("an edit of its value leaves an address held", Edits, "set_value")
def _edited_in_vain(original: Any) -> Any:
    def set_value(self: Any, address: Any, name: str, entry: Any) -> None:
        release, self._holds.__class__.release = self._holds.__class__.release, lambda *_: None
        try:
            original(self, address, name, entry)
        finally:
            self._holds.__class__.release = release

    return set_value


@_bug("a value is sent that the function cannot read", Declaration, "readable")
def _sent_all_the_same(_original: Any) -> Any:
    return lambda _self, entry: entry


@_bug("a value is held that the function can upgrade", declarations_module, "_declaration")
def _no_upgrades(original: Any) -> Any:
    return lambda value: replace(original(value), upgrades=())


@_bug("an expiration that a deploy adds counts from the last write", Declaration, "read")
def _counts_from_the_write(original: Any) -> Any:
    return lambda self, entry, now_ms: original(
        self, entry if entry.ttl_ms else entry._replace(ttl_ms=self.ttl_ms), now_ms
    )


@_bug("a value that had expired comes back with a deploy", Declaration, "read")
def _comes_to_life(original: Any) -> Any:
    def read(self: Any, entry: Any, now_ms: int) -> Any:
        is_changed = entry.ttl_ms != self.ttl_ms
        return original(self, entry._replace(ttl_ms=0) if is_changed else entry, now_ms)

    return read


# --- ports ----------------------------------------------------------------------------------------


@_bug("a position is stored later than its messages", Changes, "position")
def _late_position(original: Any) -> Any:
    latest: dict[int, Any] = {}

    def position(self: Any, name: str, value: bytes | None) -> None:
        before = latest.get(id(self), b"0")
        latest[id(self)] = value
        original(self, name, before)

    return position


@_bug("a position is forgotten by a restart", RuntimeIntake, "position")
def _forgotten_position(_original: Any) -> Any:
    return lambda *_: None


@_bug("a delivery with a position is taken in in part", Intake, "deliver_all")
def _in_part(original: Any) -> Any:
    def deliver_all(self: Any, messages: Any, *arguments: Any, **more: Any) -> None:
        for target, argument, _, topic in messages[:-1]:
            self._add(target, None, argument, topic, "", 0)
        original(self, messages[-1:], *arguments, **more)

    return deliver_all


@_bug("records are put to an egress that pushes back", Outlets, "push")
def _pushed(_original: Any) -> Any:
    def push(self: Any) -> None:
        for typename in [each for each in self._waiting if each in self._egresses]:
            for epoch, records in self._waiting.pop(typename):
                self._egresses[typename].put(epoch, records)

    return push


@_bug("records overtake those that wait for room", Outlets, "hand_over")
def _overtaking(_original: Any) -> Any:
    def hand_over(self: Any, epoch: int, records: Any) -> None:
        waiting, self._waiting = self._waiting, {}
        _original(self, epoch, records)
        for typename, epochs in self._waiting.items():
            waiting.setdefault(typename, deque()).extend(epochs)
        self._waiting = waiting

    return hand_over


# --- edits ----------------------------------------------------------------------------------------


@_bug("an edit is answered before it is durable", RuntimeIntake, "edit")
def _early_answer(_original: Any) -> Any:
    async def make_edit(self: Any, change: Any) -> Any:
        self._wake()
        return change(self._engine)

    return make_edit


@_bug("an edit is lost when the values are loaded", Residency, "loaded")
def _loaded_over(original: Any) -> Any:
    def loaded(self: Any, address: Any, values: Any) -> Any:
        self.find(address).edits = None
        return original(self, address, values)

    return loaded


@_bug("a timer that was cancelled by hand fires after a restart", Edits, "cancel_timer")
def _cancelled_by_hand(_original: Any) -> Any:
    return lambda self, seq: self._turns._timers.remove(seq) is not None


@_bug("an address that was released is held after a restart", Changes, "pause")
def _held_again(original: Any) -> Any:
    return lambda self, at, pause: pause and original(self, at, pause)


@_bug("a dead letter comes back after a restart", Changes, "dead_letter")
def _comes_back(original: Any) -> Any:
    return lambda self, letter_id, letter: letter and original(self, letter_id, letter)


@_bug("somebody is told too early that all is done", Dispatcher, "_tell_idle_waiters")
def _told_too_early(_original: Any) -> Any:
    def tell_idle_waiters(self: Any) -> None:
        for waiter in self._idle_waiters:
            if not waiter.done():
                waiter.set_result(None)
        self._idle_waiters = []

    return tell_idle_waiters


# --- the store on disk ----------------------------------------------------------------------------


@_bug("a value that is written again counts once more", writes_module, "_PUT_VALUE", STORE_BUGS)
def _replaces_values(_original: Any) -> Any:
    return writes_module._insert("state", 7)


@_bug("a dead letter that is stored again counts twice", writes_module, "_PUT_LETTER", STORE_BUGS)
def _replaces_letters(_original: Any) -> Any:
    return writes_module._insert("dead_letter", 11)


@_bug("a value that changes its type counts as before", writes_module, "_PUT_VALUE", STORE_BUGS)
def _keeps_the_type(_original: Any) -> Any:
    return writes_module._insert("state", 7, writes_module._update("data", "touched_ms", "ttl_ms"))
