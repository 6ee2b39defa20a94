"""Turns: a result is applied whole, in the order of the engines."""

from __future__ import annotations

from tests.runtime.driver import A, B, Driver, Effects


def test_everything_that_a_result_asks_for_is_in_one_commit() -> None:
    """The message is done, the value set, and the others wait: all of it, or nothing."""
    driver = Driver()
    driver.declare("n")
    driver.commit()
    driver.turn(A, Effects().set("n", "1").send(B, "go").delay(50, B, "later").egress("out"))

    delta = driver.engine.begin_commit()

    assert delta is not None
    assert len(delta.values) == 1
    assert [each.target for each in delta.messages] == [B]
    assert [each.target for each in delta.timers] == [B]
    assert len(delta.egress) == 1


def test_the_numbers_of_messages_timers_and_records_are_in_the_order_of_the_result() -> None:
    """Messages, then timers, then records; no number is used twice."""
    driver = Driver()
    driver.turn(A, Effects().send(B, "a").send(B, "b").delay(50, B, "c").egress("d"))

    delta = driver.engine.begin_commit()

    assert delta is not None
    numbers = [each.seq for each in delta.messages]
    numbers += [each.seq for each in delta.timers]
    numbers += [each.id for each in delta.egress]
    assert numbers == sorted(set(numbers))


def test_a_timer_fires_once_it_is_due() -> None:
    """As a message from the address that set it."""
    driver = Driver()
    driver.turn(A, Effects().delay(50, B, "later"))
    driver.wait(49)
    before = driver.drain()
    driver.wait(1)
    [seen] = driver.drain()

    assert before == []
    assert (seen.address, seen.messages) == (B, ["later"])
    assert len(driver.engine.timers) == 0


def test_a_timer_that_was_cancelled_by_hand_never_fires() -> None:
    """And cannot be cancelled again."""
    driver = Driver()
    driver.turn(A, Effects().delay(50, B, "later"))
    delta = driver.engine.begin_commit()
    assert delta is not None
    [timer] = delta.timers

    cancelled = [driver.engine.edits.cancel_timer(timer.seq) for _ in range(2)]
    driver.wait(100)

    assert (cancelled, driver.drain()) == ([True, False], [])
