"""What a commit contains, what it releases, and what a restart finds."""

import pytest

from statefun.runtime.engine.records import StoredEntry
from tests.runtime.driver import TEXT, A, B, Driver, Effects, Seen, text


def test_a_message_that_was_worked_on_between_two_commits_is_never_written() -> None:
    """The delta holds its effects only; its ticket is released all the same."""
    driver = Driver()
    driver.send(A, "x", ticket="ticket")
    driver.answer(driver.batch(), Effects().egress("out"))

    delta = driver.delta()

    assert (delta.messages, delta.consumed) == ((), ())
    assert driver.engine.committed().tickets == ("ticket",)


def test_a_message_that_waits_at_the_commit_is_written_and_later_removed() -> None:
    """It waits until its reply is applied, whether it is in flight or not."""
    driver = Driver()
    driver.send(A, "in flight")
    batch = driver.batch()
    driver.send(A, "waiting")

    first = driver.delta()
    driver.engine.committed()
    driver.answer(batch)
    driver.drain()
    second = driver.delta()

    assert [message.argument for message in first.messages] == [text("in flight"), text("waiting")]
    assert second.messages == ()
    assert second.consumed == tuple(message.seq for message in first.messages)


def test_a_value_that_changed_often_is_written_once() -> None:
    """With what it was last."""
    driver = Driver()
    driver.declare("n")
    for number in range(5):
        driver.turn(A, Effects().set("n", str(number)))

    assert driver.delta().values == {(A, "n"): StoredEntry(TEXT, b"4", driver.now_ms)}


def test_nothing_is_written_when_nothing_changed() -> None:
    """A value that was only read is no change."""
    driver = Driver()
    driver.declare("n")
    driver.turn(A, Effects().set("n", "x"))
    driver.commit()

    driver.turn(A, Effects())

    assert driver.engine.begin_commit() is None


def test_nothing_is_released_before_its_commit_is_durable() -> None:
    """What comes while a delta is written belongs to the next one."""
    driver = Driver()
    driver.send(A, "1", ticket=1)
    driver.delta()
    driver.send(A, "2", ticket=2)
    driver.answer(driver.batch(), Effects().egress("out"))

    first = driver.engine.committed()
    second = driver.commit()

    assert (first.tickets, first.egress) == ((1,), ())
    assert (second.tickets, len(second.egress)) == ((2,), 1)


def test_there_is_one_commit_at_a_time() -> None:
    """While one is in flight, none begins."""
    driver = Driver()
    driver.send(A, "1")
    driver.delta()
    driver.send(A, "2")

    assert driver.engine.begin_commit() is None


def test_a_restart_finds_the_waiting_messages_in_their_order_with_their_callers() -> None:
    """Those that were in flight come first, as they came first."""
    driver = Driver()
    driver.turn(A, Effects().send(B, "1").send(B, "2"))
    driver.batch()
    driver.send(B, "3")
    driver.commit()

    restarted = driver.restarted()

    assert restarted.drain() == [
        Seen(B, ["1"], {}, [A]),
        Seen(B, ["2", "3"], {}, [A, None]),
    ]


def test_what_a_restart_worked_on_is_removed() -> None:
    """The numbers of recovered messages are known to be written."""
    driver = Driver()
    driver.send(A, "x")
    driver.commit()
    restarted = driver.restarted()

    restarted.drain()
    restarted.commit()

    assert restarted.restarted().engine.is_idle


def test_numbers_never_go_back() -> None:
    """Not after a restart, and not when everything that had one is gone."""
    driver = Driver()
    driver.turn(A, Effects().egress("1"))
    [first] = driver.commit().egress
    driver.engine.egress_delivered([first.id])
    driver.commit()

    restarted = driver.restarted()
    restarted.turn(A, Effects().egress("2"))
    [second] = restarted.commit().egress

    assert second.id > first.id


def test_an_egress_record_keeps_its_id_until_it_is_delivered() -> None:
    """A restart finds it again; once it was reported as delivered, it does not."""
    driver = Driver()
    driver.turn(A, Effects().egress("1").egress("2"))
    first, second = driver.commit().egress
    driver.engine.egress_delivered([first.id])
    driver.commit()

    assert driver.store.recover().egress == (second,)


