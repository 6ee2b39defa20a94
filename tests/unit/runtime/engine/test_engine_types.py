"""A deploy that changes the type of a value loses nothing: what cannot be read waits."""

from __future__ import annotations

from typing import Any

import pytest

from statefun.errors import InvocationError, UnreadableValueError, ValueRefusedError
from statefun.runtime.engine.holds import PROBE_MS
from statefun.runtime.engine.policy import OUTCOMES, FailurePolicy, Rules
from statefun.runtime.engine.records import PausedAddress, StoredEntry
from statefun.sdk.address import Address, SdkAddress
from statefun.sdk.primitives import DoubleType, FloatType, IntType, LongType
from tests.runtime.driver import AFTER_WRITE, START_MS, A, B, Driver, Effects, missing

OTHER = Address("t/a", "other")
SENTENCE = (
    "value 'n' of t/a '1' is stored as 't/old' and declared as 't/new' now, which cannot be read "
    "as that: give the ValueSpec an upgrade, declare the old type, or set the value with "
    "'statefun state set'"
)


def old(value: str = "x") -> Driver:
    """A runtime that was used by the version of a function whose value was a `t/old`."""
    driver = Driver()
    driver.declare("n", typename="t/old")
    driver.turn(A, Effects().set("n", value, "t/old"))
    driver.commit()
    return driver


def deployed(before: Driver, *, can_change: bool = False, **options: Any) -> Driver:
    """The next process."""
    driver = before.restarted(can_change=lambda _: can_change, **options)
    driver.engine.retry_held()
    return driver


def held(*, can_change: bool = False, messages: int = 1, **options: Any) -> Driver:
    """One in which an address is held, whose value the new version cannot read."""
    driver = deployed(old(), can_change=can_change, **options)
    for number in range(messages):
        driver.send(A, f"m{number}")
    ask(driver, typename="t/new")
    return driver


def ask(driver: Driver, **declared: Any) -> None:
    """Let the function ask for its value, as often as it is not sent along."""
    for _ in range(3):
        batches = driver.batches()
        for batch in batches:
            if not driver.seen(batch).state:
                driver.answer(batch, missing("n", **declared))
            else:
                driver.answer(batch, Effects().egress("through"))


def paused(driver: Driver) -> list[PausedAddress]:
    driver.commit()
    return list(driver.store.paused())


# --- what cannot be read --------------------------------------------------------------------------


@pytest.mark.parametrize("outcome", OUTCOMES)
def test_a_value_that_cannot_be_read_holds_its_address(outcome: Any) -> None:
    """With all that waits for it, whatever the policy; nothing is given up, and others go on."""
    driver = held(messages=3, rules=Rules(FailurePolicy(outcome)))
    driver.send(OTHER, "y")
    driver.send(B, "z")

    seen = sorted((each.address, each.messages) for each in driver.drain())
    assert seen == [(OTHER, ["y"]), (B, ["z"])]
    assert driver.errors() == [SENTENCE]
    pause = PausedAddress(A, SENTENCE, 0, START_MS, START_MS, "unreadable-value")
    assert paused(driver) == [pause]
    assert len(driver.store.recover().messages) == 3
    assert (driver.engine.is_idle, driver.engine.paused_addresses) == (True, 1)
    assert driver.engine.next_wake_ms() is None
    assert driver.engine.counters.failed_attempts == 0


def test_a_held_address_goes_on_by_itself_in_a_process_that_can_read_its_value() -> None:
    """Its messages come in order, once."""
    driver = held(messages=2)
    driver.commit()

    mended = deployed(driver)
    mended.send(A, "later")
    mended.answer(mended.batch(), missing("n", typename="t/old"))

    seen = mended.drain()
    assert [message for each in seen for message in each.messages] == ["m0", "m1", "later"]
    assert [each.state for each in seen] == [{"n": "x"}] * len(seen)
    assert (paused(mended), mended.engine.paused_addresses) == ([], 0)


