"""Changes: what an epoch brought and took, and what a commit that failed leaves to the next."""

from __future__ import annotations

from statefun.runtime.engine.changes import Changes
from statefun.runtime.engine.records import (
    FailureRecord,
    OutboxRecord,
    PendingMessage,
    Released,
    Trial,
)
from statefun.sdk.address import Address

A = Address("t/a", "1")


def message(seq: int) -> PendingMessage:
    return PendingMessage(None, b"m", A, seq)


def test_what_came_and_went_within_an_epoch_is_in_no_delta() -> None:
    """A delta is not needed for it at all."""
    changes = Changes()
    changes.message_added(message(1))
    changes.message_removed(1)

    assert (changes.begin(), changes.has_changes) == (None, False)


def test_one_delta_is_in_flight_at_a_time() -> None:
    """What changes meanwhile is in the next; tickets and records leave with their own."""
    changes = Changes()
    changes.ticket("first")
    changes.egress_added(OutboxRecord(1, "e/out", b""))
    changes.begin()
    changes.ticket("second")

    assert changes.begin() is None
    assert changes.committed() == Released(("first",), (OutboxRecord(1, "e/out", b""),))
    changes.begin()
    assert changes.committed() == Released(("second",))


def test_a_commit_that_failed_is_part_of_the_next() -> None:
    """What it may have stored after all is taken back there."""
    changes = Changes()
    changes.message_added(message(1))
    changes.failure(A, FailureRecord(A, ((1, 1),), 5))
    changes.trial((Trial(A, 1),))
    changes.begin()
    changes.message_removed(1)
    changes.failure(A, None)
    changes.running(is_running=False)
    changes.failed()
    delta = changes.begin()

    assert delta is not None
    assert (delta.messages, delta.consumed) == ((message(1),), (1,))
    assert (delta.failures, delta.trials, delta.is_running) == ({A: None}, (Trial(A, 1),), False)


def test_numbers_are_known_to_be_stored_when_their_commit_is_durable() -> None:
    """Not while it is in flight, and not if it failed."""
    changes, known = Changes(), []
    for end in (changes.failed, changes.committed):
        changes.message_added(message(changes.next_seq))
        changes.next_seq += 1
        changes.begin()
        known.append(changes.durable_seq)
        end()
        known.append(changes.durable_seq)

    assert known == [1, 1, 1, 3]
