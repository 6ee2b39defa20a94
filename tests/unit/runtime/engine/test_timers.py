"""Timers: in the order of their times and numbers; a token names one of an id."""

from __future__ import annotations

from typing import TYPE_CHECKING

from statefun.runtime.engine.changes import Changes
from statefun.runtime.engine.mailbox import Attempt
from statefun.runtime.engine.records import FoundTimers, Timer
from statefun.runtime.engine.timers import Pages, Timers
from statefun.sdk.address import Address
from statefun.sdk.wire import Cancellation

if TYPE_CHECKING:
    from collections.abc import Iterable

LEAD_MS = Pages().lead_ms
HOUR_MS = 3_600_000
ATTEMPT = Attempt(Address("t/a", "1"), b"", (1,), 1, 0)


def timer(seq: int, due_ms: int, token: str = "", sender: str = "1") -> Timer:
    return Timer(seq, due_ms, Address("t/a", sender), Address("t/b", "1"), b"", token)


def changed(changes: Changes) -> None:
    """Something changes, and is durable."""
    changes.ticket(object())
    changes.begin()
    changes.committed()


def answer(timers: Timers, stored: Iterable[Timer], now_ms: int = 0) -> FoundTimers:
    """What a store answers to the read that is wanted; it is not given to the timers."""
    wanted = timers.take_wanted(now_ms)
    assert wanted is not None
    ordered = sorted(stored, key=lambda each: (each.due_ms, each.seq))
    after = (1 << 62, 0) if wanted.after is None else wanted.after
    page = [each for each in ordered if (each.due_ms, each.seq) > after]
    named = [each for each in ordered if (each.sender.id, each.token) in wanted.tokens]
    return FoundTimers(page[: wanted.most], named)


def test_due_timers_come_out_in_the_order_of_their_times_and_numbers() -> None:
    """The others stay."""
    timers, due = Timers(Changes()), [timer(3, 5), timer(1, 7), timer(2, 7)]
    for each in (*reversed(due), timer(4, 8)):
        timers.add(each)

    assert timers.take_due(7) == due
    assert (len(timers), timers.next_due_ms()) == (1, 8)


def test_a_token_belongs_to_the_id_of_the_sender() -> None:
    """It is free again once its timer fired or was cancelled."""
    timers = Timers(Changes())
    timers.add(timer(1, 5, "x", "1"))
    timers.add(timer(2, 6, "x", "2"))

    cancelled = timers.cancel("1", "x")
    timers.take_due(6)

    assert cancelled == 1
    assert [timers.is_pending(each, "x") for each in ("1", "2")] == [False, False]
    assert (timers.cancel("1", "x"), timers.remove(2)) == (None, False)


def test_timers_are_read_page_by_page_when_they_are_due_soon() -> None:
    """What comes behind the end of the last page does not fire before the next one is here."""
    stored = [timer(1, 10), timer(2, 20), timer(3, 20), timer(4, HOUR_MS), timer(5, 2 * HOUR_MS)]
    timers = Timers(Changes(), stored=5, pages=Pages(2))
    was_behind = timers.is_behind

    timers.found(answer(timers, stored))
    timers.add(timer(9, 20))
    first = timers.take_due(30)
    wakes = [timers.next_due_ms()]
    timers.found(answer(timers, stored, 30))
    second = timers.take_due(30)
    wakes.append(timers.next_due_ms())
    nothing = timers.take_wanted(HOUR_MS - LEAD_MS - 1)
    timers.found(answer(timers, stored, HOUR_MS - LEAD_MS))

    assert was_behind
    assert [[each.seq for each in fired] for fired in (first, second)] == [[1, 2], [3, 9]]
    assert wakes == [20 - LEAD_MS, HOUR_MS - LEAD_MS]
    assert nothing is None
    assert (len(timers), timers.take_wanted(HOUR_MS), timers.next_due_ms()) == (2, None, HOUR_MS)


def test_nothing_is_read_where_nothing_is_stored() -> None:
    """A runtime that begins with nothing never asks."""
    timers = Timers(Changes())

    assert (timers.take_wanted(1 << 60), timers.is_behind, timers.next_due_ms()) == (
        None,
        False,
        None,
    )


def test_a_reply_waits_until_its_tokens_were_looked_up() -> None:
    """Those that are known and those that are nowhere let it pass; the found one is pending."""
    stored = [timer(1, 10), timer(2, HOUR_MS, "x"), timer(3, HOUR_MS, "x", sender="2")]
    timers = Timers(Changes(), stored=3, pages=Pages(1))
    timers.add(timer(9, HOUR_MS, "z"))

    passes = [timers.puts_off(ATTEMPT, b"", [Cancellation(each)]) for each in ("z", "")]
    waits = timers.puts_off(ATTEMPT, b"reply", [Cancellation("x"), Cancellation("y")])
    had_put_off = timers.has_put_off
    ready = timers.found(answer(timers, stored))

    assert (passes, waits, had_put_off, timers.has_put_off) == ([False] * 2, True, True, False)
    assert ready == [(ATTEMPT, b"reply")]
    assert not timers.puts_off(ATTEMPT, b"reply", [Cancellation("x"), Cancellation("y")])
    assert [timers.is_pending("1", each) for each in ("x", "y")] == [True, False]
    assert (timers.cancel("1", "x"), len(timers)) == (2, 3)


def test_a_reply_that_comes_during_a_read_waits_for_the_next() -> None:
    """Its token was not looked up by the first."""
    stored = [timer(1, 10), timer(2, HOUR_MS, "x"), timer(3, 2 * HOUR_MS)]
    timers = Timers(Changes(), stored=3, pages=Pages(1))
    found = answer(timers, stored)

    timers.puts_off(ATTEMPT, b"reply", [Cancellation("x")])
    first = timers.found(found)
    second = timers.found(answer(timers, stored))

    assert (first, second) == ([], [(ATTEMPT, b"reply")])


def test_what_is_gone_does_not_come_back_with_a_page() -> None:
    """Not with one that was read before the store knew, however late it comes."""
    stored = [timer(1, 10), timer(2, HOUR_MS, "x"), timer(3, 2 * HOUR_MS)]
    changes = Changes()
    timers = Timers(changes, stored=3, pages=Pages(1))
    timers.puts_off(ATTEMPT, b"", [Cancellation("x")])
    timers.found(answer(timers, stored))
    late = answer(timers, stored)

    timers.cancel("1", "x")
    changed(changes)
    timers.committed()
    timers.found(late)
    changed(changes)
    timers.committed()

    assert (timers.is_pending("1", "x"), len(timers), timers._gone) == (False, 2, {})


def test_a_timer_that_is_only_in_the_store_is_removed_once() -> None:
    """Also if it went between the look into the store and the removal."""
    changes = Changes()
    timers = Timers(changes, stored=2, pages=Pages(1))
    with timers.looking():
        removed = [timers.remove(2)]
        changed(changes)
        timers.committed()
        removed.append(timers.remove(2))

    assert (removed, len(timers)) == ([True, False], 1)
    timers.committed()
    assert timers._gone == {}


def test_a_read_that_ends_before_an_earlier_look_takes_nothing_from_it() -> None:
    """What fired during the look is not removed again, and the look ends as it began."""
    changes = Changes()
    stored = [timer(1, 5), timer(2, LEAD_MS * 9)]
    timers = Timers(changes, len(stored), Pages(1))
    with timers.looking():
        changed(changes)
        page = answer(timers, stored)
        timers.found(page)
        assert timers.take_due(5) == stored[:1]
        changed(changes)
        timers.committed()

        assert not timers.remove(1)
    assert len(timers) == 1
