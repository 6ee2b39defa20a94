"""Idempotency keys: within the retention a key stands for one message to one address."""

from __future__ import annotations

from datetime import timedelta

import pytest

from statefun.errors import IdempotencyConflictError
from statefun.runtime.engine.idempotency import IdempotencyKeys
from statefun.runtime.engine.policy import Retention
from statefun.sdk.address import Address

A, B = (Address("t/a", "1"), "K"), (Address("t/b", "1"), "K")


def test_a_key_stands_for_one_message_until_it_is_too_old() -> None:
    """Another message under it is refused; another address has keys of its own."""
    receipts = IdempotencyKeys(Retention(max_age=timedelta(milliseconds=10)), {})
    receipt = receipts.add(A, 7, b"x", 100)

    assert receipts.find(A, b"x", 109) == receipt
    assert (receipts.find(B, b"y", 109), receipts.find(A, b"y", 110)) == (None, None)
    with pytest.raises(IdempotencyConflictError):
        receipts.find(A, b"y", 109)


def test_the_oldest_are_forgotten_by_count_and_by_age() -> None:
    """Nothing else is."""
    receipts = IdempotencyKeys(Retention(max_count=2, max_age=timedelta(milliseconds=10)), {})
    keys = [(Address("t/a", "1"), str(number)) for number in range(4)]
    for number, key in enumerate(keys):
        receipts.add(key, number, b"", number)

    assert receipts.expire(9) == keys[:2]
    assert receipts.expire(12) == [keys[2]]
    assert len(receipts) == 1
