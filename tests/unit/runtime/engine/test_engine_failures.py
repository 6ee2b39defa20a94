"""What fails too often is given up by the policy; what is good goes on, in order, once."""

from __future__ import annotations

import random
import re
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Literal

import pytest

from statefun.errors import (
    ConfigurationError,
    DoNotRetryError,
    InvalidMessageError,
    InvocationError,
    MessageRefusedError,
    ReplyTooLargeError,
    TransportError,
    UnknownFunctionError,
)
from statefun.runtime.engine.policy import FailurePolicy, Limits, Retention, Rules
from statefun.runtime.engine.records import DeadLetter, PausedAddress
from statefun.runtime.engine.retry import Backoff
from statefun.sdk.address import Address
from statefun.sdk.wire import decode_typed_value
from tests.runtime.driver import START_MS, A, B, Driver, Effects, Seen, rules, text

if TYPE_CHECKING:
    from statefun.runtime.engine.policy import Outcome

BAD = "bad"
ELSEWHERE = Address("t/a", "2")
TOTAL_MS = 100 + 200 + 400 + 800 + 1600 + 3200 + 6400


def run(driver: Driver, error: Exception | None = None) -> list[list[str]]:
    """Answer batches until nothing is left; those with a bad message fail. Returns all requests."""
    requests = []
    for _ in range(1000):
        batches = driver.batches()
        for batch in batches:
            messages = driver.seen(batch).messages
            requests.append(messages)
            if any(message.startswith(BAD) for message in messages):
                driver.fail(batch, error)
            else:
                driver.answer(batch, Effects().egress("+".join(messages)))
        wake_ms = driver.engine.next_wake_ms()
        if not batches and wake_ms is None:
            return requests
        if not batches and wake_ms is not None:
            driver.wait(wake_ms - driver.now_ms)
    raise AssertionError("it never ends")


def applied(driver: Driver) -> list[str]:
    """The messages that were applied, in order."""
    records = driver.commit().egress
    values = [driver_value(record.argument) for record in records]
    return [message for value in values for message in value.split("+")]


def driver_value(argument: bytes) -> str:
    return decode_typed_value(argument).data.decode()


def backlog(driver: Driver, *messages: str) -> None:
    """Let messages be one batch: behind a first one that is under way."""
    driver.send(A, "first")
    batch = driver.batch()
    for message in messages:
        driver.send(A, message)
    driver.answer(batch)


def letters(driver: Driver) -> list[DeadLetter]:
    return list(driver.store.dead_letters())


# --- dead letters ---------------------------------------------------------------------------------


def test_a_message_that_used_up_its_attempts_is_a_dead_letter() -> None:
    """It keeps where it was for, what it said, who sent it, why, how often and when it failed."""
    driver = Driver()
    driver.turn(B, Effects().send(A, "bad one"))

    requests = run(driver)
    driver.commit()

    assert requests == [["bad one"]] * 8
    [letter] = letters(driver)
    assert letter == DeadLetter(
        letter.id, A, B, text("bad one"), "no", 8, START_MS, START_MS + TOTAL_MS
    )
    assert driver.engine.is_idle
    assert len(driver.restarted().engine.dead_letters) == 1


def test_behind_a_dead_letter_the_address_goes_on() -> None:
    """Its other messages are delivered, and the values are as the last good one left them."""
    driver = Driver()
    driver.declare("n")
    driver.turn(A, Effects().set("n", "before"))
    driver.send(A, BAD)
    driver.send(A, "good")

    assert run(driver) == [[BAD]] * 8 + [["good"]]
    assert applied(driver) == ["good"]
    assert {name: entry.data for name, entry in driver.store.load(A).items()} == {"n": b"before"}


def test_a_dead_letter_that_is_replayed_is_a_new_message() -> None:
    """From the same caller; if it fails again it is another dead letter."""
    driver = Driver()
    driver.turn(B, Effects().send(A, BAD))
    run(driver)
    driver.commit()
    [letter] = letters(driver)

    driver.engine.edits.replay([letter, letter])

    assert driver.seen(driver.batch()) == Seen(A, [BAD], {}, [B])
    driver.commit()
    assert letters(driver) == []
    assert [each.argument for each in driver.store.recover().messages] == [text(BAD)]


