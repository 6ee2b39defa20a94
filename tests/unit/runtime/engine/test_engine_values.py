"""Values: declared by functions, loaded when needed, expired by time."""

import pytest

from statefun.sdk.address import Address
from tests.runtime.driver import AFTER_CALL, AFTER_WRITE, A, Driver, Effects, Seen, missing


def test_the_first_request_of_a_function_carries_no_state() -> None:
    """A new process knows no values, even if the store holds some."""
    driver = Driver()
    driver.declare("n")
    driver.turn(A, Effects().set("n", "kept"))
    driver.commit()

    restarted = driver.restarted()
    restarted.send(A, "x")

    assert restarted.take() == [Seen(A, ["x"], {}, [None])]


def test_after_an_incomplete_reply_the_same_batch_goes_again_with_all_declared_values() -> None:
    """What came meanwhile stays behind it."""
    driver = Driver()
    driver.send(A, "first")
    batch = driver.batch()
    driver.send(A, "second")

    driver.answer(batch, missing("n", "m"))
    again = driver.batch()

    assert driver.seen(again) == Seen(A, ["first"], {"n": None, "m": None}, [None])
    driver.answer(again)
    assert [seen.messages for seen in driver.drain()] == [["second"]]


def test_values_are_declared_for_the_function_and_not_for_the_address() -> None:
    """Every address of the typename gets them from then on; another typename does not."""
    driver = Driver()
    driver.declare("n")

    same, another = Address("t/a", "other"), Address("t/b", "other")
    driver.send(same, "x")
    driver.send(another, "x")

    seen = {each.address: each.state for each in driver.take()}
    assert seen == {same: {"n": None}, another: {}}


def test_two_addresses_may_declare_the_same_values_at_the_same_time() -> None:
    """A request that was made before the declaration is made again with it."""
    driver = Driver()
    driver.send(A, "x")
    driver.send(Address("t/a", "2"), "x")

    for batch in driver.batches():
        driver.answer(batch, missing("n"))

    assert [seen.state for seen in driver.take()] == [{"n": None}, {"n": None}]


def test_a_value_survives_in_the_store() -> None:
    """After a restart it is there as soon as the function declares it."""
    driver = Driver()
    driver.declare("n")
    driver.turn(A, Effects().set("n", "kept"))
    driver.commit()

    restarted = driver.restarted()
    restarted.send(A, "x")
    restarted.answer(restarted.batch(), missing("n"))

    assert [seen.state for seen in restarted.take()] == [{"n": "kept"}]
    assert restarted.loads == [A]


def test_an_empty_value_is_a_value() -> None:
    """Presence does not depend on length."""
    driver = Driver()
    driver.declare("n")

    driver.turn(A, Effects().set("n", ""))
    driver.send(A, "x")

    assert [seen.state for seen in driver.take()] == [{"n": ""}]


def test_has_value_of_a_written_value_is_ignored() -> None:
    """The bytes are stored and come back as present."""
    driver = Driver()
    driver.declare("n")

    driver.turn(A, Effects().set("n", "x", has_value=False))
    driver.send(A, "x")

    assert [seen.state for seen in driver.take()] == [{"n": "x"}]


def test_a_deleted_value_is_absent() -> None:
    """In the next request, and after a restart."""
    driver = Driver()
    driver.declare("n")
    driver.turn(A, Effects().set("n", "x"))
    driver.commit()

    driver.turn(A, Effects().delete("n"))
    driver.send(A, "x")

    assert [seen.state for seen in driver.take()] == [{"n": None}]
    driver.commit()
    assert dict(driver.store.load(A)) == {}


def test_deleting_an_absent_value_does_nothing() -> None:
    """A declared value may be deleted whether it is there or not."""
    driver = Driver()
    driver.declare("n")

    driver.turn(A, Effects().delete("n"))

    assert driver.errors() == []
    assert driver.engine.begin_commit() is None


def test_a_value_written_before_its_address_was_loaded_is_not_lost() -> None:
    """A request without state may be answered by a change of a value declared meanwhile."""
    driver = Driver()
    driver.declare("n", "m")
    driver.turn(A, Effects().set("n", "old").set("m", "old"))
    driver.commit()
    restarted = driver.restarted()
    restarted.send(A, "x")
    early = restarted.batch()
    restarted.declare("n", "m", target=Address("t/a", "other"))

    restarted.answer(early, Effects().set("n", "new"))
    restarted.send(A, "look")

    assert [seen.state for seen in restarted.take()] == [{"n": "new", "m": "old"}]


@pytest.mark.parametrize(("waited_ms", "seen"), [(999, "x"), (1000, None), (5000, None)])
def test_a_value_expires_so_long_after_its_last_write(waited_ms: int, seen: str | None) -> None:
    """It is absent from the very millisecond on."""
    driver = Driver()
    driver.declare("n", mode=AFTER_WRITE, millis=1000)
    driver.turn(A, Effects().set("n", "x"))

    driver.wait(waited_ms)
    driver.send(A, "look")

    assert [each.state for each in driver.take()] == [{"n": seen}]


