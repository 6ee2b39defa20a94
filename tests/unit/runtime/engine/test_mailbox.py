"""Mailboxes: the messages of an address stay in order, in its batch, its parts, or behind them."""

from __future__ import annotations

from statefun.runtime.engine.failures import FailureState
from statefun.runtime.engine.mailbox import Mailbox
from statefun.runtime.engine.policy import WAITING_BYTES, Limits
from statefun.runtime.engine.records import FailureRecord, PendingMessage, StoredEntry
from statefun.sdk.address import Address

A = Address("t/a", "1")
HERE = StoredEntry("t/text", b"here", 1)


def filled(count: int, limits: Limits | None = None) -> Mailbox:
    mailbox = Mailbox(A, limits or Limits(), 10_000)
    for seq in range(1, count + 1):
        mailbox.put(PendingMessage(None, b"m", A, seq))
    return mailbox


def batches(mailbox: Mailbox) -> list[list[int]]:
    """The numbers of all batches, one after another."""
    found = []
    while mailbox.taken is not None:
        found.append([message.seq for message in mailbox.messages])
        mailbox.advance()
    return found


def test_what_comes_meanwhile_is_the_next_batch_as_far_as_the_limits_go() -> None:
    """The first message is a batch of its own."""
    assert batches(filled(4)) == [[1], [2, 3, 4]]
    assert batches(filled(4, Limits(max_batch=2))) == [[1], [2, 3], [4]]


def test_a_mailbox_weighs_what_its_messages_do_up_to_its_share() -> None:
    """Each counts with its length and something besides."""
    mailbox = filled(2)
    before = mailbox.weight
    mailbox.advance()

    assert (before, mailbox.weight) == (2 * (WAITING_BYTES + 1), WAITING_BYTES + 1)
    assert filled(20).weight == 10_000


def test_parts_come_before_what_waits() -> None:
    """Also those of a batch of which the first message was tried alone."""
    mailbox = filled(5)
    mailbox.advance()
    mailbox.failures = FailureState(attempts=1)
    mailbox.take_apart(2)
    mailbox.try_first(1)

    assert batches(mailbox) == [[2], [3], [4, 5]]


def test_a_recovered_batch_is_what_it_was() -> None:
    """With its parts and their attempts; a record for more messages than there are does no harm."""
    mailbox = filled(5)
    mailbox.recover(FailureRecord(A, ((2, 3), (1, 1), (9, 0)), 7, 2))

    assert mailbox.failures is not None
    assert (mailbox.failures.attempts, mailbox.failures.deaths) == (3, 2)
    assert mailbox.failures.record(A, 2) == FailureRecord(A, ((2, 3), (1, 1), (2, 0)), 7, 2)
    assert batches(mailbox) == [[1, 2], [3], [4, 5]]


def test_edits_go_over_what_is_loaded_later() -> None:
    """One that deletes takes the stored value away."""
    mailbox = filled(0)
    mailbox.edits = {"n": None, "m": HERE}

    assert mailbox.with_edits({"n": HERE, "k": HERE}) == {"k": HERE, "m": HERE}