def test_a_dead_letter_of_a_function_that_is_gone_cannot_be_replayed() -> None:
    """It stays a dead letter."""
    driver = Driver()
    letter = DeadLetter(1, Address("t/gone", "1"), None, b"", "no", 1, 0, 0)

    with pytest.raises(UnknownFunctionError):
        driver.engine.edits.replay([letter])


def test_dead_letters_are_bounded_by_count() -> None:
    """Those that failed first go first."""
    driver = Driver(rules=rules(dead_letters=Retention(max_count=2)))
    for name in ("bad 1", "bad 2", "bad 3"):
        driver.send(A, name)
        run(driver)

    driver.commit()

    assert [each.argument for each in letters(driver)] == [text("bad 2"), text("bad 3")]
    assert driver.engine.counters.expired_dead_letters == 1


def test_without_a_bound_every_dead_letter_is_kept() -> None:
    """A message that was accepted is forgotten only where somebody has set a cap or an age."""
    many, a_lifetime_ms = 12_500, 100 * 365 * 24 * 3_600_000
    driver = Driver(rules=Rules(FailurePolicy(retry=Backoff(attempts=1))))
    for number in range(many):
        driver.send(Address(A.typename, str(number)), BAD)
    run(driver)

    driver.wait(a_lifetime_ms)
    driver.commit()

    assert len(letters(driver)) == many
    assert driver.engine.counters.expired_dead_letters == 0


def test_dead_letters_are_bounded_by_age() -> None:
    """Counted from the last failure, over restarts too."""
    driver = Driver(rules=rules(dead_letters=Retention(max_age=timedelta(milliseconds=100_000))))
    driver.send(A, BAD)
    run(driver)
    driver.commit()
    driver = driver.restarted(
        rules=rules(dead_letters=Retention(max_age=timedelta(milliseconds=100_000)))
    )

    driver.wait(99_999)
    before = driver.engine.begin_commit()
    driver.wait(1)
    driver.commit()

    assert (before, letters(driver)) == (None, [])


def test_an_error_of_any_text_can_be_kept() -> None:
    """Lone surrogates are escaped, and a very long one is cut."""
    driver = Driver()
    driver.send(A, BAD)

    run(driver, ValueError("\udcff" + "x" * 10_000))
    driver.commit()

    [letter] = letters(driver)
    assert (letter.error[:9], letter.error.isascii(), len(letter.error)) == (
        "\\udcffxxx",
        True,
        4005,
    )


# --- isolation ------------------------------------------------------------------------------------


@pytest.mark.parametrize("place", [0, 1, 6, 7])
def test_a_poison_message_is_told_apart_from_its_batch(place: int) -> None:
    """The good ones are applied, each once and in order, before and after it."""
    driver = Driver()
    names = [f"m{number}" for number in range(8)]
    names[place] = BAD
    backlog(driver, *names)

    requests = run(driver)

    assert applied(driver) == [name for name in names if name != BAD]
    assert requests[:4] == [names] * 4
    assert [each.argument for each in letters(driver)] == [text(BAD)]


def test_a_poison_message_has_no_more_attempts_than_others() -> None:
    """Those by which it was told apart are nobody's; those before and after are its own."""
    driver = Driver()
    backlog(driver, "a", BAD, "b", "c")

    requests = run(driver)
    driver.commit()

    assert [each.attempts for each in letters(driver)] == [8]
    assert requests == [
        *[["a", BAD, "b", "c"]] * 4,  # the fourth is nobody's
        ["a", BAD],
        ["a"],
        *[[BAD]] * 5,
        ["b", "c"],
    ]


def test_a_function_that_says_which_message_failed_is_believed() -> None:
    """Everything before it is tried at once, then the message alone, then the rest."""
    driver = Driver()
    backlog(driver, "a", "b", "c", BAD, "d")

    def error(size: int, position: int) -> InvocationError:
        return InvocationError(A, "t/text", position, size, "no")

    seen = []
    while batches := driver.batches():
        [batch] = batches
        messages = driver.seen(batch).messages
        seen.append(messages)
        if BAD in messages:
            driver.fail(batch, error(len(messages), messages.index(BAD) + 1))
        else:
            driver.answer(batch)
        driver.wait((driver.engine.next_wake_ms() or driver.now_ms) - driver.now_ms)

    assert seen[3:7] == [["a", "b", "c", BAD, "d"], ["a", "b", "c"], [BAD, "d"], [BAD]]
    assert seen[-1] == ["d"]


