"""Residency: what is forgotten can be loaded again; what was changed goes over what is stored."""

from __future__ import annotations

from statefun.runtime.engine.changes import Changes
from statefun.runtime.engine.policy import Limits
from statefun.runtime.engine.records import StoredEntry
from statefun.runtime.engine.residency import Residency
from statefun.sdk.address import Address

A, B, C = (Address("t/a", each) for each in "123")


def entry(data: bytes) -> StoredEntry:
    return StoredEntry("t/t", data, 0, 0)


def new_residency(max_addresses: int = 100, max_bytes: int = 1 << 20) -> tuple[Residency, Changes]:
    changes = Changes()
    return Residency(changes, lambda _: Limits(), 1 << 30, max_addresses, max_bytes), changes


def commit(changes: Changes) -> None:
    changes.ticket("somebody waits")
    assert changes.begin() is not None
    changes.committed()


def test_a_value_that_was_changed_goes_over_the_stored_one() -> None:
    """Before its address is loaded, while it is, and afterwards."""
    residency, _ = new_residency()
    mailbox = residency.open(A)
    residency.set_value(mailbox, "new", entry(b"set"))
    residency.set_value(mailbox, "gone", None)
    stored = {"new": entry(b"old"), "gone": entry(b"old"), "kept": entry(b"old")}
    expected = {"new": entry(b"set"), "kept": entry(b"old")}

    before = residency.values_of(A, stored)
    residency.loaded(A, stored)

    assert before == residency.values_of(A, {}) == expected
    assert residency.values_of(B, stored) == stored


def test_the_bytes_of_values_are_those_in_memory() -> None:
    """Whatever is set, changed and removed."""
    residency, _ = new_residency()
    mailbox = residency.open(A)
    residency.loaded(A, {"n": entry(b"123")})
    sizes = [residency.value_bytes]
    for name, value in (("m", entry(b"12345")), ("n", entry(b"1")), ("m", None), ("none", None)):
        residency.set_value(mailbox, name, value)
        sizes.append(residency.value_bytes)

    assert sizes == [3, 8, 6, 1, 1]


def test_idle_addresses_are_forgotten_once_the_store_has_all_of_them() -> None:
    """The oldest first, and not one that has something to do or is not durable."""
    residency, changes = new_residency(max_addresses=1)
    for address in (A, B, C):
        residency.open(address)
        residency.loaded(address, {"n": entry(b"x")})
    residency.set_value(residency.open(A), "n", entry(b"changed"))

    residency.evict()
    in_between = [mailbox.address for mailbox in residency]
    commit(changes)
    residency.open(B)
    residency.evict()

    assert A in in_between
    assert C not in in_between
    assert len(residency) == 1


def test_too_many_bytes_are_too_much_as_well() -> None:
    """A few addresses may have large values."""
    residency, _ = new_residency(max_bytes=10)
    residency.open(A)
    residency.loaded(A, {"n": entry(bytes(11))})
    was_over = residency.is_over

    residency.evict()

    assert (was_over, residency.is_over, len(residency), residency.value_bytes) == (
        True,
        False,
        0,
        0,
    )
