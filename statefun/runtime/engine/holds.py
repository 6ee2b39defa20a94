"""Holds: the addresses that wait because a stored value cannot be read.

Law: no message is given up because a deploy changed the type of a value. Its address is held with
everything that waits for it, and goes on by itself: in the next process, when the value is edited,
or, where a function can change while this process runs, once one of its addresses gets through.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from statefun.errors import InvocationError, UnreadableValueError, ValueRefusedError
from statefun.runtime.engine.failures import Decision, FailedAttempt, FailureState
from statefun.runtime.engine.records import PausedAddress

if TYPE_CHECKING:
    from collections.abc import Callable

    from statefun.runtime.engine.backlog import Backlog
    from statefun.runtime.engine.changes import Changes
    from statefun.runtime.engine.mailbox import Mailbox
    from statefun.sdk.address import Address

__all__ = ["PROBE_MS", "Holds", "is_about_a_value"]

PROBE_MS: Final = 10_000
"""After so long, one held address of a function that may have changed is tried again."""


def is_about_a_value(error: Exception) -> bool:
    """Whether an attempt ended because the function could not read a stored value."""
    if isinstance(error, InvocationError):
        return isinstance(error.__cause__, UnreadableValueError)
    return isinstance(error, ValueRefusedError)


class Holds:
    """All addresses that are held because of a value.

    Args:
        backlog: The messages that wait.
        changes: Told of each address that is held or goes on.
        report: Told of each hold, for whoever logs it.
        can_change: Whether a function may be deployed anew while this process runs.
    """

    __slots__ = ("_backlog", "_can_change", "_changes", "_held", "_probes", "_report")

    def __init__(
        self,
        backlog: Backlog,
        changes: Changes,
        report: Callable[[FailedAttempt], None],
        can_change: Callable[[str], bool],
    ) -> None:
        self._backlog = backlog
        self._changes = changes
        self._report = report
        self._can_change = can_change
        self._held: dict[str, dict[Address, Mailbox]] = {}  # by function, the oldest first
        self._probes: dict[str, int] = {}  # when one of a function's addresses is tried again

    def __len__(self) -> int:
        return sum(map(len, self._held.values()))

    def recovered(self, paused: PausedAddress, mailbox: Mailbox) -> None:
        """An address was held by an earlier process."""
        mailbox.failures = FailureState(pause=paused)
        self._held.setdefault(mailbox.address.typename, {})[mailbox.address] = mailbox

    def hold(self, mailbox: Mailbox, error: Exception, now_ms: int) -> None:
        """Hold the address of a mailbox, which has a batch."""
        failures = mailbox.failures
        if failures is None:
            failures = mailbox.failures = FailureState()
        address, attempts = mailbox.address, failures.attempts
        since_ms = now_ms if failures.first_failed_ms is None else failures.first_failed_ms
        reason = str(error).encode(errors="backslashreplace").decode()
        failures.pause = PausedAddress(
            address, reason, attempts, since_ms, now_ms, "unreadable-value"
        )
        self._backlog.hold()
        self._changes.pause(address, failures.pause)
        self._held.setdefault(address.typename, {})[address] = mailbox
        if address.typename not in self._probes and self._can_change(address.typename):
            self._probes[address.typename] = now_ms + PROBE_MS
        self._report(FailedAttempt(address, error, attempts, Decision("hold")))

    def release(self, mailbox: Mailbox) -> None:
        """Try an address again that is held; it is held again if that changed nothing."""
        typename, address = mailbox.address
        held = self._held[typename]
        del held[mailbox.address]
        if not held:
            del self._held[typename]
            self._probes.pop(typename, None)
        assert mailbox.failures is not None, f"{address} is not held"  # noqa: S101 - our invariant
        mailbox.failures.pause = None
        mailbox.asked = 0
        mailbox.freshness = "known"
        mailbox.was_held = True
        self._changes.pause(mailbox.address, None)
        if mailbox.taken is not None:
            self._backlog.resume(mailbox)

    def release_all(self) -> None:
        """Try all of them again: the functions may be others."""
        for typename in list(self._held):
            self._release_of(typename)

    def got_through(self, mailbox: Mailbox) -> None:
        """An address that was held has gone on; so may the others of its function."""
        mailbox.was_held = False
        self._release_of(mailbox.address.typename)

    def tick(self, now_ms: int) -> None:
        """Try one address of each function whose time has come."""
        for typename, due_ms in list(self._probes.items()):
            if due_ms <= now_ms:
                del self._probes[typename]
                self.release(next(iter(self._held[typename].values())))
                if typename in self._held:
                    self._probes[typename] = now_ms + PROBE_MS

    def next_due_ms(self) -> int | None:
        """When one is tried again next, None if none is."""
        return min(self._probes.values(), default=None)

    def clock_set(self, by_ms: int) -> None:
        """Wait as long as before on a clock that was set and now shows `by_ms` more."""
        self._probes = {each: due_ms + by_ms for each, due_ms in self._probes.items()}

    def _release_of(self, typename: str) -> None:
        for mailbox in list(self._held.get(typename, {}).values()):
            self.release(mailbox)
