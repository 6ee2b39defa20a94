"""The program: runs of workflows on the core of durable execution.

Law: a run is a durable execution whose coroutine is its instance. It knows nothing of workers,
clients and clocks; what reaches it are events, and what it asks for are commands.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

from statefun.durable.outcomes import succeeded
from statefun.durable.program import Program
from statefun.durable.retries import Retries
from statefun.durable.service import Service
from statefun.workflows import _proto
from statefun.workflows.addresses import HISTORY
from statefun.workflows.calls import Outbound, close_children
from statefun.workflows.exceptions import ApplicationError
from statefun.workflows.instance import Instance

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Container, Coroutine

    from statefun.durable import _proto as durable
    from statefun.durable.execution import Execution
    from statefun.durable.handler import Handler
    from statefun.durable.options import Options
    from statefun.durable.run import Run
    from statefun.workflows.registered import Registered

__all__ = ["Runs", "Workflows"]

_RETRIES = Retries(timedelta(milliseconds=100), 2.0, timedelta(seconds=10), None)


class Workflows:
    """A front end of durable execution: how runs of workflows run; see `FrontEnd`.

    Args:
        registered: What the worker has registered.

    Attributes:
        again: Runs that go back to an event in this turn: their ids → the commands that they carry
            out again.
    """

    def __init__(self, registered: Registered) -> None:
        self.registered = registered
        self.again: dict[str, Container[int]] = {}

    def program(self, execution: Execution, run: Run) -> _WorkflowRun:
        """See `FrontEnd`."""
        run.again = self.again.get(execution.id, ())
        return _WorkflowRun(self.registered, execution, run)

    def retries(self, options: Options) -> Retries:
        """See `FrontEnd`: what fails by its code is repeated until that is mended."""
        del options
        return _RETRIES


class _WorkflowRun(Program):
    """One run of a workflow."""

    waits_for_messages = True

    def __init__(self, registered: Registered, execution: Execution, run: Run) -> None:
        super().__init__(execution, run)
        self._registered = registered
        self._instance: Instance | None = None

    def start(self) -> Coroutine[Any, Any, bytes]:
        start = _proto.Start.FromString(self.execution.invoke.argument)
        self.run.seed(start.seeds.get(0, "") or self.execution.id)
        self.run.seeds = dict(start.seeds)
        instance = self._instance = Instance(self._registered, self.execution, self.run, start)
        instance.outbound = Outbound(instance)
        instance.on_end = partial(close_children, instance)
        return instance.drive()

    def signal(self, record: durable.Record) -> None:
        if self._instance is not None:
            self._instance.tell(_proto.Told.FromString(record.outcome.value))

    def cancel(self) -> None:
        """Nothing: a cancel is told with its reason."""

    def settle(self) -> bool:
        return self._instance is not None and self._instance.settle()

    def decide(self, task: asyncio.Task[bytes]) -> durable.Outcome | BaseException | None:
        if not task.done() or task.cancelled():
            return None
        return task.exception()

    def query(self, query: durable.Query) -> durable.Outcome:
        answer = _proto.QueryAnswer()
        if query.name == HISTORY:
            answer.result.payloads.add(data=self.execution.journal.encoded())
            return succeeded(answer.SerializeToString())
        if self._instance is None or self._instance.object is None:
            error = ApplicationError("the run has not begun: ask again once a worker has taken it")
            converter = self._registered.data_converter
            converter.failure_converter.to_failure(error, self._registered.payloads, answer.failure)
        else:
            answer = self._instance.query(_proto.QueryInput.FromString(query.argument))
        return succeeded(answer.SerializeToString())


class Runs(Service):
    """The declaration of the runs of a task queue; the name of a handler is a type of workflows."""

    def __init__(self) -> None:
        super().__init__("run")

        @self.handler()
        async def run(ctx: Any) -> None:
            del ctx

    def handler_of(self, name: str) -> Handler[Any, Any]:
        """See `Declaration`: a type that this worker does not have fails when it begins."""
        return replace(self.handlers["run"], name=name)
