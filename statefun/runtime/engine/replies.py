"""Replies: who waits for the answer to which message.

Law: a request is a message of an ingress that somebody waits for. Its caller is an address of the
runtime's own, `statefun.runtime/caller` with an id that no other request has, before or after a
restart. The first message to that address is the reply. It is handed out once the commit that
contains it is durable, at most once. Waiting itself is not stored: after a restart nobody waits.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from statefun.runtime.engine.records import DeadLetter
from statefun.sdk.address import Address

if TYPE_CHECKING:
    from collections.abc import Iterable

    from statefun.runtime.engine.changes import Changes
    from statefun.runtime.engine.counters import Counters
    from statefun.runtime.engine.dead_letters import DeadLetters
    from statefun.runtime.engine.records import GivenUp

__all__ = ["CALLER", "Replies", "caller_of"]

CALLER: Final = "statefun.runtime/caller"
"""The typename of the callers of requests; no function can have it."""


_NOBODY_WAITS = (
    "nobody waits for this reply: one was given before, the wait was over, or the runtime was "
    "started anew"
)


def caller_of(seq: int, taken_ms: int) -> Address:
    """The caller of a request, by its number and the time when it was taken in.

    The number alone would not do: one that no commit has seen is given again after a restart.
    """
    return Address(CALLER, f"{seq}-{taken_ms}")


class Replies:
    """Finds those who wait for a reply. A token stands for one of them and can be hashed.

    Args:
        changes: Told of each reply that somebody waits for.
        dead_letters: Where replies go for which nobody waits.
        counters: Told of those.
    """

    __slots__ = ("_changes", "_counters", "_dead_letters", "_requests", "_waiting")

    def __init__(self, changes: Changes, dead_letters: DeadLetters, counters: Counters) -> None:
        self._changes = changes
        self._dead_letters = dead_letters
        self._counters = counters
        self._waiting: dict[str, list[object]] = {}  # id of the caller → tokens
        self._requests: dict[object, str] = {}  # token → id of the caller

    def __len__(self) -> int:
        return len(self._requests)

    def expect(self, caller: Address, token: object) -> None:
        """Let somebody wait at the caller of a request; several may wait at the same one."""
        self._waiting.setdefault(caller.id, []).append(token)
        self._requests[token] = caller.id

    def give(self, caller: Address, sender: Address, argument: bytes, now_ms: int) -> None:
        """Give a reply to those who wait for it, or keep it as a dead letter."""
        tokens = self._take(caller)
        for token in tokens:
            self._changes.reply(token, argument)
        if not tokens:
            changes = self._changes
            self._counters.late_replies += 1
            self._dead_letters.add(
                DeadLetter(
                    *(changes.next_seq, caller, sender, argument),
                    *(_NOBODY_WAITS, 0, now_ms, now_ms),
                )
            )
            changes.next_seq += 1

    def give_up(self, caller: Address, given_up: GivenUp) -> None:
        """Tell those who wait at a caller that no reply will come."""
        for token in self._take(caller):
            self._changes.reply(token, given_up)

    def _take(self, caller: Address) -> Iterable[object]:
        """Those who wait at a caller; from now on nobody does."""
        tokens = self._waiting.pop(caller.id, ())
        for token in tokens:
            del self._requests[token]
        return tokens

    def forget(self, token: object) -> bool:
        """Let somebody wait no more; a reply that comes then is a dead letter.

        Returns:
            Whether the reply has come before, and will be handed out with a commit.
        """
        caller_id = self._requests.pop(token, None)
        if caller_id is None:
            return self._changes.has_reply(token)
        tokens = self._waiting[caller_id]
        tokens.remove(token)
        if not tokens:
            del self._waiting[caller_id]
        return False