def test_what_comes_while_a_batch_is_taken_apart_stays_behind_all_of_it() -> None:
    """The order of an address is kept."""
    driver = Driver()
    backlog(driver, "a", BAD, "b")
    for _ in range(4):
        driver.fail(driver.batch())
        driver.wait((driver.engine.next_wake_ms() or driver.now_ms) - driver.now_ms)

    driver.send(A, "late")
    run(driver)

    assert applied(driver) == ["a", "b", "late"]


@pytest.mark.parametrize("seed", range(30))
def test_whatever_is_bad_what_is_good_is_applied_once_and_in_order(seed: int) -> None:
    """Any batch, any number of bad messages, with restarts in the middle."""
    chance = random.Random(seed)
    driver = Driver()
    names = [
        f"{BAD if chance.random() < 0.2 else 'good'} {n}" for n in range(chance.randint(2, 40))
    ]
    for name in names:
        driver.send(A, name)
    done: list[str] = []
    for _ in range(10_000):
        batches = driver.batches()
        for batch in batches:
            messages = driver.seen(batch).messages
            if any(each.startswith(BAD) for each in messages):
                driver.fail(batch)
            else:
                driver.answer(batch, Effects().egress("+".join(messages)))
        if driver.engine.has_changes:
            done += applied(driver)
        if chance.random() < 0.05:
            driver = driver.restarted()
        if driver.engine.is_idle:
            break
        if not batches:
            driver.wait(10_000)

    assert done == [name for name in names if not name.startswith(BAD)]
    assert [each.argument for each in letters(driver)] == [
        text(name) for name in names if name.startswith(BAD)
    ]


# --- errors that cannot get better ----------------------------------------------------------------


@pytest.mark.parametrize(
    "error", [ReplyTooLargeError("too large"), UnknownFunctionError("t/a", ())], ids=repr
)
def test_what_cannot_get_better_is_not_tried_again(error: Exception) -> None:
    """One attempt, and the message is given up."""
    driver = Driver()
    driver.send(A, BAD)

    assert run(driver, error) == [[BAD]]
    driver.commit()
    assert [each.attempts for each in letters(driver)] == [1]


def test_a_reply_that_is_too_large_is_asked_for_in_parts() -> None:
    """Fewer messages make smaller replies."""
    driver = Driver()
    backlog(driver, "a", "b", BAD, "c")

    requests = run(driver, ReplyTooLargeError("too large"))

    assert requests == [["a", "b", BAD, "c"], ["a", "b"], [BAD, "c"], [BAD], ["c"]]


def test_a_message_for_a_function_that_is_gone_is_a_dead_letter() -> None:
    """It waited, or was delayed, while a new version of the program was installed."""
    driver = Driver()
    driver.turn(B, Effects().send(A, "waiting").delay(1000, A, "delayed"))
    driver.commit()
    successor = driver.restarted()
    gone = UnknownFunctionError("t/a", ())

    for _ in range(2):
        successor.fail(successor.batch(), gone)
        successor.wait(1000)
    successor.commit()

    assert [each.argument for each in letters(successor)] == [text("waiting"), text("delayed")]


def test_a_message_that_no_function_was_asked_about_is_not_dropped() -> None:
    """Whoever drops what fails has not chosen to lose what a deploy left without a function."""
    driver = Driver(rules=rules("drop"))
    driver.send(A, "waiting")

    driver.fail(driver.batch(), UnknownFunctionError("t/a", ()))
    driver.commit()

    assert [each.argument for each in letters(driver)] == [text("waiting")]


def test_messages_and_values_have_a_longest_length() -> None:
    """A reply that goes over it is refused as a whole, and says what is too long."""
    limits = Limits(max_message_bytes=20, max_value_bytes=10)
    long = "x" * 30
    cases = {
        "t/a '1': a message to t/b '1'": Effects().send(B, long),
        "t/a '1': a message to t/b '1' has": Effects().delay(1, B, long),
        "t/a '1': a record to e/out": Effects().egress(long),
        "t/a '1': value 'n' has 30 bytes, and the limit is 10": Effects().set("n", long),
    }
    for sentence, reply in cases.items():
        driver = Driver(rules=rules(limits=limits))
        driver.declare("n")

        driver.turn(A, reply)

        [error] = driver.errors()
        assert error.startswith(sentence)
        assert len(driver.engine.dead_letters) == 1


# --- the other policies ---------------------------------------------------------------------------


