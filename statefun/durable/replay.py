"""Replay: how a handler that is not in memory comes back to where it waits.

Law: events are told again in their order, and commands are compared with the recorded ones instead
of being carried out. A difference is found at the command where it is, and nothing of it counts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from statefun.durable.places import place_of_task
from statefun.durable.script import Difference

if TYPE_CHECKING:
    from collections.abc import Sequence

    from statefun.durable import _proto
    from statefun.durable.run import Run

__all__ = ["Replay"]


class Replay:
    """Brings a run back to where its journal ends.

    Args:
        run: A new run.
        may_extend: Whether more commands may follow those of the last record: the attempt that
            gave them had failed there.
    """

    def __init__(self, run: Run, *, may_extend: bool) -> None:
        self._run = run
        self._may_extend = may_extend

    def tell(self, records: Sequence[_proto.Record]) -> None:
        """Tell all records, oldest first; afterwards the run is live, unless it differs."""
        run = self._run
        run.is_replaying = True
        with run.loop.entered():
            for record in records:
                run.script.open(record.commands, is_open=self._may_extend and record is records[-1])
                if not self._goes_on_after(record):
                    break
        if run.is_replaying and not run.mismatch:
            run.go_live()

    def _goes_on_after(self, record: _proto.Record) -> bool:
        """Tell a record; whether the next one may be told."""
        run, missing = self._run, None
        if run.expects(record):
            run.tell(record)
            if run.mismatch or isinstance(run.verdict(), BaseException):
                return False
            missing = run.script.next
        else:
            missing = _named(record)
        if missing is not None:
            run.differ(Difference(missing, None), place_of_task(run.loop.waiting()))
        return missing is None


_KINDS = (
    *("the start", "an answer", "a timer", "an effect", "a signal", "a promise", "a cancel"),
    "an update",
)


def _named(record: _proto.Record) -> str:
    return f"{_KINDS[record.kind]} for step {record.seq}"
