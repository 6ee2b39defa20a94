"""The outbox: what a turn sends, and the choke point that everything passes on its way there.

Law: nothing leaves an address that would hurt an engine: no target that it does not know, nothing
too long, no token twice. It is refused where it is sent, so that the handler can be told.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from statefun.durable import _proto
from statefun.durable.exceptions import TerminalError
from statefun.durable.identity import InvocationId
from statefun.durable.outcomes import answer, egress_answer

if TYPE_CHECKING:
    from collections.abc import Iterable

    from statefun.durable.directory import Directory
    from statefun.sdk.messages import EgressMessage, Message

__all__ = ["Outbox"]

_LAST_MS = 10_000_000_000_000
"""An alarm rings in the year 2286 at the latest."""

logger = logging.getLogger("statefun.durable")


class Outbox:
    """What a turn of an address sends.

    Args:
        directory: All services.
        typename: The typename of the address.
        target_id: Its id.

    Attributes:
        messages: Target typename, id and envelope, in order.
        delayed: Delay in milliseconds, target typename, id, envelope, token.
        withdrawn: Tokens of delayed messages that are not wanted any more.
        plain: Messages to plain functions with their delay in milliseconds.
        egress: Records to egresses.
        sent_bytes: How long the messages are together.
    """

    __slots__ = (
        *("messages", "delayed", "withdrawn", "plain", "egress", "sent_bytes"),
        *("_directory", "_home"),
    )

    def __init__(self, directory: Directory, typename: str, target_id: str) -> None:
        self._directory = directory
        self._home = (typename, target_id)
        self.messages: list[tuple[str, str, _proto.Envelope]] = []
        self.delayed: list[tuple[int, str, str, _proto.Envelope, str]] = []
        self.withdrawn: list[str] = []
        self.plain: list[tuple[Message, int]] = []
        self.egress: list[EgressMessage] = []
        self.sent_bytes = 0

    # --- to addresses of ours ---

    def send(self, typename: str, target_id: str, envelope: _proto.Envelope) -> None:
        """Send a message to an address of ours."""
        envelope.version = 1
        self.messages.append((typename, target_id, envelope))
        self.sent_bytes += envelope.ByteSize()

    def send_home(self, invocation: str, envelope: _proto.Envelope) -> None:
        """Send a message to where an invocation lives.

        Raises:
            TerminalError: If its id is malformed, code 400; if its service is unknown, code 404.
        """
        self.send(*self._directory.home_of(InvocationId.parse(invocation)), envelope)

    def send_to_self(self, delay_ms: int, envelope: _proto.Envelope, token: str = "") -> None:
        """Send a message to the address of this turn, after some time."""
        envelope.version = 1
        self.delayed.append((delay_ms, *self._home, envelope, token))

    def answer(
        self, routes: Iterable[_proto.Route], outcome: _proto.Outcome, expires_ms: int = 0
    ) -> None:
        """Send an outcome to everybody who waits for it.

        Args:
            routes: Who waits.
            outcome: The outcome.
            expires_ms: Until when it is kept, if it was kept before somebody asked; 0 if not.
        """
        for route in routes:
            if route.is_egress:
                self._answer_outside(route, outcome, expires_ms)
            else:
                self.send(route.typename, route.id, answer(route, outcome, expires_ms))

    def _answer_outside(
        self, route: _proto.Route, outcome: _proto.Outcome, expires_ms: int
    ) -> None:
        """Send an outcome to an egress, if there is one; nobody else could be told."""
        if self._directory.has_egress(route.typename):
            self.egress.append(egress_answer(route, outcome, expires_ms))
        else:
            logger.error(
                "an outcome for %r is lost, since %s is not one of the egresses that are allowed: "
                "add it to egresses=…",
                route.id,
                route.typename,
            )

    def arm(self, holder: Any, due_ms: int, now_ms: int, nonce: int) -> None:
        """See that the one alarm of the address is armed for a time.

        Args:
            holder: What is kept at the address, with its `alarm`.
            due_ms: When something is due first; 0 for never. What is due later than an engine can
                count is looked at again before.
            now_ms: The time.
            nonce: A number that no other turn has.
        """
        due_ms = min(due_ms, _LAST_MS)
        armed = holder.alarm if holder.HasField("alarm") else None
        if armed is not None:
            if armed.due_ms == due_ms:
                return
            self.withdrawn.append(armed.token)
            holder.ClearField("alarm")
        if due_ms:
            alarm = _proto.Alarm(due_ms=due_ms, token=f"{self._home[0]}:{nonce:016x}")
            holder.alarm.CopyFrom(alarm)
            delay_ms = max(due_ms - now_ms, 0)
            self.send_to_self(delay_ms, _proto.Envelope(alarm=alarm), alarm.token)

    # --- to everybody else ---

    def check_message(self, message: Message) -> None:
        """Refuse a message to a plain function that would hurt the engine.

        Raises:
            TerminalError: If it is too long or for nobody.
        """
        self._directory.check_target(message.target_typename)
        self._check_size(len(message.argument()))

    def send_plain(self, message: Message, delay_ms: int) -> None:
        """Send a message to a plain function; see `check_message`."""
        self.plain.append((message, delay_ms))

    def check_egress(self, record: EgressMessage) -> None:
        """Refuse a record that would hurt the engine.

        Raises:
            TerminalError: If it is too long or for nobody.
        """
        self._directory.check_egress(record.typename)
        self._check_size(len(record.argument()))

    def send_egress(self, record: EgressMessage) -> None:
        """Send a record to an egress; see `check_egress`."""
        self.egress.append(record)

    def _check_size(self, size: int) -> None:
        limit = self._directory.limits.value_bytes
        if size > limit:
            raise TerminalError(f"a message has {size} bytes, more than the limit of {limit}", 413)
