"""Edits: what people change by hand, on a runtime that is running or on one that is not.

Law: an edit is a JSON object. It goes through an engine, the running one or one made for the
purpose, and is durable when it is answered; what it names and is not there makes all of it fail.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from typing import TYPE_CHECKING, Any, TypeAlias

from statefun.errors import ConfigurationError, StatefunError, UnknownFunctionError
from statefun.runtime.engine.declarations import canonical_typename
from statefun.runtime.engine.driver import Driver
from statefun.runtime.engine.engine import Engine
from statefun.runtime.engine.records import StoredEntry
from statefun.sdk.address import Address

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from statefun.runtime.engine.records import DeadLetter
    from statefun.runtime.stores.base import Reader, Store

__all__ = [
    "Edit",
    "apply",
    "apply_to_store",
    "cancel_timers",
    "delete_values",
    "drop",
    "release",
    "replay",
    "send",
    "set_value",
]

Edit: TypeAlias = "dict[str, Any]"


# --- the edits there are --------------------------------------------------------------------------


def replay(ids: Iterable[int] | None) -> Edit:
    """Send dead letters again, oldest first; None for all."""
    return {"edit": "replay", "ids": None if ids is None else list(ids)}


def drop(ids: Iterable[int] | None) -> Edit:
    """Forget dead letters; None for all."""
    return {"edit": "drop", "ids": None if ids is None else list(ids)}


def release(addresses: Iterable[Address] | None) -> Edit:
    """Go on with paused addresses; None for all."""
    named = None if addresses is None else [list(each) for each in addresses]
    return {"edit": "release", "addresses": named}


def cancel_timers(ids: Iterable[int] | None) -> Edit:
    """Cancel delayed messages; None for all."""
    return {"edit": "cancel-timers", "ids": None if ids is None else list(ids)}


def set_value(address: Address, name: str, typename: str, data: bytes) -> Edit:
    """Set a value of an address; one that is there keeps its type."""
    encoded = b64encode(data).decode()
    where = {"address": list(address), "name": name}
    return {"edit": "set-value", **where, "typename": typename, "data": encoded}


def delete_values(address: Address, names: Iterable[str] | None) -> Edit:
    """Delete values of an address; None for all."""
    named = None if names is None else list(names)
    return {"edit": "delete-values", "address": list(address), "names": named}


def send(messages: Iterable[tuple[Address, bytes]]) -> Edit:
    """Send messages; each is an address and a serialized `TypedValue`."""
    encoded = [[*address, b64encode(argument).decode()] for address, argument in messages]
    return {"edit": "send", "messages": encoded}


# --- doing them -----------------------------------------------------------------------------------


def apply(edit: Edit, engine: Engine, reader: Reader, now_ms: int) -> list[Any]:
    """Do an edit.

    Args:
        edit: What to do.
        engine: Where; what is waiting for its next commit is part of that.
        reader: What is stored.
        now_ms: The time.

    Returns:
        What was changed: ids, names, or addresses as lists.

    Raises:
        ConfigurationError: If there is no such edit, or what it names is not there.
        StatefunError: If it cannot be done.
    """
    do = _EDITS.get(str(edit.get("edit")))
    if do is None:
        raise ConfigurationError(
            f"there is no edit {edit.get('edit')!r}; known: {', '.join(_EDITS)}"
        )
    try:
        return do(edit, engine, reader, now_ms)
    except (KeyError, TypeError, ValueError) as error:
        if isinstance(error, StatefunError):
            raise
        raise ConfigurationError(f"the edit {edit!r} is incomplete: {error!r}") from error


def apply_to_store(edit: Edit, store: Store, now_ms: int) -> list[Any]:
    """Do an edit on the store of a runtime that is not running; see `apply`."""
    engine = Engine(_Anything(), {}, recovered=store.recover())
    changed = apply(edit, engine, store, now_ms)
    Driver(engine, store).commit()
    return changed


class _Anything:
    """Functions of a runtime that is not running: any may be one of them."""

    typenames = ()

    def knows(self, _: str, /) -> bool:
        return True


def _replay(edit: Edit, engine: Engine, reader: Reader, _: int) -> list[Any]:
    letters = _dead_letters(edit, reader)
    try:
        return engine.replay(letters)
    except UnknownFunctionError as error:
        gone = [each.id for each in letters if each.target.typename == error.typename]
        raise ConfigurationError(
            f"{', '.join(map(str, gone))} cannot be replayed, because no function is registered as "
            f"{error.typename!r}; nothing was changed. Name the others, or drop these"
        ) from error


def _drop(edit: Edit, engine: Engine, reader: Reader, _: int) -> list[Any]:
    letters = _dead_letters(edit, reader)
    return [letter.id for letter in letters if engine.forget_dead_letter(letter.id)]


def _dead_letters(edit: Edit, reader: Reader) -> list[DeadLetter]:
    ids = _ids(edit)
    if ids is None:
        return list(reader.dead_letters())
    letters = []
    for letter_id in sorted(set(ids)):
        letter = reader.dead_letter(letter_id)
        if letter is None:
            raise ConfigurationError(f"there is no dead letter {letter_id}; nothing was changed")
        letters.append(letter)
    return letters


def _release(edit: Edit, engine: Engine, reader: Reader, _: int) -> list[Any]:
    addresses = paused = {pause.address: None for pause in reader.paused()}
    if edit["addresses"] is not None:
        addresses = dict.fromkeys(map(_address, edit["addresses"]))
        for address in addresses:
            if address not in paused:
                raise ConfigurationError(f"{address} is not paused; nothing was changed")
    return [list(address) for address in addresses if engine.release(address)]


def _cancel_timers(edit: Edit, engine: Engine, reader: Reader, _: int) -> list[Any]:
    waiting = {timer.seq: None for timer in reader.timers()}
    given = _ids(edit)
    ids = waiting if given is None else dict.fromkeys(given)
    for timer_id in ids:
        if timer_id not in waiting:
            raise ConfigurationError(f"no delayed message {timer_id} waits; nothing was changed")
    return [timer_id for timer_id in ids if engine.cancel_timer(timer_id)]


def _set_value(edit: Edit, engine: Engine, reader: Reader, now_ms: int) -> list[Any]:
    address, name = _address(edit["address"]), _text(edit["name"])
    typename = canonical_typename(_text(edit["typename"]))
    known = _values(engine, reader, address).get(name)
    if known is not None and known.typename != typename:
        raise ConfigurationError(
            f"value {name!r} of {address} is a {known.typename!r}, and was to be set to a "
            f"{typename!r}: set it to a value of its type, or delete it first"
        )
    ttl_ms = 0 if known is None else known.ttl_ms
    entry = StoredEntry(typename, b64decode(edit["data"]), now_ms, ttl_ms)
    engine.edit_value(address, name, entry)
    return [name]


def _delete_values(edit: Edit, engine: Engine, reader: Reader, _: int) -> list[Any]:
    address = _address(edit["address"])
    known = _values(engine, reader, address)
    names = sorted(known) if edit["names"] is None else edit["names"]
    for name in names:
        if name not in known:
            there = ", ".join(map(repr, sorted(known))) or "none"
            raise ConfigurationError(
                f"{address} has no value {name!r}; values: {there}. Nothing was changed"
            )
    for name in names:
        engine.edit_value(address, name, None)
    return list(names)


def _send(edit: Edit, engine: Engine, _: Reader, now_ms: int) -> list[Any]:
    messages = [
        (_address([typename, address_id]), b64decode(argument))
        for typename, address_id, argument in edit["messages"]
    ]
    for address, argument in messages:
        engine.check(address, argument)
    for address, argument in messages:
        engine.deliver(address, argument, now_ms=now_ms)
    return [list(address) for address, _ in messages]


def _values(engine: Engine, reader: Reader, address: Address) -> dict[str, StoredEntry]:
    return engine.values_of(address, reader.load(address))


def _ids(edit: Edit) -> list[int] | None:
    ids: list[int] | None = edit["ids"]
    if ids is None or (isinstance(ids, list) and all(isinstance(each, int) for each in ids)):
        return ids
    raise ConfigurationError(f"{ids!r} are no ids: write a list of numbers, or null for all")


def _address(given: Any) -> Address:
    if not isinstance(given, list) or len(given) != 2:
        raise ConfigurationError(f"{given!r} is no address: write a typename and an id")
    return Address(*map(_text, given))


def _text(given: Any) -> str:
    """What a store can keep as text; anything else would stand in the way of every commit."""
    if not isinstance(given, str):
        raise ConfigurationError(f"{given!r} is no text")
    try:
        given.encode()
    except UnicodeEncodeError as error:
        raise ConfigurationError(f"{given!r} is no text that can be kept: {error}") from error
    return given


_EDITS: Mapping[str, Callable[[Edit, Engine, Reader, int], list[Any]]] = {
    "replay": _replay,
    "drop": _drop,
    "release": _release,
    "cancel-timers": _cancel_timers,
    "set-value": _set_value,
    "delete-values": _delete_values,
    "send": _send,
}
