"""The run: the live coroutine of an execution, its commands and what it waits for.

Law: a run is a function of the records it is told. Told those of a journal it gives the same
commands again, which are only compared; see `replay`. After the last record it is live: its
commands are carried out and noted in the record.
"""

from __future__ import annotations

import contextvars
from contextlib import contextmanager
from random import Random
from typing import TYPE_CHECKING, Any, NoReturn, Protocol
from zlib import crc32

from statefun.durable import _proto
from statefun.durable.exceptions import SdkInternalException
from statefun.durable.futures import StepFuture
from statefun.durable.loop import DeterministicLoop
from statefun.durable.pending import Timer, Timers
from statefun.durable.places import place_of_call
from statefun.durable.script import Difference, Script
from statefun.durable.signals import Mailboxes
from statefun.errors import NonDeterminismError

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Container, Coroutine, Iterator, Mapping

    from statefun.durable.futures import Decode
    from statefun.durable.pending import Effect

__all__ = ["Actor", "Run"]

_ANSWERS = (_proto.EFFECT, _proto.DONE, _proto.PROMISE)
"""Events that complete a command."""


class Actor(Protocol):
    """What an execution does: what happens at an event that answers no command.

    Attributes:
        waits_for_messages: Whether it may wait for messages that it has not asked for. Otherwise
            an execution that waits and has no unfinished step has failed.
    """

    waits_for_messages: bool

    def start(self) -> Coroutine[Any, Any, bytes]:
        """The coroutine that a START begins; what it returns is the result."""

    def told(self, record: _proto.Record) -> None:
        """Take in a SIGNAL, an UPDATE or a CANCEL."""

    def settle(self) -> bool:
        """See what has become true since nothing runs any more; whether something runs again."""

    def decide(self, task: asyncio.Task[bytes]) -> _proto.Outcome | BaseException | None:
        """Decide about what was done, after each event.

        Args:
            task: The task that START began.

        Returns:
            Its outcome, if it is over; the error that ended this attempt; None if it goes on.
        """

    def query(self, query: _proto.Query) -> _proto.Outcome:
        """Answer a question."""

    def validate(self, update: _proto.Update) -> _proto.Outcome | None:
        """Look at an update before it is recorded; the answer if it is not, None to record it."""


