"""The same load and the same failures in every place."""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from tests.engines.failures.check import BOOKINGS, orders, reports, violations

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.engines.failures.places import Place

PATIENCE_S = 60.0


def violations_after_crashes(
    place: Place, victims: Sequence[str], count: int, accounts: int
) -> list[str]:
    """Send orders, crash each victim in the middle, and compare what became of the orders.

    Each victim has its share of the orders: it crashes as soon as a record of that share is out,
    while the others are on their way. The last share finds everybody running again.

    Args:
        place: Where the functions run.
        victims: Who is killed, one after another.
        count: How many orders.
        accounts: Between so many accounts.
    """
    sent = orders(count, accounts)
    share = count // (len(victims) + 1)
    records = Records(place)
    with ThreadPoolExecutor(1) as background:
        for number, victim in enumerate(victims):
            first, end = number * share, (number + 1) * share
            sending = background.submit(place.send, sent[first:end])
            records.receive(order=first)
            assert len(records.all) < end * len(BOOKINGS), "nothing was on its way"
            place.crash(victim)
            sending.result(PATIENCE_S)
    place.send(sent[end:])
    records.receive(count=count * len(BOOKINGS))
    place.send(reports(accounts))
    records.receive(count=count * len(BOOKINGS) + accounts)
    return violations(sent, records.all)


class Records:
    """What came out of a place.

    Attributes:
        all: Every record.
    """

    def __init__(self, place: Place) -> None:
        self._place = place
        self._latest = -1
        self.all: list[str] = []

    def receive(self, *, count: int = 0, order: int = -1) -> None:
        """Until there are so many, and one of that order or a later one.

        When nothing more comes for long it gives up: then the check says what is missing.
        """
        deadline = time.monotonic() + PATIENCE_S
        while len(self.all) < count or self._latest < order:
            if time.monotonic() > deadline:
                return
            for record in self._place.records():
                self.all.append(record)
                self._latest = max(self._latest, json.loads(record).get("number", -1))
                deadline = time.monotonic() + PATIENCE_S
