"""Bugs to be planted in the core, to see whether the simulation finds them.

Law: a bug replaces one function by a variation of it, and only as long as it is planted. A bug
whose place is no longer there cannot be planted, which is an error.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from statefun.durable import _proto
from statefun.durable.attempts import Attempts
from statefun.durable.cache import Cache
from statefun.durable.contexts.calls import CallSteps
from statefun.durable.contexts.effects import EffectSteps
from statefun.durable.effects import Effects
from statefun.durable.execution import Execution
from statefun.durable.identity import derived
from statefun.durable.inbox import Inbox
from statefun.durable.journal import Journal
from statefun.durable.kept import Kept
from statefun.durable.loop import DeterministicLoop
from statefun.durable.outbox import Outbox
from statefun.durable.pending import Timers
from statefun.durable.replay import Replay
from statefun.durable.run import Run
from statefun.durable.script import Script
from statefun.durable.signals import Mailboxes
from statefun.durable.surroundings import Surroundings
from statefun.durable.tickets import TicketTurn
from statefun.durable.turn import Turn

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["BUGS", "Bug"]


@dataclass(frozen=True)
class Bug:
    """A bug.

    Attributes:
        name: What goes wrong.
        owner: The class with the function.
        function: The function's name.
        spoil: Makes the variation from the function as it is.
    """

    name: str
    owner: Any
    function: str
    spoil: Callable[[Any], Any]

    @contextmanager
    def planted(self) -> Iterator[None]:
        """Have it in the core for a while."""
        original = self.owner.__dict__[self.function]
        setattr(self.owner, self.function, self.spoil(original))
        try:
            yield
        finally:
            setattr(self.owner, self.function, original)


BUGS: list[Bug] = []


def bug(name: str, owner: Any, function: str) -> Callable[[Any], Any]:
    """Add a bug: the decorated function makes the variation."""

    def add(spoil: Any) -> Any:
        BUGS.append(Bug(name, owner, function, spoil))
        return spoil

    return add


# --- memory ---------------------------------------------------------------------------------------


@bug("a handler in memory is used whatever the stamp says", Turn, "_load")
def _(original: Any) -> Any:
    def load(self: Any, cached: Any) -> Any:
        if cached is not None:
            self._here.kept.host.stamp = cached.stamp
        return original(self, cached)

    return load


@bug("stamps are counted", Turn, "__init__")
def _(original: Any) -> Any:
    def init(self: Any, *args: Any) -> None:
        *head, nonce, cached = args
        host = _proto.Host.FromString(head[5]["host"] or b"")
        del nonce
        original(self, *head, host.stamp + 1, cached)

    return init


@bug("a turn leaves in memory what it works on", Cache, "take")
def _(_: Any) -> Any:
    return lambda self, *address: self._cached.get(address)


@bug("after a replay a handler writes into a copy of the state", Execution, "_see_entries")
def _(_: Any) -> Any:
    def see(self: Any) -> None:
        if self.declaration.service_tag.kind != "service":
            self._view = dict(self.here.kept.entries)

    return see


# --- the journal ----------------------------------------------------------------------------------


@bug("the last record is not read", Journal, "records")
def _(_: Any) -> Any:
    def records(self: Any) -> Any:
        data = b"".join(reversed(self._segments))
        return list(_proto.Journal.FromString(data).records)

    return records


@bug("what follows a failed attempt is not noted", Journal, "open_last")
def _(_: Any) -> Any:
    return lambda *_: None


@bug("an event is told and not noted", Journal, "append")
def _(original: Any) -> Any:
    def append(self: Any, record: Any) -> None:
        if record.kind != _proto.TIMER:
            original(self, record)

    return append


@bug("the commands are not noted", Journal, "_tail")
def _(original: Any) -> Any:
    def tail(self: Any) -> bytes:
        if self._last is None:
            return b""
        bare = _proto.Record()
        bare.CopyFrom(self._last)
        del bare.commands[1:]
        kept, self._last = self._last, bare
        try:
            data: bytes = original(self)
        finally:
            self._last = kept
        return data

    return tail


@bug("the journal of a finished invocation stays", Kept, "changes")
def _(original: Any) -> Any:
    def values(self: Any, *args: Any) -> Any:
        kept = original(self, *args)
        return {name: data for name, data in kept.items() if data or "journal" not in name}

    return values


@bug("time goes back when clocks differ", Surroundings, "__init__")
def _(original: Any) -> Any:
    def init(self: Any, *args: Any) -> None:
        original(self, *args)
        self.now_ms = args[5]

    return init


# --- replay ---------------------------------------------------------------------------------------


@bug("a replay carries its commands out", Run, "plain_step")
def _(original: Any) -> Any:
    return lambda self, signature: (original(self, signature)[0], True)


@bug("a failed attempt may not go on", Replay, "__init__")
def _(original: Any) -> Any:
    return lambda self, run, may_extend: original(self, run, may_extend=may_extend and False)


@bug("values are not remembered as they were", Execution, "write")
def _(original: Any) -> Any:
    def write(self: Any, name: str, data: bytes | None) -> None:
        original(self, name, data)
        self._before.pop(name, None)

    return write


@bug("a shared handler sees what was written meanwhile", Execution, "read")
def _(original: Any) -> Any:
    def read(self: Any, name: str) -> Any:
        if self.is_shared:
            self._before.pop(name, None)
        return original(self, name)

    return read


@bug("time is that of the turn, not of the event", DeterministicLoop, "time")
def _(_: Any) -> Any:
    ticks = iter(range(1_000_000_000))
    return lambda self: self.now_ms / 1000 + next(ticks) / 100


@bug("random numbers are not seeded", EffectSteps, "uuid")
def _(_: Any) -> Any:
    ticks = iter(range(1_000_000_000))
    return lambda _: next(ticks)


# --- effects --------------------------------------------------------------------------------------


@bug("one effect follows another before a commit", Effects, "wave")
def _(original: Any) -> Any:
    def wave(self: Any) -> Any:
        self._attempts.has_told_effects = False
        return original(self)

    return wave


@bug("an effect in a replay is performed again", Replay, "tell")
def _(original: Any) -> Any:
    def replay(self: Any, records: Any) -> None:
        original(self, records)
        self._run._seq += 1

    return replay


@bug("nothing wakes a turn for the effects that wait for a commit", Turn, "_account")
def _(original: Any) -> Any:
    def account(self: Any, execution: Any) -> None:
        must_go_on = self._must_go_on
        original(self, execution)
        self._must_go_on = must_go_on

    return account


@bug("failed attempts of effects are forgotten", Execution, "save")
def _(original: Any) -> Any:
    def save(self: Any) -> None:
        original(self)
        del self.header.retries[:]

    return save


# --- events and timers ----------------------------------------------------------------------------


@bug("what comes while a handler is backed off is lost", Attempts, "tell")
def _(original: Any) -> Any:
    def tell(self: Any, execution: Any, record: Any) -> None:
        if execution.header.status == _proto.RUNNING:
            original(self, execution, record)

    return tell


@bug("what came while a handler was backed off is not told", Attempts, "go_on")
def _(original: Any) -> Any:
    def go_on(self: Any, execution: Any) -> None:
        del execution.header.pending[:]
        original(self, execution)

    return go_on


@bug("timers fire early", Run, "due_timer")
def _(original: Any) -> Any:
    return lambda self, now_ms: original(self, now_ms + 500)


@bug("an old alarm is not withdrawn", Outbox, "arm")
def _(original: Any) -> Any:
    def arm(self: Any, *args: Any) -> None:
        withdrawn = list(self.withdrawn)
        original(self, *args)
        self.withdrawn = withdrawn

    return arm


@bug("an earlier deadline arms no alarm", Outbox, "arm")
def _(original: Any) -> Any:
    def arm(self: Any, holder: Any, *args: Any) -> None:
        if not holder.HasField("alarm"):
            original(self, holder, *args)

    return arm


@bug("who waits is not told that a promise was kept", Surroundings, "complete_promise")
def _(_: Any) -> Any:
    def complete(self: Any, name: str, outcome: Any) -> None:
        self.kept.promises[name] = outcome
        self.kept.promises_changed = True

    return complete


# --- invocations ----------------------------------------------------------------------------------


@bug("two exclusive handlers run at once", Turn, "_begin_next")
def _(_: Any) -> Any:
    def begin(self: Any) -> bool:
        if not self._here.kept.queue:
            return False
        self.attempts.begin(self._here.kept.queue.popleft())
        return True

    return begin


@bug("an invocation in the queue is lost", Turn, "_begin_next")
def _(original: Any) -> Any:
    def begin(self: Any) -> Any:
        has_begun = original(self)
        if has_begun and len(self._here.kept.queue) > 1:
            self._here.kept.queue.pop()
        return has_begun

    return begin


@bug("all calls of a handler have one id", CallSteps, "_child")
def _(original: Any) -> Any:
    return lambda self, seq, *args, **kwargs: original(self, 0 * seq, *args, **kwargs)


@bug("ids are drawn anew in each attempt", CallSteps, "_child")
def _(original: Any) -> Any:
    ticks = iter(range(1_000_000_000))
    return lambda self, _, *args, **kwargs: original(self, next(ticks), *args, **kwargs)


@bug("who is not the first to wait gets no answer", Outbox, "answer")
def _(original: Any) -> Any:
    return lambda self, routes, outcome: original(self, list(routes)[1:], outcome)


@bug("an answer is given twice", Outbox, "answer")
def _(original: Any) -> Any:
    return lambda self, routes, outcome: original(self, list(routes) * 2, outcome)


@bug("results are kept for ever", Attempts, "forget")
def _(_: Any) -> Any:
    def keep(self: Any) -> None:
        self._here.kept.host.receipt.expires_ms += 1

    return keep


@bug("a ticket forgets what became of its invocation", TicketTurn, "_conclude")
def _(original: Any) -> Any:
    def conclude(self: Any, outcome: Any) -> None:
        original(self, outcome)
        if self._ticket is not None:
            self._drop(self._ticket)

    return conclude


@bug("a ticket hands its invocation on each time", TicketTurn, "_accept")
def _(original: Any) -> Any:
    def accept(self: Any, invoke: Any) -> None:
        original(self, invoke)
        if self._ticket is not None and self._ticket.is_forwarded and not invoke.delay_ms:
            self._outbox.messages.clear()
            self._forward(self._ticket)

    return accept


@bug("a ticket is never due", TicketTurn, "_ring")
def _(_: Any) -> Any:
    return lambda *_: None


@bug("derived ids ignore who asked", CallSteps, "_child")
def _(original: Any) -> Any:
    def child(self: Any, seq: int, target: Any, idempotency_key: Any, *, is_delayed: bool) -> Any:
        made = original(self, seq, target, idempotency_key, is_delayed=is_delayed)
        return type(made)(made.place, made.service, made.key, derived("same", seq))

    return child


# --- operators ------------------------------------------------------------------------------------


@bug("who is cancelled in the queue is not answered", Attempts, "conclude")
def _(original: Any) -> Any:
    return lambda self, invoke, _, outcome: original(self, invoke, [], outcome)


@bug("who is resumed is not told what came meanwhile", Inbox, "_resume")
def _(original: Any) -> Any:
    def resume(self: Any, invocation: str) -> None:
        known = self._here.known(invocation)
        if hasattr(known, "header"):
            del known.header.pending[:]
        original(self, invocation)

    return resume


@bug("a paused handler is brought back by its alarm", Attempts, "suspend")
def _(original: Any) -> Any:
    def suspend(self: Any, execution: Any, status: int, due_ms: int) -> None:
        original(self, execution, status, due_ms)
        execution.header.status = _proto.RUNNING

    return suspend


# --- what waits, and who asks ---------------------------------------------------------------------


@bug("an effect that has failed is not tried again", Effects, "_try_again")
def _(original: Any) -> Any:
    def try_again(self: Any, execution: Any, effect: Any, error: BaseException) -> None:
        original(self, execution, effect, error)
        effect.due_ms = 1 << 62

    return try_again


@bug("the last attempt of a handler answers nobody", Attempts, "give_up")
def _(_: Any) -> Any:
    return lambda self, execution, _error: self.suspend(execution, _proto.PAUSED, 0)


@bug("who asks for what is over is not answered", Inbox, "_join")
def _(original: Any) -> Any:
    def join(self: Any, known: Any, route: Any) -> None:
        if not isinstance(known, _proto.Receipt):
            original(self, known, route)

    return join


@bug("of two timers the later one fires first", Timers, "first")
def _(_: Any) -> Any:
    return property(lambda self: max(self._by_seq.values(), key=lambda t: t.due_ms, default=None))


@bug("a signal is taken by whoever waited last", Mailboxes, "put")
def _(original: Any) -> Any:
    def put(self: Any, name: str, outcome: Any) -> Any:
        for mailbox in self._by_name.values():
            mailbox.waiting.reverse()
        return original(self, name, outcome)

    return put


@bug("a signal that came early is lost", Mailboxes, "take")
def _(original: Any) -> Any:
    def take(self: Any, name: str, seq: int) -> Any:
        self._by_name.pop(name, None)
        return original(self, name, seq)

    return take


@bug("the state of a workflow outlives it", Kept, "forget")
def _(original: Any) -> Any:
    return lambda self, *, with_state: original(self, with_state=with_state and False)


@bug("a replay takes any command for the recorded one", Script, "take")
def _(_: Any) -> Any:
    def take(self: Any, _command: str) -> bool:
        if self._position < len(self._commands):
            self._position += 1
        return True

    return take
