"""The state as operations see it: the tree, or the tree under an open transaction.

The law: inside a transaction a read sees what the transaction has written, and nothing reaches the
tree before its end; outside, every read and write goes to the tree.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from statefun.reactive.backends.base import MISSING, composed
from statefun.reactive.paths import join, relative
from statefun.reactive.transactions import Transaction, current, open_transaction

if TYPE_CHECKING:
    from statefun.reactive.backends.base import Node, Tree
    from statefun.reactive.steps import Steps
    from statefun.reactive.transactions import Change

__all__ = ["State"]


class State:
    """Reads and writes canonical paths; its methods are operations for either driver.

    Args:
        tree: Where the state is.
    """

    def __init__(self, tree: Tree) -> None:
        self.tree = tree

    @property
    def transaction(self) -> Transaction | None:
        """The open transaction of this thread or task, None outside of any."""
        return current(self)

    def begin(self) -> Steps[Transaction]:
        """Make a transaction; the driver opens it, and keeps others out until its end."""
        revision = (yield self.tree.revision, ()) if self.tree.has_revisions else None
        return Transaction(self, self.tree, revision, open_transaction.get())

    def read(self, path: str) -> Steps[Any]:
        """Read a path; `MISSING` if there is nothing."""
        transaction = current(self)
        if transaction is None:
            return (yield self.tree.get, (path, MISSING))
        transaction.note_read(path)
        return (yield from transaction.overlay.get(path, MISSING))

    def read_without(self, path: str, hidden: str) -> Steps[Any]:
        """Read a path as if a path below it were not there; `MISSING` if nothing is left."""
        if hidden == path or relative(hidden, path) is None:
            return (yield from self.read(path))
        transaction = current(self)
        if transaction is None:
            node: Node = yield self.tree.node, (path,)
        else:
            transaction.note_read(path)
            node = yield from transaction.overlay.node(path)
        children = {}
        for name in node.names:
            below = join(path, name)
            if below != hidden:
                child = yield from self.read_without(below, hidden)
                if child is not MISSING:
                    children[name] = child
        return composed(node.value, children)

    def put(self, path: str, value: Any) -> Steps[None]:
        """Write a path in silence: a transaction makes no event of it."""
        transaction = current(self)
        if transaction is None:
            yield self.tree.put, (path, value)
        else:
            transaction.overlay.put(path, value)

    def write(self, path: str, value: Any, previous: Any, default: Any = None) -> Steps[None]:
        """Write a path; `previous` was read, `default` counts if that is missing."""
        transaction = current(self)
        if transaction is None:
            yield self.tree.put, (path, value)
        else:
            yield from self.changing(transaction, path, previous, default)
            transaction.overlay.put(path, value)

    def remove(self, path: str, previous: Any, *, is_announced: bool) -> Steps[None]:
        """Delete a path, of which `previous` was read, with everything below it."""
        transaction = current(self)
        if transaction is None:
            yield self.tree.remove, (path,)
        else:
            change = yield from self.changing(transaction, path, previous, None)
            change.is_deleted |= is_announced
            transaction.overlay.remove(path)

    def changing(
        self, transaction: Transaction, path: str, previous: Any, default: Any
    ) -> Steps[Change]:
        """Note a change; what counts as the value before is that of the beginning."""
        if path not in transaction.changes and not transaction.overlay.is_untouched(path):
            previous = yield self.tree.get, (path, MISSING)
        existed = previous is not MISSING
        return transaction.note_change(path, previous if existed else default, existed=existed)
