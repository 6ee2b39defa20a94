"""Effects, sleeps, and what an invocation knows of itself."""

from __future__ import annotations

import asyncio
import inspect
import typing
import uuid
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from statefun.durable.context_types import AttemptFinishedEvent, Request, RunOptions
from statefun.durable.contexts.base import ONE_MILLISECOND, Steps, nothing
from statefun.durable.exceptions import TerminalError
from statefun.durable.futures import SleepFuture, done
from statefun.durable.pending import Effect
from statefun.durable.retries import retries_of_effect
from statefun.durable.serde import DEFAULT_SERDE

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import CodeType

    from statefun.durable.run import Run

__all__ = ["EffectSteps"]


_DEFAULT_OPTIONS: RunOptions[Any] = RunOptions()


def _check_options(name: str, options: Any) -> None:
    """Refuse options by which no effect could be tried again."""
    if not isinstance(options, RunOptions):
        raise TerminalError(
            f"the options of {name!r} are RunOptions(...), got {options!r}: the arguments of the "
            "action follow them",
            400,
        )
    for field in ("max_duration", "initial_retry_interval", "max_retry_interval"):
        span = getattr(options, field)
        if span is not None and not (isinstance(span, timedelta) and span >= timedelta(0)):
            raise TerminalError(f"{field} of {name!r} takes a timedelta, got {span!r}", 400)
    for field in ("max_attempts", "retry_interval_factor"):
        number = getattr(options, field)
        if number is not None and not (isinstance(number, int | float) and number >= 1):
            raise TerminalError(f"{field} of {name!r} is a number from 1 on, got {number!r}", 400)


class _AttemptFinished(AttemptFinishedEvent):
    def __init__(self, run: Run) -> None:
        self._of = run

    def is_set(self) -> bool:
        """Whether the attempt is over."""
        return self._of.loop.is_closing

    async def wait(self) -> None:
        """Return once the attempt is over; whoever waits longer than an effect may is cancelled."""
        while not self.is_set():  # noqa: ASYNC110 - it is asked from loops that know nothing of us
            await asyncio.sleep(0.05)


class EffectSteps(Steps):
    """The methods of `Context` itself."""

    def request(self) -> Request:
        """How this invocation came."""
        invoke = self._execution.invoke
        return Request(
            id=invoke.id,
            headers=dict(invoke.headers),
            attempt_headers={},
            body=invoke.argument,
            attempt_finished_event=_AttemptFinished(self._run),
            idempotency_key=invoke.idempotency_key or None,
        )

    def random(self) -> Any:
        """Random numbers of this invocation."""
        return self._run.random

    def uuid(self) -> uuid.UUID:
        """A new UUID of version 4."""
        return uuid.UUID(int=self._run.random.getrandbits(128), version=4)

    def time(self) -> Any:
        """The time of the event that the handler was told last."""
        return done(self._run.loop, self._run.now_ms / 1000)

    def run(
        self,
        name: str,
        action: Callable[..., Any],
        serde: Any = DEFAULT_SERDE,
        max_attempts: int | None = None,
        max_retry_duration: timedelta | None = None,
        type_hint: Any = None,
        args: tuple[Any, ...] | None = None,
    ) -> Any:
        """Run an effect and record its result."""
        options: RunOptions[Any] = RunOptions(
            serde=serde,
            type_hint=type_hint,
            max_attempts=max_attempts,
            max_duration=max_retry_duration,
        )
        return self.run_typed(name, action, options, *(args or ()))

    def run_typed(
        self,
        name: str,
        action: Callable[..., Any],
        options: RunOptions[Any] = _DEFAULT_OPTIONS,
        /,
        *args: Any,
        **kwargs: Any,
    ) -> Any:
        """Run an effect and record its result."""
        if not callable(action):
            raise TerminalError(f"the action of {name!r} is not callable, got {action!r}", 400)
        if options is not _DEFAULT_OPTIONS:
            _check_options(name, options)
        serde = self._read_by(options.serde, options.type_hint or _result_of(action))
        self._check_pending()
        run = self._run
        seq, _ = run.step(f"run {name}")
        retries = retries_of_effect(options, self._execution.retries)
        run.effects[seq] = Effect(seq, name, action, args, kwargs, serde, retries)
        return run.future(seq, serde.deserialize)

    def sleep(self, delta: timedelta, name: str | None = None) -> Any:
        """Sleep."""
        if not isinstance(delta, timedelta) or delta < timedelta(0):
            raise TerminalError(f"sleep takes a timedelta of zero or more, got {delta!r}", 400)
        self._check_pending()
        seq, _ = self._run.step(f"sleep {name}" if name else "sleep")
        self._run.start_timer(seq, self._run.now_ms + delta // ONE_MILLISECOND)
        return self._run.future(seq, nothing, SleepFuture)


def _result_of(action: Any) -> Any:
    """The return annotation of an action; None if it has none that can be read."""
    while isinstance(action, partial):
        action = action.func
    if hasattr(action, "__wrapped__"):
        action = inspect.unwrap(action)
    hint = getattr(action, "__annotations__", _NONE).get("return")
    if isinstance(hint, str):
        hint = _evaluated(action)
    return None if hint is type(None) else hint


_NONE: dict[str, Any] = {}


_EVALUATED: WeakKeyDictionary[CodeType, Any] = WeakKeyDictionary()
"""What the return annotations of functions are that were written as text, by their code."""


def _evaluated(function: Any) -> Any:
    code: CodeType | None = getattr(function, "__code__", None)
    if code is not None and code in _EVALUATED:
        return _EVALUATED[code]
    try:
        hint = typing.get_type_hints(function).get("return")
    except (NameError, TypeError, AttributeError):
        hint = None
    if code is not None:
        _EVALUATED[code] = hint
    return hint
