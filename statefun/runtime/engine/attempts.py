"""Attempts: which batches are called now, with which request, and which answers still count.

Law: an address has one attempt under way at the most, and an answer counts once, for the attempt
that is under way. A request carries every value that its function is known to declare; a function
that cannot read one is asked anew, and then its address is held.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from statefun.errors import UnreadableValueError
from statefun.runtime.engine.declarations import NONE_DECLARED
from statefun.runtime.engine.mailbox import Attempt
from statefun.sdk.wire import encode_request

if TYPE_CHECKING:
    from collections.abc import Mapping

    from statefun.runtime.engine.backlog import Backlog
    from statefun.runtime.engine.barrier import Barrier
    from statefun.runtime.engine.counters import Counters
    from statefun.runtime.engine.declarations import Declarations, DeclaredFunctions
    from statefun.runtime.engine.holds import Holds
    from statefun.runtime.engine.mailbox import Mailbox
    from statefun.runtime.engine.records import StoredEntry
    from statefun.runtime.engine.residency import Residency
    from statefun.runtime.engine.trials import Trials
    from statefun.sdk.address import Address

__all__ = ["Attempts"]


class Attempts:
    """Makes attempts of batches that are ready, and takes them back when they end.

    Args:
        residency: The addresses in memory.
        backlog: The batches that are ready.
        declared: The values that each function is known to declare.
        barrier: Stops the batches that wait for a commit.
        trials: Orders the batches whose calls can end the process; None if no call can.
        holds: Takes the addresses whose values their function cannot read.
        counters: Told of answers that come too late.
    """

    __slots__ = (
        "_backlog",
        "_barrier",
        "_counters",
        "_declared",
        "_holds",
        "_loads",
        "_residency",
        "_trials",
    )

    def __init__(
        self,
        residency: Residency,
        backlog: Backlog,
        declared: DeclaredFunctions,
        barrier: Barrier,
        trials: Trials | None,
        holds: Holds,
        counters: Counters,
    ) -> None:
        self._residency = residency
        self._backlog = backlog
        self._declared = declared
        self._barrier = barrier
        self._trials = trials
        self._holds = holds
        self._counters = counters
        self._loads: list[Address] = []

    def take(self, now_ms: int) -> list[Attempt]:
        """The attempts to be made now; `Engine.replied` or `Engine.failed` ends each.

        Building a request reads the values, which counts for those that expire after a call.
        Addresses whose values have to be loaded first are in `take_loads` afterwards.
        """
        attempts: list[Attempt] = []
        ready, declared_by = self._backlog.ready, self._declared.get
        if self._trials is not None and self._trials.is_active:
            self._trials.arrange(ready)
        while ready:
            mailbox = ready.popleft()
            if self._barrier.is_active and self._barrier.stops(mailbox):
                continue
            declared = declared_by(mailbox.address.typename)
            if mailbox.freshness == "ask":
                declared = None
            if declared is not None and mailbox.values is None:
                self._loads.append(mailbox.address)
                continue
            try:
                attempts.append(self._begin(mailbox, declared or NONE_DECLARED, now_ms))
            except UnreadableValueError as error:
                if mailbox.freshness == "fresh" and self._trials is not None:
                    self._trials.ended(mailbox)
                self.unreadable(mailbox, error, now_ms)
        return attempts

    def _begin(self, mailbox: Mailbox, declared: Declarations, now_ms: int) -> Attempt:
        """The next attempt with a mailbox's batch."""
        messages = mailbox.messages
        state = self._residency.read(mailbox, declared, now_ms) if declared else {}
        attempt = mailbox.attempt = Attempt(
            mailbox.address,
            encode_request(mailbox.address, state, messages),
            tuple([message.seq for message in messages]),
            1 if mailbox.failures is None else mailbox.failures.attempts + 1,
            len(declared),
        )
        return attempt

    def take_loads(self) -> list[Address]:
        """Addresses whose stored values are needed; give them to `loaded`, then take attempts."""
        loads, self._loads = self._loads, []
        return loads

    def loaded(self, address: Address, values: Mapping[str, StoredEntry]) -> None:
        """Take in the stored values of an address that `take_loads` named."""
        self._backlog.ready.append(self._residency.loaded(address, values))

    def end(self, attempt: Attempt) -> Mailbox | None:
        """End an attempt that is under way; returns its mailbox, or None if it was over before."""
        mailbox = self._residency.find(attempt.address)
        if mailbox is None or mailbox.attempt is not attempt:
            self._counters.stray_replies += 1
            return None
        mailbox.attempt = None
        if self._trials is not None and self._trials.is_active:
            self._trials.ended(mailbox)
        return mailbox

    def unreadable(self, mailbox: Mailbox, error: Exception, now_ms: int) -> None:
        """A value cannot be read as it is declared: ask the function anew, or hold the address."""
        if mailbox.freshness == "known":
            self.ask_anew(mailbox)
        else:
            self._holds.hold(mailbox, error, now_ms)

    def ask_anew(self, mailbox: Mailbox) -> None:
        """Let the function say which values it declares: it may have been deployed meanwhile."""
        mailbox.freshness = "ask"
        self._backlog.ready.append(mailbox)