@pytest.mark.parametrize("was_stored", [False, True])
@pytest.mark.parametrize("fails_first", [False, True])
def test_a_commit_that_failed_is_contained_in_the_next(
    was_stored: bool,  # noqa: FBT001
    fails_first: bool,  # noqa: FBT001
) -> None:
    """Whether or not the failed one reached the disk after all, the store ends up the same."""
    driver = Driver()
    driver.declare("n")
    driver.turn(B, Effects().egress("1").delay(10, A, "no", "T").delay(20, A, "yes"))
    driver.send(A, "first", ticket=1)
    batch = driver.batch()
    delta = driver.delta()
    if was_stored:
        driver.store.commit(delta)
    if fails_first:
        driver.engine.commit_failed()

    driver.send(A, "second", ticket=2)
    driver.answer(batch, Effects().set("n", "v").egress("2").cancel("T"))
    if not fails_first:
        driver.engine.commit_failed()
    released = driver.commit()

    assert released.tickets == (1, 2)
    assert [record.argument for record in released.egress] == [text("1"), text("2")]
    recovered = driver.store.recover()
    assert [message.argument for message in recovered.messages] == [text("second")]
    assert [timer.argument for timer in driver.store.timers()] == [text("yes")]
    assert recovered.egress == released.egress
    assert dict(driver.store.load(A)) == {"n": StoredEntry(TEXT, b"v", driver.now_ms)}


def test_what_a_failed_commit_removed_is_removed_by_the_next() -> None:
    """A message that was written before and worked on since does not come back."""
    driver = Driver()
    driver.send(A, "x")
    driver.commit()
    driver.take()
    driver.delta()
    driver.send(A, "y")

    driver.engine.commit_failed()
    driver.commit()

    assert [message.argument for message in driver.store.recover().messages] == [text("y")]


@pytest.mark.parametrize("failures", [1, 2])
def test_what_a_failed_commit_stored_after_all_is_removed_once_it_is_done(failures: int) -> None:
    """Messages, timers and egress records that came before the failure and go after it."""
    driver = Driver()
    driver.turn(A, Effects().egress("record").delay(1000, B, "late", "T"))
    driver.send(A, "message")
    for _ in range(failures):
        driver.store.commit(driver.delta())
        driver.engine.commit_failed()
    [record] = driver.store.recover().egress

    driver.answer(driver.batch(), Effects().cancel("T"))
    driver.engine.egress_delivered([record.id])
    driver.commit()

    recovered = driver.store.recover()
    assert (recovered.messages, recovered.timers, recovered.egress) == ((), 0, ())


def test_nothing_of_a_failed_commit_is_released() -> None:
    """Its tickets come out with the commit that succeeds, once."""
    driver = Driver()
    driver.send(A, "x", ticket=1)
    driver.delta()

    driver.engine.commit_failed()

    assert driver.commit().tickets == (1,)
    driver.send(A, "y", ticket=2)
    assert driver.commit().tickets == (2,)


def test_a_value_that_changed_after_a_failed_commit_is_written_with_its_last_change() -> None:
    """The older delta does not overwrite the newer epoch."""
    driver = Driver()
    driver.declare("n", "m")
    driver.turn(A, Effects().set("n", "old").set("m", "old"))
    driver.delta()
    driver.turn(A, Effects().set("n", "new").delete("m"))

    driver.engine.commit_failed()

    assert driver.delta().values == {
        (A, "n"): StoredEntry(TEXT, b"new", driver.now_ms),
        (A, "m"): None,
    }


def test_tickets_can_be_abandoned_when_no_commit_is_to_come() -> None:
    """Those in flight and those after it, each once."""
    driver = Driver()
    driver.send(A, "1", ticket=1)
    driver.delta()
    driver.send(A, "2", ticket=2)

    assert (driver.engine.abandon(), driver.engine.abandon()) == ((1, 2), ())
