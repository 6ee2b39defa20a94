"""The mark of a reply whose consequences wait until it is durable.

An engine passes on the messages of a turn, and lets the next turn of its address begin, before the
turn is stored: state and messages are taken back together, so nobody can tell. Whoever acts on the
outside world can: it would act on the result of an action that a crash takes back, and that is then
done once more with another result. So a turn that has acted on the outside world marks its reply.

The mark is a field of its own at the end of a FromFunction. Engines that do not know it skip it.
"""

from __future__ import annotations

__all__ = ["is_marked", "marked"]

_MARK = b"\xa8\x8a\x01\x01"
"""Field 2213 of FromFunction, a bool, as bytes: it is set."""


def marked(reply: bytes) -> bytes:
    """A FromFunction with the mark."""
    return reply + _MARK


def is_marked(reply: bytes) -> bool:
    """Whether a FromFunction has the mark.

    A reply that ends like one by chance only waits for its commit.
    """
    return reply.endswith(_MARK)
