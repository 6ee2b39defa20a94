"""Lengths and prefixes, the parts of the wire format that are written by hand."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from statefun.sdk.wire import _proto
from statefun.sdk.wire.framing import (
    VARINTS,
    PrefixByContentLength,
    PrefixByTotalLength,
    delimited,
)


@given(st.integers(0, 2**63 - 1) | st.integers(0, 2**15))
def test_a_number_is_written_as_protobuf_writes_it(number: int) -> None:
    """`VARINTS` holds protobuf's own bytes of every number a field of ours can have."""
    field_1 = _proto.FromFunction.DelayedInvocation(delay_in_ms=number).SerializeToString()

    assert (b"\x08" + VARINTS[number] if number else b"") == field_1


@given(st.binary(min_size=1) | st.integers(1, 40_000).map(bytes))
def test_a_delimited_field_is_written_as_protobuf_writes_it(content: bytes) -> None:
    """Tag, length, content, whatever the length."""
    field_3 = _proto.TypedValue(value=content).SerializeToString()

    assert delimited(b"\x1a", content) == field_3


def test_numbers_once_asked_for_do_not_pile_up() -> None:
    """Only small numbers are kept, so no sender can fill the memory with lengths."""
    before = len(VARINTS)

    for number in range(1 << 20, (1 << 20) + 100):
        VARINTS[number]

    assert len(VARINTS) == before


# --- prefixes -------------------------------------------------------------------------------------

TAGS = st.lists(st.binary(min_size=1, max_size=200), min_size=1, max_size=4)
LENGTHS = st.integers(0, 400) | st.integers(16_000, 17_000) | st.integers(0, 3_000_000)


@given(TAGS, LENGTHS)
def test_a_prefix_opens_the_fields_around_the_content(tags: list[bytes], length: int) -> None:
    """Prefix and content are the same bytes as the fields written one around the other."""
    whole = content = bytes(length)
    for tag in reversed(tags):
        whole = delimited(tag, whole)

    assert PrefixByContentLength(*tags)[length] + content == whole


@given(TAGS, LENGTHS)
def test_a_prefix_is_found_by_the_total_length(tags: list[bytes], length: int) -> None:
    """Two contents of different lengths never give the same total length."""
    prefix = PrefixByContentLength(*tags)[length]

    assert PrefixByTotalLength(*tags)[len(prefix) + length] == prefix


def test_a_total_length_that_no_content_gives_has_no_prefix() -> None:
    """Its entry is longer than the total, so no bytes start with it."""
    prefixes, totals = PrefixByContentLength(b"ab", b"c"), PrefixByTotalLength(b"ab", b"c")
    reachable = {len(prefixes[length]) + length for length in range(20_000)}

    unreachable = [whole for whole in range(20_000) if whole not in reachable]

    assert unreachable[:6] == [0, 1, 2, 3, 4, 131]
    assert all(len(totals[whole]) > whole for whole in unreachable)


def test_prefixes_of_long_contents_are_not_cached() -> None:
    """Otherwise a sender could fill the memory with lengths."""
    prefixes, totals = PrefixByContentLength(b"a"), PrefixByTotalLength(b"a")

    for length in range(1 << 16, (1 << 16) + 100):
        prefixes[length]
        totals[length]

    assert (len(prefixes), len(totals)) == (0, 0)
