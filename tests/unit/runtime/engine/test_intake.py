"""What comes from outside: how much of it, how long, and once for each idempotency key."""

from __future__ import annotations

from datetime import timedelta

import pytest

from statefun.errors import (
    AddressBusyError,
    ConfigurationError,
    IdempotencyConflictError,
    MessageTooLargeError,
    UnknownFunctionError,
)
from statefun.runtime.engine.policy import WAITING_BYTES, Limits, Retention, Rules
from statefun.sdk.address import Address
from tests.runtime.driver import START_MS, A, B, Driver, Effects, rules, text

OTHER = Address("t/a", "2")


def keyed(driver: Driver, target: Address, value: str, key: str, ticket: object = None) -> None:
    driver.engine.intake.deliver(target, text(value), ticket, key=key, now_ms=driver.now_ms)


# --- caps and back pressure -----------------------------------------------------------------------


def test_a_batch_has_so_many_messages_at_most() -> None:
    """The rest follows, in order."""
    driver = Driver(rules=rules(limits=Limits(max_batch=3)))
    for number in range(8):
        driver.send(A, str(number))

    assert [seen.messages for seen in driver.drain()] == [
        ["0"],
        ["1", "2", "3"],
        ["4", "5", "6"],
        ["7"],
    ]


def test_a_batch_has_so_many_bytes_at_most() -> None:
    """One message that has more goes alone."""
    limits = Limits(max_batch_bytes=2 * len(text("xxx")))
    driver = Driver(rules=rules(limits=limits))
    for value in ("0", "xxx", "xxx", "xxx", "x" * 99, "1", "2"):
        driver.send(A, value)

    assert [seen.messages for seen in driver.drain()] == [
        ["0"],
        ["xxx", "xxx"],
        ["xxx"],
        ["x" * 99],
        ["1", "2"],
    ]


@pytest.mark.parametrize(
    "limits", [Limits(max_waiting=3), Limits(max_waiting_bytes=3 * len(text("0")))]
)
def test_an_address_over_its_limit_takes_no_more_from_outside(limits: Limits) -> None:
    """Others go on; what was refused is not kept; there is room again when a batch is done."""
    driver = Driver(rules=rules(limits=limits))
    for number in range(3):
        driver.send(A, str(number))

    with pytest.raises(AddressBusyError, match=r"3 messages of .* bytes wait for t/a '1'"):
        driver.send(A, "refused")
    driver.send(OTHER, "other")
    has_room = driver.engine.intake.has_room(A), driver.engine.intake.has_room(OTHER)
    first = driver.take()
    driver.send(A, "3")

    assert has_room == (False, True)
    assert [seen.messages for seen in first] == [["0"], ["other"]]
    assert [seen.messages for seen in driver.drain()] == [["1", "2"], ["3"]]
    assert driver.engine.counters.refused_messages == 1


def test_a_runtime_over_its_limit_takes_no_more_from_outside() -> None:
    """What waits for all addresses together has to fit into memory, after a restart too."""
    limited = rules(max_waiting_bytes=4 * (WAITING_BYTES + len(text("0"))))
    driver = Driver(rules=limited)
    for number in range(4):
        driver.send(Address("t/a", str(number)), "0")
    driver.commit()
    restarted = driver.restarted(rules=limited)

    for each in (driver, restarted):
        with pytest.raises(AddressBusyError, match=r"bytes of messages wait .* all addresses"):
            each.send(OTHER, "refused")
        assert not each.engine.intake.has_room(OTHER)
        first, *others = each.batches()
        each.answer(first, Effects().send(A, "x").send(A, "y"))
        assert not each.engine.intake.has_room(OTHER)
        for batch in others:
            each.answer(batch)
        each.drain()
        each.send(OTHER, "other")
        assert [seen.messages for seen in each.drain()] == [["other"]]


def test_paused_addresses_count_for_the_limit_of_the_runtime() -> None:
    """They need their memory, too; released and worked on, they make room again."""
    most = 4 * (WAITING_BYTES + len(text("0")))
    driver = Driver(rules=rules("pause", max_waiting_bytes=most))
    paused = [Address("t/a", str(number)) for number in range(4)]
    for address in paused:
        driver.send(address, "0")
        driver.fail(driver.batch(), UnknownFunctionError("t/a", ()))
    when_paused = driver.engine.intake.has_room(B)

    for address in paused:
        driver.engine.edits.release(address)
    driver.drain()

    assert (when_paused, driver.engine.intake.has_room(B)) == (False, True)


def test_one_address_alone_does_not_hold_up_the_others() -> None:
    """However much functions send to it: it counts for a quarter, and takes no more itself."""
    driver = Driver(rules=rules("pause", max_waiting_bytes=8 * (WAITING_BYTES + len(text("0")))))
    driver.send(A, "0")
    driver.fail(driver.batch(), UnknownFunctionError("t/a", ()))
    effects = Effects()
    for number in range(100):
        effects.send(A, str(number))
    driver.turn(B, effects)

    assert (driver.engine.intake.has_room(A), driver.engine.intake.has_room(B)) == (False, True)
    with pytest.raises(
        AddressBusyError, match=r"101 messages .* paused: release it with 'statefun"
    ):
        driver.send(A, "refused")
    driver.engine.edits.release(A)
    driver.drain()
    assert driver.engine.intake.has_room(A)


def test_a_limit_that_makes_no_sense_is_refused() -> None:
    """With what to write instead."""
    with pytest.raises(ConfigurationError, match="max_waiting_bytes is 0: write 1 or more"):
        Rules(max_waiting_bytes=0)


