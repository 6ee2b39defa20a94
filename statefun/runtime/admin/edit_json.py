"""Edits as JSON: the form in which they go over the control socket.

Law: `decode(encode(edit)) == edit`. Anything that is not the form of an edit is refused with the
part that is wrong.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from typing import TYPE_CHECKING, Any, assert_never

from statefun.errors import EditError
from statefun.runtime.admin.edits import (
    CancelTimers,
    DeleteValues,
    Drop,
    ForgetRecords,
    Release,
    ReplaceValues,
    Replay,
    Send,
    SetValue,
)
from statefun.sdk.address import Address
from statefun.sdk.wire import StoredValue

if TYPE_CHECKING:
    from collections.abc import Callable

    from statefun.runtime.admin.edits import Edit

__all__ = ["decode", "encode"]


def encode(edit: Edit) -> dict[str, Any]:  # noqa: PLR0911 - one for each
    """The JSON object of an edit."""
    match edit:
        case Replay(ids, argument):
            instead = None if argument is None else b64encode(argument).decode()
            return {"edit": "replay", "ids": _listed(ids), "argument": instead}
        case Drop(ids):
            return {"edit": "drop", "ids": _listed(ids)}
        case Release(addresses):
            named = None if addresses is None else [list(each) for each in addresses]
            return {"edit": "release", "addresses": named}
        case CancelTimers(ids):
            return {"edit": "cancel-timers", "ids": _listed(ids)}
        case SetValue(address, name, typename, data):
            where = {"address": list(address), "name": name}
            value = {"typename": typename, "data": b64encode(data).decode()}
            return {"edit": "set-value", **where, **value}
        case ForgetRecords(ids):
            return {"edit": "forget-records", "ids": _listed(ids)}
        case DeleteValues(address, names):
            return {"edit": "delete-values", "address": list(address), "names": _listed(names)}
        case ReplaceValues(values):
            replaced = [
                [*address, name, *(part for each in both for part in _typed(each))]
                for address, name, *both in values
            ]
            return {"edit": "replace-values", "values": replaced}
        case Send(messages):
            sent = [[*address, b64encode(value).decode()] for address, value in messages]
            return {"edit": "send", "messages": sent}
        case _:
            assert_never(edit)


def decode(given: object) -> Edit:
    """The edit of a JSON object.

    Raises:
        EditError: If it is not the form of an edit.
    """
    if not isinstance(given, dict):
        raise EditError(f"an edit is a JSON object, got {given!r}")
    read = _EDITS.get(str(given.get("edit")))
    if read is None:
        raise EditError(f"there is no edit {given.get('edit')!r}; known: {', '.join(_EDITS)}")
    try:
        return read(given)
    except KeyError as error:
        raise EditError(f"the edit {given!r} has no {error}") from error


def _listed(names: Any) -> list[Any] | None:
    return None if names is None else list(names)


def _ids(given: object) -> tuple[int, ...] | None:
    if given is None:
        return None
    if isinstance(given, list) and all(isinstance(each, int) for each in given):
        return tuple(given)
    raise EditError(f"{given!r} is not ids: write a list of numbers, or null for all")


def _list(given: object) -> list[Any]:
    if not isinstance(given, list):
        raise EditError(f"{given!r} is not a list")
    return given


def _address(given: object) -> Address:
    if not isinstance(given, list) or len(given) != 2:
        raise EditError(f"{given!r} is not an address: write a typename and an id")
    return Address(*map(_text, given))


def _text(given: object) -> str:
    if not isinstance(given, str):
        raise EditError(f"{given!r} is not text")
    return given


def _bytes(given: object) -> bytes:
    try:
        return b64decode(_text(given), validate=True)
    except ValueError as error:
        raise EditError(f"{given!r} is not base64: {error}") from error


def _message(given: object) -> tuple[Address, bytes]:
    parts = _list(given)
    if len(parts) != 3:
        raise EditError(f"{given!r} is not a message: write typename, id and value")
    return _address(parts[:2]), _bytes(parts[2])


def _typed(value: StoredValue) -> tuple[str, str]:
    return value.typename, b64encode(value.data).decode()


def _replacement(given: object) -> tuple[Address, str, StoredValue, StoredValue]:
    parts = _list(given)
    if len(parts) != 7:
        raise EditError(
            f"{given!r} is not a replacement: write typename, id, name, and typename and value "
            "before and after"
        )
    before, after = StoredValue(_text(parts[3]), _bytes(parts[4])), parts[5:]
    return (
        _address(parts[:2]),
        _text(parts[2]),
        before,
        StoredValue(_text(after[0]), _bytes(after[1])),
    )


def _replay(given: dict[str, Any]) -> Replay:
    argument = given.get("argument")
    return Replay(_ids(given["ids"]), None if argument is None else _bytes(argument))


def _release(given: dict[str, Any]) -> Release:
    named = given["addresses"]
    return Release(None if named is None else tuple(map(_address, _list(named))))


def _delete_values(given: dict[str, Any]) -> DeleteValues:
    names = given["names"]
    named = None if names is None else tuple(map(_text, _list(names)))
    return DeleteValues(_address(given["address"]), named)


def _set_value(given: dict[str, Any]) -> SetValue:
    where = _address(given["address"]), _text(given["name"])
    return SetValue(*where, _text(given["typename"]), _bytes(given["data"]))


_EDITS: dict[str, Callable[[dict[str, Any]], Edit]] = {
    "replay": _replay,
    "drop": lambda given: Drop(_ids(given["ids"])),
    "release": _release,
    "cancel-timers": lambda given: CancelTimers(_ids(given["ids"])),
    "forget-records": lambda given: ForgetRecords(_ids(given["ids"])),
    "set-value": _set_value,
    "replace-values": lambda given: ReplaceValues(tuple(map(_replacement, _list(given["values"])))),
    "delete-values": _delete_values,
    "send": lambda given: Send(tuple(map(_message, _list(given["messages"])))),
}
