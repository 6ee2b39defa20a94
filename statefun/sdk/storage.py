"""Storage: the values of one address, as attributes, while one batch runs.

Law: a value is turned into bytes (or, if it is of a built-in type, checked and normalised) when it
is assigned, and read back as a fresh object each time, so changing an object that was assigned or
read changes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, NoReturn

from statefun.errors import (
    InvalidMessageError,
    TurnEndedError,
    UnknownValueError,
    UnreadableValueError,
)
from statefun.sdk.primitives import WIDER, PrimitiveType, serialize
from statefun.sdk.types import UserTypeSerializer
from statefun.sdk.wire import StateField, StateLayout, UncheckedValue, accelerator

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from statefun.sdk.address import SdkAddress
    from statefun.sdk.specs import Upgrade, ValueSpec
    from statefun.sdk.types import Type
    from statefun.sdk.wire import InvocationBatch

__all__ = ["Missing", "Storage", "StorageSpec", "read_as_declared"]


@dataclass(frozen=True, slots=True)
class Missing:
    """The request lacks these values, in the order of their declaration."""

    specs: tuple[ValueSpec, ...]


class Storage:
    """The values of one address: `storage.name`, `storage.name = value`, `del storage.name`.

    Reading a value that was never set, was deleted or has expired gives None. There are no other
    attributes than the values; the slots are in upper case, which no value's name may be.

    Raises:
        UnknownValueError: For a name without a spec; an `AttributeError`.
        UnreadableValueError: On reading a value that was stored as another type, and that neither
            an upgrade nor the types themselves make one of this; a `TypeError`.
        InvalidMessageError: On assigning None (use `del`); a `ValueError`.
    """

    __slots__ = ("_CELLS", "_CHANGED")

    _CELLS: dict[str, Any]
    """Value name → its cell; see `_Field`."""

    _CHANGED: Any
    """The names of the values that were written or deleted → True; once the batch is over, the
    batch."""


# These set the slots in spite of `__setattr__`, at half the cost of `object.__setattr__`.
_SET_CELLS: Callable[[Storage, dict[str, Any]], None] = Storage.__dict__["_CELLS"].__set__
_SET_CHANGED: Callable[[Storage, Any], None] = Storage.__dict__["_CHANGED"].__set__


class _Field:
    """The kinds of content that the cell of one value has while a batch runs.

    A cell holds None if there is no value, else the bytes of the value. If the type is built in,
    and so its values immutable, the value itself replaces the bytes once it was read or written.
    A value that may be of another type stays an `UncheckedValue` until it is read. Reading it does
    not change it in the store, so whoever goes back to an earlier version finds what that left.

    Attributes:
        is_built_in: Whether the type is.
        keep: An assigned value → the content of its cell.
        to_bytes: The content of its cell after that → bytes.
        unpack: Bytes → the value.
        upgrades: Another typename → bytes of that type → bytes of this.
        on_wire: The bytes around the value.
        modification: The method of that name of `on_wire`.
    """

    __slots__ = (
        "is_built_in",
        "keep",
        "modification",
        "name",
        "on_wire",
        "to_bytes",
        "typename",
        "unpack",
        "upgrades",
    )

    def __init__(self, spec: ValueSpec) -> None:
        self.name = spec.name
        self.on_wire = StateField(spec.name, spec.type.typename)
        self.modification = self.on_wire.modification
        self.typename = spec.type.typename
        self.keep: Callable[[Any], Any]
        self.to_bytes: Callable[[Any], bytes]
        self.unpack: Callable[[bytes], Any]
        value_type = spec.type
        self.is_built_in = type(value_type) is PrimitiveType
        if type(value_type) is PrimitiveType:
            scalar = value_type.scalar
            self.keep, self.to_bytes, self.unpack = scalar.normalise, scalar.encode, scalar.decode
        else:
            self.keep, self.to_bytes = partial(serialize, value_type), _same
            serializer = value_type.serializer()
            self.unpack = serializer.deserialize
            if type(serializer) is UserTypeSerializer:  # then its function alone will do
                self.unpack = serializer.deserialize_fn
        self.upgrades = {
            upgrade.was.typename: _upgrade(upgrade, value_type) for upgrade in spec.upgrades
        }

    def reader(self) -> Callable[[Storage], Any]:
        """The getter of the storage's property."""
        name, unpack, is_built_in = self.name, self.unpack, self.is_built_in

        def read(storage: Storage) -> Any:
            cells = storage._CELLS  # noqa: SLF001 - this is the storage's own getter
            held = cells[name]
            kind = type(held)
            if kind is not bytes:
                if kind is not UncheckedValue:
                    return held
                held = cells[name] = self.check(held)
            value = unpack(held)
            if is_built_in:
                cells[name] = value
            return value

        return read

    def check_parts(self, typename: str, data: bytes) -> bytes:
        """See `check`."""
        return self.check(UncheckedValue(typename, data))

    def check(self, stored: UncheckedValue) -> bytes:
        """The bytes of a value as the declared type, whatever type it is stored as.

        Raises:
            UnreadableValueError: If it cannot be read as that.
        """
        was, declared = stored.typename, self.typename
        if was == declared:
            return stored.data
        upgrade = self.upgrades.get(was) or WIDER.get((was, declared))
        what = f"value {self.name!r}"
        if upgrade is None:
            raise UnreadableValueError(what, declared, was)
        try:
            return upgrade(stored.data)
        except Exception as error:
            reason = f"{type(error).__name__}: {error}"
            raise UnreadableValueError(what, declared, was, reason=reason) from error


