"""Cron expressions of workflows: when the next run begins.

The fields are read by the library that scheduled handlers use. Here are the words before them: a
time zone, a macro such as `@daily`, and `@every` with a span.
"""

from __future__ import annotations

import re

from statefun.durable.options import Schedule
from statefun.durable.schedule import next_start

__all__ = ["MACROS", "next_run_ms", "span_ms", "split_zone"]

MACROS = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
"""Names of cron expressions."""

_UNIT_MS = {"h": 3_600_000, "m": 60_000, "s": 1000, "ms": 1}


def next_run_ms(expression: str, started_ms: int, now_ms: int) -> int:
    """When the next run of a workflow begins, in milliseconds since 1970.

    Args:
        expression: The cron expression.
        started_ms: When the run before it began: `@every` counts from there.
        now_ms: The time.

    Raises:
        ValueError: If it is not a cron expression.
        DefinitionError: Likewise, or if it names no time.
    """
    zone, words = split_zone(expression)
    if words.startswith("@every"):
        every_ms = max(span_ms(words.removeprefix("@every")), 1000)
        return started_ms + ((now_ms - started_ms) // every_ms + 1) * every_ms
    schedule = Schedule(MACROS.get(words.lower(), words), timezone=zone or "UTC")
    return int(next_start(schedule, now_ms / 1000) * 1000)


def split_zone(expression: str) -> tuple[str, str]:
    """The time zone that stands before an expression, empty for none; and the rest."""
    first, _, rest = expression.strip().partition(" ")
    for prefix in ("CRON_TZ=", "TZ="):
        if first.startswith(prefix):
            return first.removeprefix(prefix), rest.strip()
    return "", expression.strip()


def span_ms(text: str) -> int:
    """A span such as `1h30m`, in milliseconds.

    Raises:
        ValueError: If it is not one.
    """
    parts = re.findall(r"(\d+(?:\.\d+)?)(ms|h|m|s)", text)
    if not parts or "".join(number + unit for number, unit in parts) != text.strip():
        raise ValueError(f"{text.strip()!r} is not a span: write for example 1h30m")
    return int(sum(float(number) * _UNIT_MS[unit] for number, unit in parts))
