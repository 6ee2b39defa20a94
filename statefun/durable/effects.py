"""Effects: what handlers do to the world, in waves between which a turn is committed.

Law: in strict mode at most one wave of effects runs in a turn. So a later effect never acts on the
result of an earlier one before that is committed.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from statefun.durable import _proto
from statefun.durable.exceptions import TerminalError, terminal_cause
from statefun.durable.outcomes import failed, shown, succeeded

if TYPE_CHECKING:
    from statefun.durable.attempts import Attempts
    from statefun.durable.execution import Execution
    from statefun.durable.pending import Effect
    from statefun.durable.surroundings import Surroundings

__all__ = ["Effects", "Ready"]

logger = logging.getLogger("statefun.durable")

_PERFORMED = 1 << 62


@dataclass(frozen=True, slots=True)
class Ready:
    """An effect that is to be performed now."""

    execution: Execution = field(repr=False)
    effect: Effect


class Effects:
    """The effects of the executions at an address, in one turn.

    Args:
        here: The address.
        attempts: What becomes of an execution whose effect has failed for good.
    """

    def __init__(self, here: Surroundings[Execution], attempts: Attempts) -> None:
        self._here = here
        self._attempts = attempts

    def wave(self) -> list[Ready]:
        """The effects to be performed now, side by side; none if the turn should end."""
        now_ms, is_first = self._here.now_ms, not self._attempts.has_told_effects
        ready = [
            Ready(execution, effect)
            for execution in self._here.executions
            if execution.run is not None and (is_first or execution.is_relaxed)
            for effect in execution.run.effects.values()
            if effect.due_ms <= now_ms
        ]
        for each in ready:
            each.effect.first_ms = each.effect.first_ms or now_ms
        return ready

    def complete(self, ready: Ready, outcome: bytes | BaseException) -> None:
        """Take what an effect returned, encoded, or what it raised."""
        execution, effect = ready.execution, ready.effect
        self._attempts.has_told_effects = True
        if execution.is_over or execution.run is None:
            return
        if isinstance(outcome, bytes):
            if len(outcome) <= self._here.limits.value_bytes:
                self._record(execution, effect, succeeded(outcome))
                return
            outcome = TerminalError(f"the result of {effect.name!r} is too long", 413)
        terminal = terminal_cause(outcome)
        if terminal is not None:
            self._record(execution, effect, failed(terminal))
        else:
            self._try_again(execution, effect, outcome)

    def _record(self, execution: Execution, effect: Effect, outcome: _proto.Outcome) -> None:
        record = _proto.Record(kind=_proto.EFFECT, seq=effect.seq, outcome=outcome)
        self._here.tell(execution, record)
        effect.due_ms = _PERFORMED

    def _try_again(self, execution: Execution, effect: Effect, error: BaseException) -> None:
        policy = effect.retries or execution.retries
        effect.attempts += 1
        execution.header.failure = f"{effect.name}: {shown(error)}"
        logger.warning(
            "attempt %d of effect %r of %s/%s failed: %s",
            effect.attempts,
            effect.name,
            self._here.service,
            self._here.target_id,
            shown(error),
            exc_info=error,
        )
        now_ms = self._here.now_ms
        if not policy.are_spent(effect.attempts, now_ms - effect.first_ms):
            effect.due_ms = now_ms + policy.pause_ms(effect.attempts, error)
        elif effect.retries is not None:
            self._record(execution, effect, failed(TerminalError(shown(error), 500)))
        else:
            if policy.on_max_attempts == "pause":
                effect.attempts, effect.due_ms = 0, 0
            self._attempts.give_up(execution, error)
