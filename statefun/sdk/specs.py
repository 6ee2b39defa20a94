"""Specs: the declaration of one named value of an address's state, and when it expires."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from keyword import iskeyword
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from statefun.errors import AlreadyRegisteredError, InvalidSpecError, InvalidTypenameError
from statefun.sdk.address import parse_typename
from statefun.sdk.types import Type
from statefun.sdk.wire import Expiration, ExpireMode

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

__all__ = ["RESERVED_NAMES", "Upgrade", "ValueSpec", "check_names", "whole_millis"]

T = TypeVar("T")

_ONE_MILLISECOND = timedelta(milliseconds=1)

RESERVED_NAMES = frozenset({"batch", "request-state"})
"""Names under which an engine keeps state of its own for every address."""


def whole_millis(duration: timedelta) -> int:
    """Milliseconds in `duration`, exactly; anything finer is rounded down."""
    return duration // _ONE_MILLISECOND


@dataclass(frozen=True, slots=True)
class Upgrade(Generic[T]):
    """How a value that is stored as another type becomes one of the declared type.

    An int is read as a long or a double, and a float as a double, without one.

    Attributes:
        was: The type that the value was declared as by an earlier version of the function.
        by: A value of that type → a value of the declared type. It is called whenever such a value
            is read, until the function writes the value or `statefun state migrate` does, so it
            gives the same for the same. If it raises, the address is held.

    Raises:
        InvalidSpecError: If `was` is not a type, or `by` cannot be called.

    Example:
        ```python
        ValueSpec("available", LongType, upgrades=[Upgrade(was=StringType, by=int)])
        ```
    """

    was: Type[T]
    by: Callable[[T], Any]

    def __post_init__(self) -> None:
        if not isinstance(self.was, Type):
            raise InvalidSpecError(
                f"an upgrade has {self.was!r} for the type that a value was: pass a type, for "
                "example Upgrade(was=StringType, by=int)"
            )
        if not callable(self.by):
            raise InvalidSpecError(
                f"an upgrade from {self.was.typename!r} is done by {self.by!r}, which cannot be "
                "called: pass a function of one value"
            )


class ValueSpec:
    """The declaration of one value: its name, its type, and when it expires.

    Args:
        name: A lower-case Python identifier, unique within the function; `ctx.storage.<name>`.
        type: The type of the value.
        expire_after_call: Remove the value once the function has not been called for so long.
        expire_after_write: Remove the value once it has not been written for so long.
        upgrades: How values become of this type that an earlier version stored as another.

    Raises:
        InvalidSpecError: If the name, the type, its typename, an expiration (under 1 ms, or both)
            or an upgrade is not valid; it is a `ValueError` and a `TypeError`.

    Source:
        request-reply.proto, FromFunction.PersistedValueSpec and ExpirationSpec.
    """

    __slots__ = ("expiration", "name", "type", "upgrades")

    def __init__(
        self,
        name: str,
        type: Type[Any],  # noqa: A002 - a drop-in name
        expire_after_call: timedelta | None = None,
        expire_after_write: timedelta | None = None,
        *,
        upgrades: Iterable[Upgrade[Any]] = (),
    ) -> None:
        _check_name(name)
        if not isinstance(type, Type):
            raise InvalidSpecError(
                f"value {name!r} has {type!r} for a type: "
                "pass IntType, StringType, … or a type made by simple_type or make_json_type",
                name=name,
            )
        _check_type(name, type)
        self.name = name
        self.type = type
        self.expiration = _expiration(name, expire_after_call, expire_after_write)
        self.upgrades = _check_upgrades(name, type, upgrades)

    @property
    def duration(self) -> int:
        """The expiration in milliseconds, 0 if there is none."""
        return self.expiration.millis

    @property
    def after_call(self) -> bool:
        """Whether the expiration is counted from the last call."""
        return self.expiration.mode is ExpireMode.AFTER_CALL

    @property
    def after_write(self) -> bool:
        """Whether the expiration is counted from the last write."""
        return self.expiration.mode is ExpireMode.AFTER_WRITE

    def __repr__(self) -> str:
        return f"ValueSpec({self.name!r}, {self.type!r}, {self.expiration!r})"


def check_names(specs: Iterable[ValueSpec], typename: str) -> tuple[ValueSpec, ...]:
    """The specs of one function, once it is sure that no name stands twice."""
    if isinstance(specs, ValueSpec):
        raise InvalidSpecError(
            f"specs of {typename!r} must be a list: write specs=[{specs!r}]", name=typename
        )
    seen: dict[str, ValueSpec] = {}
    for spec in specs:
        if not isinstance(spec, ValueSpec):
            raise InvalidSpecError(
                f"specs of {typename!r} must be ValueSpecs, got {spec!r}", name=typename
            )
        if spec.name in seen:
            raise AlreadyRegisteredError(
                f"duplicate value name {spec.name!r} in {typename!r}: give each value its own name",
                name=spec.name,
            )
        seen[spec.name] = spec
    return tuple(seen.values())


def _check_type(name: str, value_type: Type[Any]) -> None:
    """Refuse a type that no engine could keep a value of."""
    try:
        parse_typename(value_type.typename)
    except InvalidTypenameError as error:
        raise InvalidSpecError(
            f"value {name!r} has a type with the typename {value_type.typename!r}, which is not of "
            "the form 'namespace/name': write for example 'com.example/order'",
            name=name,
        ) from error


def _check_upgrades(
    name: str, value_type: Type[Any], upgrades: Iterable[Upgrade[Any]]
) -> tuple[Upgrade[Any], ...]:
    """The upgrades of a value, once it is sure that each is for another type."""
    if isinstance(upgrades, Upgrade):
        raise InvalidSpecError(
            f"upgrades of value {name!r} must be a list: write upgrades=[Upgrade(...)]",
            name=name,
        )
    known = {value_type.typename}
    checked = tuple(upgrades)
    for upgrade in checked:
        if not isinstance(upgrade, Upgrade):
            raise InvalidSpecError(
                f"upgrades of value {name!r} must be Upgrades, got {upgrade!r}", name=name
            )
        _check_type(name, upgrade.was)
        if upgrade.was.typename in known:
            raise InvalidSpecError(
                f"value {name!r} is to be upgraded from {upgrade.was.typename!r}, which is the "
                "type that it has, or stands there twice: give each other type one upgrade",
                name=name,
            )
        known.add(upgrade.was.typename)
    return checked


def _check_name(name: str) -> None:
    if not name or not isinstance(name, str):
        raise InvalidSpecError(f"a value needs a name, got {name!r}")
    if not name.isidentifier() or iskeyword(name) or not name.islower():
        raise InvalidSpecError(
            f"invalid value name {name!r}: a name is a lower-case Python identifier "
            "and not a keyword, since it becomes an attribute of context.storage",
            name=name,
        )
    if name in RESERVED_NAMES:
        raise InvalidSpecError(
            f"the value name {name!r} is taken: the engine keeps state of its own under it. "
            "Choose another name",
            name=name,
        )
    if name.startswith("__") and name.endswith("__"):
        raise InvalidSpecError(
            f"the value name {name!r} belongs to Python: choose another name",
            name=name,
        )


def _expiration(
    name: str, after_call: timedelta | None, after_write: timedelta | None
) -> Expiration:
    if after_call is not None and after_write is not None:
        raise InvalidSpecError(
            f"value {name!r} has both expire_after_call and expire_after_write: give one of them",
            name=name,
        )
    for mode, after in (
        (ExpireMode.AFTER_CALL, after_call),
        (ExpireMode.AFTER_WRITE, after_write),
    ):
        if after is None:
            continue
        if not isinstance(after, timedelta) or whole_millis(after) < 1:
            raise InvalidSpecError(
                f"value {name!r} expires after {after!r}: "
                "an expiration is a timedelta of at least 1 ms, or None for never",
                name=name,
            )
        return Expiration(mode, whole_millis(after))
    return Expiration()
