"""Faults: what an engine may do to the input of a function, by one word each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypeAlias, get_args

from statefun.errors import ConfigurationError
from statefun.runtime.engine.policy import Limits
from statefun.runtime.stores.memory import MemoryStore

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from statefun.runtime.engine.records import Delta, StoredEntry
    from statefun.sdk.address import Address

__all__ = ["FAULTS", "CountingStore", "ExpiringStore", "Fault", "check_faults", "limits_under"]

Fault: TypeAlias = Literal["reply-lost", "repeated", "split", "merged", "restart", "expired"]
"""`reply-lost`: a function runs, its reply does not arrive, and the batch is sent again.
`repeated`: a batch comes twice, with the state from before it, and the first reply counts.
`split`: each message comes alone. `merged`: all that waits for an address comes at once.
`restart`: the process ends after each commit. `expired`: values that can expire have expired
whenever they are read, and the process ends after each commit."""

FAULTS: tuple[Fault, ...] = get_args(Fault)
"""All of them."""

_ALL_AT_ONCE = 1_000_000


def check_faults(faults: Iterable[Fault]) -> frozenset[Fault]:
    """Give the faults, once it is sure that there are such faults.

    Raises:
        ConfigurationError: If one is unknown, or two exclude each other.
    """
    chosen: frozenset[Fault] = frozenset([faults] if isinstance(faults, str) else faults)  # type: ignore[list-item]
    for each in chosen:
        if each not in FAULTS:
            raise ConfigurationError(
                f"there is no fault {each!r}: choose of {', '.join(FAULTS)}",
                option="faults",
                given=repr(each),
            )
    if {"split", "merged"} <= chosen:
        raise ConfigurationError(
            "a batch cannot be split and merged: choose one of the two faults", option="faults"
        )
    return chosen


def limits_under(faults: frozenset[Fault]) -> Limits | None:
    """Give the limits of every address under these faults; None for what the options say."""
    if "split" in faults:
        return Limits(max_batch=1)
    return Limits(max_batch=_ALL_AT_ONCE) if "merged" in faults else None


class CountingStore(MemoryStore):
    """A store that counts its commits.

    Attributes:
        commits: How many there were.
    """

    commits = 0

    def commit(self, delta: Delta) -> None:
        """Store a delta."""
        super().commit(delta)
        self.commits += 1


class ExpiringStore(CountingStore):
    """A store in which every value that can expire has expired when it is read."""

    def load(self, address: Address) -> Mapping[str, StoredEntry]:
        """The values of an address that cannot expire."""
        found = super().load(address)
        return {name: entry for name, entry in found.items() if not entry.ttl_ms}

    def load_many(self, addresses: Sequence[Address]) -> dict[Address, Mapping[str, StoredEntry]]:
        """The same for several addresses."""
        return {address: self.load(address) for address in addresses}
