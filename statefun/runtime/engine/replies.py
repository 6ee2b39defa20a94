"""Replies: who waits for the answer to which message.

Law: a request is a message of an ingress that somebody waits for. Its caller is an address of the
runtime's own, `statefun.runtime/caller` with an id that no other request has, before or after a
restart. The first message to that address is the reply. It is handed out once the commit that
contains it is durable, at most once. Waiting itself is not stored: after a restart nobody waits.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from statefun.sdk.address import Address

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["CALLER", "Replies", "caller_of"]

CALLER: Final = "statefun.runtime/caller"
"""The typename of the callers of requests; no function can have it."""


def caller_of(seq: int, taken_ms: int) -> Address:
    """The caller of a request, by its number and the time when it was taken in.

    The number alone would not do: one that no commit has seen is given again after a restart.
    """
    return Address(CALLER, f"{seq}-{taken_ms}")


class Replies:
    """Finds those who wait for a reply. A token stands for one of them and can be hashed."""

    __slots__ = ("_requests", "_waiting")

    def __init__(self) -> None:
        self._waiting: dict[str, list[object]] = {}  # id of the caller → tokens
        self._requests: dict[object, str] = {}  # token → id of the caller

    def __len__(self) -> int:
        return len(self._requests)

    def expect(self, caller: Address, token: object) -> None:
        """Let somebody wait at the caller of a request; several may wait at the same one."""
        self._waiting.setdefault(caller.id, []).append(token)
        self._requests[token] = caller.id

    def take(self, caller: Address) -> Iterable[object]:
        """Those who wait at a caller; from now on nobody does."""
        tokens = self._waiting.pop(caller.id, ())
        for token in tokens:
            del self._requests[token]
        return tokens

    def forget(self, token: object) -> bool:
        """Let somebody wait no more; returns whether that token still waited."""
        caller_id = self._requests.pop(token, None)
        if caller_id is None:
            return False
        tokens = self._waiting[caller_id]
        tokens.remove(token)
        if not tokens:
            del self._waiting[caller_id]
        return True
