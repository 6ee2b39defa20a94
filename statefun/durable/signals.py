"""Signals: values by name that reach an execution before or after somebody waits for them."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from statefun.durable import _proto

__all__ = ["Mailboxes"]


@dataclass(slots=True)
class _Mailbox:
    """The signals of one name: those that came and nobody took, or who waits for one."""

    arrived: deque[_proto.Outcome] = field(default_factory=deque)
    waiting: deque[int] = field(default_factory=deque)


class Mailboxes:
    """The signals of an execution; those of one name are taken in the order in which they came."""

    __slots__ = ("_by_name",)

    def __init__(self) -> None:
        self._by_name: dict[str, _Mailbox] = {}

    def put(self, name: str, outcome: _proto.Outcome) -> int | None:
        """Take in a signal; the command that waited for it, or None to keep it."""
        mailbox = self._by_name.setdefault(name, _Mailbox())
        if mailbox.waiting:
            return mailbox.waiting.popleft()
        mailbox.arrived.append(outcome)
        return None

    def take(self, name: str, seq: int) -> _proto.Outcome | None:
        """The next signal of a name; None lets a command wait for it."""
        mailbox = self._by_name.setdefault(name, _Mailbox())
        if mailbox.arrived:
            return mailbox.arrived.popleft()
        mailbox.waiting.append(seq)
        return None

    def give_up(self, seq: int) -> None:
        """Let a command wait no more."""
        for mailbox in self._by_name.values():
            if seq in mailbox.waiting:
                mailbox.waiting.remove(seq)