def test_a_dropped_message_leaves_nothing() -> None:
    """But a count."""
    driver = Driver(rules=rules("drop"))
    backlog(driver, "a", BAD, "b")

    run(driver)

    assert applied(driver) == ["a", "b"]
    assert (letters(driver), driver.engine.counters.dropped_messages) == ([], 1)
    assert driver.store.recover().messages == ()


def test_a_paused_address_keeps_everything_and_holds_up_nobody() -> None:
    """Over restarts, until it is released; then it goes on where it was."""
    driver = Driver(rules=rules("pause"))
    backlog(driver, "a", BAD, "b")
    run(driver)
    driver.send(A, "c")
    driver.send(ELSEWHERE, "elsewhere")
    run(driver)

    before = applied(driver)
    paused = list(driver.store.paused())
    driver = driver.restarted(rules=rules("pause"))
    driver.send(A, "d")
    assert (driver.batches(), driver.engine.is_idle) == ([], True)
    driver.engine.edits.release(A)
    mended = [seen.messages for seen in driver.drain()]
    driver.commit()

    assert before == ["a", "elsewhere"]
    assert paused == [PausedAddress(A, "no", 8, START_MS, START_MS + TOTAL_MS)]
    assert mended == [[BAD], ["b"], ["c", "d"]]
    assert (list(driver.store.paused()), driver.store.recover().messages) == ([], ())


def test_a_released_message_has_all_its_attempts_again() -> None:
    """Somebody says that it will go well now."""
    driver = Driver(rules=rules("pause"))
    driver.send(A, BAD)
    first = run(driver)

    assert driver.engine.edits.release(A)
    again = run(driver)

    assert (first, again) == ([[BAD]] * 8, [[BAD]] * 8)
    assert driver.engine.counters.pauses == 2


def test_only_what_is_paused_can_be_released() -> None:
    """Nothing happens to others."""
    driver = Driver()
    driver.send(A, "x")

    assert not driver.engine.edits.release(A)
    assert not driver.engine.edits.release(B)


def test_the_policy_fail_gives_up_nothing_and_says_stop() -> None:
    """The whole batch stays as it is; whoever drives the engine stops."""
    driver = Driver(rules=rules("fail"))
    driver.send(A, BAD)
    driver.commit()

    requests = run(driver)

    assert requests == [[BAD]] * 8
    assert driver.engine.take_failed_attempts()[-1].decision.next == "fail"
    assert driver.delta().consumed == ()
    assert len(driver.store.recover().messages) == 1


def test_a_policy_is_chosen_by_the_name_of_the_function() -> None:
    """The name goes before the namespace, and that before everything; endpoints say the rest."""
    by_name = {
        "t/a": FailurePolicy("drop"),
        "t/*": FailurePolicy("pause"),
        "u/*": FailurePolicy("fail"),
    }
    chosen = Rules(by_name, endpoint_failure={"v/*": FailurePolicy("drop", isolate_after=2)})

    found = [chosen.failure_of(name) for name in ("t/a", "t/b", "u/c", "v/d")]

    assert found == [*by_name.values(), FailurePolicy("drop", isolate_after=2)]
    assert Rules({"x/y": FailurePolicy("drop")}).failure_of("t/a") == FailurePolicy()


# --- topics ---------------------------------------------------------------------------------------


def test_the_policy_of_a_topic_goes_before_that_of_the_function() -> None:
    """For messages that came from it; and with its own attempts."""
    once = FailurePolicy("drop", Backoff(attempts=1))
    driver = Driver(rules=rules("dead-letter", topic_failure={"clicks": once}))
    for topic in ("clicks", "orders", ""):
        driver.send(A, f"{BAD} from {topic or 'nowhere'}", topic=topic)
        run(driver)
    driver.commit()

    kept = [(letter.argument, letter.topic, letter.attempts) for letter in letters(driver)]
    assert kept == [(text("bad from orders"), "orders", 8), (text("bad from nowhere"), "", 8)]
    assert driver.engine.counters.dropped_messages == 1
    assert driver.engine.counters.failed_attempts == 1 + 2 * 8


def test_messages_that_a_function_sends_are_of_no_topic() -> None:
    """Whatever it was called for."""
    driver = Driver(rules=rules("dead-letter", topic_failure={"clicks": FailurePolicy("drop")}))
    driver.send(B, "go", topic="clicks")
    driver.answer(driver.batch(), Effects().send(A, BAD))

    run(driver)
    driver.commit()

    assert [(each.caller, each.topic) for each in letters(driver)] == [(B, "")]


