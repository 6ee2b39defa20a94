"""Retries: batches come out when their time has come, and not before."""

from __future__ import annotations

from statefun.errors import TransportError
from statefun.runtime.engine.failures import FailureState
from statefun.runtime.engine.mailbox import Mailbox
from statefun.runtime.engine.policy import Limits
from statefun.runtime.engine.retries import Retries
from statefun.sdk.address import Address


def mailbox(name: str, *, is_reachable: bool = True) -> Mailbox:
    made = Mailbox(Address(f"t/{name}", "1"), Limits(), 1000)
    made.failures = FailureState()
    made.failures.count(TransportError("no", connected=is_reachable), 0)
    return made


def test_the_earliest_comes_out_first_and_those_of_one_time_in_order() -> None:
    """Nothing is early."""
    retries, first, second, late = Retries(), mailbox("a"), mailbox("b"), mailbox("c")
    retries.add(7, late)
    retries.add(5, first)
    retries.add(5, second)

    assert (retries.next_due_ms(), retries.take_due(4)) == (5, [])
    assert retries.take_due(5) == [first, second]
    assert (retries.take_due(9), len(retries), retries.next_due_ms()) == ([late], 0, None)


def test_what_could_not_be_reached_can_come_out_at_once() -> None:
    """If its function is meant; what failed otherwise goes on waiting."""
    retries, failed = Retries(), mailbox("a")
    gone, other = mailbox("b", is_reachable=False), mailbox("c", is_reachable=False)
    for each in (failed, gone, other):
        retries.add(5, each)

    assert retries.take_unreachable(lambda typename: typename in ("t/a", "t/b")) == [gone]
    assert retries.take_due(5) == [failed, other]


def test_a_clock_that_is_set_changes_no_wait() -> None:
    """Forwards or backwards."""
    retries, waiting = Retries(), mailbox("a")
    retries.add(5, waiting)

    retries.clock_set(100)

    assert (retries.take_due(104), retries.take_due(105)) == ([], [waiting])
