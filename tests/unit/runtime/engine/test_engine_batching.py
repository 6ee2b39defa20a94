"""One request in flight per address; what waits becomes the next one, whole."""

import pytest

from statefun.errors import InvalidMessageError, UnknownFunctionError
from statefun.sdk.address import Address
from tests.runtime.driver import A, B, Driver, Effects, Seen


def test_a_message_to_an_idle_address_is_a_batch_of_one() -> None:
    """Messages that come after it, even before it is sent, are not part of it."""
    driver = Driver()
    driver.send(A, "0")
    driver.send(A, "1")

    [batch] = driver.batches()

    assert driver.seen(batch) == Seen(A, ["0"], {}, [None])


def test_while_a_request_is_in_flight_there_is_no_other_for_its_address() -> None:
    """An address is called by one request at a time."""
    driver = Driver()
    driver.send(A, "0")
    driver.batch()

    driver.send(A, "1")

    assert driver.batches() == []


def test_the_whole_backlog_becomes_the_next_request() -> None:
    """A backlog is sent at once, in order."""
    driver = Driver()
    driver.send(A, "0")
    batch = driver.batch()
    for number in range(1, 1001):
        driver.send(A, str(number))

    driver.answer(batch)

    assert driver.take() == [Seen(A, [str(n) for n in range(1, 1001)], {}, [None] * 1000)]


def test_different_addresses_are_called_at_the_same_time() -> None:
    """Neither another id nor another type waits for a request in flight."""
    driver = Driver()
    other = Address("t/a", "2")

    for target in (A, B, other):
        driver.send(target, "x")

    assert [batch.address for batch in driver.batches()] == [A, B, other]


def test_a_message_to_the_own_busy_address_is_not_part_of_the_backlog() -> None:
    """With two messages waiting, a self-send is a batch of its own: 1, 2, 1."""
    driver = Driver()
    driver.send(A, "first")
    batch = driver.batch()
    driver.send(A, "waiting 1")
    driver.send(A, "waiting 2")

    driver.answer(batch, Effects().send(A, "self"))

    assert [seen.messages for seen in driver.drain()] == [["waiting 1", "waiting 2"], ["self"]]


def test_messages_to_the_own_idle_address_begin_with_a_batch_of_one() -> None:
    """Once its batch is done the address is idle, for its own messages too."""
    driver = Driver()

    driver.turn(A, Effects().send(A, "1").send(A, "2").send(A, "3"))

    assert [seen.messages for seen in driver.drain()] == [["1"], ["2", "3"]]


def test_messages_of_one_sender_arrive_in_the_order_of_sending() -> None:
    """Per sender and target the order is that of the reply, over any number of replies."""
    driver = Driver()

    driver.turn(A, Effects().send(B, "0"))
    slow = driver.batch()
    for start in (1, 4, 7):
        effects = Effects()
        for number in range(start, start + 3):
            effects.send(B, str(number))
        driver.turn(A, effects)
    driver.answer(slow)

    [seen] = driver.drain()
    assert seen.messages == [str(number) for number in range(1, 10)]


def test_a_message_carries_its_caller() -> None:
    """The caller of a message from a function is the sender, of an ingress message nobody."""
    driver = Driver()

    driver.turn(A, Effects().send(B, "hello"))

    assert driver.take() == [Seen(B, ["hello"], {}, [A])]


def test_a_reply_to_an_attempt_that_is_over_changes_nothing() -> None:
    """A late or repeated reply is counted and ignored."""
    driver = Driver()
    driver.send(A, "0")
    first = driver.batch()
    driver.fail(first)
    driver.wait(100)
    second = driver.batch()

    driver.answer(first, Effects().send(B, "late"))
    driver.answer(second, Effects().send(B, "in time"))
    driver.answer(second, Effects().send(B, "again"))

    assert [seen.messages for seen in driver.drain()] == [["in time"]]
    assert driver.engine.counters.stray_replies == 2


