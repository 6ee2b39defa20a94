"""Declared values and their expiration: what an engine knows of a function's state in this process.

Law: an engine forgets all declarations when its process ends, and learns them again from the
functions. A name that has been declared keeps its expiration until then, and its type unless the
function asks for it under another one, which a deploy behind an endpoint makes it do.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from statefun.errors import InvalidTypenameError, RemoteProtocolError
from statefun.runtime.engine.records import StoredEntry
from statefun.sdk.address import parse_engine_typename
from statefun.sdk.primitives import WIDER
from statefun.sdk.specs import RESERVED_NAMES
from statefun.sdk.wire import Expiration, ExpireMode, Result

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from statefun.runtime.engine.mailbox import Attempt, Mailbox
    from statefun.sdk.wire import AnyValue, MissingValue, Reply

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
    """One declared value.

    Attributes:
        typename: Its type.
        expiration: When it expires.
        upgrades: The typenames of other types that the function reads by itself.
    """

    typename: str
    expiration: Expiration
    upgrades: tuple[str, ...] = ()

    @property
    def ttl_ms(self) -> int:
        """How long a value lives after it was touched; 0 for ever."""
        return 0 if self.expiration.mode is ExpireMode.NEVER else self.expiration.millis

    def read(self, entry: StoredEntry, now_ms: int) -> StoredEntry | None:
        """The value after a request was built with it; None if it has expired.

        It has expired if it did so as it was declared before; then nobody sees it any more. A
        value that is to live shorter since a deploy lives from now on, and not longer than before.
        """
        if is_expired(entry, now_ms):
            return None
        ttl_ms, was_ms = self.ttl_ms, entry.ttl_ms
        if was_ms != ttl_ms:
            touched_ms = entry.touched_ms
            if ttl_ms and not was_ms:
                touched_ms = now_ms
            elif ttl_ms < was_ms:
                touched_ms = min(now_ms, touched_ms + was_ms - ttl_ms)
            entry = entry._replace(touched_ms=touched_ms, ttl_ms=ttl_ms)
        if self.expiration.mode is ExpireMode.AFTER_CALL:
            return entry._replace(touched_ms=now_ms)
        return entry

    def readable(self, entry: StoredEntry) -> StoredEntry | None:
        """The value as the function can read it; None if it cannot."""
        typename = entry.typename
        if typename == self.typename or typename in self.upgrades:
            return entry
        widen = WIDER.get((typename, self.typename))
        if widen is None:
            return None
        return entry._replace(typename=self.typename, data=widen(entry.data))

    def write(self, value: AnyValue, now_ms: int) -> StoredEntry:
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

    def get(self, name: str) -> Declaration | None:
        """The declaration of a value, None if there is none."""
        return self._declared.get(name)

    def declare(self, missing: Iterable[MissingValue]) -> bool:
        """Learn the values a function says it needs; all of them or none.

        The expiration of a name that is known already is not looked at, unless its type is another.

        Returns:
            Whether anything was learned.

        Raises:
            RemoteProtocolError: If one of them cannot be kept, or is there twice under two types.
        """
        learned: dict[str, Declaration] = {}
        for value in missing:
            declaration = _declaration(value)
            twin = learned.setdefault(value.name, declaration)
            if twin.typename != declaration.typename:
                raise RemoteProtocolError(
                    f"value {value.name!r} is declared as {twin.typename!r} and, in the same "
                    f"answer, as {declaration.typename!r}: give each type a name of its own",
                    value_name=value.name,
                )
        learned = {name: each for name, each in learned.items() if self._is_news(name, each)}
        self._declared |= learned
        return bool(learned)

    def _is_news(self, name: str, declaration: Declaration) -> bool:
        known = self._declared.get(name)
        facts = (declaration.typename, declaration.upgrades)
        return known is None or (known.typename, known.upgrades) != facts

    def is_outdated_by(self, reply: Reply) -> bool:
        """Whether a reply sets a value as another type than the one that is known."""
        changes = reply.mutations if isinstance(reply, Result) else None
        return any(
            change is not None
            and (known := self._declared.get(name)) is not None
            and (change.typename or UNSET) != known.typename
            for name, change in (changes or {}).items()
        )

    def of(self, name: str, change: AnyValue | None) -> Declaration:
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

    __slots__ = ("_declared", "_news", "get")

    def __init__(self) -> None:
        self._declared: dict[str, Declarations] = {}
        self._news: set[str] = set()
        self.get = self._declared.get

    def of(self, typename: str) -> Declarations:
        """The declarations of a function, which may be none."""
        return self._declared.get(typename, NONE_DECLARED)

    def take_news(self) -> list[str]:
        """The functions that have declared something since the last call, ordered."""
        news, self._news = sorted(self._news), set()
        return news

    @property
    def has_news(self) -> bool:
        """Whether `take_news` has any."""
        return bool(self._news)

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
        is_news = declared.declare(missing)
        if declared:
            self._declared[typename] = declared
        if is_news:
            self._news.add(typename)
        mailbox.asked += 1
        if mailbox.asked > _MOST_QUESTIONS:
            raise RemoteProtocolError(
                f"{mailbox.address} has asked for more values {mailbox.asked} times for one batch: "
                "ask for all of them at once, under names that do not change",
                address=mailbox.address,
            )
        if len(declared) == attempt.declared and not is_news:
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
    upgrades = tuple(map(canonical_typename, value.upgrades))
    return Declaration(canonical_typename(value.typename), expiration, upgrades)
