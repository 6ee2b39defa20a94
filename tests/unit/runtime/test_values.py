"""Values outside of functions."""

from __future__ import annotations

from statefun.runtime import Value
from statefun.sdk.builders import message_builder


def test_the_message_of_a_dead_letter_can_be_read() -> None:
    """Its argument is decoded like any stored value."""
    argument = message_builder("t/f", "a", str_value="hello").argument()

    value = Value.decode(argument)

    assert (value.typename, value.value) == ("io.statefun.types/string", "hello")


def test_bytes_that_are_no_typed_value_are_of_no_type() -> None:
    """Whoever looks at what went wrong sees the bytes, not another error."""
    value = Value.decode(b"\xffit")

    assert (value.typename, value.value, value.is_built_in) == ("", b"\xffit", False)
