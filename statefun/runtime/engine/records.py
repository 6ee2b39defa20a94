"""Immutable records passed between engine, stores and drivers.

Law: nothing here has behaviour. Every number called `seq` comes from the one counter of a runtime;
it grows with time, is never given twice, and orders whatever carries it. Times are milliseconds
since the epoch. What every message needs is a named tuple, which takes half the time of a frozen
dataclass to make.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from statefun.sdk.address import Address

__all__ = [
    "Cause",
    "DeadLetter",
    "Delta",
    "FailureRecord",
    "FoundTimers",
    "GivenUp",
    "OutboxRecord",
    "PausedAddress",
    "PendingMessage",
    "Receipt",
    "ReceiptKey",
    "Recovered",
    "Released",
    "StoredEntry",
    "Timer",
    "TimerToken",
    "Trial",
    "ValueCount",
    "ValueKey",
    "WantedTimers",
]

ValueKey: TypeAlias = "tuple[Address, str]"
"""Where a value is: the address and the value's name."""

ReceiptKey: TypeAlias = "tuple[Address, str]"
"""The key of a receipt: the address a message is for and its idempotency key."""

TimerToken: TypeAlias = "tuple[str, str]"
"""What names a timer: the id of the address that sent it and its token."""


class StoredEntry(NamedTuple):
    """One value of one address, and since when it has not been touched.

    Attributes:
        typename: The typename of its type.
        data: Its bytes.
        touched_ms: From when its expiration counts: the last write, or the last read.
        ttl_ms: The expiration it was touched under, 0 for none; for whoever reads a store without
            knowing what the functions declare.
    """

    typename: str
    data: bytes
    touched_ms: int
    ttl_ms: int = 0


class PendingMessage(NamedTuple):
    """A message waiting for a function, or being worked on by it.

    Attributes:
        caller: The sender; None if it came from an ingress.
        argument: A serialized `TypedValue`.
        target: The address it is for.
        seq: Its number; messages to one address are delivered in this order.
        topic: The topic of the ingress that it came from, empty for none.
    """

    caller: Address | None
    argument: bytes
    target: Address
    seq: int
    topic: str = ""


class Timer(NamedTuple):
    """A delayed message waiting.

    Attributes:
        seq: Its number; timers due at the same time fire in this order.
        due_ms: When it fires.
        sender: The address that sent it: the caller of the message, and by its id the scope of
            the token.
        target: The address that the message is for.
        argument: A serialized `TypedValue`.
        token: The name to cancel it by, empty if it cannot be cancelled.
    """

    seq: int
    due_ms: int
    sender: Address
    target: Address
    argument: bytes
    token: str


class WantedTimers(NamedTuple):
    """Timers that an engine needs from the store.

    Attributes:
        after: (due_ms, seq): those that fire behind this; None for no page of them.
        most: So many of these at most, those that fire first.
        tokens: Besides these, the timers with these tokens.
    """

    after: tuple[int, int] | None
    most: int
    tokens: tuple[TimerToken, ...] = ()


class FoundTimers(NamedTuple):
    """Timers that a store has.

    Attributes:
        page: Those of the page that was wanted, in the order in which they fire.
        named: Those with the tokens that were wanted, in no order.
    """

    page: Sequence[Timer]
    named: Sequence[Timer]


