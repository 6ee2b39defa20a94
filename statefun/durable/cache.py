"""The cache: suspended handlers that stay in memory, so that the next turn needs no replay.

Law: nothing depends on it. What it holds counts only for a state with the same stamp, which is
chosen anew in each turn; a turn takes its address out, so no two turns ever share a handler.
"""

from __future__ import annotations

from collections import OrderedDict
from threading import Lock
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from statefun.durable.turn import Cached

__all__ = ["Cache"]


class Cache:
    """Suspended handlers by address; those that were used least recently are put away first.

    Args:
        limit: Of how many addresses they are kept.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._lock = Lock()
        self._cached: OrderedDict[tuple[str, str], Cached] = OrderedDict()

    def take(self, typename: str, target_id: str) -> Cached | None:
        """What is kept of an address, for one turn of it."""
        with self._lock:
            return self._cached.pop((typename, target_id), None)

    def put(self, typename: str, target_id: str, cached: Cached) -> None:
        """Keep what a turn has left."""
        with self._lock:
            replaced = [self._cached.pop((typename, target_id), None)]
            self._cached[typename, target_id] = cached
            while len(self._cached) > self._limit:
                replaced.append(self._cached.popitem(last=False)[1])
        for each in replaced:
            if each is not None:
                each.close()

    def clear(self) -> None:
        """Put everything away."""
        with self._lock:
            cached, self._cached = self._cached, OrderedDict()
        for each in cached.values():
            each.close()
