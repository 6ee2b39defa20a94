"""Intake: which messages from ingresses are taken in.

Law: a message from an ingress is taken in whole or refused with the reason, and then nothing of it
is kept. The limits hold for ingresses only: messages from functions are always taken in.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from statefun.errors import (
    AddressBusyError,
    InvalidMessageError,
    MessageTooLargeError,
    UnknownFunctionError,
)
from statefun.runtime.engine.idempotency import key_conflict
from statefun.runtime.engine.replies import CALLER, caller_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from statefun.runtime.engine.backlog import Backlog
    from statefun.runtime.engine.changes import Changes
    from statefun.runtime.engine.counters import Counters
    from statefun.runtime.engine.idempotency import IdempotencyKeys
    from statefun.runtime.engine.policy import Limits
    from statefun.runtime.engine.records import ReceiptKey
    from statefun.runtime.engine.replies import Replies
    from statefun.runtime.engine.residency import Residency
    from statefun.runtime.engine.validation import KnownFunctions
    from statefun.sdk.address import Address

__all__ = ["Intake"]


class Intake:
    """Takes messages of ingresses in, or refuses them.

    Args:
        functions: Which functions there are.
        limits_of: The limits of the addresses of a function, by its typename.
        max_waiting_bytes: From so many waiting bytes on, nothing is taken in.
        receipts: The idempotency keys that are known.
        replies: Those who wait for replies.
        residency: The mailboxes.
        backlog: Where messages wait.
        changes: Told of each receipt and ticket.
        counters: Told of each message.
    """

    def __init__(
        self,
        functions: KnownFunctions,
        limits_of: Callable[[str], Limits],
        max_waiting_bytes: int,
        receipts: IdempotencyKeys,
        replies: Replies,
        residency: Residency,
        backlog: Backlog,
        changes: Changes,
        counters: Counters,
    ) -> None:
        self._functions = functions
        self._limits_of = limits_of
        self._max_waiting_bytes = max_waiting_bytes
        self._receipts = receipts
        self._replies = replies
        self._residency = residency
        self._backlog = backlog
        self._changes = changes
        self._counters = counters

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
            target: The address it is for.
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
        self._check_all(target, argument, key, topic)
        first = self._receipts.find((target, key), argument, now_ms) if key else None
        caller = None
        if reply is not None:
            seq, taken_ms = self._changes.next_seq, now_ms
            caller = caller_of(*((seq, taken_ms) if first is None else (first.seq, first.taken_ms)))
        if first is None:
            self._check_room(target)
            self._add(target, caller, argument, topic, key, now_ms)
        else:
            self._counters.repeats += 1
        if caller is not None:
            self._replies.expect(caller, reply)
        if ticket is not None:
            self._changes.ticket(ticket)

    def deliver_all(
        self,
        messages: Sequence[tuple[Address, bytes, str, str]],
        ticket: object | None = None,
        *,
        position: tuple[str, bytes | None] | None = None,
        now_ms: int = 0,
    ) -> None:
        """Take in messages from an ingress, all of them or none.

        Args:
            messages: Each as its target, argument, key and topic; see `deliver`.
            ticket: Comes out of `committed` once all of them are durable; None for nobody waits.
            position: The name of a position of the ingress, and the position that becomes durable
                together with the messages, None to forget it; None for no position.
            now_ms: The time.

        Raises:
            UnknownFunctionError, InvalidMessageError, AddressBusyError: As `deliver`.
        """
        seen: dict[ReceiptKey, bytes] = {}  # those of these messages that have a key
        for target, argument, key, topic in messages:
            self._check_all(target, argument, key, topic)
            if not key:
                self._check_room(target)
            elif self._receipts.find((target, key), argument, now_ms) is None:
                self._check_room(target)
                if seen.setdefault((target, key), argument) != argument:
                    raise key_conflict((target, key))
        for target, argument, key, topic in messages:
            if key and self._receipts.find((target, key), argument, now_ms) is not None:
                self._counters.repeats += 1
            else:
                self._add(target, None, argument, topic, key, now_ms)
        if position is not None:
            self._changes.position(*position)
        if ticket is not None:
            self._changes.ticket(ticket)

    def forget_reply(self, token: object) -> bool:
        """Let the token of a request wait no more; see `Replies.forget`."""
        return self._replies.forget(token)

    def _check_all(self, target: Address, argument: bytes, key: str, topic: str) -> None:
        self.check(target, argument)
        for what, text in (("key", key), ("topic", topic)):
            if text:
                _check_text(what, text, target)

    def check(self, target: Address, argument: bytes) -> None:
        """Refuse a message that could never be taken in; see `deliver`."""
        if target.typename == CALLER or not self._functions.knows(target.typename):
            raise UnknownFunctionError(target.typename, self._functions.typenames)
        if not target.id.isascii():
            _check_text("id", target.id, target)
        longest = self._limits_of(target.typename).max_message_bytes
        if len(argument) > longest:
            raise MessageTooLargeError(
                f"a message to {target} has {len(argument)} bytes, and the limit is {longest}: "
                "send less, or raise the limit of the function",
                address=target,
                size_bytes=len(argument),
                limit_bytes=longest,
            )

    @property
    def is_full(self) -> bool:
        """Whether no address takes messages from ingresses."""
        return self._backlog.waiting_bytes >= self._max_waiting_bytes

    def has_room(self, address: Address) -> bool:
        """Whether an address takes messages from ingresses."""
        mailbox = self._residency.find(address)
        return not self.is_full and (mailbox is None or not mailbox.is_full)

    def _check_room(self, target: Address) -> None:
        """Refuse a message for which there is no room."""
        if self.is_full:
            self._counters.refused_messages += 1
            raise AddressBusyError(
                f"{self._backlog.waiting_bytes} bytes of messages wait in the runtime for all "
                "addresses together, and it takes no more for now: send again later",
                waiting_bytes=self._backlog.waiting_bytes,
            )
        mailbox = self._residency.find(target)
        if mailbox is not None and mailbox.is_full:
            self._counters.refused_messages += 1
            way_out = "takes no more for now: send again later"
            if mailbox.is_paused:
                way_out = "is paused: release it with 'statefun paused release', then send again"
            raise AddressBusyError(
                f"{mailbox.count} messages of {mailbox.size} bytes wait for {target}, which "
                f"{way_out}",
                address=target,
                waiting_bytes=mailbox.size,
            )

    def _add(
        self,
        target: Address,
        caller: Address | None,
        argument: bytes,
        topic: str,
        key: str,
        now_ms: int,
    ) -> None:
        """Take in a message that was checked."""
        self._counters.ingress_messages += 1
        if key:
            receipts, changes = self._receipts, self._changes
            receipt = receipts.add((target, key), changes.next_seq, argument, now_ms)
            changes.receipt((target, key), receipt)
            for old in receipts.expire(now_ms):
                changes.receipt(old, None)
        self._backlog.add(target, caller, argument, topic)


def _check_text(what: str, text: str, target: Address) -> None:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise InvalidMessageError(
            f"the {what} {text!r} of a message to {target.typename} cannot be written as UTF-8: "
            f"{error}",
            argument=what,
            given=repr(text),
        ) from error
