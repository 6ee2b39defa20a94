"""Replays in tests: each turn of durable handlers also from the journal, and the replies compared.

Law: a turn that begins in memory and the same turn that begins with a replay ask for the same
values, messages and records. A turn in which an attempt fails is not compared, since chance may
have been what it failed by.
"""

from __future__ import annotations

import logging
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from statefun.durable import _proto
from statefun.durable.execution import Execution
from statefun.durable.host import Host
from statefun.durable.journal import SEGMENTS, Journal
from statefun.durable.surroundings import Surroundings
from statefun.durable.visibility import describe_journal

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from statefun.durable.effects import Ready
    from statefun.durable.turn import Cached, Reply, Turn

__all__ = ["ReplayingHost", "difference"]

_Outcomes = list[bytes | BaseException]


def difference(warm: Reply, cold: Reply) -> str:
    """How two replies of one turn differ; empty if they ask for the same.

    Args:
        warm: The one of a turn that began in memory.
        cold: The one of a turn that began with a replay.
    """
    for name, one, other in (
        *_pairs(_values(warm), _values(cold)),
        ("what is sent", _messages(warm), _messages(cold)),
        ("what is sent later", _delays(warm), _delays(cold)),
        ("what goes to egresses", _egress(warm), _egress(cold)),
    ):
        if one != other:
            return f"{name} is {one} from memory, and {other} from the journal"
    return ""


def _pairs(one: dict[str, Any], other: dict[str, Any]) -> Iterator[tuple[str, Any, Any]]:
    for name in dict.fromkeys((*one, *other)):
        yield name, one.get(name), other.get(name)


def _values(reply: Reply) -> dict[str, Any]:
    """What is kept, in parts that can be compared and shown; stamps and tokens left out."""
    kept = reply.values
    parts: dict[str, Any] = {}
    journal = Journal({name: kept.get(name) or b"" for name in SEGMENTS})
    for number, (_, event, steps) in enumerate(describe_journal(tuple(journal.records()))):
        parts[f"record {number} of the journal"] = f"{event} -> {', '.join(steps) or 'nothing'}"
    parts |= {f"that there is a {name}": kept[name] is not None for name in kept}
    entries = _proto.Entries.FromString(kept.get("entries") or b"").entries
    parts |= {f"the value {name!r}": data for name, data in entries.items()}
    parts["what is queued"] = kept.get("queue")
    parts["what is promised"] = kept.get("promises")
    if kept.get("host") is not None:
        host = _proto.Host.FromString(kept["host"] or b"")
        host.stamp = 0
        host.alarm.token = ""
        parts["what is kept beside them"] = host
    if kept.get("ticket") is not None:
        ticket = _proto.Ticket.FromString(kept["ticket"] or b"")
        ticket.alarm.token = ""
        parts["what a ticket keeps"] = ticket
    return parts


def _messages(reply: Reply) -> list[Any]:
    messages: list[Any] = [
        (typename, target_id, envelope.SerializeToString(deterministic=True))
        for typename, target_id, envelope in reply.outbox.messages
    ]
    return messages + [
        (each.target_typename, each.target_id, each.argument(), delay_ms)
        for each, delay_ms in reply.outbox.plain
    ]


def _delays(reply: Reply) -> list[Any]:
    return [
        (delay_ms, typename, target_id, envelope.WhichOneof("content"), envelope.alarm.due_ms)
        for delay_ms, typename, target_id, envelope, _ in reply.outbox.delayed
    ]


def _egress(reply: Reply) -> list[bytes]:
    return [record.argument() for record in reply.outbox.egress]


class ReplayingHost(Host):
    """A host that runs each turn twice: as it goes on, and from the journal.

    It expects one turn at a time, as a harness runs them.

    Attributes:
        differences: The sentences that tell how such turns differed.
    """

    _turns: list[Turn]
    _waves: list[tuple[list[Ready], _Outcomes]]

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.differences: list[str] = []

    async def turn(
        self, target_id: str, values: Mapping[str, bytes | None], envelopes: list[_proto.Envelope]
    ) -> Reply:
        """Run a turn, and once more."""
        copies = [_proto.Envelope.FromString(each.SerializeToString()) for each in envelopes]
        self._turns, self._waves = [], []
        warm = await super().turn(target_id, values, envelopes)
        with _silent():
            turn = self.begin(target_id, values, None)
            told = self._repeat(turn, copies)
            cold = turn.end()
            if any(each.attempts.have_failed for each in self._turns):
                told = ""
            elif not told:
                told = difference(warm, cold)
            if told:
                after = {name: warm.values.get(name, data) for name, data in values.items()}
                told = self._mismatch(target_id, after) or f"{self.typename}/{target_id}: {told}"
                self.differences.append(
                    f"{told}. A replay has to do the same: take time, chance and UUIDs from the "
                    "context, and keep what handlers share in values of a key"
                )
            if cold.cached is not None:
                cold.cached.close()
        return warm

    def begin(
        self, target_id: str, values: Mapping[str, bytes | None], cached: Cached | None
    ) -> Turn:
        """A turn that has received nothing yet."""
        turn = super().begin(target_id, values, cached)
        self._turns.append(turn)
        return turn

    async def perform(self, wave: list[Ready]) -> list[bytes | BaseException]:
        """Perform effects, and remember their outcomes."""
        outcomes = await super().perform(wave)
        self._waves.append((wave, outcomes))
        return outcomes

    def _repeat(self, turn: Turn, envelopes: list[_proto.Envelope]) -> str:
        """Run a turn with the outcomes that effects have had; how it differs, if it does."""
        for envelope in envelopes:
            turn.receive(envelope)
        for performed, outcomes in self._waves:
            wave = turn.effects.wave()
            one, other = _names(performed), _names(wave)
            if one != other:
                return f"the effects are {one} from memory, and {other} from the journal"
            for ready, outcome in zip(wave, outcomes, strict=True):
                turn.effects.complete(ready, outcome)
            turn.resume()
        return ""

    def _mismatch(self, target_id: str, values: Mapping[str, bytes | None]) -> str:
        """How a replay of what is kept now differs, with the place; empty if it does not."""
        here: Surroundings[Execution] = Surroundings(
            self.shell.directory, self.declaration, self.typename, target_id, values, 0
        )
        for header in here.kept.host.executions:
            execution = Execution(header, self.declaration, self.front_end, here.kept)
            execution.join(here)
            run = execution.wake_up()
            told = "" if run.mismatch is None else str(run.mismatch)
            execution.close()
            if told:
                return told
        return ""


def _names(wave: list[Ready]) -> list[str]:
    return [each.effect.name for each in wave]


@contextmanager
def _silent() -> Iterator[None]:
    """Log nothing: it was logged before."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        logging.disable(before)
