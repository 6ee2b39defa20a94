"""A reply is checked whole, then applied whole, in the engines' order."""

import pytest

from statefun.sdk.address import Address
from tests.runtime.driver import AFTER_WRITE, OUT, A, B, Driver, Effects, missing, text

C = Address("t/c", "1")


def test_direct_messages_go_before_delayed_ones_of_no_delay() -> None:
    """A message delayed by 0 ms is delivered in a later turn, by a timer that is due at once."""
    driver = Driver()

    driver.turn(A, Effects().delay(0, B, "delayed").send(B, "direct"))
    before = [seen.messages for seen in driver.drain()]
    driver.tick()

    assert (before, [seen.messages for seen in driver.drain()]) == ([["direct"]], [["delayed"]])


def test_the_next_batch_sees_the_state_that_the_last_one_left() -> None:
    """Mutations are applied before the backlog becomes a request."""
    driver = Driver()
    driver.declare("n")
    driver.send(A, "1")
    batch = driver.batch()
    driver.send(A, "2")

    driver.answer(batch, Effects().set("n", "written"))

    [seen] = driver.take()
    assert (seen.messages, seen.state) == (["2"], {"n": "written"})


def test_egress_records_keep_their_order() -> None:
    """Records of one reply are released in the order they were sent, with growing ids."""
    driver = Driver()

    driver.turn(A, Effects().egress("1").egress("2").egress("3"))

    records = driver.commit().egress
    assert [record.argument[-1:] for record in records] == [b"1", b"2", b"3"]
    assert [record.typename for record in records] == [OUT] * 3
    assert [record.id for record in records] == sorted({record.id for record in records})


INVALID: dict[str, tuple[Effects | bytes, str]] = {
    "a message to an unknown function": (
        Effects().send(Address("t/x", "1"), "x"),
        (
            "t/a '1' sent a message to t/x '1', a function that does not exist; "
            "known: t/a, t/b, t/c. Add an endpoint for it, or correct the sender"
        ),
    ),
    "a delayed message to an unknown function": (
        Effects().delay(5, Address("t/x", "1"), "x"),
        (
            "t/a '1' sent a message to t/x '1', a function that does not exist; "
            "known: t/a, t/b, t/c. Add an endpoint for it, or correct the sender"
        ),
    ),
    "a message without a target": (
        Effects().send(Address("", ""), "x"),
        (
            "t/a '1' sent a message to / '', a function that does not exist; "
            "known: t/a, t/b, t/c. Add an endpoint for it, or correct the sender"
        ),
    ),
    "a negative delay": (
        Effects().delay(-1, B, "x"),
        "t/a '1' sent a message with a delay of -1 ms: a delay is 0 or more",
    ),
    "a delay of more than a thousand years": (
        Effects().delay(2**63 - 1, B, "x"),
        (
            "t/a '1' sent a message with a delay of 9223372036854775807 ms: "
            "a delay is 31536000000000 ms (a thousand years) or less"
        ),
    ),
    "a cancellation with an empty token": (
        Effects().cancel(""),
        "t/a '1' cancelled a delayed message with an empty token: send and cancel it with a token",
    ),
    "a token twice": (
        Effects().delay(5, B, "x", "T").delay(6, B, "x", "T"),
        (
            "t/a '1' sent a delayed message with the token 'T' while another one sent by the id "
            "'1' waits under it: cancel that one first, or use another token"
        ),
    ),
    "an unknown egress": (
        Effects().egress("x", "e/none"),
        (
            "t/a '1' sent to the egress 'e/none', which does not exist: add it to the module "
            "file, or correct the function"
        ),
    ),
    "a record that its egress does not accept": (
        Effects().egress("poison"),
        "this egress takes no poison",
    ),
    "a value that was never declared": (
        Effects().set("unheard", "x"),
        (
            "value 'unheard' was changed and never declared; declared: n, other. "
            "Ask for it with an incomplete invocation context first"
        ),
    ),
    "a deletion of a value that was never declared": (
        Effects().delete("unheard"),
        (
            "value 'unheard' was changed and never declared; declared: n, other. "
            "Ask for it with an incomplete invocation context first"
        ),
    ),
    "a value of another type": (
        Effects().set("n", "x", "t/other"),
        (
            "value 'n' is declared as 't/text' and was set to a 't/other': "
            "set it to a value of the declared type"
        ),
    ),
    "bytes that are no reply": (b"\xff", "1 bytes are not a FromFunction"),
    "a mutation of an unknown kind": (
        b"\xa2\x06\x07\x0a\x05\x08\x07\x12\x01n",
        "value 'n' has the unknown mutation type 7",
    ),
    "a declaration under a reserved name": (
        missing("batch"),
        (
            "the value name 'batch' is taken: the engines keep state of their own under it. "
            "Choose another name"
        ),
    ),
    "a declaration under the other reserved name": (
        missing("request-state"),
        (
            "the value name 'request-state' is taken: the engines keep state of their own under "
            "it. Choose another name"
        ),
    ),
    "a declaration with no time to live": (
        missing("m", mode=AFTER_WRITE, millis=0),
        "value 'm' expires after 0 ms: an expiration is at least 1 ms",
    ),
    "two declarations of one value under different types": (
        missing("m") + missing("m", typename="t/other"),
        (
            "value 'm' is declared as 't/text' and, in the same answer, as 't/other': give each "
            "type a name of its own"
        ),
    ),
    "a value typename without a slash": (
        missing("m", typename="noslash"),
        (
            "the value typename 'noslash' is not of the form 'namespace/name': "
            "give the type a typename with one '/'"
        ),
    ),
    "a value typename with two slashes": (
        missing("m", typename="a/b/c"),
        (
            "the value typename 'a/b/c' is not of the form 'namespace/name': "
            "give the type a typename with one '/'"
        ),
    ),
    "a value typename without a name": (
        missing("m", typename="a/"),
        (
            "the value typename 'a/' is not of the form 'namespace/name': "
            "give the type a typename with one '/'"
        ),
    ),
    "asking for values that were sent": (
        missing("n"),
        (
            "t/a '1' answered that values are missing ('n') though the request carried all that "
            "were ever declared: ask only for values that were not sent"
        ),
    ),
    "asking for nothing": (
        missing(),
        (
            "t/a '1' answered that values are missing (none) though the request carried all that "
            "were ever declared: ask only for values that were not sent"
        ),
    ),
}