def read_as_declared(spec: ValueSpec, typename: str, data: bytes) -> bytes:
    """The bytes of a stored value as the type that a spec declares.

    Args:
        spec: The declaration.
        typename: The typename that it is stored as.
        data: Its bytes.

    Raises:
        UnreadableValueError: If it cannot be read as that.
    """
    return _Field(spec).check(UncheckedValue(typename, data))


def _same(data: bytes) -> bytes:
    return data


def _upgrade(upgrade: Upgrade[Any], value_type: Type[Any]) -> Callable[[bytes], bytes]:
    """Bytes of the type that a value was → bytes of the type that it is."""
    read = upgrade.was.serializer().deserialize

    def upgraded(data: bytes) -> bytes:
        return serialize(value_type, upgrade.by(read(data)))

    return upgraded


class StorageSpec:
    """All values of one function, and the class of its storage.

    Attributes:
        specs: In the order of declaration.
        native: The same for the native core; None in pure Python.
    """

    __slots__ = ("_by_name", "_layout", "_make", "native", "specs")

    def __init__(self, typename: str, specs: tuple[ValueSpec, ...]) -> None:
        self.specs = list(specs)
        self._by_name = {spec.name: _Field(spec) for spec in specs}
        self._layout = StateLayout([field.on_wire for field in self._by_name.values()])
        self._make = _storage_class(typename, self._by_name)
        self.native = (
            None if accelerator is None else _native_layout(typename, specs, self._by_name)
        )

    def resolve(self, state: list[bytes]) -> Storage | Missing:
        """The storage of one batch, or the values that the request lacks.

        Args:
            state: From `wire.split_request`.
        """
        cells = self._layout.read(state)
        if len(cells) < len(self.specs):
            return Missing(tuple(spec for spec in self.specs if spec.name not in cells))
        storage = self._make()
        _SET_CELLS(storage, cells)
        _SET_CHANGED(storage, {})
        return storage

    def seal(self, storage: Storage, batch: InvocationBatch) -> list[bytes]:
        """The values that were written or deleted, one mutation each.

        Later writes raise `TurnEndedError`, since nobody would see them.
        """
        changed = storage._CHANGED  # noqa: SLF001 - the spec made it
        _SET_CHANGED(storage, batch)
        if not changed:
            return []
        cells, mutations = storage._CELLS, []  # noqa: SLF001
        for name in changed:
            field, held = self._by_name[name], cells[name]
            mutations.append(
                field.on_wire.deletion if held is None else field.modification(field.to_bytes(held))
            )
        return mutations


def _storage_class(typename: str, by_name: Mapping[str, _Field]) -> type[Storage]:
    """A class with one property for each value, and clear errors for all other names."""
    registered = tuple(by_name)

    def unknown(_: Storage, name: str) -> NoReturn:
        raise UnknownValueError(name, typename, registered)

    def write(storage: Storage, name: str, value: object) -> None:
        field = by_name[name] if name in by_name else unknown(storage, name)
        if value is None:
            _refuse_none(name)
        held = field.keep(value)
        changed = storage._CHANGED  # noqa: SLF001
        if type(changed) is not dict:
            _refuse_change(changed.address)
        changed[name] = True
        storage._CELLS[name] = held  # noqa: SLF001

    def delete(storage: Storage, name: str) -> None:
        if name not in by_name:
            unknown(storage, name)
        changed = storage._CHANGED  # noqa: SLF001
        if type(changed) is not dict:
            _refuse_change(changed.address)
        changed[name] = True
        storage._CELLS[name] = None  # noqa: SLF001

    members: dict[str, Any] = {field.name: property(field.reader()) for field in by_name.values()}
    members |= {
        "__slots__": (),
        "__getattr__": unknown,
        "__setattr__": write,
        "__delattr__": delete,
        "__doc__": _description(typename, registered),
    }
    return type("Storage", (Storage,), members)


def _description(typename: str, registered: tuple[str, ...]) -> str:
    return f"The values of one {typename}: {', '.join(registered) or 'none'}."


def _refuse_none(name: str) -> NoReturn:
    raise InvalidMessageError(
        f"None cannot be stored as {name!r}: to delete the value write del storage.{name}",
        argument="value",
        given="None",
    )


def _refuse_change(address: SdkAddress) -> NoReturn:
    raise TurnEndedError("a write to the storage", address)


def _native_layout(
    typename: str, specs: tuple[ValueSpec, ...], by_name: Mapping[str, _Field]
) -> Any:
    """What the native core has to know of the values; errors are raised here."""
    registered = tuple(by_name)

    def unknown(_: Storage, name: str) -> NoReturn:
        raise UnknownValueError(name, typename, registered)

    fields = [_native_field(spec.type, by_name[spec.name]) for spec in specs]
    description = _description(typename, registered)
    return accelerator.Layout(fields, unknown, _refuse_none, _refuse_change, description)


def _native_field(value_type: Type[Any], field: _Field) -> tuple[Any, ...]:
    serializer = value_type.serializer()
    return (
        field.name,
        field.typename,
        field.is_built_in,
        field.keep,
        field.to_bytes,
        field.unpack,
        field.check_parts,
        serializer.serialize_fn if type(serializer) is UserTypeSerializer else None,
    )
