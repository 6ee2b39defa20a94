"""The backlog: an address is at one place at a time, and what is added is finished once."""

from __future__ import annotations

from statefun.runtime.engine.backlog import Backlog
from statefun.runtime.engine.changes import Changes
from statefun.runtime.engine.policy import WAITING_BYTES, Limits
from statefun.runtime.engine.residency import Residency
from statefun.sdk.address import Address

A, B = Address("t/a", "1"), Address("t/b", "1")


def new_backlog() -> Backlog:
    changes = Changes()
    return Backlog(Residency(changes, lambda _: Limits(), 1 << 30, 100, 1 << 20), changes)


def test_an_address_is_ready_once_however_many_messages_wait() -> None:
    """Its first message is the batch; the others follow it."""
    backlog = new_backlog()
    for address in (A, B, A, A):
        backlog.add(address, None, b"x")

    assert [mailbox.address for mailbox in backlog.ready] == [A, B]
    assert backlog.busy == 2

    first = backlog.ready.popleft()
    [finished] = backlog.finish(first)

    assert finished.seq == 1
    assert [mailbox.address for mailbox in backlog.ready] == [B, A]
    assert [message.seq for message in first.messages] == [3, 4]


def test_every_byte_that_waits_is_counted_until_it_is_finished() -> None:
    """Each message with what it needs besides its value."""
    backlog = new_backlog()
    for value in (b"12345", b"1"):
        backlog.add(A, None, value)
    both = backlog.waiting_bytes

    backlog.finish(backlog.ready.popleft())
    one = backlog.waiting_bytes
    backlog.finish(backlog.ready.popleft())

    assert (both, one, backlog.waiting_bytes) == (2 * WAITING_BYTES + 6, WAITING_BYTES + 1, 0)
    assert (backlog.busy, list(backlog.ready)) == (0, [])


def test_a_mailbox_that_is_paused_is_not_busy() -> None:
    """So a runtime is idle though it holds something."""
    backlog = new_backlog()
    backlog.add(A, None, b"x")
    mailbox = backlog.ready.popleft()

    backlog.hold()
    when_held = backlog.busy
    backlog.resume(mailbox)

    assert (when_held, backlog.busy, list(backlog.ready)) == (0, 1, [mailbox])
