"""How things in a data directory are shown: for a reader, and as JSON."""

from __future__ import annotations

import base64
import math
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from statefun.errors import SerializationError
from statefun.runtime.engine.failures import untraced
from statefun.sdk.failures import escaped

if TYPE_CHECKING:
    from statefun.runtime.engine.records import DeadLetter, PausedAddress, PendingMessage
    from statefun.runtime.values import Value
    from statefun.sdk.address import Address

__all__ = [
    "describe",
    "describe_address",
    "describe_failure",
    "describe_source",
    "rfc3339",
    "show",
    "show_attempts",
    "show_error",
    "show_name",
    "show_time",
    "show_topic",
]


def describe(value: Value) -> dict[str, Any]:
    """A value for JSON: typename, and `value` if it is of a built-in type, else `base64`.

    Numbers that JSON does not have become "NaN", "Infinity" and "-Infinity".
    """
    try:
        content = value.value
    except SerializationError:
        content = value.data
    if isinstance(content, bytes):
        encoded = base64.b64encode(value.data).decode()
        return {"typename": value.typename, "base64": encoded}
    if isinstance(content, float) and not math.isfinite(content):
        content = "NaN" if math.isnan(content) else "Infinity" if content > 0 else "-Infinity"
    return {"typename": value.typename, "value": content}


def show(value: Value) -> str:
    """A value for a reader: the Python value, or the bytes if they are some; and its type."""
    try:
        content = value.value
    except SerializationError:
        content = value.data
    return f"{content!r} ({value.typename or 'of no type'})"


def show_name(name: str) -> str:
    """A name or an id for a reader: in quotes unless it is a plain word."""
    is_plain = name.isprintable() and name and not set(name) & set(" ,:'\"\\")
    return name if is_plain else repr(name)


def show_error(error: str) -> str:
    """An error on one line, without characters that a terminal would obey."""
    return " ".join(map(escaped, untraced(error)[0].split()))


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
