"""The embedded runtime: durable stateful functions in one process, kept in one directory."""

from statefun.runtime.admin.figures import Metrics
from statefun.runtime.clock import Clock, ManualClock, SystemClock
from statefun.runtime.engine.policy import FailurePolicy, Limits, Retention
from statefun.runtime.engine.retry import Backoff, RetryPolicy
from statefun.runtime.observe import Observer
from statefun.runtime.options import Durability, RuntimeOptions
from statefun.runtime.runtime import Runtime
from statefun.runtime.streams import StreamEgress
from statefun.runtime.values import EgressValue, Value

__all__ = [
    "Backoff",
    "Clock",
    "Durability",
    "EgressValue",
    "FailurePolicy",
    "Limits",
    "ManualClock",
    "Metrics",
    "Observer",
    "Retention",
    "RetryPolicy",
    "Runtime",
    "RuntimeOptions",
    "StreamEgress",
    "SystemClock",
    "Value",
]
