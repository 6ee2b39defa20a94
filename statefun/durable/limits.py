"""Limits: what bounds a turn, a message and an execution, so that no engine is ever hurt."""

from __future__ import annotations

import logging
from dataclasses import dataclass, fields
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from statefun.durable.exceptions import TerminalError
from statefun.errors import ConfigurationError

if TYPE_CHECKING:
    from statefun.durable.options import Options

__all__ = ["Limits"]

logger = logging.getLogger("statefun.durable")


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of what durable handlers may take.

    What one key keeps is sent with every request for it, so the state, the journal and the queue
    together stay below the 32 MiB that the transport of an engine carries.

    Attributes:
        value_bytes: The longest argument, result or value of state.
        state_bytes: The most that all values of one key take.
        reply_bytes: How much a handler may send between two waits, and a turn before further queued
            invocations wait for the next turn.
        turn_invocations: How many queued invocations a turn may begin.
        queue_invocations: How many may wait at one key; more knock again later.
        queue_bytes: How many bytes of arguments may wait at one key, and as many again with shared
            handlers that wait for something; more knock again later.
        knock_after: When those knock again.
        pending_steps: How many steps of one invocation may be unfinished at a time.
        journal_records: How many events one invocation may be told.
        effect_time: How long one attempt of an effect may take, unless its handler says how long
            it may be inactive. It holds its address meanwhile, so it stays below the time in which
            an engine gives up on a request.
        retention: How long outcomes are kept where no option says otherwise.
        cached_addresses: How many addresses with suspended handlers stay in memory.
        remembered_turns: Of how many addresses the reply of the last turn that performed effects
            is remembered, for the case that it is lost on its way.
        warned_bytes: A value of so many bytes is told in the log.
        journal_bytes: How long the journal of one invocation may be.

    Raises:
        ConfigurationError: If one of them has another type, or is less than zero.
    """

    value_bytes: int = 2_000_000
    state_bytes: int = 16_000_000
    reply_bytes: int = 8_000_000
    turn_invocations: int = 256
    queue_invocations: int = 10_000
    queue_bytes: int = 4_000_000
    knock_after: timedelta = timedelta(seconds=1)
    pending_steps: int = 2_000
    journal_records: int = 50_000
    effect_time: timedelta = timedelta(seconds=45)
    retention: timedelta = timedelta(hours=24)
    cached_addresses: int = 10_000
    remembered_turns: int = 1_000
    warned_bytes: int = 512 * 1024
    journal_bytes: int = 8_000_000

    def __post_init__(self) -> None:
        """Refuse what bounds nothing."""
        for each in fields(self):
            given = getattr(self, each.name)
            is_span = each.name in ("knock_after", "effect_time", "retention")
            kind: type[Any] = timedelta if is_span else int
            if not isinstance(given, kind) or given < kind():
                wanted = "a timedelta" if is_span else "a number"
                raise ConfigurationError(
                    f"{each.name} of Limits is {wanted} of zero or more, got {given!r}",
                    option=each.name,
                    given=repr(given),
                )

    def check_value(self, what: str, data: bytes) -> None:
        """Refuse an argument, a result or a value that is too long.

        Args:
            what: What it is, for the sentence.
            data: It.

        Raises:
            TerminalError: If it is, code 413.
        """
        if len(data) > self.value_bytes:
            raise TerminalError(
                f"{what} has {len(data)} bytes, more than the limit of {self.value_bytes}: keep it "
                "elsewhere and pass where it is",
                413,
            )
        if len(data) >= self.warned_bytes:
            logger.warning(
                "%s has %d bytes, and the limit is %d: keep what is large elsewhere, and pass "
                "where it is",
                what,
                len(data),
                self.value_bytes,
            )

    def time_of(self, options: Options) -> timedelta:
        """How long one attempt of an effect of a handler may take."""
        inactivity, abort = options.inactivity_timeout, options.abort_timeout
        if inactivity is None and abort is None:
            return self.effect_time
        return (_INACTIVITY if inactivity is None else inactivity) + (
            _ABORT if abort is None else abort
        )


_INACTIVITY = timedelta(minutes=1)
_ABORT = timedelta(minutes=10)