def several(driver: Driver, *messages: tuple[str, str]) -> None:
    """Let messages with their topics be one batch: behind a first one that is under way."""
    driver.send(A, "first")
    batch = driver.batch()
    for value, topic in messages:
        driver.send(A, value, topic=topic)
    driver.answer(batch)


@pytest.mark.parametrize("then", ["dead-letter", "fail"])
def test_a_batch_of_several_policies_is_taken_apart_at_its_first_failure(then: Outcome) -> None:
    """Whatever they are, so that each message meets its own; what is good is applied in order."""
    once = FailurePolicy("drop", Backoff(attempts=1))
    driver = Driver(rules=rules(then, topic_failure={"clicks": once}))
    several(driver, ("0", ""), (BAD, "clicks"), ("2", ""), ("3", "clicks"))

    requests = run(driver)

    assert requests == [["0", BAD, "2", "3"], ["0", BAD], ["0"], [BAD], ["2", "3"]]
    assert applied(driver) == ["0", "2", "3"]
    assert driver.engine.counters.dropped_messages == 1
    assert driver.engine.is_idle


@pytest.mark.parametrize("says_where", [True, False])
def test_the_bad_one_of_many_messages_of_two_topics_is_found_soon(says_where: bool) -> None:  # noqa: FBT001
    """As soon as among messages of one policy, about."""
    topics = {"clicks": FailurePolicy("drop"), "orders": FailurePolicy("pause")}
    driver = Driver(rules=rules(topic_failure=topics))
    names = [BAD if number == 900 else str(number) for number in range(1000)]
    error = InvocationError(A, "t/text", 901, 1000, "no") if says_where else None
    several(driver, *((name, ("clicks", "orders")[at % 2]) for at, name in enumerate(names)))

    requests = run(driver, error)

    assert len(requests) < 40
    assert applied(driver) == [name for name in names if name != BAD]


def test_the_attempts_under_one_policy_do_not_count_under_another() -> None:
    """Nor do those of one part of a batch count for another that was set aside before."""
    patient = FailurePolicy("drop", Backoff(attempts=20), isolate_after=10)
    strict = FailurePolicy("dead-letter", Backoff(attempts=3))
    driver = Driver(rules=rules(topic_failure={"patient": patient, "strict": strict}))
    several(driver, (BAD, "patient"), ("good", "patient"), ("bad 2", "strict"), ("bad 3", "strict"))

    requests = run(driver)
    driver.commit()

    assert requests.count(["bad 2"]) + requests.count(["bad 2", "bad 3"]) == 4
    assert [(letter.argument, letter.attempts) for letter in letters(driver)] == [
        (text("bad 2"), 3),
        (text("bad 3"), 3),
    ]


def test_policies_that_differ_in_their_attempts_are_different() -> None:
    """Not only those that end in another way."""
    often = FailurePolicy("drop", Backoff(attempts=9))
    driver = Driver(rules=rules("drop", topic_failure={"clicks": often}))
    several(driver, ("a", ""), ("b", "clicks"))

    driver.fail(driver.batch())

    assert [seen.messages for seen in driver.take()] == [["a"]]


def test_topics_of_the_same_policy_stay_together() -> None:
    """As messages of none do."""
    topics = {"clicks": FailurePolicy("drop"), "views": FailurePolicy("drop")}
    driver = Driver(rules=rules(topic_failure=topics))
    several(driver, ("a", "clicks"), ("b", "views"))

    driver.fail(driver.batch())
    driver.wait(1000)

    assert [seen.messages for seen in driver.take()] == [["a", "b"]]


def test_an_outage_takes_no_batch_apart() -> None:
    """Whatever policies its messages have: no message of it has failed."""
    driver = Driver(rules=rules(topic_failure={"clicks": FailurePolicy("drop")}))
    several(driver, ("a", "clicks"), ("b", ""))

    driver.fail(driver.batch(), TransportError("nobody there", connected=False))
    driver.wait(10_000)

    assert [seen.messages for seen in driver.take()] == [["a", "b"]]


