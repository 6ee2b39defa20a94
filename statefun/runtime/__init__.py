"""The embedded runtime: durable stateful functions in one process, kept in one directory.

A name is imported when it is used: the command line reads a data directory without a runtime.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from statefun.installation import check_facade

if TYPE_CHECKING:
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

check_facade()

_PLACES = {
    "Backoff": "statefun.runtime.engine.retry",
    "Clock": "statefun.runtime.clock",
    "Durability": "statefun.runtime.options",
    "EgressValue": "statefun.runtime.values",
    "FailurePolicy": "statefun.runtime.engine.policy",
    "Limits": "statefun.runtime.engine.policy",
    "ManualClock": "statefun.runtime.clock",
    "Metrics": "statefun.runtime.admin.figures",
    "Observer": "statefun.runtime.observe",
    "Retention": "statefun.runtime.engine.policy",
    "RetryPolicy": "statefun.runtime.engine.retry",
    "Runtime": "statefun.runtime.runtime",
    "RuntimeOptions": "statefun.runtime.options",
    "StreamEgress": "statefun.runtime.streams",
    "SystemClock": "statefun.runtime.clock",
    "Value": "statefun.runtime.values",
}
"""Name → the module that has it."""


def __getattr__(name: str) -> Any:
    """A public name, which is then here."""
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = getattr(importlib.import_module(_PLACES[name]), name)
    globals()[name] = found
    return found
