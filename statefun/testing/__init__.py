"""The test kit: functions under test, on a clock that the test moves. Needs protobuf alone."""

from statefun.runtime.clock import ManualClock
from statefun.runtime.engine.failures import FailedAttempt
from statefun.runtime.engine.records import DeadLetter
from statefun.runtime.values import EgressValue, Value
from statefun.testing.faults import FAULTS, Fault
from statefun.testing.handlers import Called, DurableHarness, Invocation
from statefun.testing.harness import Harness
from statefun.testing.laws import Outcome, assert_same_however_delivered, outcome_of

__all__ = [
    "FAULTS",
    "Called",
    "DeadLetter",
    "DurableHarness",
    "EgressValue",
    "FailedAttempt",
    "Fault",
    "Harness",
    "Invocation",
    "ManualClock",
    "Outcome",
    "Value",
    "assert_same_however_delivered",
    "outcome_of",
]
