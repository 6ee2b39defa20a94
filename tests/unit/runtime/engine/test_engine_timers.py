"""Timers: delayed messages, their order, and the tokens that cancel them."""

from statefun.sdk.address import Address
from tests.runtime.driver import A, B, Driver, Effects, Seen

A2 = Address("t/a", "2")
TWIN = Address("t/c", A.id)
"""Another function with the id of A."""


def test_a_delayed_message_is_delivered_when_its_time_has_come() -> None:
    """Not a millisecond earlier, and with its sender as the caller."""
    driver = Driver()
    driver.turn(A, Effects().delay(1000, B, "later"))

    driver.wait(999)
    early = driver.take()
    driver.wait(1)

    assert (early, driver.take()) == ([], [Seen(B, ["later"], {}, [A])])


def test_the_delay_counts_from_the_moment_the_reply_is_applied() -> None:
    """The time the function took is not part of it."""
    driver = Driver()
    driver.send(A, "go")
    batch = driver.batch()
    driver.wait(5000)

    driver.answer(batch, Effects().delay(1000, B, "later"))

    assert driver.engine.next_wake_ms() == driver.now_ms + 1000


def test_timers_fire_in_the_order_of_time_and_then_of_sending() -> None:
    """Also if all of them are due at once."""
    driver = Driver()
    driver.turn(A, Effects().delay(20, B, "3").delay(10, B, "1").delay(20, B, "4"))
    driver.turn(A, Effects().delay(10, B, "2").delay(20, B, "5"))

    driver.wait(100)

    assert [message for seen in driver.drain() for message in seen.messages] == list("12345")


def test_a_delayed_message_to_a_busy_address_joins_its_backlog() -> None:
    """It is a message like any other once it has fired."""
    driver = Driver()
    driver.turn(A, Effects().delay(10, B, "later"))
    driver.send(B, "first")
    batch = driver.batch()
    driver.wait(10)
    driver.send(B, "last")

    driver.answer(batch)

    assert [seen.messages for seen in driver.take()] == [["later", "last"]]


def test_a_cancelled_message_is_never_delivered() -> None:
    """The token names it; other messages stay."""
    driver = Driver()
    driver.turn(A, Effects().delay(10, B, "no", "T").delay(10, B, "yes", "U"))

    driver.turn(A, Effects().cancel("T"))
    driver.wait(10)

    assert [seen.messages for seen in driver.drain()] == [["yes"]]


def test_cancelling_an_unknown_token_does_nothing() -> None:
    """Neither an error nor an effect."""
    driver = Driver()

    driver.turn(A, Effects().cancel("T").send(B, "x"))

    assert driver.errors() == []
    assert [seen.messages for seen in driver.take()] == [["x"]]


def test_a_token_belongs_to_the_id_of_the_sender_across_functions() -> None:
    """A function of another type with the same id cancels it; the same type with another id not."""
    driver = Driver()
    driver.turn(A, Effects().delay(10, B, "by 1", "T"))
    driver.turn(A2, Effects().delay(10, B, "by 2", "T"))

    driver.turn(TWIN, Effects().cancel("T"))
    driver.wait(10)

    assert [seen.messages for seen in driver.drain()] == [["by 2"]]


def test_a_token_that_is_pending_cannot_be_used_again_by_its_id() -> None:
    """Not by another function with the same id either."""
    driver = Driver()
    driver.turn(A, Effects().delay(10, B, "first", "T"))

    driver.turn(TWIN, Effects().delay(10, B, "second", "T"))

    [error] = driver.errors()
    assert error == (
        "t/c '1' sent a delayed message with the token 'T' while another one sent by the id '1' "
        "waits under it: cancel that one first, or use another token"
    )


def test_a_token_is_free_once_its_message_was_delivered() -> None:
    """The batch that failed for it succeeds then."""
    driver = Driver()
    driver.turn(A, Effects().delay(10, B, "first", "T"))
    driver.wait(10)
    driver.take()

    driver.turn(A, Effects().delay(10, B, "second", "T"))

    assert driver.errors() == []


