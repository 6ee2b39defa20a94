"""A world for workflows: the strict fake of an engine, and two workers that run activities.

Law: see `tests.tools.durable.world`. A worker that crashes forgets what it ran, and comes back
under another name; one whose reply is lost remembers.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from statefun.durable.cache import Cache
from statefun.durable.directory import Directory
from statefun.durable.kept import VALUES
from statefun.durable.limits import Limits
from statefun.durable.outbox import Outbox
from statefun.durable.turn import Turn
from statefun.workflows import activity_turn
from statefun.workflows.activity_turn import ActivityTurn
from statefun.workflows.addresses import (
    activity_typename,
    namespace_of_queue,
    run_typename,
    workflow_typename,
)
from statefun.workflows.converter import DataConverter
from statefun.workflows.definitions import definitions_of
from statefun.workflows.hosts import in_order
from statefun.workflows.program import Runs, Workflows
from statefun.workflows.registered import Registered
from statefun.workflows.visibility import WORKFLOW_VALUE
from statefun.workflows.workflow_turn import WorkflowTurn
from tests.tools.durable.world import LawBroken, World
from tests.tools.workflows.programs import WORKFLOWS

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

    from statefun.durable import _proto as durable
    from statefun.durable.turn import Cached, Reply
    from statefun.workflows import _proto
    from tests.tools.durable.world import Address

__all__ = ["ACTIVITY", "QUEUE", "RETENTION_MS", "RUN", "WORKFLOW", "Crew", "WorkflowWorld"]

QUEUE = "q"
WORKFLOW = workflow_typename("default")
RUN = run_typename("default", QUEUE)
ACTIVITY = activity_typename("default", QUEUE)
RETENTION_MS = 30 * 86_400_000

Ended = tuple["_proto.Ending", "_proto.Payloads | None"]


@dataclass
class Running:
    """An attempt that a worker runs."""

    began_ms: int
    heard_ms: int
    heartbeat: _proto.Payloads | None = None


@dataclass
class Crew:
    """What a worker has in memory.

    Attributes:
        name: Its name; another one after a crash.
        cache: Suspended runs.
        running: The attempts that run.
        endings: How those ended that do no more.
    """

    name: str
    cache: Cache = field(default_factory=lambda: Cache(100))
    running: dict[tuple[str, int], Running] = field(default_factory=dict)
    endings: dict[tuple[str, int], Ended] = field(default_factory=dict)


class WorkflowWorld(World):
    """An engine with the service of workflows and two workers.

    Args:
        random: Chance.
        run_local: Runs local activities.
    """

    def __init__(self, random: Random, run_local: Callable[[_proto.Task, int], Any]) -> None:
        runs = Runs()
        super().__init__([runs], random)
        namespace = namespace_of_queue("default", QUEUE)
        self.directory = Directory([runs], namespace, Limits(), None, None)
        self._runs = runs
        self._workflows = Workflows(
            Registered(
                definitions_of(WORKFLOWS), DataConverter.default, (), (), ["local"], run_local
            )
        )
        self._names = 0
        self.crews = [self.new_crew(), self.new_crew()]

    def new_crew(self) -> Crew:
        """A worker that has just begun."""
        self._names += 1
        return Crew(f"worker {self._names}")

    def read(self, address: Address, count: int) -> list[durable.Envelope]:
        """See `World`: a run is told in an order of its own."""
        envelopes = super().read(address, count)
        return in_order(envelopes) if address[0] == RUN else envelopes

    def turn_of_activity(self, target_id: str, worker: int) -> ActivityTurn:
        """A turn of an activity, before it has taken messages."""
        self._nonce += 1
        kept = self.kept.state.get((ACTIVITY, target_id), {}).get(activity_turn.VALUE)
        name = self.crews[worker].name
        return ActivityTurn(
            Outbox(self.directory, ACTIVITY, target_id),
            target_id,
            kept,
            self.now_ms + self.skews_ms[worker],
            f"{ACTIVITY}:{self._nonce:016x}",
            name,
            name,
        )

    def _turn(self, address: Address, now_ms: int, cached: Cached | None) -> Any:
        typename, target_id = address
        self._nonce += 1
        values = self.kept.state.get(address, {})
        if typename == WORKFLOW:
            return WorkflowTurn(
                Outbox(self.directory, WORKFLOW, target_id),
                "default",
                target_id,
                values.get(WORKFLOW_VALUE),
                now_ms,
                f"{WORKFLOW}:{self._nonce:016x}",
                RETENTION_MS,
            )
        given = {value: values.get(value) for value in VALUES["service"]}
        return Turn(
            self.directory,
            self._runs,
            self._workflows,
            typename,
            target_id,
            given,
            now_ms,
            self._nonce,
            cached,
        )

    def commit(self, address: Address, count: int, reply: Reply) -> None:
        """See `World`: what is empty is not kept."""
        super().commit(address, count, reply)
        if not self.kept.state[address]:
            del self.kept.state[address]

    def _send(self, target: Address, envelope: durable.Envelope) -> None:
        if target[0] not in (WORKFLOW, RUN, ACTIVITY):
            raise LawBroken(f"a message for {target[0]}, which nobody serves")
        content = envelope.WhichOneof("content")
        if content == "invoke" and target[0] != WORKFLOW:
            self.kept.invoked.append((target[0], envelope.invoke.id))
        if content == "done":
            self.kept.told.append((f"{target}", envelope.done.execution, envelope.done.seq))
        self.kept.mail.setdefault(target, deque()).append(envelope.SerializeToString())
