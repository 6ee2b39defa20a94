"""The run: the live coroutine of an execution, its commands and what it waits for.

Law: a run is a function of the records it is told. Told those of a journal it gives the same
commands again, which are then compared with the recorded ones and not carried out; this is replay.
After the last record it is live: its commands are carried out and noted in the record.
"""

from __future__ import annotations

import contextvars
from collections import deque
from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING, Any
from zlib import crc32

from statefun.durable import _proto
from statefun.durable.exceptions import SdkInternalException, TerminalError, terminal_cause
from statefun.durable.futures import StepFuture
from statefun.durable.loop import DeterministicLoop
from statefun.durable.places import place_of_call, place_of_task
from statefun.errors import NonDeterminismError

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Coroutine

    from statefun.durable.futures import Decode

__all__ = ["Effect", "Run"]


@dataclass(slots=True)
class Effect:
    """An effect that a handler has asked for and that has no outcome yet.

    Attributes:
        seq: Its command.
        name: Its name.
        action: What is called.
        encode: What it returns → bytes.
        options: When it is tried again; None takes the handler's policy.
        attempts: How many attempts have failed.
        first_ms: When the first one began; 0 before.
        due_ms: When the next attempt may begin.
    """

    seq: int
    name: str
    action: Callable[[], Any]
    encode: Callable[[Any], bytes]
    options: Any
    attempts: int = 0
    first_ms: int = 0
    due_ms: int = 0


@dataclass(slots=True)
class _Timer:
    due_ms: int
    seq: int
    handle: asyncio.TimerHandle | None


@dataclass(slots=True)
class _Mailbox:
    """The signals of one name: those that came and nobody took, or who waits for one."""

    came: deque[_proto.Outcome] = field(default_factory=deque)
    waiting: deque[int] = field(default_factory=deque)


