"""Invocations as operators look at them: read from what addresses keep, running or not. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from statefun.durable import _proto
from statefun.durable.exceptions import TerminalError
from statefun.durable.identity import InvocationId
from statefun.durable.journal import SEGMENTS, Journal

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from statefun.sdk.address import Address

__all__ = ["STATUSES", "InvocationView", "describe_journal", "invocations_at"]

STATUSES: Final = (
    *("scheduled", "queued", "running", "backing off", "paused", "blocked"),
    *("succeeded", "failed"),
)
"""What an invocation may be. `running` is one that waits for something, too."""

_STATUS_OF: Final = {
    _proto.RUNNING: "running",
    _proto.BACKOFF: "backing off",
    _proto.PAUSED: "paused",
    _proto.BLOCKED: "blocked",
}


@dataclass(frozen=True)
class InvocationView:
    """An invocation, as an operator sees it.

    Attributes:
        id: Its id.
        address: The address that keeps it.
        service: The name of its service.
        key: The key; empty for a service.
        handler: The name of its handler; empty if it has ended and that is not kept.
        status: One of `STATUSES`.
        attempts: How many attempts in a row have failed.
        failure: Why the last one did, or the whole invocation.
        begun_ms: When it began, in milliseconds since 1970; 0 if it has not, or that is not kept.
        due_ms: When it goes on by itself, or when its outcome is forgotten; 0 for never.
        journal: What it has been told so far, oldest first.
    """

    id: str
    address: Address
    service: str
    key: str
    handler: str
    status: str
    attempts: int = 0
    failure: str = ""
    begun_ms: int = 0
    due_ms: int = 0
    journal: tuple[_proto.Record, ...] = ()


def invocations_at(address: Address, values: Mapping[str, bytes]) -> Iterator[InvocationView]:
    """The invocations that an address keeps.

    Args:
        address: The address.
        values: Name → bytes of its values.
    """
    if (kept := values.get("ticket")) is not None:
        yield _of_ticket(address, _proto.Ticket.FromString(kept))
    if (kept := values.get("host")) is not None:
        host = _proto.Host.FromString(kept)
        for execution in host.executions:
            yield _of_execution(address, execution, values)
        if host.HasField("receipt"):
            receipt = host.receipt
            ended = _ended(address, receipt.id, "", receipt.outcome, receipt.expires_ms)
            yield _with_journal(ended, host.closed, values) if host.HasField("closed") else ended
    for waiting in _proto.Queue.FromString(values.get("queue") or b"").waiting:
        status = "scheduled" if waiting.start_ms else "queued"
        yield _view(address, waiting.invoke, status, due_ms=waiting.start_ms)


def _with_journal(
    ended: InvocationView, closed: _proto.Execution, values: Mapping[str, bytes]
) -> InvocationView:
    journal = Journal({name: values.get(name, b"") for name in SEGMENTS})
    records = tuple(journal.records())
    begun_ms = records[0].time_ms if records else 0
    return replace(ended, handler=closed.handler, begun_ms=begun_ms, journal=records)


def _of_ticket(address: Address, ticket: _proto.Ticket) -> InvocationView:
    if ticket.HasField("outcome"):
        invoke = ticket.invoke
        return _ended(address, address.id, invoke.handler, ticket.outcome, ticket.due_ms)
    status = "queued" if ticket.is_forwarded else "scheduled"
    return _view(address, ticket.invoke, status, due_ms=ticket.due_ms)


def _of_execution(
    address: Address, execution: _proto.Execution, values: Mapping[str, bytes]
) -> InvocationView:
    if execution.journal:
        journal = Journal.of(execution.journal)
    else:
        journal = Journal({name: values.get(name, b"") for name in SEGMENTS})
    records = tuple(journal.records())
    service, key = _owner(execution.id)
    return InvocationView(
        id=execution.id,
        address=address,
        service=service,
        key=key,
        handler=execution.handler,
        status=_STATUS_OF.get(execution.status, "running"),
        attempts=execution.attempts,
        failure=execution.failure,
        begun_ms=records[0].time_ms if records else 0,
        due_ms=execution.due_ms,
        journal=records,
    )


def _view(
    address: Address, invoke: _proto.Invoke, status: str, *, due_ms: int = 0
) -> InvocationView:
    service, key = _owner(invoke.id)
    return InvocationView(invoke.id, address, service, key, invoke.handler, status, due_ms=due_ms)


def _ended(
    address: Address, invocation_id: str, handler: str, outcome: _proto.Outcome, due_ms: int
) -> InvocationView:
    service, key = _owner(invocation_id)
    has_failed = outcome.WhichOneof("result") == "failure"
    failure = outcome.failure
    return InvocationView(
        invocation_id,
        address,
        service,
        key,
        handler,
        "failed" if has_failed else "succeeded",
        failure=f"{failure.code} {failure.message}" if has_failed else "",
        due_ms=due_ms,
    )


def _owner(invocation_id: str) -> tuple[str, str]:
    """Service and key of an id."""
    try:
        identity = InvocationId.parse(invocation_id)
    except TerminalError:
        return "", ""
    return identity.service, identity.key


# --- the journal in words -------------------------------------------------------------------------


def describe_journal(records: tuple[_proto.Record, ...]) -> list[tuple[int, str, list[str]]]:
    """A journal in words.

    Args:
        records: Its records, oldest first.

    Returns:
        For each event: when it was told, in milliseconds since 1970; what it was; and the steps
        that the handler gave in reaction.
    """
    steps: dict[int, str] = {}
    told = []
    for record in records:
        told.append((record.time_ms, _event(record, steps), list(record.commands)))
        for name in record.commands:
            steps[len(steps)] = name
    return told


def _event(record: _proto.Record, steps: Mapping[int, str]) -> str:
    step = steps.get(record.seq, f"step {record.seq}")
    match record.kind:
        case _proto.START:
            return f"begun: {record.invoke.handler}, argument {_bytes(record.invoke.argument)}"
        case _proto.TIMER:
            return f"time is up: {step}"
        case _proto.SIGNAL:
            return f"signal {record.name!r}: {_outcome(record.outcome)}"
        case _proto.CANCEL:
            return "cancelled"
    return f"{step}: {_outcome(record.outcome)}"


def _outcome(outcome: _proto.Outcome) -> str:
    if outcome.WhichOneof("result") == "failure":
        return f"failed with {outcome.failure.code} {outcome.failure.message!r}"
    return _bytes(outcome.value)


def _bytes(data: bytes) -> str:
    """Bytes as a person reads them, cut short."""
    if not data:
        return "None"
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return f"{len(data)} bytes"
    return text if len(text) <= _LONGEST and text.isprintable() else f"{len(data)} bytes"


_LONGEST: Final = 200
