"""The laws of workflows, to be looked at after every step."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from statefun.durable import _proto as durable
from statefun.workflows import _proto, activity_turn
from statefun.workflows.status import WorkflowExecutionStatus as Status
from statefun.workflows.visibility import WORKFLOW_VALUE
from tests.tools.durable.world import LawBroken
from tests.tools.workflows.programs import MOST_ATTEMPTS
from tests.tools.workflows.world import ACTIVITY, WORKFLOW

if TYPE_CHECKING:
    from statefun.workflows.activity_turn import Attempt
    from tests.tools.durable.world import Address
    from tests.tools.workflows.world import WorkflowWorld

__all__ = ["Attempts", "check", "look"]


def check(world: WorkflowWorld) -> None:
    """Nothing is asked for twice, and nobody is told twice."""
    for what, seen in (("started", world.kept.invoked), ("told", world.kept.told)):
        repeated = [each for each, count in Counter(seen).items() if count > 1]
        if repeated:
            raise LawBroken(f"W1: {what} more than once: {repeated}")


def look(world: WorkflowWorld, address: Address) -> None:
    """After a commit at an address: what is due there has its alarm."""
    values = world.kept.state.get(address, {})
    alarms = [
        each
        for each in world.kept.delayed
        if each.target == address and durable.Envelope.FromString(each.data).HasField("alarm")
    ]
    if len(alarms) > 1:
        raise LawBroken(f"W2: {len(alarms)} alarms are armed for {address}")
    if address[0] == WORKFLOW and WORKFLOW_VALUE in values:
        _look_at_workflow(_proto.Workflow.FromString(values[WORKFLOW_VALUE]), len(alarms))
    if address[0] == ACTIVITY and activity_turn.VALUE in values:
        _look_at_activity(world, address, _proto.Activity.FromString(values[activity_turn.VALUE]))


def _look_at_workflow(state: _proto.Workflow, alarms: int) -> None:
    is_open = state.status == Status.RUNNING
    runs = [each.run_id for each in state.past] + [state.start.run_id]
    if len(set(runs)) != len(runs):
        raise LawBroken(f"W3: a run is there twice: {runs}")
    if is_open == state.HasField("ending"):
        raise LawBroken(f"W3: the run has status {state.status} and ending {state.ending}")
    if any(each.status == Status.RUNNING for each in state.past):
        raise LawBroken("W3: a run before the current one is open")
    if not is_open and state.waiters:
        raise LawBroken("W3: somebody waits for a run that is over")
    if not is_open and not alarms:
        raise LawBroken("W2: nothing lets a run be forgotten")


def _look_at_activity(world: WorkflowWorld, address: Address, state: _proto.Activity) -> None:
    most = MOST_ATTEMPTS[state.task.activity_type]
    if most and state.attempt > most:
        raise LawBroken(f"W4: attempt {state.attempt} of {most} at {address}")
    awaits = (state.due_ms > state.time_ms, state.owner, state.completes_later)
    has_mail = bool(world.kept.mail.get(address)) or any(
        each.target == address for each in world.kept.delayed
    )
    if not has_mail and not state.completes_later:
        raise LawBroken(f"W2: nothing wakes {address}, which waits: {awaits}")


class Attempts:
    """Which attempts of activities have begun, and what they gave."""

    def __init__(self) -> None:
        self._begun: dict[str, list[int]] = {}
        self._ended: set[tuple[str, int]] = set()
        self._over: set[str] = set()
        self._heartbeats: dict[str, bytes] = {}
        self.given: dict[int, int] = {}

    def begin(self, attempt: Attempt) -> None:
        """An attempt begins at a worker."""
        target_id, number = attempt.target_id, attempt.number
        if target_id in self._over:
            raise LawBroken(f"W5: {target_id} begins again, though its end is recorded")
        if (target_id, number) in self._ended:
            raise LawBroken(f"W5: attempt {number} of {target_id} begins again after its end")
        before = self._begun.setdefault(target_id, [])
        if number - (before[-1] if before else 0) not in (0, 1):
            raise LawBroken(f"W5: attempt {number} of {target_id} follows {before}")
        if before and MOST_ATTEMPTS[attempt.task.activity_type] == 1:
            raise LawBroken(f"W5: {target_id} may run once, and begins again after {before}")
        before.append(number)
        if attempt.heartbeat.SerializeToString() != self._heartbeats.get(target_id, b""):
            raise LawBroken(f"W5: attempt {number} of {target_id} has not the last heartbeat")

    def end(self, attempt: Attempt, heartbeat: _proto.Payloads | None, *, is_over: bool) -> None:
        """A turn with an attempt is durable.

        Args:
            attempt: The attempt, which has ended.
            heartbeat: Its last heartbeat.
            is_over: Whether the activity has ended as well.
        """
        self._ended.add((attempt.target_id, attempt.number))
        self.heard(attempt, heartbeat)
        if is_over:
            self._over.add(attempt.target_id)

    def heard(self, attempt: Attempt, heartbeat: _proto.Payloads | None) -> None:
        """A heartbeat is durable."""
        if heartbeat is not None:
            self._heartbeats[attempt.target_id] = heartbeat.SerializeToString()