ATTEMPTS = {
    "an unknown egress": 8,
    "bytes that are no reply": 3,
    "a mutation of an unknown kind": 3,
}
"""Cases that are tried more than once: an egress may begin to exist, bytes may be garbled."""


@pytest.mark.parametrize("case", INVALID)
def test_of_an_invalid_reply_nothing_is_applied(case: str) -> None:
    """Its other effects vanish too; it is tried again only where that may help."""
    reply, sentence = INVALID[case]
    driver = Driver()
    driver.declare("n", "other")
    driver.turn(A, Effects().set("n", "before"))
    driver.commit()
    if isinstance(reply, Effects):
        reply.send(B, "x").delay(1, B, "x", "U").egress("x").set("other", "after")

    driver.send(A, "again and again")
    errors: list[str] = []
    while batches := driver.batches():
        driver.answer(batches[0], bytes(reply))
        errors += driver.errors()
        driver.wait((driver.engine.next_wake_ms() or driver.now_ms) - driver.now_ms)

    assert [error[: len(sentence)] for error in errors] == [sentence] * ATTEMPTS.get(case, 1)
    assert driver.engine.next_wake_ms() is None
    driver.commit()
    [letter] = driver.store.dead_letters()
    assert (letter.target, letter.caller, letter.argument) == (A, None, text("again and again"))
    assert (letter.error, letter.attempts) == (errors[-1], len(errors))
    driver.send(A, "next")
    assert [seen.state for seen in driver.take()] == [{"n": "before", "other": None}]
    assert driver.engine.begin_commit() is None


def test_two_changes_of_one_value_leave_the_last() -> None:
    """Mutations are applied in list order."""
    driver = Driver()
    driver.declare("n")

    driver.turn(A, Effects().set("n", "first").set("n", "last"))
    driver.send(A, "x")

    assert [seen.state for seen in driver.take()] == [{"n": "last"}]


def test_a_trailing_slash_of_a_value_typename_is_dropped() -> None:
    """`a/b/` is the type `a/b`, when declared and when written."""
    driver = Driver()
    driver.declare("n", typename="a/b/")

    driver.turn(A, Effects().set("n", "x", "a/b/"))
    driver.send(A, "look")

    assert driver.errors() == []
    assert b"a/b\x10" in driver.batch().request


def test_an_empty_namespace_of_a_value_typename_is_kept() -> None:
    """`/b` is a type like any other."""
    driver = Driver()
    driver.declare("n", typename="/b")

    driver.turn(A, Effects().set("n", "x", "/b"))

    assert driver.errors() == []


def test_a_value_without_a_typename_is_of_the_unset_type() -> None:
    """It is written with an empty typename and comes back as `io.statefun.types/unset`."""
    driver = Driver()
    driver.declare("n", typename="")

    driver.turn(A, Effects().set("n", "x", ""))
    driver.send(A, "look")

    assert driver.errors() == []
    assert b"io.statefun.types/unset" in driver.batch().request
