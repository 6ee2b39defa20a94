"""How a delay is written in a URL: ISO 8601, or friendly as `10ms`, `1 sec`, `1h30m`."""

from __future__ import annotations

import math
import re
from decimal import Decimal

from statefun.errors import RequestRefusedError

__all__ = ["parse_delay_ms"]

_MS = {
    **dict.fromkeys(("ns", "nsec", "nanos", "nanosecond", "nanoseconds"), Decimal("0.000001")),
    **dict.fromkeys(
        ("us", "µs", "usec", "micros", "microsecond", "microseconds"), Decimal("0.001")
    ),
    **dict.fromkeys(("ms", "msec", "millis", "millisecond", "milliseconds"), Decimal(1)),
    **dict.fromkeys(("s", "sec", "secs", "second", "seconds"), Decimal(1000)),
    **dict.fromkeys(("m", "min", "mins", "minute", "minutes"), Decimal(60_000)),
    **dict.fromkeys(("h", "hr", "hrs", "hour", "hours"), Decimal(3_600_000)),
    **dict.fromkeys(("d", "day", "days"), Decimal(86_400_000)),
    **dict.fromkeys(("w", "wk", "wks", "week", "weeks"), Decimal(604_800_000)),
}
_NUMBER = r"[0-9]+(?:\.[0-9]+)?"
_PART = re.compile(rf"({_NUMBER})\s*([a-zµ]+)[\s,]*")
_FRIENDLY = re.compile(rf"(?:{_NUMBER}\s*[a-zµ]+[\s,]*)+")
_ISO = re.compile(
    rf"P(?=.)(?:({_NUMBER})W)?(?:({_NUMBER})D)?(?:T(?=.)(?:({_NUMBER})H)?(?:({_NUMBER})M)?"
    rf"(?:({_NUMBER})S)?)?",
    re.IGNORECASE,
)
_ISO_UNITS = ("w", "d", "h", "m", "s")
_LONGEST_MS = 100 * 366 * 86_400_000  # a century, which no clock's arithmetic minds


def parse_delay_ms(text: str) -> int:
    """A delay in milliseconds, rounded up.

    Args:
        text: ISO 8601 without years and months (`PT1M30S`), friendly (`1h30m`, `0.7s`, `1 day`), or
            a bare number of milliseconds.

    Raises:
        RequestRefusedError: If it is something else, negative, or longer than a century; with the
            status 400.
    """
    wanted = _delay(text.strip())
    if wanted is None or wanted > _LONGEST_MS:
        raise RequestRefusedError(
            400,
            f"the delay {text!r} cannot be read: write it like 10ms, 1s, 1h30m, 1day or PT1M30S, "
            "a century at most",
        )
    return math.ceil(wanted)


def _delay(text: str) -> Decimal | None:
    if re.fullmatch(_NUMBER, text):
        return Decimal(text)
    if iso := _ISO.fullmatch(text):
        parts = zip(iso.groups(), _ISO_UNITS, strict=True)
        return sum((Decimal(number) * _MS[unit] for number, unit in parts if number), Decimal(0))
    lower = text.lower()
    if not _FRIENDLY.fullmatch(lower):
        return None
    parts_of = _PART.findall(lower)
    if any(unit not in _MS for _, unit in parts_of):
        return None
    return sum((Decimal(number) * _MS[unit] for number, unit in parts_of), Decimal(0))
