"""Several backends as one tree, each mounted at a path.

The longest mount at or above a path owns it, and sees paths as if its mount were the root. Reading
above mounts merges: the mounted trees stand where they are mounted and hide what is below.
"""
# ruff: noqa: SLF001 - a driver runs the operations of the hybrid

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from statefun.errors import MountError
from statefun.reactive.backends.asyncify import asyncified
from statefun.reactive.backends.base import (
    MISSING,
    AsyncBackend,
    Backend,
    Delete,
    Expect,
    Node,
    TreeBackend,
    Write,
    apply_one,
    composed,
    tree_of,
    undoing,
)
from statefun.reactive.paths import ROOT_PATH, canonical, join, levels, posix, relative
from statefun.reactive.steps import awaited, called

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import PurePosixPath

    from statefun.reactive.backends.base import Operation, Tree
    from statefun.reactive.paths import PathLike
    from statefun.reactive.steps import Steps

__all__ = ["HybridAsyncBackend", "HybridSyncBackend"]


class _Hybrid(TreeBackend):
    """The operations that both hybrids share."""

    def __init__(self, root_backend: Backend | AsyncBackend) -> None:
        self._lock = threading.RLock()
        self._mounts: dict[PurePosixPath, Any] = {ROOT_PATH: root_backend}
        self._trees: dict[str, Tree] = {"/": tree_of(root_backend)}

    def mounts_below(self, path: str) -> list[str]:
        """Return the mount points strictly below a path, which deleting it leaves alone."""
        return [top for top in self._trees if relative(top, path) not in {None, "/"}]

    def keeps_empty(self, path: str) -> bool:
        """Tell whether an emptied node goes on to exist in the backend that owns it."""
        tree, inner = self._owner(path)
        return tree.keeps_empty(inner)

    def _mount(self, path: PathLike, backend: Backend | AsyncBackend) -> None:
        text = canonical(path)
        self._mounts[posix(text)] = backend
        self._trees[text] = tree_of(backend)

    def _unmount(self, path: PathLike) -> Any:
        text = canonical(path)
        if text == "/":
            raise MountError(text)
        self._trees.pop(text, None)
        return self._mounts.pop(posix(text), None)

    def _owner(self, path: str) -> tuple[Tree, str]:
        """Give the tree that owns a path, and the path as that tree sees it."""
        top = next(level for level in levels(path) if level in self._trees)
        return self._trees[top], relative(path, top) or "/"

    def _mounted_names(self, path: str) -> list[str]:
        """Give the names of children of a path at or below which something is mounted."""
        inside = (relative(top, path) for top in self._trees)
        return [text.split("/")[1] for text in inside if text not in {None, "/"} and text]

    def _get(self, path: str, default: Any) -> Steps[Any]:
        """Return what a path reads as, or `default` itself."""
        tree, inner = self._owner(path)
        mounted = self._mounted_names(path)
        if not mounted:
            return (yield tree.get, (inner, default))
        children: dict[str, Any] = {}
        node: Node = yield tree.node, (inner,)
        value: Any = node.value
        if tree.is_flat and isinstance(value, dict):
            children = dict(value)
            value = MISSING
        for name in dict.fromkeys([*node.names, *mounted]):
            child = yield from self._get(join(path, name), MISSING)
            if child is not MISSING:
                children[name] = child
            else:
                children.pop(name, None)
        value = composed(value, children)
        if value is MISSING:
            return {} if node.exists and tree.keeps_empty(inner) else default
        return value

    def _put(self, path: str, value: Any) -> Steps[None]:
        """Write the value of a node; mounts below are left alone."""
        tree, inner = self._owner(path)
        yield tree.put, (inner, value)

    def _remove(self, path: str) -> Steps[None]:
        """Delete a node and everything below it; mounts below are left alone."""
        tree, inner = self._owner(path)
        if (yield tree.node, (inner,)).exists:
            yield tree.remove, (inner,)

    def _node(self, path: str) -> Steps[Node]:
        """Return the node at a path."""
        tree, inner = self._owner(path)
        node: Node = yield tree.node, (inner,)
        names = dict.fromkeys(node.names)
        for name in dict.fromkeys(self._mounted_names(path)):
            if (yield from self._get(join(path, name), MISSING)) is MISSING:
                names.pop(name, None)
            else:
                names[name] = None
        return Node(node.value, tuple(names), node.exists or bool(names))

    def _apply(self, operations: Sequence[Operation]) -> Steps[None]:
        """Do all operations, each backend's as one; if a backend fails, undo the others."""
        parts: dict[int, tuple[Tree, list[Operation]]] = {}
        for operation in operations:
            tree, inner = self._owner(operation.path)
            _, part = parts.setdefault(id(tree), (tree, []))
            match operation:
                case Write(_, value):
                    part.append(Write(inner, value))
                case Delete():
                    part.append(Delete(inner))
                case Expect(_, revision):
                    part.append(Expect(inner, revision))
        undo: list[tuple[Tree, Operation]] = []
        try:
            # memory cannot fail, so it comes last
            for tree, part in sorted(parts.values(), key=lambda each: each[0].keeps_empty("/")):
                before = (yield from undoing(tree, part)) if len(parts) > 1 else ()
                yield tree.apply, (part,)
                undo = [*((tree, each) for each in before), *undo]
        except BaseException:
            for tree, operation in undo:
                yield from apply_one(tree, operation)
            raise


