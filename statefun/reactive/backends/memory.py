"""A tree in memory: fast, and gone with the process.

A leaf costs one entry in the dictionary of its parent. Only a node with children, or one that had
some, is an object of its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from statefun.reactive.backends.base import (
    MISSING,
    Backend,
    Node,
    TreeBackend,
    apply_each,
    composed,
)
from statefun.reactive.steps import run

if TYPE_CHECKING:
    from collections.abc import Sequence

    from statefun.reactive.backends.base import Operation

__all__ = ["InMemoryBackend"]


class _Branch:
    """A node that has, or had, children: name → the child's value, or its branch."""

    __slots__ = ("children", "value")

    def __init__(self, value: Any = MISSING) -> None:
        self.value = value
        self.children: dict[str, Any] = {}

    def view(self) -> Any:
        """What reading the node gives; an empty one without a value reads `{}`."""
        children = {
            name: child.view() if type(child) is _Branch else child
            for name, child in self.children.items()
        }
        value = composed(self.value, children)
        return children if value is MISSING else value


class InMemoryBackend(TreeBackend, Backend):
    """State in memory; the stored object itself is handed out and kept.

    The root always exists, and a node goes on to exist, as `{}`, when its last child is deleted.
    """

    def __init__(self) -> None:
        self._root = _Branch()

    def _find(self, path: str) -> Any:
        """Give the branch or the value at a path, `MISSING` if there is none."""
        found: Any = self._root
        for name in path[1:].split("/") if path != "/" else ():
            if type(found) is not _Branch:
                return MISSING
            found = found.children.get(name, MISSING)
        return found

    def get(self, path: str, default: Any) -> Any:
        """Return what a path reads as, or `default` itself."""
        found = self._find(path)
        if type(found) is _Branch:
            return found.view()
        return default if found is MISSING else found

    def put(self, path: str, value: Any) -> None:
        """Write the value of a node; its children stay."""
        if path == "/":
            self._root.value = value
            return
        *above, name = path[1:].split("/")
        branch = self._root
        for each in above:
            below = branch.children.get(each, MISSING)
            if type(below) is not _Branch:
                below = branch.children[each] = _Branch(below)
            branch = below
        found = branch.children.get(name)
        if type(found) is _Branch:
            found.value = value
        else:
            branch.children[name] = value

    def remove(self, path: str) -> None:
        """Delete a node and everything below it; the root is emptied."""
        above, _, name = path.rpartition("/")
        branch = self._find(above or "/")
        if path == "/":
            self._root = _Branch()
        elif type(branch) is _Branch:
            branch.children.pop(name, None)

    def node(self, path: str) -> Node:
        """Return the node at a path."""
        found = self._find(path)
        if type(found) is _Branch:
            return Node(found.value, tuple(found.children), exists=True)
        return Node(found, (), found is not MISSING)

    def apply(self, operations: Sequence[Operation]) -> None:
        """Do all operations in order; nothing here can fail."""
        run(apply_each(self, operations))

    def keeps_empty(self, path: str) -> bool:  # noqa: ARG002 - alike everywhere
        """Tell that an emptied node goes on to exist."""
        return True
