"""Types of stored values: which a deploy has changed, and how each becomes what is declared now.

Law: nothing here changes anything. Which values there are comes from the counts of a store, so no
value is read to find that out.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, TypeAlias

from statefun.sdk.primitives import WIDER
from statefun.sdk.storage import read_as_declared

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from statefun.runtime.engine.records import StoredEntry, ValueCount
    from statefun.sdk.functions import StatefulFunctions
    from statefun.sdk.specs import ValueSpec

__all__ = ["TypeChange", "as_declared", "declared_specs", "type_changes"]

Way: TypeAlias = Literal["widened", "upgraded", "held"]


@dataclass(frozen=True, slots=True)
class TypeChange:
    """That values of one name are stored as another type than their function declares.

    Attributes:
        typename: The function's.
        name: The name of the value.
        stored: The typename that they are stored as.
        declared: The typename that is declared.
        count: How many addresses have such a value.
        way: What becomes of them: they are read as the wider type, the function upgrades them, or
            their addresses are held, since they cannot be read.
    """

    typename: str
    name: str
    stored: str
    declared: str
    count: int
    way: Way

    def __str__(self) -> str:
        hold = "1 address holds" if self.count == 1 else f"{self.count} addresses hold"
        return (
            f"{hold} {self.name!r} of {self.typename} as {self.stored}, now declared as "
            f"{self.declared}: {_SENTENCES[self.way]}"
        )


_SENTENCES: dict[Way, str] = {
    "widened": "every value is read as that",
    "upgraded": "the function upgrades each value when it reads it",
    "held": "it cannot be read, so their messages wait. Give the ValueSpec an upgrade, or declare "
    "the old type",
}


def declared_specs(functions: Iterable[StatefulFunctions]) -> dict[str, dict[str, ValueSpec]]:
    """The values that functions declare, by the function's typename and the value's name."""
    return {
        typename: {spec.name: spec for spec in registry.for_typename(typename).storage_spec.specs}
        for registry in functions
        for typename in registry.typenames
    }


def type_changes(
    counts: Iterable[ValueCount], functions: Iterable[StatefulFunctions]
) -> Iterator[TypeChange]:
    """The values that are stored as another type than these functions declare.

    Args:
        counts: How many there are of which.
        functions: The functions; values of others are not looked at.
    """
    specs = declared_specs(functions)
    for each in counts:
        spec = specs.get(each.typename, {}).get(each.name)
        if spec is not None and spec.type.typename != each.value_typename:
            stored, declared = each.value_typename, spec.type.typename
            way = _way(spec, stored)
            yield TypeChange(each.typename, each.name, stored, declared, each.count, way)


def as_declared(
    values: Mapping[str, StoredEntry], specs: Mapping[str, ValueSpec]
) -> Iterator[tuple[str, StoredEntry]]:
    """The values of one address that are stored as another type, as those that are declared.

    Raises:
        UnreadableValueError: If one of them cannot be read as that.
    """
    for name, entry in values.items():
        spec = specs.get(name)
        if spec is not None and spec.type.typename != entry.typename:
            data = read_as_declared(spec, entry.typename, entry.data)
            yield name, replace(entry, typename=spec.type.typename, data=data)


def _way(spec: ValueSpec, stored: str) -> Way:
    if any(upgrade.was.typename == stored for upgrade in spec.upgrades):
        return "upgraded"
    return "widened" if (stored, spec.type.typename) in WIDER else "held"
