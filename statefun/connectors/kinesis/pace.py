"""How often a service is asked, and how long to wait after it has refused something."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

__all__ = ["Backoff", "Pace"]

_FACTOR: Final = 2


@dataclass(frozen=True)
class Pace:
    """Waiting times.

    Attributes:
        read: Between two reads of a shard; the service allows five a second.
        look: Between two looks for new shards.
        first_retry: After the first refusal.
        longest_retry: The waiting time doubles up to this one.
    """

    read: timedelta = timedelta(milliseconds=200)
    look: timedelta = timedelta(seconds=10)
    first_retry: timedelta = timedelta(milliseconds=100)
    longest_retry: timedelta = timedelta(seconds=5)


class Backoff:
    """Waiting times that grow until something works.

    Args:
        pace: Says how they grow.
    """

    def __init__(self, pace: Pace) -> None:
        self._pace = pace
        self._next_s = pace.first_retry.total_seconds()

    def next_s(self) -> float:
        """Give the seconds to wait after a refusal."""
        seconds = self._next_s
        self._next_s = min(_FACTOR * seconds, self._pace.longest_retry.total_seconds())
        return seconds

    def reset(self) -> None:
        """Note that it works."""
        self._next_s = self._pace.first_retry.total_seconds()
