"""Effects: the requests of a batch, collected while it runs and handed over when it ends."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from statefun.sdk.messages import EgressMessage, Message
    from statefun.sdk.wire import Delayed

__all__ = ["Effects"]


class Effects:
    """The effects that a batch asked for, each list in the order of asking."""

    __slots__ = ("delayed", "egress", "messages")

    messages: list[Message]
    delayed: list[Delayed]
    egress: list[EgressMessage]
