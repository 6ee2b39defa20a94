"""The program: what a front end says about how its executions run.

Law: the core knows commands, events and outcomes, and nothing of handlers, contexts or classes. It
asks the program of a declaration what happens at an event that answers no command.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

from statefun.durable.exceptions import TerminalError, terminal_cause
from statefun.durable.outcomes import failed, succeeded
from statefun.durable.retries import retries_of

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Coroutine

    from statefun.durable import _proto
    from statefun.durable.execution import Execution
    from statefun.durable.options import Options
    from statefun.durable.retries import Retries
    from statefun.durable.run import Run

__all__ = ["Program"]


class Program(ABC):
    """How the executions of a service, object or workflow run.

    Attributes:
        waits_for_messages: Whether an execution may wait for messages that it has not asked for.
            Otherwise one that waits and has no unfinished step has failed.
    """

    waits_for_messages = False

    def retries(self, options: Options) -> Retries:
        """When a failed attempt is followed by another."""
        return retries_of(options)

    @abstractmethod
    def start(self, execution: Execution, run: Run) -> Coroutine[Any, Any, bytes]:
        """The coroutine that a START begins; what it returns is the result."""

    def signal(self, execution: Execution, run: Run, record: _proto.Record) -> None:  # noqa: ARG002
        """Take in a SIGNAL; here it goes to whoever awaits its name."""
        waiting = run.mailboxes.put(record.name, record.outcome)
        if waiting is not None:
            run.complete(waiting, record.outcome)

    def update(self, execution: Execution, run: Run, record: _proto.Record) -> None:
        """Take in an UPDATE that `validate` has let pass; here nothing does."""
        del execution, run, record

    @abstractmethod
    def cancel(self, execution: Execution, run: Run) -> None:
        """Take in a CANCEL."""

    def settle(self, execution: Execution, run: Run) -> bool:  # noqa: ARG002
        """See what has become true since nothing runs any more; whether something runs again."""
        return False

    def judge(
        self, execution: Execution, run: Run, task: asyncio.Task[bytes]
    ) -> _proto.Outcome | BaseException | None:
        """Judge what a handler has done, after each event.

        Args:
            execution: The execution.
            run: Its live coroutine.
            task: The task that START began.

        Returns:
            Its outcome, if it is over; the error that ended this attempt; None if it goes on.
        """
        del execution, run
        if not task.done():
            return None
        error = None if task.cancelled() else task.exception()
        if error is not None:
            terminal = terminal_cause(error)
            return error if terminal is None else failed(terminal)
        return (
            failed(TerminalError("cancelled", 409))
            if task.cancelled()
            else succeeded(task.result())
        )

    def query(self, execution: Execution, run: Run, query: _proto.Query) -> _proto.Outcome:
        """Answer a question; commands are refused meanwhile if `run.looked_at` is entered."""
        del execution, run
        return failed(TerminalError(f"there is no query {query.name!r}", 404))

    def validate(
        self, execution: Execution, run: Run, update: _proto.Update
    ) -> _proto.Outcome | None:
        """Look at an update before it is recorded; the answer if it is not, None to record it."""
        del execution, run
        return failed(TerminalError(f"there is no update {update.name!r}", 404))
