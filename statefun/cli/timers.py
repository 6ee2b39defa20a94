"""`statefun timers`: the delayed messages waiting in a data directory."""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from statefun.cli.arguments import add_data, add_json, say, say_json
from statefun.cli.state import describe, show
from statefun.runtime.sqlite import SqliteReader
from statefun.runtime.values import Value
from statefun.sdk.protocol import decode_typed_value

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from statefun.runtime.records import Timer

__all__ = ["add"]


def add(commands: Any, *parents: ArgumentParser) -> None:
    """Add the command."""
    text = "look at the delayed messages waiting, whether the runtime is running or not"
    parser = commands.add_parser("timers", help=text, description=text)
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    text = "the delayed messages waiting, in the order in which they fire"
    list_parser = actions.add_parser("list", parents=parents, help=text, description=text)
    add_data(list_parser)
    add_json(list_parser)
    list_parser.set_defaults(run=run_list)


def run_list(arguments: Namespace) -> int:
    """Print the timers."""
    with closing(SqliteReader(arguments.data)) as reader:
        timers = list(reader.timers())
    if arguments.json:
        say_json([_describe(timer) for timer in timers])
    else:
        for timer in timers:
            say(_line(timer))
    return 0


def _describe(timer: Timer) -> dict[str, Any]:
    return {
        "id": timer.seq,
        "due": _rfc3339(timer.due_ms),
        "due_ms": timer.due_ms,
        "target": timer.target._asdict(),
        "sender": timer.sender._asdict(),
        "token": timer.token or None,
        "message": describe(_value(timer)),
    }


def _line(timer: Timer) -> str:
    value = _value(timer)
    token = f", token {timer.token!r}" if timer.token else ""
    due = _rfc3339(timer.due_ms) or f"{timer.due_ms} ms"
    return (
        f"{timer.seq}  {due}  to {timer.target} from {timer.sender}: "
        f"{show(value)} ({value.typename}){token}"
    )


def _value(timer: Timer) -> Value:
    stored = decode_typed_value(timer.argument)
    return Value(stored.typename, stored.data)


def _rfc3339(millis: int) -> str | None:
    """UTC with milliseconds; None beyond the year 9999."""
    try:
        moment = datetime.fromtimestamp(millis // 1000, UTC)
    except (ValueError, OverflowError, OSError):
        return None
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{millis % 1000:03}Z"
