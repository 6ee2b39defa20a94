"""Typenames and addresses: `namespace/name`, and a typename with an id."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple, Protocol

from statefun.errors import InvalidTypenameError

__all__ = ["Address", "SdkAddress", "WireAddress", "parse_typename", "sdk_address"]


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


def sdk_address(address: WireAddress) -> SdkAddress:
    """An address of the wire, as functions see it."""
    namespace, name = address.namespace, address.type
    return SdkAddress(namespace, name, address.id, f"{namespace}/{name}")


@lru_cache(maxsize=4096)
def parse_typename(typename: str) -> tuple[str, str]:
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
    return namespace, name