def test_writing_renews_a_value_that_expires_after_a_write_and_reading_does_not() -> None:
    """Its time counts from the write that was applied last."""
    driver = Driver()
    driver.declare("n", mode=AFTER_WRITE, millis=1000)
    driver.turn(A, Effects().set("n", "x"))
    driver.wait(600)
    driver.turn(A, Effects().set("n", "y"))
    driver.wait(600)
    driver.send(A, "look")
    renewed = driver.take()
    driver.wait(400)
    driver.send(A, "look")

    assert [seen.state for seen in renewed + driver.take()] == [{"n": "y"}, {"n": None}]


def test_each_call_renews_a_value_that_expires_after_a_call() -> None:
    """Any request to its address renews it, also one that does not look at it."""
    driver = Driver()
    driver.declare("n", mode=AFTER_CALL, millis=1000)
    driver.turn(A, Effects().set("n", "x"))

    seen = []
    for _ in range(3):
        driver.wait(999)
        driver.send(A, "look")
        seen += driver.take()
    driver.wait(1000)
    driver.send(A, "look")
    seen += driver.take()

    assert [each.state["n"] for each in seen] == ["x", "x", "x", None]


def test_the_time_of_the_last_call_survives_a_restart() -> None:
    """Time that passes while nothing runs counts; a call before it counts too."""
    driver = Driver()
    driver.declare("n", mode=AFTER_CALL, millis=1000)
    driver.turn(A, Effects().set("n", "x"))
    driver.wait(900)
    driver.turn(A, Effects())
    driver.commit()

    def after(milliseconds: int) -> str | None:
        restarted = driver.restarted()
        restarted.wait(milliseconds)
        restarted.send(A, "look")
        restarted.answer(restarted.batch(), missing("n", mode=AFTER_CALL, millis=1000))
        return restarted.take()[0].state["n"]

    assert (after(900), after(1000)) == ("x", None)


def test_an_expired_value_is_removed_from_the_store_with_the_next_commit() -> None:
    """It takes a request to its address to be noticed."""
    driver = Driver()
    driver.declare("n", mode=AFTER_WRITE, millis=1000)
    driver.turn(A, Effects().set("n", "x"))
    driver.commit()
    driver.wait(1000)

    driver.turn(A, Effects())
    driver.commit()

    assert dict(driver.store.load(A)) == {}


def test_a_value_that_expires_while_a_request_is_in_flight_does_not_change_the_request() -> None:
    """What was sent was sent; the next one will not carry it."""
    driver = Driver()
    driver.declare("n", mode=AFTER_WRITE, millis=1000)
    driver.turn(A, Effects().set("n", "x"))
    driver.send(A, "1")
    batch = driver.batch()
    driver.send(A, "2")
    driver.wait(1000)

    driver.answer(batch)

    assert driver.seen(batch).state == {"n": "x"}
    assert [seen.state for seen in driver.take()] == [{"n": None}]


def test_the_expiration_of_a_declared_value_stays_for_the_life_of_the_process() -> None:
    """A second declaration of the same name and type is not looked at."""
    driver = Driver()
    driver.send(A, "x")
    driver.send(Address("t/a", "2"), "x")
    first, second = driver.batches()
    driver.answer(first, missing("n", mode=AFTER_WRITE, millis=1000))
    driver.answer(second, missing("n", mode=AFTER_WRITE, millis=10))
    driver.drain()
    driver.turn(A, Effects().set("n", "x"))

    driver.wait(500)
    driver.send(A, "look")

    assert [seen.state for seen in driver.take()] == [{"n": "x"}]


def test_a_function_that_never_has_enough_values_is_given_up() -> None:
    """It may ask ten times for one batch; the next answer like that is an invalid reply."""
    driver = Driver()
    driver.send(A, "x")
    for number in range(10):
        driver.answer(driver.batch(), missing(f"n{number}"))
    before = len(driver.engine.dead_letters)

    driver.answer(driver.batch(), missing("n10"))

    assert (before, len(driver.engine.dead_letters)) == (0, 1)
    assert driver.errors() == [
        (
            "t/a '1' has asked for more values 11 times for one batch: ask for all of them at "
            "once, under names that do not change"
        )
    ]
    assert driver.engine.is_idle


def test_each_batch_may_ask_for_values_anew() -> None:
    """Questions about one batch are not counted against the next, nor against a part of it."""
    driver = Driver()
    driver.send(A, "1")
    first = driver.batch()
    for value in "23":
        driver.send(A, value)
    driver.answer(first)
    for number in range(11):  # once too often: the two are tried one by one
        driver.answer(driver.batch(), missing(f"a{number}"))
    for part in "bc":
        for number in range(10):
            driver.answer(driver.batch(), missing(f"{part}{number}"))
        driver.answer(driver.batch())

    assert (len(driver.errors()), len(driver.engine.dead_letters)) == (1, 0)
    assert driver.engine.is_idle
