"""The pieces of the wire format that are written by hand."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from statefun.sdk import _proto
from statefun.sdk.wire import VARINTS, delimited


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