def test_messages_of_functions_and_timers_are_never_refused() -> None:
    """However many wait for the address."""
    driver = Driver(rules=rules(limits=Limits(max_waiting=1)))
    driver.send(A, "0")
    [batch] = driver.batches()
    effects = Effects().delay(1, A, "delayed")
    for number in range(1, 4):
        effects.send(A, str(number))

    driver.turn(B, effects)
    driver.wait(1)
    driver.answer(batch)

    assert [seen.messages for seen in driver.drain()] == [["1", "2", "3", "delayed"]]


def test_a_message_has_a_longest_length() -> None:
    """One that is longer is refused, one that is not is taken."""
    driver = Driver(rules=rules(limits=Limits(max_message_bytes=len(text("12345")))))

    driver.send(A, "12345")
    with pytest.raises(MessageTooLargeError, match=r"a message to t/a '1' has .* bytes"):
        driver.send(A, "123456")

    assert [seen.messages for seen in driver.drain()] == [["12345"]]


def test_limits_are_those_of_the_function() -> None:
    """By its name, its namespace, or for all."""
    limits = {"t/a": Limits(max_waiting=1), "t/*": Limits(max_waiting=2)}
    driver = Driver(rules=rules(limits=limits))

    room = []
    for target in (A, B):
        for number in range(2):
            room.append(driver.engine.intake.has_room(target))
            if room[-1]:
                driver.send(target, str(number))

    assert room == [True, False, True, True]


# --- idempotency keys -----------------------------------------------------------------------------


def test_a_repeat_is_not_delivered_again() -> None:
    """Not while the first waits, nor when it is done, nor after a restart."""
    driver = Driver()
    keyed(driver, A, "x", "K")
    keyed(driver, A, "x", "K")
    first = driver.drain()
    keyed(driver, A, "x", "K")
    driver.commit()
    driver = driver.restarted()

    keyed(driver, A, "x", "K")

    assert [seen.messages for seen in first] == [["x"]]
    assert driver.drain() == []


def test_a_repeat_is_acknowledged_once_the_first_is_durable() -> None:
    """Its ticket comes out of the same commit, or of a later one."""
    driver = Driver()
    keyed(driver, A, "x", "K", "first")
    keyed(driver, A, "x", "K", "second")
    delta = driver.delta()
    keyed(driver, A, "x", "K", "third")
    driver.store.commit(delta)

    released = driver.engine.committed().tickets

    assert released == ("first", "second")
    assert driver.delta().is_empty
    assert driver.engine.committed().tickets == ("third",)


def test_the_key_is_stored_in_the_commit_of_its_message() -> None:
    """There is none without the other."""
    driver = Driver()
    keyed(driver, A, "x", "K")

    delta = driver.delta()

    assert [message.argument for message in delta.messages] == [text("x")]
    assert list(delta.receipts) == [(A, "K")]


def test_a_key_whose_commit_failed_is_in_the_next() -> None:
    """With its message; the repeat is counted."""
    driver = Driver()
    keyed(driver, A, "x", "K")
    driver.delta()
    driver.engine.commit_failed()
    keyed(driver, A, "x", "K")

    assert driver.engine.counters.repeats == 1
    driver.commit()
    driver = driver.restarted()
    keyed(driver, A, "x", "K")

    assert [seen.messages for seen in driver.drain()] == [["x"]]


def test_the_same_key_with_another_message_is_refused() -> None:
    """It is never a second delivery."""
    driver = Driver()
    keyed(driver, A, "x", "K")

    with pytest.raises(IdempotencyConflictError, match="the idempotency key 'K' was used for"):
        keyed(driver, A, "y", "K")

    assert [seen.messages for seen in driver.drain()] == [["x"]]


def test_a_key_belongs_to_its_address() -> None:
    """Another address may use it for something else."""
    driver = Driver()
    for target in (A, B, OTHER):
        keyed(driver, target, str(target), "K")

    assert len(driver.drain()) == 3


def test_a_refused_message_leaves_no_key() -> None:
    """Sending it again later delivers it."""
    driver = Driver(rules=rules(limits=Limits(max_waiting=1)))
    driver.send(A, "before")
    with pytest.raises(AddressBusyError):
        keyed(driver, A, "x", "K")
    driver.drain()

    keyed(driver, A, "x", "K")

    assert [seen.messages for seen in driver.drain()] == [["x"]]


def test_a_repeat_is_answered_even_if_the_address_is_busy() -> None:
    """Nothing is added to what waits."""
    driver = Driver(rules=rules(limits=Limits(max_waiting=1)))
    keyed(driver, A, "x", "K")

    keyed(driver, A, "x", "K", "ticket")

    driver.store.commit(driver.delta())
    assert driver.engine.committed().tickets == ("ticket",)


def test_keys_are_bounded_by_age() -> None:
    """After that the message counts as a new one."""
    driver = Driver(rules=rules(idempotency_keys=Retention(max_age=timedelta(milliseconds=1000))))
    keyed(driver, A, "x", "K")
    driver.wait(999)
    keyed(driver, A, "x", "K")
    driver.wait(1)
    keyed(driver, A, "x", "K")
    driver.commit()

    assert len(driver.drain()) == 2
    assert driver.store.recover().receipts[A, "K"].taken_ms == START_MS + 1000


def test_keys_are_bounded_by_count() -> None:
    """The oldest goes first, from the store too."""
    driver = Driver(rules=rules(idempotency_keys=Retention(max_count=2)))
    for key in ("1", "2", "3"):
        keyed(driver, A, key, key)
    driver.commit()

    assert list(driver.store.recover().receipts) == [(A, "2"), (A, "3")]
