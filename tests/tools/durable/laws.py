"""The laws of durable execution, to be looked at after every step and at the end."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from statefun.durable import _proto
from statefun.durable.journal import SEGMENTS, Journal
from statefun.testing.replays import difference
from tests.tools.durable.world import LawBroken

if TYPE_CHECKING:
    from statefun.durable.turn import Reply
    from tests.tools.durable.world import Address, World

__all__ = ["Watch", "check", "same_replies"]


def same_replies(warm: Reply, cold: Reply) -> None:
    """I1: a turn from memory and the same turn from the journal ask for the same."""
    if told := difference(warm, cold):
        raise LawBroken(f"I1: {told}")


class Watch:
    """Looks at what is kept from one commit to the next."""

    def __init__(self) -> None:
        self._journals: dict[tuple[Address, str], list[_proto.Record]] = {}

    def look(self, world: World, address: Address) -> None:
        """After a commit at an address."""
        self._journals_grow(world, address)
        _one_alarm(world, address)

    def forget(self) -> None:
        """After a rollback."""
        self._journals.clear()

    def _journals_grow(self, world: World, address: Address) -> None:
        values = world.kept.state.get(address, {})
        host = _proto.Host.FromString(values.get("host", b""))
        for execution in host.executions:
            journal = Journal.of(execution.journal)
            if not execution.journal:
                journal = Journal({name: values.get(name, b"") for name in SEGMENTS})
            records = journal.records()
            before = self._journals.get((address, execution.id), [])
            if not records or records[0].invoke.id != execution.id:
                raise LawBroken(f"I4: the journal of {execution.id} does not begin with its start")
            times = [record.time_ms for record in records]
            if times != sorted(times):
                raise LawBroken(f"I4: time goes back in the journal of {execution.id}: {times}")
            for old, new in zip(before, records, strict=False):
                is_same = old.SerializeToString() == new.SerializeToString()
                has_grown = list(new.commands)[: len(old.commands)] == list(old.commands)
                if not (is_same or (old is before[-1] and has_grown)):
                    raise LawBroken(f"I4: a record has changed: {old} / {new}")
            if len(records) < len(before):
                raise LawBroken("I4: a journal has become shorter")
            self._journals[address, execution.id] = records
        running = {execution.id for execution in host.executions}
        for known in tuple(self._journals):
            if known[0] == address and known[1] not in running:
                del self._journals[known]


def _one_alarm(world: World, address: Address) -> None:
    alarms = [
        each
        for each in world.kept.delayed
        if each.target == address and _proto.Envelope.FromString(each.data).HasField("alarm")
    ]
    if len(alarms) > 1:
        raise LawBroken(f"I5: {len(alarms)} alarms are armed for {address}")
    host = _proto.Host.FromString(world.kept.state.get(address, {}).get("host", b""))
    for execution in host.executions:
        is_waiting = execution.due_ms > host.time_ms and execution.status != _proto.PAUSED
        if is_waiting and not 0 < host.alarm.due_ms <= execution.due_ms:
            raise LawBroken(f"I5: no alarm is armed for {execution.due_ms} at {address}")


def check(world: World) -> None:
    """What holds at any time."""
    repeated = [
        pair
        for pair, count in Counter(world.kept.invoked).items()
        if count > 1 and not _may_repeat(pair)
    ]
    if repeated:
        raise LawBroken(f"I3: invoked more than once: {repeated}")
    told = [triple for triple, count in Counter(world.kept.told).items() if count > 1]
    if told:
        raise LawBroken(f"I3: told more than once: {told}")
    places = Counter(_places(world))
    doubled = [each for each, count in places.items() if count > 1]
    if doubled:
        raise LawBroken(f"I8: in more than one place: {doubled}")


def _may_repeat(pair: tuple[str, str]) -> bool:
    return pair[0].endswith((".inv", "/Draws"))  # idempotent ones are asked for by several


def _places(world: World) -> list[str]:
    found = []
    for values in world.kept.state.values():
        if "ticket" in values:
            ticket = _proto.Ticket.FromString(values["ticket"])
            if not ticket.is_forwarded and not ticket.HasField("outcome"):
                found.append(ticket.invoke.id)
        host = _proto.Host.FromString(values.get("host", b""))
        found += [execution.id for execution in host.executions]
        queue = _proto.Queue.FromString(values.get("queue", b""))
        found += [waiting.invoke.id for waiting in queue.waiting]
    for target, mail in world.kept.mail.items():
        if not target[0].endswith(".inv"):
            envelopes = map(_proto.Envelope.FromString, mail)
            invokes = [each.invoke for each in envelopes if each.HasField("invoke")]
            # who asks again for the main handler of a workflow, or by an idempotency key, is told
            found += [each.id for each in invokes if each.handler not in ("run", "draw")]
    return found
