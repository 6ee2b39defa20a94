"""Workloads: a program whose text both sides run, and the batches it is sent."""

from __future__ import annotations

import runpy
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from statefun.sdk.address import Address
from statefun.sdk.builders import message_builder
from statefun.sdk.primitives import IntType, StringType
from statefun.sdk.wire import Invocation, StoredValue, encode_request

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "CALLED_GREETER",
    "DELAYED",
    "EGRESS_MESSAGES",
    "FIVE_VALUES",
    "GREETER",
    "READING",
    "SUSPENDING",
    "THREE_SENDS",
    "VALUES",
    "Workload",
]


@dataclass(frozen=True, slots=True)
class Workload:
    """One function, the state of the address it is called at, and who calls it.

    Attributes:
        name: What the table calls it.
        program: The module in `bench/programs` that has it, as `functions`.
        typename: What it is bound to.
        state: What its address has stored.
        caller: The function that its messages are from; None for an ingress.
    """

    name: str
    program: str
    typename: str
    state: Mapping[str, StoredValue]
    caller: Address | None = None

    @property
    def address(self) -> Address:
        """The address it is called at."""
        return Address(self.typename, "joe")

    def request(self, batch_size: int) -> bytes:
        """A ToFunction with that many messages, each a short text of its own."""
        arguments = [
            message_builder(self.typename, "joe", str_value=f"name-{number}").argument()
            for number in range(batch_size)
        ]
        messages = [Invocation(self.caller, each) for each in arguments]
        return encode_request(self.address, self.state, messages)


GREETER = Workload(
    name="greeter",
    program="greeter",
    typename="bench/greeter",
    state={"seen_count": StoredValue(IntType.typename, IntType.dump(7))},
)

CALLED_GREETER = replace(
    GREETER, name="greeter called by a function", caller=Address("bench/caller", "jim")
)

FIVE_VALUES = Workload(
    name="five values",
    program="five_values",
    typename="bench/five-values",
    state={
        f"value_{number}": StoredValue(StringType.typename, StringType.dump(str(number) * 100))
        for number in range(5)
    },
)

EGRESS_MESSAGES = Workload("two egress messages", "egress_messages", "bench/egress-messages", {})
THREE_SENDS = Workload("three sends", "three_sends", "bench/three-sends", {})
DELAYED = Workload("a delayed send and a cancellation", "delayed", "bench/delayed", {})
READING = Workload("a function that reads", "reading", "bench/reading", {})
SUSPENDING = Workload("a function that suspends", "suspending", "bench/suspending", {})


def _value(codec: str, type_typename: str) -> Workload:
    """A value of about 200 bytes, read and written; its bytes are in the program."""
    path = Path(__file__).parent / "programs" / f"{codec}_value.py"
    stored = StoredValue(type_typename, runpy.run_path(str(path))["STORED"])
    return Workload(f"{codec} value", f"{codec}_value", f"bench/{codec}", {"order": stored})


VALUES = (
    _value("json", "bench/order"),
    _value("protobuf", "type.googleapis.com/google.protobuf.ListValue"),
    _value("dataclass", "bench/order"),
)