class HybridSyncBackend(_Hybrid, Backend):
    """Backends mounted at paths of one tree.

    Attributes:
        mounts: `{path: backend}`, the root's included; change it by `mount` and `unmount` only.

    Args:
        root_backend: The backend of everything that is not mounted.
    """

    mounts: dict[PurePosixPath, Backend]

    def __init__(self, root_backend: Backend) -> None:
        super().__init__(root_backend)
        self.mounts = self._mounts

    def mount(self, path: PathLike, backend: Backend) -> None:
        """Put a backend in charge of a path and everything below it; what was there is hidden."""
        self._mount(path, backend)

    def unmount(self, path: PathLike) -> Backend | None:
        """Take a backend out again, so that what it hid is seen.

        Returns:
            The backend, or None if nothing is mounted at exactly this path.

        Raises:
            MountError: If `path` is the root.
        """
        backend: Backend | None = self._unmount(path)
        return backend

    get = called(_Hybrid._get)
    put = called(_Hybrid._put)
    remove = called(_Hybrid._remove)
    node = called(_Hybrid._node)
    apply = called(_Hybrid._apply)


class HybridAsyncBackend(_Hybrid, AsyncBackend):
    """The same for `ControllerAsync`; sync backends are wrapped when they are mounted.

    Attributes:
        mounts: `{path: backend}`, the root's included; change it by `mount` and `unmount` only.

    Args:
        root_backend: The backend of everything that is not mounted.
    """

    mounts: dict[PurePosixPath, AsyncBackend]

    def __init__(self, root_backend: Backend | AsyncBackend) -> None:
        super().__init__(asyncified(root_backend))
        self.mounts = self._mounts

    def mount(self, path: PathLike, backend: Backend | AsyncBackend) -> None:
        """Put a backend in charge of a path and everything below it; what was there is hidden."""
        self._mount(path, asyncified(backend))

    def unmount(self, path: PathLike) -> AsyncBackend | None:
        """Take a backend out again, so that what it hid is seen.

        Returns:
            The backend, or None if nothing is mounted at exactly this path.

        Raises:
            MountError: If `path` is the root.
        """
        backend: AsyncBackend | None = self._unmount(path)
        return backend

    get = awaited(_Hybrid._get)
    put = awaited(_Hybrid._put)
    remove = awaited(_Hybrid._remove)
    node = awaited(_Hybrid._node)
    apply = awaited(_Hybrid._apply)