class Run:
    """A handler that runs, waits, or is made to repeat what it has done.

    Args:
        execution_id: The id of its invocation.
        what: Whose it is, for sentences: `Order/o-17`.
        on_live: Called when a replay has told everything and the handler goes on.

    Attributes:
        actor: What it does; set before anything is told.
        is_replaying: Whether it repeats what it has done before.
        mismatch: How it differs from its journal; nothing of it counts then.
        effects: Effects without an outcome, by command.
        children: Invocations it waits for, by command.
        promises: The commands that await a promise, by its name.
        mailboxes: Its signals.
        record: The record that is being told.
        script: The commands that a replay has to give.
        sent_bytes: How much it has sent since the last event, also while it replays.
        before_step: Called before each command.
        again: The commands that are carried out although it replays.
        seeds: The number of events told → what random numbers follow from then on.
        main: The task of the handler.
    """

    def __init__(self, execution_id: str, what: str, on_live: Callable[[], None]) -> None:
        self.execution_id = execution_id
        self.what = what
        self._on_live = on_live
        self.actor: Actor
        self._random: Random | None = None
        self._seed = execution_id
        self._timers = Timers()
        self.loop = DeterministicLoop(  # type: ignore[abstract]  # it refuses the others
            crc32(execution_id.encode()) << 24,
            execution_id.encode(),
            self._start_loop_timer,
            self._timers.stop,
        )
        self.is_replaying = False
        self.mismatch: NonDeterminismError | None = None
        self.effects: dict[int, Effect] = {}
        self.children: dict[int, str] = {}
        self.promises: dict[str, list[int]] = {}
        self.mailboxes = Mailboxes()
        self.record = _proto.Record()
        self.before_step: Callable[[], None] = _nothing
        self.again: Container[int] = ()
        self.seeds: Mapping[int, str] = {}
        self.main: asyncio.Task[bytes] | None = None
        self._futures: dict[int, StepFuture[Any]] = {}
        self.script = Script()
        self.sent_bytes = 0
        self._seq = 0
        self._told = 0
        self._refuse: Callable[[str], NoReturn] | None = None

    @property
    def random(self) -> Random:
        """Random numbers of the invocation."""
        if self._random is None:
            self._random = Random(f"{self._seed} random")  # noqa: S311 - to be repeated
        return self._random

    def seed(self, seed: str) -> None:
        """Draw random numbers from another source from now on."""
        self._seed, self._random = seed, None

    @property
    def now_ms(self) -> int:
        """The time of the event that is being told."""
        return self.loop.now_ms

    # --- commands ---

    def step(self, signature: str) -> tuple[int, bool]:
        """Give a command.

        Args:
            signature: What it is, as it is recorded and compared.

        Returns:
            Its number, and whether it is to be carried out: a replay only counts.

        Raises:
            Exception: What `looked_at` has it raise, while it is only looked at.
        """
        self.before_step()
        return self.plain_step(signature)

    def plain_step(self, signature: str) -> tuple[int, bool]:
        """Give a command without anything before it; see `step`."""
        if self._refuse is not None:
            self._refuse(signature)
        if self.loop.is_closing or self.mismatch:
            raise SdkInternalException
        if self.is_replaying and not self.script.take(signature):
            if self.script.next is not None or not self.script.is_open:
                self.differ(Difference(self.script.next, signature), place_of_call())
                raise SdkInternalException
            self.go_live()
        if not self.is_replaying:
            self.record.commands.append(signature)
        seq = self._seq
        self._seq = seq + 1
        return seq, not self.is_replaying or seq in self.again

    def mark(self, signature: str) -> bool:
        """Give a command that an older program did not give; whether the journal has it.

        While live it is given, and the answer is True.
        """
        if self.is_replaying and self.script.next != signature:
            may_be_new = self.script.next is None and self.script.is_open
            if not may_be_new:
                return False
        self.step(signature)
        return True

    def future(self, seq: int, decode: Decode[Any], kind: type[Any] = StepFuture) -> Any:
        """The future of a command that an event will complete."""
        future = self._futures[seq] = kind(self.loop, decode)
        return future

    def start_timer(self, seq: int, due_ms: int) -> None:
        """Let a TIMER event be due for a command."""
        self._timers.start(Timer(due_ms, seq))

    def await_signal(self, seq: int, name: str) -> None:
        """Let the next signal of a name complete a command, or one that came already."""
        came = self.mailboxes.take(name, seq)
        if came is not None:
            self.complete(seq, came)

    def _start_loop_timer(self, due_ms: int, handle: asyncio.TimerHandle) -> None:
        seq, _ = self.step("timer")
        self._timers.start(Timer(due_ms, seq, handle))

    # --- what it waits for ---

    def awaited(self) -> list[int]:
        """The commands whose futures somebody waits for, in their order."""
        return [seq for seq, future in self._futures.items() if future.is_awaited]

    def complete(self, seq: int, outcome: _proto.Outcome) -> None:
        """Give a command its outcome, if it has none."""
        future = self._futures.pop(seq, None)
        if future is not None:
            future.complete(outcome)

    def fail(self, seq: int, error: BaseException) -> None:
        """Let a command fail here, whatever becomes of it elsewhere."""
        self._futures.pop(seq).fail(error)
        self._timers.take(seq)
        self.effects.pop(seq, None)
        self.mailboxes.give_up(seq)

    def verdict(self) -> _proto.Outcome | BaseException | None:
        """Its outcome, if it is over; the error that ended this attempt; None if it goes on."""
        if self.loop.is_cut_off:
            return TimeoutError(
                f"{self.what} has computed for {self.loop.longest_drain:g} s without waiting, "
                "longer than its inactivity timeout and its abort timeout together: compute in an "
                "effect (ctx.run_typed), or give it more time"
            )
        if self.main is None:
            return None
        if (
            not self._futures
            and not len(self._timers)
            and not self.main.done()
            and not self.actor.waits_for_messages
        ):
            return RuntimeError(
                f"{self.what} awaits something that no durable step will ever complete: await "
                "futures of its context, or what other tasks of the handler complete"
            )
        return self.actor.decide(self.main)

    def forget(self, seq: int) -> None:
        """Let a command wait for nothing any more."""
        self._futures.pop(seq, None)
        self._timers.take(seq)
        self.effects.pop(seq, None)

    def rest(self) -> None:
        """Wait for nothing any more, and run no code: all that is left is to be looked at."""
        self._futures.clear()
        self._timers = Timers()
        self.effects.clear()
        self.loop.is_stopped = True

    @property
    def told(self) -> int:
        """How many events it has been told."""
        return self._told

    @property
    def unfinished(self) -> int:
        """How many steps wait for an event."""
        return len(self._futures) + len(self._timers)

    # --- events ---

    def expects(self, record: _proto.Record) -> bool:
        """Whether an event is news: it answers a command that has no answer yet."""
        if record.kind in _ANSWERS:
            return record.seq in self._futures
        return record.kind != _proto.TIMER or record.seq in self._timers

    def tell(self, record: _proto.Record) -> None:
        """Tell an event, and run until everything waits; live commands are added to it."""
        self.record = record
        if self._told in self.seeds:
            self.seed(self.seeds[self._told] or self.execution_id)
        self._told += 1
        self.sent_bytes = 0
        self.loop.now_ms = record.time_ms
        kind, seq = record.kind, record.seq
        if kind in _ANSWERS:
            self.children.pop(seq, None)
            self.effects.pop(seq, None)
            self.complete(seq, record.outcome)
        elif kind == _proto.TIMER:
            self._fire(seq)
        elif kind == _proto.START:
            context = contextvars.Context()
            coroutine = self.actor.start()
            self.main = self.loop.create_task(coroutine, name=self.what, context=context)
        else:
            self.actor.told(record)
        drain, settle = self.loop.drain, self.actor.settle
        drain()
        while settle():
            drain()

    def _fire(self, seq: int) -> None:
        timer = self._timers.take(seq)
        if timer is not None and timer.handle is not None:
            self.loop.fire(timer.handle)
        else:
            self.complete(seq, _proto.Outcome())

    def due_timer(self, now_ms: int) -> _proto.Record | None:
        """The event of the timer that is due first, if one is."""
        timer = self._timers.first
        if timer is None or timer.due_ms > now_ms:
            return None
        return _proto.Record(kind=_proto.TIMER, seq=timer.seq)

    def next_due_ms(self) -> int:
        """When it goes on by itself; 0 for never."""
        timer = self._timers.first
        dues = [] if timer is None else [timer.due_ms]
        dues += [max(effect.due_ms, 1) for effect in self.effects.values()]
        return min(dues, default=0)

    # --- replay, which has its own file ---

    def go_live(self) -> None:
        """Carry out commands from now on."""
        self.is_replaying = False
        self.script.open([], is_open=False)
        self._on_live()

    def differ(self, difference: Difference, place: str) -> None:
        """Stop for good: this program is not the one that the journal is of."""
        self.mismatch = NonDeterminismError(
            self.what, self._told, difference.recorded, difference.given, place
        )
        self.loop.is_stopped = True

    # --- being looked at ---

    @contextmanager
    def looked_at(self, refuse: Callable[[str], NoReturn]) -> Iterator[None]:
        """Refuse commands for a while, in which the loop is the running one.

        Args:
            refuse: Raises the error for a command.
        """
        self._refuse = refuse
        try:
            with self.loop.entered():
                yield
        finally:
            self._refuse = None

    def close(self) -> None:
        """Put the coroutine away."""
        self.loop.close()
        self._futures.clear()


def _nothing() -> None:
    pass
