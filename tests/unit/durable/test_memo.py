"""A batch that comes again: its effects are not performed again by a process that has them."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

import pytest

from statefun.durable import Context, RunOptions, Service, _proto
from statefun.durable.application import Application
from statefun.durable.handling import HANDLERS
from statefun.durable.host import Host
from statefun.durable.kept import VALUES

if TYPE_CHECKING:
    from statefun.durable.turn import Reply

service = Service("S")
performed: list[int] = []
gates: list[asyncio.Event] = []  # one for each test


def count() -> int:
    performed.append(1)
    return len(performed)


async def slow() -> int:
    await gates[-1].wait()
    return count()


@service.handler()
async def twice(ctx: Context) -> list[int]:
    return [await ctx.run_typed("count", count, RunOptions()) for _ in range(2)]


@service.handler()
async def wait(ctx: Context) -> int:
    return await ctx.run_typed("slow", slow)


class Worker:
    """A process that serves the service, as an engine sees it."""

    def __init__(self) -> None:
        performed.clear()
        gates.append(asyncio.Event())
        self.application = Application([service])
        self.host = Host(self.application.shell, "durable/S", service, HANDLERS)
        self.values: dict[str, bytes | None] = dict.fromkeys(VALUES["service"])

    def envelope(self, handler: object) -> tuple[str, _proto.Envelope]:
        message = self.application.invoke(handler, reply=_proto.Route(typename="a/b", id="c"))
        return message.target_id, _proto.Envelope.FromString(message.raw_value() or b"")

    async def turn(self, target_id: str, *envelopes: _proto.Envelope) -> Reply:
        return await self.host.turn(target_id, dict(self.values), list(envelopes))

    def commit(self, reply: Reply) -> None:
        self.values |= reply.values


def sent(reply: Reply) -> list[bytes]:
    return [envelope.SerializeToString() for _, _, envelope in reply.outbox.messages]


async def test_a_lost_reply_is_given_again() -> None:
    """The same bytes, and the effect was performed once."""
    worker = Worker()
    target = worker.envelope(twice)

    lost = await worker.turn(*target)
    again = await worker.turn(*target)

    assert len(performed) == 1
    assert (again.values, sent(again)) == (lost.values, sent(lost))


async def test_the_turn_after_a_lost_reply_goes_on_from_it() -> None:
    """What stayed in memory is of the turn whose reply was given twice."""
    worker = Worker()
    target_id, envelope = worker.envelope(twice)
    await worker.turn(target_id, envelope)
    worker.commit(await worker.turn(target_id, envelope))
    worker.commit(last := await worker.turn(target_id, _proto.Envelope(version=1, wake=True)))

    [(_, _, answer)] = last.outbox.messages
    assert json.loads(answer.done.outcome.value) == [1, 2]
    assert len(performed) == 2


async def test_a_batch_that_comes_while_it_is_worked_on_joins() -> None:
    """An engine that gave up waiting asks again; there is one effect and one reply."""
    worker = Worker()
    target = worker.envelope(wait)
    first = asyncio.ensure_future(worker.turn(*target))
    await asyncio.sleep(0)
    second = asyncio.ensure_future(worker.turn(*target))
    await asyncio.sleep(0)
    gates[-1].set()

    assert sent(await first) == sent(await second)
    assert len(performed) == 1


async def test_who_joined_a_turn_that_was_ended_fails_as_well() -> None:
    """And the next attempt performs the effect."""
    worker = Worker()
    target = worker.envelope(wait)
    first = asyncio.ensure_future(worker.turn(*target))
    await asyncio.sleep(0)
    second = asyncio.ensure_future(worker.turn(*target))
    await asyncio.sleep(0)
    first.cancel()
    outcomes = await asyncio.gather(first, second, return_exceptions=True)
    gates[-1].set()
    await worker.turn(*target)

    assert isinstance(outcomes[0], asyncio.CancelledError)
    assert isinstance(outcomes[1], RuntimeError)
    assert len(performed) == 1


async def test_another_state_is_another_turn() -> None:
    """After a rollback the same messages may meet another state, and are worked on anew."""
    worker = Worker()
    target_id, envelope = worker.envelope(twice)
    worker.commit(await worker.turn(target_id, envelope))
    wake = _proto.Envelope(version=1, wake=True)
    await worker.turn(target_id, wake)
    worker.values["host"] = _proto.Host.FromString(worker.values["host"] or b"").SerializeToString()
    changed = _proto.Host.FromString(worker.values["host"] or b"")
    changed.stamp += 1
    worker.values["host"] = changed.SerializeToString()
    await worker.turn(target_id, wake)

    assert len(performed) == 3


@pytest.mark.parametrize("limit", [0, 1])
async def test_the_memo_is_bounded(limit: int) -> None:
    """Beyond its limit the turn that is oldest is forgotten, and repeated."""
    worker = Worker()
    worker.host._memo._limit = limit
    one, other = worker.envelope(twice), worker.envelope(twice)
    for target in (one, other, one):
        await worker.turn(*target)

    assert len(performed) == 3
