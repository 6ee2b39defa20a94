"""The test kit: functions under test, on a clock that the test moves. Needs protobuf alone."""

from statefun.runtime.clock import ManualClock
from statefun.runtime.engine.failures import FailedAttempt
from statefun.runtime.engine.records import DeadLetter
from statefun.runtime.values import EgressValue, Value
from statefun.testing.handlers import Called, DurableHarness, Invocation
from statefun.testing.harness import Harness

__all__ = [
    "Called",
    "DeadLetter",
    "DurableHarness",
    "EgressValue",
    "FailedAttempt",
    "Harness",
    "Invocation",
    "ManualClock",
    "Value",
]
