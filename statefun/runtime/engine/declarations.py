"""Declared values and their expiration: what an engine knows of a function's state in this process.

Law: an engine forgets all declarations when its process ends, and learns them again from the
functions. A name that has been declared keeps its type and its expiration until then.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from statefun.errors import InvalidTypenameError, RemoteProtocolError
from statefun.runtime.engine.records import StoredEntry
from statefun.sdk.address import parse_engine_typename
from statefun.sdk.specs import RESERVED_NAMES
from statefun.sdk.wire import Expiration, ExpireMode

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from statefun.runtime.engine.mailbox import Attempt, Mailbox
    from statefun.sdk.wire import MissingValue, StoredValue

__all__ = [
    "NONE_DECLARED",
    "UNSET",
    "Declaration",
    "Declarations",
    "DeclaredFunctions",
    "canonical_typename",
    "is_expired",
]

UNSET = "io.statefun.types/unset"
"""The type of a value that was declared without a typename."""


@lru_cache(maxsize=4096)
def canonical_typename(typename: str) -> str:
    """The typename of a value as the engines keep it.

    Args:
        typename: `namespace/name` with exactly one `/`, not counting those at the end; empty for a
            value without a type.

    Raises:
        RemoteProtocolError: If it is anything else.
    """
    if not typename:
        return UNSET
    try:
        return parse_engine_typename(typename)
    except InvalidTypenameError as error:
        raise RemoteProtocolError(
            f"the value typename {typename!r} is not of the form 'namespace/name': "
            "give the type a typename with one '/'"
        ) from error


def is_expired(entry: StoredEntry, now_ms: int) -> bool:
    """Whether a stored value has to be seen as absent.

    This is the one place that says so: for functions, for people who look at state, and for tests.
    """
    return entry.ttl_ms > 0 and entry.touched_ms + entry.ttl_ms <= now_ms


@dataclass(frozen=True, slots=True)
class Declaration:
    """One declared value: its type and when it expires."""

    typename: str
    expiration: Expiration

    @property
    def ttl_ms(self) -> int:
        """How long a value lives after it was touched; 0 for ever."""
        return 0 if self.expiration.mode is ExpireMode.NEVER else self.expiration.millis

    def read(self, entry: StoredEntry, now_ms: int) -> StoredEntry | None:
        """The value after a request was built with it; None if it has expired.

        A value that was to stay for ever, and is to expire since a deploy, lives from now on.
        """
        ttl_ms = self.ttl_ms
        if entry.ttl_ms != ttl_ms:
            touched_ms = entry.touched_ms if entry.ttl_ms else now_ms
            entry = replace(entry, touched_ms=touched_ms, ttl_ms=ttl_ms)
        if is_expired(entry, now_ms):
            return None
        if self.expiration.mode is ExpireMode.AFTER_CALL:
            return replace(entry, touched_ms=now_ms)
        return entry

    def write(self, value: StoredValue, now_ms: int) -> StoredEntry:
        """The value after a reply has set it."""
        return StoredEntry(self.typename, value.data, now_ms, self.ttl_ms)


class Declarations:
    """The declared values of one function typename."""

    __slots__ = ("_declared",)

    def __init__(self) -> None:
        self._declared: dict[str, Declaration] = {}

    def __len__(self) -> int:
        return len(self._declared)

    def items(self) -> Iterable[tuple[str, Declaration]]:
        """Name and declaration, in the order of declaration."""
        return self._declared.items()

    def __iter__(self) -> Iterator[str]:
        return iter(self._declared)

    def declare(self, missing: Iterable[MissingValue]) -> None:
        """Learn the values a function says it needs; all of them or none.

        The expiration of a name that is known already is not looked at.

        Raises:
            RemoteProtocolError: If one of them cannot be kept, or is known under another type.
        """
        learned: dict[str, Declaration] = {}
        for value in missing:
            declaration = _declaration(value)
            known = learned.get(value.name) or self._declared.get(value.name)
            if known is None:
                learned[value.name] = declaration
            elif known.typename != declaration.typename:
                raise RemoteProtocolError(
                    f"value {value.name!r} is declared as {declaration.typename!r} and was "
                    f"declared as {known.typename!r} before: give the new type another name",
                    value_name=value.name,
                )
        self._declared |= learned

    def of(self, name: str, change: StoredValue | None) -> Declaration:
        """The declaration that a change by a reply has to agree with.

        Raises:
            RemoteProtocolError: If the name was never declared, or the value is of another type.
        """
        declaration = self._declared.get(name)
        if declaration is None:
            known = ", ".join(self._declared) or "none"
            raise RemoteProtocolError(
                f"value {name!r} was changed and never declared; declared: {known}. "
                "Ask for it with an incomplete invocation context first",
                value_name=name,
            )
        if change is not None and canonical_typename(change.typename) != declaration.typename:
            raise RemoteProtocolError(
                f"value {name!r} is declared as {declaration.typename!r} and was set to a "
                f"{change.typename!r}: set it to a value of the declared type",
                value_name=name,
            )
        return declaration


NONE_DECLARED: Final = Declarations()
"""The declarations of a function that has declared no value; never changed."""

_MOST_QUESTIONS = 10
"""So often a function may ask for more values for one batch; more is an invalid reply."""


class DeclaredFunctions:
    """The declarations of all functions.

    Attributes:
        get: The declarations of a function by its typename, None if there are none.
    """

    __slots__ = ("_declared", "get")

    def __init__(self) -> None:
        self._declared: dict[str, Declarations] = {}
        self.get = self._declared.get

    def of(self, typename: str) -> Declarations:
        """The declarations of a function, which may be none."""
        return self._declared.get(typename, NONE_DECLARED)

    def declare(
        self, mailbox: Mailbox, attempt: Attempt, missing: tuple[MissingValue, ...]
    ) -> None:
        """Learn the values that a function asks for.

        Args:
            mailbox: The address that asks.
            attempt: The attempt that is answered by this.
            missing: The values.

        Raises:
            RemoteProtocolError: If one of them cannot be kept, or asking leads nowhere.
        """
        typename = mailbox.address.typename
        declared = self._declared.get(typename) or Declarations()
        declared.declare(missing)
        if declared:
            self._declared[typename] = declared
        mailbox.asked += 1
        if mailbox.asked > _MOST_QUESTIONS:
            raise RemoteProtocolError(
                f"{mailbox.address} has asked for more values {mailbox.asked} times for one batch: "
                "ask for all of them at once, under names that do not change",
                address=mailbox.address,
            )
        if len(declared) == attempt.declared:
            names = ", ".join(repr(value.name) for value in missing) or "none"
            raise RemoteProtocolError(
                f"{mailbox.address} answered that values are missing ({names}) though the request "
                "carried all that were ever declared: ask only for values that were not sent",
                address=mailbox.address,
            )


def _declaration(value: MissingValue) -> Declaration:
    if value.name in RESERVED_NAMES:
        raise RemoteProtocolError(
            f"the value name {value.name!r} is taken: the engines keep state of their own under "
            "it. Choose another name",
            value_name=value.name,
        )
    expiration = value.expiration
    if expiration.mode is not ExpireMode.NEVER and expiration.millis <= 0:
        raise RemoteProtocolError(
            f"value {value.name!r} expires after {expiration.millis} ms: "
            "an expiration is at least 1 ms",
            value_name=value.name,
        )
    return Declaration(canonical_typename(value.typename), expiration)