class Run:
    """A handler that runs, waits, or is made to repeat what it has done.

    Args:
        execution_id: The id of its invocation.
        what: Whose it is, for sentences: `Order/o-17`.
        on_live: Called when a replay has told everything and the handler goes on.

    Attributes:
        is_replaying: Whether it repeats what it has done before.
        mismatch: How it differs from its journal; nothing of it counts then.
        effects: Effects without an outcome, by command.
        children: Invocations it waits for, by command.
        record: The record that is being told.
        is_cancelled: Whether it was cancelled while nothing durable was awaited.
        main: The task of the handler.
    """

    def __init__(self, execution_id: str, what: str, on_live: Callable[[], None]) -> None:
        self.execution_id = execution_id
        self.what = what
        self._on_live = on_live
        self._random: Random | None = None
        self.loop = DeterministicLoop(  # type: ignore[abstract]  # it refuses the others
            crc32(execution_id.encode()) << 24,
            execution_id.encode(),
            self._start_loop_timer,
            self._stop_loop_timer,
        )
        self.is_replaying = False
        self.mismatch: NonDeterminismError | None = None
        self.effects: dict[int, Effect] = {}
        self.children: dict[int, str] = {}
        self.promises: dict[str, list[int]] = {}
        self.record = _proto.Record()
        self.is_cancelled = False
        self.before_step: Callable[[], None] = _nothing
        self.main: asyncio.Task[bytes] | None = None
        self._futures: dict[int, StepFuture[Any]] = {}
        self._timers: dict[int, _Timer] = {}
        self._mailboxes: dict[str, _Mailbox] = {}
        self._seq = 0
        self._told = 0
        self._expected: list[str] = []
        self._position = 0
        self._may_extend = False

    @property
    def random(self) -> Random:
        """Random numbers of the invocation."""
        if self._random is None:
            self._random = Random(f"{self.execution_id} random")  # noqa: S311 - to be repeated
        return self._random

    @property
    def now_ms(self) -> int:
        """The time of the event that is being told."""
        return self.loop.now_ms

    # --- commands, for contexts ---

    def step(self, signature: str) -> tuple[int, bool]:
        """Give a command.

        Args:
            signature: What it is, as it is recorded and compared.

        Returns:
            Its number, and whether it is to be carried out: a replay only counts.
        """
        self.before_step()
        return self.plain_step(signature)

    def plain_step(self, signature: str) -> tuple[int, bool]:
        """Give a command without anything before it; see `step`."""
        if self.loop.is_closing or self.mismatch:
            raise SdkInternalException
        if self._position < len(self._expected):
            recorded = self._expected[self._position]
            if recorded != signature:
                self._differ(recorded, signature, place_of_call())
                raise SdkInternalException
            self._position += 1
        elif self.is_replaying and not self._may_extend:
            self._differ(None, signature, place_of_call())
            raise SdkInternalException
        else:
            if self.is_replaying:
                self.go_live()
            self.record.commands.append(signature)
        seq, self._seq = self._seq, self._seq + 1
        return seq, not self.is_replaying

    def future(self, seq: int, decode: Decode[Any], kind: type[Any] = StepFuture) -> Any:
        """The future of a command that an event will complete."""
        future = self._futures[seq] = kind(self.loop, decode)
        return future

    def done(self, value: Any) -> StepFuture[Any]:
        """A future that has its value already."""
        future: StepFuture[Any] = StepFuture(self.loop, _undecoded)
        future.set_result(value)
        return future

    def start_timer(self, seq: int, due_ms: int) -> None:
        """Let a TIMER event be due for a command."""
        self._timers[seq] = _Timer(due_ms, seq, None)

    def await_signal(self, seq: int, name: str) -> None:
        """Let the next signal of a name complete a command, or one that came already."""
        mailbox = self._mailboxes.setdefault(name, _Mailbox())
        if mailbox.came:
            self._complete(seq, mailbox.came.popleft())
        else:
            mailbox.waiting.append(seq)

    def _start_loop_timer(self, due_ms: int, handle: asyncio.TimerHandle) -> None:
        seq, _ = self.step("timer")
        self._timers[seq] = _Timer(due_ms, seq, handle)

    def _stop_loop_timer(self, handle: asyncio.TimerHandle) -> None:
        for seq, timer in self._timers.items():
            if timer.handle is handle:
                del self._timers[seq]
                return

    # --- events ---

    def expects(self, record: _proto.Record) -> bool:
        """Whether an event is news: it answers a command that has no answer yet."""
        if record.kind == _proto.TIMER:
            return record.seq in self._timers
        if record.kind in (_proto.DONE, _proto.EFFECT, _proto.PROMISE):
            return record.seq in self._futures
        return True

    def tell(self, record: _proto.Record, start: Callable[[], Coroutine[Any, Any, bytes]]) -> None:
        """Tell an event, and run until everything waits.

        Args:
            record: The event; while live, the commands are added to it.
            start: Makes the coroutine of the handler, at a START.
        """
        self.record = record
        self._told += 1
        self.loop.now_ms = record.time_ms
        match record.kind:
            case _proto.START:
                context = contextvars.Context()
                self.main = self.loop.create_task(start(), name=self.what, context=context)
            case _proto.TIMER:
                self._fire(record.seq)
            case _proto.SIGNAL:
                self._signal(record)
            case _proto.CANCEL:
                self._cancel()
            case _:
                self.children.pop(record.seq, None)
                self.effects.pop(record.seq, None)
                self._complete(record.seq, record.outcome)
        self.loop.drain()

    def replay(
        self,
        records: list[_proto.Record],
        start: Callable[[], Coroutine[Any, Any, bytes]],
        *,
        may_extend: bool,
    ) -> None:
        """Tell all records of a journal, comparing the commands; afterwards it is live.

        Args:
            records: The records, oldest first.
            start: Makes the coroutine of the handler.
            may_extend: Whether more commands may follow those of the last record: the attempt that
                gave them had failed there.
        """
        self.is_replaying = True
        with self.loop.entered():
            self._tell_all(records, start, may_extend=may_extend)
        if self.is_replaying and not self.mismatch:
            self.go_live()

    def _tell_all(
        self,
        records: list[_proto.Record],
        start: Callable[[], Coroutine[Any, Any, bytes]],
        *,
        may_extend: bool,
    ) -> None:
        for position, record in enumerate(records):
            is_last = position == len(records) - 1
            self._expected, self._position = list(record.commands), 0
            self._may_extend = may_extend and is_last
            if not self.expects(record):
                self._differ(_named(record), None, place_of_task(self.loop.waiting()))
                break
            self.tell(record, start)
            if self.mismatch or self._has_failed():
                break
            if self._position < len(self._expected):
                recorded = self._expected[self._position]
                self._differ(recorded, None, place_of_task(self.loop.waiting()))
                break

    def _has_failed(self) -> bool:
        """Whether the attempt has ended, and not as an outcome."""
        if self.main is None or not self.main.done() or self.main.cancelled():
            return False
        error = self.main.exception()
        return error is not None and terminal_cause(error) is None

    def go_live(self) -> None:
        """Carry out commands from now on."""
        self.is_replaying = False
        self._expected, self._position = [], 0
        self._on_live()

    def due_timer(self, now_ms: int) -> _proto.Record | None:
        """The event of the timer that is due first, if one is."""
        timer = min(self._timers.values(), key=_by_due, default=None)
        if timer is None or timer.due_ms > now_ms:
            return None
        return _proto.Record(kind=_proto.TIMER, seq=timer.seq)

    def next_due_ms(self) -> int:
        """When it goes on by itself; 0 for never."""
        dues = [timer.due_ms for timer in self._timers.values()]
        dues += [max(effect.due_ms, 1) for effect in self.effects.values()]
        return min(dues, default=0)

    @property
    def unfinished(self) -> int:
        """How many steps wait for an event."""
        return len(self._futures) + len(self._timers)

    @property
    def waits_in_vain(self) -> bool:
        """Whether it waits and no event will ever let it go on."""
        return (
            self.main is not None and not self.main.done() and not self._futures
        ) and not self._timers

    def _fire(self, seq: int) -> None:
        timer = self._timers.pop(seq)
        if timer.handle is not None:
            self.loop.fire(timer.handle)
        else:
            self._complete(seq, _proto.Outcome())

    def _signal(self, record: _proto.Record) -> None:
        mailbox = self._mailboxes.setdefault(record.name, _Mailbox())
        if mailbox.waiting:
            self._complete(mailbox.waiting.popleft(), record.outcome)
        else:
            mailbox.came.append(record.outcome)

    def _complete(self, seq: int, outcome: _proto.Outcome) -> None:
        future = self._futures.pop(seq, None)
        if future is not None:
            future.complete(outcome)

    def _cancel(self) -> None:
        """Cancel the calls that are awaited, else fail what is awaited, else whatever is."""
        with self.loop.entered():
            awaited = [seq for seq, future in self._futures.items() if future.is_awaited]
            for child in tuple(self.children.values()):
                self.cancel_child(child)
            if any(seq in self.children for seq in awaited):
                return  # their failures will say it
            for seq in awaited:
                self._futures.pop(seq).fail(TerminalError("cancelled", 409))
                self._timers.pop(seq, None)
                self.effects.pop(seq, None)
                for mailbox in self._mailboxes.values():
                    if seq in mailbox.waiting:
                        mailbox.waiting.remove(seq)
            if not awaited and self.main is not None:
                self.is_cancelled = True
                self.main.cancel()

    def cancel_child(self, child: str) -> None:
        """Cancel an invocation; replaced by whoever can send."""

    def _differ(self, recorded: str | None, now: str | None, place: str) -> None:
        self.mismatch = NonDeterminismError(self.what, self._told, recorded, now, place)
        self.loop.is_stopped = True

    def close(self) -> None:
        """Put the coroutine away."""
        self.loop.close()
        self._futures.clear()


def _nothing() -> None:
    pass


def _undecoded(_: bytes) -> Any:
    return None


def _by_due(timer: _Timer) -> tuple[int, int]:
    return timer.due_ms, timer.seq


_KINDS = ("the start", "an answer", "a timer", "an effect", "a signal", "a promise", "a cancel")


def _named(record: _proto.Record) -> str:
    return f"{_KINDS[record.kind]} for step {record.seq}"
