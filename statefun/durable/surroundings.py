"""The surroundings of an execution: its address, as it is in the turn that handles it."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from statefun.durable import _proto
from statefun.durable.kept import Kept
from statefun.durable.outbox import Outbox

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from statefun.durable.declaration import Declaration
    from statefun.durable.directory import Directory
    from statefun.durable.run import Run

__all__ = ["Event", "Surroundings"]


class _Execution(Protocol):
    """What an address knows of the executions there."""

    header: _proto.Execution
    is_shared: bool
    run: Run | None

    @property
    def id(self) -> str:
        """The id of the invocation."""

    @property
    def kept_bytes(self) -> int:
        """How much is kept of it, about."""


E = TypeVar("E", bound=_Execution)


@dataclass(slots=True)
class Event(Generic[E]):
    """An event for an execution that is still to be told."""

    execution: E
    record: _proto.Record


class Surroundings(Generic[E]):
    """An address in a turn: what it keeps and sends, who runs there, and what they are to be told.

    Args:
        directory: All services.
        declaration: The one whose address it is.
        typename: The typename of the address.
        target_id: Its id.
        values: Name → what is kept, None if there is nothing.
        now_ms: The time.

    Attributes:
        limits: The limits.
        now_ms: The time, which never goes back.
        kind: The kind of the service.
        service: The name of the service.
        key: The key; empty for a service.
        kept: What it keeps.
        outbox: What it sends.
        executions: The invocations that have begun and have no outcome yet.
        events: What they are still to be told, in order.
    """

    def __init__(
        self,
        directory: Directory,
        declaration: Declaration,
        typename: str,
        target_id: str,
        values: Mapping[str, bytes | None],
        now_ms: int,
    ) -> None:
        self.directory = directory
        self.declaration = declaration
        self.limits = directory.limits
        self.typename = typename
        self.target_id = target_id
        self.kind = declaration.service_tag.kind
        self.service = declaration.service_tag.name
        self.key = "" if self.kind == "service" else target_id
        self.kept = Kept(values)
        self.outbox = Outbox(directory, typename, target_id)
        self.now_ms = max(now_ms, self.kept.host.time_ms)
        self.executions: list[E] = []
        self.events: deque[Event[E]] = deque()

    @property
    def active(self) -> E | None:
        """The execution that has the key for itself."""
        return next((each for each in self.executions if not each.is_shared), None)

    @property
    def shared_bytes(self) -> int:
        """How long the journals of shared handlers are together, about."""
        return sum(each.kept_bytes for each in self.executions if each.is_shared)

    def known(self, invocation: str) -> E | _proto.Waiting | _proto.Receipt | None:
        """Where an invocation is at this address."""
        for execution in self.executions:
            if execution.id == invocation:
                return execution
        for waiting in self.kept.queue:
            if waiting.invoke.id == invocation:
                return waiting
        receipt = self.kept.receipt
        return receipt if receipt is not None and receipt.id == invocation else None

    def tell(self, execution: E, record: _proto.Record) -> None:
        """Let an execution be told an event, once its handler waits."""
        self.events.append(Event(execution, record))

    def tell_first(self, execution: E, records: Iterable[_proto.Record]) -> None:
        """Let an execution be told events before all others, in their order."""
        self.events.extendleft(Event(execution, each) for each in reversed(list(records)))

    def answer(self, execution: E, seq: int, outcome: _proto.Outcome) -> None:
        """Complete a command of an execution here, once its handler waits."""
        self.tell(execution, _proto.Record(kind=_proto.PROMISE, seq=seq, outcome=outcome))

    def complete_promise(self, name: str, outcome: _proto.Outcome) -> None:
        """Keep the outcome of a promise, and tell everybody here who awaits it."""
        self.kept.promises[name] = outcome
        self.kept.promises_changed = True
        for execution in self.executions:
            if execution.run is not None:
                for seq in execution.run.promises.get(name, ()):
                    self.answer(execution, seq, outcome)
            elif execution.header.status == _proto.RUNNING:
                execution.header.due_ms = 1  # its replay tells whether it awaits it
