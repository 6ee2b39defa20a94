"""Declarations: types, names and expirations of values, as this process knows them."""

from __future__ import annotations

import pytest

from statefun.errors import RemoteProtocolError
from statefun.runtime.engine.declarations import (
    UNSET,
    Declaration,
    Declarations,
    canonical_typename,
    is_expired,
)
from statefun.runtime.engine.records import StoredEntry
from statefun.sdk.wire import Expiration, ExpireMode, MissingValue

NEVER = Expiration(ExpireMode.NEVER, 0)
WRITTEN = Expiration(ExpireMode.AFTER_WRITE, 100)
CALLED = Expiration(ExpireMode.AFTER_CALL, 100)


def test_a_value_expires_when_its_time_is_over() -> None:
    """At that moment, not one before; without an expiration it never does."""
    entry = StoredEntry("t/n", b"", 50, 100)

    assert [is_expired(entry, now_ms) for now_ms in (149, 150)] == [False, True]
    assert not is_expired(StoredEntry("t/n", b"", 50, 0), 10**15)


@pytest.mark.parametrize(
    ("expiration", "stored_ttl_ms", "touched_ms", "ttl_ms"),
    [(NEVER, 0, 50, 0), (WRITTEN, 100, 50, 100), (CALLED, 100, 120, 100), (WRITTEN, 0, 120, 100)],
)
def test_reading_a_value_touches_it_if_that_counts_or_if_it_begins_to_expire(
    expiration: Expiration, stored_ttl_ms: int, touched_ms: int, ttl_ms: int
) -> None:
    """Otherwise it stays as it is."""
    read = Declaration("t/n", expiration).read(StoredEntry("t/n", b"", 50, stored_ttl_ms), 120)

    assert read == StoredEntry("t/n", b"", touched_ms, ttl_ms)


@pytest.mark.parametrize(
    ("stored_ttl_ms", "touched_ms"), [(1000, 120), (180, 120), (150, 100), (80, 50)]
)
def test_a_value_that_is_to_live_shorter_lives_from_now_on_and_not_longer_than_before(
    stored_ttl_ms: int, touched_ms: int
) -> None:
    """One that is to live longer counts from its last write, as it did."""
    read = Declaration("t/n", WRITTEN).read(StoredEntry("t/n", b"", 50, stored_ttl_ms), 120)

    assert read == StoredEntry("t/n", b"", touched_ms, 100)


def test_all_values_are_learned_or_none() -> None:
    """One under a reserved name makes the others unknown, too."""
    declared = Declarations()

    with pytest.raises(RemoteProtocolError, match="batch"):
        declared.declare([MissingValue(name, "t/n", NEVER) for name in ("n", "batch")])
    assert list(declared) == []


def test_a_typename_is_kept_without_what_the_engines_drop() -> None:
    """Slashes at its end; a value without a type has one of its own."""
    assert [canonical_typename(each) for each in ("t/n//", "")] == ["t/n", UNSET]
    with pytest.raises(RemoteProtocolError, match="of the form"):
        canonical_typename("n")