def test_a_held_address_is_held_again_by_a_process_that_cannot_read_its_value_either() -> None:
    """Each process tries once."""
    driver = held(messages=2)
    driver.commit()

    again = deployed(driver)
    ask(again, typename="t/new")

    assert [pause.error for pause in paused(again)] == [SENTENCE]
    assert len(again.store.recover().messages) == 2


def test_whoever_only_looks_at_a_data_directory_lets_holds_be() -> None:
    """An engine that is made for an edit tries nothing."""
    driver = held()
    before = paused(driver)

    editing = driver.restarted()
    editing.engine.edits.set_value(B, "n", StoredEntry("t/text", b"", 0))

    assert (paused(editing), editing.engine.paused_addresses) == (before, 1)


def test_an_address_is_held_once_its_function_was_asked_anew() -> None:
    """What is known of it may be of an earlier version than the one behind the endpoint now."""
    driver = deployed(old())
    driver.declare("n", target=OTHER, typename="t/new")
    driver.send(A, "x")

    driver.answer(driver.batch(), missing("n", typename="t/old"))

    assert [each.state for each in driver.take()] == [{"n": "x"}]
    assert driver.errors() == []


@pytest.mark.parametrize("typename", ["t/new", "t/old"])
def test_an_expired_value_holds_nothing(typename: str) -> None:
    """Nobody sees it any more."""
    before = Driver()
    before.declare("n", typename="t/old", mode=AFTER_WRITE, millis=1000)
    before.turn(A, Effects().set("n", "x", "t/old"))
    before.commit()
    driver = deployed(before)
    driver.wait(1000)
    driver.send(A, "x")

    driver.answer(driver.batch(), missing("n", typename=typename))

    assert [each.state for each in driver.take()] == [{"n": None}]


# --- what can be read -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("was", "now", "value"),
    [(IntType, LongType, -7), (IntType, DoubleType, 2**31 - 1), (FloatType, DoubleType, 0.5)],
)
def test_a_value_is_sent_as_the_wider_type_that_is_declared_now(
    was: Any, now: Any, value: float
) -> None:
    """Any function can read it then; it stays as it is until the function writes it."""
    before = Driver()
    before.engine.edits.set_value(A, "n", StoredEntry(was.typename, was.dump(value), 0))
    before.commit()
    driver = deployed(before)
    driver.send(A, "x")

    driver.answer(driver.batch(), missing("n", typename=now.typename))
    batch = driver.batch()
    driver.answer(batch)
    driver.commit()

    assert now.typename.encode() in batch.request
    assert now.dump(value) in batch.request
    assert driver.store.load(A)["n"].typename == was.typename


def test_a_value_that_the_function_can_upgrade_is_sent_as_it_is() -> None:
    """What the function writes is of the new type, and is stored as that."""
    driver = deployed(old())
    driver.send(A, "x")
    driver.answer(driver.batch(), missing("n", typename="t/new", upgrades=["t/older", "t/old"]))
    batch = driver.batch()

    driver.answer(batch, Effects().set("n", "y", "t/new"))
    driver.commit()

    assert b"t/old" in batch.request
    assert driver.store.load(A)["n"].typename == "t/new"
    assert driver.errors() == []


def test_a_function_that_fails_to_upgrade_a_value_holds_the_address() -> None:
    """In this process and behind an endpoint, whatever the policy; after it was asked anew."""
    cause = UnreadableValueError("value 'n'", "t/new", "t/old", reason="ValueError: no")
    failure = InvocationError(
        SdkAddress("t", "a", "1", "t/a"), "t/text", 1, 1, "UnreadableValueError: no"
    )
    failure.__cause__ = cause
    for error in (failure, ValueRefusedError("http://localhost:1 answered 500: value 'n' is …")):
        driver = deployed(old())
        driver.send(A, "x")
        for _ in range(2):
            ask_reply = missing("n", typename="t/new", upgrades=["t/old"])
            driver.answer(driver.batch(), ask_reply)
            driver.fail(driver.batch(), error)

        assert driver.batches() == []
        assert driver.errors() == [str(error)]
        assert [pause.cause for pause in paused(driver)] == ["unreadable-value"]


