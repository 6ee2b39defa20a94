"""Requests whose reply somebody waits for, as the engine sees them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from statefun.errors import RemoteProtocolError, UnknownFunctionError
from statefun.runtime.engine.records import GivenUp, Released
from statefun.runtime.engine.replies import CALLER, caller_of
from tests.runtime.driver import START_MS, A, B, Driver, Effects, rules, text

if TYPE_CHECKING:
    from statefun.sdk.address import Address

FIRST = caller_of(1, START_MS)


def request(driver: Driver, value: str = "go", reply: object = "me", key: str = "") -> Address:
    """Send a message to A whose reply is awaited; returns the caller that A sees."""
    driver.engine.intake.deliver(A, text(value), reply=reply, key=key, now_ms=driver.now_ms)
    [batch] = driver.batches()
    driver.answer(batch)  # the function says nothing in this turn
    caller = driver.seen(batch).callers[0]
    assert caller is not None
    return caller


def test_the_caller_of_a_request_is_an_address_of_the_runtime() -> None:
    """So that a function replies to it as to any caller."""
    driver = Driver()

    assert request(driver) == FIRST


def test_a_reply_is_released_with_the_commit_of_the_turn_that_sent_it() -> None:
    """Nothing leaves before it is durable, and a failed commit releases nothing."""
    driver = Driver()
    driver.engine.intake.deliver(A, text("go"), reply="me", now_ms=START_MS)
    batch = driver.batch()
    driver.answer(batch, Effects().send(FIRST, "hello"))

    driver.delta()
    driver.engine.commit_failed()

    assert driver.commit() == Released((), (), (("me", text("hello")),))


def test_a_reply_may_come_in_a_later_turn_and_from_anybody() -> None:
    """The caller is an address that functions can hand on."""
    driver = Driver()
    caller = request(driver)

    driver.turn(B, Effects().send(caller, "hello"))

    assert driver.commit().replies == (("me", text("hello")),)


def test_a_reply_may_be_delayed() -> None:
    """A delayed message to the caller is a reply when it fires."""
    driver = Driver()
    caller = request(driver)
    driver.turn(A, Effects().delay(1000, caller, "hello"))
    assert driver.commit().replies == ()

    driver.wait(1000)

    assert driver.commit().replies == (("me", text("hello")),)


def test_a_second_reply_is_a_dead_letter() -> None:
    """Nothing that a function sent is lost in silence."""
    driver = Driver()
    driver.engine.intake.deliver(A, text("go"), reply="me", now_ms=START_MS)

    effects = Effects().send(FIRST, "first").send(FIRST, "second")
    driver.answer(driver.batch(), effects)

    assert driver.commit().replies == (("me", text("first")),)
    [letter] = driver.store.dead_letters()
    assert (letter.target, letter.caller, letter.argument) == (FIRST, A, text("second"))
    assert letter.error.startswith("nobody waits for this reply")
    assert driver.engine.counters.late_replies == 1


def test_a_reply_after_a_restart_is_a_dead_letter() -> None:
    """The request is durable; the one who waited is gone with the process."""
    driver = Driver()
    driver.engine.intake.deliver(A, text("go"), reply="me", now_ms=START_MS)
    driver.commit()

    successor = driver.restarted()
    batch = successor.batch()
    assert successor.seen(batch).callers == [FIRST]
    successor.answer(batch, Effects().send(FIRST, "hello"))

    assert successor.commit().replies == ()
    [letter] = successor.store.dead_letters()
    assert letter.target == FIRST


def test_one_who_waits_no_more_gets_no_reply() -> None:
    """After a time-out the message stays, and its reply becomes a dead letter."""
    driver = Driver()
    caller = request(driver)

    assert not driver.engine.intake.forget_reply("me")
    driver.turn(A, Effects().send(caller, "hello"))

    assert driver.commit().replies == ()
    assert len(driver.engine.dead_letters) == 1


def test_a_reply_that_waits_for_its_commit_is_not_forgotten() -> None:
    """It has come in time, and leaves when it is durable."""
    driver = Driver()
    driver.engine.intake.deliver(A, text("go"), reply="me", now_ms=START_MS)
    driver.answer(driver.batch(), Effects().send(FIRST, "hello"))

    assert driver.engine.intake.forget_reply("me")
    driver.delta()
    assert driver.engine.intake.forget_reply("me")
    assert driver.engine.committed().replies == (("me", text("hello")),)
    assert not driver.engine.intake.forget_reply("me")


def test_who_waits_learns_that_the_message_was_given_up() -> None:
    """With the reason, and where the message is now."""
    driver = Driver()
    driver.engine.intake.deliver(A, text("go"), reply="me", now_ms=START_MS)
    for _ in range(8):
        driver.fail(driver.batch())
        driver.wait(10_000)

    assert driver.commit().replies == (("me", GivenUp("no", 8, 1)),)


def test_who_waits_learns_that_the_message_was_dropped() -> None:
    """There is no dead letter then."""
    driver = Driver(rules=rules("drop"))
    driver.engine.intake.deliver(A, text("go"), reply="me", now_ms=START_MS)
    for _ in range(8):
        driver.fail(driver.batch())
        driver.wait(10_000)

    assert driver.commit().replies == (("me", GivenUp("no", 8, None)),)


def test_a_repeat_waits_for_the_reply_to_the_first() -> None:
    """An idempotency key joins both: the function sees one message, each gets the reply."""
    driver = Driver()
    caller = request(driver, reply="me", key="k")
    driver.engine.intake.deliver(A, text("go"), reply="you", key="k", now_ms=driver.now_ms)

    driver.turn(B, Effects().send(caller, "hello"))

    assert driver.commit().replies == (("me", text("hello")), ("you", text("hello")))


def test_nobody_else_can_send_to_a_caller() -> None:
    """Only functions reply."""
    driver = Driver()

    with pytest.raises(UnknownFunctionError):
        driver.send(FIRST, "forged")


def test_a_dead_letter_that_is_a_reply_cannot_be_replayed() -> None:
    """There is no function to send it to."""
    driver = Driver()
    driver.turn(A, Effects().send(caller_of(77, 0), "late"))
    driver.commit()

    with pytest.raises(UnknownFunctionError):
        driver.engine.edits.replay(driver.store.dead_letters())


def test_a_cancelled_delayed_reply_never_comes() -> None:
    """It is a delayed message like others."""
    driver = Driver()
    caller = request(driver)
    driver.turn(A, Effects().delay(1000, caller, "hello", "token"))
    driver.turn(A, Effects().cancel("token"))

    driver.wait(1000)

    assert not driver.engine.has_changes
    assert not driver.engine.dead_letters


def test_a_malformed_delay_to_a_caller_is_refused_like_any_other() -> None:
    """The caller is an address like others to the check."""
    driver = Driver()
    caller = request(driver)

    driver.turn(A, Effects().delay(-1, caller, "hello"))

    [failed] = driver.engine.take_failed_attempts()
    assert isinstance(failed.error, RemoteProtocolError)
    assert CALLER in str(caller)


def test_a_number_that_is_given_again_after_a_crash_makes_another_caller() -> None:
    """Else a function that remembers callers could reply to a stranger."""
    driver = Driver()
    before = request(driver)

    successor = driver.restarted()
    successor.now_ms += 1

    assert request(successor).id.split("-")[0] == before.id.split("-")[0]
    successor.turn(A, Effects().send(before, "late"))
    assert successor.commit().replies == ()
