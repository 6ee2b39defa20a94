"""The log: an observer that writes sentences for whoever operates the runtime.

Law: one line for each failed attempt, and one for each function that cannot be reached. The address
is in `extra` as `statefun_typename` and `statefun_id`.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

from statefun.errors import InvocationError
from statefun.logs import ShortTracebacks
from statefun.runtime.observe import Observer
from statefun.sdk.address import log_facts
from statefun.sdk.failures import brief, escaped

if TYPE_CHECKING:
    from statefun.errors import StoreError
    from statefun.runtime.admin.types import TypeChange
    from statefun.runtime.engine.failures import FailedAttempt
    from statefun.sdk.address import Address

__all__ = ["LogObserver"]

logger = logging.getLogger("statefun.runtime")
logger.addFilter(ShortTracebacks())

_NEXT_STEPS: Final = {
    "retry": "trying again in %d ms",
    "isolate": "trying fewer of its messages at once",
    "dead-letter": "its message is dead letter %d now (statefun dead-letters show %d)",
    "drop": "its message is dropped",
    "pause": "the address is paused until it is released",
    "hold": "the address is held until the value can be read",
    "fail": "the runtime stops",
}


class LogObserver(Observer):
    """Writes to the logger `statefun.runtime`."""

    def __init__(self) -> None:
        self._unreachable: set[str] = set()  # typenames of functions

    def call_ended(
        self,
        address: Address,
        messages: int,  # noqa: ARG002 - as the method is
        seconds: float,  # noqa: ARG002
        error: Exception | None,
    ) -> None:
        """Say so if a function can be reached again."""
        if self._unreachable and error is None and address.typename in self._unreachable:
            self._unreachable.discard(address.typename)
            logger.warning("%s can be reached again", escaped(address.typename))

    def attempt_failed(self, failed: FailedAttempt) -> None:
        """Say why and what happens next."""
        address, decision = failed.address, failed.decision
        reason = brief(str(failed.error))
        facts = log_facts(address)
        if not decision.is_counted:
            if address.typename not in self._unreachable:
                self._unreachable.add(address.typename)
                logger.warning(
                    "%s cannot be reached, trying again until it can: %s",
                    escaped(address.typename),
                    reason,
                    extra=facts,
                )
            return
        next_step = _NEXT_STEPS[decision.next]
        if decision.next == "retry":
            next_step = next_step % decision.delay_ms
        if failed.dead_letter is not None:
            next_step = next_step % (failed.dead_letter, failed.dead_letter)
        logger.log(
            logging.WARNING if decision.next in ("retry", "isolate") else logging.ERROR,
            "attempt %d at %s failed, %s: %s",
            failed.attempts,
            escaped(str(address)),
            next_step,
            reason,
            exc_info=failed.error if _has_trace(failed) else None,
            extra=facts,
        )

    def call_left_behind(self, name: str) -> None:
        """Say which."""
        logger.error("%s goes on though it was cancelled; left behind", escaped(name))

    def interrupted(self, address: Address) -> None:
        """Say by whom."""
        logger.info(
            "the process is interrupted by %s; its messages are kept",
            escaped(str(address)),
            extra=log_facts(address),
        )

    def commits_failed(self, error: StoreError, retry_ms: int) -> None:
        """Say why."""
        logger.error(
            "a commit failed, nothing is acknowledged until one succeeds; trying again every "
            "%d ms: %s",
            retry_ms,
            error,
        )

    def commits_resumed(self) -> None:
        """Say so."""
        logger.warning("commits succeed again")

    def dead_letters_expired(self, count: int) -> None:
        """Say how many."""
        logger.warning(
            "%d dead letters were forgotten, because there were too many or they were too old",
            count,
        )

    def type_changed(self, change: TypeChange) -> None:
        """Say which values, and what becomes of them."""
        logger.log(
            logging.WARNING if change.way in ("held", "unseen") else logging.INFO,
            "%s",
            escaped(str(change)),
        )

    def records_wait(self, typename: str) -> None:
        """Say for which."""
        logger.warning("records wait for the egress %s, which is not there", typename)


def _has_trace(failed: FailedAttempt) -> bool:
    """Whether a traceback says more than the sentence: where in a function, the first time."""
    return failed.attempts == 1 and isinstance(failed.error, InvocationError)
