"""Transactions: many writes that take effect, and are announced, as one.

Writes are held back in an overlay, so an exception leaves every backend as it was. At the end each
derived value is computed once, in the order of dependencies; then everything is applied as one;
then there is one event for each path whose value differs.
"""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from statefun.reactive.backends.base import Expect
from statefun.reactive.backends.overlay import Overlay

if TYPE_CHECKING:
    from statefun.reactive.backends.base import Operation, Tree
    from statefun.reactive.events import StateEvent

__all__ = ["Change", "Savepoint", "Transaction", "current"]


@dataclass
class Change:
    """What has become of one path.

    Attributes:
        prev_value: Its value before the first write.
        existed: Whether it had one.
        payload: The payload of the last write that is announced.
        is_announced: Whether any write of it is announced.
        is_pinged: Whether there is an event even without a difference.
        is_deleted: Whether it was deleted on the way, and with it everything below.
        is_direct: Whether somebody else than its derivation has written it.
    """

    prev_value: Any
    existed: bool
    payload: Any = None
    is_announced: bool = False
    is_pinged: bool = False
    is_deleted: bool = False
    is_direct: bool = False


@dataclass(frozen=True)
class Savepoint:
    """What a nested transaction comes back to when it fails."""

    operations: tuple[Operation, ...]
    changes: dict[str, Change]
    notices: int
    declared: int


class Transaction:
    """The writes of one transaction.

    Args:
        owner: The controller.
        tree: The tree below.
        revision: The token of the state of the tree at the beginning, None if it has no revisions.
        outer: The transaction, of another controller or ended, around it.

    Attributes:
        changes: Canonical path → its change.
        notices: Events that were delivered by hand, for the end.
        declared: Derivations that were declared, each with the one that it has replaced.
        computed: Derivation → its number of runs outside when it was last computed inside; None if
            one was going on.
        writes: How many announced writes there were, those of derivations left out.
        is_open: Whether it has not ended.
    """

    def __init__(self, owner: object, tree: Tree, revision: Any, outer: Transaction | None) -> None:
        self.owner = owner
        self.outer = outer
        self.overlay = Overlay(tree)
        self.changes: dict[str, Change] = {}
        self.notices: list[tuple[str, StateEvent[Any, Any]]] = []
        self.declared: list[tuple[Any, Any]] = []
        self.computed: dict[Any, int | None] = {}
        self.writes = 0
        self.is_open = True
        self._revision = revision
        self._reads: dict[str, None] = {}

    def note_read(self, path: str) -> None:
        """Note that a path was read, and with it everything below.

        A path that this transaction has written is noted as well: its children, or the absence of
        any, come from the tree below.
        """
        if self._revision is not None:
            self._reads[path] = None

    def note_change(self, path: str, prev_value: Any, *, existed: bool) -> Change:
        """Note a write; the value before the first one counts."""
        return self.changes.setdefault(path, Change(prev_value, existed))

    def operations(self) -> list[Operation]:
        """Give what is to be applied, and what must still be as it was read."""
        revision = self._revision
        expected = [] if revision is None else [Expect(path, revision) for path in self._reads]
        return [*expected, *self.overlay.sealed()]

    def savepoint(self) -> Savepoint:
        """Note where a nested transaction begins."""
        changes = {path: replace(change) for path, change in self.changes.items()}
        return Savepoint(self.overlay.sealed(), changes, len(self.notices), len(self.declared))

    def roll_back(self, savepoint: Savepoint) -> None:
        """Undo what a nested transaction did."""
        self.overlay.forget(len(self.overlay.operations))
        self.overlay.add(savepoint.operations)
        self.changes = savepoint.changes
        del self.notices[savepoint.notices :]


open_transaction: ContextVar[Transaction | None] = ContextVar("open_transaction", default=None)


def current(owner: object) -> Transaction | None:
    """Give the open transaction of a controller in this thread or task, None outside of any."""
    transaction = open_transaction.get()
    while transaction is not None and not (transaction.owner is owner and transaction.is_open):
        transaction = transaction.outer
    return transaction
