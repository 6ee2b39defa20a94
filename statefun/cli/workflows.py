"""`statefun workflows`: workflows, and what operators do to them."""

from __future__ import annotations

import asyncio
import json
from contextlib import closing
from typing import TYPE_CHECKING, Any

from statefun.cli.arguments import (
    Actions,
    CommandError,
    parse_count,
    parse_text,
    print_json,
    print_line,
)
from statefun.cli.output import (
    describe_events,
    rfc3339,
    show_error,
    show_events,
    show_name,
    show_time,
)
from statefun.durable.outcomes import ENVELOPE_TYPE
from statefun.durable.visibility import describe_journal, invocations_at
from statefun.runtime.admin import edits
from statefun.runtime.admin.control import make_edit
from statefun.runtime.clock import SystemClock
from statefun.runtime.stores.sqlite import SqliteReader
from statefun.runtime.values import visible_values
from statefun.sdk.address import Address
from statefun.sdk.wire import encode_typed_value
from statefun.workflows import _proto
from statefun.workflows.addresses import command
from statefun.workflows.client import Client
from statefun.workflows.converter import DataConverter
from statefun.workflows.exceptions import TemporalError
from statefun.workflows.queries import QueryError, parse_query
from statefun.workflows.resets import reset_start
from statefun.workflows.status import WorkflowExecutionStatus
from statefun.workflows.visibility import WorkflowView, workflow_at

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from collections.abc import Awaitable, Callable

    from statefun.durable import _proto as durable

__all__ = ["add"]

_STATUSES = tuple(each.name.lower() for each in WorkflowExecutionStatus)


def add(commands: Any, *parents: ArgumentParser) -> None:
    """Add the command."""
    text = "look at workflows, and signal, query, update, cancel or terminate them"
    actions = Actions(commands, "workflows", text, parents)
    every = actions.add("list", run_list, "all of them, or those that fit")
    every.add_argument("--type", type=parse_text, metavar="NAME", help="only of this type")
    every.add_argument("--status", choices=_STATUSES, help="only those that are this")
    every.add_argument(
        "--query",
        type=parse_text,
        default="",
        help="only those that a query finds, such as 'CloseTime > \"2026-01-01T00:00:00Z\"'",
    )
    for name, function, sentence in (
        ("describe", run_describe, "one of them"),
        ("history", run_history, "what the current run of one was told, and did"),
    ):
        actions.add(name, function, sentence).add_argument("id", type=parse_text, metavar="ID")
    reset = actions.add(
        "reset", run_reset, "let a new run go back to an event of the current one, and go on there"
    )
    reset.add_argument("id", type=parse_text, metavar="ID")
    reset.add_argument(
        "--event",
        type=parse_count,
        required=True,
        metavar="N",
        help="the number of the event in 'history': what followed from it is done anew; 1 for all",
    )
    reset.add_argument("--reason", type=parse_text, default="", help="why")
    signal = actions.add("signal", run_signal, "signal one of them")
    _add_message(signal)
    for name, sentence in (
        ("cancel", "ask one of them to cancel: it may clean up"),
        ("terminate", "end one of them at once; nothing of its code runs any more"),
    ):
        parser = actions.add(name, run_ending, sentence)
        parser.add_argument("id", type=parse_text, metavar="ID")
        parser.add_argument("--reason", type=parse_text, default="", help="why")
    for name, asking, sentence in (
        ("query", run_query, "ask one of them; a worker answers"),
        ("update", run_update, "update one of them, and print the result; a worker answers"),
    ):
        parser = actions.add(name, asking, sentence)
        _add_message(parser)
        parser.add_argument(
            "--address",
            default="127.0.0.1:7233",
            metavar="HOST:PORT",
            help="where 'statefun run --listen' listens (default: %(default)s)",
        )


def _add_message(parser: ArgumentParser) -> None:
    parser.add_argument("id", type=parse_text, metavar="ID")
    parser.add_argument("name", type=parse_text, metavar="NAME")
    parser.add_argument("arguments", nargs="*", metavar="JSON", help="its arguments, each as JSON")


# --- looking --------------------------------------------------------------------------------------


def run_list(arguments: Namespace) -> int:
    """Print the runs that fit, ordered by id and time."""
    try:
        query = parse_query(arguments.query)
        if query.order or query.group:
            raise CommandError("--query has no ORDER BY and no GROUP BY here: leave them out")
        views = [
            each
            for each in _read(arguments.data)
            if arguments.type in (None, each.type)
            and arguments.status in (None, each.status.name.lower())
            and query.finds(each.row)
        ]
    except QueryError as error:
        raise CommandError(str(error)) from error
    views.sort(key=lambda each: (each.id, each.start_ms))
    if arguments.json:
        print_json([_describe(each) for each in views])
        return 0
    for each in views:
        print_line(_show(each))
    return 0


def run_describe(arguments: Namespace) -> int:
    """Print one of them."""
    view = _named(arguments.data, arguments.id)
    if arguments.json:
        print_json(_describe(view))
    else:
        print_line(_show(view))
    return 0


def run_history(arguments: Namespace) -> int:
    """Print what a run was told."""
    view = _named(arguments.data, arguments.id)
    journal: list[tuple[int, str, list[str]]] = []
    for records in _invocations(arguments.data, view):
        journal += describe_journal(records)
    if arguments.json:
        print_json(describe_events(journal))
    else:
        for line in show_events(journal):
            print_line(line)
    return 0


# --- doing ----------------------------------------------------------------------------------------


