"""Typenames and addresses."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from statefun.errors import InvalidTypenameError
from statefun.sdk.address import Address, SdkAddress, parse_typename, sdk_address
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

    assert caught.value.typename == typename
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
