"""Durations as module files write them: `30 s`, `5min`, `500`.

Source:
    `TimeUtils` of Flink: a whole number and a unit; milliseconds if there is no unit.
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Final

from statefun.errors import ConfigurationError

__all__ = ["parse_duration_ms", "parse_iso_duration_ms"]

_FORM: Final = re.compile(r"\s*([0-9]+)\s*([a-zµ]*)\s*", re.ASCII | re.IGNORECASE)
_ISO: Final = re.compile(
    r"P(?:([0-9]{1,9})D)?(?:T(?:([0-9]{1,9})H)?(?:([0-9]{1,9})M)?(?:([0-9]{1,9}(?:\.[0-9]{1,9})?)S)?)?",
    re.ASCII | re.IGNORECASE,
)
_ISO_SECONDS: Final = (86_400, 3600, 60, 1)
_LONGEST: Final = (1 << 63) - 1
_DIGITS: Final = len(str(_LONGEST))
_NANOSECONDS: Final = {
    unit: nanoseconds
    for units, nanoseconds in (
        ("d day days", 86_400_000_000_000),
        ("h hour hours", 3_600_000_000_000),
        ("m min minute minutes", 60_000_000_000),
        ("s sec secs second seconds", 1_000_000_000),
        ("ms milli millis millisecond milliseconds", 1_000_000),
        ("µs micro micros microsecond microseconds", 1_000),
        ("ns nano nanos nanosecond nanoseconds", 1),
    )
    for unit in units.split()
} | {"": 1_000_000}


def parse_duration_ms(text: object) -> int:
    """A duration in milliseconds; anything finer is rounded down.

    Args:
        text: Text, or a whole number of milliseconds.

    Raises:
        ConfigurationError: If it is neither.
    """
    is_number = isinstance(text, int) and not isinstance(text, bool)
    match = _FORM.fullmatch(str(text)) if is_number or isinstance(text, str) else None
    unit = match.group(2).lower() if match else "no unit"
    if match is None or unit not in _NANOSECONDS:
        raise ConfigurationError(
            f"{text!r} is not a duration: write a whole number and a unit, such as '30 s' or "
            "'500 ms' (d, h, min, s, ms)"
        )
    digits = match.group(1).lstrip("0") or "0"
    millis = (
        int(digits) * _NANOSECONDS[unit] // 1_000_000 if len(digits) <= _DIGITS else _LONGEST + 1
    )
    if millis > _LONGEST:
        raise ConfigurationError(f"{text!r} is longer than can be counted: write a shorter time")
    return millis


def parse_iso_duration_ms(text: object) -> int:
    """A duration as ISO 8601 has it, such as `PT24H`, or as `parse_duration_ms` takes it.

    Raises:
        ConfigurationError: If it is neither.

    Source:
        `java.time.Duration.parse`: days, hours, minutes and seconds; no weeks, months and years.
    """
    match = _ISO.fullmatch(text) if isinstance(text, str) else None
    if match is None or not any(match.groups()):
        return parse_duration_ms(text)
    parts = zip(match.groups(), _ISO_SECONDS, strict=True)
    return sum(int(Decimal(part) * seconds * 1000) for part, seconds in parts if part)
