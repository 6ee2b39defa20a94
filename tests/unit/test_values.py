"""Values outside of functions."""

from __future__ import annotations

from statefun.runtime import Value
from statefun.sdk.messages import message_builder


def test_the_message_of_a_dead_letter_can_be_read() -> None:
    """Its argument is decoded like any stored value."""
    argument = message_builder("t/f", "a", str_value="hello").argument()

    value = Value.decode(argument)

    assert (value.typename, value.value) == ("io.statefun.types/string", "hello")
