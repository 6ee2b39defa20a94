"""Spans of time, as they travel."""

from __future__ import annotations

from datetime import timedelta

__all__ = ["milliseconds", "seconds", "span"]


def milliseconds(given: timedelta | None) -> int:
    """A span in milliseconds, rounded up; 0 for None."""
    return 0 if given is None else -(-given // timedelta(milliseconds=1))


def seconds(given: timedelta | float) -> float:
    """A span in seconds."""
    return given.total_seconds() if isinstance(given, timedelta) else float(given)


def span(value: int) -> timedelta | None:
    """A span of milliseconds; None for 0."""
    return timedelta(milliseconds=value) if value else None
