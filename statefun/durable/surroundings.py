"""The surroundings of an execution: what it and its context see of the turn that handles it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from statefun.durable import _proto
    from statefun.durable.directory import Directory
    from statefun.durable.limits import Limits
    from statefun.sdk.messages import EgressMessage, Message

__all__ = ["Surroundings"]


class Surroundings(Protocol):
    """The address of an execution, as it is in this turn.

    Attributes:
        directory: All services.
        limits: The limits.
        typename: The typename of the address.
        target_id: Its id.
        service: The name of its service.
        key: The key; empty for a service.
        entries: The values of the key.
        entries_changed: Whether they are to be kept anew.
        promises: The outcomes of promises that have one.
        egress: Records to egresses.
    """

    directory: Directory
    limits: Limits
    typename: str
    target_id: str
    service: str
    key: str
    entries: dict[str, bytes]
    entries_changed: bool
    promises: dict[str, _proto.Outcome]
    egress: list[EgressMessage]

    def send_home(self, invocation: str, envelope: _proto.Envelope) -> None:
        """Send a message to where an invocation lives."""

    def send(self, typename: str, target_id: str, envelope: _proto.Envelope) -> None:
        """Send a message to an address of ours."""

    def send_plain(self, message: Message, delay_ms: int) -> None:
        """Send a message to a plain function."""

    def check_message(self, message: Message) -> None:
        """Refuse a message that would hurt the engine."""

    def check_egress(self, message: EgressMessage) -> None:
        """Refuse a record that would hurt the engine."""

    def check_state(self, name: str, data: bytes) -> None:
        """Refuse a value that makes the state too large."""

    def answer(self, invocation: str, seq: int, outcome: _proto.Outcome) -> None:
        """Complete a command of an invocation at this address, once its handler waits."""

    def complete_promise(self, name: str, outcome: _proto.Outcome) -> None:
        """Keep the outcome of a promise, and tell everybody here who awaits it."""
