"""The storage of the old SDK, for programs that test their functions with it.

`make_address_storage_spec` and `resolve` make a storage without an engine, as the old ones did: its
values stand in cells, `storage._cells`, which say whether they were written. What runs functions
uses `statefun.sdk.storage` instead.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn

from statefun.errors import AlreadyRegisteredError, InvalidMessageError, UnknownValueError
from statefun.legacy.utils import from_typed_value, to_typed_value

if TYPE_CHECKING:
    from collections.abc import Iterable

    from statefun.sdk.specs import ValueSpec
    from statefun.sdk.types import Type
    from statefun.sdk.wire._proto import TypedValue

__all__ = ["Cell", "Resolution", "StorageSpec", "make_address_storage_spec", "resolve"]


class Cell:
    """One value of a storage.

    Attributes:
        tpe: Its type.
        typed_value: What is stored, None once it was deleted.
        dirty: Whether it was written or deleted.
    """

    __slots__ = ("dirty", "tpe", "typed_value")

    def __init__(self, tpe: Type[Any], typed_value: TypedValue | None) -> None:
        self.tpe = tpe
        self.typed_value = typed_value
        self.dirty = False

    def get(self) -> Any:
        """Give the value, None if there is none."""
        return from_typed_value(self.tpe, self.typed_value)

    def set(self, val: Any) -> None:
        """Set the value.

        Raises:
            InvalidMessageError: If it is None; a `ValueError`.
        """
        if val is None:
            raise InvalidMessageError("None cannot be stored: to delete a value write del")
        self.typed_value = to_typed_value(self.tpe, val)
        self.dirty = True

    def delete(self) -> None:
        """Delete the value."""
        self.typed_value = None
        self.dirty = True


@dataclass(frozen=True)
class StorageSpec:
    """The values of one function.

    Attributes:
        make_instance: Called with the cells by name and a typename; gives a storage.
        names: The names of the values.
        specs: The values, in the order of declaration.
    """

    make_instance: Any
    names: frozenset[str]
    specs: list[ValueSpec]


@dataclass(frozen=True, eq=False, repr=False)
class Resolution:
    """What `resolve` found.

    Attributes:
        missing_specs: The declared values that the request lacks, None if it has them all.
        storage: The storage, None if values are missing.
    """

    missing_specs: list[ValueSpec] | None
    storage: Any


class _CellStorage:
    """Values as attributes, each in a cell."""

    __slots__ = ("_cells", "_typename")
    _cells: dict[str, Cell]
    _typename: str

    def __init__(self, cells: dict[str, Cell], typename: str) -> None:
        object.__setattr__(self, "_cells", cells)
        object.__setattr__(self, "_typename", typename)

    def __getattr__(self, name: str) -> Any:
        return self._cell(name).get()

    def __setattr__(self, name: str, value: Any) -> None:
        self._cell(name).set(value)

    def __delattr__(self, name: str) -> None:
        self._cell(name).delete()

    def _cell(self, name: str) -> Cell:
        return self._cells[name] if name in self._cells else self._refuse(name)

    def _refuse(self, name: str) -> NoReturn:
        raise UnknownValueError(name, self._typename, tuple(self._cells))


def make_address_storage_spec(specs: list[ValueSpec]) -> StorageSpec:
    """Give the storage specification of some values.

    Args:
        specs: The values.

    Raises:
        AlreadyRegisteredError: If two have one name; a `ValueError`.
    """
    names = [spec.name for spec in specs]
    for name in names:
        if names.count(name) > 1:
            raise AlreadyRegisteredError(f"duplicate registered value name: {name}")
    return StorageSpec(_CellStorage, frozenset(names), specs)


def resolve(storage: Any, typename: str, values: Iterable[Any]) -> Resolution:
    """Give a storage for the values of a request, or the values that it lacks.

    Args:
        storage: From `make_address_storage_spec`, or the `storage_spec` of a function.
        typename: The function's typename, for errors.
        values: Objects with a `state_name` and a `state_value`, as in a `ToFunction`.
    """
    received = {each.state_name: each.state_value for each in values}
    missing = [spec for spec in storage.specs if spec.name not in received]
    if missing:
        return Resolution(missing, None)
    cells = {spec.name: Cell(spec.type, received[spec.name]) for spec in storage.specs}
    return Resolution(None, _CellStorage(cells, typename))
