"""Effects: what a batch asks for, collected while it runs and handed over when it ends."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from statefun.sdk.messages import EgressMessage, Message

__all__ = ["Cancel", "Delayed", "Effects", "SendAfter"]


@dataclass(frozen=True, slots=True)
class SendAfter:
    """A message to be sent after `delay_ms`; without a token it cannot be cancelled."""

    delay_ms: int
    message: Message
    token: str | bytes


@dataclass(frozen=True, slots=True)
class Cancel:
    """The wish to forget the pending delayed message with this token."""

    token: str | bytes


Delayed: TypeAlias = SendAfter | Cancel


class Effects:
    """What a batch asks for, each list in the order of asking."""

    __slots__ = ("delayed", "egress", "messages")

    messages: list[Message]
    delayed: list[Delayed]
    egress: list[EgressMessage]