class OutboxRecord(NamedTuple):
    """An egress message that no sink has reported as delivered.

    Attributes:
        id: Its number, stable over restarts.
        typename: The egress it is for.
        argument: A serialized `TypedValue`.
    """

    id: int
    typename: str
    argument: bytes


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A message that was given up.

    Attributes:
        id: The number that the message had.
        target: The address it was for.
        caller: The address that sent it; None for an ingress.
        argument: A serialized `TypedValue`; `statefun.runtime.Value.decode` reads it.
        error: Why the last attempt failed, and below that where in the code; see `untraced`.
        attempts: How many attempts were made with it, not counting those without a connection and
            those by which it was told apart from its batch.
        first_failed_ms: When it, or the batch it was in, failed first.
        last_failed_ms: When it failed last.
        topic: The topic of the ingress that it came from, empty for none.
    """

    id: int
    target: Address
    caller: Address | None
    argument: bytes
    error: str
    attempts: int
    first_failed_ms: int
    last_failed_ms: int
    topic: str = ""


Cause: TypeAlias = Literal["failure", "unreadable-value"]
"""Why an address is held. `failure`: the policy of a message says so, and somebody has to release
it. `unreadable-value`: a value is stored as another type than the one that its function declares;
it goes on by itself once the value can be read."""


@dataclass(frozen=True, slots=True)
class PausedAddress:
    """That an address is held: nothing is delivered to it until it is released.

    Attributes:
        address: Which.
        error: Why the last attempt failed, or which value cannot be read.
        attempts: How many attempts were made with its first message; see `DeadLetter`.
        first_failed_ms: When that failed first.
        last_failed_ms: When that failed last.
        cause: Why it is held.
    """

    address: Address
    error: str
    attempts: int
    first_failed_ms: int
    last_failed_ms: int
    cause: Cause = "failure"


@dataclass(frozen=True, slots=True, order=True)
class ValueCount:
    """How many addresses of a function have a value of one name and one type.

    Attributes:
        typename: The function's.
        name: The name of the value.
        value_typename: The typename of its type.
        count: How many; expired values count until their address is called.
    """

    typename: str
    name: str
    value_typename: str
    count: int


@dataclass(frozen=True, slots=True)
class FailureRecord:
    """The attempts that have failed with the messages of an address; they count after a restart.

    Attributes:
        address: Which.
        parts: Number of messages → failed attempts with them: of the current batch, and of each
            part that follows it.
        first_failed_ms: When the first of them failed, None if no attempt has been counted.
        deaths: How often the process ended while the first message was tried alone.
    """

    address: Address
    parts: tuple[tuple[int, int], ...]
    first_failed_ms: int | None
    deaths: int = 0


@dataclass(frozen=True, slots=True)
class Trial:
    """That a message is tried after an unclean stop, to find out whether it ends the process.

    Attributes:
        address: The address it is for.
        seq: Its number.
    """

    address: Address
    seq: int


@dataclass(frozen=True, slots=True)
class Receipt:
    """That a message with an idempotency key was taken in.

    Attributes:
        seq: The number of the message.
        digest: Of what it said.
        taken_ms: When it was taken in.
    """

    seq: int
    digest: bytes
    taken_ms: int


@dataclass(frozen=True, slots=True)
class Delta:
    """Everything that changed between two commits; stored whole or not at all.

    Storing a delta again, or a later one that contains it, leaves the same content. What is both
    new and gone is gone.

    Attributes:
        next_seq: The first number that nothing in the store has.
        values: Where → the value that now stands there, None if there is none any more.
        messages: New messages that are still waiting.
        consumed: Numbers of messages that wait no more.
        timers: New timers that are still waiting.
        timers_gone: Numbers of timers that fired or were cancelled.
        egress: New egress records.
        egress_gone: Ids of records that were delivered.
        dead_letters: Id → the dead letter, None if there is none any more.
        paused: Address → why it is held, None if it is held no more.
        receipts: Key → the receipt, None if there is none any more.
        positions: Name of a position of an ingress → the position, None if it is forgotten.
        failures: Address → its failed attempts, None if there are none any more.
        trials: The messages that are tried from now on, instead of those before; None for the same.
        is_running: Whether calls may be under way that can end the process; None for the same.
    """

    next_seq: int
    values: Mapping[ValueKey, StoredEntry | None] = field(default_factory=dict)
    messages: tuple[PendingMessage, ...] = ()
    consumed: tuple[int, ...] = ()
    timers: tuple[Timer, ...] = ()
    timers_gone: tuple[int, ...] = ()
    egress: tuple[OutboxRecord, ...] = ()
    egress_gone: tuple[int, ...] = ()
    dead_letters: Mapping[int, DeadLetter | None] = field(default_factory=dict)
    paused: Mapping[Address, PausedAddress | None] = field(default_factory=dict)
    receipts: Mapping[ReceiptKey, Receipt | None] = field(default_factory=dict)
    positions: Mapping[str, bytes | None] = field(default_factory=dict)
    failures: Mapping[Address, FailureRecord | None] = field(default_factory=dict)
    trials: tuple[Trial, ...] | None = None
    is_running: bool | None = None

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to store."""
        return not (
            self.values
            or self.messages
            or self.consumed
            or self.timers
            or self.timers_gone
            or self.egress
            or self.egress_gone
            or self.dead_letters
            or self.paused
            or self.receipts
            or self.positions
            or self.failures
            or self.trials is not None
            or self.is_running is not None
        )


@dataclass(frozen=True, slots=True)
class Recovered:
    """The contents of a store, without values.

    Messages, egress records and receipts are in the order of their numbers, paused addresses in
    that of their names.

    Attributes:
        timers: How many there are.
        dead_letters: How many there are.
        letter_times: Id of a dead letter → when it failed last, earliest first; empty if that was
            not asked for.
        positions: Name of a position of an ingress → the position.
        failures: The failed attempts of addresses, in the order of their names.
        trials: The messages that were tried last, in the order of their numbers.
        was_running: Whether the last process ended without saying so.
    """

    next_seq: int = 1
    messages: tuple[PendingMessage, ...] = ()
    timers: int = 0
    egress: tuple[OutboxRecord, ...] = ()
    dead_letters: int = 0
    letter_times: Mapping[int, int] = field(default_factory=dict)
    paused: tuple[PausedAddress, ...] = ()
    receipts: Mapping[ReceiptKey, Receipt] = field(default_factory=dict)
    positions: Mapping[str, bytes] = field(default_factory=dict)
    failures: tuple[FailureRecord, ...] = ()
    trials: tuple[Trial, ...] = ()
    was_running: bool = False


@dataclass(frozen=True, slots=True)
class GivenUp:
    """That a message was given up which somebody waits for.

    Attributes:
        reason: Why the last attempt failed.
        attempts: How many attempts were made with it; see `DeadLetter`.
        dead_letter: Its number as a dead letter; None if it was dropped.
    """

    reason: str
    attempts: int
    dead_letter: int | None


@dataclass(frozen=True, slots=True)
class Released:
    """Everything that may leave the runtime because the commit that contains it is durable.

    Attributes:
        tickets: Those handed in with ingress messages.
        egress: Records for the sinks, in order.
        replies: Tokens that were handed in with requests, each with its reply, a serialized
            `TypedValue`, or with the reason why none will come.
    """

    tickets: tuple[object, ...] = ()
    egress: tuple[OutboxRecord, ...] = ()
    replies: tuple[tuple[object, bytes | GivenUp], ...] = ()