def test_the_policy_of_a_topic_goes_before_that_of_an_endpoint() -> None:
    """As before any that is for the function."""
    pause, drop = FailurePolicy("pause"), FailurePolicy("drop")
    chosen = Rules(endpoint_failure={"t/*": pause}, topic_failure={"clicks": drop})

    assert chosen.failure_of("t/a", "clicks") == drop
    assert chosen.failure_of("t/a", "orders") == chosen.failure_of("t/a") == pause


def test_a_failure_says_whose_policy_decided() -> None:
    """The topic's, if it has one; the function's otherwise."""
    driver = Driver(rules=rules(topic_failure={"clicks": FailurePolicy("drop")}))
    for topic in ("clicks", "orders"):
        driver.send(A, BAD, topic=topic)
        run(driver)

    assert [each.topic for each in driver.engine.take_failed_attempts()] == ["clicks"] * 8 + [
        ""
    ] * 8


def test_a_message_keeps_its_topic_over_a_restart_and_a_replay() -> None:
    """And so its policy."""
    driver = Driver()
    driver.send(A, BAD, topic="orders")
    driver.commit()

    successor = driver.restarted()
    run(successor)
    successor.commit()
    [letter] = letters(successor)
    successor.engine.edits.replay([letter])
    successor.commit()

    assert letter.topic == "orders"
    assert [each.topic for each in successor.store.recover().messages] == ["orders"]


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        ({"topic_failure": {"": FailurePolicy()}}, "topic_failure names the topic '': name each"),
        ({"topic_failure": {"*": FailurePolicy()}}, "topic_failure names the topic '*': name each"),
        ({"topic_failure": FailurePolicy()}, "give a FailurePolicy for each topic, {'orders': "),
        (
            {"topic_failure": {"orders": "pause"}},
            "topic_failure['orders'] is 'pause': give a FailurePolicy(...)",
        ),
        ({"failure": "pause"}, "failure is 'pause': give a FailurePolicy(...)"),
        ({"failure": {"t/a": "pause"}}, "failure['t/a'] is 'pause': give a FailurePolicy(...)"),
        (
            {"failure": {"greeter": FailurePolicy()}},
            "failure names 'greeter': write 'namespace/name', 'namespace/*' or '*'",
        ),
        ({"limits": 5}, "limits is 5: give a Limits(...)"),
    ],
)
def test_rules_that_are_none_are_refused(wrong: dict[str, Any], error: str) -> None:
    """At once, and not when the first message fails."""
    with pytest.raises(ConfigurationError, match=re.escape(error)):
        Rules(**wrong)


@pytest.mark.parametrize("what", ["key", "topic"])
def test_a_text_that_is_none_is_refused(what: Literal["key", "topic"]) -> None:
    """It could not be stored; a name of a file may be such a text."""
    driver = Driver()

    with pytest.raises(InvalidMessageError, match=rf"the {what} '\\udcff' of a message to t/a"):
        driver.engine.intake.deliver(A, text("x"), **{what: "\udcff"})  # type: ignore[arg-type]

    assert driver.engine.begin_commit() is None


# --- outages --------------------------------------------------------------------------------------


def test_an_outage_never_makes_a_dead_letter() -> None:
    """However long no connection can be made."""
    driver = Driver()
    backlog(driver, "a", "b")
    for _ in range(100):
        driver.fail(driver.batch(), TransportError("nobody there", connected=False))
        driver.wait(10_000)

    assert [seen.messages for seen in driver.take()] == [["a", "b"]]
    assert len(driver.engine.dead_letters) == 0


def test_whoever_waits_for_a_connection_goes_on_when_there_is_one() -> None:
    """Not those that failed for another reason, nor those of another function."""
    driver = Driver()
    unreachable = TransportError("nobody there", connected=False)
    for address, error in ((A, unreachable), (ELSEWHERE, None), (B, unreachable)):
        driver.send(address, "x")
        driver.fail(driver.batch(), error)

    driver.engine.retry_unreachable_now(lambda typename: typename == "t/a")

    assert [seen.address for seen in driver.take()] == [A]
    driver.wait(100)
    assert [seen.address for seen in driver.take()] == [ELSEWHERE, B]


# --- the clock ------------------------------------------------------------------------------------


