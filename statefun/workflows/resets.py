"""Resets: a new run that goes back to an event of another one. Pure.

Law: the new run is told the events up to that one again, and its code does what follows from the
last of them anew. Before that, what was asked for and had no answer yet is asked for again. Signals
that came later are told again, after everything.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from statefun.durable import _proto as durable
from statefun.workflows import _proto

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["journal_of_reset", "reset_start"]

_ANSWERS = (durable.DONE, durable.TIMER, durable.EFFECT, durable.PROMISE)


def reset_start(records: Sequence[durable.Record], events: int) -> _proto.Start:
    """What a run is started with that goes back to an event.

    Args:
        records: The events of the run that is reset.
        events: The number of the event, from 1: what follows from it is done anew.

    Raises:
        ValueError: If there is no such event.
    """
    if not 1 <= events <= len(records):
        raise ValueError(f"there are the events 1 to {len(records)}, not {events}")
    kept = durable.Journal(records=records[:events]).records
    del kept[-1].commands[:]
    answered = {each.seq for each in kept if each.kind in _ANSWERS}
    given = sum(len(each.commands) for each in kept)
    start = _proto.Start.FromString(records[0].invoke.argument)
    start.original_run_id = start.original_run_id or start.run_id
    seeds = {told: seed or start.run_id for told, seed in start.seeds.items() if told < events - 1}
    start.ClearField("seeds")
    start.seeds.update(seeds or ({0: start.run_id} if events > 1 else {}))
    start.seeds[events - 1] = ""
    later = [
        _proto.Told.FromString(each.outcome.value)
        for each in records[events:]
        if each.kind == durable.SIGNAL
    ]
    start.reset.CopyFrom(
        _proto.Reset(
            journal=durable.Journal(records=kept).SerializeToString(),
            again=[seq for seq in range(given) if seq not in answered],
            messages=[each for each in later if each.HasField("signal")],
            commands=given,
            told=sum(each.kind == durable.SIGNAL for each in kept),
        )
    )
    return start


def journal_of_reset(invoke: durable.Invoke) -> tuple[dict[str, bytes], _proto.Reset] | None:
    """What the address of a run keeps before it goes on from a reset; None without one.

    Args:
        invoke: What begins the run.
    """
    start = _proto.Start.FromString(invoke.argument)
    if not start.HasField("reset"):
        return None
    reset = _proto.Reset()
    reset.CopyFrom(start.reset)
    start.ClearField("reset")
    journal = durable.Journal.FromString(reset.journal)
    begun = durable.Invoke(id=invoke.id, handler=invoke.handler, argument=start.SerializeToString())
    journal.records[0].invoke.CopyFrom(begun)
    execution = durable.Execution(id=invoke.id, handler=invoke.handler, has_open_end=True, due_ms=1)
    host = durable.Host(format=1, executions=[execution])
    return {
        "host": host.SerializeToString(),
        "journal0": journal.SerializeToString(),
    }, reset
