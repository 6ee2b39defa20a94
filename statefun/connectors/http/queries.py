"""Queries: what stands behind the question mark of a request."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Final
from urllib.parse import parse_qs

from statefun.errors import RequestRefusedError

__all__ = ["parse_choice", "parse_duration", "parse_number"]

_DURATION: Final = re.compile(r"(\d{1,9}(?:\.\d{1,9})?)(ms|s|m|)", re.ASCII)
_UNITS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "": 1.0}
_LONGEST_S: Final = 3600


def parse_duration(query: str, name: str) -> timedelta | None:
    """A time such as `wait=10s`; None if the query has none of that name.

    Raises:
        RequestRefusedError: If it is not a time, not more than 0, or more than an hour.
    """
    text = _last(query, name)
    if text is None:
        return None
    match = _DURATION.fullmatch(text)
    if match is None or not 0 < (seconds := float(match[1]) * _UNITS[match[2]]) <= _LONGEST_S:
        raise RequestRefusedError(
            400,
            f"{name}={text!r} is not a time to {name}: write for example {name}=10s, with one of "
            f"the units ms, s, m, more than 0 and up to {_LONGEST_S // 60}m",
        )
    return timedelta(seconds=seconds)


def parse_number(query: str, name: str, most: int) -> int | None:
    """A number such as `max=100`; None if the query has none of that name.

    Raises:
        RequestRefusedError: If it is not a number from 1 to `most`.
    """
    text = _last(query, name)
    if text is None:
        return None
    is_number = text.isascii() and text.isdecimal() and len(text) <= len(str(most))
    if not is_number or not 1 <= int(text) <= most:
        raise RequestRefusedError(400, f"{name}={text!r}: write a number from 1 to {most}")
    return int(text)


def parse_choice(query: str, name: str, choices: tuple[str, ...]) -> str | None:
    """One of several words; None if the query has none of that name.

    Raises:
        RequestRefusedError: If it is another word.
    """
    text = _last(query, name)
    if text is not None and text not in choices:
        raise RequestRefusedError(400, f"{name}={text!r}: write {' or '.join(choices)}, or nothing")
    return text


def _last(query: str, name: str) -> str | None:
    values = parse_qs(query, keep_blank_values=True).get(name)
    return None if values is None else values[-1]
