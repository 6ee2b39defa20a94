"""How often a service is asked, and how long to wait after it has refused something."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from statefun.connectors.delivery import Backoff

__all__ = ["Pace"]


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

    def backoff(self) -> Backoff:
        """Give the waiting times after refusals."""
        return Backoff(self.first_retry, self.longest_retry)
