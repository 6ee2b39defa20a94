"""Types of stored values: which a deploy has changed, and how each becomes what is declared now.

Law: nothing here changes anything. Which values there are comes from the counts of a store, so no
value is read to find that out.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Literal, TypeAlias

from statefun.errors import UnreadableValueError
from statefun.runtime.engine.declarations import is_expired
from statefun.sdk.primitives import WIDER
from statefun.sdk.storage import read_as_declared
from statefun.sdk.wire import StoredValue

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from statefun.runtime.engine.declarations import Declarations
    from statefun.runtime.engine.records import StoredEntry, ValueCount
    from statefun.runtime.stores.base import Reader
    from statefun.sdk.address import Address
    from statefun.sdk.functions import StatefulFunctions
    from statefun.sdk.specs import ValueSpec

__all__ = ["Migration", "TypeChange", "declared_changes", "migrations", "type_changes"]

_PAGE = 500
"""So many addresses are migrated at a time, at most."""

_PAGE_BYTES = 8 << 20

Replacement: TypeAlias = "tuple[Address, str, StoredValue, StoredValue]"
Way: TypeAlias = Literal["widened", "upgraded", "held", "unseen"]


@dataclass(frozen=True, slots=True)
class TypeChange:
    """That values of one name are stored otherwise than their function declares them.

    Attributes:
        typename: The function's.
        name: The name of the value.
        stored: The typename that they are stored as.
        declared: The typename that is declared; empty if the name is not.
        count: How many addresses have such a value.
        way: What becomes of them: they are read as the wider type, the function upgrades them,
            their addresses are held, since they cannot be read, or they stay, and nobody sees them.
    """

    typename: str
    name: str
    stored: str
    declared: str
    count: int
    way: Way

    def __str__(self) -> str:
        hold = "1 address holds" if self.count == 1 else f"{self.count} addresses hold"
        declared = f"now declared as {self.declared}" if self.declared else "now not declared"
        return (
            f"{hold} {self.name!r} of {self.typename} as {self.stored}, {declared}: "
            f"{_SENTENCES[self.way]}"
        )


_SENTENCES: dict[Way, str] = {
    "widened": "every value is read as that",
    "upgraded": "the function upgrades each value when it reads it",
    "held": "it cannot be read, so their messages wait. Give the ValueSpec an upgrade, or declare "
    "the old type",
    "unseen": "it stays, and the function does not see it. Declare it under this name to read it",
}


@dataclass(frozen=True, slots=True)
class Migration:
    """The values of a page of addresses that are stored as another type than the declared one.

    Attributes:
        values: Those that can be read, for `ReplaceValues`: address, name, before, after.
        unreadable: The addresses of others, and why each cannot be.
    """

    values: tuple[Replacement, ...]
    unreadable: tuple[tuple[Address, UnreadableValueError], ...]


def migrations(
    reader: Reader,
    functions: Sequence[StatefulFunctions],
    now_ms: int,
    typename: str | None = None,
) -> Iterator[Migration]:
    """All values that are stored as another type than these functions declare, page by page.

    Values that have expired are left out, since nobody reads them any more.

    Args:
        reader: The store. It may change meanwhile.
        functions: The functions.
        now_ms: The time.
        typename: Only those of this function; None for all.
    """
    specs = _declared_specs(functions)
    changed = dict.fromkeys(
        each.typename
        for each in type_changes(reader.value_counts(), functions)
        if each.way != "unseen"
    )
    for each in changed:
        if typename in (None, each):
            for page in _pages(reader, each):
                yield from _migrations(reader.load_many(page), specs[each], now_ms)


def _pages(reader: Reader, typename: str) -> Iterator[list[Address]]:
    """The addresses of a function; nothing is kept open between two pages."""
    page = list(islice(reader.addresses(typename), _PAGE))
    while page:
        yield page
        page = list(islice(reader.addresses(typename, page[-1].id), _PAGE))


def _migrations(
    values_of: Mapping[Address, Mapping[str, StoredEntry]],
    specs: Mapping[str, ValueSpec],
    now_ms: int,
) -> Iterator[Migration]:
    """The migrations of a page, none of them much larger than `_PAGE_BYTES`."""
    values: list[Replacement] = []
    unreadable: list[tuple[Address, UnreadableValueError]] = []
    size = 0
    for address, entries in values_of.items():
        for name, entry in entries.items():
            spec = specs.get(name)
            if spec is None or spec.type.typename == entry.typename or is_expired(entry, now_ms):
                continue
            try:
                data = read_as_declared(spec, entry.typename, entry.data)
            except UnreadableValueError as error:
                error.address = address
                unreadable.append((address, error))
                continue
            before = StoredValue(entry.typename, entry.data)
            values.append((address, name, before, StoredValue(spec.type.typename, data)))
            size += len(entry.data) + len(data)
        if size > _PAGE_BYTES:
            yield Migration(tuple(values), tuple(unreadable))
            values, unreadable, size = [], [], 0
    yield Migration(tuple(values), tuple(unreadable))


def _declared_specs(functions: Iterable[StatefulFunctions]) -> dict[str, dict[str, ValueSpec]]:
    """The values that functions declare, by the function's typename and the value's name."""
    return {
        typename: {spec.name: spec for spec in registry.for_typename(typename).storage_spec.specs}
        for registry in functions
        for typename in registry.typenames
    }


def type_changes(
    counts: Iterable[ValueCount], functions: Iterable[StatefulFunctions]
) -> Iterator[TypeChange]:
    """The values that are stored as another type than these functions declare, or not declared.

    Args:
        counts: How many there are of which.
        functions: The functions; values of others are not looked at.
    """
    specs = _declared_specs(functions)
    for each in counts:
        if each.typename not in specs:
            continue
        spec, stored = specs[each.typename].get(each.name), each.value_typename
        declared = "" if spec is None else spec.type.typename
        if declared != stored:
            way = _way(spec, stored)
            yield TypeChange(each.typename, each.name, stored, declared, each.count, way)


def declared_changes(
    counts: Iterable[ValueCount], typename: str, declared: Declarations
) -> Iterator[TypeChange]:
    """The values that are stored as another type than a function has declared by its replies.

    It may not have declared all of them yet.
    """
    for each in counts:
        known = declared.get(each.name) if each.typename == typename else None
        if known is not None and known.typename != each.value_typename:
            way = _way_between(each.value_typename, known.typename, known.upgrades)
            yield TypeChange(
                *(typename, each.name, each.value_typename, known.typename, each.count, way)
            )


def _way(spec: ValueSpec | None, stored: str) -> Way:
    if spec is None:
        return "unseen"
    upgrades = [upgrade.was.typename for upgrade in spec.upgrades]
    return _way_between(stored, spec.type.typename, upgrades)


def _way_between(stored: str, declared: str, upgrades: Sequence[str]) -> Way:
    if stored in upgrades:
        return "upgraded"
    return "widened" if (stored, declared) in WIDER else "held"
