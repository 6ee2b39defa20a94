"""Hosts: workflows, their runs and activities as stateful functions.

They are the shells around the turns: here are the clock, chance, and the waiting for activities.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from statefun.durable import _proto as durable
from statefun.durable.directory import Directory
from statefun.durable.host import EnvelopeHost, Host, Shell, nonce
from statefun.durable.limits import Limits
from statefun.durable.outbox import Outbox
from statefun.sdk.functions import StatefulFunctions
from statefun.workflows import _proto, activity_turn
from statefun.workflows.activity_turn import ActivityTurn
from statefun.workflows.addresses import (
    activity_typename,
    namespace_of_queue,
    run_typename,
    schedule_typename,
    told,
    workflow_typename,
)
from statefun.workflows.offers import ANY, Offer
from statefun.workflows.program import Runs
from statefun.workflows.resets import journal_of_reset
from statefun.workflows.schedule_turn import ScheduleTurn
from statefun.workflows.visibility import SCHEDULE_VALUE, WORKFLOW_VALUE
from statefun.workflows.workflow_turn import WorkflowTurn

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import timedelta

    from statefun.durable.declaration import Declaration
    from statefun.durable.turn import Reply
    from statefun.workflows.activities import ActivityRunner
    from statefun.workflows.program import Workflows

__all__ = ["QueueFunctions", "ServiceFunctions", "bind_service", "in_order"]


def _shell(
    namespace: str,
    clock: Callable[[], float],
    limits: Limits | None = None,
    declarations: Sequence[Declaration] = (),
) -> Shell:
    directory = Directory(declarations, namespace, limits or Limits(), None, None)
    return Shell(directory, clock, None)


class ServiceFunctions(StatefulFunctions):
    """The functions of the service: workflows and schedules of a namespace, without their code.

    Args:
        namespace: The namespace.
        retention: How long runs are kept once they have ended.
        clock: The time in seconds since 1970.
    """

    def __init__(self, namespace: str, retention: timedelta, clock: Callable[[], float]) -> None:
        super().__init__()
        bind_service(self, namespace, retention, clock)


def bind_service(
    functions: StatefulFunctions,
    namespace: str,
    retention: timedelta,
    clock: Callable[[], float],
) -> None:
    """Register the functions of the service; see `ServiceFunctions`."""
    typename = workflow_typename(namespace)
    shell = _shell(typename.rpartition("/")[0], clock)
    _WorkflowHost(shell, typename, namespace, retention).bind(functions)
    _ScheduleHost(shell, schedule_typename(namespace), namespace).bind(functions)


class _WorkflowHost(EnvelopeHost):
    """The function of workflows."""

    def __init__(self, shell: Shell, typename: str, namespace: str, retention: timedelta) -> None:
        super().__init__(shell, typename, (WORKFLOW_VALUE,))
        self._namespace = namespace
        self._retention_ms = int(retention.total_seconds() * 1000)

    async def turn(
        self, target_id: str, values: Mapping[str, bytes | None], envelopes: list[durable.Envelope]
    ) -> Reply:
        """Run a turn; see `WorkflowTurn`."""
        turn = WorkflowTurn(
            Outbox(self.shell.directory, self.typename, target_id),
            self._namespace,
            target_id,
            values[WORKFLOW_VALUE],
            self.shell.now_ms(),
            f"{self.typename}:{nonce():016x}",
            self._retention_ms,
        )
        for envelope in envelopes:
            turn.receive(envelope)
        return turn.end()


class _ScheduleHost(EnvelopeHost):
    """The function of schedules."""

    def __init__(self, shell: Shell, typename: str, namespace: str) -> None:
        super().__init__(shell, typename, (SCHEDULE_VALUE,))
        self._namespace = namespace

    async def turn(
        self, target_id: str, values: Mapping[str, bytes | None], envelopes: list[durable.Envelope]
    ) -> Reply:
        """Run a turn; see `ScheduleTurn`."""
        turn = ScheduleTurn(
            Outbox(self.shell.directory, self.typename, target_id),
            self._namespace,
            target_id,
            values[SCHEDULE_VALUE],
            self.shell.now_ms(),
            f"{self.typename}:{nonce():016x}",
        )
        for envelope in envelopes:
            turn.receive(envelope)
        return turn.end()


class QueueFunctions(StatefulFunctions):
    """The functions of a worker: the runs and the activities of a task queue.

    Args:
        namespace: The namespace.
        task_queue: The task queue.
        workflows: The workflows; None if it has none.
        activities: The activities; None if it has none.
        clock: The time in seconds since 1970.
        identity: Names the worker.
        cached_runs: How many runs stay in memory.
        hold_s: How long a turn waits for an activity before it looks for other messages.

    Attributes:
        offer: The names of both.
    """

    def __init__(
        self,
        namespace: str,
        task_queue: str,
        workflows: Workflows | None,
        activities: ActivityRunner | None,
        clock: Callable[[], float],
        identity: str,
        cached_runs: int,
        hold_s: float,
    ) -> None:
        super().__init__()
        limits = Limits(cached_addresses=cached_runs)
        runs = Runs()
        shell = _shell(namespace_of_queue(namespace, task_queue), clock, limits, [runs])
        self.offer = Offer(
            identity,
            () if workflows is None else tuple(each or ANY for each in workflows.registered.names),
            () if activities is None else tuple(each or ANY for each in activities.names),
        )
        self._runs: _RunHost | None = None
        self._activities: _ActivityHost | None = None
        if workflows is not None:
            self._runs = _RunHost(shell, run_typename(namespace, task_queue), runs, workflows)
        if activities is not None:
            typename = activity_typename(namespace, task_queue)
            self._activities = _ActivityHost(shell, typename, activities, identity, hold_s)
        self.bind_to(self)

    def bind_to(self, functions: StatefulFunctions) -> None:
        """Register its functions among others."""
        for host in (self._runs, self._activities):
            if host is not None:
                host.bind(functions)

    def forget(self) -> None:
        """Put all runs out of memory; their next turns begin with a replay."""
        if self._runs is not None:
            self._runs.cache.clear()


class _RunHost(Host):
    """The function of runs.

    Messages that were sent before a run began are told before its main method begins; and messages
    are told before the other events of a batch.
    """

    def __init__(self, shell: Shell, typename: str, runs: Runs, workflows: Workflows) -> None:
        super().__init__(shell, typename, runs, workflows)
        self._workflows = workflows

    async def turn(
        self, target_id: str, values: Mapping[str, bytes | None], envelopes: list[durable.Envelope]
    ) -> Reply:
        """Run a turn; see `Turn`. A run that goes back to an event finds what it has been told."""
        given = in_order(envelopes)
        found = None
        if values["host"] is None and given and given[0].HasField("invoke"):
            found = journal_of_reset(given[0].invoke)
        if found is None:
            return await super().turn(target_id, values, given)
        kept, reset = found
        run_id = given[0].invoke.id
        messages = [told(run_id, each.SerializeToString()) for each in reset.messages]
        self._workflows.again[run_id] = frozenset(reset.again)
        try:
            begin = durable.Envelope(version=1, wake=True)
            reply = await super().turn(
                target_id, {**values, **kept}, [begin, *messages, *given[1:]]
            )
        finally:
            del self._workflows.again[run_id]
        reply.values = {**kept, **reply.values}
        return reply


def in_order(envelopes: list[durable.Envelope]) -> list[durable.Envelope]:
    """Envelopes with messages first, and those in a start that came with it."""
    if len(envelopes) < 2:
        return envelopes
    first = [each for each in envelopes if each.WhichOneof("content") == "invoke"]
    messages = [each for each in envelopes if each.WhichOneof("content") == "signal"]
    others = [each for each in envelopes if each not in first and each not in messages]
    if len(first) != 1:
        return [*first, *messages, *others]
    start = _proto.Start.FromString(first[0].invoke.argument)
    start.messages.extend(_proto.Told.FromString(each.signal.outcome.value) for each in messages)
    first[0].invoke.argument = start.SerializeToString()
    return [*first, *others]


class _ActivityHost(EnvelopeHost):
    """The function of activities."""

    def __init__(
        self, shell: Shell, typename: str, runner: ActivityRunner, identity: str, hold_s: float
    ) -> None:
        super().__init__(shell, typename, (activity_turn.VALUE,))
        self._runner = runner
        self._identity = identity
        self._name = f"{identity} {nonce():016x}"  # a process may come back under its identity
        self._hold_s = hold_s

    async def turn(
        self, target_id: str, values: Mapping[str, bytes | None], envelopes: list[durable.Envelope]
    ) -> Reply:
        """Run a turn, and the attempt that it names; see `ActivityTurn`."""
        turn = ActivityTurn(
            Outbox(self.shell.directory, self.typename, target_id),
            target_id,
            values[activity_turn.VALUE],
            self.shell.now_ms(),
            f"{self.typename}:{nonce():016x}",
            self._name,
            self._identity,
        )
        for envelope in envelopes:
            turn.receive(envelope)
        attempt = turn.attempt()
        if attempt is not None:
            ending, heartbeat = await self._runner.run(attempt, self._hold_s)
            turn.advance_to(self.shell.now_ms())
            if ending is None:
                turn.goes_on(heartbeat)
            else:
                turn.ended(ending, heartbeat)
        return turn.end()
