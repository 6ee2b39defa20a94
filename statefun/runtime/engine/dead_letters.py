"""Dead letters: the messages that were given up and can be replayed.

Law: the store has the letters themselves, and the engine knows how many there are. Only if the
retention forgets some, it remembers the id of each and when it failed; the one that failed first is
forgotten first.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from statefun.runtime.engine.changes import Changes
    from statefun.runtime.engine.counters import Counters
    from statefun.runtime.engine.policy import Retention
    from statefun.runtime.engine.records import DeadLetter

__all__ = ["DeadLetters"]


class DeadLetters:
    """All dead letters of a runtime.

    Args:
        retention: How many are kept, and how long.
        count: How many the store has.
        times: Id → when it failed last, the earliest first; used if the retention has a bound.
        changes: Told of each letter that is added or forgotten.
        counters: Told of those that the retention forgets.
    """

    __slots__ = ("_changes", "_count", "_counters", "_failed_ms", "_forgotten", "_retention")

    def __init__(
        self,
        retention: Retention,
        count: int,
        times: Mapping[int, int],
        changes: Changes,
        counters: Counters,
    ) -> None:
        self._retention = retention
        self._count = count
        self._failed_ms = OrderedDict(times)
        self._forgotten: set[int] = set()
        self._changes = changes
        self._counters = counters

    def __len__(self) -> int:
        return self._count

    def add(self, letter: DeadLetter) -> None:
        """Keep a message, and forget those that are too old or too many."""
        self._count += 1
        self._changes.dead_letter(letter.id, letter)
        if not self._retention.keeps_all:
            self._failed_ms[letter.id] = letter.last_failed_ms
            self.expire(letter.last_failed_ms)

    def forget(self, letter_id: int) -> bool:
        """Forget a letter that is in the store or was; returns whether it was there still."""
        if self._retention.keeps_all:
            if letter_id in self._forgotten:
                return False
            self._forgotten.add(letter_id)
        elif self._failed_ms.pop(letter_id, None) is None:
            return False
        self._count -= 1
        self._changes.dead_letter(letter_id, None)
        return True

    def expire(self, now_ms: int) -> None:
        """Forget the letters that are too old or too many."""
        letters, retention = self._failed_ms, self._retention
        while letters:
            letter_id, failed_ms = next(iter(letters.items()))
            if not (retention.is_over(len(letters)) or retention.is_old(failed_ms, now_ms)):
                return
            self.forget(letter_id)
            self._counters.expired_dead_letters += 1
