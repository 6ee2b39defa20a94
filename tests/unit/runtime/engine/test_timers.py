"""Timers: in the order of their times and numbers; a token names one of an id."""

from __future__ import annotations

from statefun.runtime.engine.records import Timer
from statefun.runtime.engine.timers import Timers
from statefun.sdk.address import Address


def timer(seq: int, due_ms: int, token: str = "", sender: str = "1") -> Timer:
    return Timer(seq, due_ms, Address("t/a", sender), Address("t/b", "1"), b"", token)


def test_due_timers_come_out_in_the_order_of_their_times_and_numbers() -> None:
    """The others stay."""
    timers, due = Timers(), [timer(3, 5), timer(1, 7), timer(2, 7)]
    for each in (*reversed(due), timer(4, 8)):
        timers.add(each)

    assert timers.take_due(7) == due
    assert (len(timers), timers.next_due_ms()) == (1, 8)


def test_a_token_belongs_to_the_id_of_the_sender() -> None:
    """It is free again once its timer fired or was cancelled."""
    timers = Timers()
    timers.add(timer(1, 5, "x", "1"))
    timers.add(timer(2, 6, "x", "2"))

    cancelled = timers.cancel("1", "x")
    timers.take_due(6)

    assert cancelled == timer(1, 5, "x", "1")
    assert [timers.is_pending(each, "x") for each in ("1", "2")] == [False, False]
    assert (timers.cancel("1", "x"), timers.remove(2)) == (None, None)
