"""Pending writes and deletes over a tree, read as if they were done.

The cache and transactions both are an overlay. The law: `get` gives what the tree below would give
after `tree.apply(overlay.operations)`. A flat tree has no children to merge: there it holds path by
path.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from statefun.reactive.backends.base import MISSING, Delete, Expect, Node, Write, composed
from statefun.reactive.paths import join, parts, relative

if TYPE_CHECKING:
    from collections.abc import Iterable

    from statefun.reactive.backends.base import Operation, Tree
    from statefun.reactive.steps import Steps

__all__ = ["Overlay"]


class _Pending:
    """What is pending at one node.

    Attributes:
        value: The value that was written, `MISSING` if none was.
        is_erased: Whether the node was deleted, so that nothing below shines through.
        is_open: Whether the tree below shines through although a node above was deleted: it is
            mounted here.
        is_made: Whether the node exists for the sake of a pending write, at it or below.
        children: The nodes below at which something is pending.
    """

    __slots__ = ("children", "is_erased", "is_made", "is_open", "value")

    def __init__(self) -> None:
        self.value: Any = MISSING
        self.is_erased = False
        self.is_made = False
        self.is_open = False
        self.children: dict[str, _Pending] = {}

    def hides(self, *, is_hidden: bool) -> bool:
        """Whether the tree below is hidden here, where it is or is not at the node above."""
        return self.is_erased or (is_hidden and not self.is_open)


class Overlay:
    """Pending operations over a tree; its methods are operations for either driver.

    Args:
        tree: The tree below.
    """

    def __init__(self, tree: Tree) -> None:
        self.tree = tree
        self.operations: list[Operation] = []
        self._root = _Pending()
        self._last: dict[str, int] = {}  # path → its write that a later one may take the place of

    def sealed(self) -> tuple[Operation, ...]:
        """Give the operations so far, to be applied; later ones are added behind them."""
        self._last.clear()
        return tuple(self.operations)

    def forget(self, count: int) -> None:
        """Forget the oldest operations, since they were applied."""
        rest = self.operations[count:]
        self.operations = []
        self._root = _Pending()
        self._last.clear()
        self.add(rest)

    def add(self, operations: Iterable[Operation]) -> None:
        """Note operations in order."""
        for operation in operations:
            match operation:
                case Write(path, value):
                    self.put(path, value)
                case Delete(path):
                    self.remove(path)
                case Expect():
                    self.operations.append(operation)

    def put(self, path: str, value: Any) -> None:
        """Note a write."""
        if path in self._last:
            self.operations[self._last[path]] = Write(path, value)
        else:
            self._last[path] = len(self.operations)
            self.operations.append(Write(path, value))
        pending = self._root
        for name in parts(path):
            pending.is_made = True
            pending = pending.children.setdefault(name, _Pending())
        pending.is_made = True
        pending.value = value

    def remove(self, path: str) -> None:
        """Note a delete."""
        self._last.clear()
        self.operations.append(Delete(path))
        pending = self._root
        for name in parts(path):
            pending = pending.children.setdefault(name, _Pending())
        pending.value = MISSING
        pending.is_erased = True
        pending.is_made = False
        if not self.tree.is_flat(path):
            former, pending.children = pending.children, {}
            for mount in self.tree.mounts_below(path):
                _keep(former, pending, parts(relative(mount, path) or "/"))

    def get(self, path: str, default: Any) -> Steps[Any]:
        """Read a path as if everything pending were done."""
        pending, is_hidden = self._pending(path)
        value = yield from self._view(path, pending, is_hidden=is_hidden)
        return default if value is MISSING else value

    def node(self, path: str) -> Steps[Node]:
        """Give a node as if everything pending were done."""
        pending, is_hidden = self._pending(path)
        below = yield from self._below(path, is_hidden=is_hidden)
        if pending is None:
            return below
        names = dict.fromkeys(below.names)
        children = {} if self.tree.is_flat(path) else pending.children
        for name, child in children.items():
            hides = child.hides(is_hidden=is_hidden)
            if (yield from self._view(join(path, name), child, is_hidden=hides)) is MISSING:
                names.pop(name, None)
            else:
                names[name] = None
        value = below.value if pending.value is MISSING else pending.value
        exists = bool(names) or value is not MISSING
        return Node(value, tuple(names), exists or self._is_kept(path, pending, below))

    def is_untouched(self, path: str) -> bool:
        """Whether nothing is pending at, above or below a path."""
        return self._pending(path) == (None, False)

    def _pending(self, path: str) -> tuple[_Pending | None, bool]:
        """Find what is pending at a path, and whether the tree below is hidden there."""
        pending, is_hidden = self._root, self._root.is_erased
        for name in parts(path):
            found = pending.children.get(name)
            if found is None:
                return None, is_hidden and not self.tree.is_flat(path)
            pending = found
            is_hidden = pending.hides(is_hidden=is_hidden)
        return pending, pending.is_erased if self.tree.is_flat(path) else is_hidden

    def _below(self, path: str, *, is_hidden: bool) -> Steps[Node]:
        if is_hidden:
            return Node(MISSING, (), exists=False)
        node: Node = yield self.tree.node, (path,)
        return node

    def _view(self, path: str, pending: _Pending | None, *, is_hidden: bool) -> Steps[Any]:
        if pending is None:
            return MISSING if is_hidden else (yield self.tree.get, (path, MISSING))
        below = yield from self._below(path, is_hidden=is_hidden)
        value = below.value if pending.value is MISSING else pending.value
        if self.tree.is_flat(path):
            return value
        children = {}
        for name in dict.fromkeys([*below.names, *pending.children]):
            child = pending.children.get(name)
            hides = child.hides(is_hidden=is_hidden) if child else is_hidden
            seen = yield from self._view(join(path, name), child, is_hidden=hides)
            if seen is not MISSING:
                children[name] = seen
        value = composed(value, children)
        if value is MISSING and self._is_kept(path, pending, below):
            return {}
        return value

    def _is_kept(self, path: str, pending: _Pending, below: Node) -> bool:
        """Whether a node without value and children exists all the same."""
        existed = below.exists or pending.is_made or path == "/"
        return existed and self.tree.keeps_empty(path)


def _keep(former: dict[str, _Pending], pending: _Pending, names: list[str]) -> None:
    """Keep what is pending where another tree is mounted, when a node above is deleted."""
    *above, last = names
    for name in above:
        former = former[name].children if name in former else {}
        pending = pending.children.setdefault(name, _Pending())
    kept = pending.children[last] = former.get(last, _Pending())
    kept.is_open = True
