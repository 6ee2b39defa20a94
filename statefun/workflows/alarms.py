"""The one alarm of an address: a delayed message to itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from statefun.durable import _proto as durable

if TYPE_CHECKING:
    from statefun.durable.outbox import Outbox

__all__ = ["arm"]


class _Holder(Protocol):
    alarm_ms: int
    alarm_token: str


def arm(outbox: Outbox, holder: _Holder, due_ms: int, now_ms: int, token: str) -> None:
    """See that the alarm is armed for a time.

    Args:
        outbox: What the turn sends.
        holder: What is kept at the address.
        due_ms: The time; 0 for never.
        now_ms: The time now.
        token: Names a new alarm; no other one had it.
    """
    if holder.alarm_ms == due_ms:
        return
    if holder.alarm_token:
        outbox.withdrawn.append(holder.alarm_token)
    holder.alarm_ms, holder.alarm_token = due_ms, token if due_ms else ""
    if due_ms:
        alarm = durable.Alarm(due_ms=due_ms, token=token)
        outbox.send_to_self(max(due_ms - now_ms, 0), durable.Envelope(alarm=alarm), token)
