"""How things in a data directory are shown: for a reader, and as JSON."""

from __future__ import annotations

import base64
import json
import math
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from statefun.errors import SerializationError
from statefun.sdk.failures import escaped, text_of, untraced

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from statefun.runtime.engine.records import DeadLetter, PausedAddress, PendingMessage
    from statefun.runtime.values import Value
    from statefun.sdk.address import Address
    from statefun.sdk.types import Type

__all__ = [
    "LONGEST_JSON",
    "LONGEST_LISTED",
    "LONGEST_SHOWN",
    "describe",
    "describe_address",
    "describe_events",
    "describe_failure",
    "describe_source",
    "rfc3339",
    "show",
    "show_attempts",
    "show_error",
    "show_events",
    "show_name",
    "show_time",
    "show_topic",
]


LONGEST_LISTED = 200
"""Characters of a value in a line of a list."""
LONGEST_SHOWN = 20_000
"""Characters of a value that is shown alone; `--json` has all of it."""
LONGEST_JSON = 65_536
"""Bytes of a value in a list as JSON."""


def describe(
    value: Value, types: Mapping[str, Type[Any]] | None = None, longest: int | None = None
) -> dict[str, Any]:
    """A value for JSON: typename, and `value` if it is of a built-in type, else `base64`.

    Beside `base64` stands the content as `json` or as `text`, if the bytes are that, or as
    `decoded` if one of `types` reads them. Numbers that JSON does not have become "NaN",
    "Infinity" and "-Infinity".

    Args:
        value: The value.
        types: Other types that are known, by typename.
        longest: A value of more bytes is shown by its `size` alone; None for any number.
    """
    if longest is not None and len(value.data) > longest:
        return {"typename": value.typename, "size": len(value.data)}
    try:
        content = value.value
    except SerializationError:
        content = value.data
    if isinstance(content, bytes):
        encoded = base64.b64encode(value.data).decode()
        return {"typename": value.typename, "base64": encoded, **_readable(value, types or {})}
    if isinstance(content, float) and not math.isfinite(content):
        content = "NaN" if math.isnan(content) else "Infinity" if content > 0 else "-Infinity"
    return {"typename": value.typename, "value": content}


def show(
    value: Value, types: Mapping[str, Type[Any]] | None = None, longest: int = LONGEST_SHOWN
) -> str:
    """A value for a reader, and its type: the Python value, JSON, text, or else bytes.

    Args:
        value: The value.
        types: Other types that are known, by typename.
        longest: A longer text is cut, and followed by the size of the value.
    """
    try:
        content = value.value
    except SerializationError:
        content = value.data
    if isinstance(content, bytes):
        found = _readable(value, types or {})
        text = found.get("decoded", repr(content))
        if "json" in found:
            text = content.decode()
        elif "text" in found:
            text = repr(found["text"])
    else:
        text = repr(content)
    if len(text) > longest:
        text = f"{text[:longest]}… ({len(value.data)} bytes)"
    return f"{escaped(text)} ({value.typename or 'of no type'})"


def _readable(value: Value, types: Mapping[str, Type[Any]]) -> dict[str, Any]:
    """What bytes of a type that is not built in are for a reader; empty for nothing."""
    value_type = types.get(value.typename)
    if value_type is not None:
        try:
            return {"decoded": repr(value.as_type(value_type))}
        except Exception as error:  # noqa: BLE001 - a type of the user's own
            return {"decoded": f"not readable as that: {text_of(error)}"}
    if not value.data:
        return {}
    try:
        text = value.data.decode()
    except UnicodeDecodeError:
        return {}
    try:
        return {"json": json.loads(text, parse_constant=_refuse)}
    except (ValueError, RecursionError):
        is_text = all(each.isprintable() or each in "\n\r\t" for each in text)
        return {"text": text} if is_text else {}


def _refuse(word: str) -> Any:
    raise ValueError(word)


def show_name(name: str) -> str:
    """A name or an id for a reader: in quotes unless it is a plain word."""
    is_plain = name.isprintable() and name and not set(name) & set(" ,:'\"\\")
    return name if is_plain else repr(name)


def show_error(error: str, longest: int = LONGEST_SHOWN) -> str:
    """An error on one line, without characters that a terminal would obey."""
    text = " ".join(map(escaped, untraced(error)[0].split()))
    return text if len(text) <= longest else f"{text[:longest]}…"


def show_attempts(number: int) -> str:
    """A number of attempts for a reader."""
    return "1 attempt" if number == 1 else f"{number} attempts"


def describe_address(address: Address | None) -> dict[str, str] | None:
    """An address for JSON; None for an ingress."""
    return None if address is None else address._asdict()


def describe_source(message: DeadLetter | PendingMessage) -> dict[str, Any]:
    """Where a message is from, for JSON; the topic only if there is one."""
    topic = {"topic": message.topic} if message.topic else {}
    return {"caller": describe_address(message.caller), **topic}


def show_topic(message: DeadLetter | PendingMessage) -> str:
    """Where a message is from, for a reader, if that is a topic."""
    return f" from the topic {show_name(message.topic)}" if message.topic else ""


def describe_failure(failed: DeadLetter | PausedAddress) -> dict[str, Any]:
    """The failures of a message, for JSON."""
    error, places = untraced(failed.error)
    return {
        "error": error,
        **({"traceback": places} if places else {}),
        "attempts": failed.attempts,
        "first_failed": rfc3339(failed.first_failed_ms),
        "last_failed": rfc3339(failed.last_failed_ms),
    }


def rfc3339(millis: int) -> str | None:
    """UTC with milliseconds; None beyond the year 9999."""
    try:
        moment = datetime.fromtimestamp(millis // 1000, UTC)
    except (ValueError, OverflowError, OSError):
        return None
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{millis % 1000:03}Z"


def show_time(millis: int) -> str:
    """A time for a reader."""
    return rfc3339(millis) or f"{millis} ms"


def describe_events(journal: Iterable[tuple[int, str, list[str]]]) -> list[dict[str, Any]]:
    """The events of a journal, with the steps that followed from each, as JSON values."""
    return [
        {"time": rfc3339(time_ms), "event": event, "steps": steps}
        for time_ms, event, steps in journal
    ]


def show_events(journal: Iterable[tuple[int, str, list[str]]]) -> Iterator[str]:
    """The same for a reader, line by line."""
    for time_ms, event, steps in journal:
        yield f"{show_time(time_ms)}  {event}"
        yield from (f"  -> {step}" for step in steps)
