"""The replayer: histories against the code of today.

Law: a replay is the one that a worker makes of a run that has left memory; it performs nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn

from statefun.durable import _proto as durable
from statefun.durable.directory import Directory
from statefun.durable.limits import Limits
from statefun.durable.turn import Turn
from statefun.workflows import _proto
from statefun.workflows.converter import DataConverter
from statefun.workflows.definitions import definitions_of
from statefun.workflows.endings import NondeterminismError
from statefun.workflows.interceptors import WorkflowInterceptorClassInput
from statefun.workflows.program import Runs, Workflows
from statefun.workflows.registered import Registered

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence

    from statefun.workflows.histories import WorkflowHistory
    from statefun.workflows.interceptors import Interceptor

__all__ = ["Replayer", "WorkflowReplayResult", "WorkflowReplayResults"]


@dataclass(frozen=True)
class WorkflowReplayResult:
    """What became of a replay.

    Attributes:
        history: The history.
        replay_failure: Why it failed; None if it did not.
    """

    history: WorkflowHistory
    replay_failure: Exception | None


@dataclass(frozen=True)
class WorkflowReplayResults:
    """What became of several replays.

    Attributes:
        replay_failures: The id of a run → why its replay failed.
    """

    replay_failures: Mapping[str, Exception]


class Replayer:
    """Replays histories.

    Args:
        workflows: The classes of workflows.
        data_converter: How values travel.
        interceptors: What is put around workflows.
        workflow_failure_exception_types: What else than failures ends a run as failed.

    Raises:
        ValueError: If no workflows are given.

    Example:
        ```python
        history = WorkflowHistory.from_json("order-1", Path("order-1.json").read_text())
        await Replayer(workflows=[Order]).replay_workflow(history)
        ```
    """

    def __init__(
        self,
        *,
        workflows: Sequence[type[Any]],
        data_converter: DataConverter = DataConverter.default,
        interceptors: Sequence[Interceptor] = (),
        workflow_failure_exception_types: Sequence[type[BaseException]] = (),
    ) -> None:
        if not workflows:
            raise ValueError("At least one workflow must be specified")
        given = WorkflowInterceptorClassInput({})
        around = [each.workflow_interceptor_class(given) for each in interceptors]
        registered = Registered(
            definitions_of(workflows),
            data_converter,
            workflow_failure_exception_types,
            [each for each in around if each is not None],
            [None],  # which activities there are does not matter
            _perform_nothing,
        )
        self._front_end = Workflows(registered)

    async def replay_workflow(
        self, history: WorkflowHistory, *, raise_on_replay_failure: bool = True
    ) -> WorkflowReplayResult:
        """Replay a history.

        Args:
            history: The history.
            raise_on_replay_failure: Whether a failure is raised, and not only returned.

        Raises:
            NondeterminismError: If the code does not do what the history says.
            RuntimeError: If it fails where it did not fail then.
        """
        failure = self._replay(history)
        if failure is not None and raise_on_replay_failure:
            raise failure
        return WorkflowReplayResult(history, failure)

    async def replay_workflows(
        self, histories: AsyncIterator[WorkflowHistory], *, raise_on_replay_failure: bool = True
    ) -> WorkflowReplayResults:
        """Replay histories one after another; see `replay_workflow`."""
        failures = {}
        async for result in self.workflow_replay_iterator(histories):
            if result.replay_failure is not None:
                if raise_on_replay_failure:
                    raise result.replay_failure
                failures[result.history.run_id] = result.replay_failure
        return WorkflowReplayResults(failures)

    async def workflow_replay_iterator(
        self, histories: AsyncIterator[WorkflowHistory]
    ) -> AsyncIterator[WorkflowReplayResult]:
        """What becomes of histories, one after another."""
        async for each in histories:
            yield await self.replay_workflow(each, raise_on_replay_failure=False)

    def _replay(self, history: WorkflowHistory) -> Exception | None:
        runs, run_id = Runs(), history.run_id
        handler = history.events[0].invoke.handler
        header = durable.Execution(id=run_id, handler=handler, due_ms=1)
        journal = durable.Journal(records=history.events).SerializeToString()
        values = {
            "host": durable.Host(format=1, executions=[header]).SerializeToString(),
            "journal0": journal,
            "journal1": None,
            "journal2": None,
            "queue": None,
        }
        directory = Directory([runs], "replay", Limits(), None, None)
        last_ms = history.events[-1].time_ms
        turn = Turn(directory, runs, self._front_end, "replay/run", run_id, values, last_ms, 1)
        asked = _proto.QueryInput(name="__stack_trace").SerializeToString()
        query = durable.Query(execution=run_id, name="__stack_trace", argument=asked)
        try:
            turn.receive(durable.Envelope(version=1, query=query))
            kept = durable.Host.FromString(turn.end().values.get("host") or b"")
        finally:
            turn.abandon()
        [execution] = kept.executions
        if execution.status == durable.BLOCKED:
            return NondeterminismError(f"[TMPRL1100] Nondeterminism error: {execution.failure}")
        if execution.failure:
            return RuntimeError(f"Workflow task failed in replay: {execution.failure}")
        return None


async def _perform_nothing(task: _proto.Task, attempt: int) -> NoReturn:
    del attempt
    raise RuntimeError(f"a replay does not run the activity {task.activity_type}")
