"""Typenames, patterns of typenames, and addresses: every rule of these names stands here."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple, Protocol, Self

from statefun.errors import InvalidTypenameError

__all__ = [
    "Address",
    "SdkAddress",
    "Typename",
    "TypenamePattern",
    "WireAddress",
    "log_facts",
    "parse_engine_typename",
    "parse_typename",
    "sdk_address",
]


@dataclass(frozen=True)
class SdkAddress:
    """The address of a function, as functions see it.

    Attributes:
        namespace: What stands before the last `/` of the typename.
        name: What stands behind it.
        id: The id; may be empty (a Kafka record with an empty key has the id `""`).
        typename: `namespace/name`.
    """

    namespace: str
    name: str
    id: str
    typename: str


class Typename(NamedTuple):
    """A typename in its two parts; as text it is `namespace/name`.

    Attributes:
        namespace: The part before the last `/`; may itself contain `/`.
        name: The part behind it.
    """

    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"


@dataclass(frozen=True, slots=True)
class TypenamePattern:
    """A typename, all typenames of a namespace, or all there are.

    Attributes:
        namespace: The namespace; None for all.
        name: The name; None for all names of the namespace.
    """

    namespace: str | None
    name: str | None

    @classmethod
    def parse(cls, text: str) -> Self:
        """The pattern that is written `namespace/name`, `namespace/*` or `*`.

        Raises:
            InvalidTypenameError: If it has none of these forms.
        """
        if text == "*":
            return cls(None, None)
        namespace, name = parse_typename(text)
        return cls(namespace, None if name == "*" else name)

    @staticmethod
    def candidates(typename: str) -> tuple[str, str, str]:
        """The patterns that match a typename, as text, the most specific first."""
        return typename, f"{typename.rpartition('/')[0]}/*", "*"

    def matches(self, typename: str) -> bool:
        """Whether a typename is one of those that are meant; False for a malformed one."""
        try:
            namespace, name = parse_typename(typename)
        except InvalidTypenameError:
            return False
        return self.namespace in (None, namespace) and self.name in (None, name)

    def overlaps(self, other: TypenamePattern) -> bool:
        """Whether there is a typename that both match."""
        if self.namespace is None or other.namespace is None:
            return True
        names_meet = self.name is None or other.name in (None, self.name)
        return self.namespace == other.namespace and names_meet

    def __str__(self) -> str:
        return "*" if self.namespace is None else f"{self.namespace}/{self.name or '*'}"


class Address(NamedTuple):
    """The address of a function, as engines see it: cheap to make, to hash and to compare."""

    typename: str
    id: str

    def __str__(self) -> str:
        return f"{self.typename} {self.id!r}"


class WireAddress(Protocol):
    """An address as protobuf has it."""

    namespace: str
    type: str
    id: str


class _AnyAddress(Protocol):
    @property
    def typename(self) -> str: ...
    @property
    def id(self) -> str: ...


def log_facts(address: _AnyAddress) -> dict[str, str]:
    """The facts of an address for the `extra` of a log record, the same in every log."""
    return {"statefun_typename": address.typename, "statefun_id": address.id}


def sdk_address(address: WireAddress) -> SdkAddress:
    """An address of the wire, as functions see it."""
    namespace, name = address.namespace, address.type
    return SdkAddress(namespace, name, address.id, f"{namespace}/{name}")


@lru_cache(maxsize=4096)
def parse_typename(typename: str) -> Typename:
    """Split a typename at its last `/`.

    Args:
        typename: `namespace/name`; the namespace may itself contain `/`.

    Returns:
        The namespace and the name, neither of them empty.

    Raises:
        InvalidTypenameError: If there is no `/`, or nothing before or behind the last one.
    """
    if not isinstance(typename, str):
        raise InvalidTypenameError(typename)
    namespace, slash, name = typename.rpartition("/")
    if not (slash and namespace and name):
        raise InvalidTypenameError(typename)
    try:
        typename.encode()
    except UnicodeEncodeError as error:  # a lone surrogate: no bytes can carry it
        raise InvalidTypenameError(typename) from error
    return Typename(namespace, name)


def parse_engine_typename(typename: str) -> str:
    """A typename as the engines keep it: exactly one `/`, not counting those at the end.

    The engines take an empty namespace, which `parse_typename` refuses.

    Raises:
        InvalidTypenameError: If it has another form.

    Source:
        `TypeName.parseFrom` of Flink Stateful Functions: exactly two parts.
    """
    canonical = typename.rstrip("/")
    if canonical.count("/") != 1:
        raise InvalidTypenameError(typename)
    return canonical
