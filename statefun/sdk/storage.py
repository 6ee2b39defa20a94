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
    TypeMismatchError,
    UnknownValueError,
)
from statefun.sdk import _proto
from statefun.sdk.valuetypes import PrimitiveType, present_fields, serialize
from statefun.sdk.wire import Heads, HeadsOfWholes, delimited

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from statefun.sdk.batch import Batch
    from statefun.sdk.specs import ValueSpec

__all__ = ["Missing", "Storage", "StorageSpec"]


_Sent = _proto.ToFunction.PersistedValue


@dataclass(frozen=True, slots=True)
class Missing:
    """The request lacks these values, in the order of their declaration."""

    specs: tuple[ValueSpec, ...]


class Storage:
    """The values of one address: `storage.name`, `storage.name = value`, `del storage.name`.

    Reading a value that was never set, was deleted or has expired gives None. There are no other
    attributes than the values; the slot is in upper case, which no value's name may be.

    Raises:
        UnknownValueError: For a name without a spec; an `AttributeError`.
        TypeMismatchError: On reading a value that was stored as another type; a `TypeError`.
        InvalidMessageError: On assigning None (use `del`); a `ValueError`.
    """

    __slots__ = ("_CELLS",)

    _CELLS: dict[Any, Any]
    """Name → what there is of the value (see `_Field`), for each spec; then the fields whose values
    were changed → True; and once the batch is over, None → the batch."""


_SET_CELLS: Callable[[Storage, dict[Any, Any]], None] = Storage.__dict__["_CELLS"].__set__


class _Field:
    """How the value of one spec is kept while a batch runs.

    Its cell holds None if there is no value, else the bytes of the value. If the type is built in,
    and so its values immutable, the value itself takes their place once it was read or written.
    What came in encoded as nobody does it stays an object (`_Sent`) until it is read.

    Attributes:
        name_field: The name, as it stands first in a serialized PersistedValue.
        heads: For a serialized PersistedValue with a value of the right type.
        modification: For a mutation that writes, a field of the result.
        deletion: The mutation that deletes, which is the default of its kind.
        is_built_in: Whether the type is.
        keep: An assigned value → what its cell holds.
        to_bytes: What its cell holds after that → bytes.
        unpack: Bytes → the value.
    """

    __slots__ = (
        "deletion",
        "heads",
        "is_built_in",
        "keep",
        "modification",
        "name",
        "name_field",
        "to_bytes",
        "typename",
        "unpack",
    )

    def __init__(self, spec: ValueSpec) -> None:
        self.name = spec.name
        self.typename = spec.type.typename
        encoded_name, present = self.name.encode(), present_fields(self.typename)
        self.name_field = delimited(b"\x0a", encoded_name)
        self.heads = HeadsOfWholes(self.name_field + b"\x12", present)
        name_of_mutation = delimited(b"\x12", encoded_name)
        self.modification = Heads(b"\x0a", b"\x08\x01" + name_of_mutation + b"\x1a", present)
        self.deletion = delimited(b"\x0a", name_of_mutation)
        self.keep: Callable[[Any], Any]
        self.to_bytes: Callable[[Any], bytes]
        self.unpack: Callable[[bytes], Any]
        value_type = spec.type
        self.is_built_in = type(value_type) is PrimitiveType
        if type(value_type) is PrimitiveType:
            self.keep, self.to_bytes = value_type.normalise, value_type.encode
            self.unpack = value_type.decode
        else:
            self.keep, self.to_bytes = partial(serialize, value_type), _same
            self.unpack = value_type.serializer().deserialize

    def reader(self) -> Callable[[Storage], Any]:
        """The getter of the storage's property."""
        name, unpack, is_built_in = self.name, self.unpack, self.is_built_in

        def read(storage: Storage) -> Any:
            cells = storage._CELLS  # noqa: SLF001 - this is the storage's own getter
            held = cells[name]
            if type(held) is _Sent:
                held = self.open(held)
            if type(held) is not bytes:
                return held
            value = unpack(held)
            if is_built_in:
                cells[name] = value
            return value

        return read

    def open(self, sent: _proto.ToFunction.PersistedValue) -> bytes | None:
        """The bytes of a value as it came in."""
        typed = sent.state_value
        if not typed.has_value:
            return None
        if typed.typename != self.typename:
            raise TypeMismatchError(
                f"the stored value {self.name!r}", self.typename, typed.typename
            )
        return typed.value

    def mutation(self, held: Any) -> bytes:
        """A state_mutations field of the result, for what the cell holds after a change."""
        if held is None:
            return self.deletion
        data = self.to_bytes(held)
        return self.modification[len(data)] + data


