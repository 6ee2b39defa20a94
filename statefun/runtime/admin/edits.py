"""Edits: changes that people make by hand, on a runtime that is running or on one that is not.

Law: an edit goes through an engine, the running one or one made for the purpose, and is durable
when it is answered. If it names something that is not there, nothing is changed.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, TypeAlias, assert_never

from statefun.errors import (
    EditError,
    EditTargetError,
    UnknownFunctionError,
    UnknownValueError,
    UnreadableValueError,
)
from statefun.runtime.engine.declarations import canonical_typename
from statefun.runtime.engine.records import StoredEntry
from statefun.runtime.engine.replies import CALLER

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from statefun.runtime.engine.engine import Engine
    from statefun.runtime.engine.records import DeadLetter
    from statefun.runtime.stores.base import Reader, Store
    from statefun.sdk.address import Address
    from statefun.sdk.wire import StoredValue

__all__ = [
    "CancelTimers",
    "Changed",
    "DeleteValues",
    "Drop",
    "Edit",
    "ForgetRecords",
    "Found",
    "Release",
    "ReplaceValues",
    "Replay",
    "Send",
    "SetValue",
    "apply",
    "apply_to_store",
    "find",
]


@dataclass(frozen=True, slots=True)
class Replay:
    """Send dead letters again, oldest first.

    Attributes:
        ids: Their ids; None for all that can be replayed.
        argument: What to send in place of what they were, a serialized `TypedValue`; None to send
            that.
    """

    ids: Sequence[int] | None
    argument: bytes | None = None


@dataclass(frozen=True, slots=True)
class Drop:
    """Forget dead letters.

    Attributes:
        ids: Their ids; None for all.
    """

    ids: Sequence[int] | None


@dataclass(frozen=True, slots=True)
class Release:
    """Go on with paused addresses.

    Attributes:
        addresses: Which; None for all.
    """

    addresses: Sequence[Address] | None


@dataclass(frozen=True, slots=True)
class CancelTimers:
    """Cancel delayed messages.

    Attributes:
        ids: Their ids; None for all.
    """

    ids: Sequence[int] | None


@dataclass(frozen=True, slots=True)
class SetValue:
    """Set a value of an address, whatever its type was.

    Attributes:
        address: Whose value.
        name: Its name.
        typename: The typename of its type.
        data: The serialized value.
    """

    address: Address
    name: str
    typename: str
    data: bytes


@dataclass(frozen=True, slots=True)
class DeleteValues:
    """Delete values of an address.

    Attributes:
        address: Whose values.
        names: Their names; None for all.
    """

    address: Address
    names: Sequence[str] | None


@dataclass(frozen=True, slots=True)
class ReplaceValues:
    """Replace values by what they become under the type that is declared now.

    Attributes:
        values: For each the address, its name, the value that it is, and the one that it becomes.
            It is replaced only if it is still that, and it expires as before.
    """

    values: Sequence[tuple[Address, str, StoredValue, StoredValue]]


@dataclass(frozen=True, slots=True)
class ForgetRecords:
    """Forget records that wait for an egress; only while no runtime hands them out.

    Attributes:
        ids: Their ids; None for all.
    """

    ids: Sequence[int] | None


@dataclass(frozen=True, slots=True)
class Send:
    """Send messages, as an ingress does.

    Attributes:
        messages: For each the address, and a serialized `TypedValue`.
    """

    messages: Sequence[tuple[Address, bytes]]


Edit: TypeAlias = (
    "Replay | Drop | Release | CancelTimers | SetValue | DeleteValues | ReplaceValues"
    " | ForgetRecords | Send"
)
"""Something that can be changed by hand."""

Changed: TypeAlias = "list[int] | list[str] | list[Address]"
"""The result of an edit: ids of dead letters or timers, names of values, or addresses."""


@dataclass(frozen=True, slots=True)
class Found:
    """The part of a store that an edit needs.

    Attributes:
        letters: The dead letters that it names.
        paused: The addresses that are paused.
        timers: The ids of the delayed messages that wait.
        records: The ids of the records that wait for an egress.
        values: The stored values of its address, by name.
        values_of: The same for each of several addresses.
    """

    letters: Sequence[DeadLetter] = ()
    paused: Sequence[Address] = ()
    timers: Sequence[int] = ()
    records: Sequence[int] = ()
    values: Mapping[str, StoredEntry] = field(default_factory=dict)
    values_of: Mapping[Address, Mapping[str, StoredEntry]] = field(default_factory=dict)


def find(edit: Edit, reader: Reader) -> Found:  # noqa: PLR0911 - one for each
    """Look up the part of a store that an edit needs.

    Args:
        edit: The edit.
        reader: The store; may be read in another thread than that of the engine.

    Raises:
        EditError: If it names a dead letter that is not there, or text that is not valid.
    """
    match edit:
        case Replay(ids) | Drop(ids):
            return Found(letters=_letters(ids, reader))
        case Release():
            return Found(paused=[pause.address for pause in reader.paused()])
        case CancelTimers():
            return Found(timers=[timer.seq for timer in reader.timers()])
        case ForgetRecords():
            return Found(records=[each.id for each in reader.records()])
        case SetValue(address) | DeleteValues(address):
            for text in address:
                _check_text(text)
            return Found(values=reader.load(address))
        case ReplaceValues(values):
            addresses = list(dict.fromkeys(address for address, *_ in values))
            return Found(values_of=reader.load_many(addresses))
        case Send():
            return Found()
        case _:
            assert_never(edit)


def apply(edit: Edit, engine: Engine, found: Found, now_ms: int) -> Changed:  # noqa: PLR0911 - one for each
    """Make an edit.

    Args:
        edit: The edit.
        engine: The engine that makes it; changes that wait for their commit are part of it.
        found: The part of the store that the edit needs.
        now_ms: The time.

    Returns:
        What was changed.

    Raises:
        EditError: If it cannot be made, `EditTargetError` if something that it names is not there;
            nothing was changed.
        StatefunError: If it cannot be made for another reason.
    """
    match edit:
        case Replay(ids, argument):
            return _replay(ids, argument, engine, found)
        case Drop():
            return [each.id for each in found.letters if engine.edits.forget_dead_letter(each.id)]
        case Release(addresses):
            return _release(addresses, engine, found)
        case CancelTimers(ids):
            return _cancel_timers(ids, engine, found)
        case ForgetRecords(ids):
            return _forget_records(ids, engine, found)
        case SetValue():
            return _set_value(edit, engine, found, now_ms)
        case DeleteValues():
            return _delete_values(edit, engine, found)
        case ReplaceValues():
            return _replace_values(edit, engine, found)
        case Send(messages):
            return _send(messages, engine, now_ms)
        case _:
            assert_never(edit)


def apply_to_store(edit: Edit, store: Store, now_ms: int) -> Changed:
    """Make an edit in the store of a runtime that is not running; see `apply`."""
    from statefun.runtime.engine.driver import Driver  # noqa: PLC0415 - reading needs no engine
    from statefun.runtime.engine.engine import Engine  # noqa: PLC0415 - likewise

    engine = Engine(_Anything(), {}, recovered=store.recover(with_letter_times=False))
    changed = apply(edit, engine, find(edit, store), now_ms)
    Driver(engine, store).commit()
    return changed


class _Anything:
    """Functions of a runtime that is not running: any may be one of them."""

    typenames = ()

    def knows(self, _: str, /) -> bool:
        return True


def _letters(ids: Sequence[int] | None, reader: Reader) -> list[DeadLetter]:
    if ids is None:
        return list(reader.dead_letters())
    letters = []
    for letter_id in sorted(set(ids)):
        letter = reader.dead_letter(letter_id)
        if letter is None:
            raise EditTargetError(
                f"there is no dead letter {letter_id}; nothing was changed",
                kind="dead letter",
                target=str(letter_id),
            )
        letters.append(letter)
    return letters


def _replay(
    ids: Sequence[int] | None, argument: bytes | None, engine: Engine, found: Found
) -> list[int]:
    replies = [letter.id for letter in found.letters if letter.target.typename == CALLER]
    if replies and ids is not None:
        raise EditError(
            f"{', '.join(map(str, replies))} cannot be replayed, because a reply that nobody waits "
            "for has no function to go to; nothing was changed. Name the others, or drop these"
        )
    letters = [letter for letter in found.letters if letter.target.typename != CALLER]
    if argument is not None:
        letters = [replace(letter, argument=argument) for letter in letters]
    try:
        return engine.edits.replay(letters)
    except UnknownFunctionError as error:
        gone = [each.id for each in letters if each.target.typename == error.typename]
        raise EditError(
            f"{', '.join(map(str, gone))} cannot be replayed, because no function is registered as "
            f"{error.typename!r}; nothing was changed. Name the others, or drop these"
        ) from error


def _release(addresses: Sequence[Address] | None, engine: Engine, found: Found) -> list[Address]:
    paused = dict.fromkeys(found.paused)
    chosen = paused if addresses is None else dict.fromkeys(addresses)
    for address in chosen:
        if address not in paused:
            raise EditTargetError(
                f"{address} is not paused; nothing was changed",
                kind="paused address",
                target=str(address),
            )
    return [address for address in chosen if engine.edits.release(address)]


def _cancel_timers(ids: Sequence[int] | None, engine: Engine, found: Found) -> list[int]:
    waiting = dict.fromkeys(found.timers)
    chosen = waiting if ids is None else dict.fromkeys(ids)
    for timer_id in chosen:
        if timer_id not in waiting:
            raise EditTargetError(
                f"no delayed message {timer_id} waits; nothing was changed",
                kind="delayed message",
                target=str(timer_id),
            )
    return [timer_id for timer_id in chosen if engine.edits.cancel_timer(timer_id)]


def _forget_records(ids: Sequence[int] | None, engine: Engine, found: Found) -> list[int]:
    waiting = dict.fromkeys(found.records)
    chosen = list(waiting if ids is None else dict.fromkeys(ids))
    for record_id in chosen:
        if record_id not in waiting:
            raise EditTargetError(
                f"no egress record {record_id} waits; nothing was changed",
                kind="egress record",
                target=str(record_id),
            )
    engine.egress_delivered(chosen)
    return chosen


def _set_value(edit: SetValue, engine: Engine, found: Found, now_ms: int) -> list[str]:
    _check_text(edit.name)
    _check_text(edit.typename)
    address, name, typename = edit.address, edit.name, canonical_typename(edit.typename)
    known = engine.residency.values_of(address, found.values).get(name)
    ttl_ms = 0 if known is None else known.ttl_ms
    try:
        engine.edits.set_value(address, name, StoredEntry(typename, edit.data, now_ms, ttl_ms))
    except UnknownValueError as error:
        raise EditError(f"{error}; nothing was changed") from error
    except UnreadableValueError as error:
        raise EditError(
            f"value {name!r} of {address} is declared as {error.expected!r}, and was to be set to "
            f"a {typename!r}: set it to one of the declared type (--type {error.expected})"
        ) from error
    return [name]


def _replace_values(edit: ReplaceValues, engine: Engine, found: Found) -> list[Address]:
    """Replace what is as it was said; what has changed meanwhile is of the declared type anyway."""
    replaced = []
    for address, name, before, after in edit.values:
        known = engine.residency.values_of(address, found.values_of[address]).get(name)
        if known is not None and (known.typename, known.data) == (before.typename, before.data):
            entry = known._replace(typename=after.typename, data=after.data)
            try:
                engine.edits.set_value(address, name, entry)
            except UnreadableValueError as error:
                raise EditError(
                    f"value {name!r} of {address} is declared as {error.expected!r} by the runtime "
                    f"that is running, and was to become a {after.typename!r}: deploy the function "
                    "before its values are migrated"
                ) from error
            replaced.append(address)
    return replaced


def _delete_values(edit: DeleteValues, engine: Engine, found: Found) -> list[str]:
    known = engine.residency.values_of(edit.address, found.values)
    names = sorted(known) if edit.names is None else list(edit.names)
    for name in names:
        if name not in known:
            there = ", ".join(map(repr, sorted(known))) or "none"
            raise EditTargetError(
                f"{edit.address} has no value {name!r}; values: {there}. Nothing was changed",
                kind="value",
                target=name,
            )
    for name in names:
        engine.edits.set_value(edit.address, name, None)
    return names


def _send(messages: Sequence[tuple[Address, bytes]], engine: Engine, now_ms: int) -> list[Address]:
    for address, argument in messages:
        engine.intake.check(address, argument)
    for address, argument in messages:
        engine.intake.deliver(address, argument, now_ms=now_ms)
    return [address for address, _ in messages]


def _check_text(text: str) -> None:
    """Refuse text that a store cannot keep; it would stand in the way of every commit."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise EditError(f"{text!r} is not text that can be kept as UTF-8: {error}") from error
