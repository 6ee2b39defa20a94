"""What a type checker makes of the test kit. Checked, never executed."""

from __future__ import annotations

from typing import assert_type

from statefun import Message, StatefulFunctions, StringType, message_builder
from statefun.testing import DeadLetter, Harness, Value

harness = Harness(StatefulFunctions())


def a_value_is_sent_as_by_the_message_builder(message: Message) -> None:
    harness.send("t/f", "1", str_value="text")
    harness.send("t/f", "1", int_value=1, headers={"key": b"value"})
    harness.send("t/f", "1", value="text", value_type=StringType)
    harness.send(message_builder("t/f", "1", bool_value=True))

    harness.send("t/f", "1", int_value="text")  # type: ignore[arg-type]
    harness.send("t/f", "1", nt_value=1)  # type: ignore[call-arg]
    harness.send(message.argument())  # type: ignore[arg-type]


def what_came_of_it_has_types() -> None:
    assert_type(harness.state("t/f", "1"), dict[str, Value])
    assert_type(harness.state("t/f", "1")["name"].as_type(StringType), str)
    assert_type(harness.dead_letters, list[DeadLetter])