# --- a deploy behind an endpoint ------------------------------------------------------------------


def test_a_function_that_writes_another_type_is_asked_which_it_declares_now() -> None:
    """It was deployed anew while the runtime ran; its effects come once, with the new type."""
    driver = Driver()
    driver.declare("n")
    driver.send(A, "x")
    driver.answer(driver.batch(), Effects().set("n", "y", "t/new").egress("too early"))
    again = driver.batch()
    state = driver.seen(again).state

    driver.answer(again, missing("n", typename="t/new"))
    driver.answer(driver.batch(), Effects().set("n", "y", "t/new").egress("once"))

    assert state == {}
    assert [record.argument[-4:] for record in driver.commit().egress] == [b"once"]
    assert driver.store.load(A)["n"].typename == "t/new"
    assert driver.errors() == []


def test_one_held_address_of_a_function_that_can_change_is_tried_now_and_then() -> None:
    """Once one of them gets through, all the others follow at once."""
    before = old()
    before.send(OTHER, "go")
    before.answer(before.batch(), Effects().set("n", "x", "t/old"))
    before.commit()
    driver = deployed(before, can_change=True)
    driver.send(A, "first")
    driver.send(OTHER, "second")
    ask(driver, typename="t/new")
    assert [pause.address for pause in paused(driver)] == [A, OTHER]

    driver.wait(PROBE_MS - 1)
    early = driver.batches()
    driver.wait(1)
    probe = driver.batch()
    ask_again = driver.seen(probe)
    driver.answer(probe, missing("n", typename="t/new"))
    assert driver.batches() == []
    still = [pause.address for pause in paused(driver)]
    driver.wait(PROBE_MS)
    driver.answer(driver.batch(), missing("n", typename="t/old"))

    assert early == []
    assert (ask_again.messages, ask_again.state) == (["first"], {})
    assert still == [A, OTHER]
    assert [(each.messages, each.state) for each in driver.drain()] == [
        (["second"], {"n": "x"}),
        (["first"], {"n": "x"}),
    ]
    assert paused(driver) == []
    assert driver.engine.next_wake_ms() is None


def test_a_clock_that_is_set_does_not_change_when_one_is_tried_again() -> None:
    """It waits as long as it would have."""
    driver = held(can_change=True)

    driver.now_ms += 3_600_000
    driver.engine.clock_set(3_600_000)

    assert driver.engine.next_wake_ms() == driver.now_ms + PROBE_MS


# --- what people do about it ----------------------------------------------------------------------


def test_a_value_is_set_to_the_newly_declared_type_in_one_step() -> None:
    """The address goes on at once."""
    driver = held()

    driver.engine.edits.set_value(A, "n", StoredEntry("t/new", b"mended", 0))

    assert [(each.messages, each.state) for each in driver.take()] == [(["m0"], {"n": "mended"})]
    assert paused(driver) == []


def test_a_value_cannot_be_set_to_what_its_function_cannot_read() -> None:
    """The error says which type it declares."""
    driver = held()

    with pytest.raises(UnreadableValueError, match="declared as 't/new' now"):
        driver.engine.edits.set_value(A, "n", StoredEntry("t/other", b"", 0))


def test_deleting_the_value_lets_the_address_go_on() -> None:
    """As if nothing had been stored."""
    driver = held()

    driver.engine.edits.set_value(A, "n", None)

    assert [each.state for each in driver.take()] == [{"n": None}]


def test_a_held_address_can_be_released_by_hand() -> None:
    """It is tried again, and held again."""
    driver = held()

    assert driver.engine.edits.release(A)
    ask(driver, typename="t/new")

    assert driver.engine.paused_addresses == 1
    assert driver.errors() == [SENTENCE] * 2
