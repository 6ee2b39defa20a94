"""A world for durable addresses: a strict fake of an engine, two workers, and what goes wrong.

Law: what an engine would fail on raises here: a reply that cannot be encoded, a token used twice, a
message for nobody. A turn is committed as a whole or not at all; messages of a turn that was not
committed come again.
"""

from __future__ import annotations

import copy
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from statefun.durable import _proto
from statefun.durable.cache import Cache
from statefun.durable.directory import Directory
from statefun.durable.handling import HANDLERS
from statefun.durable.kept import VALUES
from statefun.durable.limits import Limits
from statefun.durable.tickets import TicketTurn
from statefun.durable.turn import Turn

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

    from statefun.durable.declaration import Declaration
    from statefun.durable.turn import Cached, Reply

__all__ = ["Address", "Committed", "Delayed", "LawBroken", "World"]

Address = tuple[str, str]


class LawBroken(AssertionError):  # noqa: N818 - it is no error of ours
    """A law does not hold."""


@dataclass(frozen=True)
class Delayed:
    """A delayed message."""

    due_ms: int
    sender_id: str
    target: Address
    data: bytes
    token: str


@dataclass
class Committed:
    """All that an engine keeps; a checkpoint is a copy of it."""

    state: dict[Address, dict[str, bytes]] = field(default_factory=dict)
    mail: dict[Address, deque[bytes]] = field(default_factory=dict)
    delayed: list[Delayed] = field(default_factory=list)
    answers: dict[str, list[bytes]] = field(default_factory=dict)
    invoked: list[tuple[str, str]] = field(default_factory=list)
    told: list[tuple[str, str, int]] = field(default_factory=list)
    effects: list[tuple[str, str, int]] = field(default_factory=list)


@dataclass
class Attempt:
    """One turn as a worker has run it.

    Attributes:
        reply: Its reply; None if the worker crashed.
        outcomes: What its effects gave, in order.
        waves: How many waves there were.
        has_stumbled: Whether user code has raised what it need not have raised.
    """

    reply: Reply | None
    outcomes: list[bytes | BaseException] = field(default_factory=list)
    waves: int = 0
    has_stumbled: bool = False


class World:
    """An engine with workers.

    Args:
        declarations: The services.
        random: Chance.
        limits: The limits.
    """

    def __init__(
        self, declarations: list[Declaration], random: Random, limits: Limits | None = None
    ) -> None:
        self.directory = Directory(declarations, "d", limits or Limits(), None, None)
        self.kept = Committed()
        self.random = random
        self.now_ms = 1_000_000
        self.caches = [Cache(100), Cache(100)]
        self.skews_ms = [0, 0]
        self.stumbled = False
        self._nonce = 0

    # --- what happens ---

    def put(self, target: Address, envelope: _proto.Envelope) -> None:
        """Let a message arrive."""
        envelope.version = 1
        self.kept.mail.setdefault(target, deque()).append(envelope.SerializeToString())

    def is_due_within(self, span_ms: int) -> bool:
        """Whether a delayed message is due within some time."""
        return any(each.due_ms <= self.now_ms + span_ms for each in self.kept.delayed)

    def elapse(self) -> bool:
        """Let time pass until the next delayed message is due; whether there was one."""
        if not self.kept.delayed:
            return False
        first = min(self.kept.delayed, key=lambda each: each.due_ms)
        self.now_ms = max(self.now_ms, first.due_ms)
        self.kept.delayed.remove(first)
        self.kept.mail.setdefault(first.target, deque()).append(first.data)
        return True

    def attempt(
        self,
        address: Address,
        count: int,
        worker: int,
        perform: Callable[[Any], bytes | BaseException],
        *,
        may_crash: bool = False,
        cached: Cached | None = None,
    ) -> Attempt:
        """Let a worker run a turn of an address, without committing anything."""
        turn = self._turn(address, self.now_ms + self.skews_ms[worker], cached)
        attempt = Attempt(None)
        self.stumbled = False
        for envelope in self.read(address, count):
            turn.receive(envelope)
        while isinstance(turn, Turn) and (wave := turn.effects.wave()):
            attempt.waves += 1
            outcomes = [perform(ready) for ready in wave]
            attempt.outcomes += outcomes
            if may_crash:
                turn.abandon()
                return attempt
            for ready, outcome in zip(wave, outcomes, strict=True):
                turn.effects.complete(ready, outcome)
            turn.resume()
        attempt.reply = turn.end()
        attempt.has_stumbled = self.stumbled
        return attempt

    def read(self, address: Address, count: int) -> list[_proto.Envelope]:
        """The first messages that wait for an address."""
        waiting = list(self.kept.mail[address])[:count]
        return [_proto.Envelope.FromString(data) for data in waiting]

    def _turn(self, address: Address, now_ms: int, cached: Cached | None) -> Any:
        typename, target_id = address
        self._nonce += 1
        name = typename.removeprefix("d/")
        values = self.kept.state.get(address, {})
        if name.endswith(".inv"):
            kept = values.get("ticket")
            return TicketTurn(self.directory, typename, target_id, kept, now_ms, self._nonce)
        declaration = self.directory.declarations[name]
        given = {value: values.get(value) for value in VALUES[declaration.service_tag.kind]}
        return Turn(
            self.directory,
            declaration,
            HANDLERS,
            typename,
            target_id,
            given,
            now_ms,
            self._nonce,
            cached,
        )

    def commit(self, address: Address, count: int, reply: Reply) -> None:
        """Commit a turn: its messages are consumed, and all that it asks for is done."""
        kept = self.kept
        for _ in range(count):
            kept.mail[address].popleft()
        values = kept.state.setdefault(address, {})
        for name, data in reply.values.items():
            if data is None:
                values.pop(name, None)
            else:
                values[name] = data
        for typename, target_id, envelope in reply.outbox.messages:
            self._send((typename, target_id), envelope)
        for token in reply.outbox.withdrawn:
            kept.delayed = [
                each for each in kept.delayed if (each.sender_id, each.token) != (address[1], token)
            ]
        for delay_ms, typename, target_id, envelope, token in reply.outbox.delayed:
            if token and any(
                (each.sender_id, each.token) == (address[1], token) for each in kept.delayed
            ):
                raise LawBroken(f"I5: the token {token} is used twice")
            due_ms = self.now_ms + delay_ms
            data = envelope.SerializeToString()
            kept.delayed.append(Delayed(due_ms, address[1], (typename, target_id), data, token))
        for record in reply.outbox.egress:
            done = _proto.Envelope.FromString(record.raw_value() or b"").done
            data = done.outcome.SerializeToString(deterministic=True)
            kept.answers.setdefault(done.execution, []).append(data)

    def _send(self, target: Address, envelope: _proto.Envelope) -> None:
        name = target[0].removeprefix("d/").removesuffix(".inv")
        if name not in self.directory.declarations:
            raise LawBroken(f"a message for {target[0]}, which nobody serves")
        if envelope.WhichOneof("content") == "invoke":
            self.kept.invoked.append((target[0], envelope.invoke.id))
        if envelope.WhichOneof("content") == "done":
            done = envelope.done
            self.kept.told.append((f"{target}", done.execution, done.seq))
        self.kept.mail.setdefault(target, deque()).append(envelope.SerializeToString())

    def checkpoint(self) -> Committed:
        """A copy of all that is kept."""
        return copy.deepcopy(self.kept)
