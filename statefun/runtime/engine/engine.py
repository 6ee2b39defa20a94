"""The engine: the state machine that decides everything the embedded runtime does.

Events and the time go in by methods; what is to be done comes out of `take_…` and of the commit.

Rule 1: nothing here waits, reads a clock, draws a random number of its own, or does any I/O.
Rule 2: a reply is checked whole before anything of it is applied, and applied whole within one
call; between two calls everything held in memory is consistent.
Rule 3: nothing that a commit does not contain is ever handed out as released.

Source:
    How a reply is applied, and in which order, is what Apache StateFun does (RequestReplyFunction,
    PersistedRemoteFunctionValues, DelaySink); docs/embedded-runtime.md lists the differences.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from functools import lru_cache
from heapq import heappop, heappush
from itertools import count, islice
from typing import TYPE_CHECKING, Any

from statefun.errors import (
    AddressBusyError,
    InvalidMessageError,
    MessageTooLargeError,
    RemoteProtocolError,
    UnknownEgressError,
    UnknownFunctionError,
)
from statefun.runtime.engine.changes import Changes
from statefun.runtime.engine.counters import Counters
from statefun.runtime.engine.declarations import Declarations
from statefun.runtime.engine.failures import (
    NO_RETRY,
    UNDECODABLE_ATTEMPTS,
    FailedAttempt,
    FailureState,
    attempt_limit,
    decide,
    split_point,
)
from statefun.runtime.engine.idempotency import Receipts
from statefun.runtime.engine.mailbox import Batch, Mailbox
from statefun.runtime.engine.policy import Rules
from statefun.runtime.engine.records import (
    DeadLetter,
    GivenUp,
    OutboxRecord,
    PausedAddress,
    PendingMessage,
    Recovered,
    Timer,
)
from statefun.runtime.engine.replies import CALLER, Replies, caller_of
from statefun.runtime.engine.timers import Timers
from statefun.runtime.engine.validation import ReplyCheck
from statefun.sdk.wire import Cancellation, Incomplete, decode_reply, encode_request

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from statefun.runtime.engine.records import Delta, Released, StoredEntry
    from statefun.runtime.engine.validation import EgressChecks, KnownFunctions
    from statefun.sdk.address import Address
    from statefun.sdk.wire import DelayedMessage, MissingValue, Result

__all__ = ["Engine"]

_REASON_LENGTH = 4000

_MANY_TYPENAMES = 10_000
"""So many typenames are remembered that strangers may have made up."""

_EVICT_LOOKS = 100
"""So many addresses, and twice those that are too many, are looked at after a commit."""

_NONE_DECLARED = Declarations()

_NOBODY_WAITS = (
    "nobody waits for this reply: one was given before, the wait was over, or the runtime was "
    "started anew"
)

_MOST_QUESTIONS = 10
"""So often a function may ask for more values for one batch; more is an invalid reply."""


class Engine:
    """The state machine of one runtime.

    Args:
        functions: Which typenames can be addressed.
        egresses: Egress typename → check of a record; asked anew for each record.
        recovered: What the store held.
        rules: What becomes of messages that fail, and how much there may be.
        random: Gives a number from 0 up to 1, for the policies.
        max_resident: So many addresses are kept in memory; idle ones above it are forgotten once
            the store has all of them.
        max_resident_bytes: The same for the bytes of their values.
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
    ) -> None:
        self.counters = Counters()
        self._functions = functions
        self._rules = rules or Rules()
        self._random = random
        self._max_resident = max_resident
        self._max_resident_bytes = max_resident_bytes
        self._resident_bytes = 0  # of the values in all mailboxes
        self._limits_of = lru_cache(_MANY_TYPENAMES)(self._rules.limits_of)
        self._declared: dict[str, Declarations] = {}  # function typename → its values, if any
        self._mailboxes: dict[Address, Mailbox] = {}
        self._waiting_bytes = 0  # what the messages in all mailboxes count for
        self._busy = 0  # how many mailboxes have a batch
        self._ready: deque[Mailbox] = deque()  # those whose batch is to be sent
        self._loads: list[Address] = []
        self._retries: list[tuple[int, int, Mailbox]] = []  # heap of (ready at, tie break, whose)
        self._ties = count()
        self._failed_attempts: list[FailedAttempt] = []
        self._timers = Timers()
        self._changes = Changes()
        self._replies = Replies()
        self._reply_check = ReplyCheck(functions, egresses, self._timers)
        self._recover(recovered or Recovered())

    def _recover(self, recovered: Recovered) -> None:
        self._next_seq = recovered.next_seq
        self._receipts = Receipts(self._rules.receipts, recovered.receipts)
        self._dead_letters = OrderedDict(recovered.dead_letters)  # id → when it failed last
        self._paused = 0
        for pause in recovered.paused:
            self._mailbox(pause.address).failures = FailureState(pause=pause)
            self._paused += 1
        for timer in recovered.timers:
            self._timers.add(timer)
        for message in recovered.messages:
            self._put(message)

    # --- what goes in -----------------------------------------------------------------------------

    def deliver(
        self,
        target: Address,
        argument: bytes,
        ticket: object | None = None,
        *,
        key: str = "",
        topic: str = "",
        now_ms: int = 0,
        reply: object | None = None,
    ) -> None:
        """Take in a message from an ingress.

        Args:
            target: Whom it is for.
            argument: A serialized `TypedValue`.
            ticket: Comes out of `committed` once the message is durable; None for nobody waits.
            key: The idempotency key, empty for none. A repeat is not taken in again; its ticket
                comes out once the first one is durable.
            topic: The topic of the ingress that it came from, empty for none.
            now_ms: The time, if there is a key or a reply is awaited.
            reply: Comes out of `committed` with the reply, the first message that is sent to the
                caller of this one; None if nobody waits for it. With a repeat, one more waits for
                the reply to the first; if that has been given, none comes. See `forget_reply`.

        Raises:
            UnknownFunctionError: If there is no such function; nothing is kept.
            InvalidMessageError: If the id, the key or the topic cannot be written as UTF-8, the
                message is too long, or the key was used for another message; nothing is kept.
            AddressBusyError: If too much waits for the address, or for all; nothing is kept.
        """
        self.check(target, argument)
        for what, text in (("key", key), ("topic", topic)):
            if text:
                _check_text(f"the {what}", text, target)
        first = self._receipts.find((target, key), argument, now_ms) if key else None
        caller = None
        if reply is not None:
            number = (self._next_seq, now_ms) if first is None else (first.seq, first.taken_ms)
            caller = caller_of(*number)
        if first is None:
            self._take_in(target, caller, argument, key, topic, now_ms)
        else:
            self.counters.repeats += 1
        if caller is not None:
            self._replies.expect(caller, reply)
        if ticket is not None:
            self._changes.ticket(ticket)

    def _take_in(
        self,
        target: Address,
        caller: Address | None,
        argument: bytes,
        key: str,
        topic: str,
        now_ms: int,
    ) -> None:
        mailbox = self._mailboxes.get(target)
        if self.is_full:
            self.counters.refused_messages += 1
            raise AddressBusyError(
                f"{self._waiting_bytes} bytes of messages wait in the runtime for all addresses "
                "together, and it takes no more for now: send again later"
            )
        if mailbox is not None and mailbox.is_full:
            self.counters.refused_messages += 1
            way_out = "takes no more for now: send again later"
            if mailbox.is_paused:
                way_out = "is paused: release it with 'statefun paused release', then send again"
            raise AddressBusyError(
                f"{mailbox.count} messages of {mailbox.size} bytes wait for {target}, which "
                f"{way_out}"
            )
        self.counters.ingress_messages += 1
        if key:
            receipt = self._receipts.add((target, key), self._next_seq, argument, now_ms)
            self._changes.receipt((target, key), receipt)
            for old in self._receipts.expire(now_ms):
                self._changes.receipt(old, None)
        self._enqueue(target, caller, argument, topic)

    def forget_reply(self, token: object) -> bool:
        """Let the token of a request wait no more; a reply that comes then is a dead letter.

        Returns:
            Whether its reply has come before, and will be handed out with a commit.
        """
        return not self._replies.forget(token) and self._changes.has_reply(token)

    def check(self, target: Address, argument: bytes) -> None:
        """Refuse a message from an ingress that could never be taken in; see `deliver`."""
        if target.typename == CALLER or not self._functions.knows(target.typename):
            raise UnknownFunctionError(target.typename, self._functions.typenames)
        _check_text("the id", target.id, target)
        longest = self._limits_of(target.typename).max_message_bytes
        if len(argument) > longest:
            raise MessageTooLargeError(
                f"a message to {target} has {len(argument)} bytes, and the limit is {longest}: "
                "send less, or raise the limit of the function"
            )

    def has_room(self, address: Address) -> bool:
        """Whether an address takes messages from ingresses."""
        mailbox = self._mailboxes.get(address)
        return not self.is_full and (mailbox is None or not mailbox.is_full)

    @property
    def is_full(self) -> bool:
        """Whether no address takes messages from ingresses."""
        return self._waiting_bytes >= self._rules.max_waiting_bytes

    def replied(self, batch: Batch, reply: bytes, now_ms: int) -> None:
        """A function answered. Applied at once, whole; or not at all if the reply is invalid.

        A reply to an attempt that is over changes nothing.
        """
        mailbox = self._flown(batch)
        if mailbox is None:
            return
        try:
            decoded = decode_reply(reply)
        except RemoteProtocolError as error:
            self._set_back(mailbox, error, now_ms, UNDECODABLE_ATTEMPTS)
            return
        try:
            if isinstance(decoded, Incomplete):
                self._declare(mailbox, batch, decoded.missing)
            else:
                declared = self._declarations(mailbox.address.typename)
                self._reply_check.check(mailbox.address, decoded, declared, mailbox.limits)
        except UnknownEgressError as error:  # it may begin to exist
            self._set_back(mailbox, error, now_ms)
            return
        except (RemoteProtocolError, InvalidMessageError) as error:
            self._set_back(mailbox, error, now_ms, NO_RETRY)
            return
        if isinstance(decoded, Incomplete):
            self._ready.append(mailbox)
        else:
            self._apply(mailbox, decoded, now_ms)

    def failed(self, batch: Batch, error: Exception, now_ms: int) -> None:
        """An attempt gave no reply. Other addresses are not held up by it."""
        mailbox = self._flown(batch)
        if mailbox is not None:
            self._set_back(mailbox, error, now_ms, attempt_limit(error))

    def tick(self, now_ms: int) -> None:
        """Let due timers fire, and make batches ready whose retry is due."""
        self._expire_dead_letters(now_ms)
        for timer in self._timers.take_due(now_ms):
            self.counters.timers_fired += 1
            self._changes.timer_went(timer.seq)
            if timer.target.typename == CALLER:
                self._reply(timer.target, timer.sender, timer.argument, now_ms)
            else:
                self._enqueue(timer.target, timer.sender, timer.argument)
        while self._retries and self._retries[0][0] <= now_ms:
            self._ready.append(heappop(self._retries)[2])

    def hurry(self, is_meant: Callable[[str], bool]) -> None:
        """Make batches ready that wait because no connection could be made.

        Args:
            is_meant: Whether a function typename can be reached again.
        """
        later = []
        for entry in sorted(self._retries):
            mailbox = entry[2]
            failures = mailbox.failures
            if failures is not None and failures.misses and is_meant(mailbox.address.typename):
                self._ready.append(mailbox)
            else:
                later.append(entry)
        self._retries = later

    def clock_set(self, by_ms: int) -> None:
        """The clock was set, so that it shows so much more.

        What is tried again waits as long as it would have; timers wait for their time by the clock.
        """
        self._retries = [(at_ms + by_ms, tie, whose) for at_ms, tie, whose in self._retries]

    def loaded(self, address: Address, values: Mapping[str, StoredEntry]) -> None:
        """Take in what the store holds for an address that `take_loads` named."""
        mailbox = self._mailboxes[address]
        mailbox.values = dict(values)
        if mailbox.changed_in > self._changes.durable_epoch:
            for name, entry in self._changes.values_of(address):
                if entry is None:
                    mailbox.values.pop(name, None)
                else:
                    mailbox.values[name] = entry
        self._resident_bytes += _size(mailbox.values)
        self._ready.append(mailbox)

    def egress_delivered(self, ids: Iterable[int]) -> None:
        """A sink has written these records out; the next commit forgets them."""
        for record_id in ids:
            self._changes.egress_went(record_id)

    # --- what comes out ---------------------------------------------------------------------------

    def take_batches(self, now_ms: int) -> list[Batch]:
        """Requests to be made, each answered by one `replied` or `failed`.

        Building a request reads the values, which counts for those that expire after a call.
        Addresses whose values have to be loaded first are in `take_loads` afterwards.
        """
        batches = []
        while self._ready:
            mailbox = self._ready.popleft()
            declared = self._declarations(mailbox.address.typename)
            if declared and mailbox.values is None:
                self._loads.append(mailbox.address)
                continue
            try:
                batches.append(self._batch(mailbox, declared, now_ms))
            except RemoteProtocolError as error:
                self._set_back(mailbox, error, now_ms, NO_RETRY)
        return batches

    def take_loads(self) -> list[Address]:
        """Addresses whose stored values are needed; give them to `loaded`, then take batches."""
        loads, self._loads = self._loads, []
        return loads

    def take_failed_attempts(self) -> list[FailedAttempt]:
        """Failed attempts since the last call, for whoever logs them."""
        failed_attempts, self._failed_attempts = self._failed_attempts, []
        return failed_attempts

    def next_wake_ms(self) -> int | None:
        """When `tick` has something to do next, None if never."""
        due_ms = self._timers.next_due_ms()
        if not self._retries:
            return due_ms
        retry_ms = self._retries[0][0]
        return retry_ms if due_ms is None else min(due_ms, retry_ms)

    @property
    def is_idle(self) -> bool:
        """Whether no message waits or is being worked on. Timers and paused ones may wait."""
        return self._busy == 0

    @property
    def busy_addresses(self) -> int:
        """How many addresses have messages."""
        return self._busy

    @property
    def paused_addresses(self) -> int:
        """How many addresses are held."""
        return self._paused

    @property
    def dead_letters(self) -> int:
        """How many dead letters there are."""
        return len(self._dead_letters)

    @property
    def resident_addresses(self) -> int:
        """How many addresses are in memory."""
        return len(self._mailboxes)

    @property
    def waiting_timers(self) -> int:
        """How many delayed messages wait."""
        return len(self._timers)

    def values_of(self, address: Address, stored: Mapping[str, StoredEntry]) -> dict[str, Any]:
        """The values of an address as they are now.

        Args:
            address: Whose.
            stored: What the store holds for it; looked at where the engine knows nothing newer.
        """
        mailbox = self._mailboxes.get(address)
        if mailbox is None:
            return dict(stored)
        if mailbox.values is not None:
            return dict(mailbox.values)
        newer = dict(self._changes.values_of(address))
        return {name: entry for name, entry in {**stored, **newer}.items() if entry is not None}

    # --- commits ----------------------------------------------------------------------------------

    def begin_commit(self) -> Delta | None:
        """Everything that changed since the last commit; None if nobody needs one, or one runs.

        To be followed by one `committed` or `commit_failed`. Events may come in meanwhile; they
        belong to the next commit.
        """
        return self._changes.begin(self._next_seq)

    def committed(self) -> Released:
        """The delta is durable; returns the tickets and the egress records it contains."""
        released = self._changes.committed()
        if self._excess or self._resident_bytes > self._max_resident_bytes:
            self._evict()
        return released

    def commit_failed(self) -> None:
        """The delta could not be stored; nothing is released, the next commit contains it."""
        self._changes.failed()

    @property
    def has_changes(self) -> bool:
        """Whether there is something that is not durable, or somebody who waits for it."""
        return self._changes.has_changes

    def abandon(self) -> tuple[object, ...]:
        """The tickets that will never be released, when no more commits are to come."""
        return self._changes.abandon()

    # --- messages ---------------------------------------------------------------------------------

    def _enqueue(
        self, target: Address, caller: Address | None, argument: bytes, topic: str = ""
    ) -> None:
        message = PendingMessage(caller, argument, target, self._next_seq, topic)
        self._next_seq += 1
        self._changes.message_came(message)
        self._put(message)

    def _put(self, message: PendingMessage) -> None:
        mailbox = self._mailboxes.get(message.target) or self._mailbox(message.target)
        weight = mailbox.weight
        is_batch = mailbox.put(message)
        self._waiting_bytes += mailbox.weight - weight
        if is_batch and not mailbox.is_paused:
            self._busy += 1
            self._ready.append(mailbox)

    def _mailbox(self, address: Address) -> Mailbox:
        mailbox = self._mailboxes.get(address)
        if mailbox is None:
            limits, share = self._limits_of(address.typename), self._rules.address_share
            mailbox = self._mailboxes[address] = Mailbox(address, limits, share)
        return mailbox

    def _batch(self, mailbox: Mailbox, declared: Declarations, now_ms: int) -> Batch:
        """The next attempt of a mailbox's messages."""
        messages = mailbox.messages
        state = self._read(mailbox, declared, now_ms)
        batch = mailbox.batch = Batch(
            mailbox.address,
            encode_request(mailbox.address, state, messages),
            tuple(message.seq for message in messages),
            1 if mailbox.failures is None else mailbox.failures.attempts + 1,
            len(declared),
        )
        return batch

    def _flown(self, batch: Batch) -> Mailbox | None:
        """The mailbox whose attempt comes back; None if that attempt is over."""
        mailbox = self._mailboxes.get(batch.address)
        if mailbox is None or mailbox.batch is not batch:
            self.counters.stray_replies += 1
            return None
        mailbox.batch = None
        return mailbox

    @property
    def _excess(self) -> int:
        """How many addresses are in memory that should not be."""
        return max(0, len(self._mailboxes) - self._max_resident)

    def _evict(self) -> None:
        """Forget idle addresses of which the store has everything, oldest first."""
        for address in list(islice(self._mailboxes, 2 * self._excess + _EVICT_LOOKS)):
            mailbox = self._mailboxes.pop(address)
            is_clean = mailbox.changed_in <= self._changes.durable_epoch
            if mailbox.taken or mailbox.failures or not is_clean:
                self._mailboxes[address] = mailbox  # to the end of the line
                continue
            self._resident_bytes -= _size(mailbox.values or {})
            if not self._excess and self._resident_bytes <= self._max_resident_bytes:
                return

    # --- failures ---------------------------------------------------------------------------------

    def _set_back(
        self, mailbox: Mailbox, error: Exception, now_ms: int, most: int | None = None
    ) -> None:
        """An attempt failed: let the batch wait, take it apart, or give its message up."""
        failures = mailbox.failures
        if failures is None:
            failures = mailbox.failures = FailureState()
        failures.count(error, now_ms)
        rules, typename, size = self._rules, mailbox.address.typename, len(mailbox.messages)
        topics = list(dict.fromkeys(message.topic for message in mailbox.messages))
        policy, *others = [rules.failure_of(typename, topic) for topic in topics]
        is_mixed = any(other != policy for other in others)
        decision = decide(policy, failures, size, most, self._random, is_mixed=is_mixed)
        topic = topics[0] if topics[0] in rules.topic_failure else ""
        self.counters.failed_attempts += 1
        self._failed_attempts.append(
            FailedAttempt(mailbox.address, error, failures.attempts, decision, topic)
        )
        match decision.next:
            case "retry":
                entry = (now_ms + decision.delay_ms, next(self._ties), mailbox)
                heappush(self._retries, entry)
            case "isolate":
                mailbox.take_apart(split_point(error, size))
                self._ready.append(mailbox)
            case "pause":
                self._park(mailbox, failures, error, now_ms)
            case "dead-letter" | "drop":
                self._give_up(mailbox, failures, error, now_ms, is_kept=decision.next != "drop")
            case "fail":
                pass  # nothing more is done for this address; whoever reads the attempt stops

    def _give_up(
        self,
        mailbox: Mailbox,
        failures: FailureState,
        error: Exception,
        now_ms: int,
        *,
        is_kept: bool,
    ) -> None:
        """Go on without the only message of the batch."""
        failure = _failure(failures, error, now_ms)
        [message] = self._finish(mailbox)
        if message.caller is not None and message.caller.typename == CALLER:
            given_up = GivenUp(*failure[:2], message.seq if is_kept else None)
            for token in self._replies.take(message.caller):
                self._changes.reply(token, given_up)
        if not is_kept:
            self.counters.dropped_messages += 1
            return
        self.counters.dead_letters += 1
        letter = DeadLetter(
            *(message.seq, message.target, message.caller, message.argument),
            *failure,
            message.topic,
        )
        self._keep_dead_letter(letter)

    def _keep_dead_letter(self, letter: DeadLetter) -> None:
        self._dead_letters[letter.id] = letter.last_failed_ms
        self._changes.dead_letter(letter.id, letter)
        self._expire_dead_letters(letter.last_failed_ms)

    def _park(
        self, mailbox: Mailbox, failures: FailureState, error: Exception, now_ms: int
    ) -> None:
        """Hold an address with everything that waits for it."""
        pause = PausedAddress(mailbox.address, *_failure(failures, error, now_ms))
        failures.pause = pause
        self.counters.pauses += 1
        self._paused += 1
        self._busy -= 1
        self._changes.pause(mailbox.address, pause)

    def _expire_dead_letters(self, now_ms: int) -> None:
        """Forget dead letters that are too old or too many, those that failed first before."""
        letters, retention = self._dead_letters, self._rules.dead_letters
        while letters:
            letter_id, failed_ms = next(iter(letters.items()))
            is_old = failed_ms + retention.max_age_ms <= now_ms
            if len(letters) <= retention.max_count and not is_old:
                return
            del letters[letter_id]
            self.counters.expired_dead_letters += 1
            self._changes.dead_letter(letter_id, None)

    # --- changes by hand --------------------------------------------------------------------------

    def notify(self, ticket: object) -> None:
        """Let a ticket come out of `committed` once what has changed until now is durable."""
        self._changes.ticket(ticket)

    def replay(self, letters: Iterable[DeadLetter]) -> list[int]:
        """Send dead letters again, as new messages; those that are no more are passed over.

        Returns:
            The ids of those that were sent.

        Raises:
            UnknownFunctionError: If the function of one of them does not exist; nothing is done.
        """
        letters = tuple(letters)
        for letter in letters:
            typename = letter.target.typename
            if typename == CALLER or not self._functions.knows(typename):
                raise UnknownFunctionError(letter.target.typename, self._functions.typenames)
        replayed = [letter for letter in letters if self.forget_dead_letter(letter.id)]
        for letter in replayed:
            self._enqueue(letter.target, letter.caller, letter.argument, letter.topic)
        return [letter.id for letter in replayed]

    def forget_dead_letter(self, letter_id: int) -> bool:
        """Forget a dead letter; returns whether there was one."""
        if self._dead_letters.pop(letter_id, None) is None:
            return False
        self._changes.dead_letter(letter_id, None)
        return True

    def release(self, address: Address) -> bool:
        """Go on with an address that is held; returns whether it was."""
        mailbox = self._mailboxes.get(address)
        if mailbox is None or mailbox.failures is None or not mailbox.is_paused:
            return False
        mailbox.failures.begin_anew()
        mailbox.asked = 0
        self._paused -= 1
        self._changes.pause(address, None)
        if mailbox.taken is None:
            mailbox.failures = None
        else:
            self._busy += 1
            self._ready.append(mailbox)
        return True

    def edit_value(self, address: Address, name: str, entry: StoredEntry | None) -> None:
        """Set or (None) remove a value of an address.

        A call that is under way has not seen it; what its reply changes goes over it.

        Raises:
            RemoteProtocolError: If the value is of another type than its function declares.
        """
        declared = self._declarations(address.typename)
        if entry is not None and name in declared:
            declared.of(name, entry)
        self._store(self._mailbox(address), name, entry)

    def cancel_timer(self, seq: int) -> bool:
        """Cancel a delayed message by its number; returns whether it waited."""
        timer = self._timers.remove(seq)
        if timer is None:
            return False
        self.counters.timers_cancelled += 1
        self._changes.timer_went(seq)
        return True

    # --- values -----------------------------------------------------------------------------------

    def _declarations(self, typename: str) -> Declarations:
        return self._declared.get(typename, _NONE_DECLARED)

    def _declare(self, mailbox: Mailbox, batch: Batch, missing: tuple[MissingValue, ...]) -> None:
        self.counters.incomplete_replies += 1
        typename = mailbox.address.typename
        declared = self._declared.get(typename) or Declarations()
        declared.declare(missing)
        if declared:
            self._declared[typename] = declared
        mailbox.asked += 1
        if mailbox.asked > _MOST_QUESTIONS:
            raise RemoteProtocolError(
                f"{mailbox.address} has asked for more values {mailbox.asked} times for one batch: "
                "ask for all of them at once, under names that do not change"
            )
        if len(declared) == batch.declared:
            names = ", ".join(repr(value.name) for value in missing) or "none"
            raise RemoteProtocolError(
                f"{mailbox.address} answered that values are missing ({names}) though the request "
                "carried all that were ever declared: ask only for values that were not sent"
            )

    def _read(
        self, mailbox: Mailbox, declared: Declarations, now_ms: int
    ) -> dict[str, StoredEntry | None]:
        """All declared values, for a request."""
        values = mailbox.values
        state: dict[str, StoredEntry | None] = {}
        if values is None:
            return state
        for name, declaration in declared.items():
            entry = values.get(name)
            if entry is not None:
                if entry.typename != declaration.typename:
                    raise RemoteProtocolError(
                        f"value {name!r} of {mailbox.address} is stored as {entry.typename!r} and "
                        f"now declared as {declaration.typename!r}: give the new type another name"
                    )
                kept = None
                if not declaration.is_expired(entry, now_ms):
                    kept = declaration.read(entry, now_ms)
                if kept is not entry:
                    self._store(mailbox, name, kept)
                entry = kept
            state[name] = entry
        return state

    def _store(self, mailbox: Mailbox, name: str, entry: StoredEntry | None) -> None:
        """Set or (None) remove a value."""
        values = mailbox.values
        if values is not None:
            before = values.pop(name, None)
            if entry is not None:
                values[name] = entry
                self._resident_bytes += len(entry.data)
            elif before is None:
                return
            if before is not None:
                self._resident_bytes -= len(before.data)
        mailbox.changed_in = self._changes.epoch
        self._changes.value(mailbox.address, name, entry)

    # --- replies ----------------------------------------------------------------------------------

    def _apply(self, mailbox: Mailbox, result: Result, now_ms: int) -> None:
        """Apply a checked result and let the next batch follow."""
        ledger, counters = self._changes, self.counters
        counters.batches += 1
        counters.invocations += len(self._finish(mailbox))
        if result.mutations:
            self._mutate(mailbox, result, now_ms)
        counters.messages_sent += len(result.messages)
        for sent in result.messages:
            if sent.target.typename == CALLER:
                self._reply(sent.target, mailbox.address, sent.argument, now_ms)
            else:
                self._enqueue(sent.target, mailbox.address, sent.argument)
        for effect in result.delayed:
            if isinstance(effect, Cancellation):
                self._cancel(mailbox.address, effect.token)
            else:
                self._delay(mailbox.address, effect, now_ms)
        for record in result.egress:
            counters.egress_records += 1
            ledger.egress_came(OutboxRecord(self._next_seq, record.typename, record.argument))
            self._next_seq += 1

    def _reply(self, caller: Address, sender: Address, argument: bytes, now_ms: int) -> None:
        """Give a reply to those who wait for it, or keep it as a dead letter."""
        tokens = self._replies.take(caller)
        for token in tokens:
            self._changes.reply(token, argument)
        if not tokens:
            self.counters.late_replies += 1
            letter = DeadLetter(
                *(self._next_seq, caller, sender, argument, _NOBODY_WAITS, 0, now_ms, now_ms)
            )
            self._next_seq += 1
            self._keep_dead_letter(letter)

    def _finish(self, mailbox: Mailbox) -> list[PendingMessage]:
        """Be done with the messages of a batch and let the next one follow; returns them."""
        weight = mailbox.weight
        finished = mailbox.advance()
        self._waiting_bytes -= weight - mailbox.weight
        for message in finished:
            self._changes.message_went(message.seq)
        if mailbox.taken is None:
            self._busy -= 1
        else:
            self._ready.append(mailbox)
        return finished

    def _mutate(self, mailbox: Mailbox, result: Result, now_ms: int) -> None:
        declared = self._declarations(mailbox.address.typename)
        for name, change in (result.mutations or {}).items():
            if change is None:
                self._store(mailbox, name, None)
            else:
                self._store(mailbox, name, declared.of(name, change).write(change, now_ms))

    def _delay(self, sender: Address, message: DelayedMessage, now_ms: int) -> None:
        due_ms = now_ms + message.delay_ms
        timer = Timer(
            self._next_seq, due_ms, sender, message.target, message.argument, message.token
        )
        self._next_seq += 1
        self.counters.timers_set += 1
        self._timers.add(timer)
        self._changes.timer_came(timer)

    def _cancel(self, sender: Address, token: str) -> None:
        timer = self._timers.cancel(sender.id, token)
        if timer is not None:
            self.counters.timers_cancelled += 1
            self._changes.timer_went(timer.seq)


def _size(values: Mapping[str, StoredEntry]) -> int:
    """How many bytes values have."""
    return sum(len(entry.data) for entry in values.values())


def _check_text(what: str, text: str, target: Address) -> None:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise InvalidMessageError(
            f"{what} {text!r} of a message to {target.typename} cannot be written as UTF-8: {error}"
        ) from error


def _failure(failures: FailureState, error: Exception, now_ms: int) -> tuple[str, int, int, int]:
    """What is kept of a failure: why, after how many attempts, when it was first, and last."""
    assert failures.first_failed_ms is not None, "no attempt failed"  # noqa: S101 - our invariant
    sentence = (str(error) or type(error).__name__)[:_REASON_LENGTH]
    reason = sentence.encode(errors="backslashreplace").decode()
    return reason, failures.attempts, failures.first_failed_ms, now_ms