@pytest.mark.parametrize("by_ms", [-3_600_000, 3_600_000])
def test_a_clock_that_is_set_back_holds_up_no_retry(by_ms: int) -> None:
    """What was to wait 100 ms waits 100 ms; one that is set forward brings none early."""
    driver = Driver()
    driver.send(A, "x")
    driver.fail(driver.batch())
    driver.now_ms += by_ms
    driver.engine.clock_set(by_ms)
    driver.tick()

    wake_ms = driver.engine.next_wake_ms()

    assert wake_ms == driver.now_ms + 100
    driver.wait(100)
    assert [seen.messages for seen in driver.take()] == [["x"]]


def test_a_clock_that_is_set_back_lets_timers_wait_for_their_time() -> None:
    """A delayed message is never early by the clock; set forward, it is due at once."""
    driver = Driver()
    driver.turn(B, Effects().delay(1000, A, "x"))
    driver.now_ms -= 3_600_000
    driver.wait(1000)
    early = driver.take()

    driver.wait(3_600_000)

    assert (early, [seen.messages for seen in driver.take()]) == ([], [["x"]])


def test_policies_that_make_no_sense_are_refused() -> None:
    """With the sentence that says what to write."""
    makers: dict[str, Any] = {
        "a message that failed cannot 'explode': choose dead-letter, drop, pause, fail": (
            lambda: FailurePolicy("explode")  # type: ignore[arg-type]
        ),
        "isolate_after is 0: write 1 or more": lambda: FailurePolicy(isolate_after=0),
        "max_batch is 0: write 1 or more": lambda: Limits(max_batch=0),
    }
    for sentence, make in makers.items():
        with pytest.raises(ValueError, match=sentence):
            make()


def test_one_attempt_is_one_attempt() -> None:
    """A budget of one gives a message of a batch one attempt of its own."""
    policy = FailurePolicy(retry=Backoff(attempts=1, jitter=0))
    driver = Driver(rules=Rules(policy))
    backlog(driver, "a", BAD)

    requests = run(driver)
    driver.commit()

    assert requests == [["a", BAD], ["a"], [BAD]]
    assert [each.attempts for each in letters(driver)] == [1]


# --- messages that are not tried again ------------------------------------------------------------


def refused_here(position: int = 1, size: int = 1) -> InvocationError:
    error = InvocationError(A, "t/x", position, size, "DoNotRetryError: no")
    error.__cause__ = DoNotRetryError("no")
    return error


@pytest.mark.parametrize("error", [refused_here(), MessageRefusedError("answered 500: no")])
def test_a_message_that_its_function_refuses_is_given_up_at_once(error: Exception) -> None:
    """One attempt, whether the function runs in this process or behind an endpoint."""
    driver = Driver()
    driver.send(A, BAD)

    requests = run(driver, error)
    [failed] = driver.engine.take_failed_attempts()
    driver.commit()

    assert requests == [[BAD]]
    [letter] = letters(driver)
    assert (letter.attempts, letter.error) == (1, str(error))
    assert failed.dead_letter == letter.id


def test_a_refused_message_is_told_apart_from_its_batch() -> None:
    """The good ones are applied, in order; the refused one is tried alone once."""
    driver = Driver()
    backlog(driver, "a", BAD, "c")

    assert run(driver, refused_here(2, 3)) == [["a", BAD, "c"], ["a"], [BAD, "c"], [BAD], ["c"]]
    assert applied(driver) == ["a", "c"]


# --- endpoints that say when ----------------------------------------------------------------------


def waited(driver: Driver, error: Exception) -> int:
    """How long the next attempt waits after an error."""
    driver.fail(driver.batch(), error)
    wake_ms = driver.engine.next_wake_ms()
    assert wake_ms is not None
    return wake_ms - driver.now_ms


def later(retry_after_ms: int, *, connected: bool = True) -> TransportError:
    return TransportError("busy", connected=connected, retry_after_ms=retry_after_ms)


def test_the_next_attempt_waits_as_long_as_the_endpoint_says() -> None:
    """Unless the policy waits longer, and an hour at most."""
    for told_ms, waits_ms in ((30_000, 30_000), (1, 100), (10**9, 3_600_000)):
        driver = Driver()
        driver.send(A, "x")

        assert waited(driver, later(told_ms)) == waits_ms


def test_an_endpoint_that_takes_no_request_now_costs_no_attempt() -> None:
    """However often it says so, the message is kept and tried again."""
    driver = Driver()
    driver.send(A, "x")

    for _ in range(20):
        driver.wait(waited(driver, later(5000, connected=False)))

    assert [seen.messages for seen in driver.take()] == [["x"]]
    assert letters(driver) == []
