"""A sync backend for `ControllerAsync`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from statefun.reactive.backends.base import AsyncBackend, Node, TreeBackend, tree_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from statefun.reactive.backends.base import Backend, ForeignChange, Operation

__all__ = ["AsyncifyBackend", "asyncified"]


class AsyncifyBackend(TreeBackend, AsyncBackend):
    """Calls a sync backend straight through: no thread, so a slow backend blocks the event loop.

    Args:
        sync_backend: The backend.
    """

    def __init__(self, sync_backend: Backend) -> None:
        self.sync_backend = sync_backend
        self._tree = tree_of(sync_backend)
        self.is_flat = self._tree.is_flat
        self.has_revisions = self._tree.has_revisions

    async def get(self, path: str, default: Any) -> Any:
        """Return what a path reads as, or `default` itself."""
        return self._tree.get(path, default)

    async def put(self, path: str, value: Any) -> None:
        """Write the value of a node; its children stay."""
        self._tree.put(path, value)

    async def remove(self, path: str) -> None:
        """Delete a node and everything below it."""
        self._tree.remove(path)

    async def node(self, path: str) -> Node:
        """Return the node at a path."""
        node: Node = self._tree.node(path)
        return node

    async def apply(self, operations: Sequence[Operation]) -> None:
        """Do all operations in order, or none."""
        self._tree.apply(operations)

    async def revision(self) -> int:
        """Return the number of the last change."""
        number: int = self._tree.revision()
        return number

    async def changes(self) -> list[ForeignChange]:
        """Return what other processes have changed since the last call."""
        changes: list[ForeignChange] = self._tree.changes()
        return changes

    def mounts_below(self, path: str) -> list[str]:
        """Return the paths below a path that deleting it leaves alone."""
        return self._tree.mounts_below(path)

    def keeps_empty(self, path: str) -> bool:
        """Tell whether an emptied node goes on to exist."""
        return self._tree.keeps_empty(path)


def asyncified(backend: Backend | AsyncBackend) -> AsyncBackend:
    """Give an async backend as it is, and a sync one wrapped."""
    return backend if isinstance(backend, AsyncBackend) else AsyncifyBackend(backend)
