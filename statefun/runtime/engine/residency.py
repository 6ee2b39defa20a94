"""Residency: which addresses are in memory, and their values.

Law: an address is forgotten only while nothing happens at it and the store has all of its values;
then loading it again gives the same. A value that is changed before its address is loaded goes
over the stored one.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from statefun.errors import UnreadableValueError
from statefun.runtime.engine.mailbox import Mailbox

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from statefun.runtime.engine.changes import Changes
    from statefun.runtime.engine.declarations import Declaration, Declarations
    from statefun.runtime.engine.policy import Limits
    from statefun.runtime.engine.records import StoredEntry
    from statefun.sdk.address import Address

__all__ = ["Residency"]

_EVICT_LOOKS = 100
"""So many addresses, and twice those that are too many, are looked at after a commit."""


class Residency:
    """The mailboxes in memory.

    Args:
        changes: Told of each value that changes.
        limits_of: The limits of the addresses of a function, by its typename.
        share: The most bytes that the messages of one address count for in the runtime.
        max_addresses: So many addresses are kept in memory; idle ones above it are forgotten.
        max_bytes: The same for the bytes of their values.

    Attributes:
        value_bytes: The bytes of the values of all mailboxes together.
    """

    __slots__ = (
        "_changes",
        "_limits_of",
        "_mailboxes",
        "_max_addresses",
        "_max_bytes",
        "_share",
        "find",
        "value_bytes",
    )

    def __init__(
        self,
        changes: Changes,
        limits_of: Callable[[str], Limits],
        share: int,
        max_addresses: int,
        max_bytes: int,
    ) -> None:
        self._changes = changes
        self._limits_of = limits_of
        self._share = share
        self._max_addresses = max_addresses
        self._max_bytes = max_bytes
        self._mailboxes: dict[Address, Mailbox] = {}
        self.find = self._mailboxes.get
        self.value_bytes = 0

    def __len__(self) -> int:
        return len(self._mailboxes)

    def __iter__(self) -> Iterator[Mailbox]:
        return iter(self._mailboxes.values())

    def open(self, address: Address) -> Mailbox:
        """The mailbox of an address, made if it is not in memory."""
        mailbox = self._mailboxes.get(address)
        if mailbox is None:
            limits = self._limits_of(address.typename)
            mailbox = self._mailboxes[address] = Mailbox(address, limits, self._share)
        return mailbox

    # --- values -----------------------------------------------------------------------------------

    def loaded(self, address: Address, stored: Mapping[str, StoredEntry]) -> Mailbox:
        """Take in the stored values of an address in memory; returns its mailbox."""
        mailbox = self._mailboxes[address]
        values = mailbox.values = mailbox.with_edits(stored)
        mailbox.edits = None
        self.value_bytes += _size(values)
        return mailbox

    def values_of(
        self, address: Address, stored: Mapping[str, StoredEntry]
    ) -> dict[str, StoredEntry]:
        """The values of an address as they are now.

        Args:
            address: The address.
            stored: Its values in the store; used where nothing newer is in memory.
        """
        mailbox = self._mailboxes.get(address)
        if mailbox is None:
            return dict(stored)
        if mailbox.values is not None:
            return dict(mailbox.values)
        return mailbox.with_edits(stored)

    def set_value(self, mailbox: Mailbox, name: str, entry: StoredEntry | None) -> None:
        """Set or (None) remove a value."""
        values = mailbox.values
        if values is not None:
            before = values.pop(name, None)
            if entry is not None:
                values[name] = entry
                self.value_bytes += len(entry.data)
            elif before is None:
                return
            if before is not None:
                self.value_bytes -= len(before.data)
        elif mailbox.edits is None:
            mailbox.edits = {name: entry}
        else:
            mailbox.edits[name] = entry
        mailbox.changed_in = self._changes.epoch
        self._changes.value(mailbox.address, name, entry)

    def read(
        self, mailbox: Mailbox, declared: Declarations, now_ms: int
    ) -> dict[str, StoredEntry | None]:
        """All declared values of a loaded mailbox, for a request; reading counts as a use.

        Raises:
            UnreadableValueError: If the function cannot read one as it is stored; nothing counts.
        """
        values = mailbox.values
        state: dict[str, StoredEntry | None] = {}
        if values is None:
            return state
        used: list[tuple[str, StoredEntry | None]] | None = None
        for name, declaration in declared.items():
            entry = values.get(name)
            if entry is not None:
                kept = declaration.read(entry, now_ms)
                if kept is not entry:
                    used = used or []
                    used.append((name, kept))
                entry = kept
                if entry is not None and entry.typename != declaration.typename:
                    entry = _readable(mailbox.address, name, declaration, entry)
            state[name] = entry
        for name, kept in used or ():
            self.set_value(mailbox, name, kept)
        return state

    # --- eviction ---------------------------------------------------------------------------------

    @property
    def is_over(self) -> bool:
        """Whether more is in memory than should be."""
        return len(self._mailboxes) > self._max_addresses or self.value_bytes > self._max_bytes

    def evict(self) -> None:
        """Forget idle addresses of which the store has everything, the oldest first."""
        durable_epoch = self._changes.durable_epoch
        excess = max(0, len(self._mailboxes) - self._max_addresses)
        for address in list(islice(self._mailboxes, 2 * excess + _EVICT_LOOKS)):
            mailbox = self._mailboxes.pop(address)
            if mailbox.taken or mailbox.failures or mailbox.changed_in > durable_epoch:
                self._mailboxes[address] = mailbox  # to the end of the line
                continue
            self.value_bytes -= _size(mailbox.values or {})
            if not self.is_over:
                return


def _readable(
    address: Address, name: str, declaration: Declaration, entry: StoredEntry
) -> StoredEntry:
    """A value that is stored as another type than the declared one, as its function reads it."""
    readable = declaration.readable(entry)
    if readable is None:
        what = f"value {name!r}"
        raise UnreadableValueError(what, declaration.typename, entry.typename, address)
    return readable


def _size(values: Mapping[str, StoredEntry]) -> int:
    """How many bytes values have."""
    return sum(len(entry.data) for entry in values.values())
