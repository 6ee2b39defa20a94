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

from collections import deque
from heapq import heappop, heappush
from itertools import islice
from typing import TYPE_CHECKING, Any

from statefun.errors import InvalidMessageError, RemoteProtocolError, UnknownFunctionError
from statefun.runtime.counters import Counters
from statefun.runtime.expiry import Declarations
from statefun.runtime.ledger import Ledger
from statefun.runtime.mailbox import Batch, Mailbox
from statefun.runtime.records import OutboxRecord, PendingMessage, Recovered, Timer
from statefun.runtime.replies import ReplyCheck
from statefun.runtime.retry import Backoff, RetryPolicy, Setback, is_counted, judge
from statefun.runtime.timers import Timers
from statefun.sdk.protocol import Cancellation, Incomplete, decode_reply, encode_request

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from statefun.runtime.records import Delta, Released, StoredEntry
    from statefun.runtime.replies import EgressChecks, KnownFunctions
    from statefun.sdk.address import Address
    from statefun.sdk.protocol import DelayedMessage, MissingValue, Result

__all__ = ["Engine"]

_MOST_QUESTIONS = 10
"""So often a function may ask for more values for one batch; then its answers are failures."""


class Engine:
    """The state machine of one runtime.

    Args:
        functions: Which typenames can be addressed.
        egresses: Egress typename → check of a record; asked anew for each record.
        recovered: What the store held.
        policy: When a batch that failed is tried again.
        random: Gives a number from 0 up to 1, for the policy.
        max_resident: So many addresses are kept in memory; idle ones above it are forgotten once
            the store has all of them.
    """

    def __init__(
        self,
        functions: KnownFunctions,
        egresses: EgressChecks,
        *,
        recovered: Recovered | None = None,
        policy: RetryPolicy | None = None,
        random: Callable[[], float] = lambda: 0.0,
        max_resident: int = 100_000,
    ) -> None:
        self.counters = Counters()
        self._functions = functions
        self._policy = policy or Backoff()
        self._random = random
        self._max_resident = max_resident
        self._declared: dict[str, Declarations] = {}  # function typename → its values
        self._mailboxes: dict[Address, Mailbox] = {}
        self._busy = 0  # how many mailboxes have a batch
        self._ready: deque[Mailbox] = deque()  # those whose batch is to be sent
        self._loads: list[Address] = []
        self._retries: list[tuple[int, int, Mailbox]] = []  # heap of (ready at, tie break, whose)
        self._setbacks: list[Setback] = []
        self._timers = Timers()
        self._ledger = Ledger()
        self._reply_check = ReplyCheck(functions, egresses, self._timers)
        self._recover(recovered or Recovered())

    def _recover(self, recovered: Recovered) -> None:
        self._next_seq = recovered.next_seq
        for timer in recovered.timers:
            self._timers.add(timer)
        for message in recovered.messages:
            self._put(message)

    # --- what goes in -----------------------------------------------------------------------------

    def deliver(self, target: Address, argument: bytes, ticket: object | None = None) -> None:
        """Take in a message from an ingress.

        Args:
            target: Whom it is for.
            argument: A serialized `TypedValue`.
            ticket: Comes out of `committed` once the message is durable; None for nobody waits.

        Raises:
            UnknownFunctionError: If there is no such function; nothing is kept.
            InvalidMessageError: If the id cannot be written as UTF-8; nothing is kept.
        """
        if not self._functions.knows(target.typename):
            raise UnknownFunctionError(target.typename, self._functions.typenames)
        try:
            target.id.encode()
        except UnicodeEncodeError as error:
            raise InvalidMessageError(
                f"the id {target.id!r} of {target.typename} cannot be written as UTF-8: {error}"
            ) from error
        self.counters.ingress_messages += 1
        self._enqueue(target, None, argument)
        if ticket is not None:
            self._ledger.ticket(ticket)

    def replied(self, batch: Batch, reply: bytes, now_ms: int) -> None:
        """A function answered. Applied at once, whole; or not at all if the reply is invalid.

        A reply to an attempt that is over changes nothing.
        """
        mailbox = self._flown(batch)
        if mailbox is None:
            return
        try:
            decoded = decode_reply(reply)
            if isinstance(decoded, Incomplete):
                self._declare(mailbox, batch, decoded.missing)
            else:
                declared = self._declarations(mailbox.address.typename)
                self._reply_check.check(mailbox.address, decoded, declared)
        except (RemoteProtocolError, InvalidMessageError) as error:
            self._set_back(mailbox, error, now_ms)
            return
        if isinstance(decoded, Incomplete):
            self._ready.append(mailbox)
        else:
            self._apply(mailbox, decoded, now_ms)

    def failed(self, batch: Batch, error: Exception, now_ms: int) -> None:
        """An attempt gave no reply. It is made again later; other addresses are not held up."""
        mailbox = self._flown(batch)
        if mailbox is not None:
            self._set_back(mailbox, error, now_ms)

    def tick(self, now_ms: int) -> None:
        """Let due timers fire, and make batches ready whose retry is due."""
        for timer in self._timers.take_due(now_ms):
            self.counters.timers_fired += 1
            self._ledger.timer_went(timer.seq)
            self._enqueue(timer.target, timer.sender, timer.argument)
        while self._retries and self._retries[0][0] <= now_ms:
            self._ready.append(heappop(self._retries)[2])

    def clock_set(self, by_ms: int) -> None:
        """The clock was set, so that it shows so much more: what is tried again waits as long."""
        self._retries = [(at_ms + by_ms, tie, whose) for at_ms, tie, whose in self._retries]

    def loaded(self, address: Address, values: Mapping[str, StoredEntry]) -> None:
        """Take in what the store holds for an address that `take_loads` named."""
        mailbox = self._mailboxes[address]
        mailbox.values = dict(values)
        if mailbox.changed_in > self._ledger.durable_epoch:
            for name, entry in self._ledger.values_of(address):
                if entry is None:
                    mailbox.values.pop(name, None)
                else:
                    mailbox.values[name] = entry
        self._ready.append(mailbox)

    def egress_delivered(self, ids: Iterable[int]) -> None:
        """A sink has written these records out; the next commit forgets them."""
        for record_id in ids:
            self._ledger.egress_went(record_id)

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
                self._set_back(mailbox, error, now_ms)
        return batches

    def take_loads(self) -> list[Address]:
        """Addresses whose stored values are needed; give them to `loaded`, then take batches."""
        loads, self._loads = self._loads, []
        return loads

    def take_setbacks(self) -> list[Setback]:
        """Failed attempts since the last call, for whoever logs them."""
        setbacks, self._setbacks = self._setbacks, []
        return setbacks

    def next_wake_ms(self) -> int | None:
        """When `tick` has something to do next, None if never."""
        due_ms = self._timers.next_due_ms()
        if not self._retries:
            return due_ms
        retry_ms = self._retries[0][0]
        return retry_ms if due_ms is None else min(due_ms, retry_ms)

    @property
    def is_idle(self) -> bool:
        """Whether no message waits or is being worked on. Timers may wait."""
        return self._busy == 0

    @property
    def busy_addresses(self) -> int:
        """How many addresses have messages."""
        return self._busy

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
        newer = dict(self._ledger.values_of(address))
        return {name: entry for name, entry in {**stored, **newer}.items() if entry is not None}

    # --- commits ----------------------------------------------------------------------------------

    def begin_commit(self) -> Delta | None:
        """Everything that changed since the last commit; None if nobody needs one, or one runs.

        To be followed by one `committed` or `commit_failed`. Events may come in meanwhile; they
        belong to the next commit.
        """
        return self._ledger.begin(self._next_seq)

    def committed(self) -> Released:
        """The delta is durable; returns the tickets and the egress records it contains."""
        released = self._ledger.committed()
        if len(self._mailboxes) > self._max_resident:
            self._evict()
        return released

    def commit_failed(self) -> None:
        """The delta could not be stored; nothing is released, the next commit contains it."""
        self._ledger.failed()

    @property
    def has_changes(self) -> bool:
        """Whether there is something that is not durable, or somebody who waits for it."""
        return self._ledger.has_changes

    def abandon(self) -> tuple[object, ...]:
        """The tickets that will never be released, when no more commits are to come."""
        return self._ledger.abandon()

    # --- messages ---------------------------------------------------------------------------------

    def _enqueue(self, target: Address, caller: Address | None, argument: bytes) -> None:
        message = PendingMessage(caller, argument, target, self._next_seq)
        self._next_seq += 1
        self._ledger.message_came(message)
        self._put(message)

    def _put(self, message: PendingMessage) -> None:
        mailbox = self._mailboxes.get(message.target)
        if mailbox is None:
            mailbox = self._mailboxes[message.target] = Mailbox(message.target)
        if mailbox.put(message):
            self._busy += 1
            self._ready.append(mailbox)

    def _batch(self, mailbox: Mailbox, declared: Declarations, now_ms: int) -> Batch:
        """The next attempt of a mailbox's messages."""
        messages = mailbox.taken or []
        state = self._read(mailbox, declared, now_ms)
        batch = mailbox.batch = Batch(
            mailbox.address,
            encode_request(mailbox.address, state, messages),
            tuple(message.seq for message in messages),
            mailbox.attempts + 1,
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

    def _set_back(self, mailbox: Mailbox, error: Exception, now_ms: int) -> None:
        """Let a batch wait for its next attempt."""
        if is_counted(error):
            mailbox.attempts += 1
            mailbox.misses = 0
        else:
            mailbox.misses += 1
        verdict = judge(self._policy, mailbox.attempts, mailbox.misses, self._random)
        self.counters.failed_attempts += 1
        self.counters.exhausted_attempts += verdict.is_exhausted
        self._setbacks.append(Setback(mailbox.address, error, mailbox.attempts, verdict))
        entry = (now_ms + verdict.delay_ms, self.counters.failed_attempts, mailbox)
        heappush(self._retries, entry)

    def _evict(self) -> None:
        """Forget idle addresses of which the store has everything, oldest first."""
        excess = len(self._mailboxes) - self._max_resident
        for address in list(islice(self._mailboxes, 2 * excess)):
            mailbox = self._mailboxes.pop(address)
            if mailbox.taken or mailbox.changed_in > self._ledger.durable_epoch:
                self._mailboxes[address] = mailbox  # to the end of the line
                continue
            excess -= 1
            if excess == 0:
                return

    # --- values -----------------------------------------------------------------------------------

    def _declarations(self, typename: str) -> Declarations:
        declared = self._declared.get(typename)
        if declared is None:
            declared = self._declared[typename] = Declarations()
        return declared

    def _declare(self, mailbox: Mailbox, batch: Batch, missing: tuple[MissingValue, ...]) -> None:
        self.counters.incomplete_replies += 1
        declared = self._declarations(mailbox.address.typename)
        declared.declare(missing)
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
            if entry is None:
                if values.pop(name, None) is None:
                    return
            else:
                values[name] = entry
        mailbox.changed_in = self._ledger.epoch
        self._ledger.value(mailbox.address, name, entry)

    # --- replies ----------------------------------------------------------------------------------

    def _apply(self, mailbox: Mailbox, result: Result, now_ms: int) -> None:
        """Apply a checked result and let the next batch follow."""
        ledger, counters = self._ledger, self.counters
        finished = mailbox.advance()
        counters.batches += 1
        counters.invocations += len(finished)
        for message in finished:
            ledger.message_went(message.seq)
        if result.mutations:
            self._mutate(mailbox, result, now_ms)
        if mailbox.taken is None:
            self._busy -= 1
        else:
            self._ready.append(mailbox)
        counters.messages_sent += len(result.messages)
        for sent in result.messages:
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
        self._ledger.timer_came(timer)

    def _cancel(self, sender: Address, token: str) -> None:
        timer = self._timers.cancel(sender.id, token)
        if timer is not None:
            self.counters.timers_cancelled += 1
            self._ledger.timer_went(timer.seq)
