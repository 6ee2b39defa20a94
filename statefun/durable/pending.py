"""What a run waits for that is not another invocation: effects, and timers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Mapping

    from statefun.durable.retries import Retries
    from statefun.durable.serde import Serde

__all__ = ["Effect", "Timer", "Timers"]


@dataclass(slots=True)
class Effect:
    """An effect that a handler has asked for and that has no outcome yet.

    Attributes:
        seq: Its command.
        name: Its name.
        action: What is called.
        args: What it is called with.
        kwargs: What it is called with by name.
        serde: How its result is written.
        retries: When it is tried again; None takes the handler's policy.
        attempts: How many attempts have failed.
        first_ms: When the first one began; 0 before.
        due_ms: When the next attempt may begin.
    """

    seq: int
    name: str
    action: Callable[..., Any]
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    serde: Serde[Any]
    retries: Retries | None = None
    attempts: int = 0
    first_ms: int = 0
    due_ms: int = 0

    def begin(self) -> Any:
        """Call it."""
        return self.action(*self.args, **self.kwargs)

    def encode(self, result: Any) -> bytes:
        """The bytes of what it has returned."""
        return self.serde.serialize(result)


@dataclass(slots=True)
class Timer:
    """A timer.

    Attributes:
        due_ms: Its time.
        seq: Its command.
        handle: What the loop calls then; None if a future waits for it.
    """

    due_ms: int
    seq: int
    handle: asyncio.TimerHandle | None = None


class Timers:
    """The timers of commands that have neither fired nor been stopped."""

    __slots__ = ("_by_seq",)

    def __init__(self) -> None:
        self._by_seq: dict[int, Timer] = {}

    def __len__(self) -> int:
        return len(self._by_seq)

    def __contains__(self, seq: int) -> bool:
        return seq in self._by_seq

    def start(self, timer: Timer) -> None:
        """Let an event be due."""
        self._by_seq[timer.seq] = timer

    def stop(self, handle: asyncio.TimerHandle) -> None:
        """Stop the timer of a handle that was cancelled."""
        for seq, timer in self._by_seq.items():
            if timer.handle is handle:
                del self._by_seq[seq]
                return

    def take(self, seq: int) -> Timer | None:
        """Stop the timer of a command."""
        return self._by_seq.pop(seq, None)

    @property
    def first(self) -> Timer | None:
        """The one that is due first; of several, the one that was started first."""
        return min(self._by_seq.values(), key=_by_due, default=None)


def _by_due(timer: Timer) -> tuple[int, int]:
    return timer.due_ms, timer.seq
