"""The program: what a run of a front end does.

Law: the core knows commands, events and outcomes, and nothing of handlers, contexts or classes. It
asks the program what happens at an event that answers no command.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

from statefun.durable import _proto
from statefun.durable.exceptions import TerminalError, terminal_cause
from statefun.durable.outcomes import failed, succeeded

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Coroutine

    from statefun.durable.execution import Execution
    from statefun.durable.run import Run

__all__ = ["Program"]


class Program(ABC):
    """What one run does; see `Actor`.

    Args:
        execution: The execution.
        run: Its live coroutine.

    Attributes:
        waits_for_messages: Whether it may wait for messages that it has not asked for.
    """

    waits_for_messages = False

    def __init__(self, execution: Execution, run: Run) -> None:
        self.execution = execution
        self.run = run

    @abstractmethod
    def start(self) -> Coroutine[Any, Any, bytes]:
        """The coroutine that a START begins; what it returns is the result."""

    def told(self, record: _proto.Record) -> None:
        """Take in a SIGNAL, an UPDATE or a CANCEL."""
        match record.kind:
            case _proto.SIGNAL:
                self.signal(record)
            case _proto.UPDATE:
                self.update(record)
            case _:
                self.cancel()

    def signal(self, record: _proto.Record) -> None:
        """Take in a SIGNAL; here it goes to whoever awaits its name."""
        waiting = self.run.mailboxes.put(record.name, record.outcome)
        if waiting is not None:
            self.run.complete(waiting, record.outcome)

    def update(self, record: _proto.Record) -> None:
        """Take in an UPDATE that `validate` has let pass; here none is."""
        del record

    @abstractmethod
    def cancel(self) -> None:
        """Take in a CANCEL."""

    def settle(self) -> bool:
        """See what has become true since nothing runs any more; whether something runs again."""
        return False

    def decide(self, task: asyncio.Task[bytes]) -> _proto.Outcome | BaseException | None:
        """Decide about what was done; see `Actor.decide`."""
        if not task.done():
            return None
        if task.cancelled():
            return failed(TerminalError("cancelled", 409))
        error = task.exception()
        if error is None:
            return succeeded(task.result())
        terminal = terminal_cause(error)
        return error if terminal is None else failed(terminal)

    def query(self, query: _proto.Query) -> _proto.Outcome:
        """Answer a question, within `run.looked_at` so that it gives no command; here to none."""
        return failed(TerminalError(f"there is no query {query.name!r}", 404))

    def validate(self, update: _proto.Update) -> _proto.Outcome | None:
        """Look at an update before it is recorded; see `Actor.validate`. Here none is."""
        return failed(TerminalError(f"there is no update {update.name!r}", 404))
