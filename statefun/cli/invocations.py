"""`statefun invocations`: invocations of durable handlers, and what operators do to them."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Any

from statefun.cli.arguments import (
    Actions,
    CommandError,
    parse_seconds,
    parse_text,
    print_json,
    print_line,
)
from statefun.cli.output import (
    describe_address,
    describe_events,
    rfc3339,
    show_error,
    show_events,
    show_name,
    show_time,
)
from statefun.durable.identity import InvocationId
from statefun.durable.messages import command
from statefun.durable.recording import recordings_of
from statefun.durable.visibility import STATUSES, describe_journal, invocations_at
from statefun.runtime.admin import edits
from statefun.runtime.admin.control import make_edit
from statefun.runtime.clock import SystemClock
from statefun.runtime.stores.sqlite import SqliteReader
from statefun.runtime.values import visible_values

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from collections.abc import Iterable, Iterator

    from statefun.durable.visibility import InvocationView
    from statefun.sdk.address import Address

__all__ = ["add"]

_DONE = {
    "cancel": "cancelled",
    "kill": "killed",
    "pause": "paused",
    "resume": "resumed",
}
_ENDED = ("succeeded", "failed")
_STATE = "io.statefun.durable.v1/state"


def add(commands: Any, *parents: ArgumentParser) -> None:
    """Add the command."""
    text = "look at invocations of durable handlers, and cancel, kill, pause or resume them"
    actions = Actions(commands, "invocations", text, parents)
    _add_filters(actions.add("list", run_list, "all of them, or those that fit"))
    describe = actions.add("describe", run_describe, "one of them, with its journal in words")
    describe.add_argument("id", type=parse_text, metavar="ID")
    export = actions.add(
        "export", run_export, "print those that have begun as recordings, for 'statefun replay'"
    )
    _add_ids(export)
    for name, text in (
        ("cancel", "let them clean up and end: their next wait raises an error of code 409"),
        ("kill", "end them at once; nothing of their handlers runs any more"),
        ("pause", "hold them until they are resumed"),
        ("resume", "let those that are paused go on, with a fresh series of attempts"),
    ):
        _add_ids(actions.add(name, run_operation, text))
    _add_ids(actions.add("purge", run_purge, "forget the outcomes of those that have ended"))


def _add_ids(parser: ArgumentParser) -> None:
    parser.add_argument("ids", nargs="+", type=parse_text, metavar="ID")


def _add_filters(parser: ArgumentParser) -> None:
    parser.add_argument("--service", type=parse_text, metavar="NAME", help="only of this service")
    parser.add_argument("--key", type=parse_text, metavar="KEY", help="only of this key")
    parser.add_argument("--status", choices=STATUSES, help="only those that are this")
    parser.add_argument(
        "--older-than",
        type=parse_seconds,
        metavar="SECONDS",
        help="only those that began so long ago, or longer",
    )


def run_list(arguments: Namespace) -> int:
    """Print those that fit, ordered by service and key."""
    now_ms = SystemClock().now_ms()
    views = [each for each in _read(arguments.data) if _fits(each, arguments, now_ms)]
    views.sort(key=lambda each: (each.service, each.key, each.begun_ms, each.id))
    if arguments.json:
        print_json([_describe(each) for each in views])
        return 0
    for each in views:
        print_line(_show(each))
    return 0


def _fits(view: InvocationView, arguments: Namespace, now_ms: int) -> bool:
    oldest = arguments.older_than
    return (
        arguments.service in (None, view.service)
        and arguments.key in (None, view.key)
        and arguments.status in (None, view.status)
        and (oldest is None or 0 < view.begun_ms <= now_ms - int(oldest * 1000))
    )


def run_describe(arguments: Namespace) -> int:
    """Print one of them."""
    [view] = _named(arguments.data, [arguments.id])
    journal = describe_journal(view.journal)
    if arguments.json:
        print_json(_describe(view) | {"journal": describe_events(journal)})
    else:
        print_line(_show(view))
        for line in show_events(journal):
            print_line(f"  {line}")
    return 0


def run_export(arguments: Namespace) -> int:
    """Print recordings, one in each line."""
    found = {
        each.invocation_id: each
        for address, kept in _addresses(arguments.data)
        for each in recordings_of(address, kept)
    }
    for each in arguments.ids:
        if each not in found:
            raise CommandError(
                f"no invocation {each!r} runs in {arguments.data}, so it has no journal: "
                "'statefun invocations list --status running' shows those that do"
            )
    for each in dict.fromkeys(arguments.ids):
        print_line(found[each].to_json())
    return 0


def run_operation(arguments: Namespace) -> int:
    """Cancel, kill, pause or resume; durable when it ends."""
    what = arguments.action
    views = _named(arguments.data, arguments.ids)
    for view in views:
        if view.status in _ENDED:
            raise CommandError(
                f"the invocation {view.id} has {view.status}, so there is nothing to {what}; "
                "nothing was changed"
            )
    messages = [(each.address, command(what, InvocationId.parse(each.id))) for each in views]
    make_edit(arguments.data, edits.Send(messages), SystemClock().now_ms())
    return _told(arguments, _DONE[what], views)


def run_purge(arguments: Namespace) -> int:
    """Forget outcomes; durable when it ends."""
    views = _named(arguments.data, arguments.ids)
    for view in views:
        if view.status not in _ENDED:
            raise CommandError(
                f"the invocation {view.id} has not ended, it is {view.status}: kill it first; "
                "nothing was changed"
            )
    for view in views:
        edit = edits.DeleteValues(view.address, None)
        make_edit(arguments.data, edit, SystemClock().now_ms())
    return _told(arguments, "purged", views)


def _told(arguments: Namespace, done: str, views: list[InvocationView]) -> int:
    if arguments.json:
        print_json({done: [each.id for each in views]})
    else:
        print_line(f"{done} {', '.join(each.id for each in views)}")
    return 0


# --- reading --------------------------------------------------------------------------------------


def _read(data: str) -> Iterable[InvocationView]:
    """Every invocation in a data directory, once."""
    found: dict[str, InvocationView] = {}
    for view in _kept(data):
        known = found.get(view.id)
        if known is None or known.status == "queued":  # a ticket, whose object knows more
            found[view.id] = view
    return found.values()


def _kept(data: str) -> Iterator[InvocationView]:
    for address, kept in _addresses(data):
        yield from invocations_at(address, kept)


def _addresses(data: str) -> Iterator[tuple[Address, dict[str, bytes]]]:
    """Each address with the values that durable handlers keep there."""
    now_ms = SystemClock().now_ms()
    with closing(SqliteReader(data)) as reader:
        for typename in reader.typenames():
            for address in reader.addresses(typename):
                values = visible_values(reader.load(address), now_ms)
                kept = {
                    name: value.data for name, value in values.items() if value.typename == _STATE
                }
                yield address, kept


def _named(data: str, ids: list[str]) -> list[InvocationView]:
    """The invocations with these ids."""
    found = {view.id: view for view in _read(data)}
    for each in ids:
        if each not in found:
            raise CommandError(
                f"there is no invocation {each!r} in {data}: 'statefun invocations list' shows "
                "those there are; nothing was changed"
            )
    return [found[each] for each in dict.fromkeys(ids)]


# --- showing --------------------------------------------------------------------------------------


def _describe(view: InvocationView) -> dict[str, Any]:
    return {
        "id": view.id,
        "service": view.service,
        "key": view.key or None,
        "handler": view.handler or None,
        "status": view.status,
        "attempts": view.attempts,
        "failure": view.failure or None,
        "begun": rfc3339(view.begun_ms) if view.begun_ms else None,
        "due": rfc3339(view.due_ms) if view.due_ms else None,
        "address": describe_address(view.address),
    }


def _show(view: InvocationView) -> str:
    where = "/".join(show_name(each) for each in (view.service, view.key, view.handler) if each)
    parts = [view.id, where, view.status]
    if view.begun_ms:
        parts.append(f"begun {show_time(view.begun_ms)}")
    if view.due_ms:
        word = "kept until" if view.status in _ENDED else "due"
        parts.append(f"{word} {show_time(view.due_ms)}")
    line = "  ".join(parts)
    if view.attempts:
        line += f", {view.attempts} attempts failed"
    return f"{line}: {show_error(view.failure)}" if view.failure else line
