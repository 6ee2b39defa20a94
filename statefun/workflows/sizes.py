"""Sizes: how long what travels may be."""

from __future__ import annotations

from typing import TYPE_CHECKING

from statefun.workflows.exceptions import ApplicationError
from statefun.workflows.logs import logger

if TYPE_CHECKING:
    from collections.abc import Sequence

    from statefun.workflows import _proto

__all__ = ["check_size"]

LARGEST_BYTES = 2_000_000
"""The longest argument or result."""
LARGEST_TOGETHER = 4_000_000
"""The longest arguments of one call."""
LARGE_BYTES = 512 << 10
"""From so many bytes on there is a warning."""


def check_size(what: str, payloads: Sequence[_proto.Payload], *, is_silent: bool = False) -> None:
    """Refuse what is too long, and warn of what is long.

    Args:
        what: What it is, for sentences.
        payloads: The payloads.
        is_silent: Whether there is no warning, as in a replay.

    Raises:
        ApplicationError: If it is too long; no retry helps.
    """
    sizes = [len(each.data) for each in payloads]
    largest, together = max(sizes, default=0), sum(sizes)
    for size, limit in ((largest, LARGEST_BYTES), (together, LARGEST_TOGETHER)):
        if size > limit:
            raise ApplicationError(
                f"{what} has {size} bytes, more than the limit of {limit}: keep it elsewhere and "
                "pass where it is",
                type="PayloadTooLarge",
                non_retryable=True,
            )
    if together > LARGE_BYTES and not is_silent:
        logger.warning("%s has %d bytes; the limit is %d", what, together, LARGEST_BYTES)
