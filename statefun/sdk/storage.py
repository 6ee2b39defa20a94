"""Storage: the values of one address, as attributes, while one batch runs.

Law: a value is turned into bytes (or, if it is of a built-in type, checked and normalised) when it
is assigned, and read back as a fresh object each time, so changing an object that was assigned or
read changes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn, TypeAlias

from statefun.errors import (
    InvalidMessageError,
    TurnEndedError,
    TypeMismatchError,
    UnknownValueError,
)
from statefun.sdk import _proto
from statefun.sdk.address import sdk_address
from statefun.sdk.valuetypes import PrimitiveType, serialize

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from statefun.sdk.address import WireAddress
    from statefun.sdk.specs import ValueSpec

__all__ = ["Change", "Missing", "Storage", "StorageSpec"]


Change: TypeAlias = "tuple[str, str, bytes | None]"
"""The name and the typename of a value, and its new bytes; None if it was deleted."""


_Sent = _proto.ToFunction.PersistedValue


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
        TypeMismatchError: On reading a value that was stored as another type; a `TypeError`.
        InvalidMessageError: On assigning None (use `del`); a `ValueError`.
    """

    __slots__ = ("_CHANGED", "_VALUES")

    _VALUES: list[
        Any
    ]  # by position of the spec: a PersistedValue as sent; once used, the kept form
    _CHANGED: dict[_Field, None]  # in the order of their first change


class _Field:
    """How the value of one spec is kept while a batch runs."""

    __slots__ = ("index", "keep", "name", "read", "to_bytes", "typename", "unpack")

    def __init__(self, index: int, spec: ValueSpec) -> None:
        self.index = index
        self.name = spec.name
        self.typename = spec.type.typename
        self.keep: Callable[[Any], Any]
        self.to_bytes: Callable[[Any], bytes]
        self.unpack: Callable[[bytes], Any]
        value_type = spec.type
        if type(value_type) is PrimitiveType:  # kept as the value, which is immutable
            self.keep = value_type.normalise
            self.to_bytes = value_type.encode
            self.unpack = value_type.decode
            self.read = self._reader()
        else:  # kept as bytes
            self.keep = lambda value: serialize(value_type, value)
            self.to_bytes = self.unpack = _same
            self.read = self._reader(value_type.serializer().deserialize)

    def _reader(self, open_value: Callable[[bytes], Any] | None = None) -> Callable[[Storage], Any]:
        index = self.index

        def read(storage: Storage) -> Any:
            value = storage._VALUES[index]  # noqa: SLF001 - this is the storage's own getter
            if type(value) is _Sent:
                value = self._unpack(value, storage)
            if open_value is not None and value is not None:
                return open_value(value)
            return value

        return read

    def _unpack(self, persisted: _proto.ToFunction.PersistedValue, storage: Storage) -> Any:
        sent, kept = persisted.state_value, None
        if sent.has_value:
            if sent.typename != self.typename:
                raise TypeMismatchError(
                    f"the stored value {self.name!r}", self.typename, sent.typename
                )
            kept = self.unpack(sent.value)
        storage._VALUES[self.index] = kept  # noqa: SLF001
        return kept

    def change(self, kept: Any) -> Change:
        return self.name, self.typename, None if kept is None else self.to_bytes(kept)


def _same(data: bytes) -> bytes:
    return data


class StorageSpec:
    """All values of one function, and the class of its storage.

    Attributes:
        specs: In the order of declaration.
        names: Their names, in the same order.
    """

    __slots__ = ("_fields", "make", "names", "specs")

    def __init__(self, typename: str, specs: tuple[ValueSpec, ...]) -> None:
        self.specs = specs
        self.names = tuple(spec.name for spec in specs)
        self._fields = tuple(_Field(index, spec) for index, spec in enumerate(specs))
        self.make = _storage_class(typename, self._fields)

    def resolve(self, state: Sequence[_proto.ToFunction.PersistedValue]) -> Storage | Missing:
        """The storage of one batch, or which values the request lacks.

        Values that are sent and not declared are ignored; if a name is sent twice, the last counts.
        """
        sent = {}
        for index in range(len(state) if self.specs else 0):  # cheaper than protobuf's iterator
            value = state[index]
            sent[value.state_name] = value
        try:
            values = [sent[name] for name in self.names]
        except KeyError:
            return Missing(tuple(spec for spec in self.specs if spec.name not in sent))
        storage = self.make()
        _SET_VALUES(storage, values)
        _SET_CHANGED(storage, {})
        return storage

    def changes(self, storage: Storage) -> list[Change]:
        """What was written or deleted, at most one change a name."""
        values = storage._VALUES  # noqa: SLF001 - the spec made it
        return [field.change(values[field.index]) for field in storage._CHANGED]  # noqa: SLF001

    def seal(self, storage: Storage, target: WireAddress) -> None:
        """Make later writes raise `TurnEndedError`: nobody would see them."""
        _SET_CHANGED(storage, _Sealed(target))


class _Sealed:
    """Stands where the marks of change were, once the batch is over."""

    __slots__ = ("_target",)

    def __init__(self, target: WireAddress) -> None:
        self._target = target

    def __setitem__(self, field: _Field, changed: object) -> NoReturn:
        raise TurnEndedError("a write to the storage", sdk_address(self._target))


_SET_VALUES: Callable[[Storage, Any], None] = Storage.__dict__["_VALUES"].__set__
_SET_CHANGED: Callable[[Storage, Any], None] = Storage.__dict__["_CHANGED"].__set__


def _storage_class(typename: str, fields: tuple[_Field, ...]) -> type[Storage]:
    """A class with one property a value, and clear errors for all other names."""
    by_name = {field.name: field for field in fields}
    registered = tuple(by_name)

    def find(name: str) -> _Field:
        field = by_name.get(name)
        if field is None:
            raise UnknownValueError(name, typename, registered)
        return field

    def read_unknown(_: Storage, name: str) -> NoReturn:
        raise UnknownValueError(name, typename, registered)

    def write(storage: Storage, name: str, value: object) -> None:
        field = by_name.get(name) or find(name)
        if value is None:
            raise InvalidMessageError(
                f"None cannot be stored as {name!r}: to delete the value write del storage.{name}"
            )
        kept = field.keep(value)
        storage._CHANGED[field] = None  # noqa: SLF001
        storage._VALUES[field.index] = kept  # noqa: SLF001

    def delete(storage: Storage, name: str) -> None:
        field = find(name)
        storage._CHANGED[field] = None  # noqa: SLF001
        storage._VALUES[field.index] = None  # noqa: SLF001

    members: dict[str, Any] = {field.name: property(field.read) for field in fields}
    members |= {
        "__slots__": (),
        "__getattr__": read_unknown,
        "__setattr__": write,
        "__delattr__": delete,
        "__doc__": f"The values of one {typename}: {', '.join(registered) or 'none'}.",
    }
    return type("Storage", (Storage,), members)
