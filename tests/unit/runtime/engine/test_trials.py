"""After an unclean end: groups, then one at a time; what is alone when the process ends failed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from statefun.errors import ProcessEndedError
from statefun.runtime.engine.records import FailureRecord
from statefun.sdk.address import Address
from tests.runtime.driver import A, B, Driver

if TYPE_CHECKING:
    from statefun.runtime.stores.memory import MemoryStore

C = Address("t/c", "1")


def left_behind(*messages: tuple[Address, str]) -> MemoryStore:
    """What a process leaves that ended without a word while these messages were waiting."""
    driver = Driver()
    driver.store.mark_running()
    for target, text in messages:
        driver.send(target, text)
    driver.commit()
    return driver.store


def next_process(store: MemoryStore) -> Driver:
    driver = Driver(store, can_end_process=lambda _: True)
    driver.tick()
    return driver


def addresses(driver: Driver) -> list[Address]:
    return [batch.address for batch in driver.batches()]


def trials(store: MemoryStore) -> list[tuple[Address, int]]:
    return [(each.address, each.seq) for each in store.recover().trials]


def test_nothing_is_tried_before_the_store_knows_it() -> None:
    """All addresses with stored messages are one group, named in a commit of its own."""
    store = left_behind((A, "1"), (B, "2"))
    driver = next_process(store)

    before = addresses(driver)
    driver.commit()

    assert before == []
    assert trials(store) == [(A, 1), (B, 2)]
    assert addresses(driver) == [A, B]


def test_other_calls_wait_until_the_group_is_done() -> None:
    """Then they are called once they are stored."""
    driver = next_process(left_behind((A, "1"), (B, "2")))
    driver.batches()
    driver.commit()
    first, second = driver.batches()
    driver.send(C, "3")
    meanwhile = addresses(driver)
    driver.answer(first)
    driver.answer(second)
    unstored = addresses(driver)
    driver.commit()

    assert (meanwhile, unstored) == ([], [])
    assert addresses(driver) == [C]


def test_the_messages_of_a_group_that_ended_the_process_are_tried_one_by_one() -> None:
    """And no attempt is counted, for nobody knows whose it was."""
    store = left_behind((A, "1"), (B, "2"))
    killed = next_process(store)
    killed.batches()
    killed.commit()
    killed.batches()

    driver, order = next_process(store), []
    for _ in range(2):
        driver.batches()
        driver.commit()
        order.append(trials(store))
        driver.answer(driver.batch())

    assert order == [[(A, 1)], [(B, 2)]]
    assert driver.errors() == []


def test_a_message_that_was_alone_has_failed_once_more() -> None:
    """What it is told names it; the store counts the attempt."""
    store = left_behind((A, "1"))
    for _ in range(2):
        killed = next_process(store)
        killed.wait(10_000)
        killed.batches()
        killed.commit()
        assert addresses(killed) == [A]

    driver = next_process(store)
    [failed] = driver.engine.take_failed_attempts()
    driver.commit()

    assert isinstance(failed.error, ProcessEndedError)
    assert (failed.address, failed.error.number, failed.attempts) == (A, 1, 2)
    assert store.recover().failures == (FailureRecord(A, ((1, 2),), driver.now_ms, 2),)
    assert trials(store) == []


def test_a_message_that_came_after_the_trial_is_not_to_blame() -> None:
    """The one that was tried is gone; another waits for the same address."""
    store = left_behind((A, "1"), (A, "2"))
    driver = next_process(store)
    driver.batches()
    driver.commit()
    driver.answer(driver.batch())
    store.commit(driver.delta())  # the process ends before it hears of this

    assert next_process(store).errors() == []


def test_an_orderly_end_leaves_no_suspects() -> None:
    """What waits is called at once by the next process."""
    store = left_behind((A, "1"))
    driver = next_process(store)
    driver.engine.end()
    driver.commit()

    assert (store.recover().was_running, trials(store)) == (False, [])
    assert addresses(next_process(store)) == [A]


def test_functions_that_cannot_end_the_process_are_not_held_up() -> None:
    """Those behind endpoints."""
    store = left_behind((A, "1"), (B, "2"))
    driver = Driver(store, can_end_process=lambda typename: typename == "t/a")

    assert addresses(driver) == [B]


def test_a_group_is_bounded() -> None:
    """Many addresses are tried group after group."""
    many = [Address("t/a", str(number)) for number in range(150)]
    store = left_behind(*((each, "x") for each in many))
    driver, sizes = next_process(store), []
    while not driver.engine.is_idle:
        driver.batches()
        driver.commit()
        batches = driver.batches()
        sizes.append(len(batches))
        for batch in batches:
            driver.answer(batch)

    assert sizes == [64, 64, 22]


def test_after_a_group_that_ended_the_process_a_long_batch_is_tried_in_parts() -> None:
    """An eighth of the messages at once, not one by one: a kill from outside costs little."""
    store = left_behind(*((A, str(number)) for number in range(64)))
    killed = next_process(store)
    killed.batches()
    killed.commit()
    killed.answer(killed.batch())
    killed.commit()
    killed.batches()
    killed.commit()
    assert [len(batch.messages) for batch in killed.batches()] == [63]

    driver, sizes = next_process(store), []
    while not driver.engine.is_idle:
        driver.batches()
        driver.commit()
        for batch in driver.batches():
            sizes.append(len(batch.messages))
            driver.answer(batch)

    assert sizes == [1, *[7] * 8, 6]
