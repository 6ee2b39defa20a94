"""The barrier: addresses whose next turn waits for a commit.

Law: what follows from a turn that acted on the outside world begins once the turn is durable: the
next turn of its address, and the turns of those it has sent to. Else a crash could take back what
somebody has acted on meanwhile.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections import deque
    from collections.abc import Iterable

    from statefun.runtime.engine.mailbox import Mailbox

__all__ = ["Barrier"]


class Barrier:
    """Holds mailboxes back until the commit that they wait for.

    Args:
        ready: Where they go on.

    Attributes:
        is_active: Whether any mailbox waits, or would if it had a batch.
    """

    def __init__(self, ready: deque[Mailbox]) -> None:
        self.is_active = False
        self._ready = ready
        self._now: set[Mailbox] = set()  # they wait for the next commit
        self._in_flight: set[Mailbox] = set()  # they wait for the one that is being written
        self._stopped: dict[Mailbox, None] = {}  # they have a batch, in order

    @property
    def has_stopped(self) -> bool:
        """Whether a batch waits for a commit."""
        return bool(self._stopped)

    def hold(self, mailboxes: Iterable[Mailbox]) -> None:
        """Let mailboxes wait for the commit of what has changed by now."""
        self._now.update(mailboxes)
        self.is_active = True

    def stops(self, mailbox: Mailbox) -> bool:
        """Whether the batch of a mailbox has to wait; it is ready again when it need not."""
        if mailbox in self._now or mailbox in self._in_flight:
            self._stopped[mailbox] = None
            return True
        return False

    def begin(self) -> None:
        """A commit begins, with all that has changed by now."""
        self._in_flight, self._now = self._now, set()

    def committed(self) -> None:
        """It is durable: those who waited for it go on."""
        done, self._in_flight = self._in_flight, set()
        for mailbox in [each for each in self._stopped if each in done and each not in self._now]:
            del self._stopped[mailbox]
            self._ready.append(mailbox)
        self.is_active = bool(self._now)

    def failed(self) -> None:
        """It could not be stored; the next one contains it."""
        self._now |= self._in_flight
        self._in_flight = set()
