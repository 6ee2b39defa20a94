"""What follows from a turn that acted on the outside world begins once the turn is durable."""

from __future__ import annotations

from statefun.sdk.address import Address
from statefun.sdk.wire import is_marked, marked
from statefun.sdk.wire._proto import FromFunction
from tests.runtime.driver import A, B, Driver, Effects

C = Address("t/c", "1")


def acted() -> tuple[Driver, list[Address]]:
    """A has acted and sent to B; something waits for A, and for C."""
    driver = Driver()
    driver.send(A, "first")
    first = driver.batch()
    driver.send(A, "second")
    driver.answer(first, marked(bytes(Effects().send(B, "result"))))
    driver.send(C, "other")
    return driver, [batch.address for batch in driver.batches()]


def test_what_follows_from_a_turn_that_has_acted_waits_for_its_commit() -> None:
    """The next batch of its address, and those it has sent to; nobody else."""
    driver, before = acted()
    awaited = driver.engine.awaits_commit
    driver.commit()

    assert (before, awaited) == ([C], True)
    assert [batch.address for batch in driver.batches()] == [A, B]
    assert not driver.engine.awaits_commit


def test_a_commit_that_began_before_the_turn_is_not_the_one_it_waits_for() -> None:
    """What is being written does not contain it."""
    driver = Driver()
    driver.send(A, "first")
    first = driver.batch()
    driver.delta()
    driver.answer(first, marked(bytes(Effects().send(B, "result"))))
    driver.engine.committed()

    assert driver.batches() == []

    driver.commit()

    assert [batch.address for batch in driver.batches()] == [B]


def test_after_a_commit_that_failed_it_waits_for_the_next() -> None:
    """Nothing was stored."""
    driver, _ = acted()
    driver.delta()
    driver.engine.commit_failed()

    assert driver.batches() == []

    driver.commit()

    assert [batch.address for batch in driver.batches()] == [A, B]


def test_who_comes_while_a_commit_runs_waits_for_the_next_one() -> None:
    """An address that acts again is held again."""
    driver = Driver()
    driver.send(A, "first")
    driver.answer(driver.batch(), marked(bytes(Effects().egress("1"))))
    driver.delta()
    driver.send(A, "second")
    assert driver.batches() == []
    driver.engine.committed()
    second = driver.batch()
    driver.send(A, "third")
    driver.answer(second, marked(bytes(Effects().egress("2"))))

    assert driver.batches() == []

    driver.commit()

    assert driver.seen(driver.batch()).messages == ["third"]


def test_a_turn_that_leaves_nothing_to_store_holds_up_nobody() -> None:
    """Its message came and went since the last commit; there will be none to wait for."""
    driver = Driver()
    driver.send(A, "first")
    driver.answer(driver.batch(), marked(b""))
    driver.send(A, "second")

    assert driver.seen(driver.batch()).messages == ["second"]


def test_a_turn_that_has_not_acted_holds_up_nobody() -> None:
    """It is taken back with all that follows from it, so nobody can tell."""
    driver = Driver()
    driver.send(A, "first")
    driver.answer(driver.batch(), Effects().send(B, "result"))

    assert [batch.address for batch in driver.batches()] == [B]


def test_an_engine_that_does_not_know_the_mark_skips_it() -> None:
    """It is a field like one of a later version."""
    reply = bytes(Effects().send(B, "result").set("n", "1"))

    assert is_marked(marked(reply))
    assert not is_marked(reply)
    known, read = FromFunction.FromString(reply), FromFunction.FromString(marked(reply))
    read.DiscardUnknownFields()
    assert read == known
