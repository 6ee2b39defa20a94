"""Bugs to be planted in the runtime, to see whether the simulation finds them.

Law: a bug replaces one function of the runtime by a variation of it, and only as long as it is
planted. A bug whose place is no longer there cannot be planted, which is an error.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from statefun.runtime import engine as engine_module
from statefun.runtime.dispatcher import Dispatcher
from statefun.runtime.engine import Engine
from statefun.runtime.expiry import Declaration
from statefun.runtime.ledger import Ledger
from statefun.runtime.mailbox import Mailbox
from statefun.runtime.receipts import Receipts
from statefun.runtime.timers import Timers
from statefun.sdk.protocol import Result

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from statefun.runtime.records import Delta, Released

__all__ = ["BUGS", "Bug"]


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


def _bug(name: str, owner: Any, function: str) -> Callable[[Any], Any]:
    def add(spoil: Any) -> Any:
        BUGS.append(Bug(name, owner, function, spoil))
        return spoil

    return add


def _nothing(_original: Any) -> Any:
    """The function does nothing."""
    return lambda *_: None


# --- acknowledging and releasing ------------------------------------------------------------------


@_bug("a message is acknowledged when it comes", Engine, "deliver")
def _early_acknowledgement(original: Any) -> Any:
    def deliver(self: Any, target: Any, argument: bytes, ticket: Any = None, **more: Any) -> None:
        original(self, target, argument, None, **more)
        ticket.set_result(None)

    return deliver


@_bug("a commit acknowledges what came after it began", Ledger, "committed")
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


@_bug("records are released before their commit", Ledger, "committed")
def _early_egress(original: Any) -> Any:
    def committed(self: Any) -> Released:
        released: Released = original(self)
        return replace(released, egress=(*released.egress, *self._now.egress.came.values()))

    return committed


@_bug("records that nobody has are not handed over after a restart", Dispatcher, "hand_over")
def _lost_records(original: Any) -> Any:
    def hand_over(self: Any, records: Any) -> None:
        if self.commits:
            original(self, records)

    return hand_over


@_bug("the id of a record is used again after a restart", Ledger, "begin")
def _id_used_again(original: Any) -> Any:
    def begin(self: Any, next_seq: int) -> Delta | None:
        delta: Delta | None = original(self, next_seq)
        return delta and replace(delta, next_seq=next_seq - len(delta.egress))

    return begin


# --- what is stored -------------------------------------------------------------------------------


def _without(part: str) -> Any:
    def spoil(original: Any) -> Any:
        def begin(self: Any, next_seq: int) -> Delta | None:
            delta: Delta | None = original(self, next_seq)
            changed: dict[str, Any] = {part: ()}
            return delta and replace(delta, **changed)

        return begin

    return spoil


_bug("a message that was worked on is not deleted", Ledger, "begin")(_without("consumed"))
_bug("a timer that fired is not deleted", Ledger, "begin")(_without("timers_gone"))
_bug("a timer is not stored", Ledger, "begin")(_without("timers"))
_bug("a record that was delivered is not deleted", Ledger, "egress_went")(_nothing)
_bug("an idempotency key is not stored", Ledger, "receipt")(_nothing)
_bug("a parked address is not stored", Ledger, "parking")(_nothing)


@_bug("a message is deleted one commit after its effects are stored", Ledger, "begin")
def _late_deletion(original: Any) -> Any:
    late: dict[int, tuple[int, ...]] = {}

    def begin(self: Any, next_seq: int) -> Delta | None:
        delta: Delta | None = original(self, next_seq)
        if delta is None or delta.is_empty:
            return delta
        consumed, late[id(self)] = late.get(id(self), ()), delta.consumed
        return replace(delta, consumed=consumed)

    return begin


@_bug("a message counts as done when it is sent", Engine, "_batch")
def _done_when_sent(original: Any) -> Any:
    def batch(self: Any, mailbox: Any, declared: Any, now_ms: int) -> Any:
        made = original(self, mailbox, declared, now_ms)
        for seq in made.messages:
            self._ledger.message_went(seq)
        return made

    return batch


def _forgets(part: str) -> Any:
    def spoil(original: Any) -> Any:
        def failed(self: Any) -> None:
            lost = getattr(self._in_flight, part)
            (lost if isinstance(lost, dict) else lost.came).clear()
            original(self)

        return failed

    return spoil


_bug("a failed commit loses its messages", Ledger, "failed")(_forgets("messages"))
_bug("a failed commit loses its values", Ledger, "failed")(_forgets("values"))


@_bug("a failed commit that was stored after all is not made up for", Ledger, "failed")
def _not_made_up_for(original: Any) -> Any:
    def failed(self: Any) -> None:
        original(self)
        for tally in (self._now.messages, self._now.timers, self._now.egress):
            tally.tried.clear()

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
_bug("a timer is lost at a restart", Engine, "_recover")(
    _recovers(timers=lambda recovered: recovered.timers[1:])
)
_bug("messages come in another order after a restart", Engine, "_recover")(
    _recovers(messages=lambda recovered: recovered.messages[::-1])
)


# --- order, time and values -----------------------------------------------------------------------


@_bug("messages of one reply are sent in another order", engine_module, "decode_reply")
def _reordered(original: Any) -> Any:
    def decode_reply(body: bytes) -> Any:
        reply = original(body)
        if isinstance(reply, Result):
            return replace(reply, messages=reply.messages[::-1])
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
            self._waiting[seq] = replace(self._waiting[seq], token="")

    return cancel


@_bug("a cancelled message is delivered after a restart", Engine, "_cancel")
def _cancelled_in_memory(original: Any) -> Any:
    return lambda self, sender, token: self._timers.cancel(sender.id, token)


@_bug("a value is seen at the moment when it expires", Declaration, "is_expired")
def _seen_too_long(original: Any) -> Any:
    return lambda self, entry, now_ms: original(self, entry, now_ms - 1)


@_bug("using a value does not keep it", Declaration, "read")
def _not_kept(original: Any) -> Any:
    return lambda _, entry, __: entry


@_bug("values of an address are forgotten before they are stored", Engine, "_evict")
def _forgotten(original: Any) -> Any:
    def evict(self: Any) -> None:
        for address, mailbox in list(self._mailboxes.items()):
            if not mailbox.taken and not mailbox.trouble:
                del self._mailboxes[address]

    return evict


# --- replies and failures -------------------------------------------------------------------------


@_bug("a reply to an attempt that is over is applied", Engine, "_flown")
def _stale(original: Any) -> Any:
    def flown(self: Any, batch: Any) -> Any:
        mailbox = self._mailboxes.get(batch.address)
        if mailbox is None or mailbox.batch is None:
            return None
        mailbox.batch = None
        return mailbox

    return flown


@_bug("a message that failed is never tried again", Engine, "tick")
def _never_again(original: Any) -> Any:
    def tick(self: Any, now_ms: int) -> None:
        self._retries.clear()
        original(self, now_ms)

    return tick


@_bug("an address that failed holds up the others", Engine, "take_batches")
def _held_up(original: Any) -> Any:
    return lambda self, now_ms: [] if self._retries else original(self, now_ms)


@_bug("a batch is taken apart in another order", Mailbox, "take_apart")
def _apart(original: Any) -> Any:
    def take_apart(self: Any, size: int) -> None:
        original(self, size)
        self.taken, self.trouble.parts[0] = self.trouble.parts[0], self.taken

    return take_apart


@_bug("a message with a known idempotency key is delivered again", Receipts, "is_repeat")
def _key_dropped(original: Any) -> Any:
    return lambda *_: False
