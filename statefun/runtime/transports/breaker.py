"""Breakers: no calls to an endpoint that cannot be reached, but one now and then to see.

Law: only attempts without a connection open a breaker; any other outcome closes it.
"""

from __future__ import annotations

__all__ = ["Breaker"]

_THRESHOLD = 5
_PAUSE_MS = 1000


class Breaker:
    """Stands before one endpoint.

    It opens when several attempts in a row found no connection. While it is open, one attempt is
    let through after each pause; if that finds a connection, it closes. Its time is one
    that nobody sets: the uptime of a clock.

    Args:
        threshold: After how many attempts without a connection it opens.
        pause_ms: How long it lets nothing through.
    """

    __slots__ = ("_misses", "_pause_ms", "_probe_ms", "_threshold")

    def __init__(self, threshold: int = _THRESHOLD, pause_ms: int = _PAUSE_MS) -> None:
        self._threshold = threshold
        self._pause_ms = pause_ms
        self._misses = 0
        self._probe_ms = 0  # when the last attempt was let through, or failed

    @property
    def is_open(self) -> bool:
        """Whether most attempts are held back."""
        return self._misses >= self._threshold

    def lets_through(self, now_ms: int) -> bool:
        """Whether an attempt may be made now; if so, it is to be followed by `ended`."""
        if not self.is_open:
            return True
        if 0 <= now_ms - self._probe_ms < self._pause_ms:
            return False
        self._probe_ms = now_ms
        return True

    def ended(self, now_ms: int, *, is_connected: bool) -> bool:
        """An attempt has ended; returns whether that closed the breaker."""
        if not is_connected:
            self._misses += 1
            self._probe_ms = now_ms
            return False
        was_open, self._misses = self.is_open, 0
        return was_open