@pytest.mark.parametrize("reply", [b"", b"\xa2\x06\x00"])
def test_a_reply_without_effects_ends_the_turn(reply: bytes) -> None:
    """No alternative set means the same as an empty result."""
    driver = Driver()

    driver.turn(A, reply)

    assert driver.engine.is_idle


def test_a_message_to_an_unknown_function_is_refused_at_the_ingress() -> None:
    """Nothing is kept of it."""
    driver = Driver()

    with pytest.raises(UnknownFunctionError, match="no function is registered as 't/x'"):
        driver.send(Address("t/x", "1"), "lost")

    assert driver.engine.is_idle
    assert driver.engine.begin_commit() is None


def test_an_id_that_is_no_text_is_refused_at_the_ingress() -> None:
    """A lone surrogate can be written neither to the wire nor to the disk."""
    driver = Driver()

    with pytest.raises(InvalidMessageError, match=r"cannot be written as UTF-8"):
        driver.send(Address("t/a", "\ud800"), "lost")


@pytest.mark.parametrize("target_id", ["", "a/b", "\n\t\0", "Grüße 🌍", "x" * 10_000])
def test_any_text_is_an_id(target_id: str) -> None:
    """Ids are opaque text; the empty one is one of them."""
    driver = Driver()
    target = Address("t/a", target_id)

    driver.send(target, "x")

    assert driver.take() == [Seen(target, ["x"], {}, [None])]


def test_the_engine_is_idle_when_no_message_waits() -> None:
    """A request in flight, a backlog and a batch to be tried again are work; a timer is not."""
    driver = Driver()
    is_idle = [driver.engine.is_idle]
    driver.send(A, "0")
    batch = driver.batch()
    is_idle.append(driver.engine.is_idle)
    driver.fail(batch)
    is_idle.append(driver.engine.is_idle)
    driver.wait(100)
    driver.answer(driver.batch(), Effects().delay(1000, B, "later"))
    is_idle.append(driver.engine.is_idle)

    assert is_idle == [True, False, False, True]


def test_idle_addresses_above_the_limit_are_forgotten_and_loaded_again() -> None:
    """What was committed is all that is needed of them."""
    driver = Driver(max_resident=2)
    driver.declare("n")
    for number in range(5):
        target = Address("t/a", f"id {number}")
        driver.send(target, "x")
        driver.answer(driver.batch(), Effects().set("n", str(number)))
        driver.commit()
    resident = len(driver.engine.residency)

    driver.send(Address("t/a", "id 0"), "again")

    assert resident == 2
    assert [seen.state for seen in driver.take()] == [{"n": "0"}]


def test_idle_addresses_with_too_many_bytes_are_forgotten_and_loaded_again() -> None:
    """Whether their values were written, replaced, deleted or loaded."""
    driver = Driver(max_resident_bytes=300)
    driver.declare("n")
    residents = []
    ids = [f"id {number}" for number in range(4)]
    for target_id in (*ids, *ids):
        driver.turn(Address("t/a", target_id), Effects().set("n", "x" * 100))
        driver.commit()
        residents.append(len(driver.engine.residency))

    assert residents == [2, 3, 4, 3, 3, 3, 3, 3]
    driver.turn(Address("t/a", ids[0]), Effects().delete("n"))
    assert driver.engine.residency.values_of(Address("t/a", ids[0]), {}) == {}
    driver.send(Address("t/a", ids[1]), "x")
    assert [seen.state for seen in driver.take()] == [{"n": "x" * 100}]


def test_addresses_with_work_or_uncommitted_values_are_not_forgotten() -> None:
    """Only what the store has whole can be loaded again."""
    driver = Driver(max_resident=1)
    driver.declare("n")
    busy, changed = Address("t/a", "busy"), Address("t/a", "changed")
    driver.send(busy, "x")
    batch = driver.batch()
    delta = driver.delta()
    driver.turn(changed, Effects().set("n", "new"))
    driver.store.commit(delta)
    driver.engine.committed()

    driver.send(changed, "x")
    driver.answer(batch, Effects().set("n", "worked"))
    driver.send(busy, "x")

    assert [seen.state for seen in driver.take()] == [{"n": "new"}, {"n": "worked"}]