def test_within_one_reply_tokens_are_cancelled_and_used_in_list_order() -> None:
    """Cancel, send, cancel, send with one token leaves the last message."""
    driver = Driver()
    driver.turn(A, Effects().delay(10, B, "0", "T"))

    driver.turn(A, Effects().cancel("T").delay(10, B, "1", "T").cancel("T").delay(10, B, "2", "T"))
    driver.wait(10)

    assert driver.errors() == []
    assert [seen.messages for seen in driver.drain()] == [["2"]]


def test_messages_without_a_token_do_not_collide() -> None:
    """The empty token is no token."""
    driver = Driver()

    driver.turn(A, Effects().delay(10, B, "1").delay(10, B, "2"))
    driver.wait(10)

    assert [message for seen in driver.drain() for message in seen.messages] == ["1", "2"]


def test_timers_survive_a_restart_and_overdue_ones_fire_at_once() -> None:
    """Time that passes while nothing runs counts; callers and tokens are kept."""
    driver = Driver()
    driver.turn(
        A,
        Effects()
        .delay(20, B, "2")
        .delay(10, B, "1")
        .delay(500, B, "3", "T")
        .delay(10, B, "x", "X"),
    )
    driver.turn(A, Effects().cancel("X"))
    driver.commit()

    restarted = driver.restarted()
    restarted.wait(100)
    overdue = restarted.drain()
    restarted.turn(A, Effects().cancel("T"))
    restarted.wait(1000)

    assert overdue == [Seen(B, ["1"], {}, [A]), Seen(B, ["2"], {}, [A])]
    assert restarted.drain() == []


def test_a_timer_that_was_set_and_fired_between_two_commits_is_never_written() -> None:
    """What began and ended within one epoch leaves no trace."""
    driver = Driver()
    driver.turn(A, Effects().delay(0, B, "x"))
    driver.tick()
    driver.drain()

    assert driver.engine.begin_commit() is None


def test_many_cancelled_timers_take_no_room() -> None:
    """Setting and cancelling again and again does not make the heap grow."""
    driver = Driver()

    for _ in range(1000):
        driver.turn(A, Effects().delay(10**9, B, "x", "T").cancel("T"))

    assert len(driver.engine.timers._heap) < 200
    assert driver.engine.next_wake_ms() is None


def test_a_delayed_message_is_cancelled_by_its_number_once() -> None:
    """One that has fired meanwhile, or was cancelled, waits no more; that is said and counted."""
    driver = Driver()
    driver.turn(A, Effects().delay(10, B, "cancelled").delay(20, B, "fired"))
    cancelled, fired = (timer.seq for timer in driver.delta().timers)
    engine = driver.engine

    first = engine.edits.cancel_timer(cancelled), engine.edits.cancel_timer(cancelled)
    driver.wait(20)
    second = engine.edits.cancel_timer(fired)

    assert (first, second) == ((True, False), False)
    assert engine.counters.timers_cancelled == 1
    assert [seen.messages for seen in driver.take()] == [["fired"]]


def test_those_that_are_left_of_many_fire_in_their_order() -> None:
    """However many were cancelled, and in whatever order they were set."""
    driver, effects = Driver(), Effects()
    delays = [number * 7919 % 1009 for number in range(1, 1009)]
    for delay in delays:
        effects.delay(delay, B, str(delay))
    driver.turn(A, effects)
    timers = driver.delta().timers
    left = timers[::9]
    for timer in set(timers) - set(left):
        driver.engine.edits.cancel_timer(timer.seq)

    driver.wait(2000)

    fired = [int(message) for seen in driver.drain() for message in seen.messages]
    assert fired == sorted(timer.due_ms - left[0].due_ms + delays[0] for timer in left)
