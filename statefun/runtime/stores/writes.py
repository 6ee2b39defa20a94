"""Writes: a delta becomes rows of the tables.

Law: many rows take one statement. A statement gives up the lock of Python while it runs, and waits
for it afterwards as long as the event loop is busy: with one for each row, a commit under load
took twice as long.
"""

from __future__ import annotations

import json
from itertools import chain, repeat
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Mapping, Sequence

    from statefun.runtime.engine.records import Delta, PendingMessage, ReceiptKey

__all__ = ["write_delta"]

_SIZES: Final = (1, 2, 4, 8, 16, 32, 64)
"""So many rows a statement can have; each of these is prepared once."""


class _Statement:
    """A statement for any number of rows, which changes nothing if a row comes twice.

    Args:
        text: The statement, with `ROWS` where the rows stand.
        row: One row.
    """

    def __init__(self, text: str, row: str) -> None:
        self._texts = [(size, text.replace("ROWS", ", ".join([row] * size))) for size in _SIZES]

    def run(self, connection: sqlite3.Connection, rows: Sequence[Sequence[Any]]) -> None:
        """Execute it for these rows, in order; the last one is repeated to fill the statement."""
        for at in range(0, len(rows), _SIZES[-1]):
            some = rows[at : at + _SIZES[-1]]
            size, text = next(each for each in self._texts if each[0] >= len(some))
            filling = repeat(some[-1], size - len(some))
            connection.execute(text, [*chain.from_iterable(chain(some, filling))])


def _insert(table: str, columns: int, otherwise: str = "") -> _Statement:
    """A statement that puts rows into a table, in the place of those that it has.

    Args:
        table: The table.
        columns: How many columns it has.
        otherwise: The SQL for a row that it has, for a table whose triggers count rows; without
            that the row is replaced.
    """
    verb = "INSERT" if otherwise else "INSERT OR REPLACE"
    row = f"({', '.join('?' * columns)})"
    return _Statement(f"{verb} INTO {table} VALUES ROWS {otherwise}", row)


def _delete(table: str, *key: str) -> _Statement:
    """A statement that removes rows by their key."""
    if len(key) == 1:
        return _Statement(f"DELETE FROM {table} WHERE {key[0]} IN (ROWS)", "?")  # noqa: S608 - ours
    row = f"({', '.join('?' * len(key))})"
    return _Statement(
        f"DELETE FROM {table} WHERE ({', '.join(key)}) IN (VALUES ROWS)",  # noqa: S608 - ours
        row,
    )


def _update(*columns: str) -> str:
    return f"ON CONFLICT DO UPDATE SET {', '.join(f'{each} = excluded.{each}' for each in columns)}"


_PUT_VALUE = _insert("state", 7, _update("value_typename", "data", "touched_ms", "ttl_ms"))
_REMOVE_VALUE = _delete("state", "typename", "id", "name")
_PUT_MESSAGE, _REMOVE_MESSAGE = _insert("message", 7), _delete("message", "seq")
_PUT_TIMER = _insert("timer", 8, "ON CONFLICT DO NOTHING")
_REMOVE_TIMER = _delete("timer", "seq")
_PUT_RECORD, _REMOVE_RECORD = _insert("outbox", 3), _delete("outbox", "id")
_PUT_LETTER = _insert(
    "dead_letter", 11, _update("error", "attempts", "first_failed_ms", "last_failed_ms")
)
_REMOVE_LETTER = _delete("dead_letter", "id")
_PUT_PAUSE, _REMOVE_PAUSE = _insert("parked", 7), _delete("parked", "typename", "id")
_PUT_FAILURE, _REMOVE_FAILURE = _insert("failure", 5), _delete("failure", "typename", "id")
_PUT_RECEIPT, _REMOVE_RECEIPT = _insert("receipt", 6), _delete("receipt", "typename", "id", "key")
_PUT_POSITION, _REMOVE_POSITION = _insert("position", 2), _delete("position", "name")
_PUT_TRIAL = _insert("trial", 3)  # all others were deleted before


