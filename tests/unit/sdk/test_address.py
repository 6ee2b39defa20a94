"""Typenames and addresses."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from statefun.errors import InvalidTypenameError
from statefun.sdk.address import (
    Address,
    SdkAddress,
    TypenamePattern,
    parse_engine_typename,
    parse_typename,
    sdk_address,
)
from statefun.sdk.wire import _proto

part = st.text(st.characters(exclude_characters="/", exclude_categories=["Cs"]), min_size=1)


@given(namespace=st.lists(part, min_size=1).map("/".join), name=part)
def test_a_typename_is_split_at_its_last_slash(namespace: str, name: str) -> None:
    """The namespace may contain slashes, the name may not."""
    assert parse_typename(f"{namespace}/{name}") == (namespace, name)


@pytest.mark.parametrize(
    "typename", ["", "/", "greeter", "/greeter", "com.example/", "a/b/", "a/\ud800", None, b"a/b"]
)
def test_what_is_not_namespace_and_name_is_refused(typename: Any) -> None:
    """Both halves of a typename are there, and bytes can carry them."""
    with pytest.raises(InvalidTypenameError) as caught:
        parse_typename(typename)

    assert caught.value.name == (typename if isinstance(typename, str) else None)
    assert str(caught.value) == (
        f"typename {typename!r} is not of the form 'namespace/name': "
        "write for example 'com.example/greeter'"
    )


def test_an_address_of_the_wire_is_read_with_its_typename() -> None:
    """Functions see all four facts of an address."""
    address = sdk_address(_proto.Address(namespace="com.example", type="greeter", id="Ada"))

    assert address == SdkAddress("com.example", "greeter", "Ada", "com.example/greeter")


def test_an_address_cannot_be_changed() -> None:
    """An address handed to a function stays what it is, and can be a key."""
    address = SdkAddress("a", "b", "1", "a/b")

    with pytest.raises(FrozenInstanceError):
        address.id = "2"  # type: ignore[misc]

    assert {address, replace(address)} == {address}


def test_an_address_reads_as_typename_and_quoted_id() -> None:
    """Logs and errors show an id so that blanks and emptiness can be seen."""
    assert str(Address("a/b", " ")) == "a/b ' '"


# --- patterns -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pattern", "matching", "others"),
    [
        ("a/b", ["a/b"], ["a/c", "b/b", "a/b/b", "a", ""]),
        ("a/*", ["a/b", "a/c"], ["b/b", "a/b/c", "a", "a/"]),
        ("a/b/*", ["a/b/c"], ["a/b"]),
        ("*", ["a/b", "a/b/c"], ["a", ""]),
    ],
)
def test_a_pattern_matches_typenames(pattern: str, matching: list[str], others: list[str]) -> None:
    """One typename, those of a namespace, or all; never a malformed one."""
    parsed = TypenamePattern.parse(pattern)

    assert [each for each in [*matching, *others] if parsed.matches(each)] == matching
    assert str(parsed) == pattern
    for each in matching:
        assert pattern in TypenamePattern.candidates(each)


@pytest.mark.parametrize(
    ("one", "other", "meets"),
    [
        ("a/b", "a/b", True),
        ("a/b", "a/c", False),
        ("a/*", "a/b", True),
        ("a/*", "a/*", True),
        ("a/*", "b/*", False),
        ("a/*", "a/b/c", False),
        ("*", "a/b", True),
    ],
)
def test_patterns_overlap_where_a_typename_matches_both(
    one: str, other: str, *, meets: bool
) -> None:
    """In either order."""
    first, second = TypenamePattern.parse(one), TypenamePattern.parse(other)

    assert (first.overlaps(second), second.overlaps(first)) == (meets, meets)


@pytest.mark.parametrize("text", ["", "a", "a/", "/b", "**"])
def test_what_is_not_a_pattern_is_refused(text: str) -> None:
    """The error names the three forms by its example."""
    with pytest.raises(InvalidTypenameError):
        TypenamePattern.parse(text)


@pytest.mark.parametrize(("text", "kept"), [("a/b", "a/b"), ("a/b//", "a/b"), ("/b", "/b")])
def test_an_engine_drops_slashes_at_the_end_of_a_typename(text: str, kept: str) -> None:
    """So two spellings of one type are one type."""
    assert parse_engine_typename(text) == kept


@pytest.mark.parametrize("text", ["", "a", "a/b/c", "///"])
def test_an_engine_takes_typenames_of_two_parts(text: str) -> None:
    """It refuses a namespace with a slash, which functions may have."""
    with pytest.raises(InvalidTypenameError):
        parse_engine_typename(text)
