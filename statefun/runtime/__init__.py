"""The embedded runtime: durable stateful functions in one process, kept in one directory."""

from statefun.runtime.clock import Clock, ManualClock, SystemClock
from statefun.runtime.retry import Backoff, RetryPolicy
from statefun.runtime.runtime import Durability, Metrics, Runtime
from statefun.runtime.tap import Tap
from statefun.runtime.values import EgressValue, Value

__all__ = [
    "Backoff",
    "Clock",
    "Durability",
    "EgressValue",
    "ManualClock",
    "Metrics",
    "RetryPolicy",
    "Runtime",
    "SystemClock",
    "Tap",
    "Value",
]