def write_delta(connection: sqlite3.Connection, delta: Delta) -> None:
    """Write a delta, within the transaction that has begun.

    What is both new and gone is gone.
    """
    if delta.values:
        _write_values(connection, delta)
    if delta.messages:
        _PUT_MESSAGE.run(connection, [_message(each) for each in delta.messages])
    if delta.timers:
        _PUT_TIMER.run(
            connection,
            [
                (each.seq, each.due_ms, *each.sender, *each.target, each.argument, each.token)
                for each in delta.timers
            ],
        )
    if delta.egress:
        _PUT_RECORD.run(connection, delta.egress)
    _write_failures(connection, delta)
    for statement, numbers in (
        (_REMOVE_MESSAGE, delta.consumed),
        (_REMOVE_TIMER, delta.timers_gone),
        (_REMOVE_RECORD, delta.egress_gone),
    ):
        if numbers:
            statement.run(connection, [(number,) for number in numbers])
    if delta.receipts:
        _write_receipts(connection, delta)
    if delta.positions:
        kept = [each for each in delta.positions.items() if each[1] is not None]
        _PUT_POSITION.run(connection, kept)
        _REMOVE_POSITION.run(connection, [(name,) for name in _gone(delta.positions)])
    connection.execute("UPDATE meta SET value = ? WHERE key = 'next_seq'", (delta.next_seq,))


def _write_values(connection: sqlite3.Connection, delta: Delta) -> None:
    values = sorted(delta.values.items())  # neighbours in the tree, one after another
    _PUT_VALUE.run(
        connection,
        [(*address, name, *entry) for (address, name), entry in values if entry is not None],
    )
    _REMOVE_VALUE.run(
        connection, [(*address, name) for (address, name), entry in values if entry is None]
    )


def _message(each: PendingMessage) -> tuple[Any, ...]:
    caller = each.caller or (None, None)
    return (each.seq, *each.target, *caller, each.argument, each.topic)


def _write_failures(connection: sqlite3.Connection, delta: Delta) -> None:
    """Dead letters, paused addresses, failed attempts and trials."""
    if delta.dead_letters:
        _PUT_LETTER.run(
            connection,
            [
                (
                    *(each.id, *each.target, *(each.caller or (None, None)), each.argument),
                    *(each.error, each.attempts, each.first_failed_ms, each.last_failed_ms),
                    each.topic,
                )
                for each in delta.dead_letters.values()
                if each is not None
            ],
        )
        _REMOVE_LETTER.run(connection, [(each,) for each in _gone(delta.dead_letters)])
    if delta.paused:
        _PUT_PAUSE.run(
            connection,
            [
                (
                    *(*address, each.error, each.attempts),
                    *(each.first_failed_ms, each.last_failed_ms, each.cause),
                )
                for address, each in delta.paused.items()
                if each is not None
            ],
        )
        _REMOVE_PAUSE.run(connection, _gone(delta.paused))
    if delta.failures:
        _PUT_FAILURE.run(
            connection,
            [
                (*address, json.dumps(each.parts), each.first_failed_ms, each.deaths)
                for address, each in delta.failures.items()
                if each is not None
            ],
        )
        _REMOVE_FAILURE.run(connection, _gone(delta.failures))
    if delta.trials is not None:
        connection.execute("DELETE FROM trial")
        _PUT_TRIAL.run(connection, [(each.seq, *each.address) for each in delta.trials])
    if delta.is_running is not None:
        connection.execute("UPDATE meta SET value = ? WHERE key = 'running'", (delta.is_running,))


def _write_receipts(connection: sqlite3.Connection, delta: Delta) -> None:
    receipts = sorted(delta.receipts.items(), key=_receipt_key)
    _PUT_RECEIPT.run(
        connection,
        [
            (*address, key, each.seq, each.digest, each.taken_ms)
            for (address, key), each in receipts
            if each is not None
        ],
    )
    _REMOVE_RECEIPT.run(
        connection, [(*address, key) for (address, key), each in receipts if each is None]
    )


def _receipt_key(item: tuple[ReceiptKey, object]) -> ReceiptKey:
    return item[0]


def _gone(changes: Mapping[Any, Any]) -> list[Any]:
    """The keys whose value was removed."""
    return [key for key, change in changes.items() if change is None]
