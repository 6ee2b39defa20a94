"""Idempotency keys: which messages with an idempotency key have been taken in.

Law: within the retention, a key stands for one message to one address. The oldest go first.
"""

from __future__ import annotations

from collections import OrderedDict
from hashlib import blake2b
from typing import TYPE_CHECKING

from statefun.errors import IdempotencyConflictError
from statefun.runtime.engine.records import Receipt

if TYPE_CHECKING:
    from collections.abc import Mapping

    from statefun.runtime.engine.policy import Retention
    from statefun.runtime.engine.records import ReceiptKey

__all__ = ["IdempotencyKeys", "key_conflict"]


class IdempotencyKeys:
    """The idempotency keys of a runtime, each with the receipt of its message.

    Args:
        retention: How many are kept, and how long.
        recovered: Those that the store held, oldest first.
    """

    __slots__ = ("_receipts", "_retention")

    def __init__(self, retention: Retention, recovered: Mapping[ReceiptKey, Receipt]) -> None:
        self._retention = retention
        # Not a dict: finding its first item takes the longer, the more were removed before it.
        self._receipts = OrderedDict(recovered)

    def __len__(self) -> int:
        return len(self._receipts)

    def find(self, key: ReceiptKey, argument: bytes, now_ms: int) -> Receipt | None:
        """The receipt of the message that this one repeats; None if it was not taken in before.

        Raises:
            IdempotencyConflictError: If the key was used for another message to the address.
        """
        receipt = self._receipts.get(key)
        if receipt is None or self._is_old(receipt, now_ms):
            return None
        if receipt.digest != _digest(argument):
            raise key_conflict(key)
        return receipt

    def add(self, key: ReceiptKey, seq: int, argument: bytes, now_ms: int) -> Receipt:
        """Take note of a message; returns its receipt."""
        self._receipts.pop(key, None)  # the new one goes to the end
        receipt = self._receipts[key] = Receipt(seq, _digest(argument), now_ms)
        return receipt

    def expire(self, now_ms: int) -> list[ReceiptKey]:
        """Forget what is too old or too much; returns the keys."""
        gone: list[ReceiptKey] = []
        for key, receipt in self._receipts.items():
            is_over = self._retention.is_over(len(self._receipts) - len(gone))
            if not is_over and not self._is_old(receipt, now_ms):
                break
            gone.append(key)
        for key in gone:
            del self._receipts[key]
        return gone

    def _is_old(self, receipt: Receipt, now_ms: int) -> bool:
        return self._retention.is_old(receipt.taken_ms, now_ms)


def key_conflict(key: ReceiptKey) -> IdempotencyConflictError:
    """The error for a key that stands for another message."""
    return IdempotencyConflictError(
        f"the idempotency key {key[1]!r} was used for another message to {key[0]}: send "
        "what was sent before, or use a new key",
        address=key[0],
        key=key[1],
    )


def _digest(argument: bytes) -> bytes:
    return blake2b(argument, digest_size=16).digest()
