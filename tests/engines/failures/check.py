"""The orders that are sent to `bank.py`, and what is wrong with what became of them."""

from __future__ import annotations

import json
import random
from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

BOOKINGS = ("ordered", "paid", "confirmed", "due")
LATEST_MS = 2000


def orders(count: int, accounts: int) -> list[dict[str, Any]]:
    """So many orders, between accounts that are drawn from a seed."""
    chance = random.Random(7)
    return [
        {
            "kind": "ordered",
            "number": number,
            "amount": chance.randrange(1, 1_000_000),
            "from": str(chance.randrange(accounts)),
            "to": str(chance.randrange(accounts)),
            "due_ms": chance.randrange(1, LATEST_MS),
        }
        for number in range(count)
    ]


def reports(accounts: int) -> list[dict[str, Any]]:
    """What asks each account for its books."""
    return [{"kind": "report", "from": str(number)} for number in range(accounts)]


def violations(sent: Sequence[dict[str, Any]], records: Iterable[str]) -> list[str]:
    """Whatever was not booked and recorded exactly once, in words.

    Args:
        sent: The orders.
        records: Every record that came out, those of the reports among them.
    """
    entries: Counter[tuple[str, int]] = Counter()
    reported: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for text in records:
        record = json.loads(text)
        if "account" in record:
            reported[record["account"]].append(record)
        else:
            entries[record["kind"], record["number"]] += 1
    wanted = {(kind, order["number"]): 1 for order in sent for kind in BOOKINGS}
    wrong = [
        f"{entries[entry]} records instead of {wanted.get(entry, 0)}: {entry}"
        for entry in sorted(wanted.keys() | entries.keys())
        if entries[entry] != wanted.get(entry, 0)
    ]
    expected = expected_reports(sent)
    wrong += [
        f"reported {reported[account]} instead of {expected.get(account)}"
        for account in sorted(expected.keys() | reported.keys())
        if reported[account] != [expected.get(account)]
    ]
    return wrong


def expected_reports(sent: Sequence[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Account → its report when every order has been booked once."""
    books: dict[str, dict[str, dict[str, int]]] = defaultdict(dict)
    totals: Counter[str] = Counter()
    for order in sent:
        for kind in BOOKINGS:
            account = order["to" if kind == "paid" else "from"]
            books[account].setdefault(kind, {})[str(order["number"])] = 1
            totals[account] += order["amount"]
    return {
        account: {"account": account, "books": books[account], "total": totals[account]}
        for account in books
    }