def run_signal(arguments: Namespace) -> int:
    """Signal; durable when it ends."""
    view = _open(arguments)
    request = _proto.Request()
    request.told.signal.name = arguments.name
    payloads = DataConverter.default.payload_converter.to_payloads(_values(arguments))
    request.told.signal.arguments.payloads.extend(payloads)
    _send(arguments.data, view, "signal", request)
    return _told(arguments, "signalled", view)


def run_ending(arguments: Namespace) -> int:
    """Cancel or terminate; durable when it ends."""
    view = _open(arguments)
    request = _proto.Request()
    if arguments.action == "cancel":
        request.told.cancel.reason = arguments.reason
    else:
        request.reason = arguments.reason
    _send(arguments.data, view, arguments.action, request)
    done = "cancelled" if arguments.action == "cancel" else "terminated"
    return _told(arguments, done, view)


def run_reset(arguments: Namespace) -> int:
    """Let a new run take the place of the current one; durable when it ends."""
    view = _named(arguments.data, arguments.id)
    records = [each for invocation in _invocations(arguments.data, view) for each in invocation]
    try:
        start = reset_start(records, arguments.event)
    except ValueError as error:
        raise CommandError(f"{error}; nothing was changed") from error
    request = _proto.Request(run_id=view.run_id, start=start, reason=arguments.reason)
    _send(arguments.data, view, "reset", request)
    return _told(arguments, "reset", view)


def run_query(arguments: Namespace) -> int:
    """Ask a worker."""
    return _ask(arguments, lambda handle, values: handle.query(arguments.name, args=values))


def run_update(arguments: Namespace) -> int:
    """Let a worker update."""
    return _ask(
        arguments, lambda handle, values: handle.execute_update(arguments.name, args=values)
    )


def _ask(arguments: Namespace, ask: Callable[[Any, list[Any]], Awaitable[Any]]) -> int:
    async def asked() -> Any:
        client = await Client.connect(arguments.address)
        try:
            return await ask(client.get_workflow_handle(arguments.id), _values(arguments))
        finally:
            await client.close()

    try:
        result = asyncio.run(asked())
    except (TemporalError, RuntimeError) as error:
        cause = f": {error.__cause__}" if isinstance(error, TemporalError) and error.cause else ""
        raise CommandError(f"{error}{cause}") from error
    print_line(json.dumps(result))
    return 0


def _values(arguments: Namespace) -> list[Any]:
    values = []
    for each in arguments.arguments:
        try:
            values.append(json.loads(each))
        except ValueError as error:
            raise CommandError(
                f"{each!r} is not JSON: write a text with its quotes, as '\"text\"'"
            ) from error
    return values


def _send(data: str, view: WorkflowView, name: str, request: _proto.Request) -> None:
    envelope = command(name, request.SerializeToString(), "")
    argument = encode_typed_value(ENVELOPE_TYPE.typename, envelope.SerializeToString())
    send = edits.Send([(Address(*view.address), argument)])
    make_edit(data, send, SystemClock().now_ms())


def _open(arguments: Namespace) -> WorkflowView:
    view = _named(arguments.data, arguments.id)
    if view.status is not WorkflowExecutionStatus.RUNNING:
        raise CommandError(
            f"the workflow {view.id!r} has ended ({view.status.name.lower()}); nothing was changed"
        )
    return view


def _told(arguments: Namespace, done: str, view: WorkflowView) -> int:
    if arguments.json:
        print_json({done: view.id})
    else:
        print_line(f"{done} {show_name(view.id)}")
    return 0


# --- reading and showing --------------------------------------------------------------------------


def _kept(reader: SqliteReader, address: Address) -> dict[str, bytes]:
    values = visible_values(reader.load(address), SystemClock().now_ms())
    return {name: value.data for name, value in values.items()}


def _invocations(data: str, view: WorkflowView) -> list[tuple[durable.Record, ...]]:
    """The journals of a run: one, unless it is not kept."""
    address = Address(*view.run_address)
    with closing(SqliteReader(data)) as reader:
        return [each.journal for each in invocations_at(address, _kept(reader, address))]


def _read(data: str) -> list[WorkflowView]:
    """Every workflow in a data directory."""
    found = []
    with closing(SqliteReader(data)) as reader:
        for typename in reader.typenames():
            if typename.startswith("workflows.") and typename.endswith("/workflow"):
                for address in reader.addresses(typename):
                    found += workflow_at(typename, _kept(reader, address))
    return found


def _named(data: str, workflow_id: str) -> WorkflowView:
    for view in _read(data):
        if view.id == workflow_id:
            return view
    raise CommandError(
        f"there is no workflow {workflow_id!r} in {data}: 'statefun workflows list' shows those "
        "there are; nothing was changed"
    )


def _describe(view: WorkflowView) -> dict[str, Any]:
    return {
        "id": view.id,
        "run_id": view.run_id,
        "type": view.type,
        "task_queue": view.task_queue,
        "namespace": view.namespace,
        "status": view.status.name.lower(),
        "started": rfc3339(view.start_ms),
        "ended": rfc3339(view.close_ms) if view.close_ms else None,
        "history_length": view.history_length or None,
        "failure": view.failure or None,
        "parent": view.parent_id or None,
        "attempt": view.attempt,
    }


def _show(view: WorkflowView) -> str:
    status = view.status.name.lower().replace("_", " ")
    parts = [show_name(view.id), show_name(view.type), status, f"on {show_name(view.task_queue)}"]
    parts.append(f"started {show_time(view.start_ms)}")
    if view.close_ms:
        parts.append(f"ended {show_time(view.close_ms)}")
    line = "  ".join(parts)
    return f"{line}: {show_error(view.failure)}" if view.failure else line