def _same(data: bytes) -> bytes:
    return data


class StorageSpec:
    """All values of one function, and the class of its storage.

    Attributes:
        specs: In the order of declaration.
    """

    __slots__ = ("_by_name", "_fields", "_make", "_order", "specs")

    def __init__(self, typename: str, specs: tuple[ValueSpec, ...]) -> None:
        self.specs = specs
        self._fields = tuple(map(_Field, specs))
        self._order = self._fields
        self._by_name = {field.name: field for field in self._fields}
        self._make = _storage_class(typename, self._by_name)

    def resolve(self, state: list[bytes]) -> Storage | Missing:
        """The storage of one batch, or which values the request lacks.

        Values that are sent and not declared are ignored; if a name is sent twice, the last counts.

        Args:
            state: Serialized PersistedValues, well-formed.
        """
        cells: dict[Any, Any] = {}
        for sent, field in zip(state, self._order):  # noqa: B905 - the keyword alone costs 2 %
            size = len(sent)
            data = sent.removeprefix(field.heads[size])
            if len(data) < size:
                cells[field.name] = data
            elif sent == field.name_field:
                cells[field.name] = None
            else:
                break
        if len(cells) < len(state):
            cells = self._resolve_by_name(state)
        if len(cells) < len(self._fields):
            return Missing(tuple(spec for spec in self.specs if spec.name not in cells))
        storage = self._make()
        _SET_CELLS(storage, cells)
        return storage

    def _resolve_by_name(self, state: list[bytes]) -> dict[Any, Any]:
        """The long way: another order, a value that is not declared, or one encoded strangely."""
        values = [_Sent.FromString(sent) for sent in state]
        cells: dict[Any, Any] = {
            value.state_name: value for value in values if value.state_name in self._by_name
        }
        if len(cells) == len(self._fields) == len(values):
            # An engine has an order of its own and keeps to it: the next request will be in it.
            self._order = tuple(self._by_name[name] for name in cells)
        return cells

    def seal(self, storage: Storage, batch: Batch) -> list[bytes]:
        """What was written or deleted, at most one change a name, as fields of the result.

        Later writes raise `TurnEndedError`, since nobody would see them.
        """
        cells = storage._CELLS  # noqa: SLF001 - the spec made it
        cells[None] = batch
        mutations = []
        for field in self._fields:
            if field in cells:
                mutations.append(field.mutation(cells[field.name]))  # noqa: PERF401 - cheaper
        return mutations


def _storage_class(typename: str, by_name: Mapping[str, _Field]) -> type[Storage]:
    """A class with one property a value, and clear errors for all other names."""
    registered = tuple(by_name)

    def unknown(_: Storage, name: str) -> NoReturn:
        raise UnknownValueError(name, typename, registered)

    def refuse(batch: Batch) -> NoReturn:
        raise TurnEndedError("a write to the storage", batch.address)

    def write(storage: Storage, name: str, value: object) -> None:
        field = by_name[name] if name in by_name else unknown(storage, name)
        if value is None:
            raise InvalidMessageError(
                f"None cannot be stored as {name!r}: to delete the value write del storage.{name}"
            )
        held = field.keep(value)
        cells = storage._CELLS  # noqa: SLF001
        if None in cells:
            refuse(cells[None])
        cells[name] = held
        cells[field] = True

    def delete(storage: Storage, name: str) -> None:
        field = by_name.get(name) or unknown(storage, name)
        cells = storage._CELLS  # noqa: SLF001
        if None in cells:
            refuse(cells[None])
        cells[name] = None
        cells[field] = True

    members: dict[str, Any] = {field.name: property(field.reader()) for field in by_name.values()}
    members |= {
        "__slots__": (),
        "__getattr__": unknown,
        "__setattr__": write,
        "__delattr__": delete,
        "__doc__": f"The values of one {typename}: {', '.join(registered) or 'none'}.",
    }
    return type("Storage", (Storage,), members)
